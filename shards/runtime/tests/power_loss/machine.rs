//! A machine: two shards in one process, the messages between them, and a clock.

use crate::node::{Node, Shared, Tally};
use crate::plan::{Plan, SHARDS};
use crate::state::{Fault, State};
use holdfast_core::{Command, Millis, MovementKind, ReservationId, SaleLines, Timestamp};
use holdfast_ledger::faults::{Disk, Random};
use holdfast_runtime::clock::Now;
use holdfast_runtime::message::{Deadline, Input, Job, Read};
use holdfast_runtime::peer::PeerMessage;
use holdfast_runtime::shard::Outbox;
use holdfast_runtime::{KeyGuard, KeyRefused, Operation, ReplyTo, Told, slot_of};
use std::time::Duration;
use tokio::sync::oneshot::Receiver;

/// Turns until two shards that talk must have nothing left to say.
const QUIET_AFTER: usize = 400;

/// Two shards in one process.
pub(crate) struct Machine {
    pub(crate) plan: Plan,
    pub(crate) shared: Shared,
    pub(crate) nodes: Vec<Node>,
    pub(crate) mail: Vec<(u16, u16, PeerMessage)>,
    pub(crate) time: Timestamp,
    /// What nodes wrote that are gone.
    past: Tally,
}

impl Machine {
    /// Two shards on two new disks.
    pub(crate) fn create(plan: &Plan, time: Timestamp) -> Self {
        let disks: Vec<Disk> = (0..SHARDS).map(|_| Disk::new()).collect();
        for (index, disk) in (0..).zip(&disks) {
            crate::node::create(disk, index, plan);
        }
        let (machine, _) = Self::recover(&disks, plan, time).expect("new ledgers open");
        machine
    }

    /// Starts a process on two disks; also gives the states that were found there.
    pub(crate) fn recover(
        disks: &[Disk],
        plan: &Plan,
        time: Timestamp,
    ) -> Result<(Self, Vec<State>), Fault> {
        let mut machine = Self {
            plan: plan.clone(),
            shared: Shared::new(),
            nodes: Vec::new(),
            mail: Vec::new(),
            time,
            past: Tally::default(),
        };
        let mut found = Vec::new();
        for (index, disk) in (0..).zip(disks) {
            let (node, state) = Node::recover(disk, index, &machine.shared, plan, machine.now())
                .map_err(|fault| format!("shard {index}: {fault}"))?;
            machine.nodes.push(node);
            found.push(state);
        }
        for index in 0..SHARDS {
            machine.reopened(index);
        }
        Ok((machine, found))
    }

    /// One shard's memory is gone; it is rebuilt from its ledger, and the other goes on.
    pub(crate) fn restart(&mut self, index: u16, is_clean: bool) -> Result<State, Fault> {
        let node = self.nodes.remove(usize::from(index));
        self.past.add(&node.tally);
        let disk = node.disk.clone();
        drop(node.shard);
        if is_clean {
            node.ledger.close().map_err(|error| error.to_string())?;
        } else {
            drop(node.ledger);
        }
        let (node, found) = Node::recover(&disk, index, &self.shared, &self.plan, self.now())?;
        self.nodes.insert(usize::from(index), node);
        self.mail.retain(|(_, to, _)| *to != index);
        self.reopened(index);
        let now = self.now();
        let other = 1 - index;
        let mut out = Outbox::default();
        self.nodes[usize::from(other)]
            .shard
            .peer_reopened(index, now, &mut out);
        self.post(other, out);
        Ok(found)
    }

    fn reopened(&mut self, index: u16) {
        let (now, mut out) = (self.now(), Outbox::default());
        self.nodes[usize::from(index)].shard.reopened(now, &mut out);
        self.post(index, out);
    }

    pub(crate) const fn now(&self) -> Now {
        Now {
            time: self.time,
            instant: self.plan.instant,
            paused: false,
        }
    }

    pub(crate) fn pass(&mut self, by: Millis) {
        self.time = self.time.after(by);
    }

    /// What all nodes have written.
    pub(crate) fn tally(&self) -> Tally {
        let mut sum = self.past.clone();
        self.nodes.iter().for_each(|node| sum.add(&node.tally));
        sum
    }

    fn post(&mut self, from: u16, out: Outbox) {
        let letters = out.peers.into_iter();
        self.mail
            .extend(letters.map(|(to, message)| (from, to, message)));
    }

    /// Sends an operation as the router does: past the key directory, and past other shards that
    /// may have kept its key, with what its home says of a sale. None: the key was refused, or
    /// home can't be asked.
    pub(crate) fn send(&mut self, operation: &Operation) -> Option<Receiver<Told>> {
        let operation = &self.with_sale(operation)?;
        let slot = slot_of(&operation.command);
        let mut guard = None;
        if let Some(tag) = &operation.key {
            match self.shared.keys.enter(tag, slot) {
                Ok(entered) => guard = Some(entered),
                Err(KeyRefused::Reused | KeyRefused::Busy) => return None,
            }
        }
        let shard = self.plan.placement.shard_of(slot);
        let elsewhere = guard.iter().flat_map(KeyGuard::elsewhere).copied();
        let mut others = elsewhere.map(|slot| self.plan.placement.shard_of(slot));
        let knows = |other: u16| {
            let engine = self.nodes[usize::from(other)].shard.engine();
            let tag = operation.key.as_ref();
            other != shard && tag.is_some_and(|tag| engine.repeat(tag).is_some())
        };
        if others.any(knows) {
            return None;
        }
        let (reply, told) = ReplyTo::one(shard, None, guard);
        let job = Job {
            request: operation.clone(),
            deadline: self.deadline(),
            reply,
        };
        self.handle(shard, Input::One(job));
        Some(told)
    }

    /// A shipment goes to its SKU's shard with what the home of its sale has recorded.
    fn with_sale(&self, operation: &Operation) -> Option<Operation> {
        let mut operation = operation.clone();
        let Command::Movement(movement) = &mut operation.command else {
            return Some(operation);
        };
        let MovementKind::Ship {
            sale: Some(sale), ..
        } = &mut movement.kind
        else {
            return Some(operation);
        };
        let home = self.plan.placement.home_of(sale.id);
        if home != self.plan.placement.shard_of_sku(&movement.sku) {
            let node = &self.nodes[usize::from(home)];
            let engine = node.shard.engine();
            // A strong read waits for what it read.
            let seq = engine.reservation_seq(sale.id);
            if node.durable.seq < seq.unwrap_or_else(|| engine.seq()) {
                return None;
            }
            // A sale that was forgotten is as good as none named: its shipment, sent again, is
            // still a repeat.
            if let Some(lines) = engine.sale_lines(sale.id, &movement.sku) {
                sale.lines = SaleLines::Told(lines);
            }
        }
        Some(operation)
    }

    /// Sends a strong read.
    pub(crate) fn read(&mut self, id: ReservationId) -> Receiver<Told> {
        let shard = self.plan.placement.home_of(id);
        let (reply, told) = ReplyTo::one(shard, None, None);
        let read = Read {
            id,
            deadline: self.deadline(),
            reply,
        };
        self.handle(shard, Input::Read(read));
        told
    }

    fn deadline(&self) -> Deadline {
        Deadline(self.plan.instant + Duration::from_secs(1))
    }

    fn handle(&mut self, index: u16, input: Input) {
        let (now, mut out) = (self.now(), Outbox::default());
        self.nodes[usize::from(index)]
            .shard
            .handle(input, now, &mut out);
        self.post(index, out);
    }

    /// Lets the shards do what time has brought and what their last turn left.
    pub(crate) fn tick(&mut self) {
        let now = self.now();
        for index in 0..SHARDS {
            let (shard, mut out) = (&mut self.nodes[usize::from(index)].shard, Outbox::default());
            if shard.has_work() {
                shard.run(now, &mut out);
            }
            if shard.next_deadline(now).is_some_and(|due| due <= now.time) {
                shard.tick(now, &mut out);
            }
            self.post(index, out);
        }
    }

    /// Delivers messages, some of them: late, out of order, twice, or never.
    pub(crate) fn deliver_some(&mut self, random: &mut Random) {
        for _ in 0..self.mail.len().min(12) {
            let at = random.below(self.mail.len() as u64) as usize;
            let (from, to, message) = match random.below(20) {
                0 => self.mail[at].clone(),
                1 => {
                    self.mail.remove(at);
                    continue;
                }
                2..6 => continue,
                _ => self.mail.remove(at),
            };
            self.handle(to, Input::Peer(from, message));
        }
    }

    pub(crate) fn hand_over(&mut self) -> Result<(), Fault> {
        let plan = &self.plan;
        self.nodes
            .iter_mut()
            .try_for_each(|node| node.hand_over(plan))
    }

    pub(crate) fn append(&mut self) -> Result<(), Fault> {
        self.nodes.iter_mut().try_for_each(Node::append)
    }

    pub(crate) fn land(&mut self, index: u16) {
        let (now, mut out) = (self.now(), Outbox::default());
        self.nodes[usize::from(index)].land(now, &mut out);
        self.post(index, out);
    }

    /// One turn in which nothing is late.
    pub(crate) fn turn(&mut self) -> Result<(), Fault> {
        for (from, to, message) in std::mem::take(&mut self.mail) {
            self.handle(to, Input::Peer(from, message));
        }
        self.tick();
        self.hand_over()?;
        self.append()?;
        (0..SHARDS).for_each(|index| self.land(index));
        Ok(())
    }

    /// Lets the shards talk until nothing is undecided, unsettled or on its way.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        for _ in 0..QUIET_AFTER {
            self.turn()?;
            if self.is_quiet() {
                return Ok(());
            }
            self.pass(Millis::new(100));
        }
        Err("the shards do not come to rest".to_owned())
    }

    fn is_quiet(&self) -> bool {
        let is_settled = |node: &Node| {
            let engine = node.shard.engine();
            let mut spread = engine.spread_homes();
            let mut held = engine.foreign_holds();
            engine.fill().undecided == 0
                && spread.all(|id| !engine.has_ended(id))
                && held.all(|hold| hold.is_bound && self.time < hold.deadline)
        };
        let is_idle = |node: &Node| {
            !node.is_busy() && !node.shard.has_work() && node.shard.durable() == node.handed.seq
        };
        self.mail.is_empty()
            && self
                .nodes
                .iter()
                .all(|node| is_idle(node) && is_settled(node))
    }

    /// Does an operation, turn by turn, until it is answered.
    pub(crate) fn ask(&mut self, operation: &Operation) -> Result<Option<Told>, Fault> {
        let Some(mut told) = self.send(operation) else {
            return Ok(None);
        };
        for _ in 0..100 {
            self.turn()?;
            if let Ok(told) = told.try_recv() {
                return Ok(Some(told));
            }
            self.pass(Millis::new(50));
        }
        Err(format!("nobody answers {operation:?}"))
    }

    pub(crate) fn home_of(&self, id: ReservationId) -> &Node {
        &self.nodes[usize::from(self.plan.placement.home_of(id))]
    }
}
