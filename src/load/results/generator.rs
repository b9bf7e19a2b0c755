//! Whether the generator, not the server, was the limit.
//!
//! Deliberately absent: guesses about the server. The two signs are the generator's own.

use serde::{Deserialize, Serialize};

use super::{GeneratorFacts, Latency, summary::time};
use crate::load::record::Recorded;

/// About the generator of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Whether it was the limit, or may have been: then the figures are a lower bound.
    pub limit: bool,
    /// Why it is thought so, or why not.
    pub why: String,
    /// Its threads.
    pub threads: usize,
    /// Seconds of processor time they took; none where it can't be told from the target's.
    pub cpu_s: Option<f64>,
    /// The same as a share of all its threads could have taken.
    pub cpu_share: Option<f64>,
    /// How much later than intended it sent although a connection was free.
    pub lag: Latency,
}

/// Threads as busy as this have no time left to send when they should.
const BUSY: f64 = 0.9;
/// Sending late by less than this is the timer's grain.
const GRAIN_MS: f64 = 1.0;
/// Sending late by less than this share of the response time does not change the picture.
const SHARE: f64 = 0.1;

impl Generator {
    pub(super) fn judge(facts: GeneratorFacts, recorded: &Recorded) -> Self {
        let lag = Latency::of(&recorded.whole.lag);
        let response = Latency::of(&recorded.whole.all().response);
        let could = recorded.elapsed.as_secs_f64() * facts.threads as f64;
        let cpu_share = facts.cpu_s.filter(|_| could > 0.0).map(|cpu| cpu / could);
        let is_busy = cpu_share.is_some_and(|share| share >= BUSY);
        let matters = |lag: f64, response: f64| lag > GRAIN_MS && lag > SHARE * response;
        let is_often_late = matters(lag.p50_ms, response.p50_ms);
        let is_late = is_often_late || matters(lag.p99_ms, response.p99_ms);
        let why = match (is_busy, is_late) {
            (true, _) => format!(
                "its {} were busy {:.0} % of the time",
                crate::show::counted(facts.threads as u64, "thread"),
                100.0 * cpu_share.unwrap_or(0.0)
            ),
            (false, true) if is_often_late => format!(
                "every other was sent {} late or more although a connection was free",
                time(lag.p50_ms)
            ),
            (false, true) => format!(
                "one in a hundred was sent {} late or more although a connection was free",
                time(lag.p99_ms)
            ),
            (false, false) if lag.count == 0 => {
                "nothing was sent late while a connection was free".to_owned()
            }
            (false, false) => format!(
                "where a connection was free, 99 in 100 were sent within {} of when they should \
                 be, and its threads had time left",
                time(lag.p99_ms.max(0.001))
            ),
        };
        Self {
            limit: is_busy || is_late,
            why,
            threads: facts.threads,
            cpu_s: facts.cpu_s,
            cpu_share,
            lag,
        }
    }
}
