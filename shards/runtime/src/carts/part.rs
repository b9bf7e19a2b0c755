//! A part: it holds tentatively, asks, and settles what home decided. It never ends a hold by
//! itself.

use super::timers::Timer;
use super::{Carts, traced};
use crate::peer::{Held, PeerMessage, Short, ShortWhy};
use crate::placement::ShardIndex;
use crate::shard::{Applied, Turn};
use holdfast_core::{
    Command, DropHold, ForeignHold, Millis, Outcome, PartHold, Reply, ReservationId, Settle,
    Timestamp, TraceParent, Try,
};
use std::collections::BTreeMap;

/// A hold whose home is asked until it answers.
pub(super) struct Question {
    pub(super) pause: Millis,
}

impl Carts {
    pub(super) fn on_try(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        part: Try,
        trace: Option<&TraceParent>,
    ) {
        let (id, attempt) = (part.id, part.attempt);
        let at = turn.now();
        let short = |why| {
            PeerMessage::Short(Box::new(Short {
                id,
                attempt,
                why,
                at,
            }))
        };
        if self.settings.undecided_max <= turn.engine().fill().undecided {
            turn.send(from, short(ShortWhy::Full("carts")), 0);
            return;
        }
        let request = traced(Command::Try(Box::new(part)), trace);
        let Applied { outcome, wait, .. } = turn.apply(&request);
        let message = match outcome {
            Outcome::Done(Reply::Part(PartHold { held, shortages })) => {
                for line in &held {
                    self.ask_at(line.hold, turn.now().after(self.settings.resend));
                }
                let again = false;
                PeerMessage::Held(Box::new(Held {
                    id,
                    attempt,
                    held,
                    shortages,
                    again,
                }))
            }
            Outcome::Refused { refusal, .. } => short(ShortWhy::Refused(refusal)),
            Outcome::Full(table) => short(ShortWhy::Full(table)),
            Outcome::Again | Outcome::Undecided => short(ShortWhy::Undecided),
            Outcome::Done(_) | Outcome::Unread | Outcome::AskParts { .. } => return,
        };
        turn.send(from, message, wait);
    }

    /// Sets the time at which home is asked about a hold, the pauses starting anew.
    pub(super) fn ask_at(&mut self, number: u64, at: Timestamp) {
        let pause = self.settings.resend;
        self.questions.insert(number, Question { pause });
        self.timers.set(Timer::Question(number), at);
    }

    /// Home will be asked again once the deadline has passed; less and less often, where it has
    /// passed here and not yet there.
    fn ask_after(&mut self, turn: &Turn<'_>, open: &ForeignHold) {
        let (number, now) = (open.number, turn.now());
        match self.questions.get(&number) {
            Some(question) if open.deadline <= now => {
                let next = now.after(question.pause);
                self.timers.set(Timer::Question(number), next);
            }
            Some(_) | None => {
                let at = open.deadline.max(now).after(self.settings.resend);
                self.ask_at(number, at);
            }
        }
    }

    /// Asks home about a hold; again, with growing pauses, until it answers.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>, number: u64) {
        let Some(hold) = turn.engine().foreign_hold(number) else {
            self.ask_whether_kept(turn, number);
            return;
        };
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        question.pause = question.pause.doubled(self.settings.resend_max);
        let next = turn.now().after(question.pause);
        self.timers.set(Timer::Question(number), next);
        let home = turn.placement().home_of(hold.id);
        let message = if hold.is_bound {
            PeerMessage::Ask {
                id: hold.id,
                holds: vec![number],
            }
        } else {
            let (id, attempt) = (hold.id, hold.attempt);
            let held = turn.engine().held_for(id, attempt);
            let (shortages, again) = (Vec::new(), true);
            PeerMessage::Held(Box::new(Held {
                id,
                attempt,
                held,
                shortages,
                again,
            }))
        };
        // What is asked about may not be durable yet.
        let after = turn.seq();
        turn.send(home, message, after);
    }

    pub(super) fn on_decided(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        settles: Vec<Settle>,
        trace: Option<&TraceParent>,
    ) {
        let mut settled: BTreeMap<(ReservationId, u32), Vec<u64>> = BTreeMap::new();
        let mut after = 0;
        for settle in settles {
            let (id, hold, version) = (settle.id, settle.hold, settle.version);
            let Applied { wait, .. } = turn.apply(&traced(Command::Settle(settle), trace));
            after = after.max(wait);
            settled.entry((id, version)).or_default().push(hold);
            match turn.engine().foreign_hold(hold) {
                Some(open) => self.ask_after(turn, &open),
                None => self.ask_when_forgotten(turn, hold),
            }
            self.report(turn, hold);
        }
        for ((id, version), holds) in settled {
            turn.send(from, PeerMessage::Settled { id, version, holds }, after);
        }
    }

    pub(super) fn on_drop(
        &mut self,
        turn: &mut Turn<'_>,
        drops: &[DropHold],
        trace: Option<&TraceParent>,
    ) {
        for drop in drops {
            turn.apply(&traced(Command::DropHold(drop.clone()), trace));
            if turn.engine().foreign_hold(drop.hold).is_none() {
                self.forget_question(drop.hold);
                self.forget_report(drop.hold);
            }
        }
    }

    pub(super) fn forget_question(&mut self, number: u64) {
        self.questions.remove(&number);
        self.timers.clear(Timer::Question(number));
    }
}
