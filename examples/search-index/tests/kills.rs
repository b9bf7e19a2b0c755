//! `kill -9` on the server and on the index, at random: what is found is what is in stock.

#[path = "../../../tests/crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "../../tests/shop.rs"]
mod shop;

use rusqlite::Connection;
use server::Server;
use shop::{FORGETFUL, Follower, HASTY, Shop, await_equal, copy, kill_at_random};
use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast-search-index");

#[test]
fn what_is_found_is_what_is_in_stock_after_forty_kills() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("shop.db");
    let mut server = Server::start();
    let mut shop = Shop::new(&server);
    shop.trade(100);
    let mut follower = follow(&file, &server);
    kill_at_random(&mut server, &mut follower, &mut shop, in_stock, || {
        indexed(&file)
    });
    is_found_once(&file, &in_stock(&mut shop));
    assert_eq!(search(&file, "violet tee"), []);
}

#[test]
fn an_index_that_missed_too_much_begins_with_a_snapshot_again() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("shop.db");
    let server = Server::start_with(&HASTY);
    let mut shop = Shop::new(&server);
    shop.trade(30);
    let mut follower = follow(&file, &server);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    follower.kill();
    shop.trade_until_forgotten(&cursor(&file).expect("it had a snapshot"));
    follower.restart();
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    is_found_once(&file, &in_stock(&mut shop));
    assert!(
        said(&file).contains("begins again with a snapshot"),
        "{}",
        said(&file)
    );
}

#[test]
fn the_journal_waits_for_an_index_that_is_away() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("shop.db");
    let heartbeats = [("EVENTS_HEARTBEAT_MS", "100")];
    let server = Server::start_with(&[&FORGETFUL[..], &heartbeats].concat());
    let mut shop = Shop::new(&server);
    shop.trade_much();
    let mut follower = follow(&file, &server);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    // It says how far it is soon after it is there.
    let place = |shop: &mut Shop| {
        let (_, consumer) = shop.get("/v1/consumers/search-index");
        vec![consumer["cursor"].as_str().unwrap_or_default().to_owned()]
    };
    await_equal(|| place(&mut shop), || Vec::from_iter(cursor(&file)));
    follower.kill();
    shop.is_waited_for("search-index", &cursor(&file).expect("it had a snapshot"));
    follower.restart();
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    assert!(!said(&file).contains("begins again"), "{}", said(&file));
}

#[test]
fn an_index_goes_on_with_another_server_and_with_one_that_was_set_back() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("shop.db");
    let first = Server::start();
    let mut shop = Shop::new(&first);
    shop.trade(60);
    let mut follower = follow(&file, &first);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    follower.kill();
    let mut server = Server::start();
    let mut shop = Shop::new(&server);
    shop.trade(30);
    let mut follower = follow(&file, &server);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    is_found_once(&file, &in_stock(&mut shop));
    assert!(
        said(&file).contains("of another data directory"),
        "{}",
        said(&file)
    );
    server.stop();
    let older = directory.path().join("older");
    copy(&server.data_dir(), &older);
    let size = shop.size();
    server.restart();
    shop.trade(60);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    follower.kill();
    server.stop();
    copy(&older, &server.data_dir());
    server.restart();
    shop.set_back(size);
    follower.restart();
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    assert!(
        said(&file).contains("ahead of the ledgers"),
        "{}",
        said(&file)
    );
    shop.trade(60);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    is_found_once(&file, &in_stock(&mut shop));
}

fn follow(file: &Path, server: &Server) -> Follower {
    let mut command = Command::new(PROGRAM);
    command.arg("follow").arg(file);
    command.arg(format!("http://{}", server.address()));
    Follower::start(command, &file.with_extension("said"))
}

/// What it has said.
fn said(file: &Path) -> String {
    fs::read_to_string(file.with_extension("said")).expect("it is text")
}

/// Every SKU by the word that it alone has.
fn is_found_once(file: &Path, stock: &[(String, i64)]) {
    for (sku, available) in stock {
        let word = sku.rsplit('-').next().expect("they have dashes");
        let expected = (0 < *available).then(|| (sku.clone(), *available));
        assert_eq!(search(file, word), Vec::from_iter(expected), "{sku}");
    }
}

fn search(file: &Path, words: &str) -> Vec<(String, i64)> {
    let mut command = Command::new(PROGRAM);
    command.arg("search").arg(file).args(words.split(' '));
    let found = command.output().expect("it can be started");
    assert!(found.status.success(), "{found:?}");
    let text = String::from_utf8(found.stdout).expect("it is text");
    let line = |line: &str| {
        let (available, sku) = line.trim_start().split_once("  ").expect("two columns");
        (sku.to_owned(), available.parse().expect("a number"))
    };
    text.lines().map(line).collect()
}

fn in_stock(shop: &mut Shop) -> Vec<(String, i64)> {
    let stock = shop.stock().into_iter();
    stock
        .map(|(sku, counters)| (sku, counters["available"]))
        .collect()
}

/// What is in the index, once there is one.
fn indexed(file: &Path) -> Vec<(String, i64)> {
    let read = || {
        let index = Connection::open(file)?;
        let mut stock = index.prepare("SELECT sku, available FROM stock ORDER BY sku")?;
        let rows = stock.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()
    };
    read().unwrap_or_default()
}

fn cursor(file: &Path) -> Option<String> {
    let index = Connection::open(file).ok()?;
    index
        .query_row("SELECT cursor FROM place", [], |row| row.get(0))
        .ok()
}
