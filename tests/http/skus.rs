//! The calls about SKUs: configure, read, list, availability.

use crate::harness::Service;

#[tokio::test]
async fn a_sku_is_created_configured_and_read() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.note("new");
    talk.put("/v1/skus/TEE", "{}").said().await;
    talk.note("everything there is to set");
    let body = r#"{"safety_stock":2,"customer_limit":{"units":3,"window_ms":86400000},
        "opens_at":"2026-11-27T00:00:00Z","closes_at":"2026-11-28T00:00:00Z","paused":true,
        "low_at":10,"replenished_at":25,"location_order":["store-1","main"],
        "locations":{"store-1":{"safety_stock":1}},"reason":"black friday"}"#;
    talk.put("/v1/skus/TEE", body).said().await;
    talk.note("null clears, absent is unchanged");
    let body = r#"{"customer_limit":null,"opens_at":null,"closes_at":null,"low_at":null,
        "replenished_at":null,
        "location_order":null,"safety_stock":null}"#;
    talk.put("/v1/skus/TEE", body).said().await;
    talk.note("what changes nothing");
    talk.put("/v1/skus/TEE", "{}").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn the_whole_shape_of_a_sku() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let answer = talk.get("/v1/skus/TEE").quietly().await;
    let mut body = answer.body;
    body["as_of"]["position"] = "<position>".into();
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn a_configuration_is_compared_and_set() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.note("it must exist");
    talk.put("/v1/skus/TEE", "{}")
        .header("if-match", "*")
        .said()
        .await;
    talk.note("it must be new");
    talk.put("/v1/skus/TEE", "{}")
        .header("if-none-match", "*")
        .said()
        .await;
    talk.put("/v1/skus/TEE", "{}")
        .header("if-none-match", "*")
        .said()
        .await;
    talk.note("its configuration must be that of config_version");
    let pause = r#"{"paused":true}"#;
    talk.put("/v1/skus/TEE", pause)
        .header("if-match", "\"7\"")
        .said()
        .await;
    talk.put("/v1/skus/TEE", pause)
        .header("if-match", "\"1\"")
        .said()
        .await;
    talk.put("/v1/skus/TEE", pause)
        .header("if-match", "1")
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_sku_that_is_known_is_not_sent_again() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let known = talk.get("/v1/skus/TEE").quietly().await.headers["etag"].clone();
    let known = known.to_str().expect("ASCII").to_owned();
    talk.get("/v1/skus/TEE")
        .header("if-none-match", &known)
        .said()
        .await;
    talk.reserved("k-1", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    let changed = talk
        .get("/v1/skus/TEE")
        .header("if-none-match", &known)
        .quietly()
        .await;
    assert_eq!(changed.status, 200);
    talk.get("/v1/skus/GHOST").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn skus_are_listed_by_name_in_pages() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    for sku in ["TEE-M", "CAP", "TEE-L", "TEE-S"] {
        talk.configured(sku, "{}").await;
    }
    let first = talk.get("/v1/skus?prefix=TEE&limit=2").quietly().await.body;
    let cursor = first["next_cursor"]
        .as_str()
        .expect("there is more")
        .to_owned();
    let path = format!("/v1/skus?prefix=TEE&limit=2&cursor={cursor}");
    let second = talk.get(&path).quietly().await.body;
    let names: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().expect("a page has items"))
        .map(|item| item["sku"].as_str().expect("an item has a name").to_owned())
        .collect();
    assert_eq!(names, ["TEE-L", "TEE-M", "TEE-S"]);
    assert!(second["next_cursor"].is_null());
    talk.note("what a list does not take");
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=zz",
        "prefix=A&prefix=B",
        "colour=1",
    ] {
        talk.get(&format!("/v1/skus?{query}")).said().await;
    }
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn availability_is_read_for_many_at_once() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.configured("TEE", r#"{"safety_stock":2}"#).await;
    talk.configured("CAP", r#"{"paused":true}"#).await;
    for body in [
        r#"{"skus":["TEE","GHOST","CAP"]}"#,
        r#"{"skus":["TEE","-"]}"#,
    ] {
        talk.ask(hyper::Method::POST, "/v1/availability")
            .json(body)
            .said()
            .await;
    }
    insta::assert_snapshot!(talk.transcript());
}
