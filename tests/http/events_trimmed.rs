//! Events that retention has overtaken: whoever comes back too late is told at once, and so is who
//! was too slow on the way.

use std::time::Duration;

use holdfast::client::listen::{Listening, Silent};
use holdfast::config::{Bytes, Config, Millis};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::Service;
use crate::talk::Talk;

fn trims(config: &mut Config) {
    config.data.journal_trim = true;
    config.data.journal_kept_ms = Millis(1_000);
    config.data.snapshot_after_events = 200;
    config.archive.enabled = false;
    config.events.ring_bytes = Bytes(65_536);
    config.http.write_timeout_ms = Millis(600_000);
}

/// Movements that a shard takes at once.
const MESSAGE: usize = 200;

/// Books receipts of a SKU.
async fn book(talk: &mut Talk, sku: &str, round: usize) {
    let operation = |number: usize| {
        json!({"op": "movement", "key": format!("{sku}-{round}-{number}"), "sku": sku,
            "kind": "receive", "qty": 1, "document": "delivery note 4711"})
    };
    let operations: Vec<Value> = (0..MESSAGE).map(operation).collect();
    let body = json!({"operations": operations}).to_string();
    let asked = talk.ask(Method::POST, "/v1/batch").json(&body);
    let answer = asked.quietly().await;
    let results = answer.body["results"].as_array().expect("a list");
    let is_done = |result: &Value| result["status"] == 201;
    assert!(results.iter().all(is_done), "{}", answer.body);
}

/// The cursor behind everything so far.
async fn latest(talk: &mut Talk) -> String {
    let page = talk.get("/v1/events?after=latest&limit=1").quietly().await;
    let cursor = page.body["next_cursor"].as_str();
    cursor.expect("it is always there").to_owned()
}

/// Books on, second by second, until what follows the cursor was trimmed; the answer that says so.
async fn overtaken(service: &Service, talk: &mut Talk, sku: &str, cursor: &str) -> Value {
    let path = format!("/v1/events?limit=1000&after={cursor}");
    for round in 1_000..2_000 {
        let page = talk.get(&path).quietly().await;
        if page.status == 410 {
            return page.body;
        }
        service.advance(1_000);
        book(talk, sku, round).await;
    }
    panic!("nothing is trimmed");
}

/// Reads on until this was heard, and leaves what follows its beginning. A stream never ends by
/// itself, so there is a time after which it is not believed to come.
async fn until(stream: &mut TcpStream, heard: &mut String, words: &str) {
    let reading = tokio::time::timeout(Duration::from_mins(5), read(stream, heard, words));
    reading
        .await
        .unwrap_or_else(|_| panic!("{words:?} was not heard"));
}

async fn read(stream: &mut TcpStream, heard: &mut String, words: &str) {
    let mut piece = [0; 4_096];
    loop {
        if let Some(at) = heard.find(words) {
            heard.drain(..at);
            return;
        }
        heard.drain(..heard.len().saturating_sub(words.len()));
        let length = stream.read(&mut piece).await.expect("it goes on");
        assert_ne!(length, 0, "the stream ended before {words:?}");
        heard.push_str(std::str::from_utf8(&piece[..length]).expect("all of it is ASCII"));
    }
}

/// A page of one event told of the shard that came first, again and again: that another had lost
/// what follows the cursor was heard once the first one's events were over, which may be never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_has_expired_on_one_shard_is_told_before_the_events_of_the_others() {
    let service = Service::start_with(trims).await;
    let mut talk = service.talk().await;
    let mut skus = service.skus_of_two_shards();
    skus.sort_by_key(|sku| service.shard_of(sku));
    let [first, trimmed] = skus;
    for sku in [&first, &trimmed] {
        talk.configured(sku, "{}").await;
    }
    let cursor = latest(&mut talk).await;
    book(&mut talk, &first, 0).await;
    let expired = overtaken(&service, &mut talk, &trimmed, &cursor).await;
    assert_eq!(expired["code"], "cursor-expired");
    let page = talk.get(&format!("/v1/events?limit=1&after={cursor}"));
    let page = page.quietly().await;
    assert_eq!(page.status, 410, "{}", page.body);
    let target = format!("http://{}", service.data);
    let target = target.parse().expect("an address");
    for path in ["/v1/events?after=", "/v1/events?batch=1&after="] {
        let stream = Listening::begin(&target, &format!("{path}{cursor}"), None).await;
        let Err(Silent::Refused(problem)) = stream else {
            panic!("{path}: a stream begins with a gap");
        };
        assert_eq!(problem.code, "cursor-expired");
    }
    // From where it says on, nothing of the others is lost.
    let earliest = page.body["earliest"].as_str().expect("a cursor");
    let page = talk.get(&format!("/v1/events?limit=1&after={earliest}"));
    let page = page.quietly().await.body;
    assert_eq!(page["items"][0]["subject"], json!(first), "{page}");
    let page = talk
        .get("/v1/events?limit=1&after=earliest")
        .quietly()
        .await;
    assert_eq!(page.status, 200, "{}", page.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_retention_overtakes_says_gap_and_goes_on_behind_it() {
    let service = Service::start_with(trims).await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let cursor = latest(&mut talk).await;
    // More than all that lies between a listener and the journal can hold; all within the second
    // that journals keep, so that nothing is trimmed yet.
    for round in 0..50 {
        book(&mut talk, "TEE", round).await;
    }
    let end = latest(&mut talk).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small one");
    let mut stream = socket.connect(service.data).await.expect("it listens");
    let ask = format!(
        "GET /v1/events?after={cursor} HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.expect("it is short");
    // It is open once it says where it begins; from here on it is not read.
    let mut heard = String::new();
    until(&mut stream, &mut heard, "heartbeat").await;
    overtaken(&service, &mut talk, "TEE", &end).await;
    until(&mut stream, &mut heard, "event: gap\n").await;
    until(&mut stream, &mut heard, "\"code\":\"cursor-expired\"").await;
    // Behind the gap it is told again.
    until(
        &mut stream,
        &mut heard,
        "event: holdfast.stock.received.v1\n",
    )
    .await;
}
