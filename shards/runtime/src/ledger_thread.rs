//! The thread that a shard's ledger blocks: one commit per hand-over, one wake each way.
//!
//! It outlives a crashed actor and ends when nobody can send to it any more. Whoever opens the
//! ledger again joins it first. Deliberately absent: retries; after a failure it is over.

use crate::actor::Message;
use crate::clock;
use crate::placement::ShardIndex;
use crate::stats::ShardStats;
use holdfast_ledger::{Batch, Ledger, LedgerError, Log};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// How a ledger's thread ended.
pub(crate) type End = Result<(), LedgerError>;

/// Where the thread of a shard's ledger is left for the supervisor.
#[derive(Clone, Default)]
pub(crate) struct Berth(Arc<Mutex<Option<JoinHandle<End>>>>);

impl Berth {
    /// Waits for the thread, if one was left here: it ends once its shard is gone.
    pub(crate) fn join(&self) -> End {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Where it panicked, what it was writing may be there or not, as after a crash.
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())))
    }

    /// Starts the thread; `tell` reaches the shard's mailbox.
    pub(crate) fn start(
        &self,
        shard: ShardIndex,
        ledger: Ledger,
        stats: Arc<ShardStats>,
        tell: impl Fn(Message) + Send + 'static,
    ) -> std::io::Result<Sender<Batch>> {
        let (hand_over, batches) = channel();
        let farewell = Farewell { tell, said: false };
        let name = format!("ledger-{shard}");
        let thread = Builder::new()
            .name(name)
            .spawn(move || run(ledger, &batches, &stats, farewell))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(hand_over)
    }
}

/// Tells the shard if the thread panics.
struct Farewell<F: Fn(Message)> {
    tell: F,
    said: bool,
}

impl<F: Fn(Message)> Drop for Farewell<F> {
    fn drop(&mut self) {
        if !self.said {
            (self.tell)(Message::Failed("the ledger's thread panicked".into()));
        }
    }
}

fn run<F: Fn(Message)>(
    mut ledger: Ledger,
    batches: &Receiver<Batch>,
    stats: &ShardStats,
    mut farewell: Farewell<F>,
) -> End {
    let epoch = ledger.epoch();
    let mut head = ledger.head();
    while let Ok(batch) = batches.recv() {
        let start = clock::instant();
        match ledger.append(&batch, head, epoch) {
            Ok(seq) => {
                head = seq;
                stats.commit_us.record(start.elapsed().as_micros() as u64);
                stats.batch_events.record(u64::from(batch.events));
                (farewell.tell)(Message::Landed {
                    seq,
                    spare: batch.body,
                });
            }
            Err(error) => {
                farewell.said = true;
                (farewell.tell)(Message::Failed(error.to_string()));
                return Err(error);
            }
        }
    }
    farewell.said = true;
    ledger.close()
}
