//! A made-up sale, recorded as a real one would be: calm, rush, a `kill -9`, sold out.
//!
//! Deliberately absent: chance. The same seed gives the same run, whatever the machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use holdfast::load::{
    record::{Call, Outcome, Recorded, Recorder, Worker},
    results::{Claim, GeneratorFacts, Machine, Model, RunFacts},
    threshold,
};

pub(crate) const LENGTH: Duration = Duration::from_mins(1);
const SKUS: [&str; 2] = ["SNEAKER-42", "SNEAKER-43"];

/// A sale of one minute with `rate` buyers a second when it is calm.
pub(crate) fn sale(seed: u64, rate: u64) -> Recorded {
    let start = Instant::now()
        .checked_sub(LENGTH)
        .expect("the machine runs for a minute");
    let skus = SKUS.map(str::to_owned).to_vec();
    let recorder = Arc::new(Recorder::new(start, Duration::from_millis(500), skus));
    let at = |millis: u64| start + Duration::from_millis(millis);
    let mut worker = recorder.worker();
    let mut dice = Dice(seed);
    let mut left = [9_000_i64, 14_000];
    let mut sold = [0_i64; 2];
    for tenth in 0..600_u64 {
        let now = at(tenth * 100);
        let times = if (150..400).contains(&tenth) { 4 } else { 1 };
        for _ in 0..rate * times / 10 {
            let intended = now + Duration::from_micros(dice.below(100_000));
            buyer(
                &mut worker,
                &mut dice,
                (intended, tenth),
                &mut left,
                &mut sold,
            );
        }
        for (sku, left) in left.iter().enumerate() {
            recorder.stock(now, sku, *left, (*left / 10).min(400), sold[sku]);
        }
    }
    worker.flush();
    recorder.mark(at(24_000), "kill -9");
    recorder.mark(at(25_300), "ready again after 1.3 s");
    let mut recorded = recorder.finish();
    let phase = |at: u64, name: &str, target_rate: f64| holdfast::load::record::PhaseBegun {
        at: Duration::from_secs(at),
        name: name.to_owned(),
        target_rate,
    };
    let calm = rate as f64;
    recorded.phases = vec![
        phase(0, "doors closed", calm),
        phase(15, "rush", 4.0 * calm),
        phase(40, "after", calm),
    ];
    recorded
}

fn buyer(
    worker: &mut Worker,
    dice: &mut Dice,
    (intended, tenth): (Instant, u64),
    left: &mut [i64; 2],
    sold: &mut [i64; 2],
) {
    worker.tick(intended);
    worker.arrived(1);
    let is_down = (240..253).contains(&tenth);
    let is_busy = (150..400).contains(&tenth);
    let lag = Duration::from_micros(dice.below(if is_busy { 600 } else { 80 }));
    worker.late_send(lag);
    let sent = intended + lag;
    if is_down {
        let waits = Duration::from_millis((253 - tenth) * 100 + dice.below(60));
        worker.answered(
            Call::Reserve,
            Outcome::Broken,
            intended,
            sent,
            sent + Duration::from_micros(300),
        );
        worker.answered(
            Call::Reserve,
            Outcome::Reserved,
            intended,
            sent + waits,
            sent + waits + dice.took(900),
        );
        return;
    }
    let took = dice.took(if is_busy { 900 } else { 350 });
    let sku = dice.below(2) as usize;
    let outcome = match dice.below(1_000) {
        0..8 => Outcome::Replayed,
        8..14 => Outcome::Limited,
        14..16 if is_busy => Outcome::Overloaded,
        _ if left[sku] <= 0 => Outcome::SoldOut,
        _ => Outcome::Reserved,
    };
    worker.answered(Call::Reserve, outcome, intended, sent, sent + took);
    if outcome == Outcome::Reserved {
        left[sku] -= 1;
        pay(worker, dice, sent + took, &mut left[sku], &mut sold[sku]);
    }
}

fn pay(worker: &mut Worker, dice: &mut Dice, from: Instant, left: &mut i64, sold: &mut i64) {
    let took = dice.took(500);
    let (call, outcome) = match dice.below(100) {
        0..12 => (Call::Release, Outcome::Released),
        12..14 => (Call::Confirm, Outcome::Expired),
        14..15 => (Call::Confirm, Outcome::ConfirmedLate),
        _ => (Call::Confirm, Outcome::Confirmed),
    };
    match outcome {
        Outcome::Confirmed | Outcome::ConfirmedLate => *sold += 1,
        _ => *left += 1,
    }
    worker.answered(call, outcome, from, from, from + took);
}

/// What such a run would know of itself.
pub(crate) fn facts(seed: u64) -> RunFacts {
    let text =
        "name = \"flash-sale\"\n\n[[phase]]\nname = \"rush\"\nrate = 4_000\n# <b>not bold</b>\n";
    RunFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed,
        machine: Machine { cores: 2, processor: "A processor".into(), memory_bytes: 24 << 30, kernel: "linux 6.1.0".into() },
        started_at: "2026-03-01T09:59:00Z".to_owned(),
        scenario_name: "flash-sale".to_owned(),
        scenario: serde_json::json!({"name": "flash-sale", "phases": [
            {"kind": "ramp", "name": "doors closed", "seconds": 15.0, "from": 0.0, "to": 480.0},
            {"kind": "constant", "name": "rush", "seconds": 25.0, "rate": 480.0},
            {"kind": "constant", "name": "after", "seconds": 20.0, "rate": 120.0},
        ]}),
        scenario_text: text.to_owned(),
        arrivals_s: 60.0,
        target: "a server of its own (spawned)".to_owned(),
        model: Model::Open,
        generator: GeneratorFacts { threads: 2, cpu_s: Some(31.4) },
        counts: [("retries", 5_214), ("duplicates", 312), ("kills", 1)].map(|(name, n)| (name.to_owned(), n)).into(),
        thresholds: ["response.p99 < 20ms", "errors.rate < 0.02", "rate >= 500"]
            .map(|text| threshold::parse(text).expect("it is a threshold"))
            .into(),
        retention: "Ended reservations are kept for 60 s: a million a second kept for a day fit no memory. A read after that finds nothing.".to_owned(),
        ..RunFacts::default()
    }
}

/// Claims as the proof makes them.
pub(crate) fn claims() -> Vec<Claim> {
    vec![
        Claim::held(
            "no oversell",
            "2 SKUs: 23,000 received, 19,204 sold, 0 held, 3,796 available",
        ),
        Claim::held(
            "each reservation has one terminal state",
            "24,118 ids read back",
        ),
        Claim::held(
            "acknowledged effects are in the ledger",
            "verify read 2 shards, 71,204 events",
        ),
        Claim::unchecked(
            "replays are identical",
            "the scenario sends no duplicates of confirms",
        ),
    ]
}

/// Numbers that look like chance: `SplitMix64`.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A time with a long tail around so many microseconds.
    fn took(&mut self, micros: u64) -> Duration {
        let share = (self.below(1_000_000) as f64 + 1.0) / 1_000_000.0;
        let micros = micros as f64 * (0.4 - share.ln() * 0.5 + 0.02 / share.sqrt());
        Duration::from_nanos((micros * 1_000.0) as u64)
    }
}
