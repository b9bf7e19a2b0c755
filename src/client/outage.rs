//! The times the server was away: from the first refused connection to the next answer.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Counts what a client lived through; shared by all calls of one client.
#[derive(Debug, Default)]
pub struct Outages {
    count: AtomicU64,
    state: Mutex<State>,
    away: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    total: Duration,
}

impl Outages {
    /// How often the server went away and came back.
    pub fn survived(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How long it was away in all, without an outage that still lasts.
    pub fn total(&self) -> Duration {
        self.state().total
    }

    /// How long it has been away by now; `None` while it answers.
    pub fn lasting(&self) -> Option<Duration> {
        self.state().since.map(|since| since.elapsed())
    }

    /// A connection was refused.
    pub(super) fn refused(&self) {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        self.away.store(true, Ordering::Relaxed);
    }

    /// An answer came. Cheap while the server is there.
    pub(super) fn answered(&self) {
        if !self.away.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        if let Some(since) = state.since.take() {
            state.total += since.elapsed();
            self.count.fetch_add(1, Ordering::Relaxed);
            self.away.store(false, Ordering::Relaxed);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outage_runs_from_the_first_refusal_to_the_next_answer_and_counts_once() {
        let outages = Outages::default();
        outages.answered();
        assert_eq!((outages.survived(), outages.lasting()), (0, None));

        outages.refused();
        tokio::time::sleep(Duration::from_millis(20)).await;
        outages.refused();
        assert!(outages.lasting() >= Some(Duration::from_millis(20)));

        outages.answered();
        outages.answered();
        assert_eq!((outages.survived(), outages.lasting()), (1, None));
        assert!(outages.total() >= Duration::from_millis(20));
    }
}
