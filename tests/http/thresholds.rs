//! Thresholds and traces: what a SKU shows, and what its events say.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::Service;
use crate::imports::import;
use crate::talk::Talk;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn post(talk: &mut Talk, path: &str, key: &str, trace: Option<&str>, body: &Value) -> Value {
    let mut asked = talk.post(path, key, &body.to_string());
    if let Some(trace) = trace {
        asked = asked.header("traceparent", trace);
    }
    let answer = asked.quietly().await;
    assert!(answer.status.is_success(), "{path} {body}: {}", answer.body);
    answer.body
}

/// An event as its type and its `traceparent`.
type Told = (String, Option<String>);

/// The last `count` events of a SKU, once it has `all`.
async fn events(talk: &mut Talk, all: usize, count: usize) -> Vec<Told> {
    loop {
        let page = talk.get("/v1/skus/TEE/ledger").quietly().await.body;
        let items = page["items"].as_array().expect("a list");
        if items.len() < all {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        assert_eq!(items.len(), all, "{page}");
        let told = items[all - count..].iter().map(|event| {
            let kind = event["type"].as_str().expect("a text");
            let trace = event.get("traceparent").and_then(Value::as_str);
            (kind.to_owned(), trace.map(str::to_owned))
        });
        return told.collect();
    }
}

fn kinds(events: &[Told]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

async fn moments(talk: &mut Talk) -> [Value; 2] {
    let sku = talk.get("/v1/skus/TEE").quietly().await.body;
    let body = json!({"skus": ["TEE"]});
    let page = talk.ask(Method::POST, "/v1/availability");
    let page = page.json(&body.to_string()).quietly().await.body;
    let shown = &page["items"][0];
    for name in ["depleted_at", "sold_out_at", "available"] {
        assert_eq!(shown[name], sku[name], "{name}: {page}");
    }
    [sku["depleted_at"].clone(), sku["sold_out_at"].clone()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thresholds_are_told_once_and_a_sku_shows_since_when_it_is_depleted_and_sold_out() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", r#"{"low_at":2}"#).await;
    let receive = json!({"kind": "receive", "qty": 4});
    let none = [Value::Null, Value::Null];
    post(&mut talk, "/v1/skus/TEE/movements", "m1", None, &receive).await;
    assert_eq!(moments(&mut talk).await, none);
    let reserve = json!({"lines": [{"sku": "TEE", "qty": 2}]});
    let first = post(&mut talk, "/v1/reservations", "r1", None, &reserve).await;
    let second = post(&mut talk, "/v1/reservations", "r2", None, &reserve).await;
    let [depleted, sold_out] = moments(&mut talk).await;
    assert_eq!((depleted.is_string(), &sold_out), (true, &Value::Null));
    service.advance(1_000);
    for (key, made) in [("c1", first), ("c2", second)] {
        let path = format!(
            "/v1/reservations/{}/confirm",
            made["id"].as_str().expect("a text")
        );
        post(&mut talk, &path, key, None, &json!({})).await;
    }
    let [still, sold_out] = moments(&mut talk).await;
    assert_eq!(still, depleted);
    assert!(sold_out.is_string() && sold_out != depleted, "{sold_out}");
    post(&mut talk, "/v1/skus/TEE/movements", "m2", None, &receive).await;
    assert_eq!(moments(&mut talk).await, none);
    let told = events(&mut talk, 10, 10).await;
    let expected = [
        "sku.configured",
        "stock.received",
        "reservation.created",
        "stock.low",
        "reservation.created",
        "stock.depleted",
        "reservation.confirmed",
        "reservation.confirmed",
        "stock.received",
        "stock.replenished",
    ];
    assert_eq!(kinds(&told), expected);
    let sku = talk.get("/v1/skus/TEE").quietly().await.body;
    assert_eq!(
        (&sku["version"], &sku["stock_version"]),
        (&json!(10), &json!(3))
    );
}

/// Reserves and releases units of TEE, `times` over.
async fn to_and_fro(talk: &mut Talk, qty: u32, times: u32) {
    let reserve = json!({"lines": [{"sku": "TEE", "qty": qty}]});
    for time in 0..times {
        let key = format!("fro-{qty}-{time}");
        let made = post(talk, "/v1/reservations", &key, None, &reserve).await;
        let id = made["id"].as_str().expect("a text");
        let path = format!("/v1/reservations/{id}/release");
        post(talk, &path, &format!("{key}-back"), None, &json!({})).await;
    }
}

/// What was told of thresholds, once all of these events are there.
async fn thresholds(talk: &mut Talk, all: usize) -> Vec<String> {
    let told = events(talk, all, all).await.into_iter();
    let told = told.map(|(kind, _)| kind);
    told.filter(|kind| ["stock.low", "stock.depleted", "stock.replenished"].contains(&&**kind))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_to_and_fro_around_a_threshold_is_told_once_also_over_a_restart() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", r#"{"low_at":5}"#).await;
    let receive = json!({"kind": "receive", "qty": 6});
    post(&mut talk, "/v1/skus/TEE/movements", "m1", None, &receive).await;
    to_and_fro(&mut talk, 1, 3).await;
    assert_eq!(thresholds(&mut talk, 9).await, ["stock.low"]);
    // Another mark, and nothing told; it is there after a restart.
    talk.configured("TEE", r#"{"replenished_at":9}"#).await;
    let service = Service::start_in(service.stop().await, |_| {}).await;
    let mut talk = service.talk().await;
    let two = json!({"kind": "receive", "qty": 2});
    post(&mut talk, "/v1/skus/TEE/movements", "m2", None, &two).await;
    to_and_fro(&mut talk, 8, 2).await;
    let told = ["stock.low", "stock.depleted"];
    assert_eq!(thresholds(&mut talk, 16).await, told);
    let one = json!({"kind": "receive", "qty": 1});
    post(&mut talk, "/v1/skus/TEE/movements", "m3", None, &one).await;
    let told = ["stock.low", "stock.depleted", "stock.replenished"];
    assert_eq!(thresholds(&mut talk, 18).await, told);
    let sku = talk.get("/v1/skus/TEE").quietly().await.body;
    assert_eq!(
        (&sku["low_at"], &sku["replenished_at"]),
        (&json!(5), &json!(9))
    );
}

#[tokio::test]
async fn a_mark_that_is_not_above_the_threshold_is_refused_in_one_call_and_in_two() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let set = r#"{"low_at":5,"replenished_at":6}"#;
    talk.configured("TEE", set).await;
    for body in [
        r#"{"low_at":5,"replenished_at":5}"#,
        r#"{"replenished_at":0}"#,
        r#"{"replenished_at":5}"#,
        r#"{"low_at":6}"#,
    ] {
        let answer = talk.put("/v1/skus/TEE", body).quietly().await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert_eq!(answer.body["code"], "invalid-request", "{body}");
        assert_eq!(answer.body["field"], "replenished_at", "{body}");
    }
    let answer = talk.put("/v1/skus/TEE", r#"{"low_at":6}"#).quietly().await;
    let detail = "6 is not above low_at, 6; set it higher, or null for a fifth above low_at";
    assert_eq!(answer.body["detail"], detail);
    let sku = talk.get("/v1/skus/TEE").quietly().await.body;
    assert_eq!(
        (&sku["low_at"], &sku["replenished_at"]),
        (&json!(5), &json!(6))
    );
    let moved = r#"{"low_at":6,"replenished_at":null}"#;
    assert_eq!(talk.put("/v1/skus/TEE", moved).quietly().await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_traceparent_is_told_with_what_the_request_changed_and_a_bad_one_is_not() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    let trace = Some(TRACE);
    let reserve = json!({"lines": [{"sku": "TEE", "qty": 3}]});
    let made = post(&mut talk, "/v1/reservations", "r1", trace, &reserve).await;
    let again = post(&mut talk, "/v1/reservations", "r1", None, &reserve).await;
    assert_eq!(
        again["id"], made["id"],
        "a trace is no part of what is asked"
    );
    let path = |step| {
        format!(
            "/v1/reservations/{}/{step}",
            made["id"].as_str().expect("a text")
        )
    };
    post(
        &mut talk,
        &path("extend"),
        "e1",
        trace,
        &json!({"ttl_ms": 900_000}),
    )
    .await;
    post(
        &mut talk,
        &path("pin"),
        "p1",
        trace,
        &json!({"for_ms": 60_000}),
    )
    .await;
    post(&mut talk, &path("confirm"), "c1", trace, &json!({})).await;
    let adjust = json!({"kind": "adjust", "qty": -5, "reason": "theft"});
    post(&mut talk, "/v1/skus/TEE/movements", "a1", trace, &adjust).await;
    let batch = json!({"operations": [
        {"op": "movement", "key": "b1", "sku": "TEE", "kind": "receive", "qty": 1},
        {"op": "reserve", "key": "b2", "lines": [{"sku": "TEE", "qty": 2}]},
    ]});
    let asked = talk.ask(Method::POST, "/v1/batch").json(&batch.to_string());
    let answer = asked.header("traceparent", TRACE).quietly().await;
    assert!(answer.status.is_success(), "{}", answer.body);
    let told = events(&mut talk, 8, 6).await;
    let expected = [
        "reservation.created",
        "reservation.confirmed",
        "stock.adjusted",
        "stock.received",
        "reservation.created",
        "stock.depleted",
    ];
    assert_eq!(kinds(&told), expected);
    for (kind, told) in &told {
        assert_eq!(told.as_deref(), trace, "{kind}");
    }

    for (at, bad) in ["00-0-0-01", &TRACE.to_uppercase(), &format!("{TRACE}0")]
        .into_iter()
        .enumerate()
    {
        let receive = json!({"kind": "receive", "qty": 1});
        let key = format!("x{at}");
        post(
            &mut talk,
            "/v1/skus/TEE/movements",
            &key,
            Some(bad),
            &receive,
        )
        .await;
    }
    let told = events(&mut talk, 12, 4).await;
    assert!(told.iter().all(|(_, trace)| trace.is_none()), "{told:?}");

    // The rows of a file are the request's that brought them.
    let head = format!("text/csv\r\ntraceparent: {TRACE}");
    let rows = "kind,sku,qty\nreceive,TEE,1\nreceive,TEE,2\n";
    let (status, report) = import(&service, "identity=traced", &head, rows).await;
    assert_eq!(status, 200, "{report}");
    for (kind, told) in events(&mut talk, 14, 2).await {
        assert_eq!((&*kind, told.as_deref()), ("stock.received", trace));
    }
}
