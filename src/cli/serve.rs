//! `holdfast serve`: the order of starting and ending. What is served comes from the caller, which
//! opens the stock and mounts the routes over it.

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::settings::Settings;
use super::{Exit, fail, print};
use crate::config::{Config, Loaded, Origin};
use crate::http::Mounted;
use crate::http::probes::{Backend, Health};
use crate::service::{Addresses, Service};
use crate::telemetry;

/// The flags of `holdfast serve`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// What configures the server.
    #[command(flatten)]
    pub settings: Settings,
    /// Write the addresses and the process id to this file, as JSON, once the server takes calls
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Let `POST /v1/admin/clock` move time, to rehearse expiries, windows and late payments. Only
    /// on temporary data: a directory made for it, or one that goes when the server ends
    #[arg(long)]
    pub test_clock: bool,
    /// Drain and end when standard input closes, as it does when whoever started this is gone
    #[arg(long, hide = true)]
    pub end_with_stdin: bool,
}

/// The stock, open, and what serves it.
pub struct Opened {
    /// The data listener's routes.
    pub data: Mounted,
    /// What probes and metrics ask.
    pub backend: Arc<dyn Backend>,
    /// Stops the stock and closes the ledgers; awaited once, after the last answer.
    pub stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Why the stock can't be opened: the exit code and what to tell the user.
pub type Refused = (Exit, String);

/// Loads the configuration, starts the admin listener with `admin`'s routes, opens the stock with
/// `open`, and serves until a signal has ended it.
pub async fn run<O>(
    args: Args,
    admin: impl FnOnce(&Config, &Arc<Health>) -> Mounted,
    open: impl FnOnce(Config, Arc<Health>) -> O,
) -> Exit
where
    O: Future<Output = Result<Opened, Refused>>,
{
    let mut loaded = match args.settings.load() {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    telemetry::init(&loaded.config.log);
    // Removed when it is dropped: at the end of this function, or below at a second signal.
    let temporary = match temporary(args.test_clock, &mut loaded) {
        Ok(directory) => directory,
        Err(error) => return fail(Exit::Failure, format!("no temporary directory: {error}")),
    };
    let config = loaded.config;
    if let Some(warning) = config.data.durability.warning() {
        tracing::warn!(durability = "os", "{warning}");
    }
    let health = Health::new();
    let admin = admin(&config, &health);
    let mut service = match Service::start(&config, Arc::clone(&health), admin) {
        Ok(service) => service,
        Err(error) => return fail(Exit::Failure, error),
    };
    let opened = match service.open(open(config, Arc::clone(&health))).await {
        None => return Exit::Success,
        Some(Ok(opened)) => opened,
        Some(Err((exit, message))) => return fail(exit, message),
    };
    health.set_backend(opened.backend);
    if args.end_with_stdin {
        std::thread::spawn(end_with_stdin);
    }
    let announce = |addresses: &Addresses| announce(addresses, args.ready_file.as_deref());
    match service.run(opened.data, announce, opened.stop).await {
        Ok(exit @ (Exit::Terminated | Exit::Interrupted)) => {
            drop(temporary);
            // Threads of the stock are at work still, and nothing waits for them.
            std::process::exit(i32::from(exit.code()))
        }
        Ok(exit) => exit,
        Err(error) => fail(Exit::Failure, error),
    }
}

/// A directory for a test clock's data, where none is named.
fn temporary(test_clock: bool, loaded: &mut Loaded) -> io::Result<Option<TempDir>> {
    if !test_clock {
        return Ok(None);
    }
    tracing::warn!("time can be moved here: nothing real should call this server");
    if loaded.origin("data.dir") != Origin::Default {
        return Ok(None);
    }
    let directory = tempfile::Builder::new()
        .prefix("holdfast-test-clock-")
        .tempdir()?;
    directory.path().clone_into(&mut loaded.config.data.dir);
    tracing::info!(path = %directory.path().display(), "the data lie here, until the server ends");
    Ok(Some(directory))
}

/// Ends this process as a signal would, once nobody holds the other end of its standard input.
fn end_with_stdin() {
    // What can't be read any more is closed, too; what is written there means nothing.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    if let Err(error) = kill_process(getpid(), Signal::TERM) {
        tracing::error!(%error, "standard input is closed, and this can't end");
    }
}

fn announce(addresses: &Addresses, ready_file: Option<&Path>) {
    let (data, admin) = (addresses.data, addresses.admin);
    // Nobody may be reading; the server serves all the same.
    let _ = print(
        Exit::Success,
        format!("holdfast serves http://{data}, admin http://{admin}\n"),
    );
    if let Some(path) = ready_file
        && let Err(error) = write_ready_file(path, addresses)
    {
        tracing::warn!(path = %path.display(), %error, "the ready file can't be written");
    }
}

/// In one step, so that a reader never sees half of it.
fn write_ready_file(path: &Path, addresses: &Addresses) -> io::Result<()> {
    let content = json!({
        "data": addresses.data.to_string(),
        "admin": addresses.admin.to_string(),
        "pid": std::process::id(),
    });
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content.to_string())?;
    fs::rename(&beside, path)
}
