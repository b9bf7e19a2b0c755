//! Overload and drain: `503`s that are no lack of stock, and a sale that can be paused meanwhile.

use hyper::Method;

use crate::harness::Service;

#[tokio::test]
async fn operations_without_a_permit_are_refused_at_once_and_a_sale_can_still_be_paused() {
    let service = Service::start_with(|config| {
        config.shards.count = holdfast::config::OrAuto::Set(1);
        config.shards.permits_per_shard = 1;
    })
    .await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    let body = r#"{"operations":[
        {"op":"reserve","key":"b-1","lines":[{"sku":"TEE","qty":1}]},
        {"op":"reserve","key":"b-2","lines":[{"sku":"TEE","qty":1}]},
        {"op":"movement","key":"b-3","sku":"TEE","kind":"receive","qty":1}
        ]}"#;
    talk.ask(Method::POST, "/v1/batch").json(body).said().await;
    talk.put("/v1/skus/TEE", r#"{"paused":true}"#).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn the_unix_socket_serves_the_same_calls() {
    let service = Service::start().await;
    let mut talk = crate::talk::Talk::unix(&service.socket).await;
    talk.stocked("TEE", 1).await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    let refused = talk.post(
        "/v1/reservations",
        "k-2",
        r#"{"lines":[{"sku":"TEE","qty":1}]}"#,
    );
    assert_eq!(refused.quietly().await.status, 409);
}

#[tokio::test]
async fn keys_and_reservations_outlive_the_service() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 2).await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
    let id = talk.reserved("k-1", body).await;
    let directory = service.stop().await;

    let service = Service::start_in(directory, |_| {}).await;
    let mut talk = service.talk().await;
    let again = talk.post("/v1/reservations", "k-1", body).quietly().await;
    assert_eq!(
        (again.status.as_u16(), &again.body["id"]),
        (201, &id.clone().into())
    );
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let confirmed = talk
        .post(&format!("/v1/reservations/{id}/confirm"), "k-2", "{}")
        .quietly();
    assert_eq!(confirmed.await.body["status"], "confirmed");
}

#[tokio::test]
async fn a_damaged_ledger_takes_down_its_shard_and_no_other() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [one, other] = service.skus_of_two_shards();
    for sku in [&one, &other] {
        talk.stocked(sku, 5).await;
    }
    let (directory, damaged) = service.stop_and_damage(&one).await;

    let service = Service::start_in(directory, |_| {}).await;
    let mut talk = service.talk().await;
    let reserve = |sku: &str| format!(r#"{{"lines":[{{"sku":"{sku}","qty":1}}]}}"#);
    let refused = talk
        .post("/v1/reservations", "k-1", &reserve(&one))
        .quietly()
        .await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.body["code"], "shard-unavailable");
    assert_eq!(refused.body["outcome"], "not_applied");
    assert_eq!(refused.body["shard"], damaged);
    assert!(refused.headers.contains_key("retry-after"));
    talk.reserved("k-2", &reserve(&other)).await;

    let mut admin = crate::talk::Talk::tcp(service.admin).await;
    assert_eq!(admin.get("/ready").quietly().await.status, 200);
    let shards = admin.get("/v1/admin/shards").quietly().await.body;
    let shard = &shards["items"][usize::from(damaged)];
    assert_eq!(shard["state"], "quarantined", "{shards}");
    assert!(shard["reason"].is_string());
}

#[tokio::test]
async fn what_a_quarantined_shard_has_is_said_to_be_unavailable_and_not_unknown() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [one, other] = service.skus_of_two_shards();
    for sku in [&one, &other] {
        talk.stocked(sku, 5).await;
    }
    let (directory, damaged) = service.stop_and_damage(&one).await;

    let service = Service::start_in(directory, |_| {}).await;
    let mut talk = service.talk().await;
    let path = format!("/v1/skus/{one}");
    let read = talk.get(&path).quietly().await;
    let configured = talk.put(&path, r#"{"paused":true}"#);
    let configured = configured.header("if-match", "*").quietly().await;
    for answer in [read, configured] {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.body["code"], "shard-unavailable");
        assert_eq!(answer.body["outcome"], "not_applied");
        assert_eq!(answer.body["shard"], damaged);
        assert!(answer.headers.contains_key("retry-after"));
    }
    let asked = format!(r#"{{"skus":["{one}","{other}"]}}"#);
    let available = talk.ask(Method::POST, "/v1/availability").json(&asked);
    let available = available.quietly().await.body;
    assert_eq!(available["items"][0]["sku"], other, "{available}");
    assert_eq!(available["unavailable"], serde_json::json!([one]));
    assert_eq!(available["unknown"], serde_json::json!([]));
    let page = talk.get("/v1/skus").quietly().await.body;
    assert_eq!(page["items"][0]["sku"], other, "{page}");
    assert_eq!(page["missing_shards"], serde_json::json!([damaged]));
    // What the other shard does not know is unknown.
    let ghost = (0..).map(|number| format!("GHOST-{number}"));
    let mut ghost = ghost.filter(|name| service.shard_of(name) != damaged);
    let ghost = format!("/v1/skus/{}", ghost.next().expect("there are two shards"));
    assert_eq!(talk.get(&ghost).quietly().await.status, 404);
}

#[tokio::test]
async fn a_full_table_of_keys_keeps_no_payment_no_release_and_no_pause_waiting() {
    let service = Service::start_with(|config| {
        config.shards.count = holdfast::config::OrAuto::Set(1);
        config.reservations.reservations_max = holdfast::config::OrAuto::Set(4);
    })
    .await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 9).await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
    let paid = talk.reserved("r-1", body).await;
    let left = talk.reserved("r-2", body).await;
    let receipt = r#"{"kind":"receive","qty":1}"#;
    let mut number = 0;
    let full = loop {
        let key = format!("m-{number}");
        let told = talk.post("/v1/skus/TEE/movements", &key, receipt);
        let told = told.quietly().await;
        if told.status != 201 {
            break told;
        }
        number += 1;
        assert!(number < 1_000, "the table is bounded");
    };
    assert_eq!(full.status, 503, "{}", full.body);
    assert_eq!(full.body["code"], "capacity");
    assert_eq!(full.body["outcome"], "not_applied");
    let detail = full.body["detail"].as_str().expect("a problem has one");
    assert!(detail.contains("reservations.reservations_max"), "{detail}");
    let path = |id: &str, what: &str| format!("/v1/reservations/{id}/{what}");
    for (id, what, key) in [(&paid, "confirm", "c-1"), (&left, "release", "c-2")] {
        let told = talk.post(&path(id, what), key, "{}").quietly().await;
        assert_eq!(told.status, 200, "{what}: {}", told.body);
    }
    let paused = talk.put("/v1/skus/TEE", r#"{"paused":true}"#);
    let paused = paused.header("idempotency-key", "c-3").quietly().await;
    assert_eq!(paused.status, 200, "{}", paused.body);
}
