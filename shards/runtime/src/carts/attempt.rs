//! A try at its home: in memory only, and gone with it.

use crate::peer::{PeerMessage, ShortWhy, Trace};
use crate::placement::ShardIndex;
use crate::reply::ReplyTo;
use crate::shard::Turn;
use holdfast_core::{
    Confirm, CreateCart, DropHold, HeldLine, KeyTag, Millis, Mode, MoveHold, Refusal,
    ReservationId, Reserve, ReserveLine, Settle, Shortage, Text, Timestamp, Try,
};

/// A try to reserve, or to confirm late, that waits for its parts.
pub(super) struct Attempt {
    /// With the id it names this try for ever.
    pub(super) number: u32,
    pub(super) goal: Goal,
    pub(super) key: Option<KeyTag>,
    /// Where the command stood in its caller's trace; its parts record it too.
    pub(super) trace: Trace,
    /// The drift it corrects: what that comes to is no answer to the buyer, and never final.
    pub(super) drift: Option<ReservationId>,
    /// Whose limits the units count for.
    pub(super) customer: Option<Text>,
    /// The deadline that the parts note; a hint until home has decided.
    pub(super) deadline: Timestamp,
    /// The caller, and those who repeated its command meanwhile.
    pub(super) waiters: Vec<ReplyTo>,
    pub(super) parts: Vec<Part>,
    /// When home gives up.
    pub(super) until: Timestamp,
    pub(super) pause: Millis,
    /// New attempts left after crossing carts refused each other.
    pub(super) retries: u32,
    /// Between two attempts: nothing has been sent yet.
    pub(super) is_resting: bool,
}

/// What a try is for.
pub(super) enum Goal {
    Reserve(Box<CreateCart>),
    Late(Box<Confirm>),
    Move(Box<MoveHold>),
}

/// A shard with lines of the cart.
pub(super) struct Part {
    pub(super) shard: ShardIndex,
    pub(super) lines: Vec<ReserveLine>,
    /// Holds to settle before units are taken again.
    pub(super) late: Option<Vec<Settle>>,
    /// The hold whose units are to be held at another location.
    pub(super) from: Option<u64>,
    pub(super) answer: Option<PartAnswer>,
}

/// What a part said.
pub(super) enum PartAnswer {
    Held(Vec<HeldLine>, Vec<Shortage>),
    Short(ShortWhy),
}

impl Attempt {
    pub(super) fn part_mut(&mut self, shard: ShardIndex) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.shard == shard)
    }

    pub(super) fn has_all_answers(&self) -> bool {
        self.parts.iter().all(|part| part.answer.is_some())
    }

    /// The message to a part.
    pub(super) fn try_message(&self, part: &Part, id: ReservationId) -> PeerMessage {
        let mode = match &self.goal {
            Goal::Reserve(cart) => cart.reserve.mode,
            Goal::Late(_) | Goal::Move(_) => Mode::AllOrNothing,
        };
        let part = Try {
            id,
            attempt: self.number,
            lines: part.lines.clone(),
            customer: self.customer.clone(),
            mode,
            deadline: self.deadline,
            late: part.late.clone(),
            from: part.from,
        };
        PeerMessage::Try(Box::new(part), self.trace.clone())
    }

    /// Whether parts are to hold what there is.
    pub(super) fn is_best_effort(&self) -> bool {
        matches!(&self.goal, Goal::Reserve(cart) if cart.reserve.mode == Mode::BestEffort)
    }

    /// What the parts hold.
    pub(super) fn held(&self) -> Vec<HeldLine> {
        let answers = self.parts.iter().filter_map(|part| part.answer.as_ref());
        let held = answers.filter_map(|answer| match answer {
            PartAnswer::Held(held, _) => Some(held.clone()),
            PartAnswer::Short(_) => None,
        });
        held.flatten().collect()
    }

    /// The holds taken, per shard, for ending them.
    pub(super) fn drops(&self, id: ReservationId) -> Vec<(ShardIndex, Vec<DropHold>)> {
        let drops = self.parts.iter().filter_map(|part| match &part.answer {
            Some(PartAnswer::Held(held, _)) => {
                let holds = held.iter().map(|line| DropHold {
                    id,
                    hold: line.hold,
                });
                Some((part.shard, holds.collect()))
            }
            Some(PartAnswer::Short(_)) | None => None,
        });
        drops.collect()
    }

    /// What the parts refused, together: the lowest class that any reports, with all its lines.
    pub(super) fn refusal(&self, counts: impl Fn(&Refusal) -> bool) -> Option<Refusal> {
        let refusals = self.parts.iter().filter_map(|part| match &part.answer {
            Some(PartAnswer::Short(ShortWhy::Refused(refusal))) => Some(refusal),
            Some(_) | None => None,
        });
        let refusals = refusals.filter(|refusal| counts(refusal));
        refusals.cloned().reduce(Refusal::join)
    }

    /// Adds what the parts refused to home's own refusal of a best effort that got nothing. Where
    /// home has no lines, its own says nothing.
    pub(super) fn join_parts(&self, own: &mut Refusal) {
        let is_shortage = own.as_shortage().is_some();
        if !self.is_best_effort() || !is_shortage || !self.held().is_empty() {
            return;
        }
        if let Some(parts) = self.refusal(|_| true) {
            *own = if has_own(self) {
                own.clone().join(parts)
            } else {
                parts
            };
        }
    }

    /// Whether units that other carts have not decided are all that was missing.
    pub(super) fn only_undecided_missing(&self) -> bool {
        let mut shorts = self.parts.iter().filter_map(|part| match &part.answer {
            Some(PartAnswer::Short(why)) => Some(why),
            Some(PartAnswer::Held(..)) | None => None,
        });
        shorts.all(|why| match why {
            ShortWhy::Undecided => true,
            ShortWhy::Refused(refusal) => only_undecided(refusal),
            ShortWhy::Full(_) => false,
        })
    }
}

/// Whether units that other carts have not decided are all that a refusal misses.
pub(super) fn only_undecided(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::InsufficientStock(lines) => lines
            .iter()
            .all(|line| line.requested <= line.available + line.undecided),
        _ => false,
    }
}

/// Whether home has lines of its own in the cart.
pub(super) const fn has_own(attempt: &Attempt) -> bool {
    match &attempt.goal {
        Goal::Reserve(cart) => !cart.own.is_empty(),
        Goal::Late(_) | Goal::Move(_) => false,
    }
}

/// The lines of a reserve that other shards have.
pub(super) fn parts_of(turn: &Turn<'_>, reserve: &Reserve) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in reserve
        .lines
        .iter()
        .filter(|line| !turn.is_local(&line.sku))
    {
        let shard = turn.shard_of(&line.sku);
        match parts.iter_mut().find(|part| part.shard == shard) {
            Some(part) => part.lines.push(line.clone()),
            None => parts.push(Part {
                shard,
                lines: vec![line.clone()],
                late: None,
                from: None,
                answer: None,
            }),
        }
    }
    parts
}
