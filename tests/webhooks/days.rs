//! Receivers that are away for days, on a clock that is moved: retries as the schedule says, dead
//! letters, the switch, and all of it afterwards.

use crate::receiver::{Receiver, Reply, until};
use crate::scene::Scene;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const HOUR_MS: u64 = 3_600_000;

/// The longest pause before each further attempt, as docs/webhooks.md tells it.
const STEPS_MS: [i64; 9] = [
    5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000,
    86_400_000,
];

/// One that takes nothing while it is away.
fn away() -> (Receiver, Arc<AtomicBool>) {
    let is_away = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&is_away);
    let receiver = Receiver::start(move |_| {
        let is_away = still.load(Ordering::Relaxed);
        Reply::Status(if is_away { 502 } else { 204 })
    });
    (receiver, is_away)
}

/// Of a time as it is shown.
fn ms(time: &Value) -> i64 {
    let time: jiff::Timestamp = time
        .as_str()
        .and_then(|time| time.parse().ok())
        .expect("a time");
    time.as_millisecond()
}

#[test]
fn an_event_is_tried_over_days_as_the_schedule_says_and_then_waits_as_a_dead_letter() {
    let mut scene = Scene::rehearsing();
    scene.skus(&["TEE"]);
    let ((receiver, is_away), other) = (away(), Receiver::kind());
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    let (other_id, _) = scene.webhook(&json!({"url": other.url, "types": ["stock.received"]}));
    scene.receive("TEE");
    scene.receive("TEE");
    let told = scene.told_of("TEE", "stock.received");
    until("the other waits for it", || other.taken_of("TEE") == told);
    let mut moved_to = 0;
    // Each pause is over once time was moved by it, and not before.
    until_so(|| {
        let standing = scene.get(&format!("/v1/webhooks/{id}"));
        let waiting = &standing["waiting"][0];
        if standing["dead_letters"] == 0 && waiting.is_object() {
            let log = scene.get(&format!("/v1/webhooks/{id}/deliveries"));
            let (at, next_at) = (ms(&log["items"][0]["at"]), ms(&waiting["next_at"]));
            if moved_to < next_at && log["items"][0]["attempt"] == waiting["attempts"] {
                scene.advance((next_at - at).max(1) as u64);
                moved_to = next_at;
            }
        }
        standing["dead_letters"] == 1
    });
    let letters = scene.get(&format!("/v1/webhooks/{id}/dead-letters"));
    let letter = &letters["items"][0];
    assert_eq!(
        (&letter["attempts"], &letter["status"]),
        (&json!(10), &json!(502))
    );
    assert_eq!(letter["event"]["sequence"], *told[0]);
    on_schedule(&mut scene, &id, &letter["event"]["id"]);
    let attempts = receiver.got().into_iter();
    let attempts = attempts.filter(|got| letter["event"]["id"] == *got.id);
    let times: Vec<u64> = attempts.map(|got| got.timestamp).collect();
    assert_eq!(times.len(), 10, "the receiver counts otherwise: {times:?}");
    // Back again, it gets what waits in its turn, and what was given up when it is asked for.
    is_away.store(false, Ordering::Relaxed);
    scene.advance(24 * HOUR_MS);
    until("the next never has its turn", || {
        receiver.taken_of("TEE") == told[1..]
    });
    let path = format!("/v1/webhooks/{id}/redeliver");
    assert_eq!(
        scene.ask("POST", &path, &json!({})),
        (202, json!({"letters": 1}))
    );
    scene.until_seen(&id, "dead_letters", &json!(0));
    assert_eq!(receiver.taken_of("TEE"), [&*told[1], &*told[0]]);
    scene.until_seen(&id, "lag", &json!(0));
    for id in [&id, &other_id] {
        assert_eq!(scene.seen(id, "gaps"), 0);
        assert_eq!(scene.seen(id, "enabled"), true);
    }
    assert_eq!(scene.seen(&other_id, "failed"), 0);
}

/// No attempt comes before its time, and each pause is a part of its step, not the same for all.
fn on_schedule(scene: &mut Scene, id: &str, event: &Value) {
    let log = scene.get(&format!("/v1/webhooks/{id}/deliveries"));
    let items = log["items"].as_array().expect("a list").iter().rev();
    let attempts: Vec<&Value> = items
        .filter(|delivery| delivery["webhook_id"] == *event)
        .collect();
    let numbers: Vec<u64> = attempts
        .iter()
        .filter_map(|one| one["attempt"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    let mut shares = Vec::new();
    for ((pair, step), number) in attempts.windows(2).zip(STEPS_MS).zip(1..) {
        let next_at = ms(&pair[0]["next_at"]);
        let pause = next_at - ms(&pair[0]["at"]);
        assert!(pause <= step, "attempt {number}: {pause} of {step} ms");
        assert!(
            next_at <= ms(&pair[1]["at"]),
            "attempt {number} came too early: {pair:?}"
        );
        shares.push(1_000 * pause / step);
    }
    assert_eq!(attempts[9]["next_at"], Value::Null);
    shares.dedup();
    assert!(
        1 < shares.len(),
        "pauses are no random part of their steps: {shares:?}"
    );
    let days = ms(&attempts[9]["at"]) - ms(&attempts[0]["at"]);
    assert!(HOUR_MS as i64 <= days, "it was over in {days} ms");
}

#[test]
fn a_receiver_that_is_away_for_five_days_is_switched_off_and_gets_all_of_it_when_it_is_back() {
    let mut scene = Scene::rehearsing();
    let skus = ["A", "B", "C", "D", "E", "F", "G"];
    scene.skus(&skus);
    let ((receiver, is_away), other) = (away(), Receiver::kind());
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    let (other_id, _) = scene.webhook(&json!({"url": other.url, "types": ["stock.received"]}));
    for _ in 0..2 {
        for sku in skus {
            scene.receive(sku);
        }
    }
    scene.until_so(&id, "failed", "enough for it to be away", |failed| {
        failed.as_u64().is_some_and(|failed| 5 <= failed)
    });
    let mut quarters = 0;
    while scene.seen(&id, "enabled") == true {
        let before = scene.seen(&id, "failed").as_u64();
        scene.advance(6 * HOUR_MS);
        quarters += 1;
        until_so(|| {
            let standing = scene.get(&format!("/v1/webhooks/{id}"));
            before < standing["failed"].as_u64() || standing["enabled"] == false
        });
        for sku in skus {
            scene.receive(sku);
        }
        assert!(quarters < 30, "it is never switched off");
    }
    assert!(
        19 < quarters,
        "it was switched off after {quarters} quarters of a day"
    );
    let off = scene.seen(&id, "off");
    let why = off["why"].as_str().expect("a reason");
    assert!(
        why.contains("nothing was taken for too long") && why.contains("502"),
        "{why}"
    );
    let expected = skus.map(|sku| scene.told_of(sku, "stock.received"));
    until("the other waits for it", || {
        skus.map(|sku| other.taken_of(sku)) == expected
    });
    assert_eq!(scene.seen(&other_id, "failed"), 0);
    // One request at a time looked whether it is back; nothing was given up for that.
    assert_eq!(scene.seen(&id, "dead_letters"), 0);
    assert_eq!(receiver.taken().len(), 0);
    is_away.store(false, Ordering::Relaxed);
    let (status, _) = scene.ask(
        "PUT",
        &format!("/v1/webhooks/{id}"),
        &json!({"enabled": true}),
    );
    assert_eq!(status, 200);
    until("something is missing", || {
        skus.map(|sku| receiver.taken_of(sku)) == expected
    });
    scene.until_seen(&id, "lag", &json!(0));
    assert_eq!(scene.seen(&id, "gaps"), 0);
}

fn until_so(mut is_so: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it never comes true");
}
