//! Why an operation got no answer from the business: the family that callers retry.
//!
//! Deliberately absent: status codes (the HTTP layer has them) and refusals (the core has them).

use crate::placement::ShardIndex;
use holdfast_core::Millis;
use std::sync::Arc;

/// What became of an operation that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it happened; it is safe to go elsewhere.
    NotApplied,
    /// It may have happened: retry with the same key before anything else.
    Unknown,
}

/// No answer, for reasons that are not the business's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The shard has as many operations in flight as it may.
    #[error("shard {shard} has as many operations in flight as it may; retry later")]
    Overloaded {
        /// Which.
        shard: ShardIndex,
    },
    /// A table is full.
    #[error("the table of {0} is full")]
    Full(&'static str),
    /// The shard is being rebuilt from its ledger.
    #[error("shard {shard} is being rebuilt from its ledger; retry shortly")]
    Recovering {
        /// Which.
        shard: ShardIndex,
    },
    /// The shard does not serve until its ledger is well again.
    #[error("shard {shard} is down: {reason}")]
    Down {
        /// Which.
        shard: ShardIndex,
        /// Why.
        reason: Arc<str>,
    },
    /// The service is stopping.
    #[error("the service is draining; go to another, or retry after its restart")]
    Draining,
    /// The deadline passed before the command was begun.
    #[error("the deadline passed before the operation was begun")]
    Deadline,
    /// A part of a cart can't be held now.
    #[error("shard {shard}, which has a part of this cart, did not hold it in time; retry")]
    PartUnavailable {
        /// Which.
        shard: ShardIndex,
    },
    /// Units under carts that have not been decided stand in the way.
    #[error("units under undecided carts stand in the way; retry")]
    Undecided,
    /// The past that a count speaks of can't be read now.
    #[error("the history of shard {shard} {why}")]
    History {
        /// Which.
        shard: ShardIndex,
        /// What is the matter with it.
        why: &'static str,
    },
    /// What the command leans on was not read; who sends it knows why.
    #[error("what it leans on was not read; retry")]
    Unread,
    /// It was begun, and the shard died before it answered.
    #[error("shard {shard} stopped before it answered; retry with the same key")]
    Lost {
        /// Which.
        shard: ShardIndex,
    },
    /// The first operation with this key is still running.
    #[error("the first operation with this key is still running; retry with the same key")]
    KeyInProgress,
}

impl Unavailable {
    /// What became of the operation.
    pub const fn fate(&self) -> Fate {
        match self {
            Self::Lost { .. } => Fate::Unknown,
            Self::Overloaded { .. }
            | Self::Full(_)
            | Self::Recovering { .. }
            | Self::Down { .. }
            | Self::Draining
            | Self::Deadline
            | Self::PartUnavailable { .. }
            | Self::Undecided
            | Self::History { .. }
            | Self::Unread
            | Self::KeyInProgress => Fate::NotApplied,
        }
    }

    /// How long to wait before a retry makes sense.
    pub const fn retry_after(&self) -> Millis {
        match self {
            Self::Deadline | Self::Undecided | Self::Unread | Self::KeyInProgress => {
                Millis::new(100)
            }
            Self::Overloaded { .. }
            | Self::Recovering { .. }
            | Self::PartUnavailable { .. }
            | Self::History { .. }
            | Self::Lost { .. } => Millis::from_secs(1),
            Self::Full(_) | Self::Draining => Millis::from_secs(5),
            Self::Down { .. } => Millis::from_secs(10),
        }
    }
}
