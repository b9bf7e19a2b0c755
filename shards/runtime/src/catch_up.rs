//! Recording at once what time has brought, for a clock that was moved by hand.
//!
//! Correctness does not need it: a deadline is a fact for every command, whoever records it. It
//! lets a rehearsal read counters in which all that was due has happened.
//! Deliberately absent: waiting for what is past its retention to be forgotten.

use std::time::Duration;

use crate::actor::Message;
use crate::clock;
use crate::links::Link;
use crate::message::{Input, ReadMany};
use crate::permits::Permits;
use crate::reply::{FindTo, Found};
use crate::router::Router;
use holdfast_core::ReservationId;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot::Receiver;

/// Rounds through all mailboxes after the one in which the last expiry was durable: after the
/// first, homes of carts have told the parts; after the second, the parts have given their units
/// back.
const ROUNDS_AFTER: usize = 2;

impl Router {
    /// Lets every shard that serves record the expiries that are due, and waits until they are
    /// durable and on the board, parts of carts included; at most `within`. How many are left, at
    /// least: 0 where all is done.
    pub async fn catch_up(&self, within: Duration) -> usize {
        let until = clock::instant() + within;
        let links = &self.0.links;
        for link in links.iter() {
            link.send_uncounted(Message::Tick);
        }
        let mut clear = 0;
        while clear <= ROUNDS_AFTER {
            let sent: Vec<Receiver<Found>> = links.iter().map(pass).collect();
            for answer in sent {
                let left = until.saturating_duration_since(clock::instant());
                // A shard that does not serve answers nothing, and owes nothing now.
                if tokio::time::timeout(left, answer).await.is_err() {
                    return backlog(links).max(1);
                }
            }
            clear = if backlog(links) == 0 { clear + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
        0
    }
}

/// Sends a read of nothing through a shard's mailbox: its answer waits until all that was staged
/// before it is durable.
fn pass(link: &Link) -> Receiver<Found> {
    // Its own: buyers may have taken all of the shard's.
    let permit = Permits::new(1).take(1).expect("nobody else knows it");
    let (to, found) = FindTo::new(permit);
    let ids = vec![ReservationId::UNMINTED];
    link.send(Input::ReadMany(ReadMany { ids, to }));
    found
}

/// Expiries that are due on shards that serve.
fn backlog(links: &[Link]) -> usize {
    let serving = links.iter().filter(|link| link.refusal().is_none());
    let of = |link: &Link| link.stats.backlog.load(Ordering::Relaxed);
    serving.map(of).sum()
}
