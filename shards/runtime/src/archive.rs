//! Archiving: what snapshots no longer need of the journals is written to sealed files, before it
//! is trimmed.
//!
//! A thread per shard follows the ledger's reader as projections do, at a bounded share of a core,
//! and seals a file whenever its bytes are together. What it has sealed is what the journal may
//! lose. Deliberately absent: reading; a reader goes on in the archive by itself.

use crate::clock;
use crate::placement::ShardIndex;
use holdfast_core::Millis;
use holdfast_ledger::{
    Archive, ArchiveWriter, DataDir, Identity, LedgerError, ReadLimit, Reader, Record,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{error, info, warn};

/// How often an archive that has caught up looks for more.
const LOOK: Duration = Duration::from_millis(200);

/// A pause is slept in naps of this length, so that a stop is seen.
const NAP: Duration = Duration::from_millis(20);

/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(10);

/// Rests take so many times as long as work: a fifth of a core at most.
const REST: u32 = 4;

const READ: ReadLimit = ReadLimit {
    records: 64,
    bytes: 1 << 20,
};

/// What is archived, and for how long.
#[derive(Clone, Debug, Default)]
pub struct ArchiveSettings {
    /// Whether the journal is archived.
    pub enabled: bool,
    /// A file is sealed once the records in it take so many bytes.
    pub file_bytes: u64,
    /// Files whose last event is older are removed; none if absent.
    pub kept: Option<Millis>,
}

/// The archives of all shards. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Archives(Arc<Vec<Desk>>);

/// The archive of one shard.
struct Desk {
    archive: Arc<Archive>,
    feed: Mutex<Option<Sender<Reader>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    sealed_up_to: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Archives {
    /// Opens every shard's archive and starts a writer for each; they wait for their ledgers.
    pub(crate) fn start(dir: &DataDir, settings: &ArchiveSettings) -> Result<Self, LedgerError> {
        let desks = (0..dir.shards()).map(|shard| Desk::start(dir, shard, settings));
        Ok(Self(Arc::new(desks.collect::<Result<_, _>>()?)))
    }

    /// A shard's archive.
    pub(crate) fn of(&self, shard: ShardIndex) -> Arc<Archive> {
        Arc::clone(&self.0[usize::from(shard)].archive)
    }

    /// Goes on with a shard's ledger, opened anew. The number says up to where it is sealed.
    pub(crate) fn attach(&self, shard: ShardIndex, reader: Reader) -> Arc<AtomicU64> {
        let desk = &self.0[usize::from(shard)];
        let feed = desk.feed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = &*feed
            && feed.send(reader).is_err()
        {
            error!(shard, "the archive's thread has ended; nothing is trimmed");
        }
        Arc::clone(&desk.sealed_up_to)
    }

    /// Ends the writers and waits for them.
    pub(crate) fn stop(&self) {
        for desk in &*self.0 {
            desk.stop.store(true, Ordering::Release);
            desk.feed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        for desk in &*self.0 {
            let thread = desk
                .thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(Err(_)) = thread.map(JoinHandle::join) {
                error!("an archive's thread had panicked; it goes on at the next start");
            }
        }
    }
}

impl Desk {
    fn start(
        dir: &DataDir,
        shard: ShardIndex,
        settings: &ArchiveSettings,
    ) -> Result<Self, LedgerError> {
        let (path, identity) = (dir.archive_path(shard), dir.identity(shard));
        let archive = Arc::new(Archive::open(&path, &identity)?);
        let sealed_up_to = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (feed, readers) = channel();
        let scribe = Scribe {
            identity,
            archive: Arc::clone(&archive),
            settings: settings.clone(),
            sealed_up_to: Arc::clone(&sealed_up_to),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name(format!("archive-{shard}"))
            .spawn(move || scribe.run(&readers))
            .map_err(|source| LedgerError::File {
                action: "starting a thread for",
                path: PathBuf::from(&path),
                source,
            })?;
        Ok(Self {
            archive,
            feed: Mutex::new(Some(feed)),
            thread: Mutex::new(Some(thread)),
            sealed_up_to,
            stop,
        })
    }
}

/// The thread that writes one shard's archive.
struct Scribe {
    identity: Identity,
    archive: Arc<Archive>,
    settings: ArchiveSettings,
    sealed_up_to: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// Why writing stops for now.
enum Halt {
    Ledger(LedgerError),
    /// The archive holds what its ledger never had.
    Ahead(u64),
    Stopped,
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Scribe {
    fn run(self, readers: &Receiver<Reader>) {
        let shard = self.identity.shard;
        while let Ok(mut reader) = readers.recv() {
            // Only the newest reader is of a ledger that is open.
            reader = readers.try_iter().last().unwrap_or(reader);
            loop {
                match self.follow(&reader) {
                    Err(Halt::Stopped) => return,
                    Err(Halt::Ledger(LedgerError::Closed { .. })) | Ok(()) => break,
                    Err(Halt::Ledger(error)) => {
                        error!(shard, %error, "the archive waits; nothing more is trimmed");
                    }
                    Err(Halt::Ahead(last)) => {
                        let head = reader.head();
                        error!(
                            shard,
                            last,
                            head,
                            "the archive is ahead of its ledger, as after restoring an older \
                             copy; move its files away, nothing is trimmed until then"
                        );
                    }
                }
                match readers.recv_timeout(PAUSE) {
                    Ok(newer) => reader = newer,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Archives what the snapshot no longer needs, until the ledger is closed.
    fn follow(&self, reader: &Reader) -> Result<(), Halt> {
        let mut next = self.begin_at(reader)?;
        self.sealed_up_to
            .store(next.saturating_sub(1), Ordering::Release);
        let mut writer: Option<ArchiveWriter> = None;
        loop {
            let start = clock::instant();
            let (from, last) = (
                writer.as_ref().map_or(next, ArchiveWriter::next),
                reader.replay_from()?.saturating_sub(1),
            );
            if last < from {
                self.rest(LOOK)?;
                continue;
            }
            let records = reader.read(from, READ)?;
            let whole: Vec<&Record> = records
                .iter()
                .take_while(|record| record.last() <= last)
                .collect();
            if whole.is_empty() {
                self.rest(LOOK)?;
                continue;
            }
            for record in whole {
                let mut open = match writer.take() {
                    Some(open) => open,
                    None => self.archive.begin(record.first)?,
                };
                open.push(record)?;
                if open.raw_bytes() < self.settings.file_bytes {
                    writer = Some(open);
                } else {
                    next = self.seal(open)?;
                }
            }
            self.rest(start.elapsed() * REST)?;
        }
    }

    /// The sequence of the first event that is not archived.
    fn begin_at(&self, reader: &Reader) -> Result<u64, Halt> {
        let (oldest, range) = (reader.oldest()?, self.archive.range());
        let Some((_, last)) = range else {
            return Ok(oldest);
        };
        if reader.head() < last {
            return Err(Halt::Ahead(last));
        }
        if last + 1 < oldest {
            let shard = self.identity.shard;
            warn!(
                shard,
                last, oldest, "the journal was trimmed beyond its archive; the archive has a gap"
            );
        }
        Ok(oldest.max(last + 1))
    }

    /// Seals a file, and removes those that are too old. The next event to archive.
    fn seal(&self, writer: ArchiveWriter) -> Result<u64, Halt> {
        let next = writer.next();
        let shard = self.identity.shard;
        if let Some(sealed) = self.archive.seal(writer)? {
            info!(
                shard,
                first = sealed.first,
                last = sealed.last,
                "archive file sealed"
            );
            self.sealed_up_to.store(sealed.last, Ordering::Release);
            if let Some(kept) = self.settings.kept {
                let now = self.archive.at_of(&sealed)?;
                let removed = self.archive.remove_before(now.saturating_sub(kept.ms()))?;
                if 0 < removed {
                    info!(shard, removed, "archive files past their retention removed");
                }
            }
        }
        Ok(next)
    }

    fn rest(&self, mut left: Duration) -> Result<(), Halt> {
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Err(Halt::Stopped);
            }
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
            if left.is_zero() {
                return Ok(());
            }
        }
    }
}
