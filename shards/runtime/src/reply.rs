//! The way back to a caller.
//!
//! A [`ReplyTo`] answers at most once. One that is dropped says so by itself: an operation that
//! was begun is lost (its outcome unknown), one that never was is not applied. So a mailbox that
//! is thrown away leaves no caller waiting. It carries the operation's permit and key guard.

use crate::bundle::Collector;
use crate::directory::KeyGuard;
use crate::permits::Permit;
use crate::placement::ShardIndex;
use crate::unavailable::Unavailable;
use holdfast_core::{Answer, ReservationId, ReservationView};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a caller hears.
pub type Told = Result<Answer, Unavailable>;

/// Where an operation's answer goes.
#[derive(Debug)]
pub struct ReplyTo {
    sink: Sink,
    key: Option<KeyGuard>,
}

#[derive(Debug)]
enum Sink {
    One(Box<One>),
    Late(Arc<Collector>, u32),
    Told,
}

#[derive(Debug)]
struct One {
    to: Option<oneshot::Sender<Told>>,
    shard: ShardIndex,
    begun: bool,
    _permit: Option<Permit>,
}

/// Where the reservations found by a look-up go. Dropped, it finds nothing.
#[derive(Debug)]
pub struct FindTo {
    to: oneshot::Sender<Found>,
    _permit: Permit,
}

/// The reservations found by a look-up; unknown and forgotten ones are left out.
#[derive(Debug)]
pub struct Found {
    /// In the order of the ids asked for.
    pub views: Vec<ReservationView>,
    /// Ids that are not there any more.
    pub gone: Vec<ReservationId>,
}

/// Where it goes what a shard says to a key, if it has kept it. Dropped, it says nothing.
#[derive(Debug)]
pub struct KeyTo {
    to: oneshot::Sender<Option<Told>>,
    _permit: Permit,
}

impl KeyTo {
    /// A reply to the question for a key, and where it arrives.
    pub fn new(permit: Permit) -> (Self, oneshot::Receiver<Option<Told>>) {
        let (to, from) = oneshot::channel();
        (
            Self {
                to,
                _permit: permit,
            },
            from,
        )
    }

    /// Answers: with what its operation was told, or that there is no such key.
    pub fn send(self, told: Option<Told>) {
        // A caller that has gone hears nothing.
        let _ = self.to.send(told);
    }
}

impl FindTo {
    /// A reply to a look-up, and where it arrives.
    pub fn new(permit: Permit) -> (Self, oneshot::Receiver<Found>) {
        let (to, from) = oneshot::channel();
        (
            Self {
                to,
                _permit: permit,
            },
            from,
        )
    }

    /// Answers.
    pub fn send(self, found: Found) {
        // A caller that has gone hears nothing.
        let _ = self.to.send(found);
    }
}

impl ReplyTo {
    /// A reply to one operation on `shard`, and where it arrives.
    pub fn one(
        shard: ShardIndex,
        permit: Option<Permit>,
        key: Option<KeyGuard>,
    ) -> (Self, oneshot::Receiver<Told>) {
        let (to, from) = oneshot::channel();
        let one = One {
            to: Some(to),
            shard,
            begun: false,
            _permit: permit,
        };
        (
            Self {
                sink: Sink::One(Box::new(one)),
                key,
            },
            from,
        )
    }

    /// A reply to the operation at `index` of a message, which was begun.
    pub(crate) const fn late(of: Arc<Collector>, index: u32, key: Option<KeyGuard>) -> Self {
        Self {
            sink: Sink::Late(of, index),
            key,
        }
    }

    /// From now on dropping it means that the operation was lost.
    pub fn begin(&mut self) {
        match &mut self.sink {
            Sink::One(one) => one.begun = true,
            Sink::Late(..) | Sink::Told => {}
        }
    }

    /// Whether anybody still waits for it.
    pub fn is_wanted(&self) -> bool {
        match &self.sink {
            Sink::One(one) => one.to.as_ref().is_some_and(|to| !to.is_closed()),
            Sink::Late(of, _) => of.is_wanted(),
            Sink::Told => false,
        }
    }

    /// Answers.
    pub fn send(mut self, told: Told) {
        drop(self.key.take());
        self.tell(told);
    }

    /// Answers an operation whose key a commit has kept.
    pub fn send_kept(mut self, told: Told) {
        if let Some(key) = self.key.take() {
            key.keep();
        }
        self.tell(told);
    }

    fn tell(&mut self, told: Told) {
        match std::mem::replace(&mut self.sink, Sink::Told) {
            Sink::One(mut one) => {
                if let Some(to) = one.to.take() {
                    // A caller that has gone hears nothing.
                    let _ = to.send(told);
                }
            }
            Sink::Late(of, index) => of.take(index, told),
            Sink::Told => {}
        }
    }
}

impl One {
    const fn lost(&self) -> Unavailable {
        lost(self.shard, self.begun)
    }
}

pub(crate) const fn lost(shard: ShardIndex, begun: bool) -> Unavailable {
    if begun {
        Unavailable::Lost { shard }
    } else {
        Unavailable::Recovering { shard }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let lost = self.lost();
        if let Some(to) = self.to.take() {
            let _ = to.send(Err(lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_dropped_before_it_was_begun_is_not_applied_and_after_it_is_lost() {
        let (reply, mut told) = ReplyTo::one(3, None, None);
        drop(reply);
        assert_eq!(
            told.try_recv(),
            Ok(Err(Unavailable::Recovering { shard: 3 }))
        );
        let (mut reply, mut told) = ReplyTo::one(3, None, None);
        reply.begin();
        drop(reply);
        assert_eq!(told.try_recv(), Ok(Err(Unavailable::Lost { shard: 3 })));
    }
}
