//! A loss of power: what both disks may hold at one moment, and what comes of it.

use crate::account::Account;
use crate::machine::Machine;
use crate::node::{self, Node};
use crate::plan::Plan;
use crate::state::{Fault, State};
use holdfast_core::{ChunkState, HoldPhase, Millis, ReservationId};
use holdfast_ledger::faults::{Disk, Image, Random};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A moment of a machine's life: a commit may be under way on each of its disks.
pub(crate) struct Moment<'a> {
    pub(crate) machine: &'a Machine,
    /// What was acknowledged before it.
    pub(crate) account: &'a Account,
    /// Syncs that had returned on each disk before it.
    pub(crate) syncs: [u64; 2],
    /// The state at the last append that had returned on each.
    pub(crate) durable: [State; 2],
}

/// How many disks were opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    /// After a loss in the middle of the history.
    pub(crate) images: u64,
    /// After another one, while such an image was being recovered.
    pub(crate) again: u64,
}

/// A machine after a loss, before anything else has happened on it.
pub(crate) struct Survivor {
    pub(crate) machine: Machine,
    found: Vec<State>,
}

impl Moment<'_> {
    /// An image of each disk, at any sync between the moment's beginning and its end.
    pub(crate) fn images(&self, random: &mut Random) -> Vec<Image> {
        let nodes = self.machine.nodes.iter().zip(self.syncs);
        let images = nodes.map(|(node, before)| {
            let history = node.disk.history();
            let sync = before + 1 + random.below(history.syncs() + 1 - before);
            history.image(sync, random.draw())
        });
        images.collect()
    }

    /// Recovers both disks, and holds what is found against what must be.
    pub(crate) fn recover(&self, images: &[Image], downtime: Millis) -> Result<Survivor, Fault> {
        let disks: Vec<Disk> = images
            .iter()
            .map(|image| Disk::with_image(image.bytes.clone()))
            .collect();
        let time = self.machine.time.after(downtime);
        let plan = &self.machine.plan;
        let (machine, found) = unharmed(|| Machine::recover(&disks, plan, time))?;
        for (index, found) in found.iter().enumerate() {
            let possible = [&self.durable[index], &self.machine.nodes[index].handed];
            is_one_of(possible, found).map_err(|fault| format!("shard {index}: {fault}"))?;
        }
        self.account.check(&machine)?;
        self.check_board(&machine, &found)?;
        Ok(Survivor { machine, found })
    }

    /// What the board showed is what the new board shows, where nothing in flight came through.
    fn check_board(&self, recovered: &Machine, found: &[State]) -> Result<(), Fault> {
        let plan = &self.machine.plan;
        for sku in plan.skus.iter().flatten() {
            let shard = usize::from(plan.placement.shard_of_sku(sku));
            if found[shard].seq != self.machine.nodes[shard].shard.durable() {
                continue;
            }
            let shown = |machine: &Machine| {
                let view = machine.shared.board.sku(sku)?;
                Some((view.config, view.versions, view.levels))
            };
            let (was, now) = (shown(self.machine), shown(recovered));
            if was != now {
                return Err(format!(
                    "the board showed {sku} as {was:?}, and now {now:?}"
                ));
            }
        }
        Ok(())
    }
}

impl Survivor {
    /// Power is lost once more, at every sync of the recovery that has just been.
    pub(crate) fn lose_again(&self, random: &mut Random) -> Result<u64, Fault> {
        let mut opened = 0;
        for (node, found) in self.machine.nodes.iter().zip(&self.found) {
            let history = node.disk.history();
            for sync in 1..=history.syncs() + 1 {
                let image = history.image(sync, random.draw());
                self.reopen(node, found, &image).map_err(|fault| {
                    format!("shard {}, sync {sync} of its recovery: {fault}", node.index)
                })?;
                opened += 1;
            }
        }
        Ok(opened)
    }

    fn reopen(&self, node: &Node, found: &State, image: &Image) -> Result<(), Fault> {
        let plan = &self.machine.plan;
        let disk = Disk::with_image(image.bytes.clone());
        let again = unharmed(|| {
            let (_, engine) = node::open(&disk, &plan.identity(node.index), plan)?;
            Ok(State::of(&engine, &plan.customers))
        })?;
        is_one_of([found, &node.handed], &again)
    }

    /// Images of both disks at any sync of the recovery.
    pub(crate) fn images(&self, random: &mut Random) -> Vec<Disk> {
        let disks = self.machine.nodes.iter().map(|node| {
            let history = node.disk.history();
            let sync = 1 + random.below(history.syncs() + 1);
            Disk::with_image(history.image(sync, random.draw()).bytes)
        });
        disks.collect()
    }

    /// The shards talk until nothing is left to say, and go on working.
    pub(crate) fn go_on(&mut self, account: &Account) -> Result<(), Fault> {
        let machine = &mut self.machine;
        unharmed(|| {
            machine.settle()?;
            check_carts(machine)?;
            account.check(machine)?;
            account.repeat_some(machine)?;
            machine.settle()?;
            for node in &machine.nodes {
                let broken = node.shard.engine().check();
                broken.map_err(|broken| broken.to_string())?;
            }
            check_carts(machine)
        })
    }
}

/// Does something that may panic, which is a fault like others.
pub(crate) fn unharmed<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    crate::quiet::silently(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// At least what was acknowledged, at most what was in flight, whole.
fn is_one_of(possible: [&State; 2], found: &State) -> Result<(), Fault> {
    let [acknowledged, handed] = possible;
    if found.seq == handed.seq {
        handed.compare(found)
    } else if found.seq == acknowledged.seq {
        acknowledged.compare(found)
    } else {
        Err(format!(
            "it is at {}, acknowledged was {}, handed over {}",
            found.seq, acknowledged.seq, handed.seq
        ))
    }
}

/// The open units of carts: by hold, the cart and how many.
type Open = BTreeMap<(u16, u64), (ReservationId, u32)>;

/// At rest, both sides of every cart agree on its open units.
pub(crate) fn check_carts(machine: &Machine) -> Result<(), Fault> {
    let (mut promised, mut held) = (Open::new(), Open::new());
    for node in &machine.nodes {
        for (_, chunk) in node.shard.engine().all_chunks() {
            match chunk {
                ChunkState::Homes(homes) => {
                    let homes = homes.iter();
                    let lines =
                        homes.flat_map(|home| home.lines.iter().map(|line| (home.id, line)));
                    for (id, line) in lines.filter(|(_, line)| line.foreign && line.open() > 0) {
                        let shard = machine.plan.placement.shard_of_sku(&line.sku);
                        promised.insert((shard, line.hold), (id, line.open()));
                    }
                }
                ChunkState::Holds(holds) => {
                    let foreign = holds.iter().filter(|hold| hold.phase != HoldPhase::Local);
                    for hold in foreign.filter(|hold| hold.open() > 0) {
                        held.insert((node.index, hold.number), (hold.id, hold.open()));
                    }
                }
                ChunkState::Shard(_) | ChunkState::Skus(_) | ChunkState::Keys(_) => {}
            }
        }
    }
    if promised == held {
        return Ok(());
    }
    Err(format!(
        "carts promise {promised:?}, their parts hold {held:?}"
    ))
}

/// Begins a life on the disks of a recovery that was itself cut short.
pub(crate) fn after_losing_again(
    survivor: &Survivor,
    plan: &Plan,
    random: &mut Random,
) -> Result<Machine, Fault> {
    let disks = survivor.images(random);
    let time = survivor.machine.time.after(Millis::new(random.below(2000)));
    let (machine, found) = unharmed(|| Machine::recover(&disks, plan, time))?;
    for (index, again) in found.iter().enumerate() {
        let possible = [
            &survivor.found[index],
            &survivor.machine.nodes[index].handed,
        ];
        is_one_of(possible, again).map_err(|fault| format!("shard {index}, again: {fault}"))?;
    }
    Ok(machine)
}
