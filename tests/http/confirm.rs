//! `POST /v1/reservations/{id}/confirm`: selling, in time and late.

use crate::harness::Service;
use crate::talk::Talk;

const TTL_MS: u64 = 10_000;

/// A SKU with 5 units, 3 of which are held, and the path to the reservation.
async fn held(talk: &mut Talk) -> String {
    talk.stocked("TEE", 5).await;
    let body =
        format!(r#"{{"customer":"c-1","ttl_ms":{TTL_MS},"lines":[{{"sku":"TEE","qty":3}}]}}"#);
    format!(
        "/v1/reservations/{}",
        talk.reserved("k-reserve", &body).await
    )
}

#[tokio::test]
async fn all_of_it_or_some_lines_are_sold() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = format!("{}/confirm", held(&mut talk).await);
    talk.note("one unit, the rest is kept");
    let body = r#"{"lines":[{"sku":"TEE","qty":1}],"remainder":"keep","payment_ref":"pay-1"}"#;
    talk.post(&path, "k-1", body).said().await;
    talk.note("more than is left");
    let body = r#"{"lines":[{"sku":"TEE","qty":3}],"remainder":"keep","payment_ref":"pay-1"}"#;
    talk.post(&path, "k-2", body).said().await;
    talk.note("the rest, without a body");
    talk.ask(hyper::Method::POST, &path)
        .header("idempotency-key", "k-3")
        .said()
        .await;
    talk.note("another payment for what is sold");
    talk.post(&path, "k-4", r#"{"payment_ref":"pay-2"}"#)
        .said()
        .await;
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_partial_confirm_may_release_the_rest() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    let body = r#"{"lines":[{"sku":"TEE","location":"main","qty":1}],"remainder":"release"}"#;
    talk.post(&format!("{path}/confirm"), "k-1", body)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_late_confirm_takes_the_units_again_if_they_are_there() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    service.advance(TTL_MS);
    talk.note("lapsed, shown as expired from the deadline on");
    talk.get(&path).said().await;
    talk.post(
        &format!("{path}/confirm"),
        "k-1",
        r#"{"payment_ref":"pay-1"}"#,
    )
    .said()
    .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_late_confirm_of_what_is_sold_is_final() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = format!("{}/confirm", held(&mut talk).await);
    service.advance(TTL_MS);
    talk.reserved(
        "k-other",
        r#"{"customer":"c-2","lines":[{"sku":"TEE","qty":4}]}"#,
    )
    .await;
    talk.post(&path, "k-1", "{}").said().await;
    talk.note("and stays so, as its replay says");
    talk.post(&path, "k-1", "{}").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_late_confirm_checks_the_customers_limit_again() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured(
        "TEE",
        r#"{"customer_limit":{"units":3,"window_ms":3600000}}"#,
    )
    .await;
    let path = format!("{}/confirm", held(&mut talk).await);
    service.advance(TTL_MS);
    talk.reserved(
        "k-other",
        r#"{"customer":"c-1","lines":[{"sku":"TEE","qty":1}]}"#,
    )
    .await;
    talk.post(&path, "k-1", "{}").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_late_confirm_may_be_refused_by_its_caller_or_by_time() {
    let service = Service::start_with(|config| {
        config.reservations.late_window_ms = holdfast::config::Millis(60_000);
    })
    .await;
    let mut talk = service.talk().await;
    let first = held(&mut talk).await;
    let second = talk.reserved(
        "k-second",
        r#"{"ttl_ms":10000,"lines":[{"sku":"TEE","qty":1}]}"#,
    );
    let second = second.await;
    service.advance(TTL_MS);
    talk.post(&format!("{first}/confirm"), "k-1", r#"{"late":"refuse"}"#)
        .said()
        .await;
    service.advance(120_000);
    talk.post(&format!("/v1/reservations/{second}/confirm"), "k-2", "{}")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_was_released_or_never_there_is_not_sold() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    talk.post(
        &format!("{path}/release"),
        "k-1",
        r#"{"reason":"changed mind"}"#,
    )
    .quietly()
    .await;
    talk.post(&format!("{path}/confirm"), "k-2", "{}")
        .said()
        .await;
    talk.note("an id this service never gave");
    let ghost = "/v1/reservations/019b0000-0000-8000-bfff-fc0000000000/confirm";
    talk.post(ghost, "k-3", "{}").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn missing_stock_is_a_shortfall_and_leaves_the_hold_open() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    let body = r#"{"kind":"adjust","qty":-4,"force":true,"reason":"water damage"}"#;
    talk.post("/v1/skus/TEE/movements", "k-adjust", body)
        .said()
        .await;
    talk.post(&format!("{path}/confirm"), "k-1", "{}")
        .said()
        .await;
    talk.get(&path).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let service = Service::start_with(|config| {
        config.reservations.retention_ms = holdfast::config::Millis(1_000);
        config.reservations.key_retention_ms = holdfast::config::Millis(1_000);
        config.reservations.late_window_ms = holdfast::config::Millis(1_000);
    })
    .await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    talk.post(&format!("{path}/release"), "k-1", "{}")
        .quietly()
        .await;
    service.advance(3_600_000);
    // It is forgotten in a recorded batch, at a turn of the shard.
    for attempt in 0.. {
        if talk.get(&path).quietly().await.status == 410 {
            break;
        }
        assert!(attempt < 500, "the reservation is never forgotten");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    talk.get(&path).said().await;
    talk.post(&format!("{path}/confirm"), "k-2", "{}")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}
