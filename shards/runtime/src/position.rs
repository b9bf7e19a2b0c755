//! Positions: opaque points in the ledgers, as answers name them.
//!
//! Deliberately absent: reading them back, which is of statements.

use crate::placement::ShardIndex;
use crate::router::Router;
use holdfast_core::Sku;
use std::sync::atomic::Ordering;

impl Router {
    /// The opaque text of a point in the ledger of a SKU's shard; 0 is its last commit.
    pub fn position(&self, sku: &Sku, seq: u64) -> String {
        let shard = self.0.placement.shard_of_sku(sku);
        let last = || self.link(shard).stats.committed.load(Ordering::Acquire);
        self.shard_position(shard, if seq == 0 { last() } else { seq })
    }

    /// The first half of the id that all shards of this data directory share.
    pub fn cluster(&self) -> u64 {
        self.0.cluster
    }

    /// The opaque text of a point in a shard's ledger: cluster, layout, shard, sequence.
    pub fn shard_position(&self, shard: ShardIndex, seq: u64) -> String {
        let layout = self.0.placement.shards();
        let mut text = String::with_capacity(40);
        push_hex(&mut text, &self.0.cluster.to_be_bytes());
        push_hex(&mut text, &layout.to_be_bytes());
        push_hex(&mut text, &shard.to_be_bytes());
        push_hex(&mut text, &seq.to_be_bytes());
        text
    }
}

/// In lower case. Every refusal names a position, and formatting takes ten times as long.
fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_hex_as_formatting_does() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let mut text = String::new();
            push_hex(&mut text, &number.to_be_bytes());
            assert_eq!(text, format!("{number:016x}"));
        }
    }
}
