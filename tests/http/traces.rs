//! Whose request it was: `traceparent` on events of several shards, of files and of locations.

use holdfast::config::OrAuto;
use hyper::Method;
use serde_json::{Value, json};

use crate::harness::Service;
use crate::talk::{Answer, Talk};

const RESERVED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PAID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

async fn post(talk: &mut Talk, path: &str, key: &str, trace: &str, body: &Value) -> Answer {
    let asked = talk.post(path, key, &body.to_string());
    asked.header("traceparent", trace).quietly().await
}

/// The traces of all events of this type, once there are so many.
async fn traces(talk: &mut Talk, kind: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/events?after=earliest&types={kind}");
    loop {
        let page = talk.get(&path).quietly().await.body;
        let items = page["items"].as_array().expect("a list");
        if items.len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        }
        let all = items.iter().map(|event| event["traceparent"].clone());
        return all.collect();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_cart_over_several_shards_have_the_trace_of_what_decided_them() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let skus = service.skus_of_two_shards();
    for sku in &skus {
        talk.stocked(sku, 5).await;
    }
    let cart = |qty: u32| {
        let line = |sku: &String| json!({"sku": sku, "qty": qty});
        json!({"lines": skus.iter().map(line).collect::<Vec<_>>()})
    };
    let (path, steps) = ("/v1/reservations", ["confirm", "release"]);
    for (place, step) in steps.into_iter().enumerate() {
        let made = post(&mut talk, path, &format!("r{place}"), RESERVED, &cart(2)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = made.body["id"].as_str().expect("a text");
        let path = format!("/v1/reservations/{id}/{step}");
        let done = post(&mut talk, &path, &format!("s{place}"), PAID, &json!({})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }
    assert_eq!(
        traces(&mut talk, "reservation.held", 2).await,
        [RESERVED; 2]
    );
    assert_eq!(
        traces(&mut talk, "reservation.confirmed", 2).await,
        [PAID; 2]
    );
    assert_eq!(
        traces(&mut talk, "reservation.released", 2).await,
        [PAID; 2]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_held_for_a_cart_that_did_not_come_about_is_let_go_with_its_trace() {
    let service = Service::start_with(|config| config.shards.count = OrAuto::Set(3)).await;
    let mut talk = service.talk().await;
    let on = |shard| {
        let mut names = (0..).map(|number| format!("SKU-{number}"));
        names
            .find(|name| service.shard_of(name) == shard)
            .expect("one is")
    };
    let skus = [on(0), on(1), on(2)];
    for (sku, units) in skus.iter().zip([5, 5, 1]) {
        talk.stocked(sku, units).await;
    }
    // The first line's shard is its home, the second holds, the third has too little.
    let lines: Vec<Value> = skus
        .iter()
        .map(|sku| json!({"sku": sku, "qty": 2}))
        .collect();
    let cart = json!({ "lines": lines });
    let made = post(&mut talk, "/v1/reservations", "r", RESERVED, &cart).await;
    assert_eq!(made.status, 409, "{}", made.body);
    assert_eq!(traces(&mut talk, "reservation.held", 1).await, [RESERVED]);
    assert_eq!(
        traces(&mut talk, "reservation.dropped", 1).await,
        [RESERVED]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shard_tells_of_a_location_with_the_trace_of_its_request() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let asked = talk.put("/v1/locations/STORE", r#"{"selling":false}"#);
    let answer = asked.header("traceparent", PAID).quietly().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(traces(&mut talk, "location.configured", 2).await, [PAID; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reconciliation_opens_has_the_trace_of_the_request_that_began_it() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    service.advance(1_000);
    let asked = talk.ask(Method::POST, "/v1/reconciliations?source=seller&by=shop");
    let asked = asked.bytes(b"sku,on_hand\nTEE,3\n");
    let asked = asked.header("content-type", "text/csv");
    let answer = asked.header("traceparent", PAID).quietly().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.body["id"].as_str().expect("a text");
    let path = format!("/v1/reconciliations/{id}");
    loop {
        let report = talk.get(&path).quietly().await.body;
        match report["state"].as_str() {
            Some("done") => {
                assert_eq!(report["drifts"]["opened"], 1, "{report}");
                break;
            }
            Some("running") => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            _ => panic!("{report}"),
        }
    }
    assert_eq!(traces(&mut talk, "drift.opened", 1).await, [PAID]);
}
