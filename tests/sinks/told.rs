//! What was told somewhere, compared with what the server tells by pages.

use crate::server::{Server, Talk};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const SKUS: u64 = 7;

/// Events, as they were told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Every event's id.
    pub(crate) ids: BTreeSet<String>,
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
            let items = page["items"].as_array().expect("a list");
            for event in items {
                told.take(event);
            }
            if items.is_empty() {
                return told;
            }
            page["next_cursor"]
                .as_str()
                .expect("a cursor")
                .clone_into(&mut after);
        }
    }

    pub(crate) fn take(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().expect("a text").to_owned();
        self.ids.insert(text("id"));
        self.in_order
            .entry(text("partitionkey"))
            .or_default()
            .push(text("id"));
    }

    /// By partition key, each event where it was told first.
    pub(crate) fn without_repeats(&self) -> BTreeMap<String, Vec<String>> {
        let first = |ids: &Vec<String>| -> Vec<String> {
            let mut seen = BTreeSet::new();
            let first = ids.iter().filter(|id| seen.insert(*id));
            first.cloned().collect()
        };
        let keys = self.in_order.iter();
        keys.map(|(key, ids)| (key.clone(), first(ids))).collect()
    }
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
    let receivers: Vec<_> = (0..3)
        .map(|number| {
            let (address, over) = (server.address(), Arc::clone(&over));
            thread::spawn(move || receive(&mut Talk::new(address), number, &over))
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
    over.store(true, Ordering::Relaxed);
    for receiver in receivers {
        receiver.join().expect("they finish");
    }
    let told = Told::by_pages(&server.address());
    assert!(100 < told.ids.len(), "too little happened");
    told
}

fn receive(talk: &mut Talk, number: u64, over: &AtomicBool) {
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let path = format!("/v1/skus/SKU-{}/movements", (number + round) % SKUS);
        let body = json!({"kind": "receive", "qty": 1});
        let key = format!("m-{number}-{round}");
        let (status, _) = talk.until_answered("POST", &path, Some(&key), &body);
        assert_eq!(status, 201);
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

/// A port that is free just now.
pub(crate) fn free_port() -> u16 {
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
