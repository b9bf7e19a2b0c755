//! `holdfast verify`: reads every record of a stopped data directory, rebuilds the state, and
//! proves the invariants. Nothing on the disk is written.
//!
//! Three accounts are held against each other: the state that a start would recover (chunks and
//! the journal from where they need it), the state that the whole journal gives from its first
//! event, and an auditor's own sums, which share no code with the engine.
//!
//! Deliberately absent: repair. A corrupt ledger is restored from a copy.

mod archive;
mod audit;
mod carts;
mod rebuild;
mod report;

use crate::progress::{Progress, Show};
use holdfast_ledger::{Archive, DataDir, Item, LedgerError, View};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

pub use report::Totals;

/// What was found in a data directory.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The directory's cluster id.
    pub cluster: String,
    /// Shard by shard.
    pub shards: Vec<ShardReport>,
    /// Counters per SKU, over its locations.
    pub skus: BTreeMap<String, Totals>,
    /// Counters over all SKUs.
    pub totals: Totals,
    /// What was proved, and what does not hold.
    pub checks: Vec<Check>,
}

/// What was found in one ledger.
#[derive(Debug, Default, Serialize)]
pub struct ShardReport {
    /// Its index.
    pub shard: u16,
    /// Records of the journal.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of the records' bodies.
    pub bytes: u64,
    /// Chunks of the snapshot that hold something.
    pub chunks: u64,
    /// Files of its archive.
    pub archive_files: usize,
    /// First sequence left in the journal.
    pub oldest: u64,
    /// Sequence of the last event.
    pub head: u64,
    /// Reservations kept.
    pub reservations: usize,
    /// Those that are open.
    pub open: usize,
    /// Idempotency keys kept.
    pub keys: usize,
    /// SKUs known.
    pub skus: usize,
    /// Whether the ledger is good; why not, naming the place.
    pub corrupt: Option<String>,
}

/// One thing proved over all shards.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// What always holds.
    pub claim: &'static str,
    /// Where it does not, the first few.
    pub broken: Vec<String>,
    /// What limits the proof, if anything does.
    pub limit: Option<String>,
}

/// Why a directory could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The directory or a manifest; nothing was checked.
    #[error(transparent)]
    Directory(#[from] LedgerError),
}

impl Report {
    /// Whether every ledger is whole and every claim holds.
    pub fn is_good(&self) -> bool {
        self.shards.iter().all(|shard| shard.corrupt.is_none())
            && self.checks.iter().all(|check| check.broken.is_empty())
    }

    /// The report as text for people, with at most `rows` SKUs.
    pub fn to_text(&self, rows: usize, paint: crate::show::Paint) -> String {
        report::text(self, rows, paint)
    }
}

/// Verifies a stopped data directory.
pub fn verify(path: &Path, show: Show) -> Result<Report, VerifyError> {
    let dir = DataDir::open_read_only(path)?;
    // A broken invariant is found as a panic of the engine; the report tells of it.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let report = check_all(&dir, show);
    std::panic::set_hook(hook);
    Ok(report)
}

fn check_all(dir: &DataDir, show: Show) -> Report {
    let mut checks = Checks::default();
    let mut shards = Vec::new();
    let mut skus = BTreeMap::new();
    let mut carts = carts::Carts::default();
    for shard in (0..dir.shards()).filter(|shard| dir.created(*shard)) {
        let mut found = ShardReport {
            shard,
            ..ShardReport::default()
        };
        match check_shard(dir, &mut found, &mut checks, show) {
            Ok(engine) => {
                for view in engine.sku_views() {
                    skus.insert(view.sku.to_string(), Totals::of(&view));
                }
                carts.add(shard, &engine);
            }
            Err(error) => {
                checks.unread(shard, &error);
                found.corrupt = Some(error);
            }
        }
        shards.push(found);
    }
    if shards.iter().all(|shard| shard.corrupt.is_none()) {
        carts.check(dir.shards(), &mut checks);
    }
    let mut totals = Totals::default();
    for sku in skus.values() {
        totals.add(sku);
    }
    let cluster = dir.cluster().to_string();
    Report {
        cluster,
        shards,
        skus,
        totals,
        checks: checks.into_list(),
    }
}

/// Reads one ledger whole and returns the state it describes; an error names the place.
fn check_shard(
    dir: &DataDir,
    found: &mut ShardReport,
    checks: &mut Checks,
    show: Show,
) -> Result<holdfast_core::Engine, String> {
    let shard = found.shard;
    let mut view = dir.view(shard).map_err(|error| error.to_string())?;
    let (oldest, head) = bounds(&view).map_err(|error| error.to_string())?;
    let progress = Progress::bar(
        show,
        format!("shard {shard}"),
        (head + 1).saturating_sub(oldest),
    );
    let past = past_of(dir, &view, shard, oldest).map_err(|error| error.to_string())?;
    found.archive_files = past.files();
    let replay_from = view.replay_from().unwrap_or(1);
    let mut rebuild = rebuild::Rebuild::new(shard, past.begins(), replay_from);
    let mut is_past = true;
    let checked = view.check(|item| {
        if is_past && matches!(item, Item::Record(_)) {
            is_past = false;
            past.each(|record| rebuild.take(Item::Record(record)).map(drop))?;
        }
        let read = rebuild.take(item)?;
        progress.inc(read);
        Ok(())
    });
    progress.finish("");
    let checked = checked.map_err(|error| error.to_string())?;
    found.records = checked.records;
    found.events = checked.events;
    found.bytes = checked.bytes;
    found.chunks = checked.chunks;
    found.oldest = checked.oldest;
    found.head = checked.head;
    let engine = rebuild.finish(checks)?;
    let fill = engine.fill();
    found.reservations = fill.reservations;
    found.open = fill.open;
    found.keys = fill.keys;
    found.skus = fill.skus;
    Ok(engine)
}

fn past_of(
    dir: &DataDir,
    view: &View,
    shard: u16,
    oldest: u64,
) -> Result<archive::Past, LedgerError> {
    let archive = Archive::open_read_only(&dir.archive_path(shard), &dir.identity(shard))?;
    archive::Past::check(archive, view, oldest)
}

fn bounds(view: &holdfast_ledger::View) -> Result<(u64, u64), LedgerError> {
    Ok((view.oldest()?, view.head()?))
}

/// What is claimed of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Records,
    Counters,
    Oversell,
    Conservation,
    Holds,
    Replay,
    Carts,
}

impl Claim {
    const ALL: [Self; 7] = [
        Self::Records,
        Self::Counters,
        Self::Oversell,
        Self::Conservation,
        Self::Holds,
        Self::Replay,
        Self::Carts,
    ];

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Records => ("INV-7", "every record is whole, in order, without a gap"),
            Self::Counters => ("INV-1", "no counter was ever negative"),
            Self::Oversell => ("INV-3", "no unit was ever promised that was not there"),
            Self::Conservation => ("INV-4", "every unit is explained"),
            Self::Holds => ("INV-2, 5, 8", "reserved units are those of the open holds"),
            Self::Replay => (
                "INV-6",
                "the whole journal gives the state that a start recovers",
            ),
            Self::Carts => (
                "carts",
                "every part of a cart stands where its home decided",
            ),
        }
    }
}

/// Violations by claim, a few of each.
#[derive(Default)]
struct Checks {
    broken: BTreeMap<Claim, Vec<String>>,
    limits: BTreeMap<Claim, String>,
}

impl Checks {
    const MOST: usize = 5;

    fn broken(&mut self, claim: Claim, detail: String) {
        let list = self.broken.entry(claim).or_default();
        if list.len() < Self::MOST {
            list.push(detail);
        }
    }

    /// A shard that can't be read breaks the claim about records; of it nothing else is proved.
    fn unread(&mut self, shard: u16, why: &str) {
        self.broken(Claim::Records, why.to_owned());
        for claim in Claim::ALL
            .into_iter()
            .filter(|claim| *claim != Claim::Records)
        {
            self.limit(
                claim,
                format!("not proved: shard {shard} could not be read"),
            );
        }
    }

    fn limit(&mut self, claim: Claim, why: String) {
        self.limits.entry(claim).or_insert(why);
    }

    fn into_list(mut self) -> Vec<Check> {
        let checks = Claim::ALL.into_iter().map(|claim| {
            let (name, words) = claim.words();
            let broken = self.broken.remove(&claim).unwrap_or_default();
            Check {
                name,
                claim: words,
                broken,
                limit: self.limits.remove(&claim),
            }
        });
        checks.collect()
    }
}
