//! What a day of orders takes in memory and on disk: the constants of the README's sizing table,
//! and the table itself.
//!
//! `cargo bench --bench sizing`. A day's order is two reserves of one line, one of them confirmed
//! with a payment reference and one abandoned, and every call has a key. Each constant is what
//! half a million of something leave behind, through the whole runtime. Deliberately absent: page
//! caches, which have a bound of their own (`data.cache_bytes`), and what is open at a moment,
//! which at ten minutes each is a hundredth of what is kept.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::{all_done, directory, machine, payload, play, role};
use holdfast_core::{Answer, Command, Confirm, Late, Millis, ReservationId, Text};
use holdfast_ledger::{DataDir, View};
use holdfast_runtime::{Deadline, LookupFilter, Operation, Router, Runtime, Settings};
use std::io::Read as _;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COUNT: u64 = 500_000;
const MESSAGE: u64 = 1_000;

/// Days that things are kept by default.
const CONFIRMED_DAYS: f64 = 7.0;
const EXPIRED_DAYS: f64 = 1.0;
const KEY_DAYS: f64 = 1.0;
/// Keys of one order's calls: two reserves and a confirm.
const KEYS: f64 = 3.0;

/// Bytes that one of them leaves behind.
#[derive(Clone, Copy)]
struct Left {
    memory: f64,
    journal: f64,
    snapshot: f64,
    look_up: f64,
}

/// What is done with reservations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Confirmed,
    Expired,
    LookedUp,
}

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    match role().as_deref() {
        Some("confirmed") => tokio.block_on(weigh(Fate::Confirmed, true)),
        Some("confirmed without keys") => tokio.block_on(weigh(Fate::Confirmed, false)),
        Some("expired without keys") => tokio.block_on(weigh(Fate::Expired, false)),
        Some("expired") => tokio.block_on(weigh(Fate::Expired, true)),
        Some("looked up") => tokio.block_on(weigh(Fate::LookedUp, true)),
        Some(other) => panic!("there is no role {other}"),
        None => report(),
    }
}

fn report() {
    let (confirmed, expired) = (weighed("confirmed"), weighed("expired"));
    let (bought, left) = (
        weighed("confirmed without keys"),
        weighed("expired without keys"),
    );
    let look_up = weighed("looked up").look_up;
    let key = (confirmed.memory - bought.memory) / 2.0;
    println!("| one … leaves | bytes |\n|---|---|");
    let rows = [
        ("confirmed reservation, in memory", bought.memory),
        ("expired reservation, in memory", left.memory),
        ("key, in memory", key),
        (
            "reserve and confirm, in the journal (table)",
            confirmed.journal,
        ),
        (
            "reserve and expiry, in the journal (table)",
            expired.journal,
        ),
        (
            "confirmed reservation with its keys, in the snapshot (table)",
            confirmed.snapshot,
        ),
        (
            "expired reservation with its key, in the snapshot (table)",
            expired.snapshot,
        ),
        ("reservation, in the look-up's index (file)", look_up),
    ];
    for (what, bytes) in rows {
        println!("| {what} | {bytes:.0} |");
    }
    println!("\n| orders a day | memory | disk for state and index | journal a day |");
    println!("|---|---|---|---|");
    for orders in [10_000.0, 100_000.0, 1_000_000.0, 5_000_000.0] {
        let kept = CONFIRMED_DAYS * bought.memory + EXPIRED_DAYS * left.memory;
        let memory = orders * (kept + KEY_DAYS * KEYS * key);
        let reservations = CONFIRMED_DAYS + EXPIRED_DAYS;
        let state = CONFIRMED_DAYS * confirmed.snapshot + EXPIRED_DAYS * expired.snapshot;
        let state = orders * (state + reservations * look_up);
        let journal = orders * (confirmed.journal + expired.journal);
        let [memory, state, journal] = [memory, state, journal].map(bytes);
        println!("| {} | {memory} | {state} | {journal} |", spaced(orders));
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

fn spaced(number: f64) -> String {
    let digits = format!("{number:.0}");
    let from_end = digits.len() % 3;
    let (head, tail) = digits.split_at(from_end);
    let groups = tail.as_bytes().chunks(3);
    let groups = groups.map(|group| std::str::from_utf8(group).expect("digits"));
    let all: Vec<&str> = std::iter::once(head).chain(groups).collect();
    all.join(",").trim_start_matches(',').to_owned()
}

/// What a child that plays `role` has weighed.
fn weighed(role: &str) -> Left {
    let mut child = play(role).spawn().expect("this bench starts again");
    let mut said = String::new();
    let mut out = child.stdout.take().expect("it is a pipe");
    out.read_to_string(&mut said).expect("it speaks");
    assert!(child.wait().expect("it ends").success(), "{role}: failed");
    let numbers: Vec<f64> = said
        .split_whitespace()
        .map(|number| number.parse().expect("it says four numbers"))
        .collect();
    let &[memory, journal, snapshot, look_up] = numbers.as_slice() else {
        panic!("{role}: it says four numbers")
    };
    Left {
        memory,
        journal,
        snapshot,
        look_up,
    }
}

async fn weigh(fate: Fate, has_keys: bool) {
    let dir = directory();
    let mut settings = Settings::new(dir.path());
    settings.data.cache_bytes = 1 << 20;
    settings.lookup.enabled = fate == Fate::LookedUp;
    settings.lookup.events_per_s_max = u64::MAX;
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let skus = payload::skus(100);
    all_done(&router, payload::stocking(&skus)).await;
    let before = at_rest().await;
    let ttl = (fate == Fate::Expired).then(|| Millis::from_secs(1));
    for first in (0..COUNT).step_by(MESSAGE as usize) {
        let mut message = payload::message(first, MESSAGE, &skus, ttl);
        forget_keys(&mut message, has_keys);
        let ids = reserved(&router, message).await;
        if fate == Fate::Confirmed {
            let mut confirms = (first..).zip(ids).map(confirm).collect();
            forget_keys(&mut confirms, has_keys);
            all_done(&router, confirms).await;
        }
    }
    match fate {
        Fate::Confirmed => {}
        Fate::Expired => wait_until(async || router.shards()[0].fill.open == 0).await,
        Fate::LookedUp => wait_until(async || is_caught_up(&router).await).await,
    }
    let memory = (at_rest().await - before) / COUNT as f64;
    runtime.drain(Duration::from_mins(1)).await;
    let data = DataDir::open_read_only(dir.path()).expect("it was closed");
    let path = data.ledger_path(0);
    let view = View::open(&path, &data.identity(0)).expect("it was closed");
    let usage = view.usage().expect("its tables can be read");
    let index = path.with_file_name("lookup.redb");
    let index = std::fs::metadata(index).map_or(0, |meta| meta.len());
    let [journal, snapshot, index] = [usage.journal.total(), usage.chunks.total(), index]
        .map(|bytes| bytes as f64 / COUNT as f64);
    println!("{memory} {journal} {snapshot} {index}");
}

fn forget_keys(message: &mut Vec<Operation>, has_keys: bool) {
    for operation in message {
        operation.key = operation.key.filter(|_| has_keys);
    }
}

async fn reserved(router: &Router, message: Vec<Operation>) -> Vec<ReservationId> {
    let told = router
        .batch(message, Deadline::within(Duration::from_mins(1)))
        .await;
    let ids = told.into_iter().map(|told| match told {
        Ok(Answer::Reservation { view, .. }) => view.id,
        other => panic!("a reserve was not done: {other:?}"),
    });
    ids.collect()
}

fn confirm((n, id): (u64, ReservationId)) -> Operation {
    let confirm = Confirm {
        id,
        lines: None,
        late: Late::Reacquire,
        payment_ref: Text::parse(&format!("payment-{n:010}")).ok(),
    };
    let key = payload::key(COUNT + n);
    Operation::keyed(Some(key), Command::Confirm(Box::new(confirm)))
}

async fn is_caught_up(router: &Router) -> bool {
    let page = router.lookup(LookupFilter::default(), None, 1).await;
    let indexed = page.map_or(0, |page| page.as_of.first().map_or(0, |(_, seq, _)| *seq));
    router.shards()[0].seq <= indexed
}

async fn wait_until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is resident once nothing moves any more.
async fn at_rest() -> f64 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    machine::resident() as f64
}
