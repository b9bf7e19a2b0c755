//! What the shards of a cart tell each other and look at: home's decisions, a part's holds.
//!
//! Deliberately absent: changing anything.

use super::Engine;
use super::homes::Line;
use crate::command::{Confirm, HeldLine, Settle};
use crate::id::ReservationId;
use crate::name::{Location, Sku};
use crate::snapshot::HoldPhase;
use crate::time::Timestamp;

/// An open hold of a cart whose home is another shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignHold {
    /// Its number here.
    pub number: u64,
    /// The cart.
    pub id: ReservationId,
    /// Home's attempt that made it.
    pub attempt: u32,
    /// What it holds.
    pub sku: Sku,
    /// Whether home's record is known here.
    pub is_bound: bool,
    /// When home will let it expire, as far as is known here.
    pub deadline: Timestamp,
}

impl Engine {
    /// Home's decision on every hold of a cart that lies on another shard.
    pub fn decided(&self, id: ReservationId) -> Vec<(Sku, Settle)> {
        let Some(home) = self.homes.get(id) else {
            return Vec::new();
        };
        let late = home
            .extra
            .as_ref()
            .map_or(&[][..], |extra| &extra.late_holds);
        let mut settles = Vec::new();
        let lines = home.lines.iter().enumerate();
        for (at, line) in lines.filter(|(_, line)| line.foreign) {
            let sku = self.skus.get(line.sku).sku.clone();
            let late = || late.iter().filter(move |late| late.line as usize == at);
            let again: u32 = late().map(|late| late.units).sum();
            let gone_again: u32 = late().map(|late| late.shipped).sum();
            let confirmed = line.confirmed() - again;
            let [mut cancelled, shipped] = home.after(at);
            // Units cancelled are first those of the hold that was confirmed first, as far as they
            // have not left; what has left is never cancelled, so this falls out the same later.
            let mut cancels = |here: u32| {
                let here = cancelled.min(here);
                cancelled -= here;
                here
            };
            let settle = Settle {
                id,
                hold: line.hold,
                version: home.version,
                units: line.units,
                confirmed,
                cancelled: cancels(confirmed - (shipped - gone_again)),
                released: line.released(),
                expired: line.expired() + again,
                deadline: home.expires_at,
            };
            let anew = late().map(|late| Settle {
                hold: late.hold,
                units: late.units,
                confirmed: late.units,
                cancelled: cancels(late.units - late.shipped),
                released: 0,
                expired: 0,
                ..settle.clone()
            });
            settles.extend(anew.map(|settle| (sku.clone(), settle)));
            settles.push((sku, settle));
        }
        settles
    }

    /// The hold of a line of a reservation that is recorded here.
    pub fn hold_of(&self, id: ReservationId, line: usize) -> Option<u64> {
        let line = self.homes.get(id)?.lines.as_slice().get(line)?;
        Some(line.hold)
    }

    /// Home's version of a cart, if it is recorded here.
    pub fn home_version(&self, id: ReservationId) -> Option<u32> {
        self.homes.get(id).map(|home| home.version)
    }

    /// Whether a cart is recorded here with nothing open.
    pub fn has_ended(&self, id: ReservationId) -> bool {
        self.homes.get(id).is_some_and(|home| !home.is_open())
    }

    /// Whether a cart recorded here has parts that have not all settled its end.
    pub fn is_unsettled(&self, id: ReservationId) -> bool {
        self.homes.get(id).is_some_and(|home| {
            home.is_spread() && !home.extra.as_ref().is_some_and(|extra| extra.settled)
        })
    }

    /// What a part holds for a try, as it would tell home.
    pub fn held_for(&self, id: ReservationId, attempt: u32) -> Vec<HeldLine> {
        let numbers = self.holds.tries.get(&(id, attempt));
        numbers
            .into_iter()
            .flatten()
            .filter_map(|number| self.held_line(*number))
            .collect()
    }

    pub(super) fn held_line(&self, number: u64) -> Option<HeldLine> {
        let hold = self.holds.get(number)?;
        Some(HeldLine {
            sku: self.skus.get(hold.sku).sku.clone(),
            location: self.skus.location(hold.location).clone(),
            requested: hold
                .extra
                .as_ref()
                .map_or(hold.units, |extra| extra.requested),
            units: hold.units,
            hold: number,
        })
    }

    /// What a confirm would sell on other shards, for a look at the stock board.
    pub fn foreign_units(&self, confirm: &Confirm, now: Timestamp) -> Vec<(Sku, Location, u32)> {
        let home = self.homes.get(confirm.id).filter(|home| home.is_spread());
        let Some(home) = home.filter(|home| home.is_open() && !home.is_lapsed(now)) else {
            return Vec::new();
        };
        let units = match &confirm.lines {
            None => Some(home.lines.iter().map(Line::open).collect()),
            Some((lines, _)) => self.per_line(home, lines, Line::open).ok(),
        };
        let units = units.unwrap_or_default();
        let lines = home
            .lines
            .iter()
            .zip(units)
            .filter(|(line, _)| line.foreign);
        let named = lines.map(|(line, units)| {
            let location = self.skus.location(line.location).clone();
            (self.skus.get(line.sku).sku.clone(), location, units)
        });
        named.collect()
    }

    /// Carts homed here whose lines on other shards have not all settled their end.
    pub fn spread_homes(&self) -> impl Iterator<Item = ReservationId> + '_ {
        let places = self.homes.spread.iter();
        places.filter_map(|place| Some(self.homes.at(*place)?.id(*place)))
    }

    /// Open holds here of carts homed on other shards.
    pub fn foreign_holds(&self) -> impl Iterator<Item = ForeignHold> + '_ {
        self.holds
            .foreign
            .iter()
            .filter_map(|number| self.foreign_hold(*number))
    }

    /// One such hold. One that has ended may stay for its customer's limit; that is none.
    pub fn foreign_hold(&self, number: u64) -> Option<ForeignHold> {
        let hold = self
            .holds
            .get(number)
            .filter(|hold| hold.phase != HoldPhase::Local && hold.open() > 0)?;
        let extra = hold.extra.as_ref()?;
        Some(ForeignHold {
            number,
            id: extra.id?,
            attempt: extra.attempt,
            sku: self.skus.get(hold.sku).sku.clone(),
            is_bound: hold.phase == HoldPhase::Bound,
            deadline: hold.deadline,
        })
    }
}
