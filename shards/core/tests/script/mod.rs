//! The language of stories: one command a line, in words that a merchant could read.
//!
//! Both sides use it: the story files are written in it, and a failing property prints its
//! history in it, so that what broke can be pasted into a file and kept.
//!
//! Deliberately absent: meaning. A line knows nothing of engines or models; `world` turns it
//! into requests.

mod moves;
mod parse;
mod print;

pub(crate) use moves::{Counted, Difference, Move, Said, What};
pub(crate) use parse::parse;
pub(crate) use print::duration;

use holdfast_core::{Mode, OnShortfall, Patch, Remainder, Sourcing, Verdict};

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Bounds of the story, before anything else: name and milliseconds or count.
    Policy(Vec<(String, u64)>),
    /// A command, with its idempotency key.
    Ask(Option<String>, Verb),
    /// Time passes and the timer runs as often as it must.
    Advance(u64),
    /// Time passes and nobody looks.
    Wait(u64),
    /// The wall clock is set back.
    Back(u64),
    /// The timer runs once, bounded as it is.
    Sweep,
    /// The shard is down this long, then opens from its chunks.
    Down(u64),
    /// So many of the chunks that changed are written, as between two commits.
    Chunks(u64),
    /// How a reservation or a SKU stands.
    Show(String),
    /// What was told of a SKU's supply since this was last asked, and how it stands.
    Supply(String),
}

/// A command, by the names the story gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `configure`
    Configure(Box<Setting>),
    /// `opening`, `receive`, `ship`, `return`, `damage`, `count`, `restock`, `write_off`, `adjust`,
    /// `transfer`
    Move(Box<Move>),
    /// `lift`: SKU, location and source of a stream.
    Lift(String, Option<String>, String),
    /// `drift`
    Drift(Box<Difference>),
    /// `approve` or `dismiss`
    Decide {
        /// Which drift, by the order in which they opened.
        name: String,
        /// Approve, or dismiss.
        verdict: Verdict,
        /// Why.
        reason: Option<String>,
    },
    /// `location`
    Location {
        /// Which.
        name: String,
        /// Whether it sells.
        selling: Patch<bool>,
    },
    /// `reserve`
    Reserve(Box<Basket>),
    /// `confirm`
    Confirm {
        /// Which.
        name: String,
        /// Part of it.
        lines: Option<(Vec<Want>, Remainder)>,
        /// `late=refuse`
        refuse_late: bool,
        /// The payment.
        payment: Option<String>,
    },
    /// `release`
    Release {
        /// Which.
        name: String,
        /// Part of it.
        lines: Option<Vec<Want>>,
        /// Why.
        reason: Option<String>,
    },
    /// `cancel`
    Cancel {
        /// Which.
        name: String,
        /// Part of it.
        lines: Option<Vec<Want>>,
        /// Why.
        reason: Option<String>,
    },
    /// `move`
    MoveHold {
        /// Which.
        name: String,
        /// Which SKU of it.
        sku: String,
        /// Where its units are held.
        from: String,
        /// Where they are to be held.
        to: String,
        /// How many; all if absent.
        units: Option<u32>,
    },
    /// `ship_for`
    ShipFor {
        /// Which reservation.
        name: String,
        /// What.
        sku: String,
        /// How much.
        units: u32,
        /// Where from; `main` if absent.
        location: Option<String>,
    },
    /// `extend`
    Extend(String, u64),
    /// `pin`
    Pin(String, u64),
}

/// What a `configure` sets. Times are offsets from the story's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Which SKU.
    pub(crate) sku: String,
    /// Safety stock by location.
    pub(crate) safety: Vec<(String, Patch<u32>)>,
    /// Units and window.
    pub(crate) limit: Patch<(u32, u64)>,
    /// Start of the sale.
    pub(crate) opens: Patch<u64>,
    /// End of the sale.
    pub(crate) closes: Patch<u64>,
    /// Pause.
    pub(crate) paused: Patch<bool>,
    /// Low-stock threshold.
    pub(crate) low: Patch<u32>,
    /// From where on it is replenished.
    pub(crate) enough: Patch<u32>,
    /// Where it sells.
    pub(crate) order: Patch<Vec<String>>,
    /// How unnamed lines choose.
    pub(crate) sourcing: Patch<Sourcing>,
    /// What happens to holds without units.
    pub(crate) shortfall: Patch<OnShortfall>,
    /// The `config_version` it must have.
    pub(crate) version: Option<u64>,
}

/// What a `reserve` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Basket {
    /// The name the story gives it.
    pub(crate) name: String,
    /// Its lines.
    pub(crate) lines: Vec<Want>,
    /// How long.
    pub(crate) ttl: Option<u64>,
    /// For whom.
    pub(crate) customer: Option<String>,
    /// For which order.
    pub(crate) order_ref: Option<String>,
    /// All or nothing, or what is there.
    pub(crate) mode: Mode,
    /// Which earlier one it takes the place of.
    pub(crate) replace: Option<String>,
}

/// Units of a SKU, from somewhere or anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// What.
    pub(crate) sku: String,
    /// Where, if it matters.
    pub(crate) location: Option<String>,
    /// How much.
    pub(crate) units: u32,
}
