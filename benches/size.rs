//! Bytes on disk per reserve, and bytes in memory per open reservation and per idle SKU, through
//! the whole runtime: engine, key directory and stock board.
//!
//! `cargo bench --bench size`. Memory is what is resident (`VmRSS`) in a process of its own before
//! and after; the page caches, which have bounds of their own in the configuration, are made small
//! there, and the look-up's index is off. Deliberately absent: a counting allocator, which would
//! not see what an allocator wastes.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{all_done, directory, machine, payload, play, role};
use holdfast_ledger::{DataDir, Usage, View};
use holdfast_runtime::{Deadline, Operation, Router, Runtime, Settings};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MILLION: u64 = 1_000_000;
const MESSAGE: u64 = 1_000;
/// Rounds of what hardly varies.
const ROUNDS: usize = 3;

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    match role().as_deref() {
        Some("reservations") => tokio.block_on(weigh_child(0, MILLION)),
        Some("skus") => tokio.block_on(weigh_child(MILLION, 0)),
        Some("both") => tokio.block_on(weigh_child(MILLION, MILLION)),
        _ => report(&tokio),
    }
}

fn report(tokio: &tokio::runtime::Runtime) {
    let mut report = Report::new("size");
    for (figure, load) in [
        (
            "journal per reserve, messages of 1,000, 4 in flight",
            Load::Messages,
        ),
        ("journal per reserve, single, 256 in flight", Load::Single),
    ] {
        let [mut journal, mut parts, mut whole] = [(); 3].map(|()| Samples::default());
        let mut last = Usage::default();
        for _ in 0..ROUNDS {
            let dir = directory();
            let reserves = tokio.block_on(fill(dir.path(), load));
            last = usage(dir.path());
            journal.push(last.journal.total() as f64 / reserves);
            parts.push(last.journal.stored as f64 / reserves);
            whole.push(bytes_of(dir.path()) as f64 / reserves);
        }
        let beside = format!(
            "stored {}, {} records; the whole directory {}",
            parts.show(Unit::Bytes),
            last.journal.rows,
            whole.show(Unit::Bytes),
        );
        report.figure(figure, Aim::Most(200.0), Unit::Bytes, &journal, beside);
    }
    weigh(&mut report);
    report.end();
}

/// Reservations of one hot SKU and idle SKUs, each alone; then as many of both together, where a
/// reservation is the first of its SKU as often as not.
fn weigh(report: &mut Report) {
    let alone = "1 million of them alone";
    let (held, idle) = (
        "memory per open reservation of one line",
        "memory per idle SKU",
    );
    let together = "a million of both in one process";
    for (figures, role, beside) in [
        (&[(held, 300.0)][..], "reservations", alone),
        (&[(idle, 400.0)][..], "skus", alone),
        (&[(idle, 300.0), (held, 250.0)][..], "both", together),
    ] {
        let mut each = vec![Samples::default(); figures.len()];
        let mut all = Samples::default();
        for _ in 0..ROUNDS {
            let resident = weighed(role);
            for (samples, step) in each.iter_mut().zip(resident.windows(2)) {
                samples.push((step[1] - step[0]) / MILLION as f64);
            }
            all.push(resident.last().copied().unwrap_or_default() / MILLION as f64);
        }
        let beside = format!(
            "{beside}; the whole process over a million {}",
            all.show(Unit::Bytes)
        );
        for ((figure, aim), samples) in figures.iter().zip(&each) {
            let figure = match role {
                "both" => format!("{figure}, with a million of both"),
                _ => (*figure).to_owned(),
            };
            report.figure(
                figure,
                Aim::Most(*aim),
                Unit::Bytes,
                samples,
                beside.clone(),
            );
        }
    }
}

/// How reserves come in.
#[derive(Clone, Copy)]
enum Load {
    Messages,
    Single,
}

/// Puts reserves of one hot SKU into a directory, and says how many.
async fn fill(dir: &Path, load: Load) -> f64 {
    let runtime = Runtime::start(Settings::new(dir))
        .await
        .expect("the runtime starts");
    let router = runtime.router();
    let skus = payload::skus(1);
    all_done(&router, payload::stocking(&skus)).await;
    let (count, callers) = match load {
        Load::Messages => (MILLION, 4),
        Load::Single => (MILLION / 4, 256),
    };
    let next = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (router, skus, next) = (router.clone(), skus.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let step = match load {
                    Load::Messages => MESSAGE,
                    Load::Single => 1,
                };
                loop {
                    let first = next.fetch_add(step, Ordering::Relaxed);
                    if count <= first {
                        return;
                    }
                    let mut message = payload::message(first, step, &skus, None);
                    match load {
                        Load::Messages => all_done(&router, message).await,
                        Load::Single => {
                            let one = message.pop().expect("a message of one");
                            single(&router, one).await;
                        }
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("every reserve was done");
    }
    runtime.halt().await;
    count as f64
}

async fn single(router: &Router, operation: Operation) {
    let deadline = Deadline::within(Duration::from_mins(1));
    let told = router.execute(operation, deadline).await;
    assert!(told.is_ok(), "a reserve was not done: {told:?}");
}

fn usage(dir: &Path) -> Usage {
    let data = DataDir::open_read_only(dir).expect("it was closed");
    let view = View::open(&data.ledger_path(0), &data.identity(0)).expect("it was closed");
    view.usage().expect("its tables can be read")
}

/// Bytes of all files of a directory.
fn bytes_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("it is there");
    entries
        .map(|entry| entry.expect("it is there"))
        .map(|entry| {
            let meta = entry.metadata().expect("it is there");
            if meta.is_dir() {
                bytes_of(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}

/// What is resident in a child before, and after each thing it does.
fn weighed(role: &str) -> Vec<f64> {
    let mut child = play(role).spawn().expect("this bench starts again");
    let mut said = String::new();
    let mut out = child.stdout.take().expect("it is a pipe");
    out.read_to_string(&mut said).expect("it speaks");
    assert!(
        child.wait().expect("it ends").success(),
        "the {role} were not weighed"
    );
    let numbers = said.split_whitespace();
    numbers
        .map(|number| number.parse().expect("it says numbers"))
        .collect()
}

fn small(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir);
    settings.data.cache_bytes = 1 << 20;
    settings.lookup.enabled = false;
    settings.config_permits = settings.permits;
    settings
}

/// Prints what is resident before, after SKUs, after reservations.
async fn weigh_child(skus: u64, reservations: u64) {
    let dir = directory();
    let runtime = Runtime::start(small(dir.path()))
        .await
        .expect("the runtime starts");
    let router = runtime.router();
    let hot = payload::skus(1);
    if skus == 0 {
        all_done(&router, payload::stocking(&hot)).await;
    }
    print!("{} ", at_rest().await);
    for first in (0..skus).step_by(MESSAGE as usize) {
        let some: Vec<_> = (first..first + MESSAGE)
            .map(|n| payload::sku(n as usize))
            .collect();
        all_done(&router, payload::stocking(&some)).await;
    }
    if skus > 0 {
        print!("{} ", at_rest().await);
    }
    for first in (0..reservations).step_by(MESSAGE as usize) {
        let message = if skus == 0 {
            payload::message(first, MESSAGE, &hot, None)
        } else {
            let some: Vec<_> = (first..first + MESSAGE)
                .map(|n| payload::sku((n * 7_919 % skus) as usize))
                .collect();
            payload::message(first, MESSAGE, &some, None)
        };
        all_done(&router, message).await;
    }
    if reservations > 0 {
        print!("{} ", at_rest().await);
    }
    runtime.halt().await;
}

/// What is resident once nothing moves any more.
async fn at_rest() -> u64 {
    tokio::time::sleep(Duration::from_millis(500)).await;
    machine::resident()
}
