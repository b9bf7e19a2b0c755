//! Stock counters per SKU and location, and how a SKU is configured.

use crate::name::Location;
use crate::time::{Millis, Timestamp};

/// The name of one counter; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(
    missing_docs,
    reason = "each is the field of Counters with the same name"
)]
pub enum Counter {
    OnHand = 0,
    Reserved = 1,
    SafetyStock = 2,
    Sold = 3,
    Shipped = 4,
    Returned = 5,
    Damaged = 6,
    Received = 7,
    ReturnsReceived = 8,
    Adjusted = 9,
    Transferred = 10,
    WrittenOff = 11,
    Released = 12,
    Expired = 13,
}

impl Counter {
    /// All counters in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::OnHand,
        Self::Reserved,
        Self::SafetyStock,
        Self::Sold,
        Self::Shipped,
        Self::Returned,
        Self::Damaged,
        Self::Received,
        Self::ReturnsReceived,
        Self::Adjusted,
        Self::Transferred,
        Self::WrittenOff,
        Self::Released,
        Self::Expired,
    ];

    /// Whether it may be negative (INV-1 excepts these two).
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::Adjusted | Self::Transferred)
    }

    /// The name used in JSON and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnHand => "on_hand",
            Self::Reserved => "reserved",
            Self::SafetyStock => "safety_stock",
            Self::Sold => "sold",
            Self::Shipped => "shipped",
            Self::Returned => "returned",
            Self::Damaged => "damaged",
            Self::Received => "received",
            Self::ReturnsReceived => "returns_received",
            Self::Adjusted => "adjusted",
            Self::Transferred => "transferred",
            Self::WrittenOff => "written_off",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// The counters of one SKU at one location, in whole units.
///
/// Invariants: INV-1 (none negative but the two signed flows), INV-4 (conservation), INV-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters([i64; 14]);

impl Counters {
    /// No units anywhere.
    pub const ZERO: Self = Self([0; 14]);

    /// One counter's value.
    pub const fn get(&self, counter: Counter) -> i64 {
        self.0[counter as usize]
    }

    /// Sets one counter.
    pub const fn set(&mut self, counter: Counter, value: i64) {
        self.0[counter as usize] = value;
    }

    /// `on_hand − reserved − safety_stock`, which a shortfall or a raised safety stock makes
    /// negative.
    pub const fn free(&self) -> i64 {
        self.get(Counter::OnHand) - self.get(Counter::Reserved) - self.get(Counter::SafetyStock)
    }

    /// What may be promised now: [`Self::free`], at lowest 0.
    pub const fn available(&self) -> i64 {
        if self.free() > 0 { self.free() } else { 0 }
    }

    /// Units under holds that are not there: `max(0, reserved − on_hand)`.
    pub const fn shortfall(&self) -> i64 {
        let missing = self.get(Counter::Reserved) - self.get(Counter::OnHand);
        if missing > 0 { missing } else { 0 }
    }

    /// Units sold and still here: `sold − shipped`.
    pub const fn unshipped(&self) -> i64 {
        self.get(Counter::Sold) - self.get(Counter::Shipped)
    }

    /// What a person would count on the shelf: `on_hand + unshipped + returned + damaged`.
    pub const fn physical(&self) -> i64 {
        self.get(Counter::OnHand)
            + self.unshipped()
            + self.get(Counter::Returned)
            + self.get(Counter::Damaged)
    }

    /// Adds another location's counters, for sums over a SKU.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine
                .checked_add(theirs)
                .expect("INV-1: sums of counters fit 63 bits");
        }
    }

    /// INV-4: flows in equal what is here, sold or written off.
    pub const fn is_conserved(&self) -> bool {
        let flows = self.get(Counter::Received)
            + self.get(Counter::Adjusted)
            + self.get(Counter::Transferred)
            + self.get(Counter::ReturnsReceived);
        let places = self.get(Counter::OnHand)
            + self.get(Counter::Sold)
            + self.get(Counter::Returned)
            + self.get(Counter::Damaged)
            + self.get(Counter::WrittenOff);
        flows == places
    }
}

/// A customer may take at most `units` of a SKU within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomerLimit {
    /// Units per customer, over all locations.
    pub units: u32,
    /// Length of the sliding window, at most 30 days.
    pub window: Millis,
}

impl CustomerLimit {
    /// The longest window: what was reserved longer ago counts for no limit.
    pub const WINDOW_MAX: Millis = Millis::from_secs(30 * 86_400);
}

/// How a SKU sells. Safety stock is a counter of each location, not kept here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkuConfig {
    /// Limit per customer; a limited SKU refuses reserves that name no customer.
    pub customer_limit: Option<CustomerLimit>,
    /// Reserves before this are refused.
    pub opens_at: Option<Timestamp>,
    /// Reserves from this on are refused.
    pub closes_at: Option<Timestamp>,
    /// Reserves are refused while set.
    pub paused: bool,
    /// Low-stock threshold in units available.
    pub low_at: Option<u32>,
    /// Units available from which it is told to be replenished: above `low_at`. None is a little
    /// above it ([`SkuConfig::marks`]).
    pub replenished_at: Option<u32>,
    /// Locations in the order in which unnamed lines take from them. Empty: `main`, then by
    /// name. A location absent from a non-empty order sells only when named.
    pub location_order: Vec<Location>,
    /// How unnamed lines choose among these.
    pub sourcing: Sourcing,
    /// What happens to holds that a shortfall leaves without units.
    pub on_shortfall: OnShortfall,
}

/// How a line that names no location chooses among those that sell; its number is what the journal
/// writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Sourcing {
    /// The first in order that covers the whole line; failing that, split in order.
    #[default]
    WholeLine = 0,
    /// In order, each as much as it has.
    Priority = 1,
    /// From where most is available, then in order; one location where it covers the line.
    MostAvailable = 2,
    /// One location for all lines of the cart on this shard that ask for it, if one covers them;
    /// failing that as `WholeLine`.
    WholeCart = 3,
}

impl Sourcing {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::WholeLine,
        Self::Priority,
        Self::MostAvailable,
        Self::WholeCart,
    ];

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WholeLine => "whole_line",
            Self::Priority => "priority",
            Self::MostAvailable => "most_available",
            Self::WholeCart => "whole_cart",
        }
    }
}

/// What happens to holds that a shortfall leaves without units; its number is what the journal
/// writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnShortfall {
    /// Holds stay, and the first that confirm get the units.
    #[default]
    FirstConfirms = 0,
    /// The newest that are not pinned are released.
    ReleaseNewest = 1,
}

impl OnShortfall {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::FirstConfirms, Self::ReleaseNewest];

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstConfirms => "first_confirms",
            Self::ReleaseNewest => "release_newest",
        }
    }
}

impl SkuConfig {
    /// Whether it sells at this time: it is not paused, and its sale has begun and not ended.
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        !self.paused
            && self.opens_at.is_none_or(|opens| opens <= now)
            && self.closes_at.is_none_or(|closes| now < closes)
    }
}
