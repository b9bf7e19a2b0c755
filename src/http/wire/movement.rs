//! The bodies of movements and transfers, their words, and what their answers repeat.
//!
//! A body has room for the fields of every kind. Deliberately absent: which go together, and how
//! they become commands (`booking`).

use holdfast_core::{Command, Location, MovementKind as Kind, Units};
use serde::Deserialize;
use utoipa::ToSchema;

use super::scalar::{FreeText, Id, LocationName, Position, Target, Time};

/// `POST /v1/skus/{sku}/movements`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Movement)]
pub(crate) struct MovementBody {
    /// What happened, or was decided.
    #[schema(required)]
    pub(crate) kind: Option<KindWord>,
    /// Units; signed for `adjust`, from 0 for `count`, positive otherwise; not of `opening`.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub(crate) qty: Option<i64>,
    /// `opening`: units that can be sold.
    #[schema(maximum = 1_000_000_000)]
    pub(crate) on_hand: Option<u32>,
    /// `opening`: units sold before and still here.
    #[schema(maximum = 1_000_000_000)]
    pub(crate) unshipped: Option<u32>,
    /// `opening`: units that came back and wait for a decision.
    #[schema(maximum = 1_000_000_000)]
    pub(crate) returned: Option<u32>,
    /// `opening`: units that can't be sold.
    #[schema(maximum = 1_000_000_000)]
    pub(crate) damaged: Option<u32>,
    /// Where; `main` if absent.
    pub(crate) location: Option<LocationName>,
    /// `damage` and `write_off`: which units; `on_hand` if absent from `damage`.
    pub(crate) from: Option<PlaceWord>,
    /// `ship` and `return`: the reservation under which the units were sold.
    #[schema(value_type = Option<Id>)]
    pub(crate) reservation: Option<Target>,
    /// `count`: what was counted; `physical` if absent.
    pub(crate) measure: Option<MeasureWord>,
    /// `count` of `physical`: what the counter left out.
    pub(crate) excludes: Option<Vec<ExcludedWord>>,
    /// `count`: the `as_of.position` at which it was taken; now, or `occurred_at`, if absent.
    pub(crate) position: Option<Position>,
    /// `adjust` and `write_off`: allow `on_hand` to fall below what is reserved.
    pub(crate) force: Option<bool>,
    /// Why, for the record.
    pub(crate) reason: Option<FreeText>,
    /// The paper it stands on.
    pub(crate) document: Option<FreeText>,
    /// When it happened.
    pub(crate) occurred_at: Option<Time>,
    /// Who reports it.
    pub(crate) source: Option<FreeText>,
    /// Raised by the source when it numbers anew; with `source` and `sequence`.
    pub(crate) epoch: Option<u64>,
    /// The message's number in its stream: of this source, SKU and location.
    pub(crate) sequence: Option<u64>,
    /// The source's own id of the message; with `source`.
    pub(crate) message_id: Option<FreeText>,
    /// Refused with 412 unless the SKU's `stock_version` is this.
    pub(crate) expected_version: Option<u64>,
}

/// `POST /v1/skus/{sku}/transfers`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Transfer)]
pub(crate) struct TransferBody {
    /// Where the units are.
    pub(super) from: LocationName,
    /// Where they go to; becomes known to the SKU.
    pub(super) to: LocationName,
    /// Units.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub(super) qty: i64,
    /// Allow `on_hand` to fall below what is reserved.
    pub(super) force: Option<bool>,
    /// Why, for the record.
    pub(super) reason: Option<FreeText>,
    /// The paper it stands on.
    pub(super) document: Option<FreeText>,
    /// Who reports it.
    pub(super) source: Option<FreeText>,
    /// When it happened.
    pub(super) occurred_at: Option<Time>,
    /// Refused with 412 unless the SKU's `stock_version` is this.
    pub(super) expected_version: Option<u64>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $schema:ident { $($(#[$of:meta])* $word:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub(crate) enum $name { $($(#[$of])* $word,)* }
    };
}

words! {
    /// The kinds of movement: facts are applied as far as they fit, and the rest opens a drift;
    /// decisions that don't fit are refused.
    KindWord as MovementKind {
        /// What was there when the SKU began at the location, once: a fact.
        Opening,
        /// Units came in: a fact.
        Receive,
        /// Units left: a fact.
        Ship,
        /// Units came back: a fact.
        Return,
        /// Units can't be sold any more: a fact.
        Damage,
        /// Somebody counted: a fact.
        Count,
        /// Units that came back are sold again: a decision.
        Restock,
        /// Units are given up: a decision.
        WriteOff,
        /// `on_hand` is corrected: a decision.
        Adjust,
    }
}

words! {
    /// What was recorded: a kind of movement, or a transfer.
    RecordedWord as RecordedKind {
        Opening,
        Receive,
        Ship,
        Return,
        Damage,
        Count,
        Restock,
        WriteOff,
        Adjust,
        Transfer,
    }
}

words! {
    /// Where units lie within a location.
    PlaceWord as StockPlace {
        /// Among those that can be sold.
        OnHand,
        /// Among those that came back.
        Returned,
        /// Among those that can't be sold.
        Damaged,
    }
}

words! {
    /// What a count measured.
    MeasureWord as Measure {
        /// Everything on the shelf: `on_hand + unshipped + returned + damaged`.
        Physical,
        /// What can be sold: `on_hand`.
        Sellable,
        /// What can be promised: `on_hand − reserved`; needs a `position`.
        Available,
    }
}

words! {
    /// What a physical count may leave out.
    ExcludedWord as Excluded {
        /// Units that came back.
        Returned,
        /// Units that can't be sold.
        Damaged,
    }
}

impl KindWord {
    /// As it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Receive => "receive",
            Self::Ship => "ship",
            Self::Return => "return",
            Self::Damage => "damage",
            Self::Count => "count",
            Self::Restock => "restock",
            Self::WriteOff => "write_off",
            Self::Adjust => "adjust",
        }
    }

    /// The fields it has beside those that all have.
    pub(super) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Opening => &["on_hand", "unshipped", "returned", "damaged"],
            Self::Receive | Self::Restock => &["qty"],
            Self::Ship | Self::Return => &["qty", "reservation"],
            Self::Damage => &["qty", "from"],
            Self::WriteOff => &["qty", "from", "force"],
            Self::Count => &["qty", "measure", "excludes", "position"],
            Self::Adjust => &["qty", "force"],
        }
    }
}

/// What a movement was asked to do, for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Units, signed for an adjustment.
    pub(crate) qty: i64,
    /// Where.
    pub(crate) location: Location,
    /// Where to.
    pub(crate) to: Option<Location>,
}

impl Asked {
    /// Of a command, if it is a movement.
    pub(crate) fn of(command: &Command) -> Option<Self> {
        let Command::Movement(movement) = command else {
            return None;
        };
        let of = |units: &Units| i64::from(units.get());
        let (kind, qty) = match &movement.kind {
            Kind::Opening(balance) => {
                let parts = [
                    balance.on_hand,
                    balance.unshipped,
                    balance.returned,
                    balance.damaged,
                ];
                (KindWord::Opening.name(), parts.map(i64::from).iter().sum())
            }
            Kind::Receive(units) => (KindWord::Receive.name(), of(units)),
            Kind::Ship { units, .. } => (KindWord::Ship.name(), of(units)),
            Kind::Return { units, .. } => (KindWord::Return.name(), of(units)),
            Kind::Damage { units, .. } => (KindWord::Damage.name(), of(units)),
            Kind::Count(count) => (KindWord::Count.name(), count.counted as i64),
            Kind::Restock(units) => (KindWord::Restock.name(), of(units)),
            Kind::WriteOff { units, .. } => (KindWord::WriteOff.name(), of(units)),
            Kind::Adjust { delta, .. } => (KindWord::Adjust.name(), *delta),
            Kind::Transfer { units, .. } => ("transfer", of(units)),
        };
        let to = match &movement.kind {
            Kind::Transfer { to, .. } => Some(to.clone()),
            _ => None,
        };
        Some(Self {
            kind,
            qty,
            location: movement.location.clone(),
            to,
        })
    }
}
