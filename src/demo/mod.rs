//! `holdfast demo`: a flash sale against a real server, killed in the middle, and the proof.
//!
//! It starts the same binary as a server on a temporary directory and a free port, lets ten
//! thousand buyers want five hundred units over HTTP, kills the server with `SIGKILL` halfway,
//! starts it again on the same directory, and proves at the end from its own account of the answers
//! that nothing was oversold and nothing acknowledged was lost.
//!
//! Deliberately absent: any shortcut into the server. What the demo knows it learnt over HTTP or
//! from an exit code.

mod book;
mod buyer;
mod crowd;
mod proof;
mod report;
mod run;
mod server;

use std::{path::PathBuf, time::Duration};

pub use report::Report;
pub use run::run;
pub use server::Trouble;

use crate::{client::Failure, progress::Show};

/// What is sold.
pub const SKU: &str = "SNEAKER-42";

/// Everything the demo can be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary that serves and verifies.
    pub binary: PathBuf,
    /// How many want some.
    pub buyers: usize,
    /// How many there are.
    pub units: u64,
    /// How long new buyers keep coming.
    pub rush: Duration,
    /// For who does what.
    pub seed: u64,
    /// What becomes of the temporary directory.
    pub afterwards: Afterwards,
    /// What to show meanwhile.
    pub show: Show,
}

/// What becomes of the demo's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It is removed.
    Remove,
    /// It stays, for a look.
    Keep,
}

/// A demo that came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The server could not be started, killed or stopped.
    #[error(transparent)]
    Server(#[from] Trouble),
    /// A call came to nothing.
    #[error(transparent)]
    Call(#[from] Failure),
    /// The SKU could not be set up.
    #[error("can't set the sale up: {status} {code}: {detail}")]
    SetUp {
        /// The HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// Its words.
        detail: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted; the server is stopped and its directory removed")]
    Interrupted,
}
