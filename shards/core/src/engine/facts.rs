//! Facts: opening balances, receipts, shipments, returns, damage.
//!
//! They have happened, so they are not refused: each is applied as far as the counters allow, and
//! the rest opens a drift.

use super::movement::{Asked, Booking, Rest};
use super::sheet::Sheet;
use super::{Decision, Engine};
use crate::command::{OpeningBalance, Place};
use crate::drift::{DriftKind, Proposal};
use crate::event::EventKind;
use crate::name::Location;
use crate::refusal::Refusal;
use crate::stock::Counter;
use crate::units::Units;

impl Engine {
    /// What was there when the SKU began at a location: said once, while nothing has happened there.
    pub(super) fn decide_opening(&self, asked: &Asked<'_>, balance: OpeningBalance) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        let mut sheet = Sheet::new(self, asked.entry, location);
        let has_happened = Counter::ALL
            .into_iter()
            .filter(|counter| *counter != Counter::SafetyStock)
            .any(|counter| sheet.get(location, counter) != 0);
        if has_happened {
            let (sku, location) = (asked.command.sku.clone(), location.clone());
            let refusal = Refusal::AlreadyOpened { sku, location };
            return Decision::refused(refusal, asked.entry.seq);
        }
        // Nothing below can refuse.
        let places = [
            (Counter::OnHand, balance.on_hand),
            (Counter::Sold, balance.unshipped),
            (Counter::Returned, balance.returned),
            (Counter::Damaged, balance.damaged),
        ];
        for (counter, units) in places {
            sheet.add(location, counter, i64::from(units));
            sheet.add(location, Counter::Received, i64::from(units));
        }
        self.record(asked, Booking::new(EventKind::StockOpened, sheet))
    }

    pub(super) fn decide_receive(&self, asked: &Asked<'_>, units: Units) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        // Nothing below can refuse.
        let units = i64::from(units.get());
        let mut sheet = Sheet::new(self, asked.entry, location);
        sheet.add(location, Counter::OnHand, units);
        sheet.add(location, Counter::Received, units);
        self.record(asked, Booking::new(EventKind::StockReceived, sheet))
    }

    /// Units left, and nobody says for which sale: for those sold here first, then for those sold at
    /// other locations, which move here as far as stock here allows.
    pub(super) fn decide_ship(&self, asked: &Asked<'_>, units: Units) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        // Nothing below can refuse.
        let reported = i64::from(units.get());
        let mut sheet = Sheet::new(self, asked.entry, location);
        for level in &asked.entry.levels {
            let missing = reported - sheet.unshipped(location);
            let other = self.skus.location(level.location);
            let (sold, gone) = (Counter::Sold, Counter::Shipped);
            let sold = level.counters.get(sold) - level.counters.get(gone);
            if 0 < missing && 0 < sold && other != location {
                move_sale(&mut sheet, (other, location), sold.min(missing));
            }
        }
        let fitted = sheet.unshipped(location).min(reported);
        sheet.add(location, Counter::Shipped, fitted);
        let rest = rest_of_shipment(&mut sheet, location, (fitted, reported));
        let booking = Booking::new(EventKind::StockShipped, sheet);
        self.record(asked, Booking { rest, ..booking })
    }

    /// Units came back, wherever they had left from.
    pub(super) fn decide_return(&self, asked: &Asked<'_>, units: Units) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        // Nothing below can refuse.
        let reported = i64::from(units.get());
        let all = |counter| -> i64 {
            let levels = asked.entry.levels.iter();
            levels.map(|level| level.counters.get(counter)).sum()
        };
        let away = all(Counter::Shipped) - all(Counter::ReturnsReceived);
        let fitted = reported.min(away.max(0));
        let mut sheet = Sheet::new(self, asked.entry, location);
        sheet.add(location, Counter::Returned, fitted);
        sheet.add(location, Counter::ReturnsReceived, fitted);
        let rest = (fitted < reported).then_some(Rest {
            kind: DriftKind::ReturnedUnshipped,
            fitted,
            reported,
            proposal: Proposal::Adjust(reported - fitted),
        });
        let booking = Booking::new(EventKind::StockReturned, sheet);
        self.record(asked, Booking { rest, ..booking })
    }

    /// Units can't be sold any more.
    pub(super) fn decide_damage(&self, asked: &Asked<'_>, units: Units, from: Place) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        // Nothing below can refuse.
        let reported = i64::from(units.get());
        let mut sheet = Sheet::new(self, asked.entry, location);
        let fitted = sheet.get(location, from.counter()).min(reported);
        sheet.change(location, (from.counter(), Counter::Damaged), fitted);
        let rest = (fitted < reported).then_some(Rest {
            kind: DriftKind::DamagedMissing,
            fitted,
            reported,
            proposal: Proposal::Look,
        });
        let booking = Booking::new(EventKind::StockDamaged, sheet);
        self.record(asked, Booking { rest, ..booking })
    }
}

/// Moves a sale to where its units leave from: `sold` and `on_hand` change places between the two
/// locations, as far as there is stock where it goes. Says how much moved.
pub(super) fn move_sale(
    sheet: &mut Sheet<'_>,
    (from, to): (&Location, &Location),
    units: i64,
) -> i64 {
    let moved = units.min(sheet.get(to, Counter::OnHand));
    if moved == 0 {
        return 0;
    }
    sheet.change(from, (Counter::Sold, Counter::OnHand), moved);
    sheet.change(to, (Counter::OnHand, Counter::Sold), moved);
    moved
}

/// What a shipment reported beyond what was sold. Where units that can be sold are there, they are
/// what must have left.
pub(super) fn rest_of_shipment(
    sheet: &mut Sheet<'_>,
    location: &Location,
    (fitted, reported): (i64, i64),
) -> Option<Rest> {
    let missing = reported - fitted;
    let is_there = missing <= sheet.get(location, Counter::OnHand);
    (0 < missing).then_some(Rest {
        kind: DriftKind::ShippedUnsold,
        fitted,
        reported,
        proposal: if is_there {
            Proposal::Adjust(-missing)
        } else {
            Proposal::Look
        },
    })
}
