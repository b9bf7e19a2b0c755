//! Counts: what somebody found is what is there; `on_hand` is corrected by the difference.
//!
//! A count of the past is compared with the counters of that moment, which the caller read from the
//! record; the difference is booked now. Holds are not physical, so they play no part, unless what
//! can be promised was counted.

use super::movement::{Asked, Booking, Rest};
use super::sheet::Sheet;
use super::{Decision, Engine, Outcome};
use crate::count::{Count, Measure, Then};
use crate::drift::{DriftKind, Proposal};
use crate::event::{CountedEffect, Effect, EventKind};
use crate::refusal::Refusal;
use crate::stock::Counter;

impl Engine {
    pub(super) fn decide_count(&self, asked: &Asked<'_>, count: &Count) -> Decision {
        let location = &asked.command.location;
        if let Some(decision) = self.no_room_for(location) {
            return decision;
        }
        let actual = asked.entry.versions.stock;
        if matches!(count.then, Some(Then::At(_))) {
            return Decision::outcome(Outcome::Unread, 0);
        }
        if let Some(then) = count.read()
            && then.stock_version != actual
        {
            let expected = then.stock_version;
            let refusal = Refusal::VersionChanged { expected, actual };
            return Decision::refused(refusal, asked.entry.seq);
        }
        // What lapsed holds keep can be promised.
        let is_promise = count.then.is_none() && count.measure == Measure::Available;
        if is_promise && let Some(place) = self.lapsed_where(asked.entry, location, asked.now) {
            return self.again(place, asked.now);
        }
        // Nothing below can refuse.
        let mut sheet = Sheet::new(self, asked.entry, location);
        let basis = count.basis();
        let believed = match count.read() {
            Some(then) => basis.of(&then.counters),
            None => basis.of(&sheet.page(location).before),
        };
        let counted = i64::try_from(count.counted).unwrap_or(i64::MAX);
        let difference = counted.saturating_sub(believed);
        let there = sheet.get(location, Counter::OnHand);
        let booked = difference.max(-there);
        sheet.add(location, Counter::OnHand, booked);
        sheet.add(location, Counter::Adjusted, booked);
        let mut booking = Booking::new(EventKind::StockCounted, sheet);
        booking.rest = (difference < booked).then_some(Rest {
            kind: DriftKind::CountedBelowZero,
            fitted: counted + booked - difference,
            reported: counted,
            proposal: Proposal::Look,
        });
        let (taken_at, taken_seq) = self
            .taken(asked.command, asked.now)
            .expect("a count was taken at some time");
        booking
            .effects
            .push(Effect::Counted(Box::new(CountedEffect {
                sku: asked.command.sku.clone(),
                location: location.clone(),
                taken_at,
                taken_seq,
                basis,
            })));
        self.record(asked, booking)
    }
}
