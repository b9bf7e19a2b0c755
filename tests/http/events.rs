//! Events: pages, streams, snapshots, schemas; what they tell adds up to the state.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast::client::Target;
use holdfast::client::listen::{Listening, Message, Silent};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Service;
use crate::schema::holds;
use crate::talk::{Answer, Talk};

/// A morning of two SKUs on two shards: receipts, sales, a cart of both, a count, a drift.
async fn morning(service: &Service) {
    let mut talk = service.talk().await;
    for sku in ["TEE", "MUG"] {
        talk.configured(sku, r#"{"low_at":3}"#).await;
        for key in ["a", "b"] {
            let path = format!("/v1/skus/{sku}/movements");
            let body = json!({"kind": "receive", "qty": 20, "document": "PO-1", "reason": "first"});
            post(&mut talk, &path, &format!("{sku}-{key}"), &body).await;
        }
    }
    for round in 0..12 {
        let lines = match round % 3 {
            0 => json!([{"sku": "TEE", "qty": 1}]),
            1 => json!([{"sku": "MUG", "qty": 2}]),
            _ => json!([{"sku": "TEE", "qty": 1}, {"sku": "MUG", "qty": 1}]),
        };
        let body =
            json!({"order_ref": format!("order-{round}"), "customer": "anna", "lines": lines});
        let made = post(&mut talk, "/v1/reservations", &format!("r{round}"), &body).await;
        let id = made.body["id"].as_str().expect("it was made").to_owned();
        let step = ["confirm", "release", "extend", "pin"][round % 4];
        let body = match step {
            "extend" => json!({"ttl_ms": 700_000}),
            "pin" => json!({"for_ms": 60_000}),
            _ => json!({}),
        };
        let path = format!("/v1/reservations/{id}/{step}");
        post(&mut talk, &path, &format!("s{round}"), &body).await;
    }
    let facts = [
        json!({"kind": "count", "qty": 30, "measure": "sellable", "reason": "yearly"}),
        json!({"kind": "damage", "qty": 1, "from": "on_hand"}),
        json!({"kind": "ship", "qty": 500}),
        json!({"kind": "adjust", "qty": -1, "reason": "theft"}),
    ];
    for (place, body) in facts.into_iter().enumerate() {
        let key = format!("f{place}");
        post(&mut talk, "/v1/skus/TEE/movements", &key, &body).await;
    }
    let closed = r#"{"selling":false,"reason":"stocktaking"}"#;
    talk.put("/v1/locations/STORE", closed).quietly().await;
    // The rest expires, whenever that may be.
    service.advance(3_600_000);
    for sku in ["TEE", "MUG"] {
        let path = format!("/v1/skus/{sku}");
        while talk.get(&path).quietly().await.body["reserved"] != 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn post(talk: &mut Talk, path: &str, key: &str, body: &Value) -> Answer {
    let answer = talk.post(path, key, &body.to_string()).quietly().await;
    assert!(answer.status.is_success(), "{path} {body}: {}", answer.body);
    answer
}

async fn text(service: &Service, path: &str) -> String {
    service.talk().await.text(path).await
}

/// Every event there is, page by page.
async fn all(service: &Service, query: &str, limit: usize) -> (Vec<Value>, String) {
    let mut talk = service.talk().await;
    let (mut events, mut after) = (Vec::new(), "earliest".to_owned());
    loop {
        let path = format!("/v1/events?limit={limit}&after={after}{query}");
        let page = talk.get(&path).quietly().await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let items = page.body["items"].as_array().expect("a list").clone();
        let next = page.body["next_cursor"].as_str().expect("a cursor");
        next.clone_into(&mut after);
        let is_end = items.is_empty();
        events.extend(items);
        if is_end && page.body["lag"] == 0 {
            return (events, after);
        }
    }
}

fn target(service: &Service) -> Target {
    format!("http://{}", service.data)
        .parse()
        .expect("an address")
}

async fn listen(service: &Service, path: &str, after: Option<&str>) -> Listening {
    let listening = Listening::begin(&target(service), path, after).await;
    listening.expect("the stream opens")
}

async fn heard(stream: &mut Listening) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.next());
    next.await
        .expect("a message comes")
        .expect("the stream goes on")
}

/// Listens until `count` events were heard; the last message's id too.
async fn events_of(stream: &mut Listening, count: usize) -> (Vec<Value>, String) {
    let mut events = Vec::new();
    loop {
        let message = heard(stream).await;
        if !message.data.is_empty() {
            match serde_json::from_str(&message.data).expect("it is JSON") {
                Value::Array(batch) => events.extend(batch),
                one => events.push(one),
            }
        }
        if count <= events.len() {
            return (events, message.id);
        }
    }
}

/// What the events of each SKU leave behind, with the gaps between them looked for.
fn fold(start: &BTreeMap<String, Value>, events: &[Value]) -> BTreeMap<String, Value> {
    let mut state = start.clone();
    for event in events {
        let Some(sku) = event["subject"].as_str() else {
            continue;
        };
        if let Some(before) = state.get(sku) {
            assert_eq!(event["data"]["before"], *before, "a gap before {event}");
        }
        state.insert(sku.to_owned(), event["data"]["after"].clone());
    }
    state
}

async fn state(service: &Service) -> BTreeMap<String, Value> {
    let mut talk = service.talk().await;
    let mut state = BTreeMap::new();
    for sku in ["TEE", "MUG"] {
        let view = talk.get(&format!("/v1/skus/{sku}")).quietly().await.body;
        let mut counters = serde_json::Map::new();
        counters.insert("available".into(), view["available"].clone());
        for counter in holdfast_core::Counter::ALL {
            counters.insert(counter.name().into(), view[counter.name()].clone());
        }
        state.insert(sku.to_owned(), Value::Object(counters));
    }
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_tell_everything_in_order_and_add_up_to_the_state() {
    let service = Service::start().await;
    morning(&service).await;
    let (whole, cursor) = all(&service, "", 1_000).await;
    assert!(40 < whole.len(), "{} events", whole.len());
    for limit in [1, 2, 7] {
        let (paged, end) = all(&service, "", limit).await;
        let ids = |events: &[Value]| -> Vec<String> {
            events.iter().map(|event| event["id"].to_string()).collect()
        };
        let (mut paged, mut whole) = (ids(&paged), ids(&whole));
        paged.sort();
        whole.sort();
        assert_eq!(paged, whole, "pages of {limit}");
        assert_eq!(end, cursor);
    }
    assert_eq!(fold(&BTreeMap::new(), &whole), state(&service).await);
    let text = serde_json::to_string(&whole).expect("JSON");
    assert!(!text.contains("anna"), "events never carry the customer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_a_cloudevent_and_as_its_schema_says() {
    let service = Service::start().await;
    morning(&service).await;
    let (events, _) = all(&service, "", 500).await;
    let mut talk = service.talk().await;
    let types = talk.get("/v1/events/schemas").quietly().await.body;
    let types = types["items"].as_array().expect("a list").clone();
    let mut schemas = BTreeMap::new();
    for kind in types {
        let path = kind["path"].as_str().expect("a path");
        let schema = talk.get(path).quietly().await.body;
        assert_eq!(schema["title"], kind["type"]);
        assert_eq!(schema["$id"], kind["dataschema"]);
        // CloudEvents wants an absolute URI, and libraries refuse events with another.
        let uri = kind["dataschema"].as_str().expect("a text").to_owned();
        assert!(uri.starts_with("urn:"), "{uri}");
        schemas.insert(uri, schema);
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["datacontenttype"], "application/json");
        let sequence = event["sequence"].as_str().expect("a text");
        assert_eq!(sequence.len(), 20);
        let data = &event["data"];
        if let Some(subject) = event["subject"].as_str() {
            assert_eq!(data["sku"], subject);
            assert_eq!(event["partitionkey"], subject);
        }
        let path = event["dataschema"].as_str().expect("a path");
        let schema = schemas.get(path).expect("it is served");
        holds(schema, data).unwrap_or_else(|fault| panic!("{fault}: {event}"));
        *seen
            .entry(event["type"].as_str().expect("a text").to_owned())
            .or_default() += 1;
    }
    assert!(10 <= seen.len(), "{seen:?}");
    let of_location = |event: &&Value| event["type"] == "holdfast.location.configured.v1";
    let closed = events.iter().find(of_location).expect("it was closed");
    assert_eq!(closed["partitionkey"], "STORE");
    assert_eq!(closed["data"]["selling"], false);
    assert_eq!(closed["data"]["reason"], "stocktaking");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_what_happens_and_is_resumed_where_it_broke() {
    let service = Service::start().await;
    let mut live = listen(&service, "/v1/events", None).await;
    // It says where it is at once.
    let first = heard(&mut live).await;
    assert!(!first.id.is_empty() && first.data.is_empty());
    morning(&service).await;
    let (whole, _) = all(&service, "", 1_000).await;
    let told: Vec<&Value> = whole
        .iter()
        .filter(|event| event["type"] != "holdfast.shard.resumed.v1")
        .collect();
    let (events, _) = events_of(&mut live, told.len()).await;
    assert_eq!(events.len(), told.len());
    assert_eq!(fold(&BTreeMap::new(), &events), state(&service).await);

    // Broken off at any message, it goes on from there: nothing is lost.
    for batch in ["", "&batch=1", "&batch=3", "&batch=1000"] {
        let path = format!("/v1/events?after=earliest{batch}");
        let mut seen = BTreeMap::<String, Value>::new();
        let mut after: Option<String> = None;
        while seen.len() < whole.len() {
            let mut stream = listen(&service, &path, after.as_deref()).await;
            let (events, id) = events_of(&mut stream, 5.min(whole.len() - seen.len())).await;
            for event in events {
                seen.insert(event["id"].to_string(), event);
            }
            after = Some(id);
        }
        let ids: Vec<String> = seen.keys().cloned().collect();
        let mut expected: Vec<String> = whole.iter().map(|event| event["id"].to_string()).collect();
        expected.sort();
        assert_eq!(ids, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_let_through_what_was_asked_for_and_cursors_still_move_on() {
    let service = Service::start().await;
    morning(&service).await;
    let (whole, _) = all(&service, "", 1_000).await;
    let wanted = "&types=stock.received,holdfast.reservation.confirmed.v1&sku=TEE";
    let (some, _) = all(&service, wanted, 2).await;
    let expected = whole.iter().filter(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        event["subject"] == "TEE"
            && (kind.contains("received") || kind.contains("reservation.confirmed"))
    });
    assert_eq!(some, expected.cloned().collect::<Vec<_>>());
    assert!(!some.is_empty());

    let service = Service::start_with(|config| {
        config.events.heartbeat_ms = holdfast::config::Millis(100);
    })
    .await;
    let mut quiet = listen(&service, "/v1/events?sku=NONE", None).await;
    let before = heard(&mut quiet).await.id;
    morning(&service).await;
    loop {
        let message = heard(&mut quiet).await;
        assert!(message.data.is_empty(), "{message:?}");
        if message.id != before {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_snapshot_adds_up_to_the_state() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    let empty = text(&service, "/v1/snapshot").await;
    assert_eq!(empty.lines().count(), 2, "{empty}");
    morning(&service).await;
    let whole = text(&service, "/v1/snapshot").await;
    let lines: Vec<Value> = whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let cursor = lines[0]["cursor"].as_str().expect("a cursor");
    assert_eq!(lines.last(), Some(&json!({"end": true, "skus": 2})));
    let mut then = BTreeMap::new();
    for line in &lines[1..lines.len() - 1] {
        let sku = line["sku"].as_str().expect("a name");
        then.insert(sku.to_owned(), line["stock"].clone());
    }
    assert_eq!(then, state(&service).await);
    // More happens, and follows on it without a gap.
    for round in 0..5 {
        let body = json!({"lines": [{"sku": "TEE", "qty": 1}, {"sku": "MUG", "qty": 1}]});
        let key = format!("later-{round}");
        post(&mut talk, "/v1/reservations", &key, &body).await;
    }
    let page = talk
        .get(&format!("/v1/events?limit=1000&after={cursor}"))
        .quietly()
        .await;
    let events = page.body["items"].as_array().expect("a list");
    assert!(!events.is_empty());
    assert_eq!(fold(&then, events), state(&service).await);
    let some = text(&service, "/v1/snapshot?prefix=M").await;
    assert_eq!(some.lines().count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_that_are_not_of_here_are_refused_with_a_reason() {
    let (service, other) = (Service::start().await, Service::start().await);
    let mut talk = service.talk().await;
    let foreign = all(&other, "", 10).await.1;
    let mut future = all(&service, "", 10).await.1;
    // The last sequence, one further: a hexadecimal digit of a small number.
    let last = future.pop().expect("it is not empty");
    let next = char::from_digit(last.to_digit(16).expect("a digit") + 1, 16);
    future.push(next.expect("a small number"));
    for (cursor, word) in [
        (foreign.as_str(), "another data directory"),
        (future.as_str(), "ahead of the ledgers"),
        ("zz", "no cursor"),
        ("", "no cursor"),
    ] {
        let page = talk
            .get(&format!("/v1/events?after={cursor}"))
            .quietly()
            .await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{cursor}");
        let detail = page.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(word), "{detail}");
        let stream = Listening::begin(&target(&service), "/v1/events", Some(cursor)).await;
        let Err(Silent::Refused(problem)) = stream else {
            panic!("{cursor} was taken");
        };
        assert_eq!(problem.code, "invalid-request");
    }
    for (query, field, word) in [
        (
            "events?types=stock.stolen",
            "types",
            "\"stock.stolen\" is no type",
        ),
        ("events?types=", "types", "it names nothing"),
        ("events?types=stock.low,", "types", "\"\" is no type"),
        ("events?sku=%20", "sku", "it names nothing"),
        ("events?sku=-", "sku", "\"-\" is no SKU"),
        ("events?batch=5", "batch", "pages take `limit`"),
        ("events?limit=0", "limit", "0 is not 1 to 1000"),
        (
            "events?limit=-1",
            "limit",
            "expected a whole number, 0 or more",
        ),
        ("events?x=1", "x", "unknown field"),
        ("availability/stream?skus=", "skus", "it names nothing"),
        ("availability/stream?skus=TEE,-", "skus", "\"-\" is no SKU"),
    ] {
        let page = talk.get(&format!("/v1/{query}")).quietly().await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
        let said = page.body["detail"].as_str().unwrap_or_default();
        assert_eq!(page.body["field"], field, "{query}: {said}");
        assert!(said.contains(word), "{query}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_have_a_bound_and_give_their_places_back() {
    let service = Service::start_with(|config| config.events.streams_max = 2).await;
    let first = listen(&service, "/v1/events", None).await;
    let mut second = listen(&service, "/v1/availability/stream?skus=TEE", None).await;
    assert_eq!(heard(&mut second).await.event, "unknown");
    let refused = Listening::begin(&target(&service), "/v1/events", None).await;
    let Err(Silent::Refused(problem)) = refused else {
        panic!("a third was let in");
    };
    assert_eq!(problem.code, "too-many-streams");
    drop(first);
    for _ in 0..500 {
        if Listening::begin(&target(&service), "/v1/events", None)
            .await
            .is_ok()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place was not given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_page_hears_the_latest_availability_and_not_every_event() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 500).await;
    let path = "/v1/availability/stream?skus=TEE,NONE&interval_ms=300";
    let mut page = listen(&service, path, None).await;
    let first: Value = serde_json::from_str(&heard(&mut page).await.data).expect("JSON");
    assert_eq!(
        (&first["sku"], &first["available"]),
        (&json!("TEE"), &json!(500))
    );
    assert_eq!(heard(&mut page).await.event, "unknown");
    for round in 0..100 {
        let body = json!({"lines": [{"sku": "TEE", "qty": 1}]});
        let key = format!("r{round}");
        post(&mut talk, "/v1/reservations", &key, &body).await;
    }
    let mut messages = 0;
    loop {
        let message = heard(&mut page).await;
        messages += 1;
        let told: Value = serde_json::from_str(&message.data).expect("JSON");
        if told["available"] == 400 {
            break;
        }
    }
    assert!(messages < 50, "{messages} messages for 100 reserves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_skus_and_availability_have_a_tag_until_something_changes() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    let body = r#"{"skus":["TEE","NONE"]}"#;
    for path in ["/v1/skus?prefix=T", "/v1/availability"] {
        let (method, body) = if path.contains('?') {
            (Method::GET, "")
        } else {
            (Method::POST, body)
        };
        let first = talk.ask(method.clone(), path).json(body).quietly().await;
        let tag = first.headers["etag"].to_str().expect("a text").to_owned();
        assert!(tag.starts_with("W/"), "{tag}");
        let again = talk.ask(method.clone(), path).json(body);
        let again = again.header("if-none-match", &tag).quietly().await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        talk.reserved(path, r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
            .await;
        let later = talk.ask(method, path).json(body);
        let later = later.header("if-none-match", &tag).quietly().await;
        assert_eq!(later.status, StatusCode::OK, "{path}");
    }
}
