//! The pure core on one thread: decide, evolve and encode, as a shard's turn does.
//!
//! `cargo bench --bench engine`. Requests are made beforehand, 10,000 at a time and out of the
//! measured time; tables are new in every round; commands come in messages of 1,000, and a record
//! is finished every 1,000 events.
//! Deliberately absent: mailboxes and disks, which `durable` has.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{ROUNDS, payload};
use holdfast_core::{
    Command, Confirm, Engine, Late, Opening, Outcome, Policy, Request, ReservationId, Sku, Text,
    Timestamp,
};
use holdfast_ledger::codec::RecordEncoder;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COMMANDS: u64 = 1_000_000;
const PREPARED: u64 = 10_000;
const RECORD: u32 = 1_000;
const START: u64 = 1_795_766_400_000;

/// What must come of every command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Done,
    Refused,
}

/// An engine with its record under way.
struct Bench {
    engine: Engine,
    encoder: RecordEncoder,
    buffer: Vec<u8>,
    bytes: u64,
}

fn main() {
    let commands = std::env::var("BENCH_COMMANDS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(COMMANDS);
    let mut report = Report::new("engine");
    let (hot, spread) = (payload::skus(1), payload::skus(payload::SPREAD));
    let [mut on_hot, mut confirms, mut refusals, mut on_spread] =
        [(); 4].map(|()| Samples::default());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let mut bench = Bench::new(&hot, true);
        on_hot.push(rate(commands, bench.reserves(commands, &hot, Wanted::Done)));
        bytes = bench.bytes / commands;
        confirms.push(rate(commands, bench.confirms(commands, &hot[0])));
        drop(bench);
        let mut bench = Bench::new(&hot, false);
        refusals.push(rate(
            commands,
            bench.reserves(commands, &hot, Wanted::Refused),
        ));
        let mut bench = Bench::new(&spread, true);
        on_spread.push(rate(
            commands,
            bench.reserves(commands, &spread, Wanted::Done),
        ));
    }
    let beside = format!(
        "{} over 10,000 SKUs; {bytes} bytes a record's event",
        on_spread.show(Unit::PerSecond)
    );
    report.figure(
        "decide, evolve, encode: reserves of one hot SKU",
        Aim::Least(2e6),
        Unit::PerSecond,
        &on_hot,
        beside,
    );
    report.figure(
        "the same, confirms",
        Aim::None,
        Unit::PerSecond,
        &confirms,
        "",
    );
    report.figure(
        "the same, refusals of what is sold out",
        Aim::None,
        Unit::PerSecond,
        &refusals,
        "",
    );
    report.end();
}

fn rate(commands: u64, took: Duration) -> f64 {
    commands as f64 / took.as_secs_f64()
}

fn opening() -> Opening {
    Opening::new(1).expect("1 is an opening")
}

/// A thousand commands a millisecond.
fn time(n: u64) -> Timestamp {
    Timestamp::from_ms(START + n / 1000)
}

impl Bench {
    fn new(skus: &[Sku], stocked: bool) -> Self {
        let mut encoder = RecordEncoder::new();
        encoder.start(1, Vec::new());
        let mut bench = Self {
            engine: Engine::new(Policy::default()),
            encoder,
            buffer: Vec::new(),
            bytes: 0,
        };
        for (n, sku) in (0..).zip(skus) {
            let movement = ReservationId::mint(time(0), sku.slot(), opening(), n, 0);
            let commands = [payload::configure(sku), payload::receive(sku, movement)];
            for command in commands.into_iter().take(1 + usize::from(stocked)) {
                bench.apply(&Request::of(command), time(0), Wanted::Done);
            }
        }
        bench
    }

    fn reserves(&mut self, count: u64, skus: &[Sku], wanted: Wanted) -> Duration {
        self.run(count, wanted, |n| {
            let mut reserve = payload::reserve(n, skus, None);
            let slot = reserve.lines[0].sku.slot();
            reserve.id = ReservationId::mint(time(n), slot, opening(), n, n as u8);
            (payload::key(n), Command::Reserve(reserve))
        })
    }

    fn confirms(&mut self, count: u64, sku: &Sku) -> Duration {
        self.run(count, Wanted::Done, |n| {
            let id = ReservationId::mint(time(n), sku.slot(), opening(), n, n as u8);
            let confirm = Confirm {
                id,
                lines: None,
                late: Late::Reacquire,
                payment_ref: Text::parse(&format!("payment-{n:08}")).ok(),
            };
            (
                payload::key(COMMANDS + n),
                Command::Confirm(Box::new(confirm)),
            )
        })
    }

    fn run(
        &mut self,
        count: u64,
        wanted: Wanted,
        make: impl Fn(u64) -> (holdfast_core::KeyTag, Command),
    ) -> Duration {
        let mut took = Duration::ZERO;
        let mut first = 0;
        while first < count {
            let next = count.min(first + PREPARED);
            let requests: Vec<Request> = (first..next)
                .map(|n| {
                    let (key, command) = make(n);
                    Request::keyed(Some(key), command)
                })
                .collect();
            let start = Instant::now();
            for (message, start) in requests
                .chunks(RECORD as usize)
                .zip((first..).step_by(RECORD as usize))
            {
                std::hint::black_box(self.engine.warm(message.iter()));
                for (n, request) in (start..).zip(message) {
                    self.apply(request, time(n), wanted);
                }
            }
            took += start.elapsed();
            first = next;
        }
        took
    }

    fn apply(&mut self, request: &Request, now: Timestamp, wanted: Wanted) {
        let decision = self.engine.decide(request, now);
        let came = match decision.outcome {
            Outcome::Done(_) => Wanted::Done,
            _ => Wanted::Refused,
        };
        assert!(came == wanted, "{:?}", decision.outcome);
        for event in &decision.events {
            self.encoder.push(event);
            self.engine.evolve(event);
        }
        if self.encoder.events() >= RECORD {
            self.bytes += self.encoder.body_bytes() as u64;
            let next = self.engine.seq() + 1;
            let body = self.encoder.finish();
            self.encoder
                .start(next, std::mem::replace(&mut self.buffer, body));
        }
    }
}
