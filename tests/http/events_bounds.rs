//! Events under strain: forged cursors, slow listeners, a shard that is damaged, filters that let
//! little through, and the end of the server. Nobody else may notice.

use std::time::Duration;

use holdfast::client::listen::{Listening, Message, Silent};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::Service;
use crate::talk::Talk;

async fn listen(service: &Service, path: &str) -> Listening {
    let target = format!("http://{}", service.data);
    let target = target.parse().expect("an address");
    let listening = Listening::begin(&target, path, None).await;
    listening.expect("the stream opens")
}

async fn heard(stream: &mut Listening) -> Result<Message, Silent> {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.next());
    next.await.expect("a message comes, or the end")
}

/// The next message that says something.
async fn told(stream: &mut Listening) -> Value {
    loop {
        let message = heard(stream).await.expect("the stream goes on");
        if !message.data.is_empty() {
            return serde_json::from_str(&message.data).expect("it is JSON");
        }
    }
}

/// Movements that a shard takes at once.
const MESSAGE: usize = 200;

/// Books `count` receipts of a SKU.
async fn receive(talk: &mut Talk, sku: &str, count: usize) {
    for begin in (0..count).step_by(MESSAGE) {
        let operation = |number: usize| {
            json!({"op": "movement", "key": format!("{sku}-{number}"), "sku": sku,
                "kind": "receive", "qty": 1, "document": "delivery note 4711"})
        };
        let operations: Vec<Value> = (begin..count.min(begin + MESSAGE)).map(operation).collect();
        let body = json!({"operations": operations}).to_string();
        let answer = talk.ask(Method::POST, "/v1/batch").json(&body);
        let answer = answer.quietly().await;
        let results = answer.body["results"].as_array().expect("a list");
        assert!(
            results.iter().all(|result| result["status"] == 201),
            "{}",
            answer.body
        );
    }
}

/// A listener that asks for everything and takes nothing.
async fn stuck(service: &Service) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small one");
    let mut stream = socket.connect(service.data).await.expect("it listens");
    let ask = "GET /v1/events?after=earliest HTTP/1.1\r\nhost: a\r\n\
               accept: text/event-stream\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("it is short");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_made_up_for_another_number_of_shards_is_refused_everywhere() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let page = talk.get("/v1/events").quietly().await.body;
    let own = page["next_cursor"].as_str().expect("a cursor");
    // Version and cluster are the first nine bytes; what follows says how many shards there are.
    for shards in ["00", "0100", "03000000", "7f00", "ffff0300"] {
        let forged = format!("{}{shards}", &own[..18]);
        let page = talk.get(&format!("/v1/events?after={forged}"));
        let page = page.quietly().await;
        assert_eq!(
            page.status,
            StatusCode::BAD_REQUEST,
            "{shards}: {}",
            page.body
        );
        assert_eq!(page.body["field"], "after", "{}", page.body);
        let body = json!({ "cursor": forged }).to_string();
        let consumer = talk.put("/v1/consumers/a", &body).quietly().await;
        assert_eq!(consumer.status, StatusCode::BAD_REQUEST, "{shards}");
        let body = json!({"url": "http://1.1.1.1/", "after": forged}).to_string();
        let webhook = talk.post("/v1/webhooks", shards, &body).quietly().await;
        assert_eq!(webhook.status, StatusCode::BAD_REQUEST, "{shards}");
    }
}

/// A place among those that read the journal was held for as long as a listener took nothing, a
/// receiver was away or a shard was damaged: four of them, and nobody caught up any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_that_take_nothing_keep_nobody_from_catching_up() {
    let service = Service::start_with(|config| {
        config.events.catch_up_max = 1;
        config.events.ring_bytes = holdfast::config::Bytes(65_536);
        config.http.write_timeout_ms = holdfast::config::Millis(600_000);
    })
    .await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    receive(&mut talk, "TEE", 10_000).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(stuck(&service).await);
    }
    // Each of them is stuck with the journal half read before the page is asked for.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..3 {
        let page = talk.get("/v1/events?after=earliest&limit=1000");
        let page = page.quietly().await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(page.body["items"].as_array().map(Vec::len), Some(1_000));
    }
    drop(all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_damaged_shard_keep_nobody_from_those_of_the_others() {
    let first = Service::start().await;
    let [whole, broken] = first.skus_of_two_shards();
    let mut talk = first.talk().await;
    for sku in [&whole, &broken] {
        talk.configured(sku, "{}").await;
    }
    let (directory, _) = first.stop_and_damage(&broken).await;
    let service = Service::start_in(directory, |config| config.events.catch_up_max = 1).await;
    let mut talk = service.talk().await;
    let path = format!("/v1/events?after=earliest&sku={whole}");
    let page = talk.get(&path).quietly().await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(
        page.body["items"][0]["subject"],
        json!(whole),
        "{}",
        page.body
    );
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(listen(&service, &path).await);
    }
    for stream in &mut streams {
        assert_eq!(told(stream).await["subject"], json!(whole));
    }
    receive(&mut talk, &whole, 1).await;
    for stream in &mut streams {
        assert_eq!(told(stream).await["type"], "holdfast.stock.received.v1");
    }
}

/// A page went on until it was full, and was out of time before that where a filter let little
/// through: it never got further.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_few_events_among_many_ends_early_and_says_how_far_it_is() {
    let service = Service::start_with(|config| config.events.scan_max = 1).await;
    let mut talk = service.talk().await;
    let skus = service.skus_of_two_shards();
    for sku in &skus {
        talk.configured(sku, "{}").await;
        receive(&mut talk, sku, 100).await;
    }
    let (mut after, mut pages) = ("earliest".to_owned(), 0);
    loop {
        let page = talk.get(&format!("/v1/events?sku=NONE&after={after}"));
        let page = page.quietly().await.body;
        assert_eq!(page["items"], json!([]));
        pages += 1;
        if page["lag"] == 0 {
            break;
        }
        let next = page["next_cursor"].as_str().expect("a cursor");
        assert_ne!(next, after, "it does not move");
        next.clone_into(&mut after);
    }
    assert!(1 < pages, "one page looked at everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_page_hears_when_the_last_unit_was_paid_for() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 1).await;
    let mut page = listen(&service, "/v1/availability/stream?skus=TEE&interval_ms=50").await;
    assert_eq!(told(&mut page).await["available"], 1);
    let id = talk
        .reserved("r", r#"{"lines":[{"sku":"TEE","qty":1}]}"#)
        .await;
    let held = told(&mut page).await;
    assert!(held["depleted_at"].is_string(), "{held}");
    assert_eq!(held["sold_out_at"], Value::Null);
    let path = format!("/v1/reservations/{id}/confirm");
    talk.post(&path, "c", "{}").quietly().await;
    assert!(told(&mut page).await["sold_out_at"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_server_does_and_a_listener_knows_that_nothing_broke() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let mut quiet = listen(&service, "/v1/events").await;
    heard(&mut quiet).await.expect("where it begins");
    let mut page = listen(&service, "/v1/availability/stream?skus=TEE").await;
    told(&mut page).await;
    let ended = tokio::spawn(async move { service.stop().await });
    for stream in [&mut quiet, &mut page] {
        let end = heard(stream).await;
        assert!(matches!(end, Err(Silent::Ended)), "{end:?}");
    }
    ended.await.expect("it ends");
}
