//! The command line: what can be asked of `holdfast`, and nothing of how it is done.
//!
//! Every subcommand is a module with `Args` (its flags) and `run(args) -> Exit`, which tells the
//! user what went wrong before it returns.

#[macro_use]
pub mod exit;
mod ask;
pub mod config;
pub mod consumers;
pub mod demo;
pub mod drifts;
pub mod events;
pub mod feeds;
pub mod import;
pub mod ledger;
pub mod load;
pub mod probe;
pub mod reconcile;
pub mod replay;
pub mod serve;
pub mod settings;
pub mod sku;
pub mod snapshot;
mod table;
pub mod verify;
pub mod webhook;
mod webhook_listen;

use std::future::Future;

use clap::{Parser, Subcommand};

pub use exit::{Exit, fail, print};

/// The arguments of `holdfast`.
#[derive(Debug, Parser)]
#[command(
    name = "holdfast",
    version,
    about = "Holds stock fast: a sharded, durable reservation service for checkouts",
    after_help = AFTER_HELP,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT ends it
    Serve(serve::Args),
    /// See the last 500 units sold to 10,000 buyers, with a crash in the middle, and the proof
    Demo(demo::Args),
    /// Check out a file of real baskets on a running server, and prove that nothing was oversold
    Replay(replay::Args),
    /// Rehearse a sale: load a server as a scenario says, measure it, and prove what it answered
    Load(load::Args),
    /// Import movements and settings from a file of CSV or NDJSON; exit code 8 if rows were bad
    Import(import::Args),
    /// Prove that a stopped data directory is whole and its state holds; exit code 6 if not
    Verify(verify::Args),
    /// Look at a SKU, or pause and resume its sale
    Sku(sku::Args),
    /// Look at differences between the ledger and other truths, approve or dismiss them
    Drifts(drifts::Args),
    /// Look at the streams of a source's messages, or let a quarantined one go on
    Feeds(feeds::Args),
    /// Follow what happens: every event as it is recorded, resumed after a break
    Events(events::Args),
    /// Save the state of a running server, with the cursor from which events go on
    Snapshot(snapshot::Args),
    /// See how far consumers of events are behind, or move one
    Consumers(consumers::Args),
    /// Print a SKU's statement: every event with running balances; or its counters in the past
    Ledger(ledger::Args),
    /// Compare a running server's ledger with a warehouse's count, with orders or a seller's feed
    Reconcile(reconcile::Args),
    /// Try out webhooks: receive and verify them, check a signature, ask for a delivery
    Webhook(webhook::Args),
    /// Ask a running server how it is, as a container's probe does: exit code 0 is yes, 1 is no
    Probe(probe::Args),
    /// Check the configuration, or show every value and where it came from
    Config(config::Args),
}

const AFTER_HELP: &str = concat!(
    "\
Examples:
  holdfast demo
  holdfast serve --data-dir ./data
  holdfast sku pause TEE-RED-M --reason \"wrong price\"
  holdfast ledger TEE-RED-M --as-of 2026-11-27T08:00:00Z
  holdfast events tail --types stock.received,stock.shipped --sku TEE-RED-M
  holdfast replay baskets.csv.gz --locations one --json
  holdfast import stock.csv --create --report report.json
  holdfast load flash-sale --out ./results
  HOLDFAST_HTTP_LISTEN=127.0.0.1:8080 holdfast config show

",
    exit_codes!()
);

/// Parses the arguments and runs the subcommand they name.
pub fn main() -> Exit {
    match Cli::parse().command {
        Command::Serve(args) => on_all_cores(crate::backend::serve(args)),
        Command::Demo(args) => on_all_cores(demo::run(args)),
        Command::Replay(args) => on_all_cores(replay::run(args)),
        Command::Load(args) => on_all_cores(load::run(args)),
        Command::Import(args) => on_this_thread(import::run(args)),
        Command::Verify(args) => verify::run(&args),
        Command::Sku(args) => on_this_thread(sku::run(args)),
        Command::Drifts(args) => on_this_thread(drifts::run(args)),
        Command::Feeds(args) => on_this_thread(feeds::run(args)),
        Command::Events(args) => on_this_thread(events::run(args)),
        Command::Snapshot(args) => on_this_thread(snapshot::run(args)),
        Command::Consumers(args) => on_this_thread(consumers::run(args)),
        Command::Ledger(args) => on_this_thread(ledger::run(args)),
        Command::Reconcile(args) => on_this_thread(reconcile::run(args)),
        Command::Webhook(args) => on_this_thread(webhook::run(args)),
        Command::Probe(args) => on_this_thread(probe::run(args)),
        Command::Config(args) => config::run(args),
    }
}

/// Runs a command that has work for many threads.
fn on_all_cores(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => fail(Exit::Failure, format!("can't start threads: {error}")),
    }
}

/// Runs a command that asks one question.
fn on_this_thread(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => fail(Exit::Failure, format!("can't start: {error}")),
    }
}
