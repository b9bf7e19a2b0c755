//! What a movement says: to a key, and as a feed's message, where the same number with other
//! content stops the stream.
//!
//! The hashes are kept in ledgers, so their form never changes; tests pin it.

use holdfast_core::{At, Count, Measure, Movement, MovementKind, Note, OpeningBalance, Then};
use xxhash_rust::xxh3::xxh3_64;

use super::Canonical;

/// Beside the measure of a count that names its position.
const AT_POSITION: u8 = 16;

/// The hash of a message's content, without what only numbers it (epoch, sequence, `message_id`)
/// and what the caller knew of the SKU (`expected_version`).
pub(crate) fn content_of(movement: &Movement, position: Option<&str>) -> u32 {
    let mut said = Canonical::default();
    said.text(movement.sku.as_str());
    said.text(movement.location.as_str());
    said.kind(&movement.kind);
    said.note(&movement.note);
    said.optional(position, Canonical::text);
    xxh3_64(&said.0) as u32
}

impl Canonical {
    pub(super) fn movement(&mut self, movement: &Movement) {
        let Movement {
            id: _,
            sku,
            location,
            kind,
            feed,
            message,
            expected_version,
            note,
        } = movement;
        self.byte(6);
        self.text(sku.as_str());
        self.text(location.as_str());
        self.kind(kind);
        self.optional(*feed, |to, mark| {
            to.number(mark.epoch);
            to.number(mark.sequence);
        });
        self.optional_text(message.as_ref());
        self.optional_number(*expected_version);
        self.note(note);
    }

    fn kind(&mut self, kind: &MovementKind) {
        match kind {
            MovementKind::Receive(units) => {
                self.byte(0);
                self.number(u64::from(units.get()));
            }
            MovementKind::Adjust { delta, force } => {
                self.byte(1);
                self.number(*delta as u64);
                self.byte(u8::from(*force));
            }
            MovementKind::Opening(balance) => {
                self.byte(2);
                let OpeningBalance {
                    on_hand,
                    unshipped,
                    returned,
                    damaged,
                } = balance;
                for units in [on_hand, unshipped, returned, damaged] {
                    self.number(u64::from(*units));
                }
            }
            MovementKind::Ship { units, sale } => {
                self.byte(3);
                self.number(u64::from(units.get()));
                self.optional(sale.as_ref().map(|sale| sale.id), Self::id);
            }
            MovementKind::Return { units, reservation } => {
                self.byte(4);
                self.number(u64::from(units.get()));
                self.optional(*reservation, Self::id);
            }
            MovementKind::Damage { units, from } => {
                self.byte(5);
                self.number(u64::from(units.get()));
                self.byte(from.counter() as u8);
            }
            MovementKind::Count(count) => self.count(count),
            MovementKind::Restock(units) => {
                self.byte(7);
                self.number(u64::from(units.get()));
            }
            MovementKind::WriteOff { units, from, force } => {
                self.byte(8);
                self.number(u64::from(units.get()));
                // Beside the place, so that one that is not forced stays what it was.
                self.byte(from.counter() as u8 | u8::from(*force) << 7);
            }
            MovementKind::Transfer { units, to, force } => {
                self.byte(9);
                self.number(u64::from(units.get()));
                self.text(to.as_str());
                self.byte(u8::from(*force));
            }
        }
    }

    fn count(&mut self, count: &Count) {
        let Count {
            counted,
            measure,
            excludes_returned,
            excludes_damaged,
            then,
        } = count;
        self.byte(6);
        self.number(*counted);
        let measure = match measure {
            Measure::Physical => 0,
            Measure::Sellable => 1,
            Measure::Available => 2,
        };
        match then {
            Some(Then::At(At::Sequence(position))) => {
                self.byte(AT_POSITION | measure);
                self.number(*position);
            }
            // A time is a part of the note.
            Some(Then::At(At::Time(_)) | Then::Read(_)) | None => self.byte(measure),
        }
        self.byte(u8::from(*excludes_returned));
        self.byte(u8::from(*excludes_damaged));
    }

    fn note(&mut self, note: &Note) {
        let Note {
            reason,
            document,
            source,
            occurred_at,
            reservation: _,
            movement: _,
            payment: _,
            drift: _,
            feed: _,
            message: _,
            shorted: _,
            trace: _,
        } = note;
        self.optional_text(reason.as_ref());
        self.optional_text(document.as_ref());
        self.optional_text(source.as_ref());
        self.optional_number(occurred_at.map(holdfast_core::Timestamp::ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{Location, Sku, Text, Units};

    #[test]
    fn the_hash_of_a_message_is_what_it_was() {
        let kind = MovementKind::Receive(Units::new(7).expect("a quantity"));
        let mut movement = Movement::new(Sku::parse("TEE").expect("a good name"), kind);
        movement.location = Location::parse("store-1").expect("a good name");
        movement.note = Note {
            source: Some(Text::parse("wms").expect("a good text")),
            ..Note::default()
        };
        assert_eq!(content_of(&movement, None), 4_245_289_918);
    }

    #[test]
    fn a_write_off_that_is_forced_is_another_one() {
        let content = |force| {
            let units = Units::new(7).expect("a quantity");
            let from = holdfast_core::Place::OnHand;
            let kind = MovementKind::WriteOff { units, from, force };
            let movement = Movement::new(Sku::parse("TEE").expect("a good name"), kind);
            content_of(&movement, None)
        };
        assert_eq!(content(false), 2_494_804_094);
        assert_ne!(content(true), content(false));
    }
}
