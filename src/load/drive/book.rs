//! What buyers were told: the account that the proof weighs.
//!
//! It is kept small, since a run may have millions of buyers: what a buyer wanted is not here, the
//! plan says it again; a reservation is an id, a buyer's number and a word.

use std::collections::BTreeMap;

/// What buyers were told.
#[derive(Debug, Default)]
pub struct Book {
    /// Every acknowledged reservation.
    pub entries: Vec<Entry>,
    /// Buyers whose reserve was never answered although it may have had its effect.
    pub unanswered: Vec<u32>,
    /// Answers that don't fit.
    pub misfits: Misfits,
    /// What is counted besides.
    pub counts: Counts,
}

/// An acknowledged reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: u128,
    /// Whose it is.
    pub number: u32,
    /// What its buyer was told last.
    pub told: Told,
}

/// What a buyer was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The units are held.
    Open,
    /// They are sold.
    Confirmed,
    /// They were taken again after they had lapsed, and are sold.
    ConfirmedLate,
    /// They were given back.
    Released,
    /// They have lapsed for good.
    Lapsed,
    /// Nothing, though a confirm or release was sent that may have had its effect.
    Unsure,
}

/// What an answer that doesn't fit speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// A reserve was refused for want of units by numbers that say otherwise.
    Denied,
    /// One key had two outcomes, or a repeat was not marked as one.
    Replay,
    /// A reservation was told to have ended in two ways.
    Terminal,
    /// A confirm succeeded after one that was refused for good.
    AfterFinal,
    /// An answer that the contract doesn't have for the question.
    Strange,
}

/// Answers that don't fit: how many of each kind, and the first few.
#[derive(Debug, Default)]
pub struct Misfits(BTreeMap<Misfit, (u64, Vec<String>)>);

const EXAMPLES_MAX: usize = 3;

/// What is counted besides outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls sent again for want of an answer.
    pub retries: u64,
    /// Calls sent again, or twice at once, on purpose.
    pub duplicates: u64,
    /// Repeats whose answer was compared with the first.
    pub replays: u64,
    /// Confirms sent after one that was refused for good.
    pub probes: u64,
    /// Buyers who left their hold alone.
    pub abandoned: u64,
    /// Calls given up after all patience.
    pub gave_up: u64,
}

impl Book {
    /// Notes an acknowledged reservation.
    pub(super) fn hold(&mut self, id: u128, number: u32) -> u32 {
        let told = Told::Open;
        self.entries.push(Entry { id, number, told });
        (self.entries.len() - 1) as u32
    }

    /// Adds another worker's.
    pub fn join(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.unanswered.append(&mut other.unanswered);
        for (kind, (count, examples)) in other.misfits.0 {
            let (ours, of_ours) = self.misfits.0.entry(kind).or_default();
            *ours += count;
            of_ours.extend(examples);
            of_ours.truncate(EXAMPLES_MAX);
        }
        let (counts, more) = (&mut self.counts, other.counts);
        counts.retries += more.retries;
        counts.duplicates += more.duplicates;
        counts.replays += more.replays;
        counts.probes += more.probes;
        counts.abandoned += more.abandoned;
        counts.gave_up += more.gave_up;
    }
}

impl Misfits {
    /// Notes one.
    pub fn note(&mut self, kind: Misfit, what: impl FnOnce() -> String) {
        let (count, examples) = self.0.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(what());
        }
    }

    /// How many of this kind there are, and the first few.
    pub fn of(&self, kind: Misfit) -> Option<(u64, &[String])> {
        let (count, examples) = self.0.get(&kind)?;
        Some((*count, examples))
    }
}
