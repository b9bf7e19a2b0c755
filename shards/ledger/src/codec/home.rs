//! Reservations at their home: records, lines and changes.
//!
//! Times of a record are distances from its id's time, and a deadline is mostly as far from it as
//! the last one was.

use holdfast_core::{HomeChange, HomeRecord, LineRecord, ReservationId, Timestamp};
use smallvec::SmallVec;

use super::Fault;
use super::names::PLACE_BITS;
use super::wire::{Decoder, Encoder, Read, flag, totals_fit};

const HOME_ORDER: u8 = 1;
const HOME_CUSTOMER: u8 = 1 << 1;
const HOME_VERSION: u8 = 1 << 2;
const HOME_ENDED: u8 = 1 << 3;
const HOME_EXTRA: u8 = 1 << 4;
const HOME_LINES: u8 = 1 << 5;
const HOME_TTL: u8 = 1 << 6;
const HOME_ID: u8 = 1 << 7;

/// Below it are the flags of the place.
const LINE_FOREIGN: u8 = 1 << PLACE_BITS;
const LINE_HOLD: u8 = 1 << 4;
const LINE_UNITS: u8 = 1 << 5;
const LINE_TOTALS: u8 = 1 << 6;
const LINE_REQUESTED: u8 = 1 << 7;

/// Flags of a change, in the upper half of an effect's head.
const CHANGE_ID: u8 = 1 << 4;
const CHANGE_ENDED: u8 = 0b11 << 5;
const CHANGE_ENDED_NOW: u8 = 1 << 5;
const CHANGE_ENDED_AT: u8 = 2 << 5;
const CHANGE_EXTRA: u8 = 1 << 7;

impl Encoder {
    pub(super) fn home(&mut self, home: &HomeRecord) {
        let ttl = home.expires_at.ms().wrapping_sub(home.id.at().ms());
        let flags = flag(home.order_ref.is_some(), HOME_ORDER)
            | flag(home.customer.is_some(), HOME_CUSTOMER)
            | flag(home.version != 1, HOME_VERSION)
            | flag(home.ended_at.is_some(), HOME_ENDED)
            | flag(home.extra.is_some(), HOME_EXTRA)
            | flag(home.lines.len() != 1, HOME_LINES)
            | flag(ttl != self.recent.ttl, HOME_TTL)
            | flag(Some(home.id) != self.recent.id, HOME_ID);
        self.byte(flags);
        if flags & HOME_ID != 0 {
            self.id(home.id);
        }
        if flags & HOME_TTL != 0 {
            self.signed(ttl as i64);
            self.recent.ttl = ttl;
        }
        if let Some(order_ref) = &home.order_ref {
            self.text(order_ref);
        }
        if let Some(customer) = &home.customer {
            self.text(customer);
        }
        if flags & HOME_VERSION != 0 {
            self.varint(u64::from(home.version));
        }
        if let Some(ended_at) = home.ended_at {
            self.delta(ended_at.ms(), home.id.at().ms());
        }
        if flags & HOME_LINES != 0 {
            self.varint(home.lines.len() as u64);
        }
        for line in &home.lines {
            self.line(line);
        }
        if let Some(extra) = &home.extra {
            self.extra(home.id, extra);
        }
    }

    pub(super) fn line(&mut self, line: &LineRecord) {
        assert!(
            totals_fit(&line.totals, line.units),
            "INV-5: totals of a line are within its units"
        );
        let hold = line.hold.wrapping_sub(self.hold_base(line.foreign));
        let place = self.place_flags(&line.sku, &line.location);
        let flags = place
            | flag(line.foreign, LINE_FOREIGN)
            | flag(hold != 1, LINE_HOLD)
            | flag(line.units != line.requested, LINE_UNITS)
            | flag(line.totals != [0; 3], LINE_TOTALS)
            | flag(line.requested != 1, LINE_REQUESTED);
        self.byte(flags);
        self.place(place, &line.sku, &line.location);
        if flags & LINE_HOLD != 0 {
            self.signed(hold as i64);
        }
        if flags & LINE_REQUESTED != 0 {
            self.varint(u64::from(line.requested));
        }
        if flags & LINE_UNITS != 0 {
            self.varint(u64::from(line.units));
        }
        if flags & LINE_TOTALS != 0 {
            self.totals(&line.totals);
        }
        if line.foreign {
            self.recent.hold_foreign = line.hold;
        } else {
            self.recent.hold = line.hold;
        }
    }

    fn hold_base(&self, foreign: bool) -> u64 {
        if foreign {
            self.recent.hold_foreign
        } else {
            self.recent.hold
        }
    }

    /// The flags of a change, for the effect's head.
    pub(super) fn home_change_flags(&self, change: &HomeChange) -> u8 {
        let ended = match change.ended_at {
            None => 0,
            Some(at) if at.ms() == self.recent.at => CHANGE_ENDED_NOW,
            Some(_) => CHANGE_ENDED_AT,
        };
        flag(Some(change.id) != self.recent.id, CHANGE_ID)
            | ended
            | flag(change.extra.is_some(), CHANGE_EXTRA)
    }

    pub(super) fn home_change(&mut self, flags: u8, change: &HomeChange) {
        if flags & CHANGE_ID != 0 {
            self.id(change.id);
        }
        self.varint(u64::from(change.version));
        let ttl = change.expires_at.ms().wrapping_sub(change.id.at().ms());
        self.delta(ttl, self.recent.ttl);
        self.recent.ttl = ttl;
        self.varint(change.totals.len() as u64);
        for totals in &change.totals {
            self.totals(totals);
        }
        if let Some(ended_at) = change.ended_at
            && flags & CHANGE_ENDED == CHANGE_ENDED_AT
        {
            self.time(ended_at);
        }
        if let Some(extra) = &change.extra {
            self.extra(change.id, extra);
        }
    }
}

impl Decoder<'_> {
    pub(super) fn home(&mut self) -> Read<HomeRecord> {
        let flags = self.byte()?;
        let id = if flags & HOME_ID == 0 {
            self.id_same()
        } else {
            self.id()
        }?;
        if flags & HOME_TTL != 0 {
            self.recent.ttl = self.signed()? as u64;
        }
        let expires_at = Timestamp::from_ms(id.at().ms().wrapping_add(self.recent.ttl));
        let order_ref = if flags & HOME_ORDER == 0 {
            None
        } else {
            Some(self.text()?)
        };
        let customer = if flags & HOME_CUSTOMER == 0 {
            None
        } else {
            Some(self.text()?)
        };
        let version = if flags & HOME_VERSION == 0 {
            1
        } else {
            self.varint_u32()?
        };
        let ended_at = if flags & HOME_ENDED == 0 {
            None
        } else {
            Some(self.time_after(id)?)
        };
        let count = if flags & HOME_LINES == 0 {
            1
        } else {
            self.count()?
        };
        let mut lines = SmallVec::new();
        for _ in 0..count {
            lines.push(self.line()?);
        }
        let extra = if flags & HOME_EXTRA == 0 {
            None
        } else {
            Some(self.extra(id)?)
        };
        Ok(HomeRecord {
            id,
            order_ref,
            customer,
            version,
            expires_at,
            ended_at,
            lines,
            extra,
        })
    }

    pub(super) fn line(&mut self) -> Read<LineRecord> {
        let flags = self.byte()?;
        let place = self.place(flags)?;
        let foreign = flags & LINE_FOREIGN != 0;
        let base = if foreign {
            &self.recent.hold_foreign
        } else {
            &self.recent.hold
        };
        let hold = if flags & LINE_HOLD == 0 {
            base.wrapping_add(1)
        } else {
            self.delta(*base)?
        };
        let requested = if flags & LINE_REQUESTED == 0 {
            1
        } else {
            self.varint_u32()?
        };
        let units = if flags & LINE_UNITS == 0 {
            requested
        } else {
            self.varint_u32()?
        };
        let totals = if flags & LINE_TOTALS == 0 {
            [0; 3]
        } else {
            self.totals()?
        };
        if !totals_fit(&totals, units) {
            return Err(Fault::Totals);
        }
        if foreign {
            self.recent.hold_foreign = hold;
        } else {
            self.recent.hold = hold;
        }
        let (sku, location) = (place.sku, place.location);
        Ok(LineRecord {
            sku,
            location,
            hold,
            foreign,
            requested,
            units,
            totals,
        })
    }

    /// A time as its distance from the time of `id`.
    pub(super) fn time_after(&mut self, id: ReservationId) -> Read<Timestamp> {
        Ok(Timestamp::from_ms(self.delta(id.at().ms())?))
    }

    pub(super) fn home_change(&mut self, flags: u8) -> Read<HomeChange> {
        let id = if flags & CHANGE_ID == 0 {
            self.id_same()
        } else {
            self.id()
        }?;
        let version = self.varint_u32()?;
        self.recent.ttl = self.delta(self.recent.ttl)?;
        let expires_at = Timestamp::from_ms(id.at().ms().wrapping_add(self.recent.ttl));
        let mut totals = SmallVec::new();
        for _ in 0..self.count()? {
            totals.push(self.totals()?);
        }
        let ended_at = match flags & CHANGE_ENDED {
            0 => None,
            CHANGE_ENDED_NOW => Some(Timestamp::from_ms(self.recent.at)),
            CHANGE_ENDED_AT => Some(self.time()?),
            _ => return Err(Fault::Unknown),
        };
        let extra = if flags & CHANGE_EXTRA == 0 {
            None
        } else {
            Some(self.extra(id)?)
        };
        Ok(HomeChange {
            id,
            version,
            expires_at,
            totals,
            ended_at,
            extra,
        })
    }
}
