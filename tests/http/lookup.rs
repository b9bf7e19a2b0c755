//! `GET /v1/reservations`: a projection, built behind the journal.

use std::time::Duration;

use serde_json::Value;

use crate::harness::Service;
use crate::talk::Talk;

/// Asks until the projection has followed so far.
async fn found(talk: &mut Talk, query: &str, count: usize) -> Value {
    for _ in 0..500 {
        let page = talk
            .get(&format!("/v1/reservations?{query}"))
            .quietly()
            .await;
        assert_eq!(page.status, 200, "{}", page.body);
        if page.body["items"].as_array().map_or(0, Vec::len) == count {
            return page.body;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{query} never finds {count} reservations");
}

#[tokio::test]
async fn reservations_are_found_by_what_the_order_service_knows() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let body = format!(
            r#"{{"order_ref":"order {number}","customer":"c-1","lines":[{{"sku":"TEE","qty":1}}]}}"#
        );
        ids.push(talk.reserved(&format!("k-{number}"), &body).await);
        service.advance(1_000);
    }
    talk.post(&format!("/v1/reservations/{}/release", ids[0]), "k-r", "{}")
        .quietly()
        .await;
    assert_eq!(
        found(&mut talk, "order_ref=order+2", 1).await["items"][0]["id"],
        *ids[1]
    );
    found(&mut talk, "customer=c-1&status=open", 2).await;
    found(&mut talk, "sku=TEE&status=released", 1).await;
    found(&mut talk, "customer=nobody", 0).await;
    talk.note("in pages, newest first");
    let first = found(&mut talk, "customer=c-1&limit=2", 2).await;
    assert_eq!(first["items"][0]["id"], *ids[2]);
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let last = found(
        &mut talk,
        &format!("customer=c-1&limit=2&cursor={cursor}"),
        1,
    )
    .await;
    assert_eq!(last["items"][0]["id"], *ids[0]);
    assert!(last["next_cursor"].is_null());
    talk.get("/v1/reservations?order_ref=order%201")
        .said()
        .await;
    talk.note("what it does not take");
    for query in ["status=gone", "cursor=00", "sku=-", "order=1", "limit=0"] {
        talk.get(&format!("/v1/reservations?{query}")).said().await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_server_without_the_projection_says_so() {
    let service = Service::start_with(|config| config.lookup.enabled = false).await;
    let mut talk = service.talk().await;
    talk.get("/v1/reservations?customer=c-1").said().await;
    insta::assert_snapshot!(talk.transcript());
}
