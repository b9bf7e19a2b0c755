//! What the buyers were told, kept while the sale runs.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

use crate::{
    client::Call,
    replay::account::{Account, Held, Misfit},
};

/// How a buyer's day ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// Paid and got it.
    Bought,
    /// Paid after the cart had lapsed, and got it all the same.
    BoughtLate,
    /// Paid too late, and it was gone: refunded.
    TooLate,
    /// The payment failed.
    PaymentFailed,
    /// Left the cart alone.
    Abandoned,
    /// Went home without one.
    SoldOut,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Book {
    inside: Mutex<Inside>,
    under_way: AtomicU64,
}

#[derive(Debug, Default)]
struct Inside {
    told: Told,
    killed: bool,
}

/// What a [`Book`] holds in the end.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The account that the proof weighs.
    pub(super) account: Account,
    /// The reserve behind each of `account.held`, for the repeats after the sale.
    pub(super) reserves: Vec<Call>,
    /// How many of `account.held` were acknowledged before the kill.
    pub(super) held_before_kill: u64,
    /// Buyers by how their day ended.
    pub(super) endings: BTreeMap<Ending, u64>,
    /// Double clicks and double payments.
    pub(super) doubles: u64,
    /// Calls repeated after a buyer had walked away from the first try.
    pub(super) walked_away: u64,
    /// Reserves sent, repeats not counted.
    pub(super) reserves_sent: u64,
}

/// A reservation in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(usize);

impl Book {
    /// Notes an acknowledged reservation.
    pub(super) fn hold(&self, held: Held, reserve: Call) -> Entry {
        let mut inside = self.inside();
        if !inside.killed {
            inside.told.held_before_kill += 1;
        }
        inside.told.account.held.push(held);
        inside.told.reserves.push(reserve);
        Entry(inside.told.account.held.len() - 1)
    }

    /// Changes what is known of a reservation.
    pub(super) fn change(&self, entry: Entry, change: impl FnOnce(&mut Held)) {
        change(&mut self.inside().told.account.held[entry.0]);
    }

    /// Notes a refused reserve.
    pub(super) fn refuse(&self, code: String) {
        *self.inside().told.account.refused.entry(code).or_default() += 1;
    }

    /// Notes a reserve that is going to be sent.
    pub(super) fn sending(&self) {
        self.inside().told.reserves_sent += 1;
    }

    /// Notes that a button was pressed twice.
    pub(super) fn doubled(&self) {
        self.inside().told.doubles += 1;
    }

    /// Notes that a buyer lost the connection and tries again.
    pub(super) fn walked_away(&self) {
        self.inside().told.walked_away += 1;
    }

    /// Notes an answer that doesn't fit.
    pub(super) fn misfit(&self, basket: String, what: String) {
        self.inside()
            .told
            .account
            .misfits
            .push(Misfit { basket, what });
    }

    /// Notes how a buyer's day ended.
    pub(super) fn end(&self, ending: Ending) {
        *self.inside().told.endings.entry(ending).or_default() += 1;
    }

    /// Notes the kill; returns how many reservations had been acknowledged and how many buyers were
    /// at the counter.
    pub(super) fn kill(&self) -> (u64, u64) {
        let mut inside = self.inside();
        inside.killed = true;
        (
            inside.told.held_before_kill,
            self.under_way.load(Ordering::Relaxed),
        )
    }

    /// Somebody steps up to the counter.
    pub(super) fn step_up(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// And steps back.
    pub(super) fn step_back(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it holds, when the sale is over.
    pub(super) fn close(&self) -> Told {
        std::mem::take(&mut self.inside().told)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside
            .lock()
            .expect("no holder of this lock can panic")
    }
}
