//! Decisions about stock: restock, write off, adjust, transfer.
//!
//! Somebody wants them, so one that does not fit is refused: below zero always, below what is
//! reserved unless forced.

use super::movement::{Asked, Booking};
use super::sheet::Sheet;
use super::{Decision, Engine};
use crate::command::Place;
use crate::event::EventKind;
use crate::name::Location;
use crate::refusal::Refusal;
use crate::stock::Counter;
use crate::units::Units;

impl Engine {
    /// Units that came back are sold again.
    pub(super) fn decide_restock(&self, asked: &Asked<'_>, units: Units) -> Decision {
        let units = i64::from(units.get());
        match self.sheet_without(asked, Counter::Returned, units, true) {
            Ok(mut sheet) => {
                sheet.add(&asked.command.location, Counter::OnHand, units);
                self.record(asked, Booking::new(EventKind::StockRestocked, sheet))
            }
            Err(decision) => *decision,
        }
    }

    /// Units are given up.
    pub(super) fn decide_write_off(
        &self,
        asked: &Asked<'_>,
        units: Units,
        (from, force): (Place, bool),
    ) -> Decision {
        let units = i64::from(units.get());
        match self.sheet_without(asked, from.counter(), units, force) {
            Ok(mut sheet) => {
                sheet.add(&asked.command.location, Counter::WrittenOff, units);
                self.record(asked, Booking::new(EventKind::StockWrittenOff, sheet))
            }
            Err(decision) => *decision,
        }
    }

    /// `on_hand` is corrected.
    pub(super) fn decide_adjust(&self, asked: &Asked<'_>, delta: i64, force: bool) -> Decision {
        match self.sheet_without(asked, Counter::OnHand, -delta, force) {
            Ok(mut sheet) => {
                sheet.add(&asked.command.location, Counter::Adjusted, delta);
                self.record(asked, Booking::new(EventKind::StockAdjusted, sheet))
            }
            Err(decision) => *decision,
        }
    }

    /// Units go to another location, in one record.
    pub(super) fn decide_transfer(
        &self,
        asked: &Asked<'_>,
        units: Units,
        to: &Location,
        force: bool,
    ) -> Decision {
        if let Some(decision) = self.no_room_for(to) {
            return decision;
        }
        let (from, units) = (&asked.command.location, i64::from(units.get()));
        match self.sheet_without(asked, Counter::OnHand, units, force) {
            Ok(mut sheet) => {
                sheet.add(from, Counter::Transferred, -units);
                sheet.add(to, Counter::OnHand, units);
                sheet.add(to, Counter::Transferred, units);
                self.record(asked, Booking::new(EventKind::StockTransferred, sheet))
            }
            Err(decision) => *decision,
        }
    }

    /// A sheet on which units have left a counter, or the refusal because they can't.
    fn sheet_without<'s>(
        &'s self,
        asked: &Asked<'s>,
        counter: Counter,
        units: i64,
        force: bool,
    ) -> Result<Sheet<'s>, Box<Decision>> {
        let (entry, location) = (asked.entry, &asked.command.location);
        let refused = |refusal| Err(Box::new(Decision::refused(refusal, entry.seq)));
        let Some(before) = self.counters_at(entry, location) else {
            let unknown = vec![(asked.command.sku.clone(), location.clone())];
            return refused(Refusal::UnknownLocation(unknown));
        };
        let (value, delta) = (before.get(counter), -units);
        if value < units {
            return refused(Refusal::WouldGoNegative {
                counter,
                value,
                delta,
            });
        }
        let reserved = before.get(Counter::Reserved);
        let is_below = counter == Counter::OnHand && 0 < units && value - units < reserved;
        if is_below && let Some(place) = self.lapsed_where(entry, location, asked.now) {
            return Err(Box::new(self.again(place, asked.now)));
        }
        if is_below && !force {
            return refused(Refusal::BelowReserved {
                on_hand: value,
                reserved,
                delta,
            });
        }
        let mut sheet = Sheet::new(self, entry, location);
        sheet.add(location, counter, -units);
        Ok(sheet)
    }
}
