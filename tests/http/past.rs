//! Counts that speak of the past, over HTTP: by position and by time, in calls, batches and imports.

use holdfast::config::Millis;
use serde_json::Value;

use crate::harness::Service;
use crate::talk::{Answer, Talk};

const MOVE: &str = "/v1/skus/TEE/movements";

/// Where TEE stands now.
async fn tee(talk: &mut Talk) -> Value {
    talk.get("/v1/skus/TEE").quietly().await.body
}

/// The position and the time of what TEE is now.
async fn moment(talk: &mut Talk) -> [String; 2] {
    let sku = tee(talk).await;
    ["position", "time"].map(|word| sku["as_of"][word].as_str().expect("a text").to_owned())
}

async fn booked(talk: &mut Talk, key: &str, body: &str) -> Answer {
    let answer = talk.post(MOVE, key, body).quietly().await;
    assert_eq!(answer.status, 201, "{body}: {}", answer.body);
    answer
}

/// A morning in which 2 of 10 are sold, 1 of them leaves, 3 are held and 5 come in; a reservation
/// of 1 was there before.
async fn goes_on(talk: &mut Talk) {
    let sale = r#"{"lines":[{"sku":"TEE","qty":2}]}"#;
    let id = talk.reserved("sale", sale).await;
    let path = format!("/v1/reservations/{id}/confirm");
    assert_eq!(talk.post(&path, "pay", "{}").quietly().await.status, 200);
    talk.reserved("held", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .await;
    let ship = format!(r#"{{"kind":"ship","qty":1,"reservation":"{id}"}}"#);
    booked(talk, "left", &ship).await;
    booked(talk, "came", r#"{"kind":"receive","qty":5}"#).await;
}

#[tokio::test]
async fn a_count_is_compared_with_what_was_there_when_it_was_taken() {
    for by in ["position", "occurred_at"] {
        let service = Service::start().await;
        let mut talk = service.talk().await;
        talk.stocked("TEE", 10).await;
        service.advance(1_000);
        talk.reserved("first", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
            .await;
        let [position, time] = moment(&mut talk).await;
        service.advance(60_000);
        goes_on(&mut talk).await;
        service.advance(60_000);
        let at = if by == "position" { position } else { time };
        let count = format!(r#"{{"kind":"count","qty":9,"{by}":"{at}"}}"#);
        let answer = booked(&mut talk, "count", &count).await;
        assert_eq!(answer.body["outcome"], "applied");
        let sku = &answer.body["sku"];
        // 10 less the 2 sold and the 1 that was missing then, and the 5 that came since.
        assert_eq!(sku["on_hand"], 12, "{sku}");
        assert_eq!(sku["adjusted"], -1);
        assert_eq!(sku["reserved"], 4);
        // The key again has one effect; with another moment it is another count.
        let again = talk.post(MOVE, "count", &count).quietly().await;
        assert_eq!(again.status, 201);
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.body["movement"], answer.body["movement"]);
        let now = moment(&mut talk).await;
        let now = &now[usize::from(by == "occurred_at")];
        let other = format!(r#"{{"kind":"count","qty":9,"{by}":"{now}"}}"#);
        let other = talk.post(MOVE, "count", &other).quietly().await;
        assert_eq!(other.body["code"], "idempotency-key-reused");
        // The same count under another key finds nothing more.
        let anew = booked(&mut talk, "anew", &count).await;
        assert_eq!(anew.body["sku"]["on_hand"], 12);
    }
}

#[tokio::test]
async fn what_can_be_promised_is_compared_with_the_promises_of_then() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    talk.reserved("first", r#"{"lines":[{"sku":"TEE","qty":4}]}"#)
        .await;
    let [position, _] = moment(&mut talk).await;
    goes_on(&mut talk).await;
    let count =
        format!(r#"{{"kind":"count","qty":7,"measure":"available","position":"{position}"}}"#);
    let answer = booked(&mut talk, "count", &count).await;
    // 6 of 10 could be promised then, so there was one more.
    assert_eq!(answer.body["sku"]["adjusted"], 1);
    assert_eq!(answer.body["sku"]["on_hand"], 14);
}

#[tokio::test]
async fn what_a_count_has_seen_changes_nothing_when_it_comes_later() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    service.advance(1_000);
    let [_, before] = moment(&mut talk).await;
    service.advance(60_000);
    talk.reserved("held", r#"{"lines":[{"sku":"TEE","qty":3}]}"#)
        .await;
    let [position, _] = moment(&mut talk).await;
    service.advance(60_000);
    let count = format!(r#"{{"kind":"count","qty":13,"position":"{position}"}}"#);
    let answer = booked(&mut talk, "count", &count).await;
    assert_eq!(answer.body["sku"]["on_hand"], 13);
    let late = format!(r#"{{"kind":"receive","qty":3,"occurred_at":"{before}"}}"#);
    let answer = booked(&mut talk, "late", &late).await;
    assert_eq!(answer.body["outcome"], "superseded", "{}", answer.body);
    assert_eq!(answer.body["sku"]["on_hand"], 13);
    assert_eq!(answer.body["sku"]["received"], 13);
}

#[tokio::test]
async fn a_count_of_the_future_or_of_another_ledger_is_refused() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let [own, foreign] = service.skus_of_two_shards();
    talk.stocked("TEE", 10).await;
    let [position, _] = moment(&mut talk).await;
    let (head, sequence) = position.split_at(24);
    let sequence = u64::from_str_radix(sequence, 16).expect("hexadecimal digits");
    let ahead = format!("{head}{:016x}", sequence + 1_000_000);
    let name = if service.shard_of("TEE") == service.shard_of(&own) {
        foreign
    } else {
        own
    };
    talk.stocked(&name, 1).await;
    let elsewhere = talk.get(&format!("/v1/skus/{name}")).quietly().await.body;
    let elsewhere = elsewhere["as_of"]["position"].as_str().expect("a text");
    for (field, value) in [
        ("position", ahead.as_str()),
        ("position", elsewhere),
        ("occurred_at", "2126-01-01T00:00:00Z"),
    ] {
        let count = format!(r#"{{"kind":"count","qty":9,"{field}":"{value}"}}"#);
        let answer = talk.post(MOVE, "count", &count).quietly().await;
        assert_eq!(answer.status, 400, "{value}: {}", answer.body);
        assert_eq!(answer.body["code"], "invalid-request");
        assert_eq!(answer.body["field"], field);
    }
    assert_eq!(tee(&mut talk).await["on_hand"], 10);
}

#[tokio::test]
async fn a_count_of_what_was_trimmed_says_where_the_record_begins_and_a_repeat_is_still_one() {
    let trims = |config: &mut holdfast::config::Config| {
        config.data.journal_trim = true;
        config.data.journal_kept_ms = Millis(1_000);
        config.data.snapshot_after_events = 20;
        config.archive.enabled = false;
    };
    let service = Service::start_with(trims).await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    let [position, _] = moment(&mut talk).await;
    let count = format!(r#"{{"kind":"count","qty":9,"position":"{position}"}}"#);
    booked(&mut talk, "early", &count).await;
    for at in 0..200 {
        service.advance(1_000);
        booked(
            &mut talk,
            &format!("r-{at}"),
            r#"{"kind":"receive","qty":1}"#,
        )
        .await;
    }
    // The index would remember what the journal has lost; without it nothing does.
    let shard = service.shard_of("TEE");
    let directory = service.stop().await;
    let index = format!("data/shard-{shard:02}/statement.redb");
    std::fs::remove_file(directory.path().join(index)).expect("it was built");
    let service = Service::start_in(directory, trims).await;
    let mut talk = service.talk().await;
    let answer = talk.post(MOVE, "late", &count).quietly().await;
    assert_eq!(answer.status, 410, "{}", answer.body);
    assert_eq!(answer.body["code"], "history-trimmed");
    let oldest = answer.body["oldest"].as_str().expect("a position");
    assert!(position.as_str() < oldest, "{oldest}");
    let again = talk.post(MOVE, "early", &count).quietly().await;
    assert_eq!(again.status, 201, "{}", again.body);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let now = format!(r#"{{"kind":"count","qty":9,"position":"{oldest}"}}"#);
    booked(&mut talk, "known", &now).await;
}

#[tokio::test]
async fn a_server_without_statements_can_tell_nothing_of_then() {
    let service = Service::start_with(|config| config.statement.enabled = false).await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    let [position, _] = moment(&mut talk).await;
    let count = format!(r#"{{"kind":"count","qty":9,"position":"{position}"}}"#);
    let answer = talk.post(MOVE, "count", &count).quietly().await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["code"], "history-unavailable");
    assert_eq!(answer.body["outcome"], "not_applied");
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_batch_keeps_the_order_of_a_skus_movements_around_a_count_of_then() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    talk.configured("MUG", "{}").await;
    let [position, _] = moment(&mut talk).await;
    service.advance(60_000);
    goes_on(&mut talk).await;
    let movement = |sequence: u64, rest: &str| {
        format!(
            r#"{{"op":"movement","sku":"TEE","source":"wms","epoch":1,"sequence":{sequence},{rest}}}"#
        )
    };
    let operations = [
        movement(1, r#""kind":"receive","qty":2"#),
        movement(
            2,
            &format!(r#""kind":"count","qty":9,"position":"{position}""#),
        ),
        // After the count in its stream: booked before it, the count would be stale.
        movement(3, r#""kind":"receive","qty":4"#),
        movement(
            2,
            &format!(r#""kind":"count","qty":9,"position":"{position}""#),
        ),
        r#"{"op":"movement","sku":"MUG","key":"m","kind":"receive","qty":1}"#.to_owned(),
        r#"{"op":"movement","sku":"TEE","key":"n","kind":"count","qty":1,"position":"here"}"#
            .to_owned(),
    ];
    let body = format!(r#"{{"operations":[{}]}}"#, operations.join(","));
    let answer = talk
        .ask(hyper::Method::POST, "/v1/batch")
        .json(&body)
        .quietly()
        .await;
    let results = answer.body["results"].as_array().expect("a list");
    let told: Vec<_> = results
        .iter()
        .map(|result| (result["status"].as_u64(), result["outcome"].as_str()))
        .map(|(status, outcome)| (status.unwrap_or(0), outcome.unwrap_or("-").to_owned()))
        .collect();
    let expected = [
        (201, "applied"),
        (201, "applied"),
        (201, "applied"),
        (200, "duplicate"),
        (201, "applied"),
        (400, "-"),
    ]
    .map(|(status, outcome)| (status, outcome.to_owned()));
    assert_eq!(told, expected, "{}", answer.body);
    // 13 after the morning, 2 and 4 that came in, and the one that was missing.
    let sku = tee(&mut talk).await;
    assert_eq!(
        (&sku["on_hand"], &sku["adjusted"]),
        (&18.into(), &(-1).into())
    );
}

#[tokio::test]
async fn an_import_takes_counts_of_then() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 10).await;
    let [position, time] = moment(&mut talk).await;
    service.advance(60_000);
    goes_on(&mut talk).await;
    let csv = format!(
        "sku,kind,qty,position,occurred_at\n\
         TEE,count,9,{position},\n\
         TEE,receive,1,,\n\
         TEE,count,9,,{time}\n\
         TEE,count,9,,2126-01-01T00:00:00Z\n\
         TEE,count,9,here,\n"
    );
    let report = talk
        .ask(hyper::Method::POST, "/v1/imports?identity=counts")
        .header("content-type", "text/csv")
        .bytes(csv.as_bytes())
        .quietly()
        .await
        .body;
    let bad: Vec<_> = report["bad"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["line"].as_u64(), row["field"].as_str()))
        .collect();
    let expected = [(Some(5), Some("occurred_at")), (Some(6), Some("position"))];
    assert_eq!(bad, expected, "{report}");
    let sku = tee(&mut talk).await;
    assert_eq!(
        (&sku["on_hand"], &sku["adjusted"]),
        (&13.into(), &(-1).into()),
        "{report}"
    );
}
