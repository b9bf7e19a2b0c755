//! Release, extend and pin: what else becomes of a hold.

use crate::harness::Service;
use crate::talk::Talk;

/// A SKU with 5 units, 3 of which are held for 10 s, and the path to the reservation.
async fn held(talk: &mut Talk) -> String {
    talk.stocked("TEE", 5).await;
    let body = r#"{"ttl_ms":10000,"lines":[{"sku":"TEE","qty":3}]}"#;
    format!(
        "/v1/reservations/{}",
        talk.reserved("k-reserve", body).await
    )
}

#[tokio::test]
async fn units_are_given_back_some_or_all() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = format!("{}/release", held(&mut talk).await);
    talk.post(&path, "k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .said()
        .await;
    talk.note("more than is open");
    talk.post(&path, "k-2", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .said()
        .await;
    talk.note("the rest, without a body");
    talk.ask(hyper::Method::POST, &path)
        .header("idempotency-key", "k-3")
        .said()
        .await;
    talk.note("nothing is open: it answers as it stands");
    talk.post(&path, "k-4", r#"{"reason":"again"}"#)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_is_sold_is_not_released() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    talk.post(&format!("{path}/confirm"), "k-1", "{}")
        .quietly()
        .await;
    talk.post(&format!("{path}/release"), "k-2", "{}")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_deadline_moves_forward_within_its_bounds() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = format!("{}/extend", held(&mut talk).await);
    talk.post(&path, "k-1", r#"{"ttl_ms":60000}"#).said().await;
    talk.note("it never moves back");
    talk.post(&path, "k-2", r#"{"ttl_ms":1000}"#).said().await;
    talk.note("too long at once");
    talk.post(&path, "k-3", r#"{"ttl_ms":1800001}"#)
        .said()
        .await;
    talk.note("after the deadline");
    service.advance(60_000);
    talk.post(&path, "k-4", r#"{"ttl_ms":60000}"#).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_life_has_an_end_whatever_is_extended() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"ttl_ms":1800000,"lines":[{"sku":"TEE","qty":1}]}"#;
    let path = format!(
        "/v1/reservations/{}/extend",
        talk.reserved("k-reserve", body).await
    );
    service.advance(1_799_999);
    talk.post(&path, "k-1", r#"{"ttl_ms":1800000}"#)
        .said()
        .await;
    service.advance(1_000_000);
    talk.post(&path, "k-2", r#"{"ttl_ms":1800000}"#)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_payment_in_progress_is_pinned_once() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = format!("{}/pin", held(&mut talk).await);
    talk.note("too long");
    talk.post(&path, "k-1", r#"{"for_ms":900001}"#).said().await;
    talk.post(&path, "k-1", r#"{"for_ms":900000}"#).said().await;
    talk.post(&path, "k-2", r#"{"for_ms":1000}"#).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_is_sold_is_not_extended_or_pinned_and_nobody_is_told_of_a_release() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let path = held(&mut talk).await;
    let sold = talk.post(&format!("{path}/confirm"), "k-1", "{}");
    assert_eq!(sold.quietly().await.status, 200);
    for (what, key, body) in [
        ("extend", "k-2", r#"{"ttl_ms":60000}"#),
        ("pin", "k-3", r#"{"for_ms":60000}"#),
    ] {
        let told = talk.post(&format!("{path}/{what}"), key, body);
        let told = told.quietly().await;
        assert_eq!(told.body["code"], "reservation-confirmed", "{what}");
        let detail = told.body["detail"].as_str().expect("a problem has one");
        assert!(!detail.contains("by a release"), "{what}: {detail}");
    }
}
