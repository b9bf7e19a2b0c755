//! Idempotency keys: replays, reuse, repeats at once, and what survives a restart.

use crate::harness::Service;

const RESERVE: &str = "/v1/reservations";
const ONE: &str = r#"{"lines":[{"sku":"TEE","qty":1}]}"#;

#[tokio::test]
async fn a_key_again_gives_the_first_outcome_as_it_stands_now() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let id = talk.reserved("k-1", ONE).await;
    talk.note("spelled otherwise");
    let spelled = r#" {"mode":"all_or_nothing", "lines":[ {"qty":1,"sku":"TEE"} ]} "#;
    talk.post(RESERVE, "k-1", spelled).said().await;
    talk.post(&format!("{RESERVE}/{id}/confirm"), "k-2", "{}")
        .quietly()
        .await;
    talk.note("after its confirm");
    talk.post(RESERVE, "k-1", ONE).said().await;
    talk.note("a movement again");
    let body = r#"{"kind":"receive","qty":2}"#;
    talk.post("/v1/skus/TEE/movements", "k-3", body)
        .said()
        .await;
    talk.post("/v1/skus/TEE/movements", "k-3", body)
        .said()
        .await;
    talk.note("a configuration again, with its optional key");
    for _ in 0..2 {
        let put = talk.put("/v1/skus/CAP", r#"{"paused":true}"#);
        put.header("idempotency-key", "k-4").said().await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_key_with_other_content_is_refused_and_the_first_is_untouched() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.reserved("k-1", ONE).await;
    talk.note("another body");
    talk.post(RESERVE, "k-1", r#"{"lines":[{"sku":"TEE","qty":2}]}"#)
        .said()
        .await;
    talk.note("another operation");
    let body = r#"{"kind":"receive","qty":2}"#;
    talk.post("/v1/skus/TEE/movements", "k-1", body)
        .said()
        .await;
    talk.post(RESERVE, "k-1", ONE).said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_key_whose_try_was_refused_is_free_again() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let refused = talk.post(RESERVE, "k-1", ONE).quietly().await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (409, &"insufficient-stock".into())
    );
    talk.stocked("TEE", 1).await;
    let other = r#"{"order_ref":"o","lines":[{"sku":"TEE","qty":1}]}"#;
    let made = talk.post(RESERVE, "k-1", other).quietly().await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(!made.headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn a_key_sent_many_times_at_once_has_one_effect() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 50).await;
    let tries = (0..20).map(|_| {
        let address = service.data;
        tokio::spawn(async move {
            let mut talk = crate::talk::Talk::tcp(address).await;
            talk.post(RESERVE, "k-1", ONE).quietly().await
        })
    });
    let mut ids = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        let answer = attempt.await.expect("a try does not panic");
        match answer.status.as_u16() {
            201 => ids.push(answer.body["id"].clone()),
            409 => assert_eq!(answer.body["code"], "idempotency-in-progress"),
            other => panic!("{other}: {}", answer.body),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let sku = talk.get("/v1/skus/TEE").quietly().await;
    assert_eq!(sku.body["reserved"], 1);
}

#[tokio::test]
async fn a_key_is_needed_unless_configured_otherwise() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.post(RESERVE, "", ONE)
        .without("idempotency-key")
        .said()
        .await;
    for key in ["two words", ""] {
        talk.post(RESERVE, key, ONE).said().await;
    }
    talk.note("two keys");
    talk.post(RESERVE, "k-1", ONE)
        .header("idempotency-key", "k-2")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());

    let service = Service::start_with(|config| config.http.keys_required = false).await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let made = talk
        .post(RESERVE, "", ONE)
        .without("idempotency-key")
        .quietly()
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
}
