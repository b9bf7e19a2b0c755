//! The way in: which shard, whether it may, and the reply.
//!
//! A future of the router has no time-out of its own: a command that was begun answers when it is
//! durable or its shard has died. Whoever drops the future cancels a command that was not begun.

use crate::actor::Message;
use crate::board::Board;
use crate::clock::Clock;
use crate::directory::{Directory, Handle, KeyGuard, KeyRefused};
use crate::links::{Link, Links, Phase};
use crate::message::{Deadline, Input, Job, Jobs, Operation, Read};
use crate::placement::{Placement, ShardIndex, slot_of};
use crate::reply::{Collector, ReplyTo, Told};
use crate::stats::{ShardStats, count};
use crate::status::{Readiness, ShardState, ShardStatus};
use crate::unavailable::Unavailable;
use crate::{lookup, permits::Permit};
use holdfast_core::{Answer, Command, Refusal, Request, ReservationId, Sku, SkuView, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// The way into a runtime. Cheap to clone.
#[derive(Clone)]
pub struct Router(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) placement: Placement,
    pub(crate) links: Links,
    pub(crate) keys: Arc<Directory>,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Clock,
    pub(crate) lookup: Option<lookup::Lookup>,
    pub(crate) is_draining: AtomicBool,
    /// The first 64 bits of the cluster's id.
    pub(crate) cluster: u64,
}

/// Which permits a command takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Checkout,
    Config,
}

/// The operations of a batch that go to one shard.
struct Group {
    shard: ShardIndex,
    requests: Vec<(Request, Option<KeyGuard>)>,
    /// Their places in the batch.
    places: Vec<u32>,
    /// How many are of each class.
    counts: [usize; 2],
}

impl Router {
    /// Does one operation. What it answers is durable.
    pub async fn execute(&self, operation: Operation, deadline: Deadline) -> Told {
        let class = class_of(&operation.command);
        let (shard, key) = self.admit(&operation, &Arc::new(Arc::clone(&self.0.keys)))?;
        let link = self.link(shard);
        let key = match key {
            Ok(key) => key,
            Err(refused) => return Ok(refused),
        };
        let permit = link.take(class, 1)?;
        let (reply, told) = ReplyTo::one(shard, Some(permit), key);
        link.send(Input::One(Job {
            request: operation.into(),
            deadline,
            reply,
        }));
        told.await.unwrap_or(Err(Unavailable::Lost { shard }))
    }

    /// Does many operations, each on its own, with one message per home shard. The answers come
    /// in the order of the operations.
    pub async fn batch(&self, operations: Vec<Operation>, deadline: Deadline) -> Vec<Told> {
        let mut told: Vec<Option<Told>> = Vec::new();
        told.resize_with(operations.len(), || None);
        let mut groups: Vec<Group> = Vec::new();
        let count = operations.len();
        let keys = Arc::new(Arc::clone(&self.0.keys));
        for (at, operation) in operations.into_iter().enumerate() {
            match self.admit(&operation, &keys) {
                Err(unavailable) => told[at] = Some(Err(unavailable)),
                Ok((_, Err(refused))) => told[at] = Some(Ok(refused)),
                Ok((shard, Ok(key))) => {
                    let group = Group::of(&mut groups, shard, count);
                    group.counts[class_of(&operation.command) as usize] += 1;
                    group.places.push(at as u32);
                    group.requests.push((operation.into(), key));
                }
            }
        }
        let sent: Vec<_> = groups
            .into_iter()
            .filter_map(|group| self.send(group, deadline, &mut told))
            .collect();
        for (shard, places, answers) in sent {
            match answers.await {
                Ok(answers) if answers.len() == told.len() => return answers,
                Ok(answers) => {
                    for (place, answer) in places.into_iter().zip(answers) {
                        told[place as usize] = Some(answer);
                    }
                }
                Err(_) => {
                    for place in places {
                        told[place as usize] = Some(Err(Unavailable::Lost { shard }));
                    }
                }
            }
        }
        told.into_iter()
            .map(|told| told.expect("every operation was sent or refused"))
            .collect()
    }

    /// A reservation by id, strongly: through the mailbox, ended ones too.
    pub async fn reservation(&self, id: ReservationId, deadline: Deadline) -> Told {
        let shard = self.0.placement.home_of(id);
        let link = self.link(shard);
        self.refuse_if_closed(link)?;
        let permit = link.take(Class::Checkout, 1)?;
        let (reply, told) = ReplyTo::one(shard, Some(permit), None);
        link.send(Input::Read(Read {
            id,
            deadline,
            reply,
        }));
        told.await.unwrap_or(Err(Unavailable::Lost { shard }))
    }

    /// A SKU as committed, from the board.
    pub fn sku(&self, sku: &Sku) -> Option<SkuView> {
        self.0.board.sku(sku)
    }

    /// Up to `limit` SKUs whose names begin with `prefix` and come after `after`, by name.
    pub fn skus(&self, prefix: &str, after: Option<&Sku>, limit: usize) -> Vec<SkuView> {
        self.0.board.skus(prefix, after, limit)
    }

    /// The opaque text of a point in the ledger of a SKU's shard; 0 is its last commit.
    pub fn position(&self, sku: &Sku, seq: u64) -> String {
        let shard = self.0.placement.shard_of_sku(sku);
        let last = || self.link(shard).stats.committed.load(Ordering::Acquire);
        self.shard_position(shard, if seq == 0 { last() } else { seq })
    }

    /// The opaque text of a point in a shard's ledger: cluster, layout, shard, sequence.
    pub fn shard_position(&self, shard: ShardIndex, seq: u64) -> String {
        let (cluster, layout) = (self.0.cluster, self.0.placement.shards());
        format!("{cluster:016x}{layout:04x}{shard:04x}{seq:016x}")
    }

    /// Whether operations can be taken.
    pub fn is_ready(&self) -> Readiness {
        if self.is_draining() {
            return Readiness::Draining;
        }
        let phases = || self.0.links.iter().map(Link::phase);
        if phases().any(|phase| matches!(*phase, Phase::Serving(_))) {
            return Readiness::Ready;
        }
        if phases().any(|phase| matches!(*phase, Phase::Recovering)) {
            return Readiness::Replaying;
        }
        Readiness::NoShardWrites
    }

    /// How each shard is.
    pub fn shards(&self) -> Vec<ShardStatus> {
        self.0.links.iter().map(status_of).collect()
    }

    /// The measures of each shard.
    pub fn stats(&self) -> Vec<Arc<ShardStats>> {
        self.0
            .links
            .iter()
            .map(|link| Arc::clone(&link.stats))
            .collect()
    }

    /// Keys in the directory, kept or in flight.
    pub fn keys(&self) -> usize {
        self.0.keys.len()
    }

    /// Ledger time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now().time
    }

    /// The clock that ledger time follows.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Who owns which slot.
    pub fn placement(&self) -> &Placement {
        &self.0.placement
    }

    /// Makes a shard panic, to see it come back: for drills and tests.
    pub fn crash(&self, shard: ShardIndex) {
        self.link(shard).send_uncounted(Message::Crash);
    }

    pub(crate) fn link(&self, shard: ShardIndex) -> &Link {
        &self.0.links[usize::from(shard)]
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire)
    }

    pub(crate) fn refuse_if_closed(&self, link: &Link) -> Result<(), Unavailable> {
        if self.is_draining() {
            return Err(Unavailable::Draining);
        }
        link.refusal().map_or(Ok(()), Err)
    }

    /// The shard that an operation goes to, and its key's guard or the refusal of its key.
    #[allow(
        clippy::type_complexity,
        reason = "a refusal is an answer, not an error"
    )]
    fn admit(
        &self,
        operation: &Operation,
        keys: &Handle,
    ) -> Result<(ShardIndex, Result<Option<KeyGuard>, Answer>), Unavailable> {
        let slot = slot_of(&operation.command);
        let mut shard = self.0.placement.shard_of(slot);
        let mut guard = None;
        if let Some(tag) = &operation.key {
            match Directory::enter_with(keys, tag, slot) {
                Ok(entered) => {
                    shard = self.0.placement.shard_of(entered.slot());
                    guard = Some(entered);
                }
                Err(KeyRefused::Busy) => return Err(Unavailable::KeyInProgress),
                Err(KeyRefused::Reused) => return Ok((shard, Err(self.key_reused(shard)))),
            }
        }
        self.refuse_if_closed(self.link(shard))?;
        Ok((shard, Ok(guard)))
    }

    fn key_reused(&self, shard: ShardIndex) -> Answer {
        let seq = self.link(shard).stats.committed.load(Ordering::Acquire);
        let refusal = Box::new(Refusal::KeyReused);
        Answer::Refused {
            refusal,
            at: self.now(),
            seq,
            replayed: false,
        }
    }

    /// Sends a group as one message; operations without a permit are turned away.
    fn send(
        &self,
        mut group: Group,
        deadline: Deadline,
        told: &mut [Option<Told>],
    ) -> Option<(ShardIndex, Vec<u32>, oneshot::Receiver<Vec<Told>>)> {
        let (shard, link) = (group.shard, self.link(group.shard));
        let [checkout, config] = group.counts;
        let permits = [
            link.permits.take(checkout),
            link.config_permits.take(config),
        ];
        let mut left = permits
            .each_ref()
            .map(|permit| permit.as_ref().map_or(0, Permit::count));
        if left != group.counts {
            let mut places = std::mem::take(&mut group.places).into_iter();
            group.requests.retain(|(request, _)| {
                let place = places.next().expect("every request has a place");
                let left = &mut left[class_of(&request.command) as usize];
                if *left == 0 {
                    count(&link.stats.overloaded, 1);
                    told[place as usize] = Some(Err(Unavailable::Overloaded { shard }));
                    return false;
                }
                *left -= 1;
                group.places.push(place);
                true
            });
        }
        if group.requests.is_empty() {
            return None;
        }
        let (collector, answers) = Collector::new(shard, group.requests.len(), permits);
        let requests = group.requests.into_iter();
        link.send(Input::Many(Jobs {
            requests,
            next: 0,
            deadline,
            collector,
        }));
        Some((shard, group.places, answers))
    }
}

impl Group {
    fn of(groups: &mut Vec<Self>, shard: ShardIndex, most: usize) -> &mut Self {
        let at = groups
            .iter()
            .position(|group| group.shard == shard)
            .unwrap_or_else(|| {
                let most = if groups.is_empty() { most } else { 0 };
                let (requests, places) = (Vec::with_capacity(most), Vec::with_capacity(most));
                groups.push(Self {
                    shard,
                    requests,
                    places,
                    counts: [0; 2],
                });
                groups.len() - 1
            });
        &mut groups[at]
    }
}

impl Link {
    fn take(&self, class: Class, wanted: usize) -> Result<Permit, Unavailable> {
        let (permits, overloaded) = match class {
            Class::Checkout => (&self.permits, &self.stats.overloaded),
            Class::Config => (&self.config_permits, &self.stats.config_overloaded),
        };
        permits.take(wanted).ok_or_else(|| {
            count(overloaded, 1);
            Unavailable::Overloaded { shard: self.index }
        })
    }

    /// A permit for a strong read.
    pub(crate) fn take_read(&self) -> Result<Permit, Unavailable> {
        self.take(Class::Checkout, 1)
    }
}

const fn class_of(command: &Command) -> Class {
    match command {
        Command::Configure(_) | Command::Receive(_) | Command::Adjust(_) => Class::Config,
        Command::Reserve(_)
        | Command::Confirm(_)
        | Command::Release(_)
        | Command::Extend(_)
        | Command::Pin(_)
        | Command::Try(_)
        | Command::CreateCart(_)
        | Command::ConfirmLate(_)
        | Command::RefuseLate(..)
        | Command::CloseCart(_)
        | Command::Settle(_)
        | Command::DropHold(_) => Class::Checkout,
    }
}

fn status_of(link: &Link) -> ShardStatus {
    let (state, reason) = match &*link.phase() {
        Phase::Serving(_) => (ShardState::Serving, None),
        Phase::Recovering => (ShardState::Recovering, None),
        Phase::Down(reason) => (ShardState::Down, Some(Arc::clone(reason))),
        Phase::Quarantined(reason) => (ShardState::Quarantined, Some(Arc::clone(reason))),
        Phase::Stopped => (ShardState::Stopped, None),
    };
    let stats = &link.stats;
    ShardStatus {
        index: link.index,
        state,
        reason,
        seq: stats.committed.load(Ordering::Acquire),
        restarts: stats.restarts.load(Ordering::Relaxed),
        fill: stats.fill(),
        backlog: stats.backlog.load(Ordering::Relaxed),
        queued: link.queued(),
        permits_used: link.permits.used(),
        permits_max: link.permits.max(),
        config_permits_used: link.config_permits.used(),
        config_permits_max: link.config_permits.max(),
        undecided: stats.undecided.load(Ordering::Relaxed),
    }
}
