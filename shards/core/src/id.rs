//! Reservation ids: `UUIDv8` values that find their shard and their place in it.
//!
//! Layout after RFC 9562, section 5.8: 48 bits of ledger time in milliseconds, 12 of slot,
//! 20 of the ledger's opening number, 34 of a counter, 8 random. An opening number is made
//! durable before it serves, so an id lost in a crash is never given again.

use crate::name::Slot;
use crate::time::Timestamp;
use std::fmt;

/// The id of a reservation (or of a movement, which is minted the same way).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(u128);

/// The number of one opening of a ledger, below 2^20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opening(u32);

impl Opening {
    /// How many openings a ledger has in its life.
    pub const COUNT: u32 = 1 << 20;

    /// The opening with this number, if there is one.
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl ReservationId {
    /// In a command on its way to the shard that will mint its id.
    pub const UNMINTED: Self = Self((0x8 << 76) | (0b10 << 62));

    /// How many ids one opening can mint.
    pub const COUNTER_COUNT: u64 = 1 << 34;

    /// Mints an id from its parts; `counter` must be below [`Self::COUNTER_COUNT`].
    pub fn mint(at: Timestamp, slot: Slot, opening: Opening, counter: u64, random: u8) -> Self {
        assert!(
            counter < Self::COUNTER_COUNT,
            "an opening mints at most 2^34 ids"
        );
        let time = u128::from(at.ms() & 0xffff_ffff_ffff);
        let tail = (u128::from(opening.0) << 42) | (u128::from(counter) << 8) | u128::from(random);
        Self((time << 80) | (0x8 << 76) | (u128::from(slot.index()) << 64) | (0b10 << 62) | tail)
    }

    /// An id from its 128 bits, if version and variant are those of a `UUIDv8`.
    pub const fn from_u128(bits: u128) -> Option<Self> {
        if (bits >> 76) & 0xf == 0x8 && (bits >> 62) & 0b11 == 0b10 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Parses the usual text form (`xxxxxxxx-xxxx-8xxx-…`).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        Self::from_u128(uuid::Uuid::try_parse(text).ok()?.as_u128())
    }

    /// What a caller calls an id: any UUID in its usual text form. One that no shard can have
    /// minted is nobody's, and so unknown everywhere.
    pub fn named(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        Some(Self(uuid::Uuid::try_parse(text).ok()?.as_u128()))
    }

    /// Whether a shard can have minted it.
    pub const fn is_mintable(self) -> bool {
        Self::from_u128(self.0).is_some()
    }

    /// Its 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The ledger time at which it was minted.
    pub const fn at(self) -> Timestamp {
        Timestamp::from_ms((self.0 >> 80) as u64)
    }

    /// The slot that is its home.
    pub fn slot(self) -> Slot {
        Slot::new(((self.0 >> 64) & 0xfff) as u16).expect("12 bits are below 4,096")
    }

    /// The opening of the ledger that minted it.
    pub fn opening(self) -> Opening {
        Opening::new(((self.0 >> 42) & 0xf_ffff) as u32).expect("20 bits are below 2^20")
    }

    /// Its place among the ids of its opening.
    pub const fn counter(self) -> u64 {
        ((self.0 >> 8) & 0x3_ffff_ffff) as u64
    }

    /// Its random bits.
    pub const fn random(self) -> u8 {
        self.0 as u8
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_u128(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_back_every_part_it_was_minted_from() {
        let slot = Slot::new(4095).expect("in range");
        let opening = Opening::new(Opening::COUNT - 1).expect("in range");
        let counter = ReservationId::COUNTER_COUNT - 1;
        let at = Timestamp::from_ms(1_767_225_600_123);
        let id = ReservationId::mint(at, slot, opening, counter, 0xa5);
        assert_eq!(id.at(), at);
        assert_eq!(id.slot(), slot);
        assert_eq!(id.opening(), opening);
        assert_eq!(id.counter(), counter);
        assert_eq!(id.random(), 0xa5);
        assert_eq!(ReservationId::parse(&id.to_string()), Some(id));
        assert_eq!(id.to_string().as_bytes()[14], b'8');
    }

    #[test]
    fn a_uuid_of_another_version_is_not_an_id() {
        assert_eq!(
            ReservationId::parse("b3a1f4e2-6f0a-4c3e-9f0a-1d2c3b4a5f60"),
            None
        );
        assert_eq!(ReservationId::parse("not-an-id"), None);
        let named = ReservationId::named("b3a1f4e2-6f0a-4c3e-9f0a-1d2c3b4a5f60");
        assert_eq!(named.map(ReservationId::is_mintable), Some(false));
        assert_eq!(ReservationId::named("not-an-id"), None);
    }
}
