//! How hard a builder works: little while its ledger grows fast, unless it has fallen behind.
//!
//! An index entry costs its builder about as much as a reserve costs everybody else, since two of
//! its three terms fall on pages of their own. So a sale takes the cores first, and the index
//! follows in fewer, larger steps, up to [`LAG_MAX`] behind; from there on it takes all it may.
//! Deliberately absent: the clock; its owner brings the time.

use super::Effort;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Events a second from which on a ledger is busy.
const BUSY_EVENTS_PER_S: f64 = 2_000.0;

/// How far behind a busy ledger an index may be before it takes its whole share.
const LAG_MAX: Duration = Duration::from_secs(10);

/// What part of its share it takes until then.
const SPARING: u32 = 8;

/// How far apart the marks are that tell how far behind it is.
const MARK_EVERY: Duration = Duration::from_millis(100);

/// The pace of one builder.
pub(super) struct Pace {
    events_per_s: u64,
    busy_percent: u32,
    /// Where the ledger's head was when, oldest first, as far as it is not indexed.
    marks: VecDeque<(Instant, u64)>,
    /// The same, when it was last asked.
    last: (Instant, u64),
    events_a_second: f64,
}

/// What was done since the last rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// How many events were indexed.
    pub(super) events: u64,
    /// How long that took.
    pub(super) worked: Duration,
    /// The last event indexed.
    pub(super) indexed: u64,
    /// The last event of the ledger.
    pub(super) head: u64,
}

impl Pace {
    /// A ledger whose head is here now.
    pub(super) fn new(effort: &Effort, now: Instant, head: u64) -> Self {
        Self {
            events_per_s: effort.events_per_s_max.max(1),
            busy_percent: effort.busy_percent_max.clamp(1, 100),
            marks: VecDeque::new(),
            last: (now, head),
            events_a_second: 0.0,
        }
    }

    /// Notes where the ledger is; to be told now and then, idle times included.
    pub(super) fn look(&mut self, now: Instant, head: u64, indexed: u64) {
        let (then, before) = self.last;
        let passed = now.saturating_duration_since(then);
        if MARK_EVERY <= passed {
            let grown = head.saturating_sub(before) as f64;
            self.events_a_second = grown / passed.as_secs_f64();
            self.last = (now, head);
            self.marks.push_back((now, head));
        }
        while self.marks.front().is_some_and(|mark| mark.1 <= indexed) {
            self.marks.pop_front();
        }
    }

    /// How long to rest after a step, so that neither events a second nor the share of a core
    /// exceed what is configured.
    pub(super) fn rest(&mut self, now: Instant, step: Step) -> Duration {
        self.look(now, step.head, step.indexed);
        let by_rate = Duration::from_secs_f64(step.events as f64 / self.events_per_s as f64);
        let by_share = step.worked * 100 / self.busy_percent;
        let is_late = |mark: &(Instant, u64)| LAG_MAX <= now.saturating_duration_since(mark.0);
        let by_share = if self.events_a_second < BUSY_EVENTS_PER_S
            || self.marks.front().is_some_and(is_late)
        {
            by_share
        } else {
            by_share * SPARING
        };
        by_rate.max(by_share).saturating_sub(step.worked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    const EFFORT: Effort = Effort {
        events_per_s_max: 50_000,
        busy_percent_max: 20,
        cache_bytes: 8 << 20,
    };

    /// Rests of a builder whose steps take a millisecond and get `each` events done, behind a
    /// ledger that grows by `events` a millisecond, for so long.
    fn rests(events: u64, each: u64, over: Duration) -> Vec<(Duration, Duration)> {
        let start = crate::clock::instant();
        let mut pace = Pace::new(&EFFORT, start, 0);
        let (mut now, mut indexed, mut rests) = (start, 0, Vec::new());
        while now - start < over {
            now += MS;
            let head = (now - start).as_millis() as u64 * events;
            let done = each.min(head - indexed);
            indexed += done;
            let (events, worked) = (done, MS);
            let step = Step {
                events,
                worked,
                indexed,
                head,
            };
            let rest = pace.rest(now, step);
            now += rest;
            rests.push((now - start, rest));
        }
        rests
    }

    #[test]
    fn a_quiet_ledger_is_followed_with_the_whole_share() {
        let rests = rests(1, 10, Duration::from_secs(3));
        assert!(rests.iter().all(|(_, rest)| *rest == MS * 4));
    }

    #[test]
    fn a_busy_ledger_is_followed_sparingly_until_the_index_is_far_behind() {
        let rests = rests(20, 100, Duration::from_secs(30));
        let early =
            |(at, _): &&(Duration, Duration)| (Duration::from_secs(1)..LAG_MAX).contains(at);
        assert!(rests.iter().filter(early).all(|(_, rest)| *rest == MS * 39));
        let whole = rests.iter().filter(|(_, rest)| *rest == MS * 4).count();
        assert!(100 < whole, "it took its whole share only {whole} times");
    }

    #[test]
    fn an_index_that_keeps_up_stays_sparing() {
        let rests = rests(20, 10_000, Duration::from_secs(30));
        let late = rests.iter().filter(|(at, _)| LAG_MAX * 2 < *at);
        assert!(late.map(|(_, rest)| *rest).all(|rest| MS * 39 <= rest));
    }
}
