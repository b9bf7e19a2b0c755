//! The client's own account: what it was told, call by call, and nothing it assumed.
//!
//! The proof compares this with the server's counters, so nothing here is read from them.

use std::collections::{BTreeMap, HashMap};

use super::{basket::Pair, plan::Fate};
use crate::client::wire::{Reservation, Status};

/// The units of one line of a reservation, as last acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineAccount {
    /// Where.
    pub pair: Pair,
    /// Units held.
    pub qty: u64,
    /// Still set aside.
    pub open: u64,
    /// Sold.
    pub confirmed: u64,
    /// Given back.
    pub released: u64,
    /// Lapsed.
    pub expired: u64,
}

/// What the last acknowledged answer about a reservation said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was answered as open and nobody touched it since: open, or lapsed by now.
    Open,
    /// Sold whole.
    Confirmed,
    /// Sold whole, after the units had lapsed and been taken again.
    ConfirmedLate,
    /// Given back whole.
    Released,
    /// A confirm was told, finally, that it had lapsed.
    Lapsed,
}

/// An acknowledged reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The server's id.
    pub id: String,
    /// What was meant to become of it.
    pub fate: Fate,
    /// As last acknowledged.
    pub standing: Standing,
    /// As last acknowledged.
    pub lines: Vec<LineAccount>,
}

impl Held {
    /// Units granted.
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| line.qty).sum()
    }
}

/// An answer that doesn't fit its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which basket.
    pub basket: String,
    /// What doesn't fit.
    pub what: String,
}

/// Everything the run was told.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Units acknowledged as received.
    pub received: HashMap<Pair, u64>,
    /// Acknowledged reservations.
    pub held: Vec<Held>,
    /// Refused reserves by code.
    pub refused: BTreeMap<String, u64>,
    /// Units asked for by reserves that were answered.
    pub units_asked: u64,
    /// Refused confirms and releases by `call code`.
    pub settling_refused: BTreeMap<String, u64>,
    /// Answers that contradict what was asked.
    pub misfits: Vec<Misfit>,
}

/// Totals of an [`Account`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Units received.
    pub received: u64,
    /// Units granted by reserves.
    pub granted: u64,
    /// Units sold.
    pub sold: u64,
    /// Units given back.
    pub released: u64,
    /// Units neither sold nor given back: open or lapsed.
    pub left: u64,
    /// Reservations by standing: confirmed, of these late, released, lapsed, open.
    pub confirmed: u64,
    /// Of those, after the deadline.
    pub late: u64,
    /// Reservations given back.
    pub given_back: u64,
    /// Reservations that a confirm found lapsed.
    pub lapsed: u64,
    /// Reservations left alone.
    pub open: u64,
}

impl Account {
    /// Sums it up.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            received: self.received.values().sum(),
            ..Totals::default()
        };
        for held in &self.held {
            totals.granted += held.units();
            for line in &held.lines {
                totals.sold += line.confirmed;
                totals.released += line.released;
                totals.left += line.open + line.expired;
            }
            match held.standing {
                Standing::Open => totals.open += 1,
                Standing::Confirmed => totals.confirmed += 1,
                Standing::ConfirmedLate => {
                    totals.confirmed += 1;
                    totals.late += 1;
                }
                Standing::Released => totals.given_back += 1,
                Standing::Lapsed => totals.lapsed += 1,
            }
        }
        totals
    }
}

/// How an answered reservation contradicts itself or the standing it should be in.
pub(crate) fn contradiction(answer: &Reservation, standing: Standing) -> Option<String> {
    let status_fits = match standing {
        Standing::Open => matches!(answer.status, Status::Open | Status::Expired),
        Standing::Confirmed | Standing::ConfirmedLate => answer.status == Status::Confirmed,
        Standing::Released => answer.status == Status::Released,
        Standing::Lapsed => answer.status == Status::Expired,
    };
    if !status_fits {
        return Some(format!(
            "is {:?}, acknowledged as {standing:?}",
            answer.status
        ));
    }
    answer.lines.iter().find_map(|line| {
        let settled = line.open + line.confirmed + line.released + line.expired;
        if line.qty != settled {
            return Some(format!(
                "{}: {} held but {settled} explained",
                line.sku, line.qty
            ));
        }
        let whole = match standing {
            Standing::Open => line.open + line.expired,
            Standing::Confirmed | Standing::ConfirmedLate => line.confirmed,
            Standing::Released => line.released,
            Standing::Lapsed => line.expired,
        };
        let name = format!("{} at {}", line.sku, line.location);
        (whole != line.qty).then(|| format!("{name}: {whole} of {} {standing:?}", line.qty))
    })
}
