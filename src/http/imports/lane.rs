//! Operations on their way to one shard, until each has its answer.

use std::time::Duration;

use holdfast_runtime::{Operation, Told, Unavailable};
use tokio::time::{Instant, sleep};

use super::super::state::Api;

/// The pauses of a shard that takes nothing.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// An operation of a row.
pub(super) struct Op {
    pub(super) row: u64,
    /// It creates the row's SKU, and more follows.
    pub(super) creates: bool,
    pub(super) operation: Operation,
}

/// What a shard has said to a message.
pub(super) struct Sent {
    pub(super) lane: usize,
    pub(super) told: Vec<(u64, bool, Told)>,
    /// Why it did not say all.
    pub(super) stopped: Option<Unavailable>,
}

/// Sends operations to one shard until each has an answer, the first ones first.
pub(super) async fn send(api: Api, lane: usize, mut ops: Vec<Op>, patience: Duration) -> Sent {
    let mut told = Vec::with_capacity(ops.len());
    let (mut since, mut pause) = (Instant::now(), PAUSE_MIN);
    loop {
        let operations = ops.iter().map(|op| op.operation.clone()).collect();
        let answers = api.router().batch(operations, api.deadline()).await;
        let before = ops.len();
        let (mut again, mut why) = (Vec::new(), None);
        for (op, answer) in ops.into_iter().zip(answers) {
            match answer {
                Err(unavailable) if passes(&unavailable) => {
                    why = Some(unavailable);
                    again.push(op);
                }
                answer => told.push((op.row, op.creates, answer)),
            }
        }
        if again.is_empty() || patience < since.elapsed() {
            let stopped = why;
            return Sent {
                lane,
                told,
                stopped,
            };
        }
        if again.len() < before {
            (since, pause) = (Instant::now(), PAUSE_MIN);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        ops = again;
    }
}

/// Whether it may be otherwise in a moment. Every row has a key, so that one whose outcome is
/// unknown is sent again as well.
fn passes(unavailable: &Unavailable) -> bool {
    match unavailable {
        Unavailable::Overloaded { .. }
        | Unavailable::Recovering { .. }
        | Unavailable::PartUnavailable { .. }
        | Unavailable::Lost { .. }
        | Unavailable::Deadline
        | Unavailable::Undecided
        | Unavailable::History { .. }
        | Unavailable::Unread
        | Unavailable::KeyInProgress => true,
        Unavailable::Full(_) | Unavailable::Down { .. } | Unavailable::Draining => false,
    }
}
