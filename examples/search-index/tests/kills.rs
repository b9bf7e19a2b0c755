//! `kill -9` on the server and on the index, at random: what is found is what is in stock.

#[path = "../../../tests/crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "../../tests/shop.rs"]
mod shop;

use rusqlite::Connection;
use server::Server;
use shop::{FORGETFUL, Follower, Shop, await_equal, kill_at_random};
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
    let server = Server::start_with(&FORGETFUL);
    let mut shop = Shop::new(&server);
    shop.trade(30);
    let mut follower = follow(&file, &server);
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    follower.kill();
    shop.trade_until_forgotten(&cursor(&file).expect("it had a snapshot"));
    follower.restart();
    await_equal(|| in_stock(&mut shop), || indexed(&file));
    is_found_once(&file, &in_stock(&mut shop));
}

fn follow(file: &Path, server: &Server) -> Follower {
    let mut command = Command::new(PROGRAM);
    command.arg("follow").arg(file);
    command.arg(format!("http://{}", server.address()));
    Follower::start(command)
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
