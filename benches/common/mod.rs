//! What the benches share: the payload, how figures are kept and shown, the machine, a server, and
//! one that does nothing.
//!
//! Deliberately absent: statistics beyond median and spread. A figure that needs more to look good
//! is not good.

pub(crate) mod empty;
pub(crate) mod filled;
pub(crate) mod machine;
pub(crate) mod payload;
pub(crate) mod report;
pub(crate) mod server;

use holdfast_runtime::{Deadline, Operation, Router};
use std::path::PathBuf;
use std::time::Duration;

/// Repetitions of everything that is timed.
pub(crate) const ROUNDS: usize = 5;

/// A new directory on the disk that holds the build, so that a commit is a real one;
/// `BENCH_DIR` names another disk.
pub(crate) fn directory() -> tempfile::TempDir {
    let disk = std::env::var_os("BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    std::fs::create_dir_all(&disk).expect("the disk takes a directory");
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(disk)
        .expect("the disk takes a directory")
}

/// Sends one message and insists that all of it was done.
pub(crate) async fn all_done(router: &Router, message: Vec<Operation>) {
    let deadline = Deadline::within(Duration::from_mins(1));
    let told = router.batch(message, deadline).await;
    let failed = told.iter().find(|told| {
        told.as_ref().map_or(true, |answer| {
            matches!(answer, holdfast_core::Answer::Refused { .. })
        })
    });
    assert!(failed.is_none(), "an operation was not done: {failed:?}");
}

/// Which part of itself a bench plays, where it runs itself as a child.
pub(crate) fn role() -> Option<String> {
    std::env::var("BENCH_ROLE").ok()
}

/// This bench again as a child that plays `role`, with its output to be read.
pub(crate) fn play(role: &str) -> std::process::Command {
    let this = std::env::current_exe().expect("a bench is a file");
    let mut child = std::process::Command::new(this);
    child
        .env("BENCH_ROLE", role)
        .stdout(std::process::Stdio::piped());
    child
}
