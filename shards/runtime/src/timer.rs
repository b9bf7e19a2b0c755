//! One armed timer per shard, for its earliest deadline.
//!
//! One task sleeps for the whole life of a shard, since a task per deadline would cost more than
//! the deadlines. Timers are hints: correctness does not depend on when they fire.

use crate::clock::Clock;
use holdfast_core::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

/// The least pause between two ticks.
const GAP: Duration = Duration::from_millis(5);

/// The longest sleep, so that a clock set meanwhile is noticed.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Timer {
    deadline: watch::Sender<Option<Timestamp>>,
    armed: Option<Timestamp>,
}

impl Timer {
    /// Starts the task; it ends when the timer is dropped.
    pub(crate) fn start(clock: Clock, fire: impl Fn() + Send + 'static) -> Self {
        let (deadline, armed) = watch::channel(None);
        tokio::spawn(sleep(armed, clock, fire));
        Self {
            deadline,
            armed: None,
        }
    }

    /// It has fired: the next deadline is armed whatever it is.
    pub(crate) const fn fired(&mut self) {
        self.armed = None;
    }

    /// Arms it for `deadline`, unless it fires before that anyway.
    pub(crate) fn arm(&mut self, deadline: Option<Timestamp>) {
        let is_earlier = |armed: Timestamp| deadline.is_some_and(|deadline| deadline < armed);
        if deadline.is_some() && self.armed.is_none_or(is_earlier) {
            self.armed = deadline;
            self.deadline.send_replace(deadline);
        }
    }
}

async fn sleep(
    mut armed: watch::Receiver<Option<Timestamp>>,
    clock: Clock,
    fire: impl Fn() + Send,
) {
    loop {
        let deadline = *armed.borrow_and_update();
        let left = deadline.map(|deadline| clock.until(deadline));
        if left.is_some_and(|left| left.is_zero()) {
            fire();
            if armed.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(GAP).await;
            continue;
        }
        let nap = left.map_or(LOOK, |left| left.min(LOOK));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            changed = armed.changed() => if changed.is_err() { return },
        }
    }
}
