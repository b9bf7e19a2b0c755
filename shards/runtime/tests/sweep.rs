//! A shard driven by hand while very many holds lapse at once.
//!
//! Deliberately absent: actors, clocks and disks; what is timed on a real one is a bench's.

mod common;

use common::*;
use holdfast_core::{Command, Engine, Millis, Opening, Policy, Request, Sku, Slot, Timestamp};
use holdfast_runtime::clock::{self, Now};
use holdfast_runtime::message::{Input, Job};
use holdfast_runtime::shard::{Outbox, Setting, Shard, SnapshotSettings};
use holdfast_runtime::{Board, CartSettings, Directory, Placement, ReplyTo, ShardStats, Told};
use std::sync::Arc;
use tokio::sync::oneshot;

const HOLDS: u32 = 3000;
/// What a turn of the default policy may record: a buyer waits for three turns on his way.
const A_TURN: u64 = 128;
const TTL: Millis = Millis::from_secs(60);

struct World {
    shard: Shard,
    now: Now,
    out: Outbox,
}

impl World {
    fn new() -> Self {
        let setting = Setting {
            index: 0,
            placement: Placement::new(std::iter::once(0..Slot::COUNT)),
            board: Board::new(),
            keys: Directory::new(),
            stats: Arc::new(ShardStats::new()),
            snapshots: SnapshotSettings::default(),
            seed: 1,
        };
        let opening = Opening::new(1).expect("a number");
        let engine = Engine::new(Policy::default());
        Self {
            shard: Shard::new(engine, opening, setting, CartSettings::default()),
            now: Now {
                time: timestamp(0),
                instant: clock::instant(),
                paused: false,
            },
            out: Outbox::default(),
        }
    }

    /// With so many units of a SKU, and so many holds of one that have just lapsed.
    fn lapsed(tee: &Sku, units: u32, holds: u32) -> Self {
        let mut world = Self::new();
        world
            .run(Command::Configure(Box::new(configure(tee))))
            .expect("it is made");
        world.run(receive(tee, units)).expect("it is stocked");
        for _ in 0..holds {
            view(world.run(reserve_ttl(tee, 1, TTL)));
        }
        world.now.time = Timestamp::after(world.now.time, TTL);
        world
    }

    fn run(&mut self, command: Command) -> Told {
        let mut told = self.begin(command);
        self.commit();
        told.try_recv().expect("it is durable")
    }

    /// Decides a command, whose caller waits from now on.
    fn begin(&mut self, command: Command) -> oneshot::Receiver<Told> {
        let (reply, told) = ReplyTo::one(0, None, None);
        let job = Job {
            request: Request::of(command),
            deadline: soon(),
            reply,
        };
        self.shard.handle(Input::One(job), self.now, &mut self.out);
        told
    }

    /// Sweeps as long as there is more for this commit; how many events that were.
    fn sweep(&mut self) -> u64 {
        let before = self.shard.engine().seq();
        while self.shard.tick(self.now, &mut self.out) {}
        self.shard.engine().seq() - before
    }

    fn commit(&mut self) {
        if let Some(batch) = self.shard.take_batch() {
            let last = batch.first + u64::from(batch.events) - 1;
            self.shard.committed(last, self.now, &mut self.out);
        }
    }
}

#[test]
fn a_sweep_goes_on_in_short_turns_however_many_have_lapsed() {
    let tee = sku("TEE-RED-M");
    let mut world = World::lapsed(&tee, HOLDS + 100, HOLDS);
    let (mut turns, mut is_more) = (0, true);
    while is_more {
        let before = world.shard.engine().seq();
        is_more = world.shard.tick(world.now, &mut world.out);
        let swept = world.shard.engine().seq() - before;
        assert!(swept <= A_TURN, "{swept} in one turn");
        world.commit();
        if turns < 20 {
            view(world.run(reserve_ttl(&tee, 1, TTL)));
        }
        turns += 1;
    }
    assert_eq!(world.shard.fill().open, 20);
}

#[test]
fn a_commit_takes_its_share_of_expiries_and_the_next_one_goes_on() {
    const SHARE: u64 = 1_000;
    let tee = sku("TEE-RED-M");
    // One is left, so that no threshold is crossed.
    let mut world = World::lapsed(&tee, SHARE as u32 + 201, SHARE as u32 + 200);
    assert_eq!(world.sweep(), SHARE);
    let is_due = |world: &World| {
        let due = world.shard.next_deadline(world.now);
        due.is_some_and(|due| due <= world.now.time)
    };
    assert!(!is_due(&world), "it waits for the commit");
    world.commit();
    assert!(is_due(&world));
    while world.shard.tick(world.now, &mut world.out) {}
    assert_eq!(world.shard.fill().open, 0);
}

#[test]
fn a_commit_that_somebody_waits_for_takes_fewer_expiries_along() {
    const SHARE: u64 = 64;
    let tee = sku("TEE-RED-M");
    let mut world = World::lapsed(&tee, 10 * SHARE as u32, 3 * SHARE as u32);
    let mut told = world.begin(reserve_ttl(&tee, 1, TTL));
    assert_eq!(world.sweep(), SHARE);
    let batch = world.shard.take_batch().expect("something is staged");
    assert_eq!(world.sweep(), SHARE, "the commit under way is waited for");
    let last = batch.first + u64::from(batch.events) - 1;
    world.shard.committed(last, world.now, &mut world.out);
    view(told.try_recv().expect("it is durable"));
    world.commit();
    assert_eq!(world.sweep(), SHARE, "it was all that was left");
}
