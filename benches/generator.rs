//! The load generator beside `wrk`, both over 256 connections against an axum handler that does
//! nothing, in turns.
//!
//! `cargo bench --bench generator`. The generator is the real one in its closed model: every call is
//! drawn from the plan, written, read, noted in histograms and entered into the book that the proof
//! weighs; `wrk` sends one prepared request. Both have one thread, and send requests of the same
//! form. Where `wrk` is not installed nothing is measured, and said so.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use std::{
    io::Write as _,
    net::SocketAddr,
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use common::{
    ROUNDS, play,
    report::{Aim, Report, Samples, Unit},
    role,
    server::Server,
};
use holdfast::load::{
    drive::{Course, Model, Worker},
    plan::Plan,
    record::{Call, Outcome, Recorder},
    scenario::read,
    wire::{Address, Names, Renderer, Wire},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 256;
const SECONDS: u64 = 3;
const RUN: &str = "load-64402f6b0c5a8-1a2b3";
/// What the handler says to everything.
const MADE: &str =
    r#"{"id":"0198c5f2-6b1e-8abc-8000-00000a2b4c5d","status":"open","late":false,"lines":[]}"#;

fn main() {
    if role().is_some() {
        return common::empty::serve(StatusCode::CREATED, MADE);
    }
    if Command::new("wrk").arg("-v").output().is_err() {
        println!("wrk is not installed: nothing to compare with, nothing measured");
        return;
    }
    let mut report = Report::new("generator");
    let mut ours = Samples::default();
    let mut theirs = Samples::default();
    for _ in 0..ROUNDS {
        let handler = Server::start(play("empty"));
        theirs.push(wrk(handler.address));
        drop(handler);
        let handler = Server::start(play("empty"));
        ours.push(generator(handler.address));
    }
    let partner = format!(
        "{} over wrk's {}, one thread each",
        ours.show(Unit::PerSecond),
        theirs.show(Unit::PerSecond)
    );
    report.figure(
        "the load generator over wrk, 256 connections, an empty handler",
        Aim::Least(0.7),
        Unit::Ratio,
        &ours.over(&theirs),
        partner,
    );
    report.end();
}

/// Answers a second, by the generator.
fn generator(address: SocketAddr) -> f64 {
    let scenario = format!(
        "name = \"empty\"\nstock.units = 1\nbuyers.abandon = 1.0\n\
         [[phases]]\nkind = \"constant\"\nseconds = {SECONDS}\nrate = 1\n"
    );
    let scenario = read(&scenario, "empty").expect("it is a scenario");
    let plan = Plan::new(&scenario, 1).expect("it names no file");
    let names = Names {
        run: RUN.to_owned(),
        host: address.to_string(),
        skus: vec![format!("{RUN}-0")],
        ttl_ms: scenario.buyers.ttl_ms,
    };
    let timeout = Duration::from_secs(5);
    let wire = Wire::new(
        Address::Tcp(address),
        Renderer::new(&names),
        CONNECTIONS,
        timeout,
    );
    let start = Instant::now();
    let recorder = Arc::new(Recorder::new(start, Duration::from_millis(250), Vec::new()));
    let course = Course {
        plan: Arc::new(plan),
        model: Model::Closed,
        start,
        worker: (0, 1),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let worker = Worker::new(course, wire.expect("an epoll"), recorder.worker());
    let (book, _wire) = worker.run();
    let took = start.elapsed().as_secs_f64();
    let recorded = recorder.finish();
    let tally = recorded.whole.call(Call::Reserve);
    let reserved = tally.outcomes[Outcome::Reserved as usize];
    assert_eq!(
        reserved,
        tally.outcomes.iter().sum::<u64>(),
        "every call was answered"
    );
    assert_eq!(reserved, book.entries.len() as u64);
    reserved as f64 / took
}

/// Answers a second, by wrk.
fn wrk(address: SocketAddr) -> f64 {
    let mut script = tempfile::NamedTempFile::new().expect("a temporary file");
    let body = format!(
        r#"{{"order_ref":"{RUN}-100000","customer":"{RUN}-buyer-100000","ttl_ms":10000,"lines":[{{"sku":"{RUN}-0","qty":1}}]}}"#
    );
    write!(
        script,
        "wrk.method = \"POST\"\nwrk.body = '{body}'\n\
         wrk.headers[\"Content-Type\"] = \"application/json\"\n\
         wrk.headers[\"Idempotency-Key\"] = \"{RUN}-100000-r\"\n"
    )
    .expect("it can be written");
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s")])
        .arg("-s")
        .arg(script.path())
        .arg(format!("http://{address}/v1/reservations"))
        .output()
        .expect("wrk runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    let rate = rate.and_then(|rate| rate.trim().parse().ok());
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    rate.unwrap_or_else(|| panic!("wrk said {said}"))
}
