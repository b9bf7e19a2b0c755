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
    let router = service.runtime.router();
    let damaged = holdfast_core::Sku::parse(&one).expect("a good name");
    let damaged = router.placement().shard_of_sku(&damaged);
    drop(router);
    let directory = service.stop().await;
    let ledger = directory
        .path()
        .join(format!("data/shard-{damaged:02}/ledger.redb"));
    let length = std::fs::metadata(&ledger)
        .expect("the shard has a ledger")
        .len();
    std::fs::write(&ledger, vec![0x5a; length as usize]).expect("the directory is ours");

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
