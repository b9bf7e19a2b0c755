//! `holdfast replay`: a file of real baskets as checkouts against a running server, and the proof
//! that nothing was oversold and nothing lost.
//!
//! The steps: read the file, plan (stock and fates, seeded), note what the server's counters are,
//! stock, check out, read everything back, judge. The run's id is in every key, so a server that is
//! restarted meanwhile is asked again and answers the same, and so does a rerun under the same id.
//!
//! Deliberately absent: the server's types (see [`crate::client`]), and any reliance on being alone:
//! where others change the same SKUs, the differences are called not provable.

pub mod account;
mod baseline;
pub mod basket;
mod checkout;
mod foreign;
mod judgement;
pub mod plan;
pub mod proof;
pub mod reader;
mod reads;
pub(crate) mod report;
mod run;
mod spread;
mod stocking;

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

pub use baseline::Unfit;
pub use checkout::Mode;
pub use report::{Report, continuation};
pub use run::run;
pub use stocking::Refused;

use crate::{
    client::{Failure, Patience, Target},
    progress::Show,
};

/// How fast the baskets come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the connections allow.
    Max,
    /// So many times as fast as in the file.
    Times(f64),
}

/// How many reservations are read back at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// Each of them.
    All,
    /// So many, drawn by the seed.
    Sample(usize),
}

/// Everything a replay can be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// When the run begins.
    pub now: Timestamp,
    /// The basket file.
    pub file: PathBuf,
    /// The server's data listener.
    pub server: Target,
    /// Where baskets are checked out.
    pub locations: reader::Locations,
    /// Units stocked per unit asked for.
    pub stock_factor: f64,
    /// The largest quantity that is believed.
    pub qty_max: u64,
    /// How reserves are asked for.
    pub mode: Mode,
    /// What becomes of the checkouts.
    pub shares: plan::Shares,
    /// How long an abandoned checkout holds its units, in milliseconds.
    pub abandon_ttl_ms: u64,
    /// How long the others hold theirs, in milliseconds.
    pub ttl_ms: u64,
    /// How fast.
    pub speed: Speed,
    /// Calls at once.
    pub connections: usize,
    /// What stands in every key.
    pub run: RunId,
    /// For rounding and fates.
    pub seed: u64,
    /// How much is read back.
    pub read_back: ReadBack,
    /// Where the counters from before are kept.
    pub baseline: Option<PathBuf>,
    /// How long to go on asking a server that doesn't answer.
    pub patience: Patience,
    /// How long counters may lag behind the answers about carts over several shards.
    pub lag_max: Duration,
    /// What to show meanwhile.
    pub show: Show,
}

/// The id of a run: 1 to 40 of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    text: String,
    /// Whether the user chose it: then the baseline stays for a rerun.
    chosen: bool,
}

/// Text that can't be a run's id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't be a run's id; use 1 to 40 letters, digits, dots, dashes and underscores")]
pub struct BadRunId(String);

impl RunId {
    /// A user's id.
    pub fn parse(text: &str) -> Result<Self, BadRunId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=40).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(BadRunId(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            chosen: true,
        })
    }

    /// A new one, never the same twice.
    pub fn generate(now: Timestamp) -> Self {
        use std::hash::{BuildHasher, RandomState};
        // The standard library's hash keys are random; the time makes the id readable.
        let random = RandomState::new().hash_one(std::process::id()) & 0xffff_ffff;
        let time = now.strftime("%Y%m%d-%H%M%S").to_string();
        Self {
            text: format!("{time}-{random:08x}"),
            chosen: false,
        }
    }

    /// As it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the user chose it.
    pub fn is_chosen(&self) -> bool {
        self.chosen
    }
}

/// A replay that came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The file is no basket file.
    #[error(transparent)]
    File(#[from] reader::Unusable),
    /// The shares are none.
    #[error(transparent)]
    Shares(#[from] plan::BadShares),
    /// The baseline can't be used.
    #[error(transparent)]
    Baseline(#[from] Unfit),
    /// There is no server.
    #[error("no server at {server}: {why}; start one with: holdfast serve")]
    NoServer {
        /// Where none is.
        server: Target,
        /// What was met instead.
        why: String,
    },
    /// A call came to nothing.
    #[error(transparent)]
    Call(#[from] Failure),
    /// Stock was refused.
    #[error(transparent)]
    Stocking(#[from] Refused),
}

/// The first contact waits no longer than this.
const HELLO_MAX: Duration = Duration::from_secs(5);
