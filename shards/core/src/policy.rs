//! The bounds a shard decides by.

use crate::name::Text;
use crate::time::Millis;

/// Bounds and periods, all from the configuration. The defaults are those of the domain page.
#[derive(Clone, Debug)]
pub struct Policy {
    /// TTL of a reserve that names none.
    pub ttl_default: Millis,
    /// Shortest TTL.
    pub ttl_min: Millis,
    /// Longest TTL of one reserve or extend.
    pub ttl_max: Millis,
    /// Longest life from creation (of the first of a chain of replacements), pins excepted.
    pub lifetime_max: Millis,
    /// Longest pin.
    pub pin_max: Millis,
    /// How long after its deadline a reservation may be confirmed late.
    pub late_window: Millis,
    /// How long an ended reservation is kept.
    pub retention: Millis,
    /// How long a confirmed reservation is kept.
    pub order_retention: Millis,
    /// How long an idempotency key is kept.
    pub key_retention: Millis,
    /// How long the id of a source's message is kept.
    pub message_retention: Millis,
    /// How long a source's stream is kept that was not heard of; a quarantined one stays.
    pub stream_retention: Millis,
    /// Sources that leave no gaps in their sequences: one that is left is reported.
    pub feeds_gapless: Vec<Text>,
    /// Reservations kept on this shard, open and ended together.
    pub reservations_max: usize,
    /// Idempotency keys kept on this shard, the part included that [`Policy::keys_kept`] names.
    pub keys_max: usize,
    /// Whether stock may come in only where a location was declared.
    pub locations_declared: bool,
    /// SKUs known to this shard.
    pub skus_max: usize,
    /// Drifts kept on this shard, open and decided together: a reconciliation opens no more.
    pub drifts_max: usize,
    /// Expiries recorded in one turn.
    pub expire_per_turn: usize,
    /// Longest extension of a deadline that fell into downtime.
    pub resume_grace: Millis,
}

impl Policy {
    /// Places in the table of keys that are kept for what ends or pins a hold and for pausing a
    /// sale: the last fifth.
    pub const fn keys_kept(&self) -> usize {
        self.keys_max / 5
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ttl_default: Millis::from_secs(600),
            ttl_min: Millis::from_secs(1),
            ttl_max: Millis::from_secs(1800),
            lifetime_max: Millis::from_secs(3600),
            pin_max: Millis::from_secs(900),
            late_window: Millis::from_secs(86_400),
            retention: Millis::from_secs(86_400),
            order_retention: Millis::from_secs(7 * 86_400),
            key_retention: Millis::from_secs(86_400),
            message_retention: Millis::from_secs(30 * 86_400),
            stream_retention: Millis::from_secs(90 * 86_400),
            feeds_gapless: Vec::new(),
            reservations_max: 4_000_000,
            keys_max: 16_000_000,
            locations_declared: false,
            skus_max: 4_000_000,
            drifts_max: 1_000_000,
            expire_per_turn: 128,
            resume_grace: Millis::from_secs(60),
        }
    }
}
