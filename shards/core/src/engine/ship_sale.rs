//! Shipments that name the sale they belong to.
//!
//! Units leave for a reservation's own lines: those sold where they leave from first, then those
//! sold at other locations, whose sale moves here as far as there is stock. What the reservation has
//! not left to ship is a drift. The reservation learns of it in the same event, where its home is
//! this shard; else its hold here does, and home is told.

use super::facts::{move_sale, rest_of_shipment};
use super::homes::{Home, HomeRef};
use super::movement::{Asked, Booking};
use super::sheet::Sheet;
use super::shipped::after_sale;
use super::{Decision, Engine, Outcome};
use crate::command::{Sale, SaleLine, SaleLines};
use crate::event::{Effect, EventKind, HoldAfter};
use crate::id::ReservationId;
use crate::name::Location;
use crate::stock::Counter;
use crate::units::Units;

/// What a sale has left to ship at one location.
struct Left {
    location: Location,
    units: i64,
    of: Of,
}

/// Whose units they are.
enum Of {
    /// A line of a reservation of this shard, by its place.
    Line(usize),
    /// A hold of another shard's reservation.
    Hold(u64),
}

impl Engine {
    /// Units left for a reservation. One that nobody knows, or no longer, is as good as none named.
    pub(super) fn decide_ship_sale(
        &self,
        asked: &Asked<'_>,
        units: Units,
        sale: &Sale,
    ) -> Decision {
        let home = self.homes.get(sale.id);
        let told = match &sale.lines {
            SaleLines::Told(lines) => &lines[..],
            SaleLines::Unread => return Decision::outcome(Outcome::Unread, 0),
            SaleLines::Here if home.is_none() => return self.decide_ship(asked, units),
            SaleLines::Here => &[],
        };
        if home.is_some_and(|home| home.is_lapsed(asked.now)) {
            return self.again(HomeRef::of(sale.id), asked.now);
        }
        for line in told {
            if let Some(events) = self.settling(&line.settle, asked.now) {
                return Decision::with_all(events);
            }
        }
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        // Nothing below can refuse.
        let mut left = match home {
            Some(home) => self.left_of_lines(asked, home),
            None => self.left_of_holds(sale.id, told),
        };
        left.sort_by_key(|left| left.location != *location);
        let reported = i64::from(units.get());
        let mut sheet = Sheet::new(self, asked.entry, location);
        let mut fitted = 0;
        for left in &mut left {
            left.units = ship(&mut sheet, location, left, reported - fitted);
            fitted += left.units;
        }
        left.retain(|left| left.units > 0);
        let rest = rest_of_shipment(&mut sheet, location, (fitted, reported));
        let mut booking = Booking::new(EventKind::StockShipped, sheet);
        booking.rest = rest;
        match home {
            Some(home) if !left.is_empty() => {
                booking
                    .effects
                    .push(shipped_lines(sale, home, &left, asked));
            }
            _ => {
                let holds = left.iter().filter_map(|left| self.shipped_hold(left));
                booking.effects.extend(holds);
            }
        }
        self.record(asked, booking)
    }

    fn left_of_lines(&self, asked: &Asked<'_>, home: &Home) -> Vec<Left> {
        let lines = home.lines.iter().zip(home.unshipped()).enumerate();
        let meant = lines.filter(|(_, (line, _))| {
            !line.foreign && self.skus.get(line.sku).sku == asked.command.sku
        });
        let left = meant.map(|(at, (line, units))| Left {
            location: self.skus.location(line.location).clone(),
            units: i64::from(units),
            of: Of::Line(at),
        });
        left.collect()
    }

    fn left_of_holds(&self, id: ReservationId, told: &[SaleLine]) -> Vec<Left> {
        let holds = told.iter().filter_map(|line| {
            let hold = self.holds.get(line.settle.hold)?;
            let extra = hold.extra.as_ref();
            let is_meant = extra.is_some_and(|extra| extra.id == Some(id));
            let ([confirmed, ..], [cancelled, shipped]) = (hold.totals(), hold.after());
            is_meant.then(|| Left {
                location: self.skus.location(hold.location).clone(),
                units: i64::from(confirmed - cancelled - shipped),
                of: Of::Hold(line.settle.hold),
            })
        });
        holds.collect()
    }

    fn shipped_hold(&self, left: &Left) -> Option<Effect> {
        let Of::Hold(number) = left.of else {
            return None;
        };
        let hold = self.holds.get(number)?;
        let [cancelled, shipped] = hold.after();
        Some(Effect::HoldAfter(HoldAfter {
            number,
            after: [cancelled, shipped + left.units as u32],
            told: hold.told(),
        }))
    }
}

/// Ships what one line has left, as far as wanted: from where it was sold, or its sale moves here
/// first. Says how much left.
fn ship(sheet: &mut Sheet<'_>, location: &Location, left: &Left, wanted: i64) -> i64 {
    // Units that left unnamed may have been this line's.
    let there = sheet.unshipped(&left.location);
    let mut units = left.units.min(there).min(wanted).max(0);
    if left.location != *location {
        units = move_sale(sheet, (&left.location, location), units);
    }
    sheet.add(location, Counter::Shipped, units);
    units
}

/// The reservation, with what has left of its lines.
fn shipped_lines(sale: &Sale, home: &Home, left: &[Left], asked: &Asked<'_>) -> Effect {
    let mut extra = home.extra.as_deref().cloned().unwrap_or_default();
    extra.after.resize(home.lines.as_slice().len(), [0; 2]);
    for left in left {
        if let Of::Line(at) = left.of {
            extra.after[at][1] += left.units as u32;
        }
    }
    after_sale(HomeRef::of(sale.id), home, extra, asked.now)
}
