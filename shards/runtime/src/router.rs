//! The way in: which shard, whether it may, and the reply.
//!
//! A future of the router has no time-out of its own: a command that was begun answers when it is
//! durable or its shard has died. Whoever drops the future cancels a command that was not begun.

use crate::actor::Message;
use crate::board::Board;
use crate::bundle::{Answered, Bundle};
use crate::clock::Clock;
use crate::directory::{Directory, KeyGuard, KeyGuards, KeyRefused};
use crate::group::{Class, Group, class_of};
use crate::links::{Link, Links, Phase};
use crate::message::{AskKey, Deadline, Input, Job, Jobs, Operation, Read};
use crate::placement::{Placement, ShardIndex, Slots, slot_of};
use crate::reply::{KeyTo, ReplyTo, Told};
use crate::statement::Statements;
use crate::stats::{ShardStats, count};
use crate::status::{Readiness, ShardState, ShardStatus};
use crate::unavailable::Unavailable;
use crate::{lookup, permits::Permit};
use holdfast_core::{Answer, KeyTag, Refusal, ReservationId, Sku, SkuView, Slot, Timestamp};
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
    pub(crate) statement: Option<Statements>,
    /// How far the statements may be behind while counts are compared with the past.
    pub(crate) count_lag_max: u64,
    pub(crate) is_draining: AtomicBool,
    /// Held while a decision on a location goes to all shards.
    pub(crate) locations: tokio::sync::Mutex<()>,
    /// The first 64 bits of the cluster's id.
    pub(crate) cluster: u64,
}

/// An operation whose key may be known elsewhere.
struct Stray {
    place: u32,
    operation: Operation,
    key: KeyGuard,
}

impl Router {
    /// Does one operation. What it answers is durable.
    pub async fn execute(&self, mut operation: Operation, deadline: Deadline) -> Told {
        if self.mark(&mut operation.command) {
            return Box::pin(self.execute_marked(operation, deadline)).await;
        }
        self.enter(operation, deadline).await
    }

    /// Does an operation that leans on nothing that its shard does not know, or says so.
    pub(crate) async fn enter(&self, operation: Operation, deadline: Deadline) -> Told {
        let slot = slot_of(&operation.command);
        let shard = self.0.placement.shard_of(slot);
        let mut guard = None;
        if let Some(tag) = operation.key.as_ref().filter(|_| self.has_others()) {
            match self.0.keys.enter(tag, slot) {
                Ok(entered) => guard = Some(entered),
                Err(refused) => return self.refused_key(refused, shard),
            }
        }
        self.perform(operation, guard, deadline).await
    }

    /// Does an operation whose key is in the directory.
    async fn perform(
        &self,
        operation: Operation,
        key: Option<KeyGuard>,
        deadline: Deadline,
    ) -> Told {
        let shard = self.0.placement.shard_of(slot_of(&operation.command));
        let link = self.link(shard);
        self.refuse_if_closed(link)?;
        if let (Some(tag), Some(key)) = (&operation.key, &key)
            && let Some(told) = self.ask_others(tag, key.elsewhere(), shard).await?
        {
            return told;
        }
        let permit = link.take(class_of(&operation.command), 1)?;
        let (reply, told) = ReplyTo::one(shard, Some(permit), key);
        link.send(Input::One(Job {
            request: operation,
            deadline,
            reply,
        }));
        told.await.unwrap_or(Err(Unavailable::Lost { shard }))
    }

    /// Does many operations, each on its own, with one message per home shard. The answers come
    /// in the order of the operations.
    pub async fn batch(&self, operations: Vec<Operation>, deadline: Deadline) -> Vec<Told> {
        let told = self.batch_in_short(operations, deadline).await;
        told.into_iter().map(whole).collect()
    }

    /// The same, with plain reservations that were just made told in short ([`Answer::Made`]): who
    /// writes thousands of answers need not have each of them spelled out.
    pub async fn batch_in_short(
        &self,
        mut operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Vec<Told> {
        let mut is_marked = false;
        for operation in &mut operations {
            is_marked |= self.mark(&mut operation.command);
        }
        if is_marked {
            return Box::pin(self.batch_marked(operations, deadline)).await;
        }
        self.send_in_short(operations, deadline).await
    }

    /// Does operations that lean on nothing that their shards do not know, or say so.
    pub(crate) async fn send_all(
        &self,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Vec<Told> {
        let told = self.send_in_short(operations, deadline).await;
        told.into_iter().map(whole).collect()
    }

    async fn send_in_short(&self, operations: Vec<Operation>, deadline: Deadline) -> Vec<Told> {
        let mut told: Vec<Option<Told>> = Vec::new();
        told.resize_with(operations.len(), || None);
        let mut strays = Vec::new();
        let groups = if self.has_others() {
            self.sort(operations, &mut told, &mut strays)
        } else {
            vec![Group::all(operations)]
        };
        let sent: Vec<_> = groups
            .into_iter()
            .filter_map(|group| self.send(group, deadline, &mut told))
            .collect();
        for (shard, places, answered) in sent {
            match answered.await {
                Ok(Answered { answers, .. }) if answers.len() == told.len() => return answers,
                Ok(Answered { answers, .. }) => {
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
        for stray in strays {
            let answer = self.perform(stray.operation, Some(stray.key), deadline);
            told[stray.place as usize] = Some(answer.await);
        }
        told.into_iter()
            .map(|told| told.expect("every operation was sent or refused"))
            .collect()
    }

    /// Enters the keys of a batch and sorts its operations by their shards.
    fn sort(
        &self,
        operations: Vec<Operation>,
        told: &mut [Option<Told>],
        strays: &mut Vec<Stray>,
    ) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let count = operations.len();
        let mut slots = Slots::default();
        for (place, operation) in operations.into_iter().enumerate() {
            let slot = slots.of(&operation.command);
            let shard = self.0.placement.shard_of(slot);
            let group = Group::of(&mut groups, shard, count);
            if let Some(tag) = &operation.key {
                let at = group.operations.len() as u32;
                let room = group.operations.capacity();
                let keys = group
                    .keys
                    .get_or_insert_with(|| KeyGuards::new(Arc::clone(&self.0.keys), room));
                match keys.enter(at, tag, slot) {
                    Ok(elsewhere) if elsewhere.is_empty() => {}
                    Ok(elsewhere) => {
                        let place = place as u32;
                        let key = keys.take_last(elsewhere);
                        strays.push(Stray {
                            place,
                            operation,
                            key,
                        });
                        continue;
                    }
                    Err(refused) => {
                        told[place] = Some(self.refused_key(refused, shard));
                        continue;
                    }
                }
            }
            group.push(place, operation);
        }
        groups
    }

    /// What other shards that seem to have kept a key say to it, if one of them has.
    async fn ask_others(
        &self,
        tag: &KeyTag,
        elsewhere: &[Slot],
        own: ShardIndex,
    ) -> Result<Option<Told>, Unavailable> {
        for slot in elsewhere {
            let shard = self.0.placement.shard_of(*slot);
            if shard == own {
                continue;
            }
            let link = self.link(shard);
            self.refuse_if_closed(link)?;
            let (to, said) = KeyTo::new(link.take_read()?);
            link.send(Input::Key(AskKey { tag: *tag, to }));
            let said = said.await;
            if let Some(told) = said.map_err(|_| Unavailable::Recovering { shard })? {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    /// Whether there is more than one shard, so that a key may have another home than its command.
    fn has_others(&self) -> bool {
        self.0.placement.shards() > 1
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

    /// Why nothing can be said of a SKU that the board does not show: its shard does not serve.
    pub fn why_unseen(&self, sku: &Sku) -> Option<Unavailable> {
        self.link(self.0.placement.shard_of_sku(sku)).refusal()
    }

    /// Shards of which the board shows nothing, since they have not served since the start.
    pub fn unseen_shards(&self) -> Vec<ShardIndex> {
        let is_unseen = |link: &&Link| {
            link.refusal().is_some() && link.stats.committed.load(Ordering::Acquire) == 0
        };
        let unseen = self.0.links.iter().filter(is_unseen);
        unseen.map(|link| link.index).collect()
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

    /// Keys that the shards keep.
    pub fn keys(&self) -> usize {
        let links = self.0.links.iter();
        links.map(|link| link.stats.fill().keys).sum()
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

    /// What is told where a key may not be used.
    fn refused_key(&self, refused: KeyRefused, shard: ShardIndex) -> Told {
        match refused {
            KeyRefused::Busy => Err(Unavailable::KeyInProgress),
            KeyRefused::Reused => {
                let seq = self.link(shard).stats.committed.load(Ordering::Acquire);
                Ok(Answer::Refused {
                    refusal: Box::new(Refusal::KeyReused),
                    at: self.now(),
                    seq,
                    replayed: false,
                })
            }
        }
    }

    /// Sends a group as one message; operations without a permit are turned away.
    fn send(
        &self,
        mut group: Group,
        deadline: Deadline,
        told: &mut [Option<Told>],
    ) -> Option<(ShardIndex, Vec<u32>, oneshot::Receiver<Answered>)> {
        let (shard, link) = (group.shard, self.link(group.shard));
        if let Err(closed) = self.refuse_if_closed(link) {
            for place in group.places {
                told[place as usize] = Some(Err(closed.clone()));
            }
            return None;
        }
        let [checkout, config] = group.counts;
        let permits = [
            link.permits.take(checkout),
            link.config_permits.take(config),
        ];
        let left = permits
            .each_ref()
            .map(|permit| permit.as_ref().map_or(0, Permit::count));
        if left != group.counts {
            for place in group.shrink(left) {
                count(&link.stats.overloaded, 1);
                told[place as usize] = Some(Err(Unavailable::Overloaded { shard }));
            }
        }
        if group.operations.is_empty() {
            return None;
        }
        let (bundle, answered) = Bundle::new(shard, group.operations, group.keys, permits);
        link.send(Input::Many(Jobs { deadline, bundle }));
        Some((shard, group.places, answered))
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

    /// A permit for configuration.
    pub(crate) fn take_config(&self) -> Result<Permit, Unavailable> {
        self.take(Class::Config, 1)
    }

    /// A permit for a strong read.
    pub(crate) fn take_read(&self) -> Result<Permit, Unavailable> {
        self.take(Class::Checkout, 1)
    }
}

fn whole(told: Told) -> Told {
    told.map(Answer::whole)
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
