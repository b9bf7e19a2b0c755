//! `kill -9` on the server and on the store, at random: every event is in the files exactly once, and
//! added up they are the stock.

#[path = "../../../tests/crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "../../tests/shop.rs"]
mod shop;

use serde_json::Value;
use server::Server;
use shop::{Counters, FORGETFUL, Follower, Shop, await_equal, counters_of, kill_at_random};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast-analytics");

#[test]
fn every_event_is_in_the_files_exactly_once_after_forty_kills() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = directory.path().join("events");
    let mut server = Server::start();
    let mut shop = Shop::new(&server);
    shop.trade(100);
    let mut follower = follow(&folder, &server);
    kill_at_random(&mut server, &mut follower, &mut shop, told, || {
        Stored::read(&folder).ids
    });
    let stored = Stored::read(&folder);
    assert_eq!(Vec::from_iter(stored.stock), shop.stock());
    assert_eq!(stored.gaps, 0);
}

#[test]
fn a_store_that_missed_too_much_goes_on_after_another_snapshot() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = directory.path().join("events");
    let server = Server::start_with(&FORGETFUL);
    let mut shop = Shop::new(&server);
    shop.trade(30);
    let mut follower = follow(&folder, &server);
    await_equal(|| told(&mut shop), || Stored::read(&folder).ids);
    follower.kill();
    shop.trade_until_forgotten(&Stored::read(&folder).cursor);
    follower.restart();
    let stock = || Vec::from_iter(Stored::read(&folder).stock);
    await_equal(|| shop.stock(), stock);
    shop.trade(30);
    await_equal(|| shop.stock(), stock);
    let stored = Stored::read(&folder);
    assert!(0 < stored.gaps);
    let once: BTreeSet<&String> = stored.ids.iter().collect();
    assert_eq!(once.len(), stored.ids.len(), "{:?}", stored.ids);
}

fn follow(folder: &Path, server: &Server) -> Follower {
    let mut command = Command::new(PROGRAM);
    command.arg("follow").arg(folder);
    command.args([&format!("http://{}", server.address()), "0.02"]);
    Follower::start(command)
}

/// The ids of all events that the server tells, sorted.
fn told(shop: &mut Shop) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), "earliest".to_owned());
    loop {
        let (status, page) = shop.get(&format!("/v1/events?limit=1000&after={after}"));
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().expect("a list");
        if items.is_empty() {
            ids.sort();
            return ids;
        }
        ids.extend(items.iter().map(|event| text(&event["id"])));
        after = text(&page["next_cursor"]);
    }
}

/// What the files have, read in their order.
#[derive(Default)]
struct Stored {
    /// Sorted, with repeats.
    ids: Vec<String>,
    stock: BTreeMap<String, Counters>,
    /// Snapshots after something was missed.
    gaps: u64,
    cursor: String,
}

impl Stored {
    fn read(folder: &Path) -> Self {
        let mut stored = Self::default();
        let Ok(files) = fs::read_dir(folder) else {
            return stored;
        };
        let names = files.map(|file| file.expect("it is there").path());
        let mut names: Vec<_> = names.collect();
        names.retain(|name| name.extension().is_some_and(|end| end == "ndjson"));
        names.sort();
        for name in names {
            for row in fs::read_to_string(name).expect("it is text").lines() {
                stored.take(&serde_json::from_str(row).expect("a row is JSON"));
            }
        }
        stored.ids.sort();
        stored
    }

    fn take(&mut self, row: &Value) {
        if row["id"].is_string() {
            self.ids.push(text(&row["id"]));
        } else if row["cursor"].is_string() {
            self.gaps += 1;
        }
        if row["cursor"].is_string() {
            self.cursor = text(&row["cursor"]);
        }
        if row["data"]["after"].is_object() {
            let counters = counters_of(&row["data"]["after"]);
            self.stock.insert(text(&row["subject"]), counters);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
