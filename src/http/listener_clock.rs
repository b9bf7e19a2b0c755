//! What a connection is doing since when, so that one lazily set timer can judge all its limits.
//!
//! A timer per request would cost two visits to the timer wheel each; instead every stage leaves a
//! stamp here, and the connection's task looks at it now and then, exactly when the earliest limit
//! could be met.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Limits;
use crate::telemetry::Cut;

/// A stage of a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Between requests.
    Idle,
    /// A head is arriving.
    Head,
    /// A body is arriving.
    Body,
    /// A handler is at work.
    Handler,
    /// A handler is at work on a body that is still arriving; it bounds its own time.
    Stream,
    /// An answer goes out that has no end; who takes nothing of it is cut off by the guard.
    Endless,
}

/// What the timer should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again after this span.
    Fine(Duration),
    /// The answer was to end, and has had its time.
    Ended,
    /// The stage has taken too long. `Body` and `Handler` were told to answer by themselves.
    Over(Cut),
}

/// The stamps of one connection; only its own task touches them.
#[derive(Debug)]
pub(crate) struct Clock {
    opened: Instant,
    stage: AtomicU8,
    since_micros: AtomicU64,
    late: AtomicBool,
    unread: AtomicBool,
    ending: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            stage: AtomicU8::new(Stage::Idle as u8),
            since_micros: AtomicU64::new(0),
            late: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// Stamps the beginning of a stage.
    pub(crate) fn enter(&self, stage: Stage, now: Instant) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        self.since_micros.store(self.micros(now), Ordering::Relaxed);
        self.late.store(false, Ordering::Relaxed);
    }

    /// Bytes came in: between requests they are the next head's first.
    pub(crate) fn bytes_came(&self) {
        if self.stage() == Stage::Idle {
            self.enter(Stage::Head, Instant::now());
        }
    }

    /// Whether the stage has been told that it took too long.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// Notes that the client may still be sending what nobody will read.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether it may.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Lets an answer end that would go on.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether it is to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Judges the current stage.
    pub(crate) fn judge(&self, limits: &Limits, now: Instant) -> Verdict {
        let stage = self.stage();
        let (limit, cut) = match stage {
            Stage::Idle => (limits.idle_timeout, Cut::IdleTimeout),
            Stage::Head => (limits.header_timeout, Cut::HeadTimeout),
            Stage::Body => (limits.body_timeout, Cut::BodyTimeout),
            Stage::Handler => (limits.request_timeout, Cut::HandlerTimeout),
            Stage::Endless if self.is_ending() => return Verdict::Ended,
            Stage::Stream | Stage::Endless => return Verdict::Fine(limits.shortest()),
        };
        let since = self.since_micros.load(Ordering::Relaxed);
        let spent = Duration::from_micros(self.micros(now).saturating_sub(since));
        let Some(left) = limit.checked_sub(spent).filter(|left| !left.is_zero()) else {
            if matches!(stage, Stage::Body | Stage::Handler) {
                self.late.store(true, Ordering::Relaxed);
            }
            return Verdict::Over(cut);
        };
        // The next stage may have a shorter limit than what is left of this one.
        Verdict::Fine(left.min(limits.shortest()).max(Duration::from_millis(1)))
    }

    /// The current stage.
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Idle,
            1 => Stage::Head,
            2 => Stage::Body,
            3 => Stage::Handler,
            4 => Stage::Stream,
            _ => Stage::Endless,
        }
    }

    fn micros(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.opened).as_micros() as u64
    }
}
