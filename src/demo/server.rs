//! The demo's server: a child process that never outlives the demo.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::Afterwards;

const READY_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(30);
const VERIFY_MAX: Duration = Duration::from_mins(2);

/// What went wrong with the server as a process.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The temporary directory or a file in it.
    #[error("can't use {path}: {error}", path = .path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The process could not be started or waited for.
    #[error("can't {what} the server: {error}")]
    Process {
        /// `start`, `kill` or `wait for`.
        what: &'static str,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// It ended instead of serving.
    #[error("the server ended with {status} before it was ready; it said:\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It didn't come up, or didn't end, in time.
    #[error("the server was not {state} within {} s; it said:\n{log}", .waited.as_secs())]
    TooSlow {
        /// `ready` or `stopped`.
        state: &'static str,
        /// How long was waited.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
}

/// The demo's directory: the data, the log, and the file that says where the server listens.
#[derive(Debug)]
pub(super) struct Place {
    directory: Option<TempDir>,
    path: PathBuf,
    binary: PathBuf,
}

/// Where the server listens.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ready {
    /// The data listener's address.
    pub(super) data: String,
    /// The admin listener's.
    pub(super) admin: String,
    /// The process.
    pub(super) pid: u32,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) ready: Ready,
    /// How long it took to be ready.
    pub(super) took: Duration,
}

impl Place {
    pub(super) fn new(binary: &Path, afterwards: Afterwards) -> Result<Self, Trouble> {
        let directory = tempfile::Builder::new().prefix("holdfast-demo-").tempdir();
        let files = |path: PathBuf| move |error| Trouble::Files { path, error };
        let directory = directory.map_err(files(std::env::temp_dir()))?;
        let path = directory.path().to_owned();
        let directory = match afterwards {
            Afterwards::Remove => Some(directory),
            Afterwards::Keep => {
                let _kept = directory.keep();
                None
            }
        };
        Ok(Self {
            directory,
            path,
            binary: binary.to_owned(),
        })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where it stays, if it does.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.directory.is_none().then_some(self.path.as_path())
    }

    /// Starts a server, on the addresses of an earlier one or on free ports.
    pub(super) async fn start(&self, earlier: Option<&Ready>) -> Result<Server, Trouble> {
        let ready_file = self.path.join("ready.json");
        match fs::remove_file(&ready_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Trouble::Files {
                    path: ready_file,
                    error,
                });
            }
            _ => {}
        }
        let free = "127.0.0.1:0";
        let (data, admin) = earlier.map_or((free, free), |ready| (&ready.data, &ready.admin));
        let log = self.log()?;
        let log_too = log.try_clone().map_err(|error| self.log_trouble(error))?;
        let started = Instant::now();
        let mut child = self
            .command()
            .args([
                "serve",
                "--listen",
                data,
                "--admin-listen",
                admin,
                "--data-dir",
            ])
            .arg(self.data())
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|error| Trouble::Process {
                what: "start",
                error,
            })?;
        loop {
            if let Some(ready) = read_ready(&ready_file) {
                return Ok(Server {
                    child,
                    ready,
                    took: started.elapsed(),
                });
            }
            let ended = child.try_wait();
            if let Some(status) = ended.map_err(|error| Trouble::Process {
                what: "wait for",
                error,
            })? {
                return Err(Trouble::Ended {
                    status,
                    log: self.log_end(),
                });
            }
            if started.elapsed() > READY_MAX {
                let log = self.log_end();
                return Err(Trouble::TooSlow {
                    state: "ready",
                    waited: READY_MAX,
                    log,
                });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Runs `holdfast verify` on the stopped directory and hands back its exit code.
    pub(super) async fn verify(&self) -> Result<Option<i32>, Trouble> {
        let log = self.log()?;
        let log_too = log.try_clone().map_err(|error| self.log_trouble(error))?;
        let mut command = self.command();
        command
            .args(["verify", "--data-dir"])
            .arg(self.data())
            .stdout(log)
            .stderr(log_too);
        let status = timeout(VERIFY_MAX, command.status()).await;
        let status = status.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
        Ok(status
            .map_err(|error| Trouble::Process {
                what: "verify",
                error,
            })?
            .code())
    }

    /// The binary, untouched by the user's settings for a server of their own.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.path)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOLDFAST_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.path.join("server.log")
    }

    fn log(&self) -> Result<File, Trouble> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        log.map_err(|error| self.log_trouble(error))
    }

    fn log_trouble(&self, error: io::Error) -> Trouble {
        Trouble::Files {
            path: self.log_path(),
            error,
        }
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Server {
    /// `kill -9`: no handler runs, nothing is flushed. Returns when the process is gone.
    pub(super) async fn kill(mut self) -> Result<Ready, Trouble> {
        self.child.kill().await.map_err(|error| Trouble::Process {
            what: "kill",
            error,
        })?;
        Ok(self.ready)
    }

    /// Asks it to drain and end, and waits until it did.
    pub(super) async fn stop(mut self, place: &Place) -> Result<ExitStatus, Trouble> {
        let pid = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).map_err(|error| Trouble::Process {
                what: "stop",
                error: error.into(),
            })?;
        }
        match timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => status.map_err(|error| Trouble::Process {
                what: "wait for",
                error,
            }),
            Err(_elapsed) => {
                let log = place.log_end();
                Err(Trouble::TooSlow {
                    state: "stopped",
                    waited: STOP_MAX,
                    log,
                })
            }
        }
    }
}

/// Where the server listens, once it has said so; a half-written file is not there yet.
fn read_ready(path: &Path) -> Option<Ready> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
