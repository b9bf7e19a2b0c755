//! What was told somewhere, compared with what the server tells by pages.

use crate::server::{Server, Talk};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const SKUS: u64 = 7;
/// Receipts at least, so that both shards have many.
const ENOUGH: u64 = 300;

/// Events, as they were told.
#[derive(Clone, Default)]
pub(crate) struct Told {
    /// Every event by its id, whole.
    pub(crate) events: BTreeMap<String, Value>,
    /// Ids by partition key, in order, with repeats.
    pub(crate) in_order: BTreeMap<String, Vec<String>>,
}

impl Told {
    /// All that a server tells.
    pub(crate) fn by_pages(address: &str) -> Self {
        let mut talk = Talk::new(address.to_owned());
        let mut told = Self::default();
        let mut after = "earliest".to_owned();
        loop {
            let path = format!("/v1/events?limit=500&after={after}");
            let (status, page) = talk.until_answered("GET", &path, None, &Value::Null);
            assert_eq!(status, 200, "{page}");
            let next = page["next_cursor"].as_str().expect("a cursor");
            next.clone_into(&mut after);
            let items = page["items"].as_array().expect("a list");
            if items.is_empty() {
                return told;
            }
            for event in items {
                told.take(event);
            }
        }
    }

    pub(crate) fn take(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().expect("a text").to_owned();
        let (id, key) = (text("id"), text("partitionkey"));
        self.in_order.entry(key).or_default().push(id.clone());
        let known = self.events.entry(id).or_insert_with(|| event.clone());
        assert_eq!(known, event, "it was told twice, and not the same");
    }

    /// Every event is there once, whole and in order.
    pub(crate) fn is_exactly(&self, expected: &Self) {
        self.has_all_of(expected);
        for (key, ids) in &expected.in_order {
            assert_eq!(self.in_order.get(key), Some(ids), "{key}");
        }
    }

    /// The same, where an event may be there again.
    pub(crate) fn is_with_repeats(&self, expected: &Self) {
        self.has_all_of(expected);
        for (key, ids) in &expected.in_order {
            let mut seen = BTreeSet::new();
            let told = self.in_order[key].iter();
            let first: Vec<&String> = told.filter(|id| seen.insert(*id)).collect();
            assert_eq!(first, ids.iter().collect::<Vec<_>>(), "{key}");
        }
    }

    fn has_all_of(&self, expected: &Self) {
        for (id, event) in &expected.events {
            assert_eq!(self.events.get(id), Some(event), "{id}");
        }
        let more = self
            .events
            .keys()
            .find(|id| !expected.events.contains_key(*id));
        assert_eq!(more, None, "nobody else tells it");
    }
}

/// What the only sink of a server says of itself.
pub(crate) fn sink_of(server: &Server) -> Value {
    let mut admin = Talk::new(server.admin());
    let (_, page) = admin.until_answered("GET", "/v1/admin/sinks", None, &Value::Null);
    page["items"][0].clone()
}

/// Why the only sink of a server takes nothing, once it is this.
pub(crate) fn error_of(server: &Server, is_it: impl Fn(&str) -> bool) -> String {
    let mut error = String::new();
    until(|| {
        let sink = sink_of(server);
        let why = sink["error"].as_str().unwrap_or_default();
        why.clone_into(&mut error);
        is_it(&error)
    });
    error
}

/// Movements from several sides while something is killed again and again, at random; what the server
/// tells when that is over.
pub(crate) fn disturbed(
    server: &mut Server,
    times: u64,
    mut disturb: impl FnMut(&mut Server, u64),
) -> Told {
    let mut talk = Talk::new(server.address());
    for number in 0..SKUS {
        let sku = format!("SKU-{number}");
        let path = format!("/v1/skus/{sku}");
        let (status, _) = talk.until_answered("PUT", &path, Some(&sku), &json!({}));
        assert!(status < 300, "{status}");
    }
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let receivers: Vec<_> = (0..3)
        .map(|number| {
            let (address, over) = (server.address(), Arc::clone(&over));
            let done = Arc::clone(&done);
            thread::spawn(move || receive(&mut Talk::new(address), number, &over, &done))
        })
        .collect();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..times {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        thread::sleep(Duration::from_millis(50 + random % 400));
        disturb(server, random);
    }
    // On a slow machine it takes longer until enough has happened.
    until(|| ENOUGH <= done.load(Ordering::Relaxed));
    over.store(true, Ordering::Relaxed);
    for receiver in receivers {
        receiver.join().expect("they finish");
    }
    Told::by_pages(&server.address())
}

/// Receipts, and carts of several SKUs, of which one record tells several events.
fn receive(talk: &mut Talk, number: u64, over: &AtomicBool, done: &AtomicU64) {
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let sku = |ahead: u64| format!("SKU-{}", (number + round + ahead) % SKUS);
        let (key, body) = (
            format!("m-{number}-{round}"),
            json!({"kind": "receive", "qty": 1}),
        );
        let path = format!("/v1/skus/{}/movements", sku(0));
        let (status, _) = talk.until_answered("POST", &path, Some(&key), &body);
        assert_eq!(status, 201);
        done.fetch_add(1, Ordering::Relaxed);
        if round.is_multiple_of(3) {
            let lines: Vec<Value> = (0..4)
                .map(|ahead| json!({"sku": sku(ahead), "qty": 1}))
                .collect();
            let body = json!({"order_ref": key, "ttl_ms": 600_000, "lines": lines});
            let key = format!("r-{number}-{round}");
            let (status, _) = talk.until_answered("POST", "/v1/reservations", Some(&key), &body);
            assert!(status == 201 || status == 409, "{status}");
        }
    }
}

/// Waits for something to come true.
pub(crate) fn until(mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "it never came true");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A port that is free just now, and below those that the system gives to connections by itself: while
/// a program that was killed is not back, any connection of anybody could take one of those.
pub(crate) fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let given = range
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok());
    let given: u16 = given.unwrap_or(32_768);
    for _ in 0..1_000 {
        let random = RandomState::new().build_hasher().finish();
        let port = 10_000 + (random % 20_000) as u16;
        if port < given && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    listener.local_addr().expect("it is bound").port()
}

/// Another program that is killed and started again.
pub(crate) struct Other {
    command: Command,
    child: Child,
}

impl Other {
    /// Starts it; says so and gives nothing where it is not installed.
    pub(crate) fn start(mut command: Command) -> Option<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { command, child }),
            Err(error) => {
                let program = command.get_program().display();
                eprintln!("skipped: {program} can't be started here ({error})");
                None
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = self.command.spawn().expect("it was started before");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}
