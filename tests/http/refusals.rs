//! The last refusals: who was told what, and the counters behind it.

use serde_json::{Value, json};

use crate::harness::Service;
use crate::talk::Talk;

async fn refusals(service: &Service, query: &str) -> Vec<Value> {
    let mut talk = Talk::tcp(service.admin).await;
    let path = format!("/v1/admin/refusals{query}");
    let answer = talk.get(&path).quietly().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["items"].as_array().expect("a page").clone()
}

/// Reserves with a request id of the caller's, and gives the code of the refusal.
async fn refused(talk: &mut Talk, id: &str, key: &str, body: &str) -> String {
    let asked = talk.post("/v1/reservations", key, body);
    let answer = asked.header("request-id", id).quietly().await;
    assert!(answer.status.is_client_error(), "{}", answer.body);
    answer.body["code"].as_str().expect("a problem").to_owned()
}

#[tokio::test]
async fn a_buyers_refusal_is_found_with_its_reason_and_the_counters_it_was_decided_on() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.configured("TEE", r#"{"safety_stock":1}"#).await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .await;
    service.advance(3_000);
    let body = r#"{"customer":"c-7","lines":[{"sku":"TEE","qty":2}]}"#;
    assert_eq!(
        refused(&mut talk, "r-1", "k-2", body).await,
        "insufficient-stock"
    );

    let found = refusals(&service, "?sku=TEE&customer=c-7&request_id=r-1").await;
    let [entry] = &found[..] else {
        panic!("one call was refused: {found:?}")
    };
    assert_eq!(entry["time"], "2026-11-22T15:30:03.000Z");
    assert_eq!(entry["operation"], "reserve");
    assert_eq!(entry["problem"]["code"], "insufficient-stock");
    assert_eq!(entry["problem"]["lines"][0]["requested"], 2);
    let counters = json!([{"sku": "TEE", "location": null, "on_hand": 5, "reserved": 3,
        "safety_stock": 1, "available": 1}]);
    assert_eq!(entry["counters"], counters);
    // Filters combine, and what was granted is no refusal.
    for other in [
        "?sku=CAP",
        "?customer=c-8",
        "?request_id=r-2",
        "?sku=TEE&customer=c-8",
    ] {
        assert_eq!(refusals(&service, other).await, [] as [Value; 0], "{other}");
    }
}

#[tokio::test]
async fn limits_windows_and_reused_keys_are_kept_with_what_they_were_decided_on() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("LTD", 9).await;
    let limit = r#"{"customer_limit":{"units":1,"window_ms":60000}}"#;
    talk.configured("LTD", limit).await;
    let body = r#"{"customer":"c-1","lines":[{"sku":"LTD","qty":1}]}"#;
    talk.reserved("k-1", body).await;
    assert_eq!(
        refused(&mut talk, "r-limit", "k-2", body).await,
        "customer-limit"
    );
    talk.stocked("SOON", 9).await;
    talk.configured("SOON", r#"{"opens_at":"2026-11-22T16:00:00.000Z"}"#)
        .await;
    let soon = r#"{"lines":[{"sku":"SOON","qty":1}]}"#;
    assert_eq!(
        refused(&mut talk, "r-soon", "k-3", soon).await,
        "sale-closed"
    );
    let code = refused(&mut talk, "r-key", "k-1", soon).await;
    assert_eq!(code, "idempotency-key-reused");

    let limit = &refusals(&service, "?request_id=r-limit").await[0]["problem"]["lines"][0];
    assert_eq!((&limit["limit"], &limit["counted"]), (&json!(1), &json!(1)));
    let soon = &refusals(&service, "?request_id=r-soon").await[0]["problem"]["lines"][0];
    assert_eq!(soon["opens_at"], "2026-11-22T16:00:00.000Z");
    assert_eq!(soon["now"], "2026-11-22T15:30:00.000Z");
    // The SKU of a reused key is the one that this call asked for.
    let key = refusals(&service, "?request_id=r-key&sku=SOON").await;
    assert_eq!(key[0]["problem"]["code"], "idempotency-key-reused");
}

#[tokio::test]
async fn carts_over_shards_and_operations_of_a_batch_are_kept_with_the_requests_own_id() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [one, two] = service.skus_of_two_shards();
    talk.stocked(&one, 5).await;
    talk.stocked(&two, 1).await;
    let cart = format!(r#"{{"lines":[{{"sku":"{one}","qty":1}},{{"sku":"{two}","qty":2}}]}}"#);
    let answer = talk.post("/v1/reservations", "k-1", &cart).quietly().await;
    assert_eq!(answer.body["code"], "insufficient-stock");
    // The id that the service gave.
    let id = answer.headers["request-id"].to_str().expect("it is ASCII");
    for sku in [&one, &two] {
        let found = refusals(&service, &format!("?request_id={id}&sku={sku}")).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["counters"][0]["sku"], two.as_str());
        assert_eq!(found[0]["counters"][0]["on_hand"], 1);
    }

    let gone = "019b0000-0000-8000-8000-000000000000";
    let batch = format!(
        r#"{{"operations":[{{"op":"reserve","key":"b-1","lines":[{{"sku":"NO","qty":1}}]}},
           {{"op":"reserve","key":"b-2","lines":[{{"sku":"{one}","qty":1}}]}},
           {{"op":"confirm","key":"b-3","reservation":"{gone}"}}]}}"#
    );
    let asked = talk.ask(hyper::Method::POST, "/v1/batch").json(&batch);
    asked.header("request-id", "r-batch").quietly().await;
    let found = refusals(&service, "?request_id=r-batch").await;
    let codes: Vec<&str> = found
        .iter()
        .filter_map(|entry| entry["problem"]["code"].as_str())
        .collect();
    assert_eq!(codes, ["reservation-forgotten", "unknown-sku"]);
    assert_eq!(found[0]["reservation"], gone);
}

#[tokio::test]
async fn a_shard_keeps_its_last_refusals_only_and_none_where_that_is_off() {
    for (bound, kept) in [(2, 2), (0, 0)] {
        let change = |config: &mut holdfast::config::Config| {
            config.http.refusals_per_shard = bound;
        };
        let service = Service::start_with(change).await;
        let mut talk = service.talk().await;
        let body = r#"{"lines":[{"sku":"NO","qty":1}]}"#;
        for number in 0..4 {
            let (id, key) = (format!("r-{number}"), format!("k-{number}"));
            refused(&mut talk, &id, &key, body).await;
        }
        let found = refusals(&service, "").await;
        let ids: Vec<&str> = found
            .iter()
            .filter_map(|entry| entry["request_id"].as_str())
            .collect();
        assert_eq!(ids, &["r-3", "r-2"][..kept]);
    }
}

#[tokio::test]
async fn pages_of_refusals_go_on_and_a_query_that_means_nothing_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    for number in 0..3 {
        let body = format!(r#"{{"lines":[{{"sku":"NO-{number}","qty":1}}]}}"#);
        refused(&mut talk, "r", &format!("k-{number}"), &body).await;
    }
    let mut admin = Talk::tcp(service.admin).await;
    let first = admin.get("/v1/admin/refusals?limit=2").quietly().await.body;
    let skus = |page: &Value| {
        let items = page["items"].as_array().expect("a page").clone();
        items
            .iter()
            .map(|item| item["skus"][0].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(skus(&first), ["NO-2", "NO-1"]);
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let path = format!("/v1/admin/refusals?limit=2&cursor={cursor}");
    let second = admin.get(&path).quietly().await.body;
    assert_eq!(skus(&second), ["NO-0"]);
    assert_eq!(second["next_cursor"], Value::Null);
    for query in [
        "limit=0",
        "limit=1001",
        "cursor=zz",
        "sku=no+name",
        "order=1",
    ] {
        let path = format!("/v1/admin/refusals?{query}");
        let answer = admin.get(&path).quietly().await;
        assert_eq!(answer.body["code"], "invalid-request", "{query}");
    }
}

#[tokio::test]
async fn a_refused_confirm_is_found_by_what_its_reservation_is_about() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"customer":"c-7","lines":[{"sku":"TEE","qty":1}]}"#;
    let id = talk.reserved("k-1", body).await;
    let path = format!("/v1/reservations/{id}/release");
    let given_back = talk.post(&path, "k-2", "{}").quietly().await;
    assert_eq!(given_back.status, 200, "{}", given_back.body);
    let path = format!("/v1/reservations/{id}/confirm");
    let confirm = talk.post(&path, "k-3", "{}");
    let confirm = confirm.header("request-id", "r-late").quietly().await;
    assert_eq!(confirm.body["code"], "reservation-released");

    let both = "?sku=TEE&customer=c-7&request_id=r-late";
    let found = loop {
        // The reservation is read behind the answer.
        let found = refusals(&service, both).await;
        if !found.is_empty() {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(found[0]["operation"], "confirm");
    assert_eq!(found[0]["reservation"], id.as_str());
    assert_eq!(found[0]["skus"], json!(["TEE"]));
    assert_eq!(found[0]["customer"], "c-7");
    for other in ["?sku=CAP", "?customer=c-8"] {
        assert_eq!(refusals(&service, other).await, [] as [Value; 0], "{other}");
    }
}
