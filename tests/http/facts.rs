//! Movements of every kind: facts, decisions, counts, transfers, and messages of feeds.

use crate::harness::Service;
use crate::talk::Talk;

const MOVE: &str = "/v1/skus/TEE/movements";
const TRANSFER: &str = "/v1/skus/TEE/transfers";

/// Sends bodies under keys of their own, in order.
async fn each(talk: &mut Talk, path: &str, prefix: &str, bodies: &[&str]) {
    for (at, body) in bodies.iter().enumerate() {
        talk.post(path, &format!("{prefix}-{at}"), body)
            .said()
            .await;
    }
}

/// Sells units of TEE, outside of the transcript, and gives the reservation's id.
async fn sold(talk: &mut Talk, units: u64) -> String {
    let body = format!(r#"{{"lines":[{{"sku":"TEE","qty":{units}}}]}}"#);
    let id = talk.reserved(&format!("sale-{units}"), &body).await;
    let path = format!("/v1/reservations/{id}/confirm");
    let answer = talk.post(&path, "pay", "{}").quietly().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    id
}

#[tokio::test]
async fn an_opening_balance_comes_first_and_once() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let opening = r#"{"kind":"opening","on_hand":5,"unshipped":2,"returned":1,"damaged":1,
        "document":"stock-take"}"#;
    talk.post(MOVE, "m-1", opening).said().await;
    talk.note("the key again, then another");
    talk.post(MOVE, "m-1", opening).said().await;
    talk.post(MOVE, "m-2", opening).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn goods_leave_come_back_and_are_decided_on() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    let id = sold(&mut talk, 4).await;
    let ship = format!(r#"{{"kind":"ship","qty":3,"reservation":"{id}"}}"#);
    talk.post(MOVE, "ship", &ship).said().await;
    talk.get(&format!("/v1/reservations/{id}")).said().await;
    let back = format!(r#"{{"kind":"return","qty":3,"reservation":"{id}"}}"#);
    talk.post(MOVE, "back", &back).said().await;
    let bodies = [
        r#"{"kind":"restock","qty":1,"reason":"as new"}"#,
        r#"{"kind":"damage","qty":1,"from":"returned"}"#,
        r#"{"kind":"damage","qty":1}"#,
        r#"{"kind":"write_off","qty":2,"from":"damaged"}"#,
        r#"{"kind":"write_off","qty":1,"from":"returned"}"#,
    ];
    each(&mut talk, MOVE, "then", &bodies).await;
    talk.note("decisions that don't fit");
    let bodies = [
        r#"{"kind":"restock","qty":1}"#,
        r#"{"kind":"write_off","qty":1,"from":"damaged"}"#,
        r#"{"kind":"restock","qty":1,"location":"nowhere"}"#,
    ];
    each(&mut talk, MOVE, "no", &bodies).await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_fact_that_does_not_fit_is_booked_as_far_as_it_does_and_opens_a_drift() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    sold(&mut talk, 2).await;
    let ship = r#"{"kind":"ship","qty":3,"source":"wms","document":"run-7"}"#;
    talk.post(MOVE, "m-1", ship).said().await;
    talk.note("the key again");
    talk.post(MOVE, "m-1", ship).said().await;
    let bodies = [
        r#"{"kind":"return","qty":3}"#,
        r#"{"kind":"damage","qty":4}"#,
    ];
    each(&mut talk, MOVE, "more", &bodies).await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_count_of_now_corrects_what_is_there() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    sold(&mut talk, 2).await;
    talk.post(MOVE, "damage", r#"{"kind":"damage","qty":1}"#)
        .quietly()
        .await;
    let bodies = [
        r#"{"kind":"count","qty":9}"#,
        r#"{"kind":"count","qty":9,"excludes":["damaged"],"document":"c-2"}"#,
        r#"{"kind":"count","qty":0,"measure":"sellable"}"#,
        r#"{"kind":"count","qty":0}"#,
    ];
    each(&mut talk, MOVE, "count", &bodies).await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn stock_goes_to_another_location_in_one_record() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .await;
    let go = r#"{"from":"main","to":"store-1","qty":2,"document":"t-1"}"#;
    talk.post(TRANSFER, "t-1", go).said().await;
    talk.note("the key again");
    talk.post(TRANSFER, "t-1", go).said().await;
    let bodies = [
        r#"{"from":"main","to":"store-1","qty":1}"#,
        r#"{"from":"main","to":"store-1","qty":4,"force":true}"#,
        r#"{"from":"nowhere","to":"store-1","qty":1}"#,
        r#"{"from":"main","to":"store-1","qty":1,"expected_version":1}"#,
        r#"{"from":"main","to":"store-1","qty":1,"force":true}"#,
    ];
    each(&mut talk, TRANSFER, "more", &bodies).await;
    insta::assert_snapshot!(talk.transcript());
}

/// A message of the warehouse's stream, without a key.
async fn told(talk: &mut Talk, epoch: u64, sequence: u64, rest: &str) {
    let body = format!(r#"{{"source":"wms","epoch":{epoch},"sequence":{sequence},{rest}}}"#);
    talk.post(MOVE, "", &body)
        .without("idempotency-key")
        .said()
        .await;
}

#[tokio::test]
async fn what_a_source_has_numbered_is_booked_once_and_needs_no_key() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    told(&mut talk, 1, 5, r#""kind":"receive","qty":5"#).await;
    talk.note("the same again");
    told(&mut talk, 1, 5, r#""kind":"receive","qty":5"#).await;
    talk.note("one that was overtaken, once");
    told(&mut talk, 1, 4, r#""kind":"receive","qty":1"#).await;
    told(&mut talk, 1, 4, r#""kind":"receive","qty":1"#).await;
    talk.note("an absolute, then one from before it, then a delta from before it");
    told(&mut talk, 1, 8, r#""kind":"count","qty":4"#).await;
    told(&mut talk, 1, 7, r#""kind":"count","qty":9"#).await;
    told(&mut talk, 1, 6, r#""kind":"receive","qty":2"#).await;
    talk.note("the same number with other content");
    told(&mut talk, 1, 8, r#""kind":"count","qty":5"#).await;
    talk.note("the stream waits");
    told(&mut talk, 1, 9, r#""kind":"receive","qty":1"#).await;
    talk.note("without numbers a key is needed");
    talk.post(MOVE, "", r#"{"kind":"receive","qty":1,"source":"wms"}"#)
        .without("idempotency-key")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_message_id_is_taken_once_per_source() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let bodies = [
        r#"{"kind":"receive","qty":1,"source":"wms","message_id":"m"}"#,
        r#"{"kind":"receive","qty":1,"source":"wms","message_id":"m"}"#,
        r#"{"kind":"receive","qty":1,"source":"erp","message_id":"m"}"#,
    ];
    each(&mut talk, MOVE, "m", &bodies).await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_batch_takes_movements_and_cancels() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let id = sold(&mut talk, 2).await;
    let body = format!(
        r#"{{"operations":[
        {{"op":"movement","sku":"TEE","key":"b-1","kind":"ship","qty":3}},
        {{"op":"movement","sku":"TEE","source":"wms","epoch":1,"sequence":1,"kind":"receive","qty":1}},
        {{"op":"movement","sku":"TEE","source":"wms","epoch":1,"sequence":1,"kind":"receive","qty":1}},
        {{"op":"movement","sku":"TEE","kind":"receive","qty":1}},
        {{"op":"movement","sku":"TEE","key":"b-2","kind":"write_off","qty":9,"from":"on_hand"}},
        {{"op":"cancel","reservation":"{id}","key":"b-3"}}]}}"#
    );
    talk.ask(hyper::Method::POST, "/v1/batch")
        .json(&body)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}
