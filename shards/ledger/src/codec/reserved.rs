//! The plain reserve, which a sale is made of: one effect for a reservation of one line.
//!
//! What it leaves in `Recent` is what its three effects spelled out would leave, so that both ways
//! of writing may follow each other in a body.

use holdfast_core::{Counter, Reserved, Timestamp, Versions};

use super::Fault;
use super::names::{PLACE_BITS, Place};
use super::wire::{Decoder, Encoder, Read, flag};

/// Flags in the upper half of the effect's head.
const ORDER: u8 = 1 << 4;
const CUSTOMER: u8 = 1 << 5;
const HEAD_ALL: u8 = ORDER | CUSTOMER;

/// Flags in the byte after it, above those of the place.
const HOLD: u8 = 1 << PLACE_BITS;
const UNITS: u8 = 1 << 4;
const VERSIONS: u8 = 1 << 5;
const ID: u8 = 1 << 6;
const TTL: u8 = 1 << 7;

impl Encoder {
    /// Writes a plain reserve, with the effect's head.
    pub(super) fn reserved(&mut self, tag: u8, new: &Reserved) {
        let ttl = new.expires_at.ms().wrapping_sub(new.id.at().ms());
        let hold = new.hold.wrapping_sub(self.recent.hold);
        let follows = follow(self.recent.versions) == new.versions;
        let place = self.place_flags(&new.sku, &new.location);
        let head =
            tag | flag(new.order_ref.is_some(), ORDER) | flag(new.customer.is_some(), CUSTOMER);
        let flags = place
            | flag(hold != 1, HOLD)
            | flag(new.units != 1, UNITS)
            | flag(!follows, VERSIONS)
            | flag(Some(new.id) != self.recent.id, ID)
            | flag(ttl != self.recent.ttl, TTL);
        self.array([head, flags]);
        if flags & ID != 0 {
            self.id(new.id);
        }
        if flags & TTL != 0 {
            self.signed(ttl as i64);
            self.recent.ttl = ttl;
        }
        if let Some(order_ref) = &new.order_ref {
            self.text(order_ref);
        }
        if let Some(customer) = &new.customer {
            self.text(customer);
        }
        self.place(place, &new.sku, &new.location);
        if flags & HOLD != 0 {
            self.signed(hold as i64);
        }
        self.recent.hold = new.hold;
        if flags & UNITS != 0 {
            self.varint(u64::from(new.units));
        }
        if !follows {
            self.versions(new.versions);
        }
        self.recent.versions = new.versions;
        let last = &mut self.recent.counters[Counter::Reserved as usize];
        let step = new.reserved.wrapping_sub(*last);
        *last = new.reserved;
        self.signed(step);
    }
}

impl Decoder<'_> {
    pub(super) fn reserved(&mut self, head: u8) -> Read<Reserved> {
        if head & !HEAD_ALL != 0 {
            return Err(Fault::Unknown);
        }
        let flags = self.byte()?;
        let id = if flags & ID == 0 {
            self.id_same()
        } else {
            self.id()
        }?;
        if flags & TTL != 0 {
            self.recent.ttl = self.signed()? as u64;
        }
        let expires_at = Timestamp::from_ms(id.at().ms().wrapping_add(self.recent.ttl));
        let order_ref = if head & ORDER == 0 {
            None
        } else {
            Some(self.text()?)
        };
        let customer = if head & CUSTOMER == 0 {
            None
        } else {
            Some(self.text()?)
        };
        let Place { sku, location } = self.place(flags)?;
        self.recent.hold = if flags & HOLD == 0 {
            self.recent.hold.wrapping_add(1)
        } else {
            self.delta(self.recent.hold)?
        };
        let units = if flags & UNITS == 0 {
            1
        } else {
            self.varint_u32()?
        };
        self.recent.versions = if flags & VERSIONS == 0 {
            follow(self.recent.versions)
        } else {
            self.versions()?
        };
        let step = self.signed()?;
        let last = &mut self.recent.counters[Counter::Reserved as usize];
        *last = last.wrapping_add(step);
        let reserved = *last;
        Ok(Reserved {
            id,
            order_ref,
            customer,
            expires_at,
            sku,
            location,
            hold: self.recent.hold,
            units,
            reserved,
            versions: self.recent.versions,
        })
    }
}

/// The versions after a reservation's event, if `last` were those before.
#[inline]
pub(super) fn follow(last: Versions) -> Versions {
    Versions {
        all: last.all.wrapping_add(1),
        ..last
    }
}
