//! One worker: it lets its share of the buyers arrive, sends what is due, and hears the answers.
//!
//! What is due waits in a heap, what can't be sent in a queue; arrivals that can't be sent are not
//! even taken out of the plan, so that a server that stands still fills no memory here.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Book, Heard, Notes, Transport, buyer::Live};
use crate::load::plan::{Line, Plan, Schedule};

/// How arrivals are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// They come when the plan says, whatever the server does.
    Open,
    /// One comes whenever a connection is free.
    Closed,
}

/// The run that a worker is part of.
#[derive(Clone, Debug)]
pub struct Course {
    /// Who arrives when, and does what.
    pub plan: Arc<Plan>,
    /// How arrivals are made.
    pub model: Model,
    /// When the run begins.
    pub start: Instant,
    /// This worker, of how many.
    pub worker: (u32, u32),
    /// Set, it ends early: nobody arrives any more, and what is under way is awaited.
    pub stop: Arc<AtomicBool>,
}

/// One worker.
pub struct Worker<T> {
    pub(super) plan: Arc<Plan>,
    pub(super) transport: T,
    pub(super) notes: Notes,
    pub(super) book: Book,
    pub(super) lives: Vec<Live>,
    /// Places in `lives` that can be taken again.
    pub(super) vacant: Vec<u32>,
    /// Who is to do something when: nanoseconds from the start, and the place in `lives`.
    pub(super) timers: BinaryHeap<Reverse<(u64, u32)>>,
    /// Who is due, in order.
    pub(super) ready: VecDeque<u32>,
    pub(super) lines: Vec<Line>,
    pub(super) start: Instant,
    arrivals: Arrivals,
    model: Model,
    stop: Arc<AtomicBool>,
    drop_after: Duration,
    /// When there last was no free connection and then one was.
    freed: Instant,
}

/// The arrivals of one worker: every so many-th of the plan's.
struct Arrivals {
    schedule: Schedule,
    number: u32,
    worker: (u32, u32),
    next: Option<(u32, Duration)>,
    end: Duration,
}

/// Between two looks at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long an early end waits for what is under way.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

impl<T: Transport> Worker<T> {
    /// A worker that sends over `transport` and notes into `notes`.
    pub fn new(course: Course, transport: T, notes: Notes) -> Self {
        let Course {
            plan,
            model,
            start,
            worker,
            stop,
        } = course;
        let drop_after = Duration::from_millis(plan.scenario().arrivals.drop_after_ms);
        let mut arrivals = Arrivals {
            schedule: plan.schedule(),
            number: 0,
            worker,
            next: None,
            end: Duration::from_secs_f64(plan.scenario().seconds()),
        };
        match model {
            Model::Open => arrivals.advance(),
            Model::Closed => arrivals.next = Some((worker.0, Duration::ZERO)),
        }
        Self {
            plan,
            transport,
            notes,
            book: Book::default(),
            lives: Vec::new(),
            vacant: Vec::new(),
            timers: BinaryHeap::new(),
            ready: VecDeque::new(),
            lines: Vec::new(),
            start,
            arrivals,
            model,
            stop,
            drop_after,
            freed: start,
        }
    }

    /// Plays its buyers to their ends; hands back what they were told, and the transport.
    pub fn run(mut self) -> (Book, T) {
        let mut heard: Vec<Heard> = Vec::new();
        loop {
            let now = self.transport.now();
            self.notes.tick(now);
            self.take_due(now);
            let was_full = self.send_all(now);
            if self.is_over() {
                return (self.book, self.transport);
            }
            if self.stop.load(Ordering::Relaxed) {
                return self.end_early();
            }
            self.transport.wait(self.wake_at(now), &mut heard);
            if was_full && self.transport.free() > 0 {
                self.freed = self.transport.now();
            }
            for heard in heard.drain(..) {
                self.hear(heard);
            }
        }
    }

    /// When a buyer who is to do something in `after` from `at` on is to do it.
    pub(super) fn schedule(&mut self, slot: u32, at: Instant) {
        let since = at.saturating_duration_since(self.start).as_nanos() as u64;
        self.timers.push(Reverse((since, slot)));
    }

    fn take_due(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.start).as_nanos() as u64;
        while let Some(&Reverse((at, slot))) = self.timers.peek()
            && at <= since
        {
            self.timers.pop();
            self.ready.push_back(slot);
        }
    }

    /// Sends what is due while there are free connections; whether there is none left.
    fn send_all(&mut self, now: Instant) -> bool {
        while self.transport.free() > 0 {
            if let Some(slot) = self.ready.pop_front() {
                self.act(slot);
            } else if let Some((number, intended)) = self.arrival(now) {
                let slot = self.enter(number, intended);
                self.act(slot);
            } else {
                return false;
            }
        }
        // Who waits too long is dropped, even while nobody can be sent.
        while let Some((_, at)) = self.arrivals.next
            && self.model == Model::Open
            && self.start + at + self.drop_after < now
        {
            self.arrivals.advance();
            self.drop_arrival(self.start + at);
        }
        true
    }

    /// The next one to arrive, if it is time.
    fn arrival(&mut self, now: Instant) -> Option<(u32, Instant)> {
        loop {
            let (number, at) = self.arrivals.next?;
            let intended = self.start + at;
            match self.model {
                Model::Closed if now < self.start + self.arrivals.end => {
                    self.arrivals.next = Some((number + self.arrivals.worker.1, at));
                    self.notes.tick(now);
                    self.notes.arrived(1);
                    return Some((number, self.transport.now()));
                }
                Model::Closed => {
                    self.arrivals.next = None;
                    return None;
                }
                Model::Open if now < intended => return None,
                Model::Open => {
                    self.arrivals.advance();
                    if intended + self.drop_after < now {
                        self.drop_arrival(intended);
                        continue;
                    }
                    self.notes.tick(now);
                    self.notes.arrived(1);
                    return Some((number, intended));
                }
            }
        }
    }

    fn drop_arrival(&mut self, intended: Instant) {
        self.notes.arrived(1);
        self.notes.dropped(intended);
    }

    /// Notes how late a call is sent that was due at `intended`, as far as it is this side's doing.
    pub(super) fn note_lag(&mut self, intended: Instant) {
        if self.model == Model::Open {
            let free_and_due = intended.max(self.freed);
            let lag = self.transport.now().saturating_duration_since(free_and_due);
            self.notes.late_send(lag);
        }
    }

    fn wake_at(&self, now: Instant) -> Instant {
        let mut at = now + LOOK_EVERY;
        if let Some(&Reverse((since, _))) = self.timers.peek() {
            at = at.min(self.start + Duration::from_nanos(since));
        }
        if let Some((_, next)) = self.arrivals.next
            && self.transport.free() > 0
        {
            at = at.min(self.start + next);
        }
        at
    }

    fn is_over(&self) -> bool {
        self.arrivals.next.is_none() && self.lives.len() == self.vacant.len()
    }

    /// Hears what is under way, and leaves the buyers where they then stand.
    fn end_early(mut self) -> (Book, T) {
        self.arrivals.next = None;
        let until = self.transport.now() + LAST_ANSWERS;
        let mut heard = Vec::new();
        while self.under_way() > 0 && self.transport.now() < until {
            self.transport.wait(until, &mut heard);
            for heard in heard.drain(..) {
                self.hear(heard);
            }
            // Nothing further is sent.
            self.ready.clear();
        }
        self.leave_all();
        (self.book, self.transport)
    }
}

impl Arrivals {
    /// On to this worker's next.
    fn advance(&mut self) {
        let (own, of) = self.worker;
        loop {
            let Some(at) = self.schedule.next() else {
                self.next = None;
                return;
            };
            let number = self.number;
            self.number += 1;
            if number % of == own {
                self.next = Some((number, at));
                return;
            }
        }
    }
}
