//! The newest events of one shard, written once for all who listen.
//!
//! The thread rests while nobody listens. Else it looks at the ledger at every tick, writes what
//! is new as blocks, and keeps the last of them in a ring of a bounded size. It never waits for a
//! listener: one that falls out of the ring reads the journal instead.

use super::envelope::{Block, Writer};
use super::{BLOCK_EVENTS, EventSettings};
use holdfast_runtime::{Follower, NoFollowing, Router, ShardIndex};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::error;

/// Pause while a shard can't be followed.
const PAUSE: Duration = Duration::from_millis(20);

/// One shard's newest events.
pub(super) struct Tail {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    listeners: usize,
    stopped: bool,
    ring: Option<Ring>,
}

/// Blocks that follow on each other.
struct Ring {
    after: u64,
    last: u64,
    bytes: usize,
    blocks: VecDeque<Arc<Block>>,
}

/// What the ring has for one who has read up to some event.
pub(super) enum Found {
    /// The block that the next event is in.
    Block(Arc<Block>),
    /// Nothing yet.
    UpToDate,
    /// The ring begins later, or there is none now.
    NotHere,
}

struct Scribe {
    router: Router,
    shard: ShardIndex,
    writer: Writer,
    shared: Arc<Shared>,
    tick: Duration,
    ring_bytes: usize,
    told: Arc<watch::Sender<u64>>,
}

impl Tail {
    pub(super) fn start(
        router: &Router,
        shard: ShardIndex,
        settings: &EventSettings,
        told: Arc<watch::Sender<u64>>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let scribe = Scribe {
            router: router.clone(),
            shard,
            writer: Writer::new(router.cluster(), shard),
            shared: Arc::clone(&shared),
            tick: settings.tick,
            ring_bytes: settings.ring_bytes,
            told,
        };
        let thread = std::thread::Builder::new()
            .name(format!("events-{shard}"))
            .spawn(move || scribe.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.wake.notify_all();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            error!("a thread that tells events had panicked");
        }
    }

    /// One more listens.
    pub(super) fn listen(&self) {
        self.shared.lock().listeners += 1;
        self.shared.wake.notify_all();
    }

    /// One less listens.
    pub(super) fn leave(&self) {
        self.shared.lock().listeners -= 1;
    }

    /// What follows `seq`.
    pub(super) fn find(&self, seq: u64) -> Found {
        match &self.shared.lock().ring {
            Some(ring) if ring.after <= seq => {
                let place = ring.blocks.partition_point(|block| block.last <= seq);
                match ring.blocks.get(place) {
                    Some(block) => Found::Block(Arc::clone(block)),
                    None => Found::UpToDate,
                }
            }
            _ => Found::NotHere,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scribe {
    fn run(self) {
        while self.is_wanted_or_ends() {
            let from = self.router.head_of(self.shard);
            let Some(mut follower) = from.and_then(|from| self.follow(from)) else {
                std::thread::sleep(PAUSE);
                continue;
            };
            self.shared.lock().ring = Some(Ring::begin(follower.told()));
            self.tell();
            self.tell_news(&mut follower);
            self.shared.lock().ring = None;
        }
    }

    /// Waits until somebody listens; whether anybody does, and it is not over.
    fn is_wanted_or_ends(&self) -> bool {
        let mut state = self.shared.lock();
        while !state.stopped && state.listeners == 0 {
            state = self
                .shared
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !state.stopped
    }

    fn is_wanted(&self) -> bool {
        let state = self.shared.lock();
        !state.stopped && 0 < state.listeners
    }

    fn follow(&self, after: u64) -> Option<Follower> {
        match self.router.follow(self.shard, after) {
            Ok(follower) => Some(follower),
            Err(NoFollowing::Failed(error)) => {
                error!(shard = self.shard, %error, "the newest events can't be told");
                None
            }
            Err(_) => None,
        }
    }

    /// Tells what is new at every tick, while anybody listens and the ledger can be followed.
    fn tell_news(&self, follower: &mut Follower) {
        let mut next = Instant::now();
        while self.is_wanted() {
            match self.tell_all(follower) {
                Ok(()) => {}
                Err(NoFollowing::Reopened | NoFollowing::Unavailable(_)) => {
                    // Those who listen go on with the journal until the ring begins anew.
                    return std::thread::sleep(PAUSE);
                }
                Err(error) => {
                    let shard = self.shard;
                    error!(shard, %error, "the newest events can't be told for now");
                    return std::thread::sleep(PAUSE);
                }
            }
            let now = Instant::now();
            next = (next + self.tick).max(now);
            std::thread::sleep(next - now);
        }
    }

    fn tell_all(&self, follower: &mut Follower) -> Result<(), NoFollowing> {
        let mut is_told = false;
        while let Some(block) = read_block(follower, &self.writer, BLOCK_EVENTS)? {
            if let Some(ring) = &mut self.shared.lock().ring {
                ring.push(block, self.ring_bytes);
            }
            is_told = true;
        }
        if is_told {
            self.tell();
        }
        Ok(())
    }

    fn tell(&self) {
        self.told
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The next events of a follower, written; none where all have been read.
pub(super) fn read_block(
    follower: &mut Follower,
    writer: &Writer,
    events: usize,
) -> Result<Option<Block>, NoFollowing> {
    let mut draft = None;
    let after = follower.told();
    let left = follower.head().saturating_sub(after);
    let room = usize::try_from(left).map_or(events, |left| left.min(events));
    follower.next(events, |happening| {
        draft
            .get_or_insert_with(|| writer.begin(after, room))
            .push(&happening);
    })?;
    let last = follower.told();
    Ok(draft.map(|draft| draft.finish(last)))
}

impl Ring {
    fn begin(after: u64) -> Self {
        Self {
            after,
            last: after,
            bytes: 0,
            blocks: VecDeque::new(),
        }
    }

    fn push(&mut self, block: Block, bytes_max: usize) {
        assert!(
            block.after == self.last,
            "a block after {} does not follow on {}",
            block.after,
            self.last
        );
        self.last = block.last;
        self.bytes += block.bytes();
        self.blocks.push_back(Arc::new(block));
        while bytes_max < self.bytes && 1 < self.blocks.len() {
            if let Some(oldest) = self.blocks.pop_front() {
                self.bytes -= oldest.bytes();
                self.after = oldest.last;
            }
        }
    }
}
