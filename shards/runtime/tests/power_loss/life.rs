//! A history: rounds of commands, commits and losses of power, from a seed.

use crate::account::{Account, Answers};
use crate::clerk::Clerk;
use crate::loss::{Moment, Opened, Survivor, after_losing_again, check_carts, unharmed};
use crate::machine::Machine;
use crate::node::{Node, Tally};
use crate::plan::{Plan, SHARDS};
use crate::state::{Fault, State};
use holdfast_core::{Answer, Millis, Timestamp};
use holdfast_ledger::faults::{Random, Syncs};
use holdfast_runtime::shard::Outbox;
use holdfast_runtime::{Operation, Told};
use std::fmt;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

const ROUNDS: u32 = 90;

/// A bug that the simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Syncs report success and cover nothing.
    MissingSync,
    /// Callers are told before the disk has it.
    ToldEarly,
}

/// What came of a history.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) opened: Opened,
    /// Moments at which something was not as it must be, with a planted bug.
    pub(crate) red: u64,
    pub(crate) moments: u64,
    pub(crate) losses: u64,
    pub(crate) restarts: u64,
    pub(crate) tally: Tally,
    pub(crate) answers: Answers,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.opened.images += other.opened.images;
        self.opened.again += other.opened.again;
        self.red += other.red;
        self.moments += other.moments;
        self.losses += other.losses;
        self.restarts += other.restarts;
        self.tally.add(&other.tally);
        self.answers.add(&other.answers);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Opened { images, again } = self.opened;
        write!(
            f,
            "{images} images and {again} of recoveries, {} of {} moments red; {} losses and {} \
             restarts lived through; {:?}; {:?}",
            self.red, self.moments, self.losses, self.restarts, self.answers, self.tally
        )
    }
}

/// A history under way.
struct Life {
    machine: Machine,
    clerk: Clerk,
    /// Decides about losses; not about commands.
    chance: Random,
    account: Account,
    waiting: Vec<Waiting>,
    /// Operations without an answer; sent again.
    lost: Vec<(Operation, Timestamp)>,
    plant: Option<Plant>,
    summary: Summary,
}

/// A caller who waits.
struct Waiting {
    /// None: a strong read.
    operation: Option<Operation>,
    sent: Timestamp,
    told: Receiver<Told>,
}

/// Lives the history of a seed. A fault tells the seed, the round and the command that replays it.
pub(crate) fn live(seed: u64, plant: Option<Plant>) -> Result<Summary, Fault> {
    let mut life = Life::new(seed, plant);
    let mut round = 0;
    let mut run = || {
        life.open()?;
        for n in 1..=ROUNDS {
            round = n;
            life.round()?;
        }
        Ok(())
    };
    let done = unharmed(&mut run);
    done.map_err(|fault| {
        format!(
            "seed {seed}, round {round}: {fault}\nreplay: POWER_LOSS_SEED={seed} cargo test -p \
             holdfast-runtime --test power_loss the_history_of_one_seed"
        )
    })?;
    life.summary.tally.add(&life.machine.tally());
    life.summary.answers = life.account.answers;
    Ok(life.summary)
}

impl Life {
    fn new(seed: u64, plant: Option<Plant>) -> Self {
        let plan = Plan::new(seed);
        let machine = Machine::create(&plan, Timestamp::from_ms(1_800_000_000_000));
        Self {
            clerk: Clerk::new(&plan),
            machine,
            chance: Random::new(!seed),
            account: Account::default(),
            waiting: Vec::new(),
            lost: Vec::new(),
            plant,
            summary: Summary::default(),
        }
    }

    /// The stock comes in.
    fn open(&mut self) -> Result<(), Fault> {
        for operation in self.clerk.opening() {
            self.send(operation, None);
        }
        self.machine.turn()?;
        self.listen()?;
        if self.plant == Some(Plant::MissingSync) {
            let nodes = self.machine.nodes.iter();
            nodes.for_each(|node| node.disk.set_syncs(Syncs::Missing));
        }
        Ok(())
    }

    fn round(&mut self) -> Result<(), Fault> {
        let syncs = [0, 1].map(|at: usize| self.machine.nodes[at].disk.syncs());
        let durable = [0, 1].map(|at: usize| self.machine.nodes[at].durable.clone());
        self.pass();
        self.call()?;
        let random = &mut self.clerk.random;
        self.machine.deliver_some(random);
        self.machine.tick();
        self.machine.hand_over()?;
        if self.plant == Some(Plant::ToldEarly) {
            self.tell_early()?;
        }
        self.machine.append()?;
        if self.plant == Some(Plant::ToldEarly) {
            self.machine.nodes.iter_mut().for_each(Node::forget_landing);
        }
        self.lose_power(syncs, &durable)?;
        for index in 0..SHARDS {
            // The disk has it, and the shard has not heard of it.
            if self.chance.below(8) > 0 {
                self.machine.land(index);
            }
        }
        self.listen()?;
        if self.plant.is_none() {
            self.break_something()?;
        }
        Ok(())
    }

    fn pass(&mut self) {
        let random = &mut self.clerk.random;
        let ms = match random.below(30) {
            0 => 20_000 + random.below(60_000),
            1..4 => 3000 + random.below(8000),
            _ => random.below(900),
        };
        self.machine.pass(Millis::new(ms));
    }

    /// Callers call, those without an answer again.
    fn call(&mut self) -> Result<(), Fault> {
        for (operation, sent) in std::mem::take(&mut self.lost) {
            if operation.key.is_some() && self.clerk.random.below(3) > 0 {
                self.send(operation, Some(sent));
            }
        }
        for _ in 0..=self.clerk.random.below(7) {
            let operation = self.clerk.next(self.machine.time);
            self.send(operation, None);
            if let Some(id) = self.clerk.looks_at() {
                let (operation, sent) = (None, self.machine.time);
                let told = self.machine.read(id);
                self.waiting.push(Waiting {
                    operation,
                    sent,
                    told,
                });
            }
        }
        self.listen()
    }

    fn send(&mut self, operation: Operation, sent: Option<Timestamp>) {
        let sent = sent.unwrap_or(self.machine.time);
        self.account.sends(&operation, sent);
        if let Some(told) = self.machine.send(&operation) {
            let operation = Some(operation);
            self.waiting.push(Waiting {
                operation,
                sent,
                told,
            });
        }
    }

    /// Takes the answers that have come.
    fn listen(&mut self) -> Result<(), Fault> {
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.told.try_recv() {
                Err(TryRecvError::Empty) => self.waiting.push(waiting),
                Err(TryRecvError::Closed) => return Err("an answer was lost".to_owned()),
                Ok(told) => self.hears(waiting.operation, waiting.sent, told)?,
            }
        }
        Ok(())
    }

    fn hears(
        &mut self,
        operation: Option<Operation>,
        sent: Timestamp,
        told: Told,
    ) -> Result<(), Fault> {
        let Some(operation) = operation else {
            return self.account.read(&told, &self.machine);
        };
        self.account.take(&operation, sent, &told, &self.machine)?;
        match told {
            Ok(Answer::Reservation { view, .. }) => self.clerk.saw(&view),
            Ok(_) => {}
            Err(_) => self.lost.push((operation, sent)),
        }
        Ok(())
    }

    fn tell_early(&mut self) -> Result<(), Fault> {
        let now = self.machine.now();
        for node in &mut self.machine.nodes {
            let mut out = Outbox::default();
            node.land_too_early(now, &mut out);
        }
        self.listen()
    }

    fn moment<'a>(&'a self, syncs: [u64; 2], durable: &[State; 2]) -> Moment<'a> {
        Moment {
            machine: &self.machine,
            account: &self.account,
            syncs,
            durable: durable.clone(),
        }
    }

    /// Images of this moment, each recovered, talked to rest, and thrown away.
    fn lose_power(&mut self, syncs: [u64; 2], durable: &[State; 2]) -> Result<(), Fault> {
        let mut chance = self.chance.clone();
        for _ in 0..2 {
            let downtime = Millis::new(chance.below(6) * chance.below(2500));
            let moment = self.moment(syncs, durable);
            let images = moment.images(&mut chance);
            let which = format!(
                "power lost at syncs {:?}, image seeds {:?}",
                [images[0].sync, images[1].sync],
                [images[0].seed, images[1].seed]
            );
            let mut again = 0;
            let survived = moment.recover(&images, downtime).and_then(|mut survivor| {
                if chance.below(8) == 0 {
                    again = survivor.lose_again(&mut chance)?;
                }
                survivor.go_on(moment.account)
            });
            self.summary.moments += 1;
            self.summary.opened.images += 2;
            self.summary.opened.again += again;
            match survived {
                Err(_) if self.plant.is_some() => self.summary.red += 1,
                survived => survived.map_err(|fault| format!("{which}: {fault}"))?,
            }
        }
        self.chance = chance;
        Ok(())
    }

    /// Now and then the history itself goes on from a loss, a crash or a restart.
    fn break_something(&mut self) -> Result<(), Fault> {
        match self.chance.below(24) {
            0 => {
                let mut chance = self.chance.clone();
                let survivor = self.crash(&mut chance)?;
                let is_cut_short = chance.below(2) == 0;
                self.machine = if is_cut_short {
                    after_losing_again(&survivor, &survivor.machine.plan, &mut chance)?
                } else {
                    survivor.machine
                };
                self.chance = chance;
                self.summary.losses += 1;
            }
            1 | 2 => {
                let index = self.chance.below(2) as u16;
                let durable = self.machine.nodes[usize::from(index)].durable.clone();
                let found = self.machine.restart(index, false)?;
                durable.compare(&found)?;
                self.summary.restarts += 1;
            }
            3 => self.drain()?,
            _ => return Ok(()),
        }
        self.listen()?;
        self.account.check(&self.machine)
    }

    /// Power is lost between two rounds.
    fn crash(&mut self, chance: &mut Random) -> Result<Survivor, Fault> {
        let syncs = [0, 1].map(|at: usize| self.machine.nodes[at].disk.syncs());
        let durable = [0, 1].map(|at: usize| self.machine.nodes[at].durable.clone());
        let downtime = Millis::new(chance.below(4) * chance.below(8000));
        let moment = self.moment(syncs, &durable);
        let images = moment.images(chance);
        let survivor = moment.recover(&images, downtime)?;
        self.summary.tally.add(&self.machine.tally());
        Ok(survivor)
    }

    /// A clean restart of one shard, its snapshot being whole.
    fn drain(&mut self) -> Result<(), Fault> {
        let index = self.chance.below(2) as u16;
        self.machine.settle()?;
        check_carts(&self.machine)?;
        self.machine.nodes[usize::from(index)].shard.drain();
        for _ in 0..50 {
            let is_drained = self.machine.nodes[usize::from(index)].shard.is_drained();
            if is_drained {
                break;
            }
            self.machine.turn()?;
        }
        let node = &self.machine.nodes[usize::from(index)];
        if !node.shard.is_drained() {
            return Err(format!("shard {index} does not drain"));
        }
        let durable = node.durable.clone();
        let found = self.machine.restart(index, true)?;
        durable.compare(&found)?;
        self.summary.restarts += 1;
        Ok(())
    }
}
