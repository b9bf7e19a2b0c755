//! One buyer's life: look, reserve, then pay, pay late, give back or leave, with repeats until
//! there is an answer.
//!
//! The rules of repetition are the contract's: a refusal is an answer; overload, time-outs and
//! broken connections are not, and are asked again with the same key and body.

use std::time::{Duration, Instant};

use super::{
    Ask, Call, Heard, Key, Misfit, Outcome, Reply, Standing, Told, Transport, Worker, id_text,
};
use crate::load::plan::Fate;

/// A buyer under way.
#[derive(Clone, Debug)]
pub(super) struct Live {
    number: u32,
    step: Step,
    /// Copies of the call that have no answer yet.
    pending: u8,
    tries: u16,
    /// When this step was due at first.
    intended: Instant,
    /// The reservation, once it is known; 0 before.
    id: u128,
    /// Its place in the book.
    entry: u32,
    /// What this round of the step has heard so far.
    round: Round,
    /// Whether some try of this step may have had its effect without an answer.
    unknown: bool,
}

/// What the copies of a call have heard.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    done: bool,
    again: bool,
    refused: bool,
    retry_after: Duration,
}

/// What a buyer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Look,
    Reserve,
    ReserveAgain,
    Confirm,
    ConfirmAgain,
    Release,
    /// A confirm after one that was refused for good.
    Probe,
    Gone,
}

impl Step {
    const fn call(self) -> Call {
        match self {
            Self::Look => Call::Availability,
            Self::Reserve | Self::ReserveAgain => Call::Reserve,
            Self::Confirm | Self::ConfirmAgain | Self::Probe => Call::Confirm,
            Self::Release | Self::Gone => Call::Release,
        }
    }

    const fn key(self) -> Key {
        match self {
            Self::Look | Self::Reserve | Self::ReserveAgain => Key::Reserve,
            Self::Confirm | Self::ConfirmAgain => Key::Confirm,
            Self::Release | Self::Gone => Key::Release,
            Self::Probe => Key::Probe,
        }
    }
}

impl<T: Transport> Worker<T> {
    /// A buyer arrives.
    pub(super) fn enter(&mut self, number: u32, intended: Instant) -> u32 {
        let step = if self.plan.buyer(number).looks {
            Step::Look
        } else {
            Step::Reserve
        };
        let live = Live {
            number,
            step,
            pending: 0,
            tries: 0,
            intended,
            id: 0,
            entry: 0,
            round: Round::default(),
            unknown: false,
        };
        if let Some(slot) = self.vacant.pop() {
            self.lives[slot as usize] = live;
            return slot;
        }
        self.lives.push(live);
        (self.lives.len() - 1) as u32
    }

    /// Sends what a buyer is at; twice where it is one of those who press twice.
    pub(super) fn act(&mut self, slot: u32) {
        let live = &mut self.lives[slot as usize];
        let (number, step, intended, tries) = (live.number, live.step, live.intended, live.tries);
        let buyer = self.plan.buyer(number);
        let twice = match step {
            Step::Reserve => buyer.reserve_at_once,
            Step::Confirm => buyer.confirm_at_once,
            _ => false,
        };
        let copies = if twice && tries == 0 && self.transport.free() > 1 {
            self.book.counts.duplicates += 1;
            2
        } else {
            1
        };
        live.pending = copies;
        live.round = Round::default();
        live.tries = tries.saturating_add(1);
        let id = live.id;
        if tries == 0 {
            self.note_lag(intended);
        } else {
            self.book.counts.retries += 1;
        }
        self.lines.clear();
        match step.call() {
            Call::Reserve => self.plan.lines(number, &mut self.lines),
            Call::Availability => self.plan.page(number, &mut self.lines),
            Call::Confirm | Call::Release | Call::Read => {}
        }
        let ask = Ask {
            call: step.call(),
            number,
            key: step.key(),
            customer: buyer.customer,
            id,
            lines: &self.lines,
        };
        for _ in 0..copies {
            self.transport.send(slot, &ask);
        }
    }

    /// Hears what came of a call.
    pub(super) fn hear(&mut self, heard: Heard) {
        let Heard {
            ticket: slot,
            sent,
            done,
            reply,
        } = heard;
        let live = &mut self.lives[slot as usize];
        let (call, intended) = (live.step.call(), live.intended);
        self.notes
            .answered(call, reply.outcome, intended, sent, done);
        live.pending -= 1;
        live.round.again |= reply.again;
        live.round.retry_after = live.round.retry_after.max(reply.retry_after);
        live.unknown |= reply.unknown;
        let step = live.step;
        if !reply.again {
            match step {
                Step::Look => live.round.done = true,
                Step::Reserve | Step::ReserveAgain => self.hear_reserve(slot, &reply),
                Step::Confirm | Step::ConfirmAgain | Step::Probe => {
                    self.hear_confirm(slot, &reply);
                }
                Step::Release => self.hear_release(slot, &reply),
                Step::Gone => {}
            }
        }
        if self.lives[slot as usize].pending == 0 {
            self.go_on(slot, done);
        }
    }

    fn hear_reserve(&mut self, slot: u32, reply: &Reply) {
        let live = &mut self.lives[slot as usize];
        let book = &mut self.book;
        let number = live.number;
        if reply.id == 0 {
            live.round.refused = true;
            if reply.denies_itself {
                book.misfits.note(Misfit::Denied, || {
                    format!("buyer {number} was refused units that the refusal says are there")
                });
            }
            let repeats = live.step == Step::ReserveAgain;
            if repeats || reply.outcome == Outcome::Refused {
                let kind = if repeats {
                    Misfit::Replay
                } else {
                    Misfit::Strange
                };
                let words = reply.words();
                book.misfits.note(kind, || {
                    format!("a reserve of buyer {number} was refused as {words}")
                });
            }
            return;
        }
        live.round.done = true;
        if live.id == 0 {
            live.id = reply.id;
            live.entry = book.hold(reply.id, number);
            return;
        }
        book.counts.replays += 1;
        if live.id != reply.id {
            let (one, other) = (id_text(live.id), id_text(reply.id));
            book.misfits.note(Misfit::Replay, || {
                format!("the key of buyer {number} made {one} and {other}")
            });
        } else if live.step == Step::ReserveAgain && !reply.replayed {
            book.misfits.note(Misfit::Replay, || {
                format!("a repeat of buyer {number} was not marked as one")
            });
        }
    }

    fn hear_confirm(&mut self, slot: u32, reply: &Reply) {
        let live = &mut self.lives[slot as usize];
        let told = match reply.outcome {
            Outcome::ConfirmedLate => Some(Told::ConfirmedLate),
            Outcome::Confirmed => Some(Told::Confirmed),
            Outcome::Replayed if reply.standing == Some(Standing::Confirmed) => {
                Some(Told::Confirmed)
            }
            Outcome::Expired => Some(Told::Lapsed),
            _ => None,
        };
        let misfits = &mut self.book.misfits;
        let entry = &mut self.book.entries[live.entry as usize];
        let is_told = |told| matches!(told, Told::Confirmed | Told::ConfirmedLate);
        let id = id_text(live.id);
        let Some(told) = told else {
            live.round.refused = true;
            let words = reply.words();
            misfits.note(Misfit::Terminal, || {
                format!("a confirm of {id}, which was held, was refused as {words}")
            });
            return;
        };
        live.round.done = true;
        match (live.step, is_told(told)) {
            (Step::Probe, true) => misfits.note(Misfit::AfterFinal, || {
                format!("{id} was confirmed after a refusal that was final")
            }),
            (Step::ConfirmAgain, _) => {
                self.book.counts.replays += 1;
                if !is_told(told) {
                    misfits.note(Misfit::Replay, || {
                        format!("a confirm of {id} was repeated as {}", reply.words())
                    });
                } else if !reply.replayed {
                    misfits.note(Misfit::Replay, || {
                        format!("a repeated confirm of {id} was not marked as one")
                    });
                }
            }
            (_, now) => {
                let before = entry.told;
                if before == Told::Lapsed && now || is_told(before) && !now {
                    misfits.note(Misfit::Terminal, || {
                        format!("one confirm of {id} was both done and refused for good")
                    });
                }
                // A late one that is repeated at once is late both times; either word will do.
                if !is_told(before) {
                    entry.told = told;
                }
            }
        }
    }

    fn hear_release(&mut self, slot: u32, reply: &Reply) {
        let live = &mut self.lives[slot as usize];
        let entry = &mut self.book.entries[live.entry as usize];
        let told = match (reply.outcome, reply.standing) {
            (Outcome::Expired, _)
            | (Outcome::Released | Outcome::Replayed, Some(Standing::Expired)) => Told::Lapsed,
            (Outcome::Released | Outcome::Replayed, Some(Standing::Released) | None) => {
                Told::Released
            }
            _ => {
                live.round.refused = true;
                let (id, words) = (id_text(live.id), reply.words());
                self.book.misfits.note(Misfit::Terminal, || {
                    format!("a release of {id}, which was held, was answered with {words}")
                });
                return;
            }
        };
        live.round.done = true;
        entry.told = told;
    }

    /// All copies have been heard: ask again, take the next step, or leave.
    fn go_on(&mut self, slot: u32, now: Instant) {
        let live = &mut self.lives[slot as usize];
        let round = live.round;
        if round.again && !round.done {
            return self.ask_again(slot, now);
        }
        let buyer = self.plan.buyer(live.number);
        let at_entry = live.entry as usize;
        let told = self.book.entries.get(at_entry).map(|entry| entry.told);
        let next = match live.step {
            Step::Look => Some(Step::Reserve),
            Step::Reserve | Step::ReserveAgain if !round.done => None,
            Step::Reserve if buyer.reserve_after => Some(Step::ReserveAgain),
            Step::Reserve | Step::ReserveAgain => {
                let step = match buyer.fate {
                    Fate::Pay | Fate::PayLate => Step::Confirm,
                    Fate::Release => Step::Release,
                    Fate::Abandon => {
                        self.book.counts.abandoned += 1;
                        return self.leave(slot);
                    }
                };
                live.start(step, now + buyer.thinks);
                return self.schedule(slot, now + buyer.thinks);
            }
            Step::Confirm if told == Some(Told::Lapsed) => Some(Step::Probe),
            Step::Confirm if round.done && buyer.confirm_after => Some(Step::ConfirmAgain),
            Step::Confirm | Step::ConfirmAgain | Step::Release | Step::Probe | Step::Gone => None,
        };
        let Some(next) = next else {
            return self.leave(slot);
        };
        match next {
            Step::ReserveAgain | Step::ConfirmAgain => self.book.counts.duplicates += 1,
            Step::Probe => self.book.counts.probes += 1,
            _ => {}
        }
        live.start(next, now);
        self.ready.push_back(slot);
    }

    fn ask_again(&mut self, slot: u32, now: Instant) {
        let live = &mut self.lives[slot as usize];
        let client = self.plan.scenario().client;
        let patience = Duration::from_millis(client.patience_ms);
        if now.saturating_duration_since(live.intended) < patience {
            let doubled = client.backoff_ms << (live.tries - 1).min(16);
            let pause = Duration::from_millis(doubled.min(client.backoff_max_ms));
            let at = now + pause.max(live.round.retry_after);
            return self.schedule(slot, at);
        }
        self.book.counts.gave_up += 1;
        self.lose(slot);
        self.leave(slot);
    }

    /// Notes what a call that is given up may have done.
    fn lose(&mut self, slot: u32) {
        let live = &self.lives[slot as usize];
        if !live.unknown {
            return;
        }
        match live.step {
            Step::Reserve if live.id == 0 => self.book.unanswered.push(live.number),
            Step::Confirm | Step::Release => {
                let entry = &mut self.book.entries[live.entry as usize];
                if entry.told == Told::Open {
                    entry.told = Told::Unsure;
                }
            }
            _ => {}
        }
    }

    fn leave(&mut self, slot: u32) {
        self.lives[slot as usize].step = Step::Gone;
        self.vacant.push(slot);
    }

    /// Calls under way.
    pub(super) fn under_way(&self) -> usize {
        let here = self.lives.iter().filter(|live| live.step != Step::Gone);
        here.map(|live| usize::from(live.pending)).sum()
    }

    /// Everybody leaves where they stand; what has no answer yet may have had its effect.
    pub(super) fn leave_all(&mut self) {
        for slot in 0..self.lives.len() as u32 {
            let live = &mut self.lives[slot as usize];
            if live.step != Step::Gone {
                live.unknown |= live.pending > 0;
                self.lose(slot);
            }
        }
    }
}

impl Live {
    fn start(&mut self, step: Step, intended: Instant) {
        self.step = step;
        self.intended = intended;
        self.tries = 0;
        self.unknown = false;
    }
}
