//! `POST /v1/batch`: many operations, each on its own.

use hyper::Method;

use crate::harness::Service;

const BATCH: &str = "/v1/batch";

#[tokio::test]
async fn every_operation_answers_as_its_single_call_would() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let id = talk
        .reserved("k-0", r#"{"lines":[{"sku":"TEE","qty":2}]}"#)
        .await;
    let body = format!(
        r#"{{"operations":[
        {{"op":"reserve","key":"b-1","customer":"c-1","lines":[{{"sku":"TEE","qty":1}}]}},
        {{"op":"reserve","key":"b-2","lines":[{{"sku":"TEE","qty":9}}]}},
        {{"op":"extend","key":"b-3","reservation":"{id}","ttl_ms":1200000}},
        {{"op":"pin","key":"b-4","reservation":"{id}","for_ms":1000}},
        {{"op":"confirm","key":"b-5","reservation":"{id}","lines":[{{"sku":"TEE","qty":1}}],"remainder":"keep"}},
        {{"op":"release","key":"b-6","reservation":"{id}"}},
        {{"op":"movement","key":"b-7","sku":"TEE","kind":"receive","qty":4}},
        {{"op":"movement","key":"b-8","sku":"GHOST","kind":"receive","qty":4}},
        {{"op":"reserve","key":"b-1","customer":"c-1","lines":[{{"sku":"TEE","qty":1}}]}}
        ]}}"#
    );
    talk.ask(Method::POST, BATCH).json(&body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_malformed_operation_is_refused_in_its_place() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"operations":[
        {"op":"sell","key":"b-1"},
        {"op":"reserve","key":"b-2","lines":[{"sku":"TEE","qty":1.5}]},
        {"op":"reserve","lines":[{"sku":"TEE","qty":1}]},
        {"op":"reserve","key":"two words","lines":[{"sku":"TEE","qty":1}]},
        {"op":"reserve","key":"b-5","lines":[{"sku":"TEE","qty":1}],"payment_ref":"p"},
        {"op":"confirm","key":"b-6"},
        {"op":"reserve","key":"b-7","lines":[{"sku":"TEE","qty":1}]}
        ]}"#;
    talk.ask(Method::POST, BATCH).json(body).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_batch_that_is_no_batch_is_refused_whole() {
    let service = Service::start_with(|config| config.http.batch_max = 2).await;
    let mut talk = service.talk().await;
    let bodies = [
        r#"{"operations":[{},{},{}]}"#,
        r#"{"operations":[],"atomic":true}"#,
        r#"{"operations":{}}"#,
        "[]",
        r#"{"operations":[]}"#,
    ];
    for body in bodies {
        talk.ask(Method::POST, BATCH).json(body).said().await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_thousand_operations_fit_in_one_call() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 600).await;
    let operations: Vec<String> = (0..1_000)
        .map(|n| format!(r#"{{"op":"reserve","key":"b-{n}","lines":[{{"sku":"TEE","qty":1}}]}}"#))
        .collect();
    let body = format!(r#"{{"operations":[{}]}}"#, operations.join(","));
    let answer = talk.ask(Method::POST, BATCH).json(&body).quietly().await;
    let results = answer.body["results"]
        .as_array()
        .expect("a batch has results");
    let made = results
        .iter()
        .filter(|result| result["status"] == 201)
        .count();
    let short = results
        .iter()
        .filter(|result| result["status"] == 409)
        .count();
    assert_eq!((made, short), (600, 400));
}
