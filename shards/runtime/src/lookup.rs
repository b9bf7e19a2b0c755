//! Look-ups by order reference, customer and SKU: a projection of the journals.
//!
//! Each shard has an index, a [projection](crate::projection) of its journal. It says only which
//! reservations to ask for; how they stand, the shards say.
//!
//! Deliberately absent: searching in texts, and anything that a ledger does not hold.

mod index;

use self::index::Index;
pub(crate) use self::index::Wanted;
use crate::placement::ShardIndex;
use crate::projection::{Desks, Effort};
use holdfast_core::{ReservationId, ReservationView, Sku, Status, Text, Timestamp};
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
pub(crate) type Lookup = Desks<Index>;

/// What an index found.
pub(crate) struct Search {
    /// Newest first.
    pub(crate) ids: Vec<ReservationId>,
    /// How far the index is.
    pub(crate) seq: u64,
    /// The ledger time of that.
    pub(crate) at: Timestamp,
}

impl LookupSettings {
    pub(crate) fn effort(&self) -> Effort {
        Effort {
            events_per_s_max: self.events_per_s_max,
            busy_percent_max: self.busy_percent_max,
            cache_bytes: self.cache_bytes,
        }
    }
}

impl Lookup {
    /// Up to `limit` ids after `after`, newest first; nothing while the index is being opened.
    /// It reads a file: not for a thread that must not block.
    pub(crate) fn search(
        &self,
        shard: ShardIndex,
        wanted: Wanted,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Option<Search> {
        self.of(shard)?
            .projection
            .search(wanted, after, limit)
            .inspect_err(|error| error!(shard, %error, "a look-up failed"))
            .ok()
    }
}
