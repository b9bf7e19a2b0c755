//! The lines that server errors leave in the log: one a second for each code, with how many there
//! were, so that an overload or a full disk is not made worse by its own log.
//! Deliberately absent: exact counts, which `/metrics` has by route and code.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::problem::Code;

/// How long a code is quiet after a line of it.
const QUIET_MS: u64 = 1_000;

/// When each code had its last line.
pub(super) struct ServerErrors {
    started: Instant,
    /// By code, and one for errors without.
    tallies: [Tally; Code::ALL.len() + 1],
}

#[derive(Default)]
struct Tally {
    /// In milliseconds since the start.
    quiet_until: AtomicU64,
    /// Errors since the last line.
    unsaid: AtomicU64,
}

impl ServerErrors {
    /// Nothing said yet.
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            tallies: std::array::from_fn(|_| Tally::default()),
        }
    }

    /// Counts an error; whether it is time for a line, and how many errors that stands for.
    pub(super) fn note(&self, code: Option<Code>, now: Instant) -> Option<u64> {
        let tally = &self.tallies[code.map_or(Code::ALL.len(), |code| code as usize)];
        let ms = now.saturating_duration_since(self.started).as_millis() as u64;
        tally.unsaid.fetch_add(1, Ordering::Relaxed);
        let until = tally.quiet_until.load(Ordering::Relaxed);
        let is_mine = until <= ms
            && tally
                .quiet_until
                .compare_exchange(until, ms + QUIET_MS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_mine.then(|| tally.unsaid.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_of_one_code_is_one_line_a_second_with_its_count() {
        let errors = ServerErrors::new();
        let at = |ms| errors.started + Duration::from_millis(ms);
        let flood = Some(Code::ShardOverloaded);
        let said: Vec<Option<u64>> = (0..2_000).map(|ms| errors.note(flood, at(ms))).collect();
        let lines: Vec<(usize, u64)> = said
            .iter()
            .enumerate()
            .filter_map(|(ms, count)| Some((ms, (*count)?)))
            .collect();
        assert_eq!(lines, [(0, 1), (1_000, 1_000)]);
        // Another code waits for nobody.
        assert_eq!(errors.note(Some(Code::LedgerFailed), at(1_500)), Some(1));
        assert_eq!(errors.note(None, at(1_500)), Some(1));
        // After a pause the rest is told with the next.
        assert_eq!(errors.note(flood, at(60_000)), Some(1_000));
    }
}
