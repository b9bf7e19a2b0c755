//! What is repeated, how often, and after which pause. The rules are the contract's: a refusal is
//! an answer; overload, time-outs and broken connections are not.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hyper::StatusCode;
use serde::Serialize;

/// How long a client goes on asking.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one attempt's whole answer.
    pub attempt: Duration,
    /// For all attempts of one call together.
    pub call: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            call: Duration::from_mins(1),
        }
    }
}

/// What an answer asks the caller to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Take it: a success or a refusal.
    Final,
    /// Ask again with the same key and body.
    Again(Cause),
}

/// Why a call is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Refused,
    Cut,
    TimedOut,
    /// `429`, `503 shard-overloaded`, `503 capacity`: certainly without effect.
    Overload,
    /// Another try of the same key still runs.
    InProgress,
    /// Any other `5xx`.
    Unavailable,
}

/// Full tables don't empty themselves within seconds: after so many tries it is a refusal.
pub(super) const CAPACITY_TRIES_MAX: u32 = 3;

/// Judges an answer by its status and the problem's code, as the contract says: unknown codes by
/// their status alone.
pub(super) fn judge(status: StatusCode, code: Option<&str>) -> Verdict {
    match (status, code) {
        (StatusCode::TOO_MANY_REQUESTS, _) => Verdict::Again(Cause::Overload),
        (StatusCode::SERVICE_UNAVAILABLE, Some("shard-overloaded" | "capacity")) => {
            Verdict::Again(Cause::Overload)
        }
        (StatusCode::CONFLICT, Some("idempotency-in-progress")) => {
            Verdict::Again(Cause::InProgress)
        }
        (status, _) if status.is_server_error() => Verdict::Again(Cause::Unavailable),
        _ => Verdict::Final,
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The pause before the try after `tries`: doubling, with half of it random so that callers who
/// failed together don't come back together. What the server asked for is the least.
pub(super) fn pause(tries: u32, asked: Option<Duration>, jitter: u64) -> Duration {
    let doubled = PAUSE_MIN
        .saturating_mul(1 << tries.saturating_sub(1).min(10))
        .min(PAUSE_MAX);
    let share = f64::from(jitter as u32) / f64::from(u32::MAX);
    let jittered = doubled.mul_f64(0.5 + share / 2.0);
    asked.map_or(jittered, |asked| asked.max(jittered))
}

/// How many attempts were repeated, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retries {
    /// The connection was refused.
    pub refused: u64,
    /// The connection broke before the answer.
    pub broken: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// The server asked to come back later.
    pub overload: u64,
    /// Another try of the same key was still running.
    pub in_progress: u64,
    /// Any other `5xx`.
    pub unavailable: u64,
}

impl Retries {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.refused
            + self.broken
            + self.timed_out
            + self.overload
            + self.in_progress
            + self.unavailable
    }
}

/// [`Retries`] as they are counted.
#[derive(Debug, Default)]
pub(super) struct RetryCounters([AtomicU64; 6]);

impl RetryCounters {
    pub(super) fn count(&self, cause: Cause) {
        self.0[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Retries {
        let read = |cause: Cause| self.0[cause as usize].load(Ordering::Relaxed);
        Retries {
            refused: read(Cause::Refused),
            broken: read(Cause::Cut),
            timed_out: read(Cause::TimedOut),
            overload: read(Cause::Overload),
            in_progress: read(Cause::InProgress),
            unavailable: read(Cause::Unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_overload_is_not() {
        let again = |status: u16, code| {
            judge(StatusCode::from_u16(status).expect("a status"), code) != Verdict::Final
        };
        for (status, code) in [
            (201, None),
            (200, None),
            (400, Some("invalid-request")),
            (404, Some("unknown-sku")),
            (409, Some("insufficient-stock")),
            (410, Some("reservation-expired")),
            (422, Some("idempotency-key-reused")),
            (409, None),
        ] {
            assert!(!again(status, code), "{status} {code:?}");
        }
        for (status, code) in [
            (429, None),
            (503, Some("shard-overloaded")),
            (503, Some("capacity")),
            (409, Some("idempotency-in-progress")),
            (500, None),
            (504, Some("never-heard-of")),
        ] {
            assert!(again(status, code), "{status} {code:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_second_and_never_undercut_what_the_server_asked() {
        assert_eq!(pause(1, None, 0), Duration::from_millis(10));
        assert_eq!(
            pause(1, None, u64::from(u32::MAX)),
            Duration::from_millis(20)
        );
        assert_eq!(
            pause(3, None, u64::from(u32::MAX)),
            Duration::from_millis(80)
        );
        assert_eq!(pause(60, None, u64::from(u32::MAX)), PAUSE_MAX);
        assert_eq!(
            pause(1, Some(Duration::from_secs(3)), 0),
            Duration::from_secs(3)
        );
    }
}
