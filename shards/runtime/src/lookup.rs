//! Look-ups by order reference, customer and SKU: a projection of the journals.
//!
//! Each shard has an index in a redb file of its own, unsynced, built behind by a thread of its
//! own at a bounded rate, which a busy ledger lowers. It says only which reservations to ask for;
//! how they stand, the shards say. A file that is foreign, damaged or ahead of its ledger is
//! deleted and built anew.
//!
//! Deliberately absent: searching in texts, and anything that a ledger does not hold.

mod build;
mod index;
mod pace;

use self::build::Builder;
use self::index::Index;
pub(crate) use self::index::Wanted;
use crate::placement::ShardIndex;
use arc_swap::ArcSwapOption;
use holdfast_core::{ReservationId, ReservationView, Sku, Status, Text, Timestamp};
use holdfast_ledger::{DataDir, Reader};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tracing::error;

/// How the projection is built.
#[derive(Clone, Debug)]
pub struct LookupSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// Events indexed a second, per shard, at most.
    pub events_per_s_max: u64,
    /// The share of a core that a shard's builder may take, in percent; an eighth of it while
    /// the shard is busy, as long as the index is less than ten seconds behind.
    pub busy_percent_max: u32,
    /// Memory for cached pages, in bytes, per shard.
    pub cache_bytes: usize,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            events_per_s_max: 50_000,
            busy_percent_max: 20,
            cache_bytes: 8 << 20,
        }
    }
}

/// Which reservations to look up; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct LookupFilter {
    /// With a line of this SKU.
    pub sku: Option<Sku>,
    /// With this order reference.
    pub order_ref: Option<Text>,
    /// Of this customer.
    pub customer: Option<Text>,
    /// In this status.
    pub status: Option<Status>,
}

/// Where the next page begins: after this reservation, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupCursor(pub ReservationId);

/// A page of a look-up, newest first.
#[derive(Clone, Debug, Default)]
pub struct LookupPage {
    /// The reservations as they stand.
    pub items: Vec<ReservationView>,
    /// Where to go on; absent at the end. A page may be short and still have one.
    pub next: Option<LookupCursor>,
    /// How far each shard's index is: shard, sequence, ledger time.
    pub as_of: Vec<(ShardIndex, u64, Timestamp)>,
    /// Shards that could not be asked; what they hold is missing.
    pub missing: Vec<ShardIndex>,
}

impl LookupFilter {
    /// Whether a reservation is meant.
    pub(crate) fn matches(&self, view: &ReservationView) -> bool {
        let has_sku = |sku: &Sku| view.lines.iter().any(|line| line.sku == *sku);
        self.sku.as_ref().is_none_or(has_sku)
            && (self.order_ref.is_none() || self.order_ref == view.order_ref)
            && (self.customer.is_none() || self.customer == view.customer)
            && self.status.is_none_or(|status| status == view.status)
    }

    /// The index that narrows it most.
    pub(crate) fn wanted(&self) -> Wanted {
        match self {
            Self {
                order_ref: Some(order_ref),
                ..
            } => Wanted::order_ref(order_ref.as_str()),
            Self {
                customer: Some(customer),
                ..
            } => Wanted::customer(customer.as_str()),
            Self { sku: Some(sku), .. } => Wanted::sku(sku.as_str()),
            Self { .. } => Wanted::All,
        }
    }
}

/// The indexes of all shards. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lookup(Arc<Vec<Desk>>);

/// The index of one shard.
struct Desk {
    index: Arc<ArcSwapOption<Index>>,
    feed: Mutex<Option<Sender<Reader>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    read_up_to: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// What an index found.
pub(crate) struct Search {
    /// Newest first.
    pub(crate) ids: Vec<ReservationId>,
    /// How far the index is.
    pub(crate) seq: u64,
    /// The ledger time of that.
    pub(crate) at: Timestamp,
}

impl Lookup {
    /// Starts a builder for each shard; they wait for their ledgers.
    pub(crate) fn start(dir: &DataDir, settings: &LookupSettings) -> std::io::Result<Self> {
        let desks = (0..dir.shards()).map(|shard| Desk::start(dir, shard, settings));
        Ok(Self(Arc::new(desks.collect::<Result<_, _>>()?)))
    }

    /// Goes on with a shard's ledger, opened anew. The number says up to where it was read.
    pub(crate) fn attach(&self, shard: ShardIndex, reader: Reader) -> Arc<AtomicU64> {
        let desk = &self.0[usize::from(shard)];
        let feed = desk.feed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = &*feed
            && feed.send(reader).is_err()
        {
            error!(
                shard,
                "the look-up's thread has ended; look-ups stay as they are"
            );
        }
        Arc::clone(&desk.read_up_to)
    }

    /// Up to `limit` ids after `after`, newest first; nothing while the index is being opened.
    /// It reads a file: not for a thread that must not block.
    pub(crate) fn search(
        &self,
        shard: ShardIndex,
        wanted: Wanted,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Option<Search> {
        let index = self.0[usize::from(shard)].index.load_full()?;
        index
            .search(wanted, after, limit)
            .inspect_err(|error| error!(shard, %error, "a look-up failed"))
            .ok()
    }

    /// Ends the builders and waits for them.
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
                error!("a look-up's thread had panicked; its index is checked at the next start");
            }
            desk.index.store(None);
        }
    }
}

impl Desk {
    fn start(dir: &DataDir, shard: ShardIndex, settings: &LookupSettings) -> std::io::Result<Self> {
        let index = Arc::new(ArcSwapOption::empty());
        let read_up_to = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (feed, readers) = channel();
        let builder = Builder {
            identity: dir.identity(shard),
            path: dir.shard_path(shard).join("lookup.redb"),
            settings: settings.clone(),
            index: Arc::clone(&index),
            read_up_to: Arc::clone(&read_up_to),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name(format!("lookup-{shard}"))
            .spawn(move || builder.run(&readers))?;
        Ok(Self {
            index,
            feed: Mutex::new(Some(feed)),
            thread: Mutex::new(Some(thread)),
            read_up_to,
            stop,
        })
    }
}
