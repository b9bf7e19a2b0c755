//! `holdfast verify`: is a stopped data directory whole, and does its state hold?

use super::{Exit, fail, print};
use crate::progress::Show;
use crate::show::Paint;
use crate::verify::{self, VerifyError};
use holdfast_ledger::LedgerError;
use std::path::PathBuf;

/// The flags of `holdfast verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data directory of a stopped server; it is only read
    #[arg(
        long,
        value_name = "DIR",
        env = "HOLDFAST_DATA_DIR",
        default_value = "./data"
    )]
    data_dir: PathBuf,
    /// Rows of the table of SKUs
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,
    /// Print the whole report, every SKU included, as JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Exit {
    let report = match verify::verify(&args.data_dir, Show::Progress) {
        Ok(report) => report,
        Err(VerifyError::Directory(error)) => return fail(exit_of(&error), error),
    };
    let exit = if report.is_good() {
        Exit::Success
    } else {
        Exit::Corrupt
    };
    if args.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => print(exit, format!("{text}\n")),
            Err(error) => fail(
                Exit::Failure,
                format!("the report can't be written: {error}"),
            ),
        }
    } else {
        print(exit, report.to_text(args.rows, Paint::stdout()))
    }
}

const fn exit_of(error: &LedgerError) -> Exit {
    match error {
        LedgerError::Locked { .. } => Exit::Locked,
        LedgerError::Identity { .. }
        | LedgerError::Missing { .. }
        | LedgerError::ShardCount { .. }
        | LedgerError::Manifest { .. } => Exit::Refused,
        LedgerError::Corrupt { .. } => Exit::Corrupt,
        _ => Exit::Failure,
    }
}
