//! Consumers: their places, and the journal that waits for them.

use crate::scene::Scene;
use holdfast::client::listen::{Listening, Silent};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

#[test]
fn a_consumers_place_outlives_a_kill_and_goes_back_as_well_as_forward() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    scene.receive("TEE");
    let path = "/v1/consumers/search";
    let (status, made) = scene.ask("PUT", path, &json!({"cursor": "earliest"}));
    assert_eq!((status, &made["name"]), (200, &json!("search")));
    let page = scene.get("/v1/events?consumer=search");
    assert!(1 < page["items"].as_array().map_or(0, Vec::len), "{page}");
    let (_, moved) = scene.ask("PUT", path, &json!({"cursor": page["next_cursor"]}));
    assert_eq!(moved["lag"], 0);
    scene.receive("TEE");
    scene.server.kill();
    scene.server.restart();
    let kept = scene.get(path);
    assert_eq!(kept["cursor"], page["next_cursor"]);
    assert!(0 < kept["lag"].as_u64().unwrap_or(0), "{kept}");
    let next = scene.get("/v1/events?consumer=search&types=stock.received");
    assert_eq!(next["items"].as_array().map(Vec::len), Some(1), "{next}");
    let (_, back) = scene.ask("PUT", path, &json!({"cursor": made["cursor"]}));
    assert_eq!(back["cursor"], made["cursor"]);
    for (method, path, body, code) in [
        ("PUT", path, json!({"cursor": "zz"}), "invalid-request"),
        (
            "PUT",
            path,
            json!({"cursor": format!("{}ff", &made["cursor"].as_str().expect("a text")[..18])}),
            "invalid-request",
        ),
        ("GET", "/v1/consumers/none", Value::Null, "unknown-consumer"),
        (
            "DELETE",
            "/v1/consumers/none",
            Value::Null,
            "unknown-consumer",
        ),
        (
            "GET",
            "/v1/events?consumer=none",
            Value::Null,
            "unknown-consumer",
        ),
        (
            "GET",
            "/v1/events?consumer=search&after=latest",
            Value::Null,
            "invalid-request",
        ),
    ] {
        let (_, answer) = scene.ask(method, path, &body);
        assert_eq!(answer["code"], code, "{method} {path} {body}: {answer}");
    }
    scene.ask("PUT", "/v1/consumers/another", &json!({"cursor": "latest"}));
    let page = scene.get("/v1/consumers?limit=1");
    assert_eq!(page["items"][0]["name"], "another");
    let cursor = page["next_cursor"]
        .as_str()
        .expect("there is more")
        .to_owned();
    let page = scene.get(&format!("/v1/consumers?limit=1&cursor={cursor}"));
    assert_eq!(page["items"][0]["name"], "search");
    assert_eq!(scene.ask("DELETE", path, &Value::Null).0, 200);
    assert_eq!(
        scene.get("/v1/consumers")["items"].as_array().map(Vec::len),
        Some(1)
    );
}

/// Books until the journal would have been trimmed up to `cursor`; what a page after it says then.
fn after_trimming(scene: &mut Scene, path: &str, is_over: impl Fn(u16) -> bool) -> (u16, Value) {
    let mut last = (0, Value::Null);
    for _ in 0..40 {
        scene.receive_many("TEE", 500);
        thread::sleep(Duration::from_millis(100));
        last = scene.ask("GET", path, &Value::Null);
        if is_over(last.0) {
            break;
        }
    }
    last
}

#[test]
fn the_journal_waits_for_the_slowest_consumer_up_to_its_bound_and_then_says_where_to_go_on() {
    let trims = [
        ("DATA_JOURNAL_TRIM", "true"),
        ("DATA_JOURNAL_KEPT_MS", "1000"),
        ("DATA_SNAPSHOT_AFTER_EVENTS", "1000"),
    ];
    // Nobody holds it: it goes.
    let mut scene = Scene::new(&trims);
    scene.skus(&["TEE"]);
    let (_, here) = scene.ask("PUT", "/v1/consumers/slow", &json!({"cursor": "latest"}));
    let path = format!(
        "/v1/events?limit=10&after={}",
        here["cursor"].as_str().expect("a text")
    );
    let held = after_trimming(&mut scene, &path, |status| status != 200);
    assert_eq!(held.0, 200, "{}", held.1);
    assert_eq!(
        scene.get("/v1/events?consumer=slow&limit=1")["items"][0]["subject"],
        "TEE"
    );
    scene.ask("DELETE", "/v1/consumers/slow", &Value::Null);
    let gone = after_trimming(&mut scene, &path, |status| status == 410);
    assert_eq!(
        (gone.0, &gone.1["code"]),
        (410, &json!("cursor-expired")),
        "{}",
        gone.1
    );
    // Too far behind, it is told where to go on.
    let mut bounded = Scene::new(&[&trims[..], &[("EVENTS_HOLD_EVENTS_MAX", "100")]].concat());
    bounded.skus(&["TEE"]);
    bounded.ask("PUT", "/v1/consumers/slow", &json!({"cursor": "latest"}));
    let path = "/v1/events?consumer=slow&limit=10";
    let (status, expired) = after_trimming(&mut bounded, path, |status| status == 410);
    assert_eq!(
        (status, &expired["code"]),
        (410, &json!("cursor-expired")),
        "{expired}"
    );
    // A stream says so before it begins.
    let target = format!("http://{}", bounded.server.address());
    let tokio = tokio::runtime::Runtime::new().expect("a thread can wait");
    let stream = tokio.block_on(Listening::begin(
        &target.parse().expect("an address"),
        "/v1/events?consumer=slow",
        None,
    ));
    let Err(Silent::Refused(problem)) = stream else {
        panic!("a stream begins with a gap");
    };
    assert_eq!(problem.code, "cursor-expired");
    let earliest = expired["earliest"]
        .as_str()
        .expect("where to go on")
        .to_owned();
    let (status, _) = bounded.ask("PUT", "/v1/consumers/slow", &json!({"cursor": earliest}));
    assert_eq!(status, 200);
    assert_eq!(bounded.ask("GET", path, &Value::Null).0, 200);
}
