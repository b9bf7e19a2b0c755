//! A thread beside a shard that follows its ledger: how it is started, handed readers, and ended.
//! Archives and projections are such threads.
//!
//! A shard that is rebuilt has a new reader; the thread goes on with it where it stood. Deliberately
//! absent: what is done with what is read, and how hard the thread may work, which is its owner's.

use crate::placement::ShardIndex;
use holdfast_ledger::Reader;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tracing::error;

/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(10);

/// A pause is slept in naps of this length, so that a stop is seen.
const NAP: Duration = Duration::from_millis(20);

/// The thread of one shard, from outside.
pub(crate) struct Handle {
    name: &'static str,
    shard: ShardIndex,
    feed: Mutex<Option<Sender<Reader>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    reached: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// The same thread, from inside.
pub(crate) struct Follower {
    readers: Receiver<Reader>,
    reached: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// Somebody wants the thread to end.
#[derive(Debug)]
pub(crate) struct Stopped;

/// Why a ledger is followed no further.
pub(crate) enum Pause {
    /// It was closed: another reader will come.
    Closed,
    /// It failed, and was reported: try again later.
    Failed,
    /// The thread ends.
    Stopped,
}

impl Handle {
    /// Starts a thread that waits for its ledger.
    pub(crate) fn start(
        name: &'static str,
        shard: ShardIndex,
        run: impl FnOnce(Follower) + Send + 'static,
    ) -> io::Result<Self> {
        let reached = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (feed, readers) = channel();
        let follower = Follower {
            readers,
            reached: Arc::clone(&reached),
            stop: Arc::clone(&stop),
        };
        let thread = Builder::new()
            .name(format!("{name}-{shard}"))
            .spawn(move || run(follower))?;
        Ok(Self {
            name,
            shard,
            feed: Mutex::new(Some(feed)),
            thread: Mutex::new(Some(thread)),
            reached,
            stop,
        })
    }

    /// Goes on with the ledger, opened anew. The number says up to where it has been dealt with.
    pub(crate) fn attach(&self, reader: Reader) -> Arc<AtomicU64> {
        if let Some(feed) = &*lock(&self.feed)
            && feed.send(reader).is_err()
        {
            let Self { name, shard, .. } = self;
            error!(
                shard,
                name, "the thread behind the ledger has ended; what it makes stays as it is"
            );
        }
        Arc::clone(&self.reached)
    }

    /// The last event that has been dealt with.
    pub(crate) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    /// Ends threads, all at once, and waits for them.
    pub(crate) fn stop_all<'a>(handles: impl Iterator<Item = &'a Self> + Clone) {
        for handle in handles.clone() {
            handle.stop.store(true, Ordering::Release);
            lock(&handle.feed).take();
        }
        for Self {
            name,
            shard,
            thread,
            ..
        } in handles
        {
            let thread = lock(thread).take();
            if let Some(Err(_)) = thread.map(JoinHandle::join) {
                error!(
                    shard,
                    name,
                    "the thread behind the ledger had panicked; what it makes is checked at the \
                     next start"
                );
            }
        }
    }
}

impl Follower {
    /// Calls `follow` with the newest reader, again after a failure, until the thread is to end.
    pub(crate) fn run(&self, mut follow: impl FnMut(&Reader) -> Pause) {
        while let Ok(mut reader) = self.readers.recv() {
            // Only the newest reader is of a ledger that is open.
            reader = self.readers.try_iter().last().unwrap_or(reader);
            loop {
                match follow(&reader) {
                    Pause::Stopped => return,
                    Pause::Closed => break,
                    Pause::Failed => {}
                }
                match self.readers.recv_timeout(PAUSE) {
                    Ok(newer) => reader = newer,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Says up to where events have been dealt with.
    pub(crate) fn reach(&self, seq: u64) {
        self.reached.store(seq, Ordering::Release);
    }

    /// Sleeps, and wakes early where the thread is to end.
    pub(crate) fn rest(&self, mut left: Duration) -> Result<(), Stopped> {
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Err(Stopped);
            }
            let nap = left.min(NAP);
            if nap.is_zero() {
                return Ok(());
            }
            std::thread::sleep(nap);
            left -= nap;
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
