//! A server that is started for a run, and never outlives it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{Profile, Trouble, directory, ledger::DATA};

const READY_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_mins(1);

/// Where it lives: its data, its configuration, its log.
pub(super) struct Place {
    directory: TempDir,
    binary: PathBuf,
}

/// A running server. Dropping it kills it.
pub(super) struct Server {
    child: Child,
    /// Where its data listener is.
    pub(super) data: String,
    admin: String,
}

#[derive(Deserialize)]
struct Ready {
    data: String,
    admin: String,
}

fn files(what: &'static str) -> impl Fn(io::Error) -> Trouble {
    move |error| Trouble::Io { what, error }
}

impl Place {
    pub(super) fn new(
        binary: &Path,
        below: Option<&Path>,
        profile: Profile,
    ) -> Result<Self, Trouble> {
        let place = Self {
            directory: directory(below)?,
            binary: binary.to_owned(),
        };
        fs::write(place.path("holdfast.toml"), configuration(profile))
            .map_err(files("write the server's configuration"))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a server, where an earlier one was or on free ports.
    pub(super) async fn start(&self, earlier: Option<&Server>) -> Result<Server, Trouble> {
        let ready_file = self.path("ready.json");
        let _ = fs::remove_file(&ready_file);
        let free = "127.0.0.1:0";
        let (data, admin) = earlier.map_or((free, free), |server| (&server.data, &server.admin));
        let log = self.log()?;
        let log_too = log.try_clone().map_err(files("open the server's log"))?;
        let mut command = Command::new(&self.binary);
        command
            .current_dir(self.directory.path())
            .args(["serve", "--listen", data, "--admin-listen", admin])
            .arg("--config")
            .arg(self.path("holdfast.toml"))
            .arg("--data-dir")
            .arg(self.path(DATA))
            .arg("--ready-file")
            .arg(&ready_file)
            // Where this process is killed, nobody is left to stop it: the pipe that closes does.
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(log_too)
            .kill_on_drop(true)
            .process_group(0);
        // The user's settings are for a server of their own.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOLDFAST_") {
                command.env_remove(name);
            }
        }
        let started = Instant::now();
        let mut child = command.spawn().map_err(files("start the server"))?;
        loop {
            if let Some(Ready { data, admin }) = read_ready(&ready_file) {
                return Ok(Server { child, data, admin });
            }
            if let Some(status) = child.try_wait().map_err(files("wait for the server"))? {
                return Err(self.trouble(format!("ended with {status} before it was ready")));
            }
            if started.elapsed() > READY_MAX {
                let what = format!("was not ready within {} s", READY_MAX.as_secs());
                return Err(self.trouble(what));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The directory, when the server has stopped.
    pub(super) fn into_directory(self) -> TempDir {
        self.directory
    }

    fn log(&self) -> Result<File, Trouble> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("server.log"));
        log.map_err(files("open the server's log"))
    }

    fn trouble(&self, what: String) -> Trouble {
        let log = fs::read_to_string(self.path("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(12)..].join("\n");
        Trouble::Server { what, log }
    }
}

impl Server {
    /// `kill -9`; returns when the process is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Trouble> {
        self.child.kill().await.map_err(files("kill the server"))
    }

    /// Asks it to drain and end; what went wrong, if anything did.
    pub(super) async fn stop(mut self, place: &Place) -> Result<Option<String>, Trouble> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        // To wait closes it, and a second word to end would cut the first one's drain short.
        let _stdin = self.child.stdin.take();
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let told = kill_process(pid, Signal::TERM);
            told.map_err(|error| files("stop the server")(error.into()))?;
        }
        match timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => {
                let status = status.map_err(files("wait for the server"))?;
                Ok((!status.success()).then(|| format!("the server ended with {status}")))
            }
            Err(_elapsed) => {
                Err(place.trouble(format!("did not stop within {} s", STOP_MAX.as_secs())))
            }
        }
    }
}

/// The load profile: the defaults, but for how long things are kept and may last.
fn configuration(profile: Profile) -> String {
    let Profile {
        retention_ms,
        ttl_ms,
        shards,
    } = profile;
    let ttl_min = ttl_ms.min(1_000);
    let ttl_max = ttl_ms.max(1_800_000);
    let lifetime_max = ttl_max.max(3_600_000);
    let shards = match shards {
        0 => "\"auto\"".to_owned(),
        count => count.to_string(),
    };
    format!(
        "[shards]\ncount = {shards}\n\n[reservations]\nttl_min_ms = {ttl_min}\n\
         ttl_max_ms = {ttl_max}\nlifetime_max_ms = {lifetime_max}\n\
         retention_ms = {retention_ms}\norder_retention_ms = {retention_ms}\n\
         key_retention_ms = {retention_ms}\n\n[log]\nfilter = \"warn\"\n"
    )
}

/// Where the server listens, once it has said so; a half-written file is not there yet.
fn read_ready(path: &Path) -> Option<Ready> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
