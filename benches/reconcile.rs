//! How long a million SKUs take against a count, what that costs in memory, and what reserves feel
//! meanwhile.
//!
//! `cargo bench --bench reconcile`. The real server with its defaults, `holdfast reconcile` and
//! four callers as processes or threads of their own. The callers reserve over 10,000 of the SKUs,
//! some 400 to 1,000 a second, before and during the comparison; the count is of a moment before they
//! began, so that what they touched is read from its statement. One row in a hundred differs, and
//! each opens a drift. Deliberately absent: approving, which is an ordinary movement.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;
#[allow(dead_code, reason = "each bench takes its part")]
mod http_load;

use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{all_done, directory, filled, machine, payload, role};
use holdfast_runtime::Router;
use http_load::request::Request;
use http_load::{Run, Runs, call_together};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
const SKUS: usize = 1_000_000;
const MESSAGE: usize = 1_000;
/// One row in so many differs.
const DIFFERS: usize = 100;
/// What each SKU was stocked with.
const UNITS: u64 = 1_000_000_000;

const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_micros(3_500);
const AT_REST: Duration = Duration::from_secs(6);

fn main() {
    if role().is_some() {
        return filled::fill(fill);
    }
    let mut report = Report::new("reconcile");
    let dir = directory();
    let data = dir.path().join("data");
    filled::aside(&data);
    let server = Server::holdfast(&data);
    let [mut took, mut more] = [(); 2].map(|()| Samples::default());
    let [mut rest, mut meanwhile] = [(); 2].map(|()| Runs::default());
    for round in 0..ROUNDS {
        let count = dir.path().join("count.csv");
        write_count(&count, round);
        let moment = moment();
        let start = Instant::now();
        rest.push(&reserves(&server, 2 * round, || AT_REST < start.elapsed()));
        let before = machine::resident_of(server.pid());
        machine::forget_peak(server.pid());
        let is_over = AtomicBool::new(false);
        let seconds = std::thread::scope(|scope| {
            let over = || is_over.load(Ordering::Acquire);
            let server = &server;
            let callers = scope.spawn(move || reserves(server, 2 * round + 1, over));
            let seconds = reconcile(server, &count, &moment);
            is_over.store(true, Ordering::Release);
            meanwhile.push(&callers.join().expect("every reserve was answered"));
            seconds
        });
        took.push(seconds);
        let grown = machine::peak_of(server.pid()).saturating_sub(before);
        more.push(grown as f64 / f64::from(1 << 20));
    }
    let words = "a million SKUs against a count, 10,000 of them differing, reserves going on";
    report.figure(
        words,
        Aim::Most(10.0),
        Unit::Seconds,
        &took,
        format!(
            "meanwhile {} reserves",
            meanwhile.rate.show(Unit::PerSecond)
        ),
    );
    report.figure(
        "memory it takes, in MiB",
        Aim::Most(500.0),
        Unit::Count,
        &more,
        "of the server, at its most",
    );
    let partner = format!(
        "at rest {}; meanwhile {}",
        rest.latency(),
        meanwhile.latency()
    );
    report.figure(
        "p99 of reserves meanwhile over at rest",
        Aim::Most(2.0),
        Unit::Ratio,
        &meanwhile.p99.over(&rest.p99),
        partner,
    );
    report.end();
}

/// Reserves by all callers until it is over; `turn` keeps their numbers apart.
fn reserves(server: &Server, turn: usize, is_over: impl Fn() -> bool + Sync) -> Run {
    let own = (CALLERS, turn * CALLERS);
    call_together(
        server.address,
        &Request::spread(),
        *b"201",
        own,
        PAUSE,
        is_over,
    )
}

/// Runs the command to its report, and insists that it found what differs and nothing else.
fn reconcile(server: &Server, count: &Path, moment: &str) -> f64 {
    let mut command = server.command(&["reconcile", "warehouse", "--json", "--as-of", moment]);
    let start = Instant::now();
    let done = command.arg(count).output().expect("the command starts");
    let took = start.elapsed().as_secs_f64();
    let report = String::from_utf8_lossy(&done.stdout);
    let (compared, opened) = (
        format!("\"compared\":{SKUS}"),
        format!("\"opened\":{}", SKUS / DIFFERS),
    );
    let is_right = report.contains(&compared) && report.contains(&opened);
    assert!(is_right, "{done:?}");
    took
}

/// Now, before anything else happens: the server's clock is this machine's.
#[allow(
    clippy::disallowed_methods,
    reason = "a count names the wall clock's time"
)]
fn moment() -> String {
    let now = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_millis(10));
    now.to_string()
}

/// The shelves, one row in a hundred short by a unit; another one each round.
fn write_count(file: &Path, round: usize) {
    let mut rows = String::from("sku,location,counted\n");
    for sku in 0..SKUS {
        let lost = u64::from(sku % DIFFERS == round);
        writeln!(rows, "SKU-{sku:08},main,{}", UNITS - lost).expect("a string takes it");
    }
    std::fs::write(file, rows).expect("the disk takes it");
}

async fn fill(router: &Router) {
    for some in payload::skus(SKUS).chunks(MESSAGE) {
        all_done(router, payload::stocking(some)).await;
    }
}
