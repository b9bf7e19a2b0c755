//! `GET /v1/drifts` and the decisions on them.

use crate::harness::Service;
use crate::talk::Talk;

/// Lets more of each SKU leave than was sold, and gives the drifts.
async fn opened(talk: &mut Talk, skus: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for sku in skus {
        talk.stocked(sku, 5).await;
        let path = format!("/v1/skus/{sku}/movements");
        let body = r#"{"kind":"ship","qty":2,"source":"wms","document":"run-7"}"#;
        let answer = talk
            .post(&path, &format!("ship-{sku}"), body)
            .quietly()
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let drift = answer.body["drift"].as_str().expect("it did not fit");
        ids.push(drift.to_owned());
    }
    ids
}

#[tokio::test]
async fn a_drift_is_approved_once() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let drift = opened(&mut talk, &["TEE"]).await.remove(0);
    talk.get(&format!("/v1/drifts/{drift}")).said().await;
    let approve = format!("/v1/drifts/{drift}/approve");
    service.advance(1_000);
    talk.post(&approve, "d-1", r#"{"reason":"seen on the shelf"}"#)
        .said()
        .await;
    talk.note("the key again, then another");
    talk.post(&approve, "d-1", r#"{"reason":"seen on the shelf"}"#)
        .said()
        .await;
    talk.post(&approve, "d-2", "{}").said().await;
    talk.post(&format!("/v1/drifts/{drift}/dismiss"), "d-3", "{}")
        .said()
        .await;
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_drift_is_dismissed_with_a_reason() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let drift = opened(&mut talk, &["TEE"]).await.remove(0);
    let path = format!("/v1/drifts/{drift}/dismiss");
    talk.post(&path, "d-1", r#"{"reason":"their mistake"}"#)
        .said()
        .await;
    talk.post(&path, "d-2", "")
        .without("content-type")
        .bytes(b"")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn drifts_of_all_shards_are_listed_in_pages() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [here, there] = service.skus_of_two_shards();
    let mut ids = Vec::new();
    for (at, sku) in [&here, &there, &here, &there].iter().enumerate() {
        service.advance(1);
        let name = format!("{sku}{}", if at < 2 { "" } else { "-B" });
        ids.extend(opened(&mut talk, &[&name]).await);
    }
    let answer = talk
        .post(&format!("/v1/drifts/{}/dismiss", ids[1]), "d-1", "{}")
        .quietly()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for limit in [1, 3, 100] {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let path = format!("/v1/drifts?limit={limit}{next}");
            let page = talk.get(&path).quietly().await.body;
            let items = page["items"].as_array().expect("a page has items");
            assert!(items.len() <= limit);
            let own = items.iter().map(|drift| drift["id"].as_str());
            found.extend(own.map(|id| id.expect("a drift has an id").to_owned()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(found, ids, "in pages of {limit}");
    }
    let count = |body: serde_json::Value| body["items"].as_array().map_or(0, Vec::len);
    for (query, expected) in [
        ("state=open", 3),
        ("state=dismissed", 1),
        ("state=corrected", 0),
        ("kind=shipped-unsold", 4),
        ("kind=warehouse", 0),
        (&*format!("sku={here}"), 1),
        (&*format!("sku={there}&state=open"), 0),
    ] {
        let page = talk.get(&format!("/v1/drifts?{query}")).quietly().await;
        assert_eq!(count(page.body), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_no_drift_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let unknown = "/v1/drifts/019b0000-0000-8000-8000-000000000000";
    talk.get(unknown).said().await;
    talk.post(&format!("{unknown}/approve"), "d-1", "{}")
        .said()
        .await;
    talk.get("/v1/drifts/x").said().await;
    talk.get("/v1/drifts?state=lost").said().await;
    talk.get("/v1/drifts?kind=theft").said().await;
    talk.get("/v1/drifts?cursor=zz").said().await;
    talk.get("/v1/drifts?limit=0").said().await;
    talk.post(&format!("{unknown}/approve"), "d-1", r#"{"why":"x"}"#)
        .said()
        .await;
    talk.post(&format!("{unknown}/approve"), "d-1", "{}")
        .without("idempotency-key")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}
