//! `kill -9` on the real binary, under load, again and again: what was acknowledged is there
//! afterwards, keys are remembered, and carts over two shards are whole.
//!
//! The account is kept by the buyers themselves, from the answers they got; a buyer whose
//! connection breaks repeats its call with the same key and body until it is answered.

#[path = "crash/account.rs"]
mod account;
#[path = "crash/server.rs"]
mod server;

use account::{Account, Seen, State};
use serde_json::{Value, json};
use server::{Server, Talk};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const BUYERS: usize = 8;
const SKUS: [&str; 6] = ["HOT-1", "TEE-2", "MUG-3", "CAP-4", "SOCK-5", "HAT-6"];
const STOCK: u64 = 400;

#[test]
fn what_was_acknowledged_survives_a_kill_under_load() {
    let mut server = Server::start();
    stock(&mut Talk::new(server.address()));
    let over = Arc::new(AtomicBool::new(false));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|buyer| {
            let (address, over) = (server.address(), Arc::clone(&over));
            thread::spawn(move || shop(&mut Talk::new(address), buyer, &over))
        })
        .collect();
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(700));
        server.kill();
        server.restart();
    }
    thread::sleep(Duration::from_millis(500));
    over.store(true, Ordering::Relaxed);
    let mut account = Account::default();
    for buyer in buyers {
        account.join(buyer.join().expect("buyers finish"));
    }
    assert!(
        account.len() > 100,
        "too little happened to prove anything: {}",
        account.len()
    );

    prove(server, &account);
}

#[test]
fn a_cart_is_whole_after_a_kill_at_any_moment_of_its_life() {
    let mut server = Server::start();
    stock(&mut Talk::new(server.address()));
    let (one, other) = server.skus_on_two_shards(&SKUS);
    let mut account = Account::default();
    for round in 0..12_u64 {
        let address = server.address();
        let (one, other) = (one.clone(), other.clone());
        let cart = thread::spawn(move || {
            let mut talk = Talk::new(address);
            let lines = json!([{"sku": one, "qty": 1}, {"sku": other, "qty": 2}]);
            let mut account = Account::default();
            life(
                &mut talk,
                &format!("cart-{round}"),
                &lines,
                round,
                &mut account,
            );
            account
        });
        // From before the try to after the settlement.
        thread::sleep(Duration::from_micros(300 * round));
        server.kill();
        server.restart();
        account.join(cart.join().expect("the cart's life ends"));
    }
    prove(server, &account);
}

#[test]
fn the_account_catches_a_lost_reservation_a_second_sale_and_a_key_forgotten() {
    let mut account = Account::default();
    let lines = json!([{"sku": "HOT-1", "qty": 2}]);
    let body = json!({"id": "a", "status": "open", "lines": [
        {"sku": "HOT-1", "open": 2, "confirmed": 0, "released": 0, "expired": 0}]});
    account.created("k", &lines, &body);
    assert_eq!(
        account.lies("a", &Seen::Answer(404, Value::Null)).len(),
        1,
        "it was lost"
    );
    let sold = json!({"id": "a", "status": "confirmed", "lines": [
        {"sku": "HOT-1", "open": 0, "confirmed": 2, "released": 0, "expired": 0}]});
    assert_eq!(
        account.lies("a", &Seen::Answer(200, sold.clone())).len(),
        1,
        "nobody paid"
    );
    assert!(account.lies("a", &Seen::Answer(200, body)).is_empty());
    account.reached("a", State::Confirmed);
    assert!(account.lies("a", &Seen::Answer(200, sold)).is_empty());
    assert_eq!(
        account.replay_lie("k", "b"),
        Some("k made a, and b when repeated".to_owned())
    );
    let units = account.units("HOT-1");
    assert_eq!((units.reserved, units.sold), (0, 2));
}

/// Holds the server's state, and then its stopped directory, against the account.
fn prove(mut server: Server, account: &Account) {
    let mut talk = Talk::new(server.address());
    let lies = read_back(&mut talk, account);
    assert!(
        lies.is_empty(),
        "{} lies, the first: {:?}",
        lies.len(),
        lies.first()
    );
    settle(&mut talk, account);
    server.stop();
    assert_eq!(server.verify(), Some(0), "verify on the stopped directory");
}

/// Creates the SKUs and stocks them.
fn stock(talk: &mut Talk) {
    for sku in SKUS {
        let put = talk.until_answered("PUT", &format!("/v1/skus/{sku}"), None, &json!({}));
        assert_eq!(put.0, 201, "{}", put.1);
        let path = format!("/v1/skus/{sku}/movements");
        let body = json!({"kind": "receive", "qty": STOCK});
        let received = talk.until_answered("POST", &path, Some(&format!("stock-{sku}")), &body);
        assert_eq!(received.0, 201, "{}", received.1);
    }
}

/// Makes carts of one to three SKUs, and pays, gives back or leaves them.
fn shop(talk: &mut Talk, buyer: usize, over: &AtomicBool) -> Account {
    let mut account = Account::default();
    let mut round = 0_u64;
    while !over.load(Ordering::Relaxed) {
        let pick = buyer as u64 * 7 + round;
        let mut lines = vec![json!({"sku": "HOT-1", "qty": 1})];
        for more in 0..pick % 3 {
            let sku = SKUS[1 + ((pick + more) % 5) as usize];
            lines.push(json!({"sku": sku, "qty": 1 + more % 2}));
        }
        life(
            talk,
            &format!("b{buyer}-{round}"),
            &Value::from(lines),
            pick,
            &mut account,
        );
        round += 1;
    }
    account
}

/// One cart from its reserve to its end, every call repeated until it is answered.
fn life(talk: &mut Talk, key: &str, lines: &Value, pick: u64, account: &mut Account) {
    let body = json!({"order_ref": key, "customer": "c", "lines": lines, "ttl_ms": 1_800_000});
    let (status, made) = talk.until_answered("POST", "/v1/reservations", Some(key), &body);
    if status == 409 {
        return;
    }
    assert_eq!(status, 201, "{made}");
    account.created(key, lines, &made);
    let id = made["id"]
        .as_str()
        .expect("a reservation has an id")
        .to_owned();
    let (what, state) = match pick % 4 {
        0 | 1 => ("confirm", State::Confirmed),
        2 => ("release", State::Released),
        _ => return,
    };
    let path = format!("/v1/reservations/{id}/{what}");
    let (status, ended) =
        talk.until_answered("POST", &path, Some(&format!("{key}-{what}")), &json!({}));
    assert_eq!(status, 200, "{ended}");
    account.reached(&id, state);
}

/// Reads every acknowledged reservation and repeats its reserve.
fn read_back(talk: &mut Talk, account: &Account) -> Vec<String> {
    let mut lies = Vec::new();
    for entry in account.entries() {
        let path = format!("/v1/reservations/{}", entry.id);
        let (status, body) = talk.until_answered("GET", &path, None, &Value::Null);
        lies.extend(account.lies(&entry.id, &Seen::Answer(status, body)));
        let body = json!({"order_ref": entry.key, "customer": "c", "lines": entry.lines,
            "ttl_ms": 1_800_000});
        let (_, again) = talk.until_answered("POST", "/v1/reservations", Some(&entry.key), &body);
        let id = again["id"].as_str().unwrap_or("nothing").to_owned();
        lies.extend(account.replay_lie(&entry.key, &id));
    }
    lies
}

/// Waits until the counters say what the account says; parts of carts may lag by a message.
fn settle(talk: &mut Talk, account: &Account) {
    let began = Instant::now();
    loop {
        let differences: Vec<String> = SKUS
            .iter()
            .filter_map(|sku| difference(talk, account, sku))
            .collect();
        if differences.is_empty() {
            return;
        }
        let waited = began.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "after {waited:?}: {differences:#?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn difference(talk: &mut Talk, account: &Account, sku: &str) -> Option<String> {
    let (_, body) = talk.until_answered("GET", &format!("/v1/skus/{sku}"), None, &Value::Null);
    let units = account.units(sku);
    let found = ["on_hand", "reserved", "sold"].map(|name| body[name].as_u64());
    let wanted = [STOCK - units.sold, units.reserved, units.sold].map(Some);
    (found != wanted).then(|| format!("{sku}: {found:?}, the buyers say {wanted:?}"))
}
