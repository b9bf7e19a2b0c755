//! `kill -9` on the server and on the store, at random: every event is in the files exactly once, and
//! added up they are the stock.

#[path = "../../../tests/crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "../../tests/shop.rs"]
mod shop;

use serde_json::Value;
use server::Server;
use shop::{
    Counters, FORGETFUL, Follower, HASTY, Shop, await_equal, copy, counters_of, kill_at_random,
};
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
    let server = Server::start_with(&HASTY);
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
    assert!(
        said(&folder).contains("begins again with a snapshot"),
        "{}",
        said(&folder)
    );
}

#[test]
fn the_journal_waits_for_a_store_that_is_away() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = directory.path().join("events");
    let server = Server::start_with(&FORGETFUL);
    let mut shop = Shop::new(&server);
    shop.trade_much();
    let mut follower = follow(&folder, &server);
    await_equal(|| told(&mut shop), || Stored::read(&folder).ids);
    let place = |shop: &mut Shop| vec![text(&shop.get("/v1/consumers/analytics").1["cursor"])];
    await_equal(|| place(&mut shop), || vec![Stored::read(&folder).cursor]);
    follower.kill();
    shop.is_waited_for("analytics", &Stored::read(&folder).cursor);
    follower.restart();
    await_equal(
        || shop.stock(),
        || Vec::from_iter(Stored::read(&folder).stock),
    );
    assert_eq!(Stored::read(&folder).gaps, 0, "{}", said(&folder));
}

#[test]
fn a_store_goes_on_with_another_server_and_with_one_that_was_set_back() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = directory.path().join("events");
    let stock = || Vec::from_iter(Stored::read(&folder).stock);
    let first = Server::start();
    let mut shop = Shop::new(&first);
    shop.trade(60);
    let mut follower = follow(&folder, &first);
    await_equal(|| shop.stock(), stock);
    follower.kill();
    let mut server = Server::start();
    let mut shop = Shop::new(&server);
    shop.trade(30);
    let mut follower = follow(&folder, &server);
    await_equal(|| shop.stock(), stock);
    assert!(
        said(&folder).contains("of another data directory"),
        "{}",
        said(&folder)
    );
    shop.trade(30);
    await_equal(
        || told_after(&mut shop, &Stored::read(&folder).gap),
        || Stored::read(&folder).since,
    );
    server.stop();
    let older = directory.path().join("older");
    copy(&server.data_dir(), &older);
    let size = shop.size();
    server.restart();
    shop.trade(60);
    await_equal(|| shop.stock(), stock);
    await_equal(
        || told_after(&mut shop, &Stored::read(&folder).gap),
        || Stored::read(&folder).since,
    );
    follower.kill();
    server.stop();
    copy(&older, &server.data_dir());
    server.restart();
    shop.set_back(size);
    follower.restart();
    await_equal(|| shop.stock(), stock);
    assert!(
        said(&folder).contains("ahead of the ledgers"),
        "{}",
        said(&folder)
    );
    shop.trade(60);
    await_equal(|| shop.stock(), stock);
    await_equal(
        || told_after(&mut shop, &Stored::read(&folder).gap),
        || Stored::read(&folder).since,
    );
    assert_eq!(Stored::read(&folder).gaps, 2);
}

fn follow(folder: &Path, server: &Server) -> Follower {
    let mut command = Command::new(PROGRAM);
    command.arg("follow").arg(folder);
    command.args([&format!("http://{}", server.address()), "0.02"]);
    Follower::start(command, &folder.with_extension("said"))
}

/// What it has said.
fn said(folder: &Path) -> String {
    fs::read_to_string(folder.with_extension("said")).expect("it is text")
}

/// The ids of all events that the server tells, sorted.
fn told(shop: &mut Shop) -> Vec<String> {
    told_after(shop, "earliest")
}

/// … of those that follow a cursor.
fn told_after(shop: &mut Shop, cursor: &str) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), cursor.to_owned());
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
    /// Where the last of them goes on, and what came since, sorted, with repeats.
    gap: String,
    since: Vec<String>,
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
            let rows = fs::read_to_string(name).expect("it is text");
            let row = |row| serde_json::from_str(row).expect("a row is JSON");
            let rows: Vec<Value> = rows.lines().map(row).collect();
            // A snapshot has all there is.
            if rows.iter().any(|row| row["type"] == "snapshot") {
                stored.stock.clear();
            }
            for row in &rows {
                stored.take(row);
            }
        }
        stored.ids.sort();
        stored.since.sort();
        stored
    }

    fn take(&mut self, row: &Value) {
        if row["id"].is_string() {
            self.ids.push(text(&row["id"]));
            self.since.push(text(&row["id"]));
        } else if row["cursor"].is_string() {
            self.gaps += 1;
            self.gap = text(&row["cursor"]);
            self.since.clear();
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
