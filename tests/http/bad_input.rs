//! What bad input gets: a 4xx that names the field, no effect, and a connection that works.

use hyper::Method;

use crate::harness::Service;

const RESERVE: &str = "/v1/reservations";

#[tokio::test]
async fn a_body_that_is_not_what_the_call_takes_names_the_field() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let bodies = [
        r#"{"linse":[{"sku":"TEE","qty":1}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1,"colour":"red"}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1.0}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":"1"}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":0}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":-1}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1000000001}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1,"qty":2}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1}],"lines":[]}"#,
        r#"{"lines":[{"sku":"no spaces","qty":1}]}"#,
        r#"{"lines":[["TEE",1]]}"#,
        r#"{"lines":[]}"#,
        r#"{"lines":null}"#,
        r#"{"order_ref":"","lines":[{"sku":"TEE","qty":1}]}"#,
        r#"{"order_ref":"a\nb","lines":[{"sku":"TEE","qty":1}]}"#,
        r#"{"ttl_ms":-1,"lines":[{"sku":"TEE","qty":1}]}"#,
        r#"{"mode":"some","lines":[{"sku":"TEE","qty":1}]}"#,
        r#"{"replace":"b3a1f4e2-6f0a-4c3e-9f0a-1d2c3b4a5f60","lines":[{"sku":"TEE","qty":1}]}"#,
        r#"{"lines":[{"sku":"TEE","qty":1}]"#,
        "[]",
        "nonsense",
        "",
    ];
    for body in bodies {
        talk.post(RESERVE, "k-1", body).said().await;
    }
    talk.note("and nothing came of it");
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_is_no_json_in_utf8_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let good = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
    talk.note("another media type, or none");
    let other = talk.post(RESERVE, "k-1", good).without("content-type");
    other.header("content-type", "text/plain").said().await;
    talk.post(RESERVE, "k-1", good)
        .without("content-type")
        .said()
        .await;
    talk.note("bytes that are no UTF-8");
    let broken = b"{\"order_ref\":\"\xff\xfe\",\"lines\":[]}";
    talk.post(RESERVE, "k-1", "").bytes(broken).said().await;
    talk.note("nested deeper than any call is");
    let deep = format!("{{\"lines\":{}", "[".repeat(100_000));
    talk.post(RESERVE, "k-1", &deep).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 500).await;
    let lines = |count| vec![r#"{"sku":"TEE","qty":1}"#; count].join(",");
    talk.note("201 lines");
    let body = format!(r#"{{"lines":[{}]}}"#, lines(201));
    talk.post(RESERVE, "k-1", &body).said().await;
    talk.note("200 lines are fine");
    let body = format!(r#"{{"lines":[{}]}}"#, lines(200));
    let made = talk.post(RESERVE, "k-1", &body).quietly().await;
    assert_eq!(made.status, 201, "{}", made.body);
    talk.note("a body of more than a megabyte");
    let body = format!(r#"{{"lines":[{}]}}"#, lines(50_000));
    talk.post(RESERVE, "k-2", &body).said().await;
    let known = talk.get("/v1/skus/TEE").quietly().await;
    assert_eq!(
        known.body["reserved"], 200,
        "the connection works, and nothing more is held"
    );
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_path_that_means_nothing_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.get("/v1/reservations/not-an-id").said().await;
    talk.get("/v1/reservations/b3a1f4e2-6f0a-4c3e-9f0a-1d2c3b4a5f60")
        .said()
        .await;
    talk.get("/v1/reservations/019b0000-0000-8000-bfff-fc0000000000")
        .said()
        .await;
    talk.get("/v1/skus/%20").said().await;
    talk.get("/v1/nothing").said().await;
    talk.note("calls of later versions are unknown");
    talk.post("/v1/nothing", "k-1", "{}").said().await;
    let split = "/v1/reservations/019b0000-0000-8000-8000-000000000000/split";
    talk.post(split, "k-1", "{}").said().await;
    talk.note("parameters that a call does not know might have meant something");
    talk.get("/v1/skus/TEE?as_of=yesterday").said().await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
    talk.post("/v1/reservations?dry_run=true", "k-1", body)
        .said()
        .await;
    let id = "019b0000-0000-8000-bfff-fc0000000000";
    talk.get(&format!("/v1/reservations/{id}?expand"))
        .said()
        .await;
    talk.note("another method");
    talk.ask(Method::DELETE, "/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn confirms_and_the_like_are_checked_as_well() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let id = talk
        .reserved("k-0", r#"{"lines":[{"sku":"TEE","qty":2}]}"#)
        .await;
    let cases = [
        ("confirm", r#"{"lines":[{"sku":"TEE","qty":1}]}"#),
        ("confirm", r#"{"remainder":"keep"}"#),
        ("confirm", r#"{"lines":[],"remainder":"keep"}"#),
        ("confirm", r#"{"late":"maybe"}"#),
        ("release", r#"{"remainder":"keep"}"#),
        ("extend", "{}"),
        ("extend", r#"{"ttl_ms":1.5}"#),
        ("pin", r#"{"ttl_ms":1}"#),
    ];
    for (call, body) in cases {
        talk.post(&format!("{RESERVE}/{id}/{call}"), "k-1", body)
            .said()
            .await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn configurations_are_checked_as_well() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let bodies = [
        r#"{"saftey_stock":1}"#,
        r#"{"safety_stock":-1}"#,
        r#"{"customer_limit":{"units":0,"window_ms":1}}"#,
        r#"{"customer_limit":{"units":1,"window_ms":2592000001}}"#,
        r#"{"opens_at":"2026-11-22T10:00:00+01:00"}"#,
        r#"{"opens_at":"2026-11-22T10:00:00Z","closes_at":"2026-11-22T09:00:00Z"}"#,
        r#"{"locations":{"a":{},"a":{}}}"#,
        r#"{"locations":{"a b":{}}}"#,
        r#"{"location_order":["a","a"]}"#,
    ];
    for body in bodies {
        talk.put("/v1/skus/TEE", body).said().await;
    }
    talk.note("and nothing was created");
    talk.get("/v1/skus/TEE").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn an_id_that_was_never_given_is_unknown_whatever_its_version() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;
    let given = talk.reserved("k-1", body).await;
    // As if it had been minted, but for the version.
    let other_version = format!("{}4{}", &given[..14], &given[15..]);
    let random = "54803856-d528-466d-8641-0e3e68b7fa9f";
    for id in [random, &other_version] {
        let path = format!("/v1/reservations/{id}");
        let read = talk.get(&path).quietly().await;
        let confirm = talk.post(&format!("{path}/confirm"), "k-2", "{}");
        let confirm = confirm.quietly().await;
        let body =
            format!(r#"{{"operations":[{{"op":"release","key":"k-3","reservation":"{id}"}}]}}"#);
        let batch = talk.ask(Method::POST, "/v1/batch").json(&body);
        let batch = batch.quietly().await.body["results"][0].clone();
        assert_eq!((read.status.as_u16(), confirm.status.as_u16()), (404, 404));
        assert_eq!(batch["status"], 404, "{batch}");
        for told in [&read.body, &confirm.body, &batch["problem"]] {
            assert_eq!(told["code"], "unknown-reservation", "{told}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_not_sent_back_whole() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let long = "\u{7f}".repeat(900_000);
    let name = "n".repeat(900_000);
    let line = r#""lines":[{"sku":"TEE","qty":1}]"#;
    let operation = format!(r#"{{"op":"reserve","key":"k","customer":"{long}",{line}}}"#);
    for (path, body) in [
        (RESERVE, format!(r#"{{"customer":"{long}",{line}}}"#)),
        (RESERVE, format!(r#"{{"{name}":1,{line}}}"#)),
        (RESERVE, format!(r#"{{"mode":"{name}",{line}}}"#)),
        ("/v1/batch", format!(r#"{{"operations":[{operation}]}}"#)),
    ] {
        let told = talk.post(path, "k-1", &body).quietly().await;
        let bytes = told.body.to_string().len();
        assert!(bytes < 16_384, "{path}: {bytes} bytes");
        let is_refused = told.status == 400 || told.body["results"][0]["status"] == 400;
        assert!(is_refused, "{path}: {}", told.body);
    }
    let long = "s".repeat(60_000);
    let told = talk.get(&format!("/v1/skus/{long}")).quietly().await;
    assert!(told.body.to_string().len() < 16_384, "a path");
}
