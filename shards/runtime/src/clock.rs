//! The only reader of clocks.
//!
//! Ledger time follows the wall clock and never runs backwards. Where the wall clock jumps back,
//! time stands at its last value until the wall clock has caught up. Where it jumps ahead of the
//! monotonic clock, an alarm is raised, time goes on by the monotonic clock, and expiry sweeps
//! pause until the two agree again or the process is started anew.
//!
//! Deliberately absent: time zones, calendars, and timers (the actor has them).

use holdfast_core::{Millis, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How far the wall clock may run ahead of the monotonic one between two readings.
pub const CLOCK_JUMP: Millis = Millis::from_secs(5);

/// A point on the monotonic clock, for deadlines and for measuring.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads it"
)]
pub fn instant() -> Instant {
    Instant::now()
}

/// A random number that differs from process to process and from call to call.
pub fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// What a turn of a shard knows of time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Ledger time.
    pub time: Timestamp,
    /// The monotonic clock, with which deadlines of callers are compared.
    pub instant: Instant,
    /// Whether expiry is paused, the wall clock having jumped ahead.
    pub paused: bool,
}

/// A clock that all shards of a runtime share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

/// The hands of a clock that moves when told to.
#[derive(Clone, Debug)]
pub struct Hands(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    jump: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Source {
    /// The system's clocks, both this many milliseconds ahead.
    System {
        start: Instant,
        ahead: AtomicU64,
    },
    Manual {
        wall: AtomicU64,
        mono: AtomicU64,
    },
}

/// All in milliseconds.
#[derive(Debug)]
struct State {
    /// Ledger time of the last reading.
    time: u64,
    /// The monotonic clock when `time` last moved.
    moved: u64,
    /// By how much the wall clock is not believed.
    ahead: u64,
}

impl Clock {
    /// The system's clocks; a jump ahead by more than `jump` raises the alarm.
    pub fn system(jump: Millis) -> Self {
        Self::movable(jump, Millis::default()).0
    }

    /// The system's clocks, both `ahead` of what they say, and the hands to move them further: for
    /// rehearsals. Moving them is no jump.
    pub fn movable(jump: Millis, ahead: Millis) -> (Self, Hands) {
        let (start, ahead) = (instant(), AtomicU64::new(ahead.ms()));
        let clock = Self::new(Source::System { start, ahead }, jump);
        let hands = Hands(Arc::clone(&clock.0));
        (clock, hands)
    }

    /// A clock that stands at `start`, and the hands to move it.
    pub fn manual(start: Timestamp) -> (Self, Hands) {
        let (wall, mono) = (AtomicU64::new(start.ms()), AtomicU64::new(0));
        let clock = Self::new(Source::Manual { wall, mono }, CLOCK_JUMP);
        let hands = Hands(Arc::clone(&clock.0));
        (clock, hands)
    }

    fn new(source: Source, jump: Millis) -> Self {
        let (wall, mono) = source.read();
        let state = State {
            time: wall,
            moved: mono,
            ahead: 0,
        };
        Self(Arc::new(Inner {
            source,
            jump: jump.ms(),
            state: Mutex::new(state),
        }))
    }

    /// Reads the clocks.
    pub fn now(&self) -> Now {
        let (wall, mono) = self.0.source.read();
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(wall, mono, self.0.jump);
        Now {
            time: Timestamp::from_ms(state.time),
            instant: instant(),
            paused: state.ahead > 0,
        }
    }

    /// By how much the wall clock is ahead of what is believed; 0 where all is well.
    pub fn alarm(&self) -> Millis {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        Millis::new(state.ahead)
    }

    /// How long to sleep until `deadline`. A clock moved by hand is looked at often.
    pub(crate) fn until(&self, deadline: Timestamp) -> Duration {
        let left = deadline.since(self.now().time).ms();
        match self.0.source {
            Source::System { .. } => Duration::from_millis(left),
            Source::Manual { .. } => Duration::from_millis(left.min(2)),
        }
    }
}

impl Hands {
    /// Both clocks go on.
    pub fn advance(&self, by: Millis) {
        match &self.0.source {
            Source::System { ahead, .. } => {
                ahead.fetch_add(by.ms(), Ordering::SeqCst);
            }
            Source::Manual { wall, mono } => {
                wall.fetch_add(by.ms(), Ordering::SeqCst);
                mono.fetch_add(by.ms(), Ordering::SeqCst);
            }
        }
    }

    /// The wall clock alone is set; the system's can't be.
    pub fn set_wall(&self, to: Timestamp) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.store(to.ms(), Ordering::SeqCst);
        }
    }
}

impl Source {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    fn read(&self) -> (u64, u64) {
        match self {
            Self::System { start, ahead } => {
                let ahead = ahead.load(Ordering::SeqCst);
                let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let wall = wall.unwrap_or_default().as_millis() as u64;
                (wall + ahead, start.elapsed().as_millis() as u64 + ahead)
            }
            Self::Manual { wall, mono } => {
                (wall.load(Ordering::SeqCst), mono.load(Ordering::SeqCst))
            }
        }
    }
}

impl State {
    fn advance(&mut self, wall: u64, mono: u64, jump: u64) {
        let expected = self.time + mono.saturating_sub(self.moved);
        let mut time = wall.saturating_sub(self.ahead);
        if wall <= expected + jump {
            self.ahead = 0;
            time = wall;
        } else if expected + jump < time || self.ahead > 0 {
            self.ahead = wall - expected;
            time = expected;
        }
        if self.time < time {
            (self.time, self.moved) = (time, mono);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn clock() -> (Clock, Hands) {
        Clock::manual(Timestamp::from_ms(START))
    }

    fn time(clock: &Clock) -> u64 {
        clock.now().time.ms() - START
    }

    #[test]
    fn time_follows_both_clocks() {
        let (clock, hands) = clock();
        hands.advance(Millis::from_secs(3600));
        assert_eq!(time(&clock), 3_600_000);
        assert!(!clock.now().paused);
    }

    #[test]
    fn time_stands_while_the_wall_clock_is_behind_and_goes_on_once_it_has_caught_up() {
        let (clock, hands) = clock();
        hands.advance(Millis::from_secs(10));
        assert_eq!(time(&clock), 10_000);
        hands.set_wall(Timestamp::from_ms(START - 60_000));
        assert_eq!(time(&clock), 10_000);
        hands.advance(Millis::from_secs(69));
        assert_eq!(time(&clock), 10_000);
        hands.advance(Millis::from_secs(2));
        assert_eq!(time(&clock), 11_000);
        assert!(!clock.now().paused);
    }

    #[test]
    fn a_wall_clock_put_right_after_a_jump_back_raises_no_alarm() {
        let (clock, hands) = clock();
        hands.advance(Millis::from_secs(10));
        assert_eq!(time(&clock), 10_000);
        hands.set_wall(Timestamp::from_ms(START - 3_600_000));
        assert_eq!(time(&clock), 10_000);
        hands.advance(Millis::from_secs(600));
        assert_eq!(time(&clock), 10_000);
        hands.set_wall(Timestamp::from_ms(START + 610_000));
        assert_eq!(time(&clock), 610_000);
        assert_eq!(clock.alarm(), Millis::new(0));
    }

    #[test]
    fn a_jump_ahead_pauses_expiry_and_time_goes_on_by_the_monotonic_clock() {
        let (clock, hands) = clock();
        hands.set_wall(Timestamp::from_ms(START + 3_600_000));
        assert_eq!(time(&clock), 0);
        assert!(clock.now().paused);
        assert_eq!(clock.alarm(), Millis::from_secs(3600));
        hands.advance(Millis::from_secs(2));
        assert_eq!(time(&clock), 2000);
        assert!(clock.now().paused);
        hands.set_wall(Timestamp::from_ms(START + 2500));
        assert_eq!(time(&clock), 2500);
        assert!(!clock.now().paused);
    }

    #[test]
    fn the_systems_clocks_moved_by_hand_raise_no_alarm_and_call_nobody_late() {
        let (clock, hands) = Clock::movable(CLOCK_JUMP, Millis::from_secs(3600));
        let system = Clock::system(CLOCK_JUMP);
        let ahead = |clock: &Clock| clock.now().time.since(system.now().time).ms() / 1000;
        assert!((3599..=3601).contains(&ahead(&clock)));
        let before = clock.now();
        hands.advance(Millis::from_secs(86_400));
        let after = clock.now();
        assert!(after.time.since(before.time) >= Millis::from_secs(86_400));
        assert!(!after.paused);
        assert_eq!(clock.alarm(), Millis::new(0));
        // Callers' deadlines are no ledger time.
        assert!(after.instant - before.instant < Duration::from_mins(1));
    }

    #[test]
    fn a_step_ahead_within_the_bound_is_followed() {
        let (clock, hands) = clock();
        hands.set_wall(Timestamp::from_ms(START + 5000));
        assert_eq!(time(&clock), 5000);
        assert!(!clock.now().paused);
        hands.set_wall(Timestamp::from_ms(START + 10_001));
        assert!(clock.now().paused);
    }
}
