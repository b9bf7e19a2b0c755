//! `POST /v1/skus/{sku}/movements`: receipts and adjustments.

use crate::harness::Service;

const MOVE: &str = "/v1/skus/TEE/movements";

#[tokio::test]
async fn stock_is_received_and_adjusted() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let body = r#"{"kind":"receive","qty":5,"location":"store-1","reason":"delivery",
        "document":"asn-7","source":"wms","occurred_at":"2026-11-22T15:00:00Z"}"#;
    talk.post(MOVE, "m-1", body).said().await;
    talk.post(
        MOVE,
        "m-2",
        r#"{"kind":"adjust","qty":-2,"location":"store-1"}"#,
    )
    .said()
    .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_decision_that_does_not_fit_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .await;
    talk.post(MOVE, "m-1", r#"{"kind":"adjust","qty":-6}"#)
        .said()
        .await;
    talk.post(MOVE, "m-1", r#"{"kind":"adjust","qty":-3}"#)
        .said()
        .await;
    talk.note("forced, it leaves a shortfall");
    talk.post(MOVE, "m-1", r#"{"kind":"adjust","qty":-3,"force":true}"#)
        .said()
        .await;
    talk.note("below zero is never possible");
    talk.post(MOVE, "m-2", r#"{"kind":"adjust","qty":-3,"force":true}"#)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_movement_may_be_compared_and_set() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let version = talk.get("/v1/skus/TEE").quietly().await.body["stock_version"].clone();
    talk.note("reservations don't count");
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    let body = format!(r#"{{"kind":"adjust","qty":1,"expected_version":{version}}}"#);
    talk.post(MOVE, "m-1", &body).said().await;
    talk.post(MOVE, "m-2", &body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_movement_of_what_is_unknown_creates_nothing() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.post(MOVE, "m-1", r#"{"kind":"receive","qty":1}"#)
        .said()
        .await;
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn kinds_and_quantities_are_checked() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let bodies = [
        r#"{"kind":"transfer","qty":1}"#,
        r#"{"qty":1}"#,
        r#"{"kind":"receive"}"#,
        r#"{"kind":"receive","qty":-1}"#,
        r#"{"kind":"receive","qty":1.5}"#,
        r#"{"kind":"receive","qty":1000000001}"#,
        r#"{"kind":"receive","qty":1,"force":true}"#,
        r#"{"kind":"adjust","qty":0}"#,
        r#"{"kind":"adjust","qty":99999999999999999999}"#,
        r#"{"kind":"receive","qty":1,"occurred_at":"yesterday"}"#,
        r#"{"kind":"opening","qty":1}"#,
        r#"{"kind":"opening","on_hand":0}"#,
        r#"{"kind":"count","qty":-1}"#,
        r#"{"kind":"count","qty":1,"measure":"available"}"#,
        r#"{"kind":"count","qty":1,"measure":"sellable","excludes":["damaged"]}"#,
        r#"{"kind":"count","qty":1,"position":"here"}"#,
        r#"{"kind":"count","qty":1,"occurred_at":"2026-11-22T15:30:00.001Z"}"#,
        r#"{"kind":"damage","qty":1,"from":"damaged"}"#,
        r#"{"kind":"write_off","qty":1}"#,
        r#"{"kind":"receive","qty":1,"epoch":1}"#,
        r#"{"kind":"receive","qty":1,"epoch":1,"sequence":1}"#,
        r#"{"kind":"receive","qty":1,"message_id":"m-1"}"#,
    ];
    for body in bodies {
        talk.post(MOVE, "m-1", body).said().await;
    }
    talk.note("a transfer goes somewhere else");
    for body in [
        r#"{"from":"a","to":"a","qty":1}"#,
        r#"{"from":"a","qty":1}"#,
    ] {
        talk.post("/v1/skus/TEE/transfers", "m-1", body)
            .said()
            .await;
    }
    insta::assert_snapshot!(talk.transcript());
}
