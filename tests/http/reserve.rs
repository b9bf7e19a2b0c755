//! `POST /v1/reservations`: what it makes, and every reason it refuses for.

use crate::harness::Service;

const RESERVE: &str = "/v1/reservations";

#[tokio::test]
async fn a_cart_is_held_at_named_and_chosen_locations() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"kind":"receive","qty":4,"location":"store-1"}"#;
    talk.post("/v1/skus/TEE/movements", "m-1", body)
        .quietly()
        .await;

    talk.note("with everything a reserve may say");
    let body = r#"{"order_ref":"order-1","customer":"c-1","ttl_ms":60000,"mode":"all_or_nothing",
        "lines":[{"sku":"TEE","qty":2,"location":"store-1"}]}"#;
    talk.post(RESERVE, "k-1", body).said().await;

    talk.note("with as little as it may; the line is split over the locations");
    talk.post(RESERVE, "k-2", r#"{"lines":[{"sku":"TEE","qty":6}]}"#)
        .said()
        .await;

    talk.note("the counters say the same");
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn best_effort_holds_what_is_there_and_lists_the_shortages() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 3).await;
    talk.stocked("CAP", 1).await;
    let body = r#"{"mode":"best_effort","lines":[{"sku":"TEE","qty":5},{"sku":"CAP","qty":1}]}"#;
    talk.post(RESERVE, "k-1", body).said().await;
    talk.note("nothing granted is a refusal");
    let body = r#"{"mode":"best_effort","lines":[{"sku":"TEE","qty":1}]}"#;
    talk.post(RESERVE, "k-2", body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn every_short_line_is_named_and_nothing_is_held() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 2).await;
    talk.stocked("CAP", 1).await;
    talk.stocked("MUG", 9).await;
    let body = r#"{"lines":[{"sku":"TEE","qty":3},{"sku":"CAP","qty":2},{"sku":"MUG","qty":1}]}"#;
    talk.post(RESERVE, "k-1", body).said().await;
    talk.get("/v1/skus/MUG").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn unknown_names_are_refused_and_create_nothing() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 2).await;
    let body = r#"{"lines":[{"sku":"GHOST","qty":1},{"sku":"PHANTOM","qty":1}]}"#;
    talk.post(RESERVE, "k-1", body).said().await;
    talk.get("/v1/skus/GHOST").said().await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1,"location":"moon"}]}"#;
    talk.post(RESERVE, "k-2", body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_sale_that_is_paused_or_not_open_refuses_and_says_when() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 2).await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;

    talk.configured("TEE", r#"{"paused":true}"#).await;
    talk.post(RESERVE, "k-1", body).said().await;

    let window =
        r#"{"paused":null,"opens_at":"2026-11-22T16:00:00Z","closes_at":"2026-11-22T17:00:00Z"}"#;
    talk.configured("TEE", window).await;
    talk.post(RESERVE, "k-1", body).said().await;
    talk.note("at the opening");
    service.advance(30 * 60_000);
    talk.post(RESERVE, "k-1", body).said().await;
    talk.note("at the close");
    service.advance(60 * 60_000);
    talk.post(RESERVE, "k-2", body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_limit_per_customer_needs_a_customer_and_says_when_units_come_free() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    talk.configured(
        "TEE",
        r#"{"customer_limit":{"units":2,"window_ms":3600000}}"#,
    )
    .await;
    talk.post(RESERVE, "k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .said()
        .await;
    let body = r#"{"customer":"c-1","lines":[{"sku":"TEE","qty":2}]}"#;
    let id = talk.reserved("k-2", body).await;
    talk.post(&format!("/v1/reservations/{id}/confirm"), "k-3", "{}")
        .quietly()
        .await;
    let body = r#"{"customer":"c-1","lines":[{"sku":"TEE","qty":1}]}"#;
    talk.post(RESERVE, "k-4", body).said().await;
    talk.note("another customer is not concerned");
    let body = r#"{"customer":"c-2","lines":[{"sku":"TEE","qty":1}]}"#;
    talk.post(RESERVE, "k-5", body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_deadline_has_bounds() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    for ttl_ms in [0, 999, 1_800_001] {
        let body = format!(r#"{{"ttl_ms":{ttl_ms},"lines":[{{"sku":"TEE","qty":1}}]}}"#);
        talk.post(RESERVE, "k-1", &body).said().await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_reservation_takes_the_place_of_an_earlier_one() {
    let service = Service::start_with(|config| {
        config.shards.count = holdfast::config::OrAuto::Set(1);
    })
    .await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 2).await;
    let order = r#""order_ref":"order-1","customer":"c-1","lines":[{"sku":"TEE","qty":2}]"#;
    let first = talk.reserved("k-1", &format!("{{{order}}}")).await;

    talk.note("another customer's");
    let body = format!(
        r#"{{"replace":"{first}","order_ref":"order-1","customer":"c-2","lines":[{{"sku":"TEE","qty":1}}]}}"#
    );
    talk.post(RESERVE, "k-2", &body).said().await;

    talk.note("its own units count as available");
    let body = format!(r#"{{"replace":"{first}",{order}}}"#);
    talk.post(RESERVE, "k-2", &body).said().await;
    talk.get(&format!("/v1/reservations/{first}")).said().await;

    talk.note("a payment is in progress");
    let second = talk.post(RESERVE, "k-2", &body).quietly().await.body["id"].clone();
    let second = second.as_str().expect("a replay has an id").to_owned();
    talk.post(
        &format!("{RESERVE}/{second}/pin"),
        "k-3",
        r#"{"for_ms":1000}"#,
    )
    .quietly()
    .await;
    let body = format!(r#"{{"replace":"{second}",{order}}}"#);
    talk.post(RESERVE, "k-4", &body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_replacement_over_several_shards_is_refused_with_advice() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [one, other] = service.skus_of_two_shards();
    talk.stocked(&one, 2).await;
    talk.stocked(&other, 2).await;
    let order = format!(
        r#""order_ref":"o","lines":[{{"sku":"{one}","qty":1}},{{"sku":"{other}","qty":1}}]"#
    );
    talk.note("a cart over two shards");
    talk.post(RESERVE, "k-1", &format!("{{{order}}}"))
        .said()
        .await;
    let first = talk.reserved("k-2", &format!("{{{order}}}")).await;
    let body = format!(r#"{{"replace":"{first}",{order}}}"#);
    talk.post(RESERVE, "k-3", &body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_full_table_is_no_lack_of_stock() {
    let service = Service::start_with(|config| {
        config.shards.count = holdfast::config::OrAuto::Set(1);
        config.reservations.reservations_max = holdfast::config::OrAuto::Set(1);
    })
    .await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    talk.post(RESERVE, "k-2", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}
