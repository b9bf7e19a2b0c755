//! Whose ledger a file is: cluster, shard, slots. Written once, compared at every opening.
//!
//! Deliberately absent: where a SKU's slot is computed; only the hash's name is kept here, so
//! that a ledger filled under another hash is refused.

use std::ops::Range;

use uuid::Uuid;

use crate::error::{LedgerError, Place};

/// How many slots there are, for ever.
pub const SLOT_COUNT: u16 = 4096;

/// The name of the function from SKU to slot.
pub const SLOT_HASH: &str = "xxh3-64/4096";

/// The most shards a data directory may have.
pub const SHARDS_MAX: u16 = 256;

const BODY_BYTES: usize = 25;

/// Whose ledger a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The data directory it belongs to, drawn when that was created.
    pub cluster: Uuid,
    /// The shard's index, below `shards`.
    pub shard: u16,
    /// How many shards the directory has.
    pub shards: u16,
    /// The slots the shard owns.
    pub slots: Range<u16>,
    /// The name of the function from SKU to slot.
    pub hash: String,
}

impl Identity {
    /// The identity of shard `shard` of `shards` in `cluster`, with its even part of the slots.
    ///
    /// # Panics
    /// Where `shard` is not below `shards`.
    pub fn even(cluster: Uuid, shard: u16, shards: u16) -> Self {
        assert!(shard < shards, "shard {shard} of {shards}");
        let from =
            |index: u16| (u32::from(index) * u32::from(SLOT_COUNT) / u32::from(shards)) as u16;
        let slots = from(shard)..from(shard + 1);
        Self {
            cluster,
            shard,
            shards,
            slots,
            hash: SLOT_HASH.to_owned(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(BODY_BYTES + self.hash.len());
        body.extend_from_slice(self.cluster.as_bytes());
        for part in [self.shard, self.shards, self.slots.start, self.slots.end] {
            body.extend_from_slice(&part.to_le_bytes());
        }
        body.push(u8::try_from(self.hash.len()).expect("a hash's name is short"));
        body.extend_from_slice(self.hash.as_bytes());
        body
    }

    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let (fixed, hash) = body.split_at_checked(BODY_BYTES)?;
        let part = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        if usize::from(fixed[24]) != hash.len() {
            return None;
        }
        Some(Self {
            cluster: Uuid::from_slice(&fixed[..16]).ok()?,
            shard: part(16),
            shards: part(18),
            slots: part(20)..part(22),
            hash: String::from_utf8(hash.to_vec()).ok()?,
        })
    }

    /// Refuses an identity that was `found` where this one is expected.
    pub(crate) fn refuse_other(&self, found: &Self) -> Result<(), LedgerError> {
        let differs = |what, found: String, expected: String| {
            Err(LedgerError::Identity {
                shard: self.shard,
                what,
                found,
                expected,
            })
        };
        if found.cluster != self.cluster {
            return differs(
                "cluster",
                found.cluster.to_string(),
                self.cluster.to_string(),
            );
        }
        if found.shard != self.shard {
            return differs("shard", found.shard.to_string(), self.shard.to_string());
        }
        if found.shards != self.shards {
            return differs(
                "shard count",
                found.shards.to_string(),
                self.shards.to_string(),
            );
        }
        if found.slots != self.slots {
            return differs(
                "slot range",
                format!("{:?}", found.slots),
                format!("{:?}", self.slots),
            );
        }
        if found.hash != self.hash {
            return differs("slot hash", found.hash.clone(), self.hash.clone());
        }
        Ok(())
    }
}

/// Decodes the stored identity of the file opened for `shard`.
pub(crate) fn decode(body: &[u8], shard: u16) -> Result<Identity, LedgerError> {
    Identity::decode(body).ok_or_else(|| LedgerError::Corrupt {
        shard,
        place: Place::Identity,
        detail: format!("{} bytes don't decode", body.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_parts_cover_every_slot_once() {
        for shards in [1, 2, 3, 7, 64, SHARDS_MAX] {
            let mut next = 0;
            for shard in 0..shards {
                let slots = Identity::even(Uuid::nil(), shard, shards).slots;
                assert_eq!(slots.start, next);
                assert!(slots.start < slots.end);
                next = slots.end;
            }
            assert_eq!(next, SLOT_COUNT);
        }
    }

    #[test]
    fn an_identity_comes_back_as_it_was() {
        let identity = Identity::even(Uuid::from_u128(7), 2, 3);
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
    }
}
