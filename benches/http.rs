//! HTTP: reserves that are acknowledged when they are durable, refusals, batches and reads.
//!
//! `cargo bench --bench http [-- GROUP…]`, groups `64`, `256`, `batch`, `reads`, `idle`. Three
//! processes: the real server with its defaults, an empty axum handler under the same load in the
//! same round, and this generator. The server that is not measured is not running.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;
#[allow(dead_code, reason = "each bench takes its part")]
mod http_load;

use axum::http::StatusCode;
use common::payload::SPREAD;
use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{ROUNDS, directory, play, role};
use http_load::request::{Request, make};
use http_load::{Run, Runs, call_calmly, call_each, load};
use redb::{Builder, Database, TableDefinition};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BARE: TableDefinition<u64, &[u8]> = TableDefinition::new("bare");

/// Operations of a batch, and how many connections send them.
const BATCH: usize = 100;
const BATCH_CONNECTIONS: usize = 16;

/// SKUs of a product page.
const PAGE: usize = 50;

/// Single calls on a server that does nothing else.
const IDLE_CALLS: u64 = 200;

/// About what a record of one reserve takes.
const RECORD: [u8; 110] = [7; 110];

fn main() {
    if role().is_some() {
        return common::empty::serve(StatusCode::OK, "");
    }
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |group: &str| {
        let mut groups = wanted.iter().filter(|word| !word.starts_with('-'));
        groups.clone().count() == 0 || groups.any(|word| word == group)
    };
    let mut report = Report::new("http");
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread");
    if is_wanted("64") {
        few(&mut report, &tokio);
    }
    if is_wanted("256") {
        many(&mut report, &tokio);
    }
    if is_wanted("batch") {
        batches(&mut report, &tokio);
    }
    if is_wanted("reads") {
        reads(&mut report, &tokio);
    }
    if is_wanted("idle") {
        idle(&mut report, &tokio);
    }
    report.end();
}

/// 64 connections: one hot SKU, and 10,000.
fn few(report: &mut Report, tokio: &Runtime) {
    let [mut empty, mut hot, mut spread] = [(); 3].map(|()| Runs::default());
    for _ in 0..ROUNDS {
        empty.push(&nothing(tokio, 64));
        hot.push(&reserves(tokio, 64, &Request::reserve(), 1));
        spread.push(&reserves(tokio, 64, &Request::spread(), SPREAD));
    }
    beside_nothing(report, 64, &hot, &empty);
    let partner = format!(
        "hot {}, spread {}",
        hot.rate.show(Unit::PerSecond),
        spread.rate.show(Unit::PerSecond)
    );
    let (name, ratio) = (
        "HTTP, 64 connections: hot SKU over 10,000 SKUs",
        hot.rate.over(&spread.rate),
    );
    report.figure(name, Aim::Least(0.95), Unit::Ratio, &ratio, partner);
}

/// 256 connections: one hot SKU, in stock and sold out.
fn many(report: &mut Report, tokio: &Runtime) {
    let [mut empty, mut hot, mut refused] = [(); 3].map(|()| Runs::default());
    for _ in 0..ROUNDS {
        empty.push(&nothing(tokio, 256));
        hot.push(&reserves(tokio, 256, &Request::reserve(), 1));
        refused.push(&refusals(tokio, 256));
    }
    beside_nothing(report, 256, &hot, &empty);
    let ratio = refused.rate.over(&empty.rate);
    let partner = format!(
        "{} over {}; {}",
        refused.rate.show(Unit::PerSecond),
        empty.rate.show(Unit::PerSecond),
        refused.latency()
    );
    let name = "HTTP, 256 connections: refusals of what is sold out over an empty handler";
    report.figure(name, Aim::Least(0.85), Unit::Ratio, &ratio, partner);
}

fn beside_nothing(report: &mut Report, connections: usize, ours: &Runs, empty: &Runs) {
    let name = format!("HTTP reserves, durable, one hot SKU, {connections} connections");
    let latency = format!("{}; empty handler {}", ours.latency(), empty.latency());
    report.figure(&name, Aim::None, Unit::PerSecond, &ours.rate, latency);
    let partner = format!(
        "{} over an empty axum handler's {}",
        ours.rate.show(Unit::PerSecond),
        empty.rate.show(Unit::PerSecond)
    );
    let name = format!("the same over an empty handler, {connections} connections");
    let ratio = ours.rate.over(&empty.rate);
    report.figure(name, Aim::Least(0.75), Unit::Ratio, &ratio, partner);
    let partner = format!(
        "{} over {}",
        ours.p99.show(Unit::Millis),
        empty.p99.show(Unit::Millis)
    );
    let name = format!("its p99 over an empty handler's, {connections} connections");
    let ratio = ours.p99.over(&empty.p99);
    report.figure(name, Aim::Most(2.5), Unit::Ratio, &ratio, partner);
}

/// Many reserves in one call.
fn batches(report: &mut Report, tokio: &Runtime) {
    let (mut runs, mut rate) = (Runs::default(), Samples::default());
    for _ in 0..ROUNDS {
        let (_dir, server) = serve();
        stock(tokio, &server, 1);
        let request = Request::batch(BATCH);
        let run = tokio.block_on(load(server.address, BATCH_CONNECTIONS, &request, *b"200"));
        assert_held(&server, run.calls * BATCH as u64);
        rate.push(run.rate * BATCH as f64);
        runs.push(&run);
    }
    let name = format!("reserves in batches of {BATCH} over HTTP, {BATCH_CONNECTIONS} connections");
    let aim = Aim::Least(700_000.0);
    report.figure(name, aim, Unit::PerSecond, &rate, runs.latency());
    let (p50, rate) = (runs.p50.show(Unit::Millis), runs.rate.show(Unit::PerSecond));
    let partner = format!("p50 {p50}; {rate} batches");
    report.figure(
        "a batch's p99",
        Aim::Most(20.0),
        Unit::Millis,
        &runs.p99,
        partner,
    );
}

/// A product page, at rest and while the hot SKU is sold.
fn reads(report: &mut Report, tokio: &Runtime) {
    let [mut rest, mut storm] = [(); 2].map(|()| Runs::default());
    let pause = Duration::from_millis(1);
    for _ in 0..ROUNDS {
        let (_dir, server) = serve();
        stock(tokio, &server, PAGE);
        let page = Request::availability(PAGE);
        let address = server.address;
        rest.push(&call_calmly(
            address,
            page.clone(),
            *b"200",
            pause,
            || {},
            |calls| calls == 1_000,
        ));
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let reader = std::thread::spawn(move || {
            let is_over = |_| over.load(Ordering::Acquire);
            call_calmly(address, page, *b"200", pause, || {}, is_over)
        });
        tokio.block_on(load(address, 64, &Request::reserve(), *b"201"));
        is_over.store(true, Ordering::Release);
        storm.push(&reader.join().expect("every read was answered"));
    }
    let partner = format!(
        "at rest {}; in the storm {}",
        rest.latency(),
        storm.latency()
    );
    let name = format!("p99 of {PAGE} SKUs' availability in a storm of reserves over at rest");
    report.figure(
        name,
        Aim::Most(2.0),
        Unit::Ratio,
        &storm.p99.over(&rest.p99),
        partner,
    );
}

/// One reserve on a server that does nothing else, beside one commit of a bare redb.
fn idle(report: &mut Report, tokio: &Runtime) {
    let (mut ours, mut bare) = (Runs::default(), Samples::default());
    for _ in 0..ROUNDS {
        let (dir, server) = serve();
        stock(tokio, &server, 1);
        let db = Builder::new()
            .create(dir.path().join("bare.redb"))
            .expect("a new file");
        let (number, took) = (Cell::new(0), Cell::new(Vec::new()));
        let beside = || {
            std::thread::sleep(Duration::from_millis(2));
            let start = Instant::now();
            commit_bare(&db, number.get());
            number.set(number.get() + 1);
            let mut all = took.take();
            all.push(start.elapsed().as_secs_f64() * 1e3);
            took.set(all);
        };
        let request = Request::reserve();
        let pause = Duration::from_millis(2);
        ours.push(&call_calmly(
            server.address,
            request,
            *b"201",
            pause,
            beside,
            |calls| calls == IDLE_CALLS,
        ));
        let mut took = took.take();
        took.sort_by(f64::total_cmp);
        bare.push(took[took.len() / 2]);
    }
    let partner = format!(
        "{} over a bare redb commit's p50 {}",
        ours.latency(),
        bare.show(Unit::Millis)
    );
    let name = "one reserve on an idle server over one bare redb commit of the same bytes";
    report.figure(
        name,
        Aim::Most(1.5),
        Unit::Ratio,
        &ours.p50.over(&bare),
        partner,
    );
}

fn commit_bare(db: &Database, number: u64) {
    let mut txn = db.begin_write().expect("the disk is there");
    txn.set_two_phase_commit(true);
    let mut table = txn.open_table(BARE).expect("the disk is there");
    table
        .insert(number, RECORD.as_slice())
        .expect("the disk is there");
    drop(table);
    txn.commit().expect("the disk is there");
}

/// An axum handler that does nothing, under load.
fn nothing(tokio: &Runtime, connections: usize) -> Run {
    let handler = Server::start(play("empty"));
    tokio.block_on(load(
        handler.address,
        connections,
        &Request::reserve(),
        *b"200",
    ))
}

/// The real server with so many SKUs under a load of reserves, all of which it must have held.
fn reserves(tokio: &Runtime, connections: usize, request: &Request, skus: usize) -> Run {
    let (_dir, server) = serve();
    stock(tokio, &server, skus);
    let run = tokio.block_on(load(server.address, connections, request, *b"201"));
    if skus == 1 {
        assert_held(&server, run.calls);
    }
    run
}

/// The real server when nothing is left.
fn refusals(tokio: &Runtime, connections: usize) -> Run {
    let (_dir, server) = serve();
    let (status, body) = server.call("PUT", "/v1/skus/SKU-00000000", "make", "{}");
    assert_eq!(status, 201, "{body}");
    tokio.block_on(load(
        server.address,
        connections,
        &Request::reserve(),
        *b"409",
    ))
}

fn serve() -> (TempDir, Server) {
    let dir = directory();
    let server = Server::holdfast(&dir.path().join("data"));
    (dir, server)
}

/// Makes so many SKUs and stocks them.
fn stock(tokio: &Runtime, server: &Server, skus: usize) {
    tokio.block_on(call_each(server.address, (0..skus).map(make), *b"201"));
    let receipt = |sku: &usize| {
        format!(
            "{{\"op\":\"movement\",\"key\":\"stock-{sku}\",\"sku\":\"SKU-{sku:08}\",\
             \"kind\":\"receive\",\"qty\":1000000000}}"
        )
    };
    let all: Vec<usize> = (0..skus).collect();
    for some in all.chunks(BATCH) {
        let receipts: Vec<String> = some.iter().map(receipt).collect();
        let body = format!("{{\"operations\":[{}]}}", receipts.join(","));
        let (status, body) = server.call("POST", "/v1/batch", "none", &body);
        assert!(status == 200 && !body.contains("problem"), "{body}");
    }
}

/// Every reserve that was answered holds a unit.
fn assert_held(server: &Server, units: u64) {
    let (_, body) = server.call("GET", "/v1/skus/SKU-00000000", "none", "");
    let held = format!("\"reserved\":{units},");
    assert!(body.contains(&held), "{units} were answered: {body}");
}
