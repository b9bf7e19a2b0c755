//! What a shard is sent.
//!
//! Deliberately absent: the mailbox itself, which is the actor's.

use crate::bundle::Bundle;
use crate::clock;
use crate::lists::{ListTo, Query};
use crate::peer::PeerMessage;
use crate::placement::ShardIndex;
use crate::reply::{FindTo, KeyTo, ReplyTo};
use holdfast_core::{KeyTag, Request, ReservationId};
use std::time::{Duration, Instant};

/// One operation of a caller. Ids to be minted are [`ReservationId::UNMINTED`].
pub type Operation = Request;

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
    /// A part of a list over all shards.
    List(ListRead),
    /// Whether this shard has kept a key.
    Key(AskKey),
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
    /// Until when they may be begun.
    pub deadline: Deadline,
    /// What to do, and where the answers go.
    pub bundle: Bundle,
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

/// A strong read of a part of a list.
#[derive(Debug)]
pub struct ListRead {
    /// What is listed.
    pub query: Query,
    /// Where the answer goes.
    pub to: ListTo,
}

/// The question for a key that another shard may have kept.
#[derive(Debug)]
pub struct AskKey {
    /// Which.
    pub tag: KeyTag,
    /// Where the answer goes.
    pub to: KeyTo,
}

impl Deadline {
    /// So long from now on.
    pub fn within(duration: Duration) -> Self {
        Self(clock::instant() + duration)
    }
}
