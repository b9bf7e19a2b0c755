//! The state in files, every night or however often: what `GET /v1/snapshot` answers, made by the
//! server itself.
//!
//! ```text
//! snapshot-20261123T020003Z.ndjson.gz   whole, and synced before it got its name
//! snapshot.part                         being written; it does not count
//! ```
//! What is due is told by the clock and the names of the files alone: one that was missed while the
//! server was down is made up for at the next start, and nothing has to be remembered.
//!
//! Deliberately absent: sending files anywhere. The folder is where others take them.

use super::{Cut, Events};
use crate::config;
use crate::rfc3339::TimeText;
use flate2::Compression;
use flate2::write::GzEncoder;
use holdfast_core::Timestamp;
use holdfast_runtime::NoFollowing;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Before a failed one is tried again.
const RETRY_AFTER: Duration = Duration::from_mins(1);

const BEGIN: &str = "snapshot-";
const END: &str = ".ndjson.gz";

/// Exports of a stock, made behind. Cheap to clone.
#[derive(Clone)]
pub struct Exports {
    state: Arc<State>,
    task: AbortHandle,
}

/// How exports are doing; the counters count from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportStatus {
    /// Files written.
    pub written: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// When the newest file was written; nothing if there is none. Seconds since 1970.
    pub last_s: Option<u64>,
}

#[derive(Default)]
struct State {
    written: AtomicU64,
    failures: AtomicU64,
    /// 0: never.
    last_s: AtomicU64,
    stopped: AtomicBool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum NotExported {
    #[error(transparent)]
    NotRead(#[from] NoFollowing),
    #[error(transparent)]
    NotWritten(#[from] io::Error),
    #[error("the server ends")]
    Stopped,
}

struct Exporter {
    events: Events,
    dir: PathBuf,
    settings: config::Export,
    state: Arc<State>,
}

impl Exports {
    /// Starts them, if a folder is configured.
    pub fn start(events: &Events, settings: &config::Export) -> Option<Self> {
        let dir = settings.dir.clone()?;
        let state = Arc::<State>::default();
        if let Some(written) = newest(&dir).and_then(|name| written_at(&dir.join(name))) {
            state.last_s.store(written, Ordering::Relaxed);
        }
        let exporter = Exporter {
            events: events.clone(),
            dir,
            settings: settings.clone(),
            state: Arc::clone(&state),
        };
        let task = tokio::spawn(exporter.run()).abort_handle();
        Some(Self { state, task })
    }

    /// How they are doing.
    pub fn status(&self) -> ExportStatus {
        let last_s = self.state.last_s.load(Ordering::Relaxed);
        ExportStatus {
            written: self.state.written.load(Ordering::Relaxed),
            failures: self.state.failures.load(Ordering::Relaxed),
            last_s: (0 < last_s).then_some(last_s),
        }
    }

    /// Ends them; one that is being written is made anew after the next start.
    pub fn stop(&self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

impl Exporter {
    async fn run(self) {
        let this = Arc::new(self);
        loop {
            sleep(LOOK_EVERY).await;
            let own = Arc::clone(&this);
            let made = tokio::task::spawn_blocking(move || own.make_what_is_due()).await;
            match made {
                Ok(Ok(())) => continue,
                Ok(Err(NotExported::Stopped)) => return,
                Ok(Err(error)) => warn!(dir = %this.dir.display(), %error, "no export was written"),
                Err(error) => warn!(%error, "an export was given up"),
            }
            this.state.failures.fetch_add(1, Ordering::Relaxed);
            sleep(RETRY_AFTER).await;
        }
    }

    fn make_what_is_due(&self) -> Result<(), NotExported> {
        let now = self.events.router().now();
        let due = due(now, &self.settings).map(name);
        if due.is_none_or(|due| newest(&self.dir).is_some_and(|newest| due <= newest)) {
            return Ok(());
        }
        let file = name(now);
        let skus = self.write(&file)?;
        self.state.written.fetch_add(1, Ordering::Relaxed);
        self.state.last_s.store(now.ms() / 1000, Ordering::Relaxed);
        info!(file, skus, "an export was written");
        let kept = usize::try_from(self.settings.kept).unwrap_or(usize::MAX);
        for old in names(&self.dir)?.iter().rev().skip(kept) {
            fs::remove_file(self.dir.join(old))?;
        }
        Ok(())
    }

    /// Writes a file whole, then gives it its name.
    fn write(&self, name: &str) -> Result<u64, NotExported> {
        fs::create_dir_all(&self.dir)?;
        let part = self.dir.join("snapshot.part");
        let file = BufWriter::new(File::create(&part)?);
        let mut file = GzEncoder::new(file, Compression::fast());
        let mut went_wrong = None;
        let skus = self.events.snapshot()?.write("", |piece| {
            if self.state.stopped.load(Ordering::Relaxed) {
                went_wrong = Some(NotExported::Stopped);
                return Err(Cut);
            }
            file.write_all(&piece).map_err(|error| {
                went_wrong = Some(error.into());
                Cut
            })
        })?;
        if let Some(error) = went_wrong {
            return Err(error);
        }
        let file = file.finish()?.into_inner().map_err(io::Error::from)?;
        file.sync_all()?;
        fs::rename(part, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(skus)
    }
}

/// The last moment at which one was to be made.
fn due(now: Timestamp, settings: &config::Export) -> Option<Timestamp> {
    let since = now.ms().checked_sub(settings.at_ms.0)?;
    let late = since % settings.interval_ms.0.max(1);
    Some(Timestamp::from_ms(now.ms() - late))
}

/// The name of a file of that time; later ones sort behind it.
fn name(at: Timestamp) -> String {
    let time = TimeText::of(at);
    let seconds = time.as_str().split('.').next().unwrap_or_default();
    let digits = seconds.replace(['-', ':'], "");
    format!("{BEGIN}{digits}Z{END}")
}

/// The exports that there are, oldest first.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(dir)? {
        let name = file?.file_name().into_string().unwrap_or_default();
        if name.starts_with(BEGIN) && name.ends_with(END) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn newest(dir: &Path) -> Option<String> {
    names(dir).ok()?.pop()
}

fn written_at(file: &Path) -> Option<u64> {
    let written = fs::metadata(file).ok()?.modified().ok()?;
    let since = written.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::when::parse;

    fn settings(interval_ms: u64, at_ms: u64) -> config::Export {
        config::Export {
            interval_ms: config::Millis(interval_ms),
            at_ms: config::Millis(at_ms),
            ..config::Export::default()
        }
    }

    fn due_at(now: &str, settings: &config::Export) -> Option<String> {
        due(parse(now).expect("a time"), settings).map(name)
    }

    #[test]
    fn one_a_night_is_due_from_its_hour_on() {
        let nightly = settings(86_400_000, 2 * 3_600_000);
        let due = |now| due_at(now, &nightly).expect("it is long after 1970");
        let of_the_22nd = "snapshot-20261122T020000Z.ndjson.gz";
        assert_eq!(due("2026-11-23T01:59:59.999Z"), of_the_22nd);
        let of_the_23rd = "snapshot-20261123T020000Z.ndjson.gz";
        assert_eq!(due("2026-11-23T02:00:00.000Z"), of_the_23rd);
        assert_eq!(due("2026-11-24T01:00:00.000Z"), of_the_23rd);
        // One that was made late counts, and the one before does not.
        assert!(of_the_23rd <= &*name(parse("2026-11-23T02:00:00.400Z").expect("a time")));
        assert!(&*name(parse("2026-11-23T01:59:00.000Z").expect("a time")) < of_the_23rd);
    }

    #[test]
    fn one_an_hour_is_due_at_its_minute() {
        let hourly = settings(3_600_000, 15 * 60_000);
        let due = due_at("2026-11-23T17:14:00.000Z", &hourly);
        assert_eq!(due.as_deref(), Some("snapshot-20261123T161500Z.ndjson.gz"));
        assert_eq!(due_at("1970-01-01T00:14:00.000Z", &hourly), None);
    }
}
