//! `holdfast probe`: what a container's probe runs, since the listeners take loopback only.

use std::time::Duration;

use super::settings::Settings;
use super::{Exit, fail};
use crate::client::{Call, Client, Patience, Target};

/// The flags of `holdfast probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// Does the process answer? If not, restart it
    Live(Asked),
    /// May callers be sent here? Not while replaying or draining, or when no shard can write
    Ready(Asked),
    /// Is the ledgers' replay over?
    Startup(Asked),
}

#[derive(Debug, clap::Args)]
struct Asked {
    /// The admin listener; without it the address in the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<Target>,
    /// How long to wait for the answer
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    timeout_ms: u64,
    /// The configuration file; without it `./config/holdfast.toml`, if it is there
    #[arg(long, env = "HOLDFAST_CONFIG", value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let (path, asked) = match args.question {
        Question::Live(asked) => ("/live", asked),
        Question::Ready(asked) => ("/ready", asked),
        Question::Startup(asked) => ("/startup", asked),
    };
    let target = match asked.target() {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    let client = Client::new(target, Patience::default());
    let patience = Duration::from_millis(asked.timeout_ms);
    match client.walk_away(&Call::get(path), patience).await {
        Ok(answer) if answer.status.is_success() => Exit::Success,
        Ok(answer) => fail(
            Exit::Failure,
            format!("{}: {}", answer.status.as_u16(), answer.problem().detail),
        ),
        // Not `Unreachable`: a probe's exit code is 0 or 1, and others are reserved.
        Err(broken) => fail(Exit::Failure, format!("{}: {broken}", client.target())),
    }
}

impl Asked {
    fn target(&self) -> Result<Target, Exit> {
        if let Some(target) = &self.admin {
            return Ok(target.clone());
        }
        let settings = Settings {
            config: self.config.clone(),
            ..Settings::default()
        };
        let address = settings.load()?.config.http.admin_listen;
        Ok(Target::Tcp(address.to_string()))
    }
}
