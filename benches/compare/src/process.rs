//! The servers as processes: found, started on ports of their own, measured, and stopped.
//!
//! Deliberately absent: what they are told (`targets`).

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    stop: Signal,
}

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// Of the generator.
    pub(crate) generator: f64,
    /// Of the server and its children.
    pub(crate) server: f64,
}

impl Server {
    /// Starts it; `stop` is the signal that ends it well.
    pub(crate) fn start(command: &mut Command, stop: Signal) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, stop }
    }

    /// Processor time up to now.
    pub(crate) fn cpu(&self) -> Cpu {
        let mine = std::process::id();
        let server = self.child.id();
        let mut cpu = Cpu::default();
        for (pid, parent, seconds) in processes() {
            if pid == mine {
                cpu.generator += seconds;
            } else if pid == server || parent == server {
                cpu.server += seconds;
            }
        }
        cpu
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // It may have ended.
            let _ = kill_process(pid, self.stop);
        }
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Waits until something listens there.
pub(crate) fn wait_for(address: SocketAddr) {
    wait("a server to listen", || TcpStream::connect(address).is_ok());
}

/// Waits until this holds.
pub(crate) fn wait(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < until, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program of the system, by its name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    // Debian keeps the programs of PostgreSQL by version.
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let there = places.into_iter().map(|place| place.join(name));
    there.into_iter().find(|path| path.is_file())
}

/// The first line of what a program says of its version.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// User and group of a name.
pub(crate) fn user(name: &str) -> Option<(u32, u32)> {
    let all = fs::read_to_string("/etc/passwd").ok()?;
    let line = all
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Whether this is root, as whom `PostgreSQL` refuses to run.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Id, parent and processor time of every process.
fn processes() -> Vec<(u32, u32, f64)> {
    let entries = fs::read_dir("/proc").expect("Linux has it");
    let read = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name may have spaces, and ends with the last bracket.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: u64 =
            fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        // Linux counts in hundredths of a second, whatever its own clock.
        Some((pid, fields.get(1)?.parse().ok()?, ticks as f64 / 100.0))
    };
    entries.flatten().filter_map(read).collect()
}
