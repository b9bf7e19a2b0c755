//! `kill -9` on server and consumer, at random, fifty times: what the consumer has folded is the
//! state, without a gap, and in order per SKU.
//!
//! The consumer is this test again as a process. It folds the stream and keeps state and cursor in
//! one file that it replaces whole, as a projection does with its database; what it is told twice it
//! knows by its sequence. Half of its lives it listens to the stream, half it asks for pages. Beside
//! it the server carries events into files, which add up to the same.

#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;

use holdfast::client::Target;
use holdfast::client::listen::Listening;
use serde_json::{Map, Value, json};
use server::{Server, Talk};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KILLS: u64 = 50;
const BUYERS: u64 = 4;
const SKUS: [&str; 6] = ["HOT-1", "TEE-2", "MUG-3", "CAP-4", "SOCK-5", "HAT-6"];
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a consumer keeps what it knows; set where this test plays the consumer.
const FILE: &str = "HOLDFAST_TEST_CONSUMER_FILE";
const SERVER: &str = "HOLDFAST_TEST_CONSUMER_SERVER";
const PAGES: &str = "HOLDFAST_TEST_CONSUMER_PAGES";

#[test]
fn what_a_consumer_has_folded_is_the_state_after_fifty_kills() {
    if let Some(file) = std::env::var_os(FILE) {
        return consume(&PathBuf::from(file));
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("consumer.json");
    let out = directory.path().join("out");
    let mut server = Server::start_with(&[
        ("SINKS_NDJSON_DIR", &out.display().to_string()),
        ("SINKS_NDJSON_ROTATE_BYTES", "200000"),
        ("SINKS_GATHER_MS", "5"),
    ]);
    stock(&mut Talk::new(server.address()));
    let over = Arc::new(AtomicBool::new(false));
    let sold = Arc::new(AtomicU64::new(0));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|buyer| {
            let (address, over, sold) = (server.address(), Arc::clone(&over), Arc::clone(&sold));
            thread::spawn(move || shop(&mut Talk::new(address), buyer, &over, &sold))
        })
        .collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut consumer = start(&server, &file, false);
    let mut kills = [0, 0];
    for round in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        thread::sleep(Duration::from_millis(20 + random % 200));
        // A consumer that came upon a gap has ended by itself.
        let ended = consumer.try_wait().expect("it is ours");
        assert!(ended.is_none(), "the consumer ended: {ended:?}");
        if random.is_multiple_of(3) {
            kills[0] += 1;
            server.kill();
            server.restart();
        } else {
            kills[1] += 1;
            consumer.kill().expect("it runs");
            consumer.wait().expect("it was killed");
            consumer = start(&server, &file, round.is_multiple_of(2));
        }
    }
    assert!(8 < kills[0] && 8 < kills[1], "kills: {kills:?}");
    over.store(true, Ordering::Relaxed);
    for buyer in buyers {
        buyer.join().expect("buyers finish");
    }
    assert!(200 < sold.load(Ordering::Relaxed), "too little happened");
    let state = state(&mut Talk::new(server.address()));
    let began = Instant::now();
    loop {
        let folded = read(&file);
        if folded["skus"] == state {
            break;
        }
        let ended = consumer.try_wait().expect("it is ours");
        assert!(ended.is_none(), "the consumer ended: {ended:?}");
        assert!(
            began.elapsed() < PATIENCE,
            "folded {}\nstate {state}",
            folded["skus"]
        );
        thread::sleep(Duration::from_millis(50));
    }
    consumer.kill().expect("it runs");
    consumer.wait().expect("it was killed");
    let began = Instant::now();
    while folded_files(&out)["skus"] != state {
        let waited = began.elapsed();
        assert!(
            waited < PATIENCE,
            "files {}\nstate {state}",
            folded_files(&out)["skus"]
        );
        thread::sleep(Duration::from_millis(50));
    }
    server.stop();
    assert_eq!(server.verify(), Some(0));
}

fn start(server: &Server, file: &Path, pages: bool) -> Child {
    let this = std::env::current_exe().expect("a test is a file");
    let mut consumer = Command::new(this);
    consumer
        .args([
            "--nocapture",
            "--exact",
            "what_a_consumer_has_folded_is_the_state_after_fifty_kills",
        ])
        .env(FILE, file)
        .env(SERVER, format!("http://{}", server.address()))
        .stdout(Stdio::null());
    if pages {
        consumer.env(PAGES, "1");
    }
    consumer.spawn().expect("this test starts again")
}

/// A consumer's life: it ends by being killed, or in a panic at a gap.
fn consume(file: &Path) {
    let target: Target = std::env::var(SERVER)
        .expect("the parent says so")
        .parse()
        .expect("an address");
    if std::env::var_os(PAGES).is_some() {
        return page_by_page(file, &target);
    }
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread can wait");
    tokio.block_on(async {
        let mut folded = read(file);
        loop {
            let after = folded["cursor"].as_str().map(str::to_owned);
            let path = "/v1/events?after=earliest&batch=50";
            if let Ok(mut stream) = Listening::begin(&target, path, after.as_deref()).await {
                while let Ok(message) = stream.next().await {
                    if message.event == "batch" {
                        let events: Vec<Value> =
                            serde_json::from_str(&message.data).expect("it is JSON");
                        fold(&mut folded, &events);
                    }
                    folded["cursor"] = message.id.into();
                    write(file, &folded);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

fn page_by_page(file: &Path, target: &Target) {
    let mut folded = read(file);
    let address = target.authority().to_owned();
    let mut talk = Talk::new(address);
    loop {
        let after = folded["cursor"].as_str().unwrap_or("earliest").to_owned();
        let path = format!("/v1/events?limit=40&after={after}");
        let (status, page) = talk.until_answered("GET", &path, None, &Value::Null);
        assert_eq!(status, 200, "{page}");
        let events = page["items"].as_array().expect("a list");
        fold(&mut folded, events);
        folded["cursor"] = page["next_cursor"].clone();
        write(file, &folded);
        if events.is_empty() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Adds events; a gap ends the process.
fn fold(folded: &mut Value, events: &[Value]) {
    for event in events {
        let Some(sku) = event["subject"].as_str() else {
            continue;
        };
        let sequence = event["sequence"].as_str().expect("a text");
        if sequence <= folded["seen"][sku].as_str().unwrap_or_default() {
            continue;
        }
        if let Some(known) = folded["skus"].get(sku) {
            assert_eq!(&event["data"]["before"], known, "a gap before {event}");
        }
        folded["skus"][sku] = event["data"]["after"].clone();
        folded["seen"][sku] = sequence.into();
    }
}

/// What the files of the sink add up to; each SKU's events lie there in order, repeats among them.
fn folded_files(folder: &Path) -> Value {
    let entries = std::fs::read_dir(folder).expect("the sink made it");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it is there").path())
        .collect();
    files.sort();
    let mut folded = json!({"skus": {}, "seen": {}});
    for file in files {
        let text = std::fs::read_to_string(file).expect("it is text");
        // The newest may end in half a line.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events: Vec<Value> = whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        fold(&mut folded, &events);
    }
    folded
}

fn read(file: &Path) -> Value {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).expect("it is replaced whole"),
        Err(_) => json!({"skus": {}, "seen": {}}),
    }
}

fn write(file: &Path, folded: &Value) {
    let next = file.with_extension(format!("{}", std::process::id()));
    std::fs::write(&next, folded.to_string()).expect("the disk takes it");
    std::fs::rename(&next, file).expect("it is the same disk");
}

fn stock(talk: &mut Talk) {
    for sku in SKUS {
        let path = format!("/v1/skus/{sku}");
        let (status, _) = talk.until_answered("PUT", &path, Some(sku), &json!({"low_at": 900}));
        assert!(status < 300, "{status}");
        let path = format!("/v1/skus/{sku}/movements");
        let body = json!({"kind": "receive", "qty": 1_000});
        let (status, _) = talk.until_answered("POST", &path, Some(&format!("s-{sku}")), &body);
        assert_eq!(status, 201);
    }
}

/// Carts of one and of two SKUs, sold, given back or left to expire; and now and then a fact.
fn shop(talk: &mut Talk, buyer: u64, over: &AtomicBool, sold: &AtomicU64) {
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let number = buyer + BUYERS * round;
        let sku = SKUS[number as usize % SKUS.len()];
        let other = SKUS[(number as usize + 1) % SKUS.len()];
        let mut lines = vec![json!({"sku": sku, "qty": 1})];
        if number.is_multiple_of(3) {
            lines.push(json!({"sku": other, "qty": 1}));
        }
        let body = json!({"order_ref": format!("o-{number}"), "ttl_ms": 1_000, "lines": lines});
        let key = format!("r-{number}");
        let (status, made) = talk.until_answered("POST", "/v1/reservations", Some(&key), &body);
        if status == 201 {
            sold.fetch_add(1, Ordering::Relaxed);
            let id = made["id"].as_str().expect("an id");
            let step = match number % 4 {
                0 | 1 => "confirm",
                2 => "release",
                _ => continue,
            };
            let path = format!("/v1/reservations/{id}/{step}");
            talk.until_answered("POST", &path, Some(&format!("{step}-{number}")), &json!({}));
        } else {
            let path = format!("/v1/skus/{sku}/movements");
            let body = json!({"kind": "receive", "qty": 50});
            talk.until_answered("POST", &path, Some(&format!("m-{number}")), &body);
        }
    }
}

/// The counters of all SKUs, once nothing is held any more.
fn state(talk: &mut Talk) -> Value {
    let began = Instant::now();
    loop {
        let mut all = Map::new();
        let mut is_quiet = true;
        for sku in SKUS {
            let path = format!("/v1/skus/{sku}");
            let (_, view) = talk.until_answered("GET", &path, None, &Value::Null);
            is_quiet &= view["reserved"] == 0;
            let mut counters = Map::new();
            counters.insert("available".into(), view["available"].clone());
            for counter in holdfast_core::Counter::ALL {
                counters.insert(counter.name().into(), view[counter.name()].clone());
            }
            all.insert(sku.to_owned(), Value::Object(counters));
        }
        if is_quiet {
            return Value::Object(all);
        }
        assert!(began.elapsed() < PATIENCE, "holds never ended: {all:?}");
        thread::sleep(Duration::from_millis(100));
    }
}
