//! How soon the real server is ready again, with a million open holds on 100,000 SKUs and on a
//! million: after a clean stop, and after `kill -9`.
//!
//! `cargo bench --bench restart`. From the start of the process to its word that it serves, with
//! the defaults, a shard per core, and the files in the page cache. Deliberately absent: a cold
//! disk, which would measure the disk.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{ROUNDS, all_done, directory, filled, payload, play, role};
use holdfast_core::Millis;
use holdfast_runtime::Runtime;
use std::path::{Path, PathBuf};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOLDS: u64 = 1_000_000;
/// How many SKUs there are, in words too, and the most seconds that may pass.
const DIRECTORIES: [(usize, &str, f64); 2] = [
    (100_000, "100,000 SKUs", 5.0),
    (1_000_000, "a million SKUs", 3.0),
];
const MESSAGE: u64 = 1_000;

fn main() {
    if role().is_some() {
        let dir = PathBuf::from(std::env::var_os("BENCH_DATA").expect("the parent names it"));
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("threads");
        return tokio.block_on(fill(&dir));
    }
    let mut report = Report::new("restart");
    for (skus, words, aim) in DIRECTORIES {
        restarts(&mut report, skus, words, aim);
    }
    report.end();
}

fn restarts(report: &mut Report, skus: usize, words: &str, aim: f64) {
    let dir = directory();
    let data = dir.path().join("data");
    let mut command = play("fill");
    let command = command.env("BENCH_DATA", &data);
    let mut filler = filled::child(command.env("BENCH_SKUS", skus.to_string()));
    filler.kill().expect("it is there");
    filler.wait().expect("it ends");

    let [mut killed, mut clean, mut drained] = [(); 3].map(|()| Samples::default());
    for _ in 0..ROUNDS {
        let server = Server::holdfast(&data);
        killed.push(server.ready_after.as_secs_f64());
        check(&server);
    }
    Server::holdfast(&data).drain();
    for _ in 0..ROUNDS {
        let server = Server::holdfast(&data);
        clean.push(server.ready_after.as_secs_f64());
        check(&server);
        drained.push(server.drain().as_secs_f64());
    }
    let holds = format!("1 million open holds, {words}");
    report.figure(
        format!("ready after kill -9, {words}"),
        Aim::Most(aim),
        Unit::Seconds,
        &killed,
        holds.clone(),
    );
    let stop = format!("{holds}; the stop itself {}", drained.show(Unit::Seconds));
    report.figure(
        format!("ready after a clean stop, {words}"),
        Aim::Most(aim),
        Unit::Seconds,
        &clean,
        stop,
    );
}

/// Holds are there: the first thousand SKUs have about ten each, or one.
fn check(server: &Server) {
    let reserved: u64 = (0..100).map(|n| reserved(server, n)).sum();
    assert!(
        (50..2_000).contains(&reserved),
        "{reserved} units are held of a hundred SKUs"
    );
}

fn reserved(server: &Server, n: usize) -> u64 {
    let path = format!("/v1/skus/{}", payload::sku(n));
    let (status, sku) = server.call("GET", &path, "none", "");
    assert_eq!(status, 200, "{sku}");
    let reserved = sku.split_once("\"reserved\":").map(|(_, rest)| rest);
    let digits = reserved.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

async fn fill(dir: &Path) {
    let count = std::env::var("BENCH_SKUS").ok();
    let count = count.and_then(|count| count.parse().ok());
    let runtime = Runtime::start(filled::settings(dir)).await;
    let runtime = runtime.expect("the runtime starts");
    let router = runtime.router();
    let skus = payload::skus(count.expect("the parent says how many"));
    for some in skus.chunks(MESSAGE as usize) {
        all_done(&router, payload::stocking(some)).await;
    }
    let ttl = Some(Millis::from_secs(1800));
    for first in (0..HOLDS).step_by(MESSAGE as usize) {
        all_done(&router, payload::message(first, MESSAGE, &skus, ttl)).await;
    }
    println!("filled");
    std::future::pending::<()>().await;
}
