//! Home: tries in memory, and one record once every part holds.

use super::attempt::{Attempt, Goal, PartAnswer, has_own, only_undecided, parts_of};
use super::shortages::with_parts;
use super::timers::Timer;
use super::{Carts, step};
use crate::peer::{Held, PeerMessage, Short, ShortWhy};
use crate::placement::{ShardIndex, reserve_slot};
use crate::reply::{ReplyTo, Told};
use crate::shard::{Applied, Turn};
use crate::unavailable::Unavailable;
use holdfast_core::{
    Answer, Command, CreateCart, KeyTag, Outcome, OwnCheck, Refusal, Request, ReservationId,
};

impl Carts {
    /// A reserve with lines on several shards.
    pub fn reserve(&mut self, turn: &mut Turn<'_>, request: Request, reply: ReplyTo) {
        let Request {
            key,
            command: Command::Reserve(reserve),
            trace,
        } = request
        else {
            return;
        };
        let Some(reply) = self.join(turn, key.as_ref(), reply) else {
            return;
        };
        if self.settings.undecided_max <= self.tries.len() {
            turn.answer(reply, Err(Unavailable::Full("carts")), 0);
            return;
        }
        let own = (0..reserve.lines.len()).filter(|at| turn.is_local(&reserve.lines[*at].sku));
        let own = own.collect();
        let mut cart = CreateCart {
            reserve: *reserve,
            held: vec![],
            shortages: vec![],
            own,
        };
        let refused = check_own(turn, &cart);
        if refused.is_none() {
            cart.reserve.id = turn.mint(reserve_slot(&cart.reserve));
        }
        let ttl = cart
            .reserve
            .ttl
            .unwrap_or(turn.engine().policy().ttl_default);
        let attempt = Attempt {
            number: 0,
            key,
            trace,
            drift: None,
            customer: cart.reserve.customer.clone(),
            deadline: turn.now().after(ttl),
            waiters: vec![reply],
            parts: parts_of(turn, &cart.reserve),
            until: turn.now().after(self.settings.try_timeout),
            pause: self.settings.resend,
            retries: self.settings.retries,
            is_resting: false,
            goal: Goal::Reserve(Box::new(cart)),
        };
        match refused {
            None => self.begin(turn, attempt),
            Some(told) => self.own_refused(turn, attempt, &told),
        }
    }

    /// Home's own lines can't be held: now, where undecided carts alone stand in the way.
    fn own_refused(&mut self, turn: &mut Turn<'_>, attempt: Attempt, told: &Told) {
        let is_undecided =
            matches!(told, Ok(Answer::Refused { refusal, .. }) if only_undecided(refusal));
        if is_undecided && attempt.retries > 0 {
            self.rest(turn, attempt);
            return;
        }
        let after = turn.seq();
        tell_all(turn, attempt.waiters, told, after);
    }

    /// Joins the try of the same key, or hands the reply back where there is none.
    pub(super) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        key: Option<&KeyTag>,
        reply: ReplyTo,
    ) -> Option<ReplyTo> {
        let Some(tag) = key else { return Some(reply) };
        if let Some(repeat) = turn.engine().repeat(tag) {
            if let Some(told) = turn.told(repeat.outcome, repeat.read) {
                turn.answer(reply, told, repeat.read);
            }
            return None;
        }
        let Some(attempt) = self
            .by_key
            .get(&tag.hash)
            .and_then(|id| self.tries.get_mut(id))
        else {
            return Some(reply);
        };
        if attempt.key.as_ref() == Some(tag) {
            attempt.waiters.push(reply);
        } else {
            let refusal = turn.refused(Refusal::KeyReused, false, 0);
            turn.answer(reply, Ok(refusal), 0);
        }
        None
    }

    /// Enters a try, then asks its parts.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>, attempt: Attempt) {
        let id = attempt.id();
        if let Some(tag) = &attempt.key {
            self.by_key.insert(tag.hash, id);
        }
        self.timers.set(
            Timer::Try(id),
            turn.now().after(attempt.pause).min(attempt.until),
        );
        self.tries.insert(id, attempt);
        self.send_tries(turn, id, None);
    }

    /// Sends a try to the parts that have not answered.
    pub(super) fn send_tries(
        &mut self,
        turn: &mut Turn<'_>,
        id: ReservationId,
        only: Option<ShardIndex>,
    ) {
        let Some(attempt) = self.tries.get(&id).filter(|attempt| !attempt.is_resting) else {
            return;
        };
        // A try that carries a decision leaves with its record.
        let after = match attempt.goal {
            Goal::Reserve(_) => 0,
            Goal::Late(_) | Goal::Move(_) => turn.engine().reservation_seq(id).unwrap_or(0),
        };
        for part in attempt.parts.iter().filter(|part| part.answer.is_none()) {
            if only.is_none_or(|shard| shard == part.shard) {
                let message = attempt.try_message(part, id);
                turn.send(part.shard, message, after);
            }
        }
    }

    /// A try's timer ran out: rest is over, time is up, or messages are sent again.
    pub(super) fn try_again(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let Some(attempt) = self.tries.get_mut(&id) else {
            return;
        };
        if attempt.is_resting {
            attempt.is_resting = false;
            let own = match &attempt.goal {
                Goal::Reserve(cart) => check_own(turn, cart),
                Goal::Late(_) | Goal::Move(_) => None,
            };
            if let Some(told) = own {
                let attempt = self.end(id).expect("just found");
                self.own_refused(turn, attempt, &told);
                return;
            }
        } else if attempt.until <= turn.now() {
            self.give_up(turn, id);
            return;
        } else {
            attempt.pause = attempt.pause.doubled(self.settings.resend_max);
        }
        let next = turn.now().after(attempt.pause).min(attempt.until);
        self.timers.set(Timer::Try(id), next);
        self.send_tries(turn, id, None);
    }

    /// A part holds, or asks again about what it holds.
    pub(super) fn on_held(&mut self, turn: &mut Turn<'_>, from: ShardIndex, held: Held) {
        let Held {
            id,
            attempt: number,
            held,
            shortages,
            ..
        } = held;
        let is_tried = self
            .tries
            .get(&id)
            .is_some_and(|attempt| attempt.number == number);
        if !is_tried {
            // Attempts are numbered for ever: one that is not tried now never will be again.
            let holds: Vec<u64> = held.iter().map(|line| line.hold).collect();
            self.tell_fate(turn, from, id, &holds, false);
            return;
        }
        self.answered(turn, from, id, PartAnswer::Held(held, shortages));
    }

    /// A part does not hold.
    pub(super) fn on_short(&mut self, turn: &mut Turn<'_>, from: ShardIndex, short: Short) {
        let Short {
            id,
            attempt: number,
            why,
            ..
        } = short;
        if self
            .tries
            .get(&id)
            .is_some_and(|attempt| attempt.number == number)
        {
            self.answered(turn, from, id, PartAnswer::Short(why));
        }
    }

    fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        id: ReservationId,
        answer: PartAnswer,
    ) {
        let attempt = self.tries.get_mut(&id).expect("the caller found it");
        let Some(part) = attempt.part_mut(from) else {
            return;
        };
        // The first answer counts; while trying, a question gets none.
        if part.answer.is_none() {
            part.answer = Some(answer);
            if attempt.has_all_answers() {
                self.conclude(turn, id);
            }
        }
    }

    /// Every part has answered.
    fn conclude(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let attempt = self.tries.get(&id).expect("the caller found it");
        let is_short = attempt
            .parts
            .iter()
            .any(|part| matches!(part.answer, Some(PartAnswer::Short(_))));
        if is_short && attempt.only_undecided_missing() && attempt.retries > 0 {
            let attempt = self.end(id).expect("just found");
            self.drop_holds(turn, id, &attempt);
            self.rest(turn, attempt);
        } else if is_short && !attempt.is_best_effort() {
            self.refuse(turn, id);
        } else {
            self.record(turn, id);
        }
    }

    /// Crossing carts refused each other: try again under a new id, after a random pause.
    fn rest(&mut self, turn: &mut Turn<'_>, mut attempt: Attempt) {
        attempt.retries -= 1;
        attempt.is_resting = true;
        for part in &mut attempt.parts {
            part.answer = None;
        }
        match &mut attempt.goal {
            Goal::Reserve(cart) => cart.reserve.id = turn.mint(reserve_slot(&cart.reserve)),
            Goal::Late(confirm) => attempt.number = super::late::number(turn, confirm.id),
            Goal::Move(moved) => attempt.number = super::late::number(turn, moved.id),
        }
        let id = attempt.id();
        let jitter =
            holdfast_core::Millis::new(1 + turn.random() % self.settings.resend.ms().max(2));
        self.timers.set(Timer::Try(id), turn.now().after(jitter));
        if let Some(tag) = &attempt.key {
            self.by_key.insert(tag.hash, id);
        }
        self.tries.insert(id, attempt);
    }

    /// Records the cart: from now on it exists.
    fn record(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let attempt = self.end(id).expect("the caller found it");
        let command = match &attempt.goal {
            Goal::Reserve(cart) => match with_parts(cart, &attempt) {
                Ok(cart) => Command::CreateCart(cart),
                Err(why) => {
                    let told = told_of(turn, why);
                    self.fail(turn, id, attempt, &told);
                    return;
                }
            },
            Goal::Move(moved) => super::move_hold::command(moved, &attempt),
            Goal::Late(confirm) => super::late::command(confirm, &attempt),
        };
        let request = Request {
            key: attempt.key,
            command,
            trace: attempt.trace.clone(),
        };
        let Applied {
            mut outcome, wait, ..
        } = turn.apply(&request);
        if let Outcome::Refused { refusal, .. } = &mut outcome {
            // Best effort that got nothing: what the parts said counts as well.
            attempt.join_parts(refusal);
        }
        if matches!(outcome, Outcome::Done(_)) {
            let told = turn.told(outcome, wait).expect("done is told");
            tell_all(turn, attempt.waiters, &told, wait);
            return;
        }
        self.drop_holds(turn, id, &attempt);
        let is_undecided = match &outcome {
            Outcome::Undecided | Outcome::Again => true,
            Outcome::Refused { refusal, .. } => only_undecided(refusal),
            Outcome::Done(_) | Outcome::Full(_) | Outcome::Unread | Outcome::AskParts { .. } => {
                false
            }
        };
        if is_undecided && attempt.retries > 0 {
            self.rest(turn, attempt);
            return;
        }
        let told = turn
            .told(outcome, wait)
            .unwrap_or(Err(Unavailable::Undecided));
        tell_all(turn, attempt.waiters, &told, wait);
    }

    /// A part said no: the lowest class that any reports, with all its lines.
    fn refuse(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let attempt = self.end(id).expect("the caller found it");
        let refusal = attempt.refusal(|_| true);
        let mut unavailable = None;
        for part in &attempt.parts {
            match &part.answer {
                Some(PartAnswer::Short(ShortWhy::Full(table))) => {
                    unavailable = Some(Unavailable::Full(table));
                }
                Some(PartAnswer::Short(ShortWhy::Undecided)) => {
                    unavailable = unavailable.or(Some(Unavailable::Undecided));
                }
                Some(PartAnswer::Short(ShortWhy::Refused(_)) | PartAnswer::Held(..)) | None => {}
            }
        }
        // What undecided carts alone stand in the way of is not gone for good.
        if attempt.only_undecided_missing() && matches!(attempt.goal, Goal::Late(_)) {
            unavailable = unavailable.or(Some(Unavailable::Undecided));
        }
        if let (Goal::Late(confirm), Some(refusal), None, None) =
            (&attempt.goal, &refusal, &unavailable, &attempt.drift)
        {
            let (told, after) =
                super::late::refused(turn, confirm, (attempt.key, attempt.trace.clone()), refusal);
            self.drop_holds(turn, id, &attempt);
            tell_all(turn, attempt.waiters, &told, after);
            return;
        }
        let told = match (unavailable, refusal) {
            (None, Some(refusal)) => Ok(turn.refused(refusal, false, 0)),
            (Some(unavailable), _) => Err(unavailable),
            (None, None) => Err(Unavailable::Undecided),
        };
        self.fail(turn, id, attempt, &told);
    }

    /// Time is up.
    fn give_up(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let attempt = self.tries.get(&id).expect("the caller found it");
        let silent = attempt.parts.iter().find(|part| part.answer.is_none());
        let shard = silent.map_or(turn.index(), |part| part.shard);
        let holds_something = !attempt.held().is_empty() || has_own(attempt);
        if attempt.is_best_effort() && holds_something {
            // A missing part is left out; its late answer gets a Drop.
            self.record(turn, id);
            return;
        }
        let attempt = self.end(id).expect("just found");
        self.fail(
            turn,
            id,
            attempt,
            &Err(Unavailable::PartUnavailable { shard }),
        );
    }

    fn fail(&mut self, turn: &mut Turn<'_>, id: ReservationId, attempt: Attempt, told: &Told) {
        self.drop_holds(turn, id, &attempt);
        tell_all(turn, attempt.waiters, told, 0);
    }

    /// Ends a try. Neither trying nor recorded is final, so it needs no tombstone.
    fn end(&mut self, id: ReservationId) -> Option<Attempt> {
        let attempt = self.tries.remove(&id)?;
        if let Some(tag) = &attempt.key {
            self.by_key.remove(&tag.hash);
        }
        self.timers.clear(Timer::Try(id));
        Some(attempt)
    }

    #[allow(clippy::unused_self, reason = "reads beside its siblings")]
    fn drop_holds(&self, turn: &mut Turn<'_>, id: ReservationId, attempt: &Attempt) {
        for (shard, drops) in attempt.drops(id) {
            turn.send(shard, PeerMessage::Drop(drops, attempt.trace.clone()), 0);
        }
    }

    /// Answers a part's question about its holds: nothing while trying, what was decided if the
    /// record names them, else that they are to be dropped.
    pub(super) fn tell_fate(
        &self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        id: ReservationId,
        holds: &[u64],
        is_trying: bool,
    ) {
        let decided = turn.engine().decided(id);
        let after = turn.engine().reservation_seq(id).unwrap_or(0);
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for hold in holds {
            let named = decided
                .iter()
                .find(|(sku, settle)| settle.hold == *hold && turn.shard_of(sku) == from);
            match named {
                Some((_, settle)) => known.push(settle.clone()),
                None => unknown.push(holdfast_core::DropHold { id, hold: *hold }),
            }
        }
        if !known.is_empty() {
            turn.send(from, PeerMessage::Decided(known, self.trace_of(id)), after);
        }
        if !unknown.is_empty() && !is_trying {
            turn.send(from, PeerMessage::Drop(unknown, None), after);
        }
    }

    /// Every part has settled the end of a cart.
    pub(super) fn close(turn: &mut Turn<'_>, id: ReservationId) {
        if turn.engine().has_ended(id) {
            turn.apply(&step(Command::CloseCart(id)));
        }
    }
}

impl Attempt {
    pub(super) fn id(&self) -> ReservationId {
        match &self.goal {
            Goal::Reserve(cart) => cart.reserve.id,
            Goal::Late(confirm) => confirm.id,
            Goal::Move(moved) => moved.id,
        }
    }
}

/// What is told of a part that refuses the cart whatever its mode.
fn told_of(turn: &Turn<'_>, why: ShortWhy) -> Told {
    match why {
        ShortWhy::Refused(refusal) => Ok(turn.refused(refusal, false, 0)),
        ShortWhy::Full(table) => Err(Unavailable::Full(table)),
        ShortWhy::Undecided => Err(Unavailable::Undecided),
    }
}

/// Whether home's own lines can't be held; what to tell then.
fn check_own(turn: &mut Turn<'_>, cart: &CreateCart) -> Option<Told> {
    for _ in 0..turn.engine().policy().expire_per_turn {
        match turn.engine().check_own(cart, turn.now()) {
            OwnCheck::Free => return None,
            OwnCheck::Again(events) => turn.record(&events),
            OwnCheck::Refused(refusal) => {
                // The board may know of others' lines that are short as well.
                let others = super::late::from_board(turn, cart);
                let refusal = match others {
                    Some(others) if others.class() <= refusal.class() => refusal.join(others),
                    Some(_) | None => refusal,
                };
                return Some(Ok(turn.refused(refusal, false, turn.seq())));
            }
        }
    }
    Some(Err(Unavailable::Undecided))
}

fn tell_all(turn: &mut Turn<'_>, waiters: Vec<ReplyTo>, told: &Told, after: u64) {
    for (at, waiter) in waiters.into_iter().enumerate() {
        // Those who repeated the command see that they did.
        let told = if at == 0 {
            told.clone()
        } else {
            told.clone().map(super::late::replayed)
        };
        turn.answer(waiter, told, after);
    }
}
