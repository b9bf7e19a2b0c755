//! What both tests of read models need: a shop that trades while the server that it uses and a
//! follower of that server's events are killed at random.
//!
//! Nothing here waits for a time to pass: what is killed when is a part of how long a follower takes
//! to catch up on this machine, and work is counted.

use crate::server::{Server, Talk};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

const KILLS: u32 = 40;
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that soon forgets what happened, but for those who say how far they are.
pub(crate) const FORGETFUL: [(&str, &str); 3] = [
    ("DATA_JOURNAL_TRIM", "true"),
    ("DATA_JOURNAL_KEPT_MS", "1000"),
    ("DATA_SNAPSHOT_AFTER_EVENTS", "1000"),
];

/// … and that waits for nobody for long.
pub(crate) const HASTY: [(&str, &str); 4] = [
    FORGETFUL[0],
    FORGETFUL[1],
    FORGETFUL[2],
    ("EVENTS_HOLD_EVENTS_MAX", "100"),
];

/// Some of a SKU's counters by their names.
pub(crate) type Counters = BTreeMap<&'static str, i64>;

pub(crate) fn counters_of(stock: &Value) -> Counters {
    let names = ["available", "on_hand", "reserved", "safety_stock", "sold"];
    let counter = |name: &'static str| (name, stock[name].as_i64().expect("a number"));
    names.map(counter).into()
}

/// Trades with a server, call by call.
pub(crate) struct Shop {
    talk: Talk,
    random: u64,
    skus: Vec<String>,
    keys: u64,
}

impl Shop {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            talk: Talk::new(server.address()),
            random: 0x9e37_79b9_7f4a_7c15,
            skus: Vec::new(),
            keys: 0,
        }
    }

    pub(crate) fn random(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % u64::from(below)) as u32
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.random(all.len() as u32) as usize]
    }

    /// So many SKUs are made, stocked, sold and changed. Many are left alone afterwards, so that
    /// nothing repairs what a follower missed.
    pub(crate) fn trade(&mut self, times: u32) {
        for _ in 0..times {
            match self.random(4) {
                0 => self.open(),
                _ if self.skus.is_empty() => self.open(),
                1 => self.receive(),
                2 => self.sell(),
                _ => self.configure(),
            }
        }
    }

    fn open(&mut self) {
        let colour = self.one_of(&["RED", "BLUE", "GREEN"]);
        let sku = format!("TEE-{colour}-N{}", self.skus.len());
        let path = format!("/v1/skus/{sku}");
        self.skus.push(sku);
        self.call("PUT", &path, &json!({}));
        let body = json!({"kind": "receive", "qty": 5});
        self.call("POST", &format!("{path}/movements"), &body);
    }

    fn receive(&mut self) {
        let path = format!("/v1/skus/{}/movements", self.any_sku());
        self.call("POST", &path, &json!({"kind": "receive", "qty": 1}));
    }

    fn sell(&mut self) {
        let body = json!({"order_ref": "O-1", "lines": [{"sku": self.any_sku(), "qty": 2}]});
        let made = self.call("POST", "/v1/reservations", &body);
        // Sold out.
        let Some(id) = made["id"].as_str() else {
            return;
        };
        // Some are left open.
        let end = *self.one_of(&["confirm", "release", "confirm", ""]);
        if !end.is_empty() {
            self.call("POST", &format!("/v1/reservations/{id}/{end}"), &json!({}));
        }
    }

    fn configure(&mut self) {
        let path = format!("/v1/skus/{}", self.any_sku());
        let body = json!({"safety_stock": self.random(3)});
        self.call("PUT", &path, &body);
    }

    fn any_sku(&mut self) -> String {
        let any = self.random(self.skus.len() as u32);
        self.skus[any as usize].clone()
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let (status, answer) = self.talk.until_answered(method, path, Some(&key), body);
        let is_done = status < 300 || (status, path) == (409, "/v1/reservations");
        assert!(is_done, "{method} {path}: {status} {answer}");
        answer
    }

    /// Trades so much that what a journal is trimmed by, a few thousand events at once, ends before it
    /// ends.
    pub(crate) fn trade_much(&mut self) {
        self.trade(30);
        for _ in 0..20 {
            self.receive_many();
        }
    }

    /// Trades until the server has nothing more that follows the cursor.
    pub(crate) fn trade_until_forgotten(&mut self, cursor: &str) {
        let began = Instant::now();
        self.trade(100);
        while self.has_what_follows(cursor) {
            assert!(began.elapsed() < PATIENCE, "the journal was not trimmed");
            self.receive_many();
        }
    }

    /// Whether the server still has what follows the cursor.
    pub(crate) fn has_what_follows(&mut self, cursor: &str) -> bool {
        let path = format!("/v1/events?limit=1000&after={cursor}");
        self.get(&path).0 != 410
    }

    /// No more at once than a shard permits.
    fn receive_many(&mut self) {
        self.keys += 1;
        let operation = |n: u64| {
            json!({"op": "movement", "key": format!("key-{}-{n}", self.keys),
                "sku": self.skus[0], "kind": "receive", "qty": 1})
        };
        let operations: Vec<Value> = (0..200).map(operation).collect();
        self.call("POST", "/v1/batch", &json!({"operations": operations}));
    }

    /// A consumer that says how far it is keeps the journal; once nobody does, it is forgotten.
    pub(crate) fn is_waited_for(&mut self, name: &str, cursor: &str) {
        // Whoever has said nothing is not waited for: that is how long it takes.
        let (_, page) = self.get("/v1/events?after=earliest&limit=1");
        let first = page["next_cursor"].as_str().expect("a cursor").to_owned();
        if first != cursor {
            self.trade_until_forgotten(&first);
        }
        for _ in 0..20 {
            self.receive_many();
        }
        assert!(
            self.has_what_follows(cursor),
            "the journal did not wait for {name}"
        );
        let path = format!("/v1/consumers/{name}");
        let (status, consumer) = self.get(&path);
        assert_eq!(
            (status, &consumer["cursor"]),
            (200, &json!(cursor)),
            "{consumer}"
        );
        assert!(4_000 <= consumer["lag"].as_u64().unwrap_or(0), "{consumer}");
    }

    /// How many SKUs there are now.
    pub(crate) fn size(&self) -> usize {
        self.skus.len()
    }

    /// The server was set back to when there were so many.
    pub(crate) fn set_back(&mut self, size: usize) {
        self.skus.truncate(size);
    }

    /// What the server says of every SKU, by name.
    pub(crate) fn stock(&mut self) -> Vec<(String, Counters)> {
        let (status, page) = self.get("/v1/skus?limit=1000");
        assert_eq!((status, &page["next_cursor"]), (200, &Value::Null));
        let skus = page["items"].as_array().expect("a list").iter();
        let sku = |sku: &Value| sku["sku"].as_str().expect("a name").to_owned();
        skus.map(|view| (sku(view), counters_of(view))).collect()
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, Value) {
        self.talk.until_answered("GET", path, None, &Value::Null)
    }
}

/// Copies a stopped server's data, or puts them back.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("it is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("there is room");
        }
    }
}

/// A process that follows a server, and is killed at the latest when this ends.
pub(crate) struct Follower {
    command: Command,
    child: Child,
    said: PathBuf,
}

impl Follower {
    /// What it says goes behind what is in a file.
    pub(crate) fn start(mut command: Command, said: &Path) -> Self {
        let file = File::options().append(true).create(true).open(said);
        let child = command.stderr(file.expect("it is ours")).spawn();
        Self {
            child: child.expect("it can be started"),
            said: said.to_owned(),
            command,
        }
    }

    pub(crate) fn kill(&mut self) {
        let ended = self.child.try_wait().expect("it is ours");
        assert!(ended.is_none(), "the follower ended by itself: {ended:?}");
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }

    pub(crate) fn restart(&mut self) {
        self.child = self.command.spawn().expect("it was started before");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if panicking() {
            let said = fs::read_to_string(&self.said).unwrap_or_default();
            eprintln!("the follower: {:?}; it said: {said}", self.child.try_wait());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Trades, and kills now the server, now the follower, now both; then lets it catch up.
pub(crate) fn kill_at_random<T: Debug + Ord>(
    server: &mut Server,
    follower: &mut Follower,
    shop: &mut Shop,
    expected: impl Fn(&mut Shop) -> Vec<T>,
    found: impl Fn() -> Vec<T>,
) {
    let mut life = Duration::ZERO;
    for round in 0..KILLS {
        // How long does it take from its start until it has all of it?
        if round % 8 == 0 {
            follower.kill();
            shop.trade(20);
            let began = Instant::now();
            follower.restart();
            await_equal(|| expected(shop), &found);
            life = began.elapsed();
        }
        let times = shop.random(20);
        shop.trade(times);
        let moment = life * shop.random(100) / 100;
        match shop.random(4) {
            0 => {
                sleep(moment);
                server.kill();
                server.restart();
            }
            1 => {
                sleep(moment);
                server.kill();
                follower.kill();
                follower.restart();
                server.restart();
            }
            _ => {
                follower.kill();
                follower.restart();
                sleep(moment);
                follower.kill();
                follower.restart();
            }
        }
    }
    await_equal(|| expected(shop), found);
}

/// Waits until what is found is what is expected, both sorted.
pub(crate) fn await_equal<T: Debug + Ord>(
    mut expected: impl FnMut() -> Vec<T>,
    found: impl Fn() -> Vec<T>,
) {
    let began = Instant::now();
    loop {
        let (expected, found) = (expected(), found());
        if found == expected {
            return;
        }
        if PATIENCE < began.elapsed() {
            let lost: Vec<_> = expected.iter().filter(|one| !found.contains(one)).collect();
            let new: Vec<_> = found.iter().filter(|one| !expected.contains(one)).collect();
            let twice = found.windows(2).filter(|pair| pair[0] == pair[1]);
            let twice: Vec<_> = twice.map(|pair| &pair[0]).collect();
            panic!("lost {lost:?}\nnew {new:?}\ntwice {twice:?}");
        }
        sleep(Duration::from_millis(10));
    }
}
