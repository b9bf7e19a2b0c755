//! What deliveries remember: one durable file, `events.redb`, with the places of consumers and
//! sinks, webhooks with their state, and dead letters.
//!
//! A row is a key such as `consumer/search` and JSON under a checksum. Changes are gathered and
//! written by a thread of the store, several in one commit: what must be durable before it is
//! answered waits for that commit, what may be repeated after a crash does not. One commit takes
//! everything that was gathered before it, in order, so rows never contradict each other.
//!
//! Deliberately absent: what rows mean (`consumers`, `webhooks`), and events. Those are in the
//! ledgers; losing this file loses places, never events.

use super::cursor::Cursor;
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::error;
use xxhash_rust::xxh3::xxh3_64;

/// The file's name in the data directory.
const FILE: &str = "events.redb";

/// What the file was written as.
const FORMAT: u32 = 1;

const ROWS: TableDefinition<&str, &[u8]> = TableDefinition::new("rows");

/// How long changes are gathered that nobody waits for.
const GATHER: Duration = Duration::from_millis(250);

/// Pause after the file could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// From here on those who write wait until it is on disk.
const CROWDED_BYTES: usize = 8 << 20;

/// Why the store can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is not what a store looks like.
    #[error(
        "{} is damaged ({what}); restore a copy, or move it away to begin without consumers and \
         webhooks", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// It is another data directory's.
    #[error(
        "{} is of the data directory {found:016x}, and this one is {expected:016x}; put its own \
         back, or move it away to begin without consumers and webhooks", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: u64,
        /// Whose it should be.
        expected: u64,
    },
    /// It can't be read or written now.
    #[error("{} can't be used: {what}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        what: String,
    },
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    db: Database,
    state: Mutex<State>,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Who keeps the journal from being trimmed, and from where on.
    places: Mutex<HashMap<String, Cursor>>,
}

type Rows = BTreeMap<String, Option<Vec<u8>>>;
type Waiter = oneshot::Sender<Result<(), StoreError>>;

#[derive(Default)]
struct State {
    /// Changes that no commit has taken yet.
    gathered: Rows,
    bytes: usize,
    /// Those of the commit under way.
    writing: Rows,
    waiting: Vec<Waiter>,
    stopped: bool,
}

/// Whose file it is.
#[derive(serde::Serialize, serde::Deserialize)]
struct Identity {
    format: u32,
    cluster: String,
}

impl Store {
    /// Opens the store of a stock, or makes it.
    pub fn open(dir: &Path, cluster: u64) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        // A file that was cut or overwritten may break what reads it in any way.
        let opened = catch_unwind(AssertUnwindSafe(|| Self::begin(&path, cluster)));
        opened.unwrap_or_else(|_| {
            let what = "reading it failed".to_owned();
            Err(StoreError::Damaged { path, what })
        })
    }

    fn begin(path: &Path, cluster: u64) -> Result<Self, StoreError> {
        let damaged = |what: String| StoreError::Damaged {
            path: path.to_owned(),
            what,
        };
        let db = Database::create(path).map_err(|error| damaged(error.to_string()))?;
        let store = Self(Arc::new(Inner {
            path: path.to_owned(),
            db,
            state: Mutex::default(),
            wake: Condvar::new(),
            thread: Mutex::default(),
            places: Mutex::default(),
        }));
        store
            .create_table()
            .map_err(|error| damaged(error.to_string()))?;
        match store.read::<Identity>("identity")? {
            None => {
                let cluster = format!("{cluster:016x}");
                let identity = Identity {
                    format: FORMAT,
                    cluster,
                };
                store.write("identity", Some(&identity));
            }
            Some(identity) if identity.format != FORMAT => {
                let found = identity.format;
                let text = format!("its format is {found}, and this release knows {FORMAT}");
                return Err(damaged(text));
            }
            Some(identity) => {
                let found = u64::from_str_radix(&identity.cluster, 16);
                let found = found.map_err(|error| damaged(error.to_string()))?;
                if found != cluster {
                    return Err(StoreError::Foreign {
                        path: path.to_owned(),
                        found,
                        expected: cluster,
                    });
                }
            }
        }
        for (name, cursor) in store.scan::<Place>("sink/", None, usize::MAX)? {
            let cursor = Cursor::parse(&cursor.cursor);
            let cursor = cursor.map_err(|error| damaged(format!("the row {name}: {error}")))?;
            store.hold(&name, Some(cursor));
        }
        let writer = Arc::clone(&store.0);
        let thread = std::thread::Builder::new()
            .name("events-store".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| store.failed(&error))?;
        *lock(&store.0.thread) = Some(thread);
        Ok(store)
    }

    fn create_table(&self) -> Result<(), redb::Error> {
        let txn = self.0.db.begin_write()?;
        txn.open_table(ROWS)?;
        txn.commit()?;
        Ok(())
    }

    /// Writes what was gathered, and ends the thread.
    pub fn stop(&self) {
        lock(&self.0.state).stopped = true;
        self.0.wake.notify_all();
        let thread = lock(&self.0.thread).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            error!("the thread that writes what deliveries remember had panicked");
        }
    }

    /// The place of a sink.
    pub fn cursor(&self, sink: &str) -> Option<Cursor> {
        lock(&self.0.places).get(&format!("sink/{sink}")).cloned()
    }

    /// Moves a sink's place; after a crash it may stand a little before.
    pub fn advance(&self, sink: &str, cursor: &Cursor) {
        let key = format!("sink/{sink}");
        let place = Place {
            cursor: cursor.to_string(),
        };
        self.write(&key, Some(&place));
        self.hold(&key, Some(cursor.clone()));
    }

    /// The sinks that have a place.
    pub fn sinks(&self) -> Vec<String> {
        let places = lock(&self.0.places);
        let names = places.keys().filter_map(|name| name.strip_prefix("sink/"));
        names.map(str::to_owned).collect()
    }

    /// Forgets a sink that is no more, so that it holds nothing.
    pub fn forget(&self, sink: &str) {
        let key = format!("sink/{sink}");
        self.write::<Place>(&key, None);
        self.hold(&key, None);
    }

    /// Keeps the journal after a cursor from being trimmed, in the name of somebody.
    pub(super) fn hold(&self, name: &str, from: Option<Cursor>) {
        let mut places = lock(&self.0.places);
        match from {
            Some(cursor) => places.insert(name.to_owned(), cursor),
            None => places.remove(name),
        };
    }

    /// The oldest place of all on a shard, if anybody has one.
    pub(super) fn slowest(&self, shard: u16) -> Option<u64> {
        let places = lock(&self.0.places);
        places.values().map(|cursor| cursor.seq(shard)).min()
    }

    /// A row.
    pub(super) fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let changed = lock(&self.0.state).changed(key).cloned();
        if let Some(row) = changed {
            return row.map(|row| self.decode(key, &row)).transpose();
        }
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let rows = self.0.db.begin_read()?.open_table(ROWS)?;
            Ok(rows.get(key)?.map(|row| row.value().to_vec()))
        };
        let row = read().map_err(|error| self.failed(&error))?;
        row.map(|row| self.decode(key, &row)).transpose()
    }

    /// Up to `limit` rows whose keys begin with `prefix` and come after `after`, by key.
    pub(super) fn scan<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let from = after.unwrap_or(prefix);
        let changed = lock(&self.0.state).changed_with(prefix);
        let read = || -> Result<Rows, redb::Error> {
            let rows = self.0.db.begin_read()?.open_table(ROWS)?;
            let mut found = Rows::new();
            for row in rows.range(from..)? {
                let (key, value) = row?;
                let enough = limit.saturating_add(changed.len() + 1);
                if !key.value().starts_with(prefix) || enough <= found.len() {
                    break;
                }
                found.insert(key.value().to_owned(), Some(value.value().to_vec()));
            }
            Ok(found)
        };
        let mut found = read().map_err(|error| self.failed(&error))?;
        found.extend(changed);
        let wanted = found
            .into_iter()
            .filter(|(key, _)| after.is_none_or(|after| after < key.as_str()));
        let wanted = wanted.filter_map(|(key, row)| Some((key, row?)));
        let decode = |(key, row): (String, Vec<u8>)| Ok((key.clone(), self.decode(&key, &row)?));
        wanted.take(limit).map(decode).collect()
    }

    /// Changes a row, or removes it; durable a little later.
    pub(super) fn write<T: Serialize>(&self, key: &str, row: Option<&T>) {
        lock(&self.0.state).gather(key, row.map(|row| encode(key, row)));
        self.0.wake.notify_all();
    }

    /// The same, durable when this returns. Everything that was written before is then, too.
    pub(super) async fn write_durably<T: Serialize>(
        &self,
        key: &str,
        row: Option<&T>,
    ) -> Result<(), StoreError> {
        self.write(key, row);
        self.settled().await
    }

    /// Whether so much waits for the disk that whoever writes must wait too.
    pub(super) fn is_crowded(&self) -> bool {
        CROWDED_BYTES < lock(&self.0.state).bytes
    }

    /// Waits until everything that was written is durable.
    pub(super) async fn settled(&self) -> Result<(), StoreError> {
        let (done, told) = oneshot::channel();
        {
            let mut state = lock(&self.0.state);
            if state.stopped {
                return Err(self.failed(&"it is closed"));
            }
            state.waiting.push(done);
        }
        self.0.wake.notify_all();
        told.await
            .unwrap_or_else(|_| Err(self.failed(&"it is closed")))
    }

    fn decode<T: DeserializeOwned>(&self, key: &str, row: &[u8]) -> Result<T, StoreError> {
        let damaged = |what: &str| self.damaged(key, &what);
        let (sum, json) = row
            .split_at_checked(8)
            .ok_or_else(|| damaged("it is cut off"))?;
        if sum != checksum(key, json) {
            return Err(damaged("its checksum is another"));
        }
        serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))
    }

    /// A row that makes no sense.
    pub(super) fn damaged(&self, key: &str, what: &impl ToString) -> StoreError {
        StoreError::Damaged {
            path: self.0.path.clone(),
            what: format!("the row {key}: {}", what.to_string()),
        }
    }

    fn failed(&self, error: &impl ToString) -> StoreError {
        StoreError::Failed {
            path: self.0.path.clone(),
            what: error.to_string(),
        }
    }
}

/// Where somebody stands.
#[derive(serde::Serialize, serde::Deserialize)]
struct Place {
    cursor: String,
}

impl State {
    fn gather(&mut self, key: &str, row: Option<Vec<u8>>) {
        let size = |row: &Option<Vec<u8>>| key.len() + row.as_ref().map_or(0, Vec::len);
        self.bytes += size(&row);
        if let Some(before) = self.gathered.insert(key.to_owned(), row) {
            self.bytes -= size(&before);
        }
    }

    /// What becomes of a row, if it changes.
    fn changed(&self, key: &str) -> Option<&Option<Vec<u8>>> {
        let gathered = self.gathered.get(key);
        gathered.or_else(|| self.writing.get(key))
    }

    fn changed_with(&self, prefix: &str) -> Rows {
        let of = |rows: &Rows| {
            let rows = rows.range(prefix.to_owned()..);
            let rows = rows.take_while(|(key, _)| key.starts_with(prefix));
            rows.map(|(key, row)| (key.clone(), row.clone())).collect()
        };
        let mut changed: Rows = of(&self.writing);
        changed.extend(of(&self.gathered));
        changed
    }
}

impl Inner {
    fn run(&self) {
        while let Some((waiting, is_last)) = self.next() {
            let told = self.commit();
            let is_written = told.is_ok();
            let mut state = lock(&self.state);
            let written = std::mem::take(&mut state.writing);
            if let Err(error) = &told {
                error!(%error, "what deliveries remember can't be written; it is tried again");
                for (key, row) in written {
                    if !state.gathered.contains_key(&key) {
                        state.gather(&key, row);
                    }
                }
            }
            drop(state);
            for waiter in waiting {
                // Whoever waited may have gone.
                let _ = waiter.send(told.clone());
            }
            if is_last {
                return;
            }
            if !is_written {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Waits for changes and takes them; who waits for them, and whether they are the last.
    fn next(&self) -> Option<(Vec<Waiter>, bool)> {
        let mut state = lock(&self.state);
        while state.gathered.is_empty() && state.waiting.is_empty() {
            if state.stopped {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiting.is_empty() && !state.stopped {
            let is_lazy = |state: &mut State| {
                state.waiting.is_empty() && !state.stopped && state.bytes < CROWDED_BYTES
            };
            let waited = self.wake.wait_timeout_while(state, GATHER, is_lazy);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.writing = std::mem::take(&mut state.gathered);
        state.bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        Some((waiting, state.stopped))
    }

    fn commit(&self) -> Result<(), StoreError> {
        // Nobody else changes what is being written.
        let rows = lock(&self.state).writing.clone();
        let write = || -> Result<(), redb::Error> {
            let txn = self.db.begin_write()?;
            {
                let mut table = txn.open_table(ROWS)?;
                for (key, row) in &rows {
                    match row {
                        Some(row) => drop(table.insert(key.as_str(), row.as_slice())?),
                        None => drop(table.remove(key.as_str())?),
                    }
                }
            }
            txn.commit()?;
            Ok(())
        };
        write().map_err(|error| StoreError::Failed {
            path: self.path.clone(),
            what: error.to_string(),
        })
    }
}

fn encode<T: Serialize>(key: &str, row: &T) -> Vec<u8> {
    let json = serde_json::to_vec(row).expect("rows are structs of texts and numbers");
    let mut bytes = checksum(key, &json).to_vec();
    bytes.extend_from_slice(&json);
    bytes
}

fn checksum(key: &str, json: &[u8]) -> [u8; 8] {
    (xxh3_64(json) ^ xxh3_64(key.as_bytes()).rotate_left(1)).to_le_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
