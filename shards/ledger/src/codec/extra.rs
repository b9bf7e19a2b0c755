//! What few reservations have: flags of presence, and what is there.

use holdfast_core::{ExpiredReason, HomeExtra, LateHold, ReservationId, Shortage, ShortageReason};

use super::Fault;
use super::wire::{Decoder, Encoder, Read};

const EXTRA_CHAIN_START: u64 = 1;
const EXTRA_PINNED: u64 = 1 << 1;
const EXTRA_PAYMENTS: u64 = 1 << 2;
const EXTRA_REPLACES: u64 = 1 << 3;
const EXTRA_REPLACED_BY: u64 = 1 << 4;
const EXTRA_REASON: u64 = 1 << 5;
const EXTRA_LATE: u64 = 1 << 6;
const EXTRA_CLOSED: u64 = 1 << 7;
const EXTRA_GRACED: u64 = 1 << 8;
const EXTRA_SETTLED: u64 = 1 << 9;
const EXTRA_SHORTAGES: u64 = 1 << 10;
const EXTRA_LATE_HOLDS: u64 = 1 << 11;
const EXTRA_AFTER: u64 = 1 << 12;
const EXTRA_ALL: u64 = (1 << 13) - 1;

/// Its place in this list is a reason's number.
const EXPIRED_REASONS: [ExpiredReason; 6] = [
    ExpiredReason::SoldOut,
    ExpiredReason::CustomerLimit,
    ExpiredReason::LateWindow,
    ExpiredReason::LateRefused,
    ExpiredReason::Closed,
    ExpiredReason::Lapsed,
];

const SHORTAGE_REASONS: [ShortageReason; 6] = [
    ShortageReason::InsufficientStock,
    ShortageReason::CustomerLimit,
    ShortageReason::SaleClosed,
    ShortageReason::SalePaused,
    ShortageReason::Unavailable,
    ShortageReason::LocationClosed,
];

impl Encoder {
    /// Writes what few have of the reservation `id`, which stays the last id.
    pub(super) fn extra(&mut self, id: ReservationId, extra: &HomeExtra) {
        let presence = [
            (extra.chain_start.is_some(), EXTRA_CHAIN_START),
            (extra.pinned_until.is_some(), EXTRA_PINNED),
            (!extra.payments.is_empty(), EXTRA_PAYMENTS),
            (extra.replaces.is_some(), EXTRA_REPLACES),
            (extra.replaced_by.is_some(), EXTRA_REPLACED_BY),
            (extra.reason.is_some(), EXTRA_REASON),
            (extra.late, EXTRA_LATE),
            (extra.closed.is_some(), EXTRA_CLOSED),
            (extra.graced, EXTRA_GRACED),
            (extra.settled, EXTRA_SETTLED),
            (!extra.shortages.is_empty(), EXTRA_SHORTAGES),
            (!extra.late_holds.is_empty(), EXTRA_LATE_HOLDS),
            (!extra.after.is_empty(), EXTRA_AFTER),
        ];
        self.varint(
            presence
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, bit)| bit)
                .sum(),
        );
        for time in [extra.chain_start, extra.pinned_until]
            .into_iter()
            .flatten()
        {
            self.delta(time.ms(), id.at().ms());
        }
        if !extra.payments.is_empty() {
            self.varint(extra.payments.len() as u64);
            extra.payments.iter().for_each(|payment| self.text(payment));
        }
        for other in [extra.replaces, extra.replaced_by].into_iter().flatten() {
            self.id(other);
        }
        if let Some(reason) = &extra.reason {
            self.text(reason);
        }
        if let Some(closed) = extra.closed {
            self.byte(expired_reason_number(closed));
        }
        if !extra.shortages.is_empty() {
            self.varint(extra.shortages.len() as u64);
            extra
                .shortages
                .iter()
                .for_each(|shortage| self.shortage(shortage));
        }
        if !extra.late_holds.is_empty() {
            self.varint(extra.late_holds.len() as u64);
            extra
                .late_holds
                .iter()
                .for_each(|late| self.late_hold(late));
        }
        if !extra.after.is_empty() {
            self.varint(extra.after.len() as u64);
            extra.after.iter().for_each(|after| self.after(*after));
        }
        self.recent.id = Some(id);
    }

    fn shortage(&mut self, shortage: &Shortage) {
        self.sku(&shortage.sku);
        self.varint(u64::from(shortage.requested));
        self.varint(u64::from(shortage.granted));
        self.byte(shortage.reason as u8);
    }

    fn late_hold(&mut self, late: &LateHold) {
        self.varint(u64::from(late.line));
        self.delta(late.hold, self.recent.hold_foreign);
        self.varint(u64::from(late.units));
        self.varint(u64::from(late.shipped));
        self.recent.hold_foreign = late.hold;
    }
}

impl Decoder<'_> {
    pub(super) fn extra(&mut self, id: ReservationId) -> Read<Box<HomeExtra>> {
        let presence = self.varint()?;
        if presence & !EXTRA_ALL != 0 {
            return Err(Fault::Unknown);
        }
        let has = |bit| presence & bit != 0;
        let mut extra = Box::new(HomeExtra {
            late: has(EXTRA_LATE),
            graced: has(EXTRA_GRACED),
            settled: has(EXTRA_SETTLED),
            ..HomeExtra::default()
        });
        if has(EXTRA_CHAIN_START) {
            extra.chain_start = Some(self.time_after(id)?);
        }
        if has(EXTRA_PINNED) {
            extra.pinned_until = Some(self.time_after(id)?);
        }
        if has(EXTRA_PAYMENTS) {
            for _ in 0..self.count()? {
                extra.payments.push(self.text()?);
            }
        }
        if has(EXTRA_REPLACES) {
            extra.replaces = Some(self.id()?);
        }
        if has(EXTRA_REPLACED_BY) {
            extra.replaced_by = Some(self.id()?);
        }
        if has(EXTRA_REASON) {
            extra.reason = Some(self.text()?);
        }
        if has(EXTRA_CLOSED) {
            let number = usize::from(self.byte()?);
            extra.closed = Some(*EXPIRED_REASONS.get(number).ok_or(Fault::Unknown)?);
        }
        if has(EXTRA_SHORTAGES) {
            for _ in 0..self.count()? {
                extra.shortages.push(self.shortage()?);
            }
        }
        if has(EXTRA_LATE_HOLDS) {
            for _ in 0..self.count()? {
                extra.late_holds.push(self.late_hold()?);
            }
        }
        if has(EXTRA_AFTER) {
            for _ in 0..self.count()? {
                extra.after.push(self.after()?);
            }
        }
        self.recent.id = Some(id);
        Ok(extra)
    }

    fn shortage(&mut self) -> Read<Shortage> {
        let (sku, requested, granted) = (self.sku()?, self.varint_u32()?, self.varint_u32()?);
        let reason = *SHORTAGE_REASONS
            .get(usize::from(self.byte()?))
            .ok_or(Fault::Unknown)?;
        Ok(Shortage {
            sku,
            requested,
            granted,
            reason,
        })
    }

    fn late_hold(&mut self) -> Read<LateHold> {
        let line = self.varint_u32()?;
        let hold = self.delta(self.recent.hold_foreign)?;
        self.recent.hold_foreign = hold;
        Ok(LateHold {
            line,
            hold,
            units: self.varint_u32()?,
            shipped: self.varint_u32()?,
        })
    }
}

fn expired_reason_number(reason: ExpiredReason) -> u8 {
    match reason {
        ExpiredReason::SoldOut => 0,
        ExpiredReason::CustomerLimit => 1,
        ExpiredReason::LateWindow => 2,
        ExpiredReason::LateRefused => 3,
        ExpiredReason::Closed => 4,
        ExpiredReason::Lapsed => 5,
    }
}
