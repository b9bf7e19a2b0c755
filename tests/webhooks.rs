//! Webhooks and consumers over the real program: order, retries, dead letters, bad receivers,
//! rotation, and what is lost and doubled over `kill -9`: nothing, and nothing under another id.

#[path = "tls/authority.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod authority;
#[path = "webhooks/command.rs"]
mod command;
#[path = "webhooks/consumers.rs"]
mod consumers;
#[path = "webhooks/days.rs"]
mod days;
#[path = "webhooks/receiver.rs"]
mod receiver;
#[path = "webhooks/receivers.rs"]
mod receivers;
#[path = "webhooks/scene.rs"]
mod scene;
#[path = "crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;
#[path = "webhooks/tls.rs"]
mod tls;

use receiver::{Receiver, Reply, until};
use scene::Scene;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn a_sku_that_is_retried_keeps_its_order_and_keeps_nobody_else_waiting() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["BAD", "GOOD"]);
    let is_bad = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&is_bad);
    let receiver = Receiver::start(move |got| {
        let is_bad = got.sku() == "BAD" && still.load(Ordering::Relaxed);
        Reply::Status(if is_bad { 500 } else { 204 })
    });
    let body = json!({"url": receiver.url, "types": ["stock.received"]});
    let (id, secret) = scene.webhook(&body);
    for _ in 0..20 {
        scene.receive("BAD");
        scene.receive("GOOD");
    }
    until("the good SKU waits for the bad one", || {
        receiver.taken_of("GOOD").len() == 20
    });
    assert_eq!(receiver.taken_of("BAD").len(), 0);
    scene.until_so(&id, "waiting", "the bad SKU", |waiting| {
        waiting[0]["sku"] == "BAD"
    });
    is_bad.store(false, Ordering::Relaxed);
    until("what waits is never sent", || {
        receiver.taken_of("BAD").len() == 20
    });
    scene.until_seen(&id, "waiting", &json!([]));
    for sku in ["BAD", "GOOD"] {
        assert_eq!(
            receiver.taken_of(sku),
            scene.told_of(sku, "stock.received"),
            "{sku}"
        );
    }
    // Nobody died, so nothing was sent twice after it had been taken; all of it was signed.
    assert_eq!(receiver.taken().len(), 40);
    assert!(receiver.got().iter().all(|got| got.is_signed_with(&secret)));
    let single = |got: &receiver::Got| {
        got.content_type == "application/cloudevents+json" && got.events()[0]["id"] == *got.id
    };
    assert!(receiver.got().iter().all(single));
    scene.receive("BAD");
    until("a SKU that waited is left out", || {
        receiver.taken_of("BAD").len() == 21
    });
    scene.until_seen(&id, "lag", &json!(0));
}

#[test]
fn what_is_never_taken_becomes_a_dead_letter_that_can_be_sent_again() {
    let mut scene = Scene::new(&[("EVENTS_WEBHOOKS_RETRY_MS", "50,50")]);
    scene.skus(&["BAD", "GOOD"]);
    let is_bad = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&is_bad);
    let receiver = Receiver::start(move |got| {
        let is_bad = got.sku() == "BAD" && still.load(Ordering::Relaxed);
        Reply::Status(if is_bad { 503 } else { 200 })
    });
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    for sku in ["BAD", "BAD", "GOOD"] {
        scene.receive(sku);
    }
    scene.until_seen(&id, "dead_letters", &json!(2));
    scene.until_seen(&id, "waiting", &json!([]));
    let attempts = receiver
        .got()
        .iter()
        .filter(|got| got.sku() == "BAD")
        .count();
    assert_eq!(attempts, 6, "three attempts each");
    let letters = scene.get(&format!("/v1/webhooks/{id}/dead-letters"));
    let items = letters["items"].as_array().expect("a list");
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["attempts"], &items[0]["status"]),
        (&json!(3), &json!(503))
    );
    assert_eq!(items[0]["event"]["subject"], "BAD");
    let log = scene.get(&format!("/v1/webhooks/{id}/deliveries"));
    let failed = log["items"].as_array().expect("a list").iter();
    let failed = failed.filter(|delivery| delivery["status"] == 503).count();
    assert_eq!(failed, 6);
    let path = format!("/v1/webhooks/{id}/redeliver");
    let none = scene.ask("POST", &path, &json!({"letter": "none"}));
    assert_eq!((none.0, &none.1["field"]), (400, &json!("letter")));
    // One that fails again stays a letter, over a restart as well.
    let one = json!({"letter": items[0]["id"]});
    assert_eq!(scene.ask("POST", &path, &one), (202, json!({"letters": 1})));
    until("it is not sent again", || {
        receiver
            .got()
            .iter()
            .filter(|got| got.sku() == "BAD")
            .count()
            == 7
    });
    scene.server.kill();
    scene.server.restart();
    scene.until_seen(&id, "dead_letters", &json!(2));
    is_bad.store(false, Ordering::Relaxed);
    assert_eq!(
        scene.ask("POST", &path, &json!({})),
        (202, json!({"letters": 2}))
    );
    scene.until_seen(&id, "dead_letters", &json!(0));
    assert_eq!(
        receiver.taken_of("BAD"),
        scene.told_of("BAD", "stock.received")
    );
    let letters = scene.get(&format!("/v1/webhooks/{id}/dead-letters"));
    assert_eq!(letters["items"], json!([]));
}

#[test]
fn a_receiver_that_wants_nothing_more_is_switched_off_and_may_be_switched_on_again() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let is_gone = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&is_gone);
    let receiver = Receiver::start(move |_| {
        Reply::Status(if still.load(Ordering::Relaxed) {
            410
        } else {
            204
        })
    });
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    scene.receive("TEE");
    scene.until_seen(&id, "enabled", &json!(false));
    let why = scene.seen(&id, "off");
    assert!(
        why["why"].as_str().is_some_and(|why| why.contains("410")),
        "{why}"
    );
    scene.receive("TEE");
    scene.server.kill();
    scene.server.restart();
    assert_eq!(scene.seen(&id, "enabled"), json!(false));
    assert_eq!(receiver.got().len(), 1);
    let refused = scene.ask("POST", &format!("/v1/webhooks/{id}/redeliver"), &json!({}));
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (409, &json!("webhook-off"))
    );
    is_gone.store(false, Ordering::Relaxed);
    let path = format!("/v1/webhooks/{id}");
    let (status, on) = scene.ask("PUT", &path, &json!({"enabled": true}));
    assert_eq!((status, &on["off"]), (200, &Value::Null));
    until("nothing goes on", || receiver.taken_of("TEE").len() == 2);
    assert_eq!(
        receiver.taken_of("TEE"),
        scene.told_of("TEE", "stock.received")
    );
}

/// A webhook that had been off was judged by what it had not taken before: the first failure after
/// it was switched on switched it off again.
#[test]
fn a_webhook_that_is_switched_on_again_has_its_whole_time() {
    let mut scene = Scene::new(&[
        ("EVENTS_WEBHOOKS_OFF_AFTER_MS", "1000"),
        ("EVENTS_WEBHOOKS_RETRY_MS", &["200"; 50].join(",")),
    ]);
    scene.skus(&["TEE"]);
    let receiver = Receiver::start(|_| Reply::Status(500));
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    scene.receive("TEE");
    scene.until_seen(&id, "enabled", &json!(false));
    let off = scene.seen(&id, "off");
    assert!(
        off["why"].as_str().is_some_and(|why| why.contains("500")),
        "{off}"
    );
    assert_ne!(scene.seen(&id, "failing_since"), Value::Null);
    let path = format!("/v1/webhooks/{id}");
    let (_, on) = scene.ask("PUT", &path, &json!({"enabled": true}));
    assert_eq!(
        (&on["enabled"], &on["failing_since"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn receivers_that_hang_redirect_or_send_garbage_keep_nobody_else_waiting() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let good = Receiver::kind();
    let tempted = Receiver::kind();
    let elsewhere = tempted.url.clone();
    let bad = [
        (Receiver::start(|_| Reply::Hang), "no answer in 500 ms"),
        (Receiver::start(|_| Reply::Garbage), ""),
        (
            Receiver::start(move |_| Reply::Elsewhere(elsewhere.clone())),
            "redirects are not followed",
        ),
        (
            Receiver::start(|_| Reply::Later(Duration::from_secs(5), 204)),
            "no answer in 500 ms",
        ),
    ];
    let bad_ids = bad.each_ref().map(|(receiver, _)| {
        let body = json!({"url": receiver.url, "types": ["stock.received"]});
        scene.webhook(&body).0
    });
    let (id, _) = scene.webhook(&json!({"url": good.url, "types": ["stock.received"]}));
    for _ in 0..10 {
        scene.receive("TEE");
    }
    until("the good one waits for the bad ones", || {
        good.taken_of("TEE").len() == 10
    });
    scene.until_seen(&id, "lag", &json!(0));
    for (bad_id, (_, why)) in bad_ids.iter().zip(&bad) {
        let path = format!("/v1/webhooks/{bad_id}");
        for _ in 0..500 {
            if scene.get(&path)["failed"] != 0 {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = scene.get(&format!("{path}/deliveries"));
        let error = log["items"][0]["error"]
            .as_str()
            .expect("why it was not taken");
        assert!(error.contains(why), "{error}");
        assert_eq!(scene.seen(bad_id, "delivered"), 0);
    }
    assert_eq!(tempted.got().len(), 0, "a redirect was followed");
    scene.server.stop();
}

#[test]
fn addresses_that_are_not_public_are_refused_and_a_bad_webhook_is_told_what_is_wrong() {
    let mut scene = Scene::new(&[("EVENTS_WEBHOOKS_PRIVATE", "false")]);
    for url in [
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
    ] {
        let (status, body) = scene.ask("POST", "/v1/webhooks", &json!({"url": url}));
        assert_eq!(status, 422, "{url}: {body}");
        assert_eq!(body["code"], "webhook-address-forbidden", "{url}");
    }
    for (body, field) in [
        (json!({"url": "ftp://example.com/"}), "url"),
        (json!({"url": "https://me:pass@example.com/"}), "url"),
        (
            json!({"url": "http://1.1.1.1/", "types": ["stock.eaten"]}),
            "types",
        ),
        (json!({"url": "http://1.1.1.1/", "skus": [""]}), "skus[0]"),
        (
            json!({"url": "http://1.1.1.1/", "secret": "whsec_c2hvcnQ="}),
            "secret",
        ),
        (
            json!({"url": "http://1.1.1.1/", "batch_max": 0}),
            "batch_max",
        ),
        (json!({"url": "http://1.1.1.1/", "after": "01ff"}), "after"),
        (json!({"url": "http://1.1.1.1/", "speed": 1}), "speed"),
    ] {
        let (status, answer) = scene.ask("POST", "/v1/webhooks", &body);
        assert_eq!(
            (status, &answer["field"]),
            (400, &json!(field)),
            "{body}: {answer}"
        );
    }
    let (status, unknown) = scene.ask("GET", "/v1/webhooks/none", &Value::Null);
    assert_eq!((status, &unknown["code"]), (404, &json!("unknown-webhook")));
    assert_eq!(scene.get("/v1/webhooks")["items"], json!([]));
}

#[test]
fn in_binary_mode_attributes_are_headers_and_the_body_is_the_data() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let receiver = Receiver::kind();
    let body = json!({"url": receiver.url, "types": ["stock.received"], "mode": "binary"});
    let (id, secret) = scene.webhook(&body);
    assert_eq!(scene.seen(&id, "mode"), "binary");
    scene.receive("TEE");
    until("nothing comes", || receiver.got().len() == 1);
    let got = receiver.got().remove(0);
    let page = scene.get("/v1/events?types=stock.received");
    let event = page["items"][0].as_object().expect("it was told").clone();
    let headers = event.iter().filter_map(|(name, value)| match &**name {
        "data" | "datacontenttype" => None,
        name => Some((name.to_owned(), value.as_str()?.to_owned())),
    });
    assert_eq!(got.attributes, headers.collect());
    assert_eq!(
        (got.content_type.as_str(), &got.id),
        ("application/json", &got.attributes["id"])
    );
    let data: Value = serde_json::from_slice(&got.body).expect("it is JSON");
    assert_eq!(data, event["data"]);
    assert!(got.is_signed_with(&secret), "the data alone is signed");
    let path = format!("/v1/webhooks/{id}");
    let (status, refused) = scene.ask("PUT", &path, &json!({"batch_max": 2}));
    assert_eq!(
        (status, &refused["field"]),
        (400, &json!("batch_max")),
        "{refused}"
    );
    let both = json!({"mode": "structured", "batch_max": 2});
    let (status, changed) = scene.ask("PUT", &path, &both);
    assert_eq!((status, &changed["mode"]), (200, &json!("structured")));
    let (status, _) = scene.ask("PUT", &path, &json!({"mode": "binary"}));
    assert_eq!(status, 400);
}

#[test]
fn events_wait_for_a_whole_batch_and_one_that_goes_alone_waits_for_nothing() {
    let mut scene = Scene::new(&[("EVENTS_WEBHOOKS_BATCH_WAIT_MS", "60000")]);
    scene.skus(&["TEE"]);
    let (batched, alone) = (Receiver::kind(), Receiver::kind());
    let types = ["stock.received"];
    scene.webhook(&json!({"url": batched.url, "types": types, "batch_max": 3}));
    scene.webhook(&json!({"url": alone.url, "types": types}));
    for count in 1..=3 {
        scene.receive("TEE");
        until("nothing comes", || alone.taken().len() == count);
    }
    until("nothing comes", || !batched.got().is_empty());
    assert_eq!(batched.got()[0].events().len(), 3);
}

#[test]
fn both_secrets_sign_after_a_rotation_and_a_repeated_call_is_no_second_one() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let receiver = Receiver::kind();
    let body = json!({"url": receiver.url, "types": ["stock.received"], "batch_max": 10});
    let mut twice = |body: &Value| {
        let key = Some("the-same");
        scene.talk.until_answered("POST", "/v1/webhooks", key, body)
    };
    let (first, second) = (twice(&body), twice(&body));
    assert_eq!((first.0, &first.1["secret"]), (201, &second.1["secret"]));
    assert_eq!(first.1["id"], second.1["id"]);
    let other = twice(&json!({"url": receiver.url}));
    assert_eq!(
        (other.0, &other.1["code"]),
        (422, &json!("idempotency-key-reused"))
    );
    let id = first.1["id"].as_str().expect("a text").to_owned();
    let old = first.1["secret"].as_str().expect("a text").to_owned();
    let path = format!("/v1/webhooks/{id}/rotate");
    let (status, rotated) = scene.ask("POST", &path, &json!({}));
    let new = rotated["secret"].as_str().expect("a text").to_owned();
    assert_eq!(status, 200);
    assert_ne!(old, new);
    scene.receive("TEE");
    until("nothing comes", || receiver.taken().len() == 1);
    let got = receiver.taken().remove(0);
    assert!(
        got.is_signed_with(&old) && got.is_signed_with(&new),
        "{got:?}"
    );
    assert_eq!(got.content_type, "application/cloudevents-batch+json");
    let shown = scene.get(&format!("/v1/webhooks/{id}"));
    assert_eq!(shown["secret"], Value::Null, "{shown}");
    let (status, tested) = scene.ask("POST", &format!("/v1/webhooks/{id}/test"), &Value::Null);
    assert_eq!((status, &tested["status"]), (200, &json!(204)), "{tested}");
    let (status, _) = scene.ask("DELETE", &format!("/v1/webhooks/{id}"), &Value::Null);
    assert_eq!(status, 200);
    let (status, _) = scene.ask("GET", &format!("/v1/webhooks/{id}"), &Value::Null);
    assert_eq!(status, 404);
}

#[test]
fn kills_lose_nothing_keep_the_order_of_skus_and_double_only_under_equal_ids() {
    let mut scene = Scene::new(&[]);
    let skus = ["A", "B", "C", "D", "E", "F"];
    scene.skus(&skus);
    let count = AtomicU64::new(0);
    let receiver = Receiver::start(move |_| {
        // Some of it fails, so that lanes wait when the kill comes.
        let is_bad = count.fetch_add(1, Ordering::Relaxed) % 7 == 3;
        Reply::Status(if is_bad { 500 } else { 204 })
    });
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    for round in 0..4 {
        for _ in 0..10 {
            for sku in &skus {
                scene.receive(sku);
            }
        }
        thread::sleep(Duration::from_millis(150 * round));
        scene.server.kill();
        scene.server.restart();
    }
    let all = || skus.iter().all(|sku| receiver.taken_of(sku).len() == 40);
    until("something was lost", all);
    scene.until_seen(&id, "lag", &json!(0));
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for got in receiver.got() {
        bodies.entry(got.id.clone()).or_default().insert(got.body);
    }
    assert_eq!(bodies.len(), 240, "an event had two ids, or two events one");
    assert!(bodies.values().all(|bodies| bodies.len() == 1));
    for sku in skus {
        assert_eq!(
            receiver.taken_of(sku),
            scene.told_of(sku, "stock.received"),
            "{sku}"
        );
    }
    scene.server.stop();
    assert_eq!(scene.server.verify(), Some(0));
}
