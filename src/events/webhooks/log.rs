//! What people see of a webhook: how it stands and its last attempts; and the bounds of all.

use super::record::{Progress, Webhook};
use super::send::Attempt;
use crate::config;
use crate::events::cursor::Cursor;
use holdfast_core::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Attempts that are shown.
const SHOWN: usize = 100;

/// One attempt.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When it ended.
    pub at: Timestamp,
    /// The message's id, as the receiver sees it.
    pub id: String,
    /// Events in it.
    pub events: usize,
    /// Which attempt of these events it was, from 1.
    pub attempt: u32,
    /// What was answered.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// Why it was no success.
    pub error: Option<String>,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
}

/// Bounds of all webhooks.
pub(super) struct Limits {
    pub(super) webhooks_max: usize,
    pub(super) at_once: usize,
    batch_wait_ms: u64,
    pub(super) waiting_max: usize,
    pub(super) dead_max: u64,
    pub(super) off_after_ms: u64,
    pub(super) overlap_ms: u64,
    /// The longest pause before each further attempt.
    pauses_ms: Vec<u64>,
}

/// A webhook, as its task and those who ask see it.
pub(super) struct Hook {
    pub(super) id: String,
    webhook: Arc<Mutex<Webhook>>,
    seen: Mutex<(Progress, Cursor)>,
    log: Mutex<VecDeque<Delivery>>,
}

impl Limits {
    pub(super) fn of(settings: &config::Events) -> Self {
        Self {
            webhooks_max: settings.webhooks_max as usize,
            at_once: settings.webhooks_at_once_max as usize,
            batch_wait_ms: settings.webhooks_batch_wait_ms.0,
            waiting_max: settings.webhooks_waiting_max as usize,
            dead_max: settings.webhooks_dead_max,
            off_after_ms: settings.webhooks_off_after_ms.0,
            overlap_ms: settings.webhooks_overlap_ms.0,
            pauses_ms: settings
                .webhooks_retry_ms
                .0
                .iter()
                .map(|pause| pause.0)
                .collect(),
        }
    }

    /// Attempts that an event has.
    pub(super) fn attempts_max(&self) -> u32 {
        self.pauses_ms.len() as u32
    }

    /// How long to wait after so many failed attempts: a random part of the step, so that those who
    /// failed together don't come back together; at least as long as the receiver asks for.
    pub(super) fn pause_ms(&self, attempts: u32, attempt: &Attempt) -> u64 {
        let step = attempts.saturating_sub(1) as usize;
        let step = self.pauses_ms.get(step).or(self.pauses_ms.last());
        let most = step.copied().unwrap_or(1_000);
        let pause = up_to(most);
        let asked = attempt
            .retry_after
            .map_or(0, |asked| asked.as_millis() as u64);
        pause.max(asked)
    }

    /// How long events wait for more in one request: between half of what is set and all of it, so
    /// that webhooks that hear of an event together don't all send at once.
    pub(super) fn batch_wait(&self) -> Duration {
        let half = self.batch_wait_ms / 2;
        Duration::from_millis(half + up_to(self.batch_wait_ms - half))
    }
}

/// A random number up to `most`; that itself where there is no randomness.
fn up_to(most: u64) -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % (most + 1),
        Err(_) => most,
    }
}

impl Delivery {
    pub(super) fn of(
        at: Timestamp,
        id: &str,
        events: usize,
        attempt: u32,
        told: &Attempt,
        next_at: Option<u64>,
    ) -> Self {
        Self {
            at,
            id: id.to_owned(),
            events,
            attempt,
            status: told.status,
            duration_ms: told.took.as_millis() as u64,
            error: told.error.clone(),
            next_at: next_at.map(Timestamp::from_ms),
        }
    }

    /// Events were lost.
    pub(super) fn gap(at: Timestamp, why: &str) -> Self {
        Self {
            at,
            id: "gap".to_owned(),
            events: 0,
            attempt: 0,
            status: None,
            duration_ms: 0,
            error: Some(why.to_owned()),
            next_at: None,
        }
    }
}

impl Hook {
    pub(super) fn new(webhook: Webhook, progress: Progress, cursor: Cursor) -> Self {
        Self {
            id: webhook.id.clone(),
            webhook: Arc::new(Mutex::new(webhook)),
            seen: Mutex::new((progress, cursor)),
            log: Mutex::default(),
        }
    }

    pub(super) fn webhook(&self) -> Webhook {
        lock(&self.webhook).clone()
    }

    /// The webhook as it changes.
    pub(super) fn shared(&self) -> Arc<Mutex<Webhook>> {
        Arc::clone(&self.webhook)
    }

    /// Changes it; as it is then.
    pub(super) fn change(&self, change: impl FnOnce(&mut Webhook)) -> Webhook {
        let mut webhook = lock(&self.webhook);
        change(&mut webhook);
        webhook.clone()
    }

    /// How far it is.
    pub(super) fn seen(&self) -> (Progress, Cursor) {
        lock(&self.seen).clone()
    }

    pub(super) fn show(&self, progress: &Progress, cursor: &Cursor) {
        *lock(&self.seen) = (progress.clone(), cursor.clone());
    }

    /// Moves it: nobody waits then.
    pub(super) fn place(&self, cursor: &Cursor) {
        let mut seen = lock(&self.seen);
        seen.0.cursor = cursor.to_string();
        seen.0.waiting.clear();
        seen.1 = cursor.clone();
    }

    /// Switched on: what was not taken before counts no more, and what waits is tried at once.
    pub(super) fn begin_anew(&self, now: u64) {
        let progress = &mut lock(&self.seen).0;
        progress.failing_since = None;
        for waiting in &mut progress.waiting {
            waiting.next_at = waiting.next_at.min(now);
        }
    }

    pub(super) fn log(&self, delivery: Delivery) {
        let mut log = lock(&self.log);
        log.truncate(SHOWN - 1);
        log.push_front(delivery);
    }

    /// The last attempts, the newest first.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.log).iter().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn pauses_are_a_random_part_of_their_step_and_no_shorter_than_asked_for() {
        let limits = Limits::of(&config::Events::default());
        assert_eq!(limits.attempts_max(), 9);
        let mut attempt = Attempt {
            status: Some(503),
            error: Some("no".to_owned()),
            retry_after: None,
            took: Duration::ZERO,
        };
        let first: Vec<u64> = (0..50).map(|_| limits.pause_ms(1, &attempt)).collect();
        assert!(first.iter().all(|pause| *pause <= 5_000), "{first:?}");
        assert!(first.iter().any(|pause| *pause != first[0]), "{first:?}");
        let last = (0..50).map(|_| limits.pause_ms(99, &attempt)).max();
        assert!(last > Some(3_600_000), "{last:?}");
        attempt.retry_after = Some(Duration::from_mins(1));
        assert_eq!(limits.pause_ms(1, &attempt), 60_000);
    }
}
