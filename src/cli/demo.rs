//! `holdfast demo`: its few flags.

use std::{path::Path, time::Duration};

use clap::Args as ClapArgs;

use super::{Exit, fail, print};
use crate::{
    client::{Failure, Reason},
    demo::{self, Afterwards, Failed, Options},
    progress::Show,
    show::Paint,
};

/// The flags of `holdfast demo`; none is needed.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Another number is another crowd
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep the temporary directory: the ledgers and the server's log
    #[arg(long)]
    keep: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

const BUYERS: usize = 10_000;
const UNITS: u64 = 500;
const RUSH: Duration = Duration::from_secs(8);

/// Plays the demo and prints what came of it.
pub async fn run(args: Args) -> Exit {
    let binary = match std::env::current_exe() {
        Ok(binary) => binary,
        Err(error) => return fail(Exit::Failure, format!("can't find this program: {error}")),
    };
    let options = Options {
        binary,
        buyers: BUYERS,
        units: UNITS,
        rush: RUSH,
        seed: args.seed,
        afterwards: if args.keep {
            Afterwards::Keep
        } else {
            Afterwards::Remove
        },
        show: if args.quiet {
            Show::Nothing
        } else {
            Show::Progress
        },
    };
    match demo::run(options).await {
        Ok(report) => {
            let exit = if report.proved {
                Exit::Success
            } else {
                Exit::ProofFailed
            };
            if args.json {
                let text = serde_json::to_string_pretty(&report)
                    .expect("a report has string keys and no failures");
                print(exit, format!("{text}\n"))
            } else {
                print(exit, report.text(Paint::stdout(), &program()))
            }
        }
        Err(failed) => fail(exit_of(&failed), failed),
    }
}

/// What the user typed, if it can be typed again.
fn program() -> String {
    let typed = std::env::args().next().unwrap_or_default();
    if Path::new(&typed).is_file() {
        typed
    } else {
        "holdfast".to_owned()
    }
}

fn exit_of(failed: &Failed) -> Exit {
    match failed {
        Failed::Interrupted => Exit::Interrupted,
        Failed::Call(Failure::GaveUp { gave_up, .. }) => match gave_up.reason {
            Reason::Broken(_) => Exit::Unreachable,
            Reason::Problem(_) => Exit::Failure,
        },
        Failed::Server(_) | Failed::SetUp { .. } | Failed::Call(Failure::Strange { .. }) => {
            Exit::Failure
        }
    }
}
