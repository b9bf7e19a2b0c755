//! The world: shards, the network between them, their clocks, and what happens to them.
//!
//! One thread, one seed, no clock but its own. Every step is one thing that could happen in a
//! service; messages are kept back, repeated, reordered and lost on the way, and shards die with
//! what they had staged, their last batch lost or kept.

use crate::account::{Account, Fault, Held};
use crate::aftersale;
use crate::client::Clients;
use crate::node::{Common, Node};
use crate::plant::{self, Plant};
use crate::rng::Rng;
use holdfast_core::{ChunkId, ChunkState, Event, Millis, Policy};
use holdfast_runtime::message::Input;
use holdfast_runtime::peer::PeerMessage;
use holdfast_runtime::shard::{Outbox, Shard};
use holdfast_runtime::{Board, CartSettings, Directory, Placement, clock};

const START: u64 = 1_800_000_000_000;

/// How rough a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mood {
    /// Messages lost, in a hundred.
    pub(crate) loss: u32,
    /// Messages repeated, in a hundred.
    pub(crate) repeat: u32,
    /// Weight of crashes among the steps.
    pub(crate) crash: u64,
    /// How far clocks differ, in milliseconds.
    pub(crate) skew: u64,
    /// Whether time flies and callers are late.
    pub(crate) is_tardy: bool,
    /// Whether callers are mostly concerned with what they sold.
    pub(crate) is_selling: bool,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) message: PeerMessage,
}

/// All there is.
pub(crate) struct World {
    pub(crate) common: Common,
    pub(crate) nodes: Vec<Node>,
    pub(crate) account: Account,
    pub(crate) clients: Clients,
    pub(crate) rng: Rng,
    pub(crate) net: Vec<Envelope>,
    /// Messages that come again when nobody expects them.
    ghosts: Vec<Envelope>,
    pub(crate) clock: u64,
    skews: Vec<u64>,
    pub(crate) mood: Mood,
    pub(crate) sent: u64,
    trace: Option<Vec<String>>,
}

impl World {
    /// Shards with stock, all up.
    pub(crate) fn new(
        seed: u64,
        shards: u16,
        plant: Option<Plant>,
        traced: bool,
    ) -> Result<Self, Fault> {
        let mut rng = Rng::new(seed);
        let width = 4096 / shards;
        let ranges = (0..shards).map(|at| {
            let end = if at + 1 == shards {
                4096
            } else {
                (at + 1) * width
            };
            at * width..end
        });
        let snapshot_after = match plant {
            Some(Plant::FinalRefusalNotRecorded) => u64::MAX,
            _ => *rng.pick(&[4, 20, u64::MAX]),
        };
        let common = Common {
            placement: Placement::new(ranges),
            board: Board::new(),
            keys: Directory::new(),
            policy: policy(&mut rng),
            carts: CartSettings::default(),
            snapshot_after,
            instant: clock::instant(),
            plant,
        };
        let mut mood = Mood {
            loss: *rng.pick(&[0, 2, 15]),
            repeat: *rng.pick(&[0, 5, 25]),
            crash: *rng.pick(&[0, 2, 6]),
            skew: *rng.pick(&[0, 50, 3000]),
            is_tardy: rng.chance(40),
            is_selling: rng.chance(50),
        };
        match plant {
            // These need crashes to come out.
            Some(Plant::ReusedId) => (mood.crash, mood.skew, mood.loss) = (15, 0, 0),
            Some(Plant::FinalRefusalNotRecorded) => (mood.crash, mood.is_tardy) = (10, true),
            _ => {}
        }
        let nodes = (0..shards).map(|at| Node::new(at, START)).collect();
        let mut world = Self {
            clients: Clients::new(&common.placement),
            common,
            nodes,
            account: Account::default(),
            rng,
            net: Vec::new(),
            ghosts: Vec::new(),
            clock: START,
            skews: vec![0; usize::from(shards)],
            mood,
            sent: 0,
            trace: traced.then(Vec::new),
        };
        world.account.is_strict = plant.is_none();
        for at in 0..shards {
            world.recover(at)?;
        }
        world.stock()?;
        Ok(world)
    }

    /// Notes what happens, where somebody will read it.
    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7} {}", self.clock - START, what()));
        }
    }

    pub(crate) const fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    pub(crate) fn story(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) -> Result<(), Fault> {
        let node = self.rng.below(self.nodes.len()) as u16;
        match self.rng.between(0, 99 + self.mood.crash) {
            0..=29 => self.deliver_some()?,
            30..=45 => self.commit_some(node)?,
            46..=69 => self.call()?,
            70..=76 => self.call_again()?,
            77..=79 => self.ghost()?,
            80..=87 => self.tick(node)?,
            88..=93 => self.pass(),
            94..=96 => self.turn(node, || "goes on".into(), Shard::run)?,
            97..=99 => self.revive()?,
            _ => self.crash(node)?,
        }
        self.collect()
    }

    /// Does something with a shard that is up.
    pub(crate) fn turn(
        &mut self,
        node: u16,
        what: impl FnOnce() -> String,
        act: impl FnOnce(&mut Shard, clock::Now, &mut Outbox),
    ) -> Result<(), Fault> {
        let mut out = Outbox::default();
        let now = self.nodes[usize::from(node)].now(&self.common);
        let Some(shard) = &mut self.nodes[usize::from(node)].shard else {
            return Ok(());
        };
        let seq = shard.engine().seq();
        act(shard, now, &mut out);
        let has_changed = shard.engine().seq() != seq;
        let checked = has_changed.then(|| shard.engine().check());
        self.say(|| format!("shard {node} {}", what()));
        self.post(node, out)?;
        match checked {
            Some(Err(broken)) => Err(format!("shard {node}: {broken}")),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Puts what leaves a shard on its way.
    pub(crate) fn post(&mut self, from: u16, out: Outbox) -> Result<(), Fault> {
        for (to, message) in out.peers {
            self.sent += u64::from(is_of_a_cart(&message));
            if self.account.is_strict {
                self.is_durable(from, &message)?;
            }
            let message = self.altered(from, to, message);
            self.say(|| format!("  {from} -> {to} {}", crate::words::of(&message)));
            let envelope = Envelope { from, to, message };
            if self.rng.chance(self.mood.repeat) {
                self.ghosts.push(envelope.clone());
            }
            if self.rng.chance(self.mood.loss) {
                self.say(|| "    lost".to_owned());
            } else {
                self.net.push(envelope);
            }
        }
        Ok(())
    }

    /// A message that leans on a change has left after its commit.
    fn is_durable(&self, from: u16, message: &PeerMessage) -> Result<(), Fault> {
        let is_held = |hold: u64| self.account.holds.contains_key(&(from, hold));
        let holds = match message {
            PeerMessage::Held(held) => held.held.iter().all(|line| is_held(line.hold)),
            PeerMessage::Decided(settles, _) => settles.iter().all(|settle| {
                let told = self.account.homes.get(&settle.id);
                told.is_some_and(|told| settle.version <= told.record.version)
            }),
            PeerMessage::Settled { version, holds, .. } => holds.iter().all(|hold| {
                let held = self.account.holds.get(&(from, *hold));
                let is_over = |held: &Held| held.is_gone || held.record.open() == 0;
                held.is_none_or(|held| is_over(held) || *version <= held.record.version)
            }),
            PeerMessage::Shipped(note) => {
                let held = self.account.holds.get(&(from, note.hold));
                let is_known = |held: &Held| {
                    note.version < held.record.version || note.shipped <= held.record.after[1]
                };
                held.is_some_and(is_known)
            }
            PeerMessage::Told(note) => {
                let told = self.account.homes.get(&note.id);
                told.is_some_and(|told| note.shipped <= aftersale::shipped(&told.record))
            }
            PeerMessage::Try(..)
            | PeerMessage::Short(_)
            | PeerMessage::Ask { .. }
            | PeerMessage::Drop(..)
            | PeerMessage::Shortfall { .. }
            | PeerMessage::Kept { .. }
            | PeerMessage::Reopened { .. } => true,
        };
        if holds {
            return Ok(());
        }
        let words = crate::words::of(message);
        Err(format!("shard {from} sent {words} before it was durable"))
    }

    /// One of the messages arrives, mostly an early one.
    pub(crate) fn deliver(&mut self) -> Result<(), Fault> {
        if self.net.is_empty() {
            return Ok(());
        }
        let near = if self.rng.chance(70) {
            self.net.len().min(3)
        } else {
            self.net.len()
        };
        let at = self.rng.below(near);
        let envelope = self.net.remove(at);
        self.arrive(envelope)
    }

    fn deliver_some(&mut self) -> Result<(), Fault> {
        for _ in 0..self.rng.between(1, 4) {
            self.deliver()?;
        }
        Ok(())
    }

    fn commit_some(&mut self, node: u16) -> Result<(), Fault> {
        for _ in 0..self.rng.between(1, 3) {
            self.commit(node)?;
        }
        Ok(())
    }

    fn ghost(&mut self) -> Result<(), Fault> {
        if self.ghosts.is_empty() {
            return Ok(());
        }
        let at = self.rng.below(self.ghosts.len());
        let envelope = self.ghosts[at].clone();
        self.arrive(envelope)
    }

    fn arrive(&mut self, envelope: Envelope) -> Result<(), Fault> {
        if let Some(answer) = plant::answers(self.common.plant, &envelope) {
            self.net.push(answer);
            if matches!(envelope.message, PeerMessage::Shipped(_)) {
                return Ok(());
            }
        }
        let Envelope { from, to, message } = envelope;
        let planted = (self.common.plant == Some(Plant::DropWhileTrying))
            .then(|| self.hasty_drop(from, to, &message))
            .flatten();
        let heard = self.is_traced().then(|| crate::words::of(&message));
        let what = || format!("hears from {from}: {}", heard.unwrap_or_default());
        self.turn(to, what, |shard, now, out| {
            shard.handle(Input::Peer(from, message), now, out);
        })?;
        self.net.extend(planted);
        Ok(())
    }

    fn hasty_drop(&self, part: u16, home: u16, message: &PeerMessage) -> Option<Envelope> {
        let PeerMessage::Held(held) = message else {
            return None;
        };
        let engine = self.nodes[usize::from(home)].engine()?;
        let id = held.id;
        let drop = |line: &holdfast_core::HeldLine| holdfast_core::DropHold {
            id,
            hold: line.hold,
        };
        engine.home_version(id).is_none().then(|| Envelope {
            from: home,
            to: part,
            message: PeerMessage::Drop(held.held.iter().map(drop).collect(), None),
        })
    }

    /// A shard hands its batch over, or its disk has finished.
    pub(crate) fn commit(&mut self, node: u16) -> Result<(), Fault> {
        let at = usize::from(node);
        let mut out = Outbox::default();
        if self.nodes[at].has_flight() {
            let events = self.nodes[at].write(&self.common);
            self.say(|| format!("shard {node} has on disk {}", crate::words::events(&events)));
            self.take(node, &events)?;
            self.nodes[at].land(&self.common, &mut out);
        } else {
            self.nodes[at].hand_over(&self.common, &mut out);
        }
        self.post(node, out)
    }

    fn take(&mut self, node: u16, events: &[Event]) -> Result<(), Fault> {
        events
            .iter()
            .try_for_each(|event| self.account.take(node, event))
    }

    pub(crate) fn tick(&mut self, node: u16) -> Result<(), Fault> {
        if self.common.plant == Some(Plant::PartExpires) {
            self.expire_parts(node)?;
        }
        self.turn(
            node,
            || "looks at its clock".into(),
            |shard, now, out| {
                shard.tick(now, out);
            },
        )
    }

    fn expire_parts(&mut self, node: u16) -> Result<(), Fault> {
        let at = usize::from(node);
        let now = self.nodes[at].now(&self.common);
        let Some(engine) = self.nodes[at].engine() else {
            return Ok(());
        };
        let ChunkState::Holds(holds) = engine.chunk(ChunkId::Holds(0)) else {
            return Ok(());
        };
        for settle in plant::own_expiries(&holds, now.time) {
            let home = self.common.placement.home_of(settle.id);
            self.turn(
                node,
                || "expires a hold by itself".into(),
                |shard, now, out| {
                    let message = PeerMessage::Decided(vec![settle], None);
                    shard.handle(Input::Peer(home, message), now, out);
                },
            )?;
        }
        Ok(())
    }

    /// Time passes, for each shard in its own way.
    fn pass(&mut self) {
        let chance = if self.mood.is_tardy { 6 } else { 20 };
        let by = match self.rng.below(chance) {
            0 => self.rng.between(4000, 20_000),
            1..=2 => self.rng.between(500, 5000),
            _ => self.rng.between(1, 200),
        };
        self.advance(by);
        let node = self.rng.below(self.skews.len());
        self.skews[node] = self.rng.between(0, self.mood.skew);
    }

    pub(crate) fn advance(&mut self, by: u64) {
        self.clock += by;
        self.say(|| format!("{by} ms later"));
        for (node, skew) in self.nodes.iter_mut().zip(&self.skews) {
            node.set_time(self.clock + skew);
        }
    }

    /// A shard dies; what was on its way to the disk is lost, or there after all.
    pub(crate) fn crash(&mut self, node: u16) -> Result<(), Fault> {
        let at = usize::from(node);
        if self.nodes[at].shard.is_none() {
            return self.recover(node);
        }
        let mut events = Vec::new();
        if self.nodes[at].has_flight() && self.rng.chance(50) {
            events = self.nodes[at].write(&self.common);
        }
        self.say(|| format!("shard {node} dies; kept {}", crate::words::events(&events)));
        self.nodes[at].die();
        self.take(node, &events)?;
        // What was in its mailbox is gone with it.
        if self.rng.chance(50) {
            self.net.retain(|envelope| envelope.to != node);
        }
        Ok(())
    }

    fn revive(&mut self) -> Result<(), Fault> {
        let down: Vec<u16> = self.down();
        if down.is_empty() {
            return Ok(());
        }
        let node = *self.rng.pick(&down);
        self.recover(node)
    }

    pub(crate) fn down(&self) -> Vec<u16> {
        let down = self.nodes.iter().filter(|node| node.shard.is_none());
        down.map(|node| node.index).collect()
    }

    /// A shard is rebuilt from its disk; now and then it dies again before it serves.
    pub(crate) fn recover(&mut self, node: u16) -> Result<(), Fault> {
        let at = usize::from(node);
        let (engine, events) = self.nodes[at].open(&self.common);
        self.take(node, &events)?;
        if self.mood.crash > 0 && self.clock > START && self.rng.chance(15) {
            self.say(|| format!("shard {node} dies while it opens"));
            return Ok(());
        }
        let seed = match self.common.plant {
            Some(Plant::ReusedId) => u64::from(node),
            _ => self.rng.next(),
        };
        let mut out = Outbox::default();
        self.nodes[at].serve(&self.common, engine, seed, &mut out);
        self.say(|| format!("shard {node} is back"));
        let others = (0..self.nodes.len() as u16).filter(|other| *other != node);
        let reopened = PeerMessage::Reopened { shard: node };
        out.peers
            .extend(others.map(|other| (other, reopened.clone())));
        self.post(node, out)
    }

    /// From now on nothing is lost.
    pub(crate) fn heal(&mut self) {
        self.say(|| "from now on all is well".to_owned());
        self.mood.loss = 0;
        self.mood.repeat = 0;
        self.mood.crash = 0;
        let ghosts = std::mem::take(&mut self.ghosts);
        self.net.extend(ghosts);
    }
}

/// Whether a message is more than the question whether a home has forgotten what it sold, or the
/// answer to that.
const fn is_of_a_cart(message: &PeerMessage) -> bool {
    !matches!(
        message,
        PeerMessage::Ask { .. }
            | PeerMessage::Decided(..)
            | PeerMessage::Drop(..)
            | PeerMessage::Settled { .. }
    )
}

fn policy(rng: &mut Rng) -> Policy {
    let mut policy = Policy {
        ttl_default: Millis::from_secs(10),
        expire_per_turn: *rng.pick(&[1, 3, 512]),
        ..Policy::default()
    };
    if rng.chance(50) {
        policy.late_window = Millis::from_secs(30);
        policy.retention = Millis::from_secs(40);
        policy.order_retention = Millis::from_secs(60);
        policy.key_retention = Millis::from_secs(30);
    }
    policy
}
