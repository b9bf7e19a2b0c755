//! What a shard is sent.
//!
//! Deliberately absent: the mailbox itself, which is the actor's.

use crate::clock;
use crate::directory::KeyGuard;
use crate::peer::PeerMessage;
use crate::placement::ShardIndex;
use crate::reply::{Collector, FindTo, ReplyTo};
use holdfast_core::{Command, KeyTag, Request, ReservationId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One operation of a caller. Ids to be minted are [`ReservationId::UNMINTED`].
#[derive(Clone, Debug)]
pub struct Operation {
    /// The idempotency key, hashed with its caller, and the hash of the content.
    pub key: Option<KeyTag>,
    /// What to do.
    pub command: Command,
}

/// Until when a command may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Instant);

/// Something for a shard to do.
#[derive(Debug)]
pub enum Input {
    /// One command.
    One(Job),
    /// Many, each on its own.
    Many(Jobs),
    /// A strong read by id.
    Read(Read),
    /// Strong reads by id for a look-up.
    ReadMany(ReadMany),
    /// A step of a cart.
    Peer(ShardIndex, PeerMessage),
}

/// A command with its way back.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub request: Request,
    /// Until when it may be begun.
    pub deadline: Deadline,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// The commands of one message.
#[derive(Debug)]
pub struct Jobs {
    /// What to do, with the key guards, in order.
    pub requests: std::vec::IntoIter<(Request, Option<KeyGuard>)>,
    /// The place of the next one among the answers.
    pub next: u32,
    /// Until when they may be begun.
    pub deadline: Deadline,
    /// Where the answers go.
    pub collector: Arc<Collector>,
}

/// A strong read by id.
#[derive(Debug)]
pub struct Read {
    /// Which reservation.
    pub id: ReservationId,
    /// Until when it may be begun.
    pub deadline: Deadline,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Strong reads by id.
#[derive(Debug)]
pub struct ReadMany {
    /// Which reservations.
    pub ids: Vec<ReservationId>,
    /// Where the answer goes.
    pub to: FindTo,
}

impl Deadline {
    /// So long from now on.
    pub fn within(duration: Duration) -> Self {
        Self(clock::instant() + duration)
    }
}

impl From<Operation> for Request {
    fn from(operation: Operation) -> Self {
        Self {
            key: operation.key,
            command: operation.command,
        }
    }
}
