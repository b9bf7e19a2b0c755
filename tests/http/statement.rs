//! The statement of a SKU over HTTP, and its past.

use std::time::Duration;

use serde_json::Value;

use crate::harness::Service;
use crate::talk::Talk;

/// Asks until the statement has so many entries.
async fn entries(talk: &mut Talk, path: &str, count: usize) -> Value {
    for _ in 0..500 {
        let page = talk.get(path).quietly().await;
        assert_eq!(page.status, 200, "{}", page.body);
        if page.body["items"].as_array().map_or(0, Vec::len) == count {
            return page.body;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never has {count} entries");
}

#[tokio::test]
async fn a_statement_shows_every_event_with_running_balances() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    service.advance(1_000);
    let body = r#"{"order_ref":"order 1","lines":[{"sku":"TEE","qty":2}]}"#;
    let id = talk.reserved("k-1", body).await;
    service.advance(1_000);
    talk.post(&format!("/v1/reservations/{id}/confirm"), "k-2", "{}")
        .quietly()
        .await;
    let page = entries(&mut talk, "/v1/skus/TEE/ledger", 4).await;
    let types: Vec<&str> = page["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["type"].as_str().expect("a word"))
        .collect();
    assert_eq!(
        types,
        [
            "sku.configured",
            "stock.received",
            "reservation.created",
            "reservation.confirmed"
        ]
    );
    let made = &page["items"][2];
    assert_eq!(made["order_ref"], "order 1");
    assert_eq!(made["reservation"], *id);
    assert_eq!(made["qty"], 2);
    assert_eq!(made["changes"][0]["before"]["reserved"], 0);
    assert_eq!(made["changes"][0]["after"]["reserved"], 2);
    assert_eq!(page["items"][3]["after"]["on_hand"], 7);
    assert!(page["next_cursor"].is_null());
    talk.note("in pages");
    let first = entries(&mut talk, "/v1/skus/TEE/ledger?limit=3", 3).await;
    let after = first["next_cursor"].as_str().expect("there is more");
    let last = format!("/v1/skus/TEE/ledger?limit=3&after={after}");
    let last = entries(&mut talk, &last, 1).await;
    assert_eq!(last["items"][0], page["items"][3]);
}

#[tokio::test]
async fn a_sku_can_be_read_as_it_stood_at_a_position_or_a_time() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    let before = talk.get("/v1/skus/TEE").quietly().await.body;
    service.advance(1_000);
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":2}]}"#)
        .await;
    for at in ["position", "time"] {
        let at = before["as_of"][at].as_str().expect("a text");
        let then = talk
            .get(&format!("/v1/skus/TEE?as_of={at}"))
            .quietly()
            .await;
        assert_eq!(then.status, 200, "{}", then.body);
        assert_eq!(then.body["reserved"], 0);
        assert_eq!(then.body["available"], 9);
        assert_eq!(then.body["locations"], before["locations"]);
    }
    for (path, status, code) in [
        (
            "/v1/skus/TEE?as_of=2126-01-01T00:00:00Z",
            400,
            "invalid-request",
        ),
        ("/v1/skus/TEE?as_of=yesterday", 400, "invalid-request"),
        ("/v1/skus/TEE/ledger?after=ffff", 400, "invalid-request"),
        ("/v1/skus/MUG/ledger", 404, "unknown-sku"),
    ] {
        let told = talk.get(path).quietly().await;
        assert_eq!(told.status, status, "{path}: {}", told.body);
        assert_eq!(told.body["code"], code, "{path}");
    }
}

#[tokio::test]
async fn a_server_without_statements_says_so() {
    let service = Service::start_with(|config| config.statement.enabled = false).await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    for path in [
        "/v1/skus/TEE/ledger",
        "/v1/skus/TEE?as_of=2020-01-01T00:00:00Z",
    ] {
        let told = talk.get(path).quietly().await;
        assert_eq!(told.status, 404, "{}", told.body);
        assert_eq!(told.body["code"], "not-found");
    }
}

#[tokio::test]
async fn the_record_of_a_shortfall_names_whom_it_leaves_without() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 40).await;
    let mut made = Vec::new();
    for at in 0..40 {
        let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
        made.push(talk.reserved(&format!("k-{at}"), body).await);
    }
    let count = r#"{"kind":"count","qty":2}"#;
    talk.post("/v1/skus/TEE/movements", "count", count)
        .quietly()
        .await;
    let page = entries(&mut talk, "/v1/skus/TEE/ledger?limit=100", 45).await;
    let told = page["items"].as_array().and_then(|items| items.last());
    let told = told.expect("the last entry");
    assert_eq!(told["type"], "stock.shortfall");
    let affected = told["affected"].as_array().expect("a list");
    assert_eq!(affected.len(), 32);
    assert_eq!(told["affected_more"], 6);
    assert_eq!(affected[31]["reservation"], *made[39]);
    assert_eq!(affected[0]["reservation"], *made[8]);
    assert_eq!(affected[0]["without"], 1);
    let receipt = &page["items"][1];
    assert!(receipt.get("affected").is_none(), "{receipt}");
}
