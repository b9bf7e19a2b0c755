//! Idempotency keys with their outcomes.

use holdfast_core::{KeyEffect, KeyOutcome, KeyTag, KeyTarget};

use super::Fault;
use super::wire::{Decoder, Encoder, Read, flag};

const KEY_OUTCOME: u8 = 0b1111;
const KEY_TARGET_SHIFT: u8 = 4;
const KEY_TARGET: u8 = 0b11;
const KEY_INDEX: u8 = 1 << 6;
/// The fifth bit of the outcome.
const KEY_OUTCOME_HIGH: u8 = 1 << 7;

/// Two words of the key's hash and one of the content's.
const TAG_BYTES: usize = 24;

const TARGET_RESERVATION: u8 = 0;
const TARGET_SKU: u8 = 1;
const TARGET_MOVEMENT: u8 = 2;

/// A key's parts, as events and chunks both have them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) index: u64,
    pub(super) tag: KeyTag,
    pub(super) outcome: KeyOutcome,
    pub(super) target: &'a KeyTarget,
}

impl Encoder {
    pub(super) fn key(&mut self, key: Key<'_>) {
        let step = key.index.wrapping_sub(self.recent.key);
        let target = match key.target {
            KeyTarget::Reservation(_) => TARGET_RESERVATION,
            KeyTarget::Sku(_) => TARGET_SKU,
            KeyTarget::Movement(..) => TARGET_MOVEMENT,
        };
        let outcome = key.outcome as u8;
        self.byte(
            outcome & KEY_OUTCOME
                | flag(outcome & !KEY_OUTCOME != 0, KEY_OUTCOME_HIGH)
                | target << KEY_TARGET_SHIFT
                | flag(step != 1, KEY_INDEX),
        );
        if step != 1 {
            self.signed(step as i64);
        }
        self.recent.key = key.index;
        let mut tag = [0; TAG_BYTES];
        let (words, _) = tag.as_chunks_mut::<8>();
        let [high, low] = key.tag.hash;
        words.copy_from_slice(&[high, low, key.tag.content].map(u64::to_le_bytes));
        self.array(tag);
        match key.target {
            KeyTarget::Reservation(id) => self.id(*id),
            KeyTarget::Sku(sku) => self.sku(sku),
            KeyTarget::Movement(id, sku) => {
                self.id(*id);
                self.sku(sku);
            }
        }
    }
}

impl Decoder<'_> {
    pub(super) fn key(&mut self) -> Read<KeyEffect> {
        let head = self.byte()?;
        let high = if head & KEY_OUTCOME_HIGH == 0 {
            0
        } else {
            KEY_OUTCOME + 1
        };
        let outcome = usize::from(high | head & KEY_OUTCOME);
        let outcome = *KeyOutcome::ALL.get(outcome).ok_or(Fault::Unknown)?;
        let step = if head & KEY_INDEX == 0 {
            1
        } else {
            self.signed()? as u64
        };
        let index = self.recent.key.wrapping_add(step);
        self.recent.key = index;
        let tag: [u8; TAG_BYTES] = self.array()?;
        let (words, _) = tag.as_chunks::<8>();
        let word = |place: usize| u64::from_le_bytes(words[place]);
        let tag = KeyTag {
            hash: [word(0), word(1)],
            content: word(2),
        };
        let target = match head >> KEY_TARGET_SHIFT & KEY_TARGET {
            TARGET_RESERVATION => KeyTarget::Reservation(self.id()?),
            TARGET_SKU => KeyTarget::Sku(self.sku()?),
            TARGET_MOVEMENT => KeyTarget::Movement(self.id()?, self.sku()?),
            _ => return Err(Fault::Unknown),
        };
        Ok(KeyEffect {
            index,
            tag,
            outcome,
            target,
        })
    }
}
