//! Who is told what once a batch is durable.
//!
//! Deliberately absent: which batch somebody waits for ([`Core`](super::core::Core) knows).

use crate::bundle::Bundle;
use crate::lists::{ListTo, Listed};
use crate::peer::PeerMessage;
use crate::placement::ShardIndex;
use crate::reply::{FindTo, Found, KeyTo, ReplyTo, Told};
use holdfast_core::{KeyTag, Slot};

/// What happens once a batch is durable.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) replies: Vec<(ReplyTo, Told, KeyFate)>,
    pub(super) bundles: Vec<Bundle>,
    pub(super) found: Vec<(FindTo, Found)>,
    pub(super) listed: Vec<(ListTo, Listed)>,
    pub(super) asked: Vec<(KeyTo, Option<Told>)>,
    pub(super) sends: Vec<(ShardIndex, PeerMessage)>,
    pub(super) keys: Vec<(KeyTag, Slot)>,
    pub(super) forgotten: Vec<(KeyTag, Slot)>,
}

/// What the commit means for the key of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFate {
    /// The ledger has it now.
    Kept,
    /// It is free again, unless another commit has kept it.
    Free,
}

impl Waiting {
    /// Whether a caller waits for what it has asked for.
    pub(super) fn has_callers(&self) -> bool {
        !(self.replies.is_empty() && self.bundles.is_empty())
    }

    /// Tells all of them; what is for other shards comes back.
    pub(super) fn tell(self) -> Vec<(ShardIndex, PeerMessage)> {
        for (reply, told, key) in self.replies {
            tell_now(reply, told, key);
        }
        for bundle in self.bundles {
            bundle.send();
        }
        for (to, found) in self.found {
            to.send(found);
        }
        for (to, listed) in self.listed {
            to.send(listed);
        }
        for (to, told) in self.asked {
            to.send(told);
        }
        self.sends
    }
}

/// Tells what need not wait.
pub(super) fn tell_now(reply: ReplyTo, told: Told, key: KeyFate) {
    match key {
        KeyFate::Kept => reply.send_kept(told),
        KeyFate::Free => reply.send(told),
    }
}
