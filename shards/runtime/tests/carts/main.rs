//! Carts over several shards under everything that can go wrong, in simulation.
//!
//! Two to four real shards are driven by hand on one thread: their disks are bytes in memory,
//! their clocks and network belong to the test (`world`). Callers reserve, confirm, release,
//! extend and pin, early, late and again (`client`). A second opinion is kept from the journals
//! (`account`), and at the end everything must have come to rest and add up (`rest`). Planted bugs
//! show that the simulation would notice (`plant`); single cases are told step by step (`stories`).
//!
//! `HOLDFAST_CARTS_SEEDS=20000` makes it look longer; a failure names its seed, and the command
//! that tells its story.

mod account;
mod aftersale;
mod client;
mod node;
mod plant;
mod rest;
mod rng;
mod stories;
mod stories_aftersale;
mod words;
mod world;

use account::Fault;
use holdfast_core::ShortageReason;
use plant::Plant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// Steps of one run before everything is left to come to rest.
const STEPS: usize = 120;

/// Seeds of an ordinary run, over all numbers of shards.
const SEEDS: u64 = 2100;

/// Runs one history; what went wrong, and its story if it is wanted.
fn run(seed: u64, shards: u16, plant: Option<Plant>, traced: bool) -> Result<(), (Fault, String)> {
    let mut story = Vec::new();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = match World::new(seed, shards, plant, traced) {
            Ok(world) => world,
            Err(fault) => return Err(fault),
        };
        let ran = catch_unwind(AssertUnwindSafe(|| -> Result<(), Fault> {
            let steps = if plant.is_some() {
                3 * STEPS
            } else {
                world.steps()
            };
            for _ in 0..steps {
                world.step()?;
            }
            world.rest(seed.is_multiple_of(8))
        }));
        story = world.story().to_vec();
        // A panic may have come from anywhere in a shard: its replies are not worth hearing.
        ran.unwrap_or_else(|panic| Err(words_of(&*panic)))
    }));
    let ran = ran.unwrap_or_else(|panic| Err(words_of(&*panic)));
    ran.map_err(|fault| (fault, story.join("\n")))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without words"))
}

/// Runs many seeds; the first that fails is told whole.
fn run_all(shards: u16) {
    let wanted = std::env::var("HOLDFAST_CARTS_SEEDS").ok();
    let seeds = wanted.map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in (0..seeds).filter(|seed| seed % 3 == u64::from(shards) - 2) {
        if let Err((fault, _)) = run(seed, shards, None, false) {
            let (_, story) = run(seed, shards, None, true).expect_err("runs repeat themselves");
            panic!(
                "{story}\n\nseed {seed}: {fault}\nreplay: HOLDFAST_CARTS_SEED={seed} cargo test \
                 -p holdfast-runtime --test carts one_seed -- --nocapture"
            );
        }
    }
}

/// Looks for a seed, from the first that may, that shows what a planted bug leads to, in these
/// words.
fn is_noticed(plant: Plant, first: u64, words: &str) {
    let mut others = Vec::new();
    for seed in first..first + 2000 {
        let shards = 2 + (seed % 3) as u16;
        match run(seed, shards, Some(plant), false) {
            Err((fault, _)) if fault.contains(words) => return,
            Err((fault, _)) => others.push(fault),
            Ok(()) => {}
        }
    }
    others.sort();
    others.dedup();
    panic!("{plant:?} never led to {words:?}, but to {others:#?}");
}

#[test]
fn carts_over_two_shards_stay_whole_whatever_happens() {
    run_all(2);
}

#[test]
fn carts_over_three_shards_stay_whole_whatever_happens() {
    run_all(3);
}

#[test]
fn carts_over_four_shards_stay_whole_whatever_happens() {
    run_all(4);
}

/// A simulation that never gets there proves nothing.
#[test]
fn histories_reach_the_cases_that_matter() {
    let mut reached = [0; 11];
    for seed in 0..900 {
        let shards = 2 + (seed % 3) as u16;
        let mut world = World::new(seed, shards, None, false).expect("it starts");
        for _ in 0..world.steps() {
            world.step().expect("all is well");
        }
        world.rest(false).expect("everything fits");
        let account = &world.account;
        let homes = || account.homes.values().map(|told| &told.record);
        let extras = || homes().filter_map(|home| home.extra.as_ref());
        let spread = homes().filter(|home| home.lines.iter().any(|line| line.foreign));
        let dropped = account.holds.values().filter(|held| held.is_gone);
        let left_out = extras().flat_map(|extra| &extra.shortages);
        let left_out = left_out.filter(|short| short.reason == ShortageReason::Unavailable);
        let late = || homes().filter(|home| !account::late_holds(home).is_empty());
        let in_parts = late().filter(|home| {
            let is_first = |hold: u64| home.lines.iter().any(|line| line.hold == hold);
            let decided = account::decided(home);
            decided
                .iter()
                .any(|(_, hold, _, totals)| is_first(*hold) && totals[0] > 0)
        });
        let became = |of: fn(&[u32; 2], &holdfast_core::LineRecord) -> bool| {
            let is_such = move |home: &&holdfast_core::HomeRecord| {
                let after = home.extra.as_ref().map_or(&[][..], |extra| &extra.after);
                let mut lines = after.iter().zip(&home.lines);
                lines.any(|(after, line)| line.foreign && of(after, line))
            };
            homes().filter(is_such).count()
        };
        let moved = homes().filter(|home| home.lines.iter().any(|line| line.units == 0));
        let given_up = homes().filter(|home| {
            let reason = home.extra.as_ref().and_then(|extra| extra.reason.as_ref());
            let mut lines = home.lines.iter();
            reason.is_some_and(|reason| reason.as_str() == "shortfall")
                && lines.any(|line| line.foreign && line.totals[1] > 0)
        });
        let local = account.elsewhere.keys().count();
        let counts = [
            became(|[back, _], _| *back > 0),
            became(|[_, gone], _| *gone > 0),
            moved.count(),
            local,
            spread.count(),
            dropped.count(),
            left_out.count(),
            late().count(),
            in_parts.count(),
            account.finals.len(),
            given_up.count(),
        ];
        for (sum, count) in reached.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let wanted = [
        ("cancels over shards", 20),
        ("shipments told to another shard", 10),
        ("moves of units of another shard", 5),
        ("sales that moved", 10),
        ("carts over shards", 100),
        ("dropped holds", 100),
        ("parts left out", 20),
        ("late confirms over shards", 5),
        ("late confirms after partial ones", 1),
        ("final refusals", 20),
        ("releases of units that were gone from another shard", 1),
    ];
    for ((name, least), count) in wanted.into_iter().zip(reached) {
        println!("{name}: {count}");
        assert!(least <= count, "{name} happened {count} times");
    }
}

#[test]
fn one_seed_can_be_told_as_a_story() {
    let seed = std::env::var("HOLDFAST_CARTS_SEED").ok();
    let seed = seed.map_or(1, |seed| seed.parse().expect("a seed"));
    let shards = 2 + (seed % 3) as u16;
    let ran = run(seed, shards, None, true);
    if let Err((fault, story)) = ran {
        panic!("{story}\n\nseed {seed}: {fault}");
    }
}

#[test]
fn an_id_given_twice_is_noticed_by_what_its_cart_holds() {
    is_noticed(Plant::ReusedId, 350, "units of");
}

#[test]
fn a_cart_forgotten_before_its_parts_settled_is_noticed_by_units_that_never_come_free() {
    is_noticed(Plant::ForgottenEarly, 20, "something is due for ever");
}

#[test]
fn a_reply_before_its_commit_is_noticed_by_what_is_lost() {
    is_noticed(Plant::ReplyBeforeDurable, 0, "was acknowledged");
}

#[test]
fn a_part_that_expires_by_itself_is_noticed_by_what_its_home_sold() {
    is_noticed(Plant::PartExpires, 0, "its part");
}

#[test]
fn a_drop_while_home_still_tries_is_noticed_by_what_its_home_has() {
    is_noticed(Plant::DropWhileTrying, 0, "its part");
}

#[test]
fn a_final_refusal_that_is_not_recorded_is_noticed_by_the_sale_after_it() {
    is_noticed(Plant::FinalRefusalNotRecorded, 100, "after a final refusal");
}

#[test]
fn a_hold_named_by_its_id_alone_is_noticed_by_units_that_no_line_has() {
    is_noticed(Plant::NamedByIdAlone, 0, "belongs to no reservation");
}

#[test]
fn a_cancel_that_is_not_told_is_noticed_by_units_that_stay_sold() {
    is_noticed(Plant::CancelNotTold, 0, "confirmed, but");
}

#[test]
fn a_sale_that_is_not_kept_is_noticed_by_units_that_stay_sold() {
    is_noticed(Plant::SaleNotKept, 0, "confirmed, but");
}

#[test]
fn a_shipment_that_home_has_not_heard_is_noticed_by_what_homes_know() {
    is_noticed(Plant::ShippedNotHeard, 0, "too many");
}
