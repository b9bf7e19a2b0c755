//! Archiving: what snapshots no longer need of the journals is written to sealed files, before it
//! is trimmed.
//!
//! A thread per shard follows the ledger's reader as projections do, at a bounded share of a core,
//! and seals a file whenever its bytes are together. What it has sealed is what the journal may
//! lose. Deliberately absent: reading; a reader goes on in the archive by itself.

use crate::clock;
use crate::follower::{Follower, Handle, Pause, Stopped};
use crate::placement::ShardIndex;
use holdfast_core::Millis;
use holdfast_ledger::{
    Archive, ArchiveWriter, DataDir, Identity, LedgerError, ReadLimit, Reader, Record,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tracing::{error, info, warn};

/// How often an archive that has caught up looks for more.
const LOOK: Duration = Duration::from_millis(200);

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
    writer: Handle,
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
        self.0[usize::from(shard)].writer.attach(reader)
    }

    /// Ends the writers and waits for them.
    pub(crate) fn stop(&self) {
        Handle::stop_all(self.0.iter().map(|desk| &desk.writer));
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
        let (for_thread, settings) = (Arc::clone(&archive), settings.clone());
        let run = move |follower| {
            let scribe = Scribe {
                identity,
                archive: for_thread,
                settings,
                follower,
            };
            scribe.run();
        };
        let writer = Handle::start("archive", shard, run).map_err(|source| LedgerError::File {
            action: "starting a thread for",
            path: PathBuf::from(&path),
            source,
        })?;
        Ok(Self { archive, writer })
    }
}

/// The thread that writes one shard's archive.
struct Scribe {
    identity: Identity,
    archive: Arc<Archive>,
    settings: ArchiveSettings,
    follower: Follower,
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

impl From<Stopped> for Halt {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl Scribe {
    fn run(self) {
        let shard = self.identity.shard;
        self.follower.run(|reader| match self.follow(reader) {
            Err(Halt::Stopped) => Pause::Stopped,
            Err(Halt::Ledger(LedgerError::Closed { .. })) | Ok(()) => Pause::Closed,
            Err(Halt::Ledger(error)) => {
                error!(shard, %error, "the archive waits; nothing more is trimmed");
                Pause::Failed
            }
            Err(Halt::Ahead(last)) => {
                let head = reader.head();
                error!(
                    shard,
                    last,
                    head,
                    "the archive is ahead of its ledger, as after restoring an older copy; move \
                     its files away, nothing is trimmed until then"
                );
                Pause::Failed
            }
        });
    }

    /// Archives what the snapshot no longer needs, until the ledger is closed.
    fn follow(&self, reader: &Reader) -> Result<(), Halt> {
        let mut next = self.begin_at(reader)?;
        self.follower.reach(next.saturating_sub(1));
        let mut writer: Option<ArchiveWriter> = None;
        loop {
            let start = clock::instant();
            let (from, last) = (
                writer.as_ref().map_or(next, ArchiveWriter::next),
                reader.replay_from()?.saturating_sub(1),
            );
            if last < from {
                self.follower.rest(LOOK)?;
                continue;
            }
            let records = reader.read(from, READ)?;
            let whole: Vec<&Record> = records
                .iter()
                .take_while(|record| record.last() <= last)
                .collect();
            if whole.is_empty() {
                self.follower.rest(LOOK)?;
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
            self.follower.rest(start.elapsed() * REST)?;
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
            self.follower.reach(sealed.last);
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
}
