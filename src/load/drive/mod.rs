//! Driving the load: buyers who arrive when the plan says so, whatever the server does.
//!
//! A [`Worker`] is one thread that plays its share of the buyers. It knows no sockets: a
//! [`Transport`] carries questions and brings what came of them. In the open model latency counts
//! from the time at which a call was due, so that a server that stalls is not forgiven the calls
//! that it kept from being sent; who can't be sent within a bound is dropped, and counted.

mod ask_all;
mod book;
mod buyer;
#[cfg(test)]
mod tests;
mod worker;

use std::time::{Duration, Instant};

pub use super::record::{Call, Outcome};
use super::{
    plan::{Customer, Line},
    record,
};

pub use ask_all::{Asked, ask_all};
pub use book::{Book, Counts, Entry, Misfit, Misfits, Told};
pub use worker::{Course, Model, Worker};

/// Carries questions to the server and brings back what came of them.
pub trait Transport {
    /// What time it is, by the clock that its answers are timed with.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// How many more calls can be under way.
    fn free(&self) -> usize;

    /// Sends a call. There must be a free place. What comes of it, a failure to send included,
    /// comes out of [`Self::wait`] under the same ticket.
    fn send(&mut self, ticket: u32, ask: &Ask<'_>);

    /// Waits until something came, at most until `until`, and adds what came to `heard`.
    fn wait(&mut self, until: Instant, heard: &mut Vec<Heard>);
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Which call.
    pub call: Call,
    /// Which buyer: names the key.
    pub number: u32,
    /// Which of the buyer's keys.
    pub key: Key,
    /// Who asks.
    pub customer: Customer,
    /// The reservation it is about; of a reserve, nothing.
    pub id: u128,
    /// What is wanted, or looked at.
    pub lines: &'a [Line],
}

/// Which of a buyer's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// That of the reserve.
    Reserve,
    /// That of the confirm.
    Confirm,
    /// That of the release.
    Release,
    /// That of a confirm after one that was refused for good.
    Probe,
}

impl Key {
    /// What stands behind the buyer's number.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Reserve => b'r',
            Self::Confirm => b'c',
            Self::Release => b'g',
            Self::Probe => b'p',
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Heard {
    /// Of which.
    pub ticket: u32,
    /// When it was sent.
    pub sent: Instant,
    /// When the answer was there, or it was clear that none will come.
    pub done: Instant,
    /// The answer.
    pub reply: Reply,
}

/// An answer, as far as a buyer looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the answer"
)]
pub struct Reply {
    /// What it comes to.
    pub outcome: Outcome,
    /// Whether the contract says to ask again with the same key and body.
    pub again: bool,
    /// Whether the call may have had its effect all the same.
    pub unknown: bool,
    /// Whether it was marked as the first outcome of a repeated key.
    pub replayed: bool,
    /// The reservation; 0 is none.
    pub id: u128,
    /// Where the reservation stands.
    pub standing: Option<Standing>,
    /// How long to wait before asking again.
    pub retry_after: Duration,
    /// A refusal for want of units whose own numbers say that there were enough.
    pub denies_itself: bool,
    /// The reservation's units, of a read.
    pub units: Option<Units>,
    /// The problem's code, where it is one.
    pub code: Option<Box<str>>,
}

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Units are held.
    Open,
    /// Sold.
    Confirmed,
    /// Given back.
    Released,
    /// Lapsed.
    Expired,
}

/// Units of a reservation, over its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Held at first.
    pub qty: u64,
    /// Still held.
    pub open: u64,
    /// Sold.
    pub confirmed: u64,
    /// Given back.
    pub released: u64,
    /// Lapsed.
    pub expired: u64,
}

impl Reply {
    /// An answer of which nothing else is known.
    pub const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            again: false,
            unknown: false,
            replayed: false,
            id: 0,
            standing: None,
            retry_after: Duration::ZERO,
            denies_itself: false,
            units: None,
            code: None,
        }
    }

    /// No answer: ask again, it may have had its effect.
    pub const fn lost(outcome: Outcome) -> Self {
        let mut reply = Self::of(outcome);
        reply.again = true;
        reply.unknown = true;
        reply
    }

    /// In a few words, for a list of what doesn't fit.
    pub fn words(&self) -> String {
        match &self.code {
            Some(code) => code.to_string(),
            None => self.outcome.name().to_owned(),
        }
    }
}

impl Standing {
    /// From its word in answers.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"open" => Some(Self::Open),
            b"confirmed" => Some(Self::Confirmed),
            b"released" => Some(Self::Released),
            b"expired" => Some(Self::Expired),
            _ => None,
        }
    }

    /// Its word in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// An id as the contract writes it.
pub fn id_text(id: u128) -> String {
    uuid::Uuid::from_u128(id).hyphenated().to_string()
}

/// Where notes go that a worker takes.
pub type Notes = record::Worker;
