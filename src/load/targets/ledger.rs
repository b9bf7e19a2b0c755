//! The ledgers of a server that has stopped, read by `verify`.

use std::{collections::BTreeMap, path::PathBuf};

use tempfile::TempDir;

use crate::{
    progress::Show,
    verify::{self, Totals},
};

/// What `verify` found in the directory of a target that has stopped.
#[derive(Debug)]
pub struct Ledgers {
    /// What is wrong: with the end of the server, its ledgers, or what they say.
    pub faults: Vec<String>,
    /// What limits the proof.
    pub limits: Vec<String>,
    /// Events read.
    pub events: u64,
    /// Counters of each SKU as the ledgers tell them.
    pub skus: BTreeMap<String, Totals>,
    directory: TempDir,
}

/// Where data lies in the directory of a run.
pub(super) const DATA: &str = "data";

/// Verifies what lies in a run's directory; `trouble` is what went wrong before.
pub(super) async fn verify(directory: TempDir, trouble: Option<String>) -> Ledgers {
    let data = directory.path().join(DATA);
    let read = tokio::task::spawn_blocking(move || verify::verify(&data, Show::Nothing));
    let mut ledgers = Ledgers {
        faults: trouble.into_iter().collect(),
        limits: Vec::new(),
        events: 0,
        skus: BTreeMap::new(),
        directory,
    };
    match read.await {
        Ok(Ok(report)) => {
            let shards = report.shards.into_iter();
            for shard in shards {
                ledgers.events += shard.events;
                ledgers.faults.extend(shard.corrupt);
            }
            for check in report.checks {
                let named = |what: String| format!("{}: {what}", check.name);
                ledgers.faults.extend(check.broken.into_iter().map(named));
                ledgers.limits.extend(check.limit);
            }
            ledgers.skus = report.skus;
        }
        Ok(Err(error)) => ledgers.faults.push(error.to_string()),
        Err(error) => ledgers.faults.push(format!("verify ended early: {error}")),
    }
    ledgers
}

impl Ledgers {
    /// Keeps the directory, for somebody to look at.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }
}
