//! `GET /v1/feeds/{source}` and lifting a stream.

use holdfast::config::{Millis, Texts};
use holdfast_core::Text;

use crate::harness::Service;
use crate::talk::Talk;

async fn told(talk: &mut Talk, sku: &str, sequence: u64, qty: u64) {
    let body = format!(
        r#"{{"kind":"receive","qty":{qty},"source":"wms","epoch":1,"sequence":{sequence}}}"#
    );
    let path = format!("/v1/skus/{sku}/movements");
    talk.post(&path, "", &body)
        .without("idempotency-key")
        .quietly()
        .await;
}

fn gapless(name: &str) -> Texts {
    Texts(vec![Text::parse(name).expect("a name")])
}

#[tokio::test]
async fn a_quarantined_stream_is_seen_and_lifted() {
    let service = Service::start_with(|config| config.feeds.gapless = gapless("wms")).await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    for (sequence, qty) in [(1, 1), (5, 1), (3, 1), (5, 2)] {
        told(&mut talk, "TEE", sequence, qty).await;
    }
    talk.get("/v1/feeds/wms").said().await;
    let lift = r#"{"sku":"TEE","location":"main","reason":"a test run"}"#;
    talk.post("/v1/feeds/wms/lift", "l-1", lift).said().await;
    talk.note("the key again, then another");
    talk.post("/v1/feeds/wms/lift", "l-1", lift).said().await;
    talk.post("/v1/feeds/wms/lift", "l-2", lift).said().await;
    talk.note("it goes on where it was");
    told(&mut talk, "TEE", 6, 1).await;
    talk.get("/v1/feeds/wms").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn the_streams_of_all_shards_are_listed_in_pages() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [here, there] = service.skus_of_two_shards();
    let names: Vec<String> = [&here, &there]
        .iter()
        .flat_map(|sku| [(*sku).clone(), format!("{sku}-B")])
        .collect();
    for name in &names {
        talk.configured(name, "{}").await;
        service.advance(1);
        told(&mut talk, name, 1, 1).await;
        let other = r#"{"kind":"receive","qty":1,"source":"erp","epoch":1,"sequence":1}"#;
        talk.post(&format!("/v1/skus/{name}/movements"), "", other)
            .without("idempotency-key")
            .quietly()
            .await;
    }
    told(&mut talk, &here, 1, 2).await;
    for limit in [1, 3, 100] {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let path = format!("/v1/feeds/wms?limit={limit}{next}");
            let page = talk.get(&path).quietly().await.body;
            let items = page["items"].as_array().expect("a page has items");
            let own = items.iter().map(|stream| stream["sku"].as_str());
            found.extend(own.map(|sku| sku.expect("a stream has a SKU").to_owned()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        found.sort();
        let mut expected = names.clone();
        expected.sort();
        assert_eq!(found, expected, "in pages of {limit}");
    }
    for (query, expected) in [
        ("wms?quarantined=true", 1),
        ("erp?quarantined=true", 0),
        (&*format!("wms?sku={there}"), 1),
        ("nobody", 0),
    ] {
        let page = talk.get(&format!("/v1/feeds/{query}")).quietly().await.body;
        assert_eq!(
            page["items"].as_array().map(Vec::len),
            Some(expected),
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_is_no_stream_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let bodies = [
        r#"{"sku":"TEE","location":"main"}"#,
        r#"{"sku":"MUG","location":"main"}"#,
        r#"{"sku":"TEE"}"#,
    ];
    for body in bodies {
        talk.post("/v1/feeds/wms/lift", "l-1", body).said().await;
    }
    talk.get("/v1/feeds/%00").said().await;
    talk.get("/v1/feeds/wms?quarantined=maybe").said().await;
    talk.get("/v1/feeds/wms?cursor=00").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn what_a_gapless_source_left_out_is_listed_and_what_others_did_is_not() {
    let service = Service::start_with(|config| config.feeds.gapless = gapless("wms")).await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    for sequence in [1, 2, 5, 3_000] {
        told(&mut talk, "TEE", sequence, 1).await;
    }
    for sequence in [1, 9] {
        let body = format!(
            r#"{{"kind":"receive","qty":1,"source":"erp","epoch":1,"sequence":{sequence}}}"#
        );
        talk.post("/v1/skus/TEE/movements", "", &body)
            .without("idempotency-key")
            .quietly()
            .await;
    }
    talk.get("/v1/feeds/wms").said().await;
    talk.get("/v1/feeds/erp").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn messages_and_streams_are_forgotten_when_the_configuration_says() {
    let service = Service::start_with(|config| {
        config.feeds.message_retention_ms = Millis(60_000);
        config.feeds.stream_retention_ms = Millis(120_000);
    })
    .await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let mut outcomes = Vec::new();
    for step in [0, 30_000, 60_001] {
        service.advance(step);
        let body = r#"{"kind":"receive","qty":1,"source":"wms","message_id":"m-1"}"#;
        let answer = talk
            .post("/v1/skus/TEE/movements", &format!("k-{step}"), body)
            .quietly()
            .await;
        outcomes.push(answer.body["outcome"].as_str().map(str::to_owned));
    }
    let outcomes: Vec<&str> = outcomes.iter().flatten().map(String::as_str).collect();
    assert_eq!(outcomes, ["applied", "duplicate", "applied"]);

    told(&mut talk, "TEE", 7, 1).await;
    let streams = async |talk: &mut Talk| {
        let page = talk.get("/v1/feeds/wms").quietly().await.body;
        page["items"].as_array().map_or(0, Vec::len)
    };
    service.advance(119_000);
    talk.configured("TEE", "{}").await;
    assert_eq!(streams(&mut talk).await, 1);
    service.advance(2_000);
    talk.configured("MUG", "{}").await;
    // The shard forgets when its timer comes to it.
    for _ in 0..500 {
        if streams(&mut talk).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the stream is still known");
}
