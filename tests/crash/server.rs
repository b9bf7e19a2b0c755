//! The real server in a process of its own, and a client that does not give up.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// `holdfast serve` on a directory that outlives it.
pub(crate) struct Server {
    directory: TempDir,
    child: Child,
    data: String,
    admin: String,
    arguments: &'static [&'static str],
    settings: Vec<(String, String)>,
}

impl Server {
    /// A new directory, two shards, free ports.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with other settings, as variables name them after `HOLDFAST_`; those that TLS
    /// listens to are named as they are.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_as(&[], settings)
    }

    /// The same with more arguments.
    pub(crate) fn start_as(arguments: &'static [&'static str], settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let free = "127.0.0.1:0";
        let settings = settings.iter().map(|(name, value)| {
            let is_of_tls = name.starts_with("SSL_");
            let name = if is_of_tls {
                (*name).to_owned()
            } else {
                format!("HOLDFAST_{name}")
            };
            (name, (*value).to_owned())
        });
        let settings: Vec<(String, String)> = settings.collect();
        let (child, data, admin) = spawn(&directory, free, free, arguments, &settings);
        Self {
            directory,
            child,
            data,
            admin,
            arguments,
            settings,
        }
    }

    /// The data listener.
    pub(crate) fn address(&self) -> String {
        self.data.clone()
    }

    /// The admin listener.
    #[allow(dead_code, reason = "each test takes its part")]
    pub(crate) fn admin(&self) -> String {
        self.admin.clone()
    }

    /// Another setting, from the next start on.
    #[allow(dead_code, reason = "each test takes its part")]
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let setting = (format!("HOLDFAST_{name}"), value.to_owned());
        self.settings.push(setting);
    }

    /// Where its data is.
    #[allow(dead_code, reason = "each test takes its part")]
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("it was killed");
    }

    /// On the same directory and ports.
    pub(crate) fn restart(&mut self) {
        let (child, data, admin) = spawn(
            &self.directory,
            &self.data,
            &self.admin,
            self.arguments,
            &self.settings,
        );
        assert_eq!((&data, &admin), (&self.data, &self.admin));
        self.child = child;
    }

    /// SIGTERM; it must end by itself with 0.
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        let status = self.child.wait().expect("it was told to stop");
        assert_eq!(status.code(), Some(0), "a drained server ends with 0");
    }

    /// The most memory it has had.
    #[allow(dead_code, reason = "each test takes its part")]
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process is there");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        peak.expect("the kernel says so")
    }

    /// The exit code of `holdfast verify`.
    pub(crate) fn verify(&self) -> Option<i32> {
        let output = Command::new(binary())
            .args(["verify", "--data-dir"])
            .arg(self.directory.path().join("data"))
            .output()
            .expect("verify runs");
        let code = output.status.code();
        if code != Some(0) {
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
        }
        code
    }

    /// Two SKUs of different shards: the position that a read names tells the shard apart.
    pub(crate) fn skus_on_two_shards(&self, skus: &[&str]) -> (String, String) {
        let mut talk = Talk::new(self.address());
        let mut shard_of = |sku: &str| {
            let (_, body) =
                talk.until_answered("GET", &format!("/v1/skus/{sku}"), None, &Value::Null);
            let position = body["as_of"]["position"]
                .as_str()
                .expect("a position")
                .to_owned();
            // Cluster, layout, shard, sequence: all but the last 16 digits.
            position[..position.len() - 16].to_owned()
        };
        let first = shard_of(skus[0]);
        let other = skus[1..].iter().find(|sku| shard_of(sku) != first);
        (
            skus[0].to_owned(),
            (*other.expect("six SKUs on two shards")).to_owned(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tests of other crates find it by a variable.
fn binary() -> PathBuf {
    let here = option_env!("CARGO_BIN_EXE_holdfast").map(PathBuf::from);
    let named = || std::env::var_os("HOLDFAST_BIN").map(PathBuf::from);
    here.or_else(named)
        .expect("HOLDFAST_BIN names a built holdfast, such as target/debug/holdfast")
}

fn spawn(
    directory: &TempDir,
    data: &str,
    admin: &str,
    arguments: &[&str],
    settings: &[(String, String)],
) -> (Child, String, String) {
    let ready = directory.path().join("ready.json");
    let _ = std::fs::remove_file(&ready);
    let mut child = Command::new(binary())
        .args([
            "serve",
            "--shards",
            "2",
            "--listen",
            data,
            "--admin-listen",
            admin,
        ])
        .args(arguments)
        .arg("--data-dir")
        .arg(directory.path().join("data"))
        .arg("--ready-file")
        .arg(&ready)
        // To the server it would be a setting that is not there.
        .env_remove("HOLDFAST_BIN")
        // A test that trusts anybody says whom, in a file.
        .env_remove("SSL_CERT_DIR")
        .env("HOLDFAST_LOG_FILTER", "warn")
        .envs(settings.iter().cloned())
        .stdout(Stdio::null())
        .spawn()
        .expect("the server can be started");
    let Some((data, admin)) = addresses(&ready) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("the server did not get ready");
    };
    (child, data, admin)
}

/// Where a server listens, once it says so.
fn addresses(ready: &Path) -> Option<(String, String)> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let text = std::fs::read_to_string(ready).unwrap_or_default();
        if let Ok(found) = serde_json::from_str::<Value>(&text) {
            let name = |key: &str| found[key].as_str().expect("an address").to_owned();
            return Some((name("data"), name("admin")));
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// A keep-alive connection, opened anew whenever it breaks.
pub(crate) struct Talk {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Talk {
    pub(crate) const fn new(address: String) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    /// Calls until there is an answer that is not a `5xx`: same key, same body.
    pub(crate) fn until_answered(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let began = Instant::now();
        loop {
            match self.call(method, path, key, body) {
                Some((status, answer)) if status < 500 => return (status, answer),
                Some(_) => {}
                None => self.stream = None,
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{method} {path} was never answered"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Option<(u16, Value)> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_nodelay(true).ok()?;
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut()?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let key = key.map_or(String::new(), |key| format!("idempotency-key: {key}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: holdfast\r\ncontent-type: application/json\r\n\
             {key}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let status: u16 = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok()?;
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).ok()?;
        Some((
            status,
            serde_json::from_slice(&answer).unwrap_or(Value::Null),
        ))
    }
}
