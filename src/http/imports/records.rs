//! Where imports stand: those that run in memory, all of them in a small file each.
//!
//! A file is replaced whole, and synced when its import ends: it is no part of the ledger. One that
//! is lost means that the import begins anew, and every row of it is a replay, for as long as keys
//! live; one that is there and can't be read is no beginning once they don't.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use holdfast_core::{Millis, Timestamp};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_128;

use super::super::problem::{Code, Problem};
use super::lines::Place;
use super::report::Report;
use crate::config::Config;

/// Bounds of imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImportBounds {
    /// Imports at once.
    pub(super) at_once_max: usize,
    /// A row's line.
    pub(super) row_bytes_max: usize,
    /// Rows sent to a shard in one message.
    pub(super) group_rows: usize,
    /// Bad rows that are told apart.
    pub(super) bad_rows_max: usize,
    /// Imports whose place is kept.
    pub(super) records_max: usize,
    /// How long a shard may take nothing.
    pub(super) patience: Duration,
    /// How long a row's key tells that it was done.
    key_retention: Millis,
}

/// The imports of a server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Imports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    bounds: ImportBounds,
    running: Mutex<HashMap<String, Arc<Mutex<Report>>>>,
}

/// Whether a record must outlive the machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sync {
    /// It is written again soon.
    Later,
    /// It is the last word.
    Now,
}

/// A running import; it has ended when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    imports: Imports,
    identity: Option<String>,
    report: Arc<Mutex<Report>>,
}

impl Imports {
    /// Those of a configuration, in a directory of their own beside the ledgers.
    pub fn new(config: &Config) -> Self {
        let settings = &config.imports;
        let bounds = ImportBounds {
            at_once_max: settings.at_once_max as usize,
            row_bytes_max: settings.row_bytes_max.0 as usize,
            group_rows: settings
                .group_rows
                .min(config.shards.permits_config_per_shard) as usize,
            bad_rows_max: settings.bad_rows_max as usize,
            records_max: settings.records_max as usize,
            patience: settings.patience_ms.duration(),
            key_retention: Millis::new(config.reservations.key_retention_ms.0),
        };
        Self(Arc::new(Shared {
            directory: config.data.dir.join("imports"),
            bounds,
            running: Mutex::new(HashMap::new()),
        }))
    }

    pub(super) fn bounds(&self) -> &ImportBounds {
        &self.0.bounds
    }

    /// Where an import stands, if it is known.
    pub(super) async fn find(&self, identity: &str) -> Option<Report> {
        let running = self.running().get(identity).cloned();
        match running {
            Some(report) => Some(lock(&report).clone()),
            None => match self.kept(identity).await {
                Kept::Report(report) => Some(*report),
                Kept::Nothing | Kept::Unreadable { .. } => None,
            },
        }
    }

    /// Begins an import, or goes on with it at `from`; the start is where `from` is absent.
    pub(super) async fn begin(
        &self,
        identity: Option<String>,
        from: Option<Place>,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<Running, Problem> {
        // Its place is taken before its file is read, so that nobody else begins it meanwhile.
        let running = self.enter(identity)?;
        let mut report = Report::default();
        if let (Some(identity), false) = (&running.identity, dry_run) {
            let key_retention = self.0.bounds.key_retention;
            let kept = self.kept(identity).await.report(now, key_retention)?;
            report = goes_on(kept, from, now, key_retention)?;
            self.prune().await;
        } else if let Some(place) = from {
            report.stand_at(place);
        }
        report.identity.clone_from(&running.identity);
        report.dry_run = dry_run;
        report.running = true;
        report.complete = false;
        report.stopped = None;
        if report.next_line == 0 {
            report.stand_at(Place::START);
        }
        *running.report() = report;
        Ok(running)
    }

    fn enter(&self, identity: Option<String>) -> Result<Running, Problem> {
        // Who looks before it has begun sees that it is about to.
        let mut about_to = Report {
            running: true,
            ..Report::default()
        };
        about_to.stand_at(Place::START);
        let report = Arc::new(Mutex::new(about_to));
        let mut running = self.running();
        // A dry run without a name has one that no file can have.
        let name = identity.clone().unwrap_or_else(|| format!("{report:p}"));
        if running.contains_key(&name) {
            let detail = "another call is importing this file; wait for its end, or look at it";
            return Err(Problem::new(Code::ImportInProgress, detail));
        }
        let most = self.0.bounds.at_once_max;
        if running.len() >= most {
            let detail = format!("{most} imports are running, the most allowed; retry later");
            return Err(Problem::new(Code::ServerOverloaded, detail).with("imports_max", most));
        }
        running.insert(name, Arc::clone(&report));
        Ok(Running {
            imports: self.clone(),
            identity,
            report,
        })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<Report>>>> {
        lock(&self.0.running)
    }

    fn path(&self, identity: &str) -> PathBuf {
        let name = format!("{:032x}.json", xxh3_128(identity.as_bytes()));
        self.0.directory.join(name)
    }

    async fn kept(&self, identity: &str) -> Kept {
        let path = self.path(identity);
        let bytes = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::Nothing,
            Err(error) => {
                warn!(%error, "the record of an import can't be read");
                return Kept::Unreadable { written: None };
            }
        };
        let kept: Report = match serde_json::from_slice(&bytes) {
            Ok(kept) => kept,
            Err(error) => {
                warn!(%error, "the record of an import is damaged");
                let written = tokio::fs::metadata(&path).await;
                return Kept::Unreadable {
                    written: written.and_then(|of| of.modified()).ok(),
                };
            }
        };
        // Two names of one hash: neither may take the other's place.
        if kept.identity.as_deref() == Some(identity) {
            Kept::Report(Box::new(kept))
        } else {
            Kept::Nothing
        }
    }

    /// Forgets the oldest beyond those that are kept.
    async fn prune(&self) {
        let (directory, most) = (self.0.directory.clone(), self.0.bounds.records_max);
        let pruned = tokio::task::spawn_blocking(move || prune(&directory, most)).await;
        if let Ok(Err(error)) = pruned {
            warn!(%error, "old records of imports could not be removed");
        }
    }
}

/// What is known of an import that does not run.
enum Kept {
    Nothing,
    Report(Box<Report>),
    /// There is a record, of this time, and it does not say where the import stands.
    Unreadable {
        written: Option<SystemTime>,
    },
}

impl Kept {
    /// The report to go on with. Without one an import begins anew, unless rows of it may have been
    /// done longer ago than keys tell.
    fn report(self, now: Timestamp, key_retention: Millis) -> Result<Option<Report>, Problem> {
        let written = match self {
            Self::Nothing => return Ok(None),
            Self::Report(report) => return Ok(Some(*report)),
            Self::Unreadable { written } => written,
        };
        let since_epoch = written.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let is_young = since_epoch.is_some_and(|at| {
            u128::from(now.ms()) <= at.as_millis() + u128::from(key_retention.ms())
        });
        if is_young {
            return Ok(None);
        }
        let detail = "the record of where it stands can't be read, and rows that were done longer \
                      ago than keys are kept would be done twice; look at what is in, and import \
                      what is missing under another identity";
        Err(Problem::new(Code::ImportAged, detail))
    }
}

impl Running {
    /// Its report.
    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        lock(&self.report)
    }

    /// Its bounds.
    pub(super) fn bounds(&self) -> &ImportBounds {
        self.imports.bounds()
    }

    /// Writes down where it stands; a dry run leaves no trace.
    pub(super) async fn keep(&self, sync: Sync) {
        let (bytes, path) = {
            let report = self.report();
            let (Some(identity), false) = (&report.identity, report.dry_run) else {
                return;
            };
            // What is read again after a crash runs no more.
            let kept = Report {
                running: false,
                ..report.clone()
            };
            let bytes = serde_json::to_vec(&kept).expect("a report has text keys");
            (bytes, self.imports.path(identity))
        };
        let written = tokio::task::spawn_blocking(move || replace(&path, &bytes, sync)).await;
        if let Ok(Err(error)) = written {
            warn!(%error, "an import's place could not be kept; after a crash it begins anew");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let own = &self.report;
        let mut running = self.imports.running();
        running.retain(|_, report| !Arc::ptr_eq(report, own));
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The report that an import goes on with from `from`.
fn goes_on(
    kept: Option<Report>,
    from: Option<Place>,
    now: Timestamp,
    key_retention: Millis,
) -> Result<Report, Problem> {
    let stands = kept.as_ref().map_or(Place::START, Report::place);
    let gap = |detail: &'static str| {
        Problem::new(Code::ImportGap, detail)
            .with("next_line", stands.line)
            .with("next_offset", stands.offset)
    };
    let is_from_start = from.is_none_or(|from| from == Place::START);
    if !is_from_start && from != Some(stands) {
        return Err(gap(
            "it stands elsewhere; go on at next_line, or begin at line 1",
        ));
    }
    let Some(kept) = kept else {
        return Ok(Report {
            began_at: Some(crate::http::wire::scalar::Time(now)),
            ..Report::default()
        });
    };
    // Rows that are sent again must be known by their keys.
    let oldest = if is_from_start {
        let has_rows = 0 < kept.rows || kept.ahead;
        kept.began_at.as_ref().filter(|_| has_rows)
    } else {
        kept.updated_at.as_ref().filter(|_| kept.ahead)
    };
    let is_aged = oldest.is_some_and(|at| key_retention.ms() < now.ms().saturating_sub(at.0.ms()));
    if is_aged {
        let detail = "rows of it were done longer ago than keys are kept, and would be done twice; \
                      go on at next_line, or import what is missing under another identity";
        let problem = Problem::new(Code::ImportAged, detail);
        return Err(problem
            .with("next_line", stands.line)
            .with("next_offset", stands.offset));
    }
    if is_from_start {
        let began_at = oldest
            .cloned()
            .or(Some(crate::http::wire::scalar::Time(now)));
        return Ok(Report {
            began_at,
            ..Report::default()
        });
    }
    Ok(kept)
}

/// Writes a file beside the old one and puts it in its place.
fn replace(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    match sync {
        Sync::Later => std::fs::rename(&beside, path),
        Sync::Now => {
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            File::open(directory)?.sync_all()
        }
    }
}

fn prune(directory: &Path, most: usize) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        found.push((entry.metadata()?.modified()?, entry.path()));
    }
    found.sort_unstable();
    let surplus = found.len().saturating_sub(most);
    found
        .iter()
        .take(surplus)
        .try_for_each(|(_, path)| std::fs::remove_file(path))
}
