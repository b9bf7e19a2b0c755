//! The operations of one message on their way through a shard, and their answers on the way back.
//!
//! What the operations have in common is done once: one permit, one deadline, one answer, one
//! wake-up. An operation that takes longer than the others, a cart over several shards, goes on by
//! itself; its answer is put in its place, and the message waits for it. Dropped, a bundle says so:
//! what was begun is lost, the rest is not applied.
//!
//! Deliberately absent: answers before the whole message is durable.

use crate::directory::KeyGuards;
use crate::message::Operation;
use crate::permits::Permit;
use crate::placement::ShardIndex;
use crate::reply::{ReplyTo, Told, lost};
use holdfast_core::{Command, ReservationId};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// The operations of one message that have one home, in order, and the answers to the first of
/// them.
#[derive(Debug)]
pub struct Bundle {
    operations: Vec<Operation>,
    /// One whose answer comes by itself is lost, until it is there.
    answers: Vec<Told>,
    keys: Option<KeyGuards>,
    /// What the answers lean on.
    wait: u64,
    collector: Arc<Collector>,
}

/// What a caller gets back for its message: the answers, and what it may as well drop itself.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answers: Vec<Told>,
    _rest: (Vec<Operation>, Option<KeyGuards>),
}

/// Sends the answers once all are there: when the bundle and every answer that comes by itself
/// are gone.
#[derive(Debug)]
pub(crate) struct Collector {
    count: u32,
    /// How many were begun.
    begun: AtomicU32,
    shard: ShardIndex,
    gathered: Mutex<Gathered>,
    to: Option<oneshot::Sender<Answered>>,
    _permits: [Option<Permit>; 2],
}

#[derive(Debug, Default)]
struct Gathered {
    whole: Option<Answered>,
    late: Vec<(u32, Told)>,
}

impl Bundle {
    /// A message to `shard`, and where its answers arrive.
    pub(crate) fn new(
        shard: ShardIndex,
        operations: Vec<Operation>,
        keys: Option<KeyGuards>,
        permits: [Option<Permit>; 2],
    ) -> (Self, oneshot::Receiver<Answered>) {
        let (to, from) = oneshot::channel();
        let collector = Collector {
            count: u32::try_from(operations.len()).expect("a message has fewer than 2^32"),
            begun: AtomicU32::new(0),
            shard,
            gathered: Mutex::default(),
            to: Some(to),
            _permits: permits,
        };
        let bundle = Self {
            answers: Vec::with_capacity(operations.len()),
            operations,
            keys,
            wait: 0,
            collector: Arc::new(collector),
        };
        (bundle, from)
    }

    /// Whether anybody still waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        let to = self.collector.to.as_ref();
        to.is_some_and(|to| !to.is_closed())
    }

    /// How many operations it has.
    pub(crate) const fn len(&self) -> usize {
        self.operations.len()
    }

    /// How many have no answer yet.
    pub(crate) fn left(&self) -> usize {
        self.operations.len() - self.answers.len()
    }

    /// The operations that have no answer yet.
    pub(crate) fn rest(&self) -> &[Operation] {
        &self.operations[self.answers.len()..]
    }

    /// Begins the next operation: from now on, dropping the bundle means that it was lost.
    pub(crate) fn begin(&mut self) -> Option<&mut Operation> {
        let at = self.answers.len();
        let operation = self.operations.get_mut(at)?;
        self.collector.begun.store(at as u32 + 1, Ordering::Relaxed);
        Some(operation)
    }

    /// Answers the operation that was begun, once `wait` is durable; whether that commit keeps its
    /// key.
    pub(crate) fn answer(&mut self, told: Told, wait: u64, is_kept: bool) {
        if is_kept && let Some(keys) = &mut self.keys {
            keys.keep(self.answers.len() as u32);
        }
        self.wait = self.wait.max(wait);
        self.answers.push(told);
    }

    /// The operation that was begun goes on by itself.
    pub(crate) fn detach(&mut self) -> (Operation, ReplyTo) {
        let at = self.answers.len();
        let empty = Operation::of(Command::CloseCart(ReservationId::UNMINTED));
        let operation = std::mem::replace(&mut self.operations[at], empty);
        let key = self.keys.as_mut().and_then(|keys| keys.take(at as u32));
        let shard = self.collector.shard;
        self.answers.push(Err(lost(shard, true)));
        let reply = ReplyTo::late(Arc::clone(&self.collector), at as u32, key);
        (operation, reply)
    }

    /// Turns away what has no answer.
    pub(crate) fn refuse(&mut self, told: &Told) {
        self.answers.resize(self.operations.len(), told.clone());
    }

    /// The sequence that must be durable before it is sent.
    pub(crate) const fn wait(&self) -> u64 {
        self.wait
    }

    /// Hands the answers to the caller, what they lean on being durable.
    pub(crate) fn send(self) {
        let Self {
            operations,
            answers,
            mut keys,
            collector,
            ..
        } = self;
        if let Some(keys) = &mut keys {
            keys.landed();
        }
        let answered = Answered {
            answers,
            _rest: (operations, keys),
        };
        collector.gathered().whole = Some(answered);
    }
}

impl Collector {
    fn gathered(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody still waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.to.as_ref().is_some_and(|to| !to.is_closed())
    }

    /// Takes an answer that came by itself.
    pub(crate) fn take(&self, at: u32, told: Told) {
        self.gathered().late.push((at, told));
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let Some(to) = self.to.take() else { return };
        let gathered = self
            .gathered
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let Gathered { whole, late } = std::mem::take(gathered);
        let mut whole = whole.unwrap_or_else(|| Answered {
            answers: Vec::new(),
            _rest: (Vec::new(), None),
        });
        let begun = *self.begun.get_mut();
        for at in whole.answers.len() as u32..self.count {
            whole.answers.push(Err(lost(self.shard, at < begun)));
        }
        for (at, told) in late {
            whole.answers[at as usize] = told;
        }
        // A caller that has gone hears nothing.
        let _ = to.send(whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unavailable::Unavailable;

    const LOST: Told = Err(Unavailable::Lost { shard: 1 });
    const UNBEGUN: Told = Err(Unavailable::Recovering { shard: 1 });
    const DONE: Told = Err(Unavailable::Undecided);

    fn bundle(count: usize) -> (Bundle, oneshot::Receiver<Answered>) {
        let operation = || Operation::of(Command::CloseCart(ReservationId::UNMINTED));
        let operations = std::iter::repeat_with(operation).take(count).collect();
        Bundle::new(1, operations, None, [None, None])
    }

    fn told(from: &mut oneshot::Receiver<Answered>) -> Option<Vec<Told>> {
        from.try_recv().ok().map(|answered| answered.answers)
    }

    #[test]
    fn a_message_is_answered_when_its_last_answer_is_there() {
        let (mut bundle, mut from) = bundle(3);
        assert!(bundle.begin().is_some());
        let (_, late) = bundle.detach();
        assert!(bundle.begin().is_some());
        bundle.answer(DONE, 7, false);
        assert!(bundle.begin().is_some());
        bundle.answer(DONE, 5, false);
        assert!(bundle.begin().is_none());
        assert_eq!(bundle.wait(), 7);
        bundle.send();
        assert_eq!(told(&mut from), None);
        late.send(Err(Unavailable::Deadline));
        let answers = vec![Err(Unavailable::Deadline), DONE, DONE];
        assert_eq!(told(&mut from), Some(answers));
    }

    #[test]
    fn a_message_that_is_dropped_tells_what_was_begun_from_what_was_not() {
        let (mut begun, mut from) = bundle(3);
        assert!(begun.begin().is_some());
        begun.answer(DONE, 1, false);
        assert!(begun.begin().is_some());
        drop(begun);
        assert_eq!(told(&mut from), Some(vec![LOST, LOST, UNBEGUN]));
        let (unbegun, mut from) = bundle(2);
        drop(unbegun);
        assert_eq!(told(&mut from), Some(vec![UNBEGUN, UNBEGUN]));
    }

    #[test]
    fn an_answer_that_never_comes_by_itself_is_lost_and_holds_up_no_other() {
        let (mut bundle, mut from) = bundle(2);
        assert!(bundle.begin().is_some());
        let (_, late) = bundle.detach();
        bundle.refuse(&Err(Unavailable::Deadline));
        bundle.send();
        drop(late);
        let answers = vec![LOST, Err(Unavailable::Deadline)];
        assert_eq!(told(&mut from), Some(answers));
    }
}
