//! Cancels, and holds that move.

use crate::harness::Service;
use crate::talk::Talk;

async fn confirmed(talk: &mut Talk, body: &str) -> String {
    let id = talk.reserved("k-1", body).await;
    let path = format!("/v1/reservations/{id}/confirm");
    let answer = talk.post(&path, "pay", "{}").quietly().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    id
}

#[tokio::test]
async fn what_is_sold_is_taken_back_before_it_leaves() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.stocked("MUG", 5).await;
    let lines = r#"{"lines":[{"sku":"TEE","qty":3},{"sku":"MUG","qty":1}]}"#;
    let id = confirmed(&mut talk, lines).await;
    let cancel = format!("/v1/reservations/{id}/cancel");
    let some = r#"{"lines":[{"sku":"TEE","qty":2}],"reason":"changed mind"}"#;
    talk.post(&cancel, "c-1", some).said().await;
    talk.note("the key again, then more than is left");
    talk.post(&cancel, "c-1", some).said().await;
    talk.post(&cancel, "c-2", some).said().await;
    talk.note("all of the rest");
    talk.post(&cancel, "c-3", "{}").said().await;
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_has_left_or_was_never_sold_is_not_cancelled() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let id = confirmed(&mut talk, r#"{"lines":[{"sku":"TEE","qty":3}]}"#).await;
    let ship = format!(r#"{{"kind":"ship","qty":2,"reservation":"{id}"}}"#);
    talk.post("/v1/skus/TEE/movements", "m-1", &ship)
        .said()
        .await;
    let cancel = format!("/v1/reservations/{id}/cancel");
    talk.post(&cancel, "c-1", r#"{"lines":[{"sku":"TEE","qty":2}]}"#)
        .said()
        .await;
    talk.post(&cancel, "c-2", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .said()
        .await;
    let open = talk
        .reserved("k-2", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    talk.note("of what is open, and of what is unknown");
    talk.post(
        &format!("/v1/reservations/{open}/cancel"),
        "c-3",
        r#"{"lines":[{"sku":"TEE","qty":1}]}"#,
    )
    .said()
    .await;
    let unknown = "/v1/reservations/019b0000-0000-8000-8000-000000000000/cancel";
    talk.post(unknown, "c-4", "{}").said().await;
    talk.post(&cancel, "c-5", r#"{"lines":[]}"#).said().await;
    talk.post(&cancel, "c-6", r#"{"line":[]}"#).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_hold_of_another_shard_is_not_moved_onto_another_of_its_reservation() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [home, part] = service.skus_of_two_shards();
    for (sku, location) in [(&home, "main"), (&part, "main"), (&part, "store-1")] {
        talk.configured(sku, "{}").await;
        let receipt = format!(r#"{{"kind":"receive","qty":5,"location":"{location}"}}"#);
        let path = format!("/v1/skus/{sku}/movements");
        let key = format!("{sku}-{location}");
        let booked = talk.post(&path, &key, &receipt).quietly().await;
        assert_eq!(booked.status, 201, "{}", booked.body);
    }
    let lines = format!(
        r#"{{"lines":[{{"sku":"{home}","qty":1}},{{"sku":"{part}","qty":2,"location":"main"}},
        {{"sku":"{part}","qty":1,"location":"store-1"}}]}}"#
    );
    let id = talk.reserved("cart", &lines).await;
    let path = format!("/v1/reservations/{id}/move");
    let body = format!(r#"{{"sku":"{part}","from":"main","to":"store-1"}}"#);
    let told = talk.post(&path, "move", &body).quietly().await;
    assert_eq!(told.status, 409, "{}", told.body);
    assert_eq!(told.body["code"], "held-there");
    assert_eq!(told.body["location"], "store-1");
    assert_eq!(told.body["reservation"], *id);
    let stands = talk.get(&format!("/v1/reservations/{id}")).quietly().await;
    assert_eq!(stands.body["lines"][1]["open"], 2);
}
