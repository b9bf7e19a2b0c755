//! Redis: a Lua script that takes a unit and records the hold, in an append-only file that is
//! synced before every answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{HOT, HOT_UNITS, LAST, LAST_UNITS, Load, Round, TTL_MS, check, key};
use crate::drive::{Heard, Speaker, Until, connect, talk};
use crate::process::{Server, find, free_port, version, wait_for};

/// Takes a unit if there is one; the hold is a hash, found by its expiry in a sorted set.
const SCRIPT: &str = "\
local available = tonumber(redis.call('GET', KEYS[1])) \
if not available or available < 1 then return 0 end \
redis.call('DECR', KEYS[1]) \
redis.call('HSET', KEYS[2], 'sku', ARGV[1], 'qty', 1, 'order_ref', ARGV[2], 'expires_at', ARGV[3]) \
redis.call('ZADD', KEYS[3], ARGV[3], KEYS[2]) \
return 1";

/// Why it can't be compared, if so.
pub(crate) fn absent() -> Option<&'static str> {
    let is_there = find("redis-server").is_some();
    (!is_there).then_some("redis-server is not installed")
}

/// Its version.
pub(crate) fn name() -> Option<String> {
    let text = version(&find("redis-server")?);
    let version = text.split("v=").nth(1)?.split(' ').next()?.to_owned();
    Some(format!("Redis {version}"))
}

/// One round.
pub(crate) async fn round(directory: &Path, load: Load) -> Round {
    let program = find("redis-server").expect("it was there");
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
        ])
        // A rewrite of the file in the middle of a round would only slow it.
        .args(["--auto-aof-rewrite-percentage", "0"])
        .arg("--dir")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let server = Server::start(&mut command, Signal::TERM);
    wait_for(address);
    let mut control = TcpStream::connect(address).expect("it listens");
    for (sku, units) in [(HOT, HOT_UNITS), (LAST, LAST_UNITS)] {
        let answer = ask(&mut control, &["SET", &stock_of(sku), &units.to_string()]);
        assert_eq!(answer, "+OK");
    }
    let always = ask(&mut control, &["CONFIG", "GET", "appendfsync"]);
    assert!(always.contains("always"), "{always}");
    let sha = ask(&mut control, &["SCRIPT", "LOAD", SCRIPT]);
    let sha = sha.lines().last().expect("a hash").to_owned();

    let streams = connect(address, load.connections).await;
    let before = server.cpu();
    let until = Until::Time(load.time);
    let speaker = |number| Lua::new(1, number, HOT, &sha);
    let (run, streams) = talk(streams, speaker, load.depth, until).await;
    let after = server.cpu();
    let speaker = |number| Lua::new(2, number, LAST, &sha);
    let (last, _) = talk(streams, speaker, load.depth, Until::Refused).await;
    check("Redis, the last units", last.granted, LAST_UNITS);
    for (sku, units, granted) in [
        (HOT, HOT_UNITS, run.granted),
        (LAST, LAST_UNITS, LAST_UNITS),
    ] {
        let left = number(&ask(&mut control, &["GET", &stock_of(sku)]));
        check(sku, units - granted, left);
        let holds = number(&ask(&mut control, &["ZCARD", &holds_of(sku)]));
        check(sku, granted, holds);
    }
    Round::new(
        run,
        before,
        after,
        "stock and holds, the last 500 units".to_owned(),
    )
}

fn stock_of(sku: &str) -> String {
    format!("stock:{sku}")
}

fn holds_of(sku: &str) -> String {
    format!("holds:{sku}")
}

/// A command on the control connection, and what it answered without its last line end.
fn ask(stream: &mut TcpStream, words: &[&str]) -> String {
    let mut out = Vec::new();
    write!(out, "*{}\r\n", words.len()).expect("a Vec takes all");
    for word in words {
        write!(out, "${}\r\n{word}\r\n", word.len()).expect("a Vec takes all");
    }
    stream.write_all(&out).expect("it reads");
    let mut answer = vec![0; 4_096];
    // Answers are short and come in one piece.
    let count = stream.read(&mut answer).expect("it answers");
    let text = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(!text.starts_with('-'), "{text}");
    text.trim_end().to_owned()
}

/// The number in an answer, whether it came as one or as text.
fn number(answer: &str) -> u64 {
    let last = answer.lines().last().unwrap_or_default();
    let digits = last.trim_start_matches(':');
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{answer:?} is no number"))
}

/// A call of the script.
struct Lua {
    series: u32,
    connection: usize,
    number: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Lua {
    fn new(series: u32, connection: usize, sku: &str, sha: &str) -> Self {
        let (stock, holds) = (stock_of(sku), holds_of(sku));
        // A hold's key is `hold:` and 36 bytes.
        let head = format!(
            "*9\r\n$7\r\nEVALSHA\r\n${}\r\n{sha}\r\n$1\r\n3\r\n${}\r\n{stock}\r\n$41\r\nhold:",
            sha.len(),
            stock.len()
        );
        let expires_at = (1_800_000_000_000 + TTL_MS).to_string();
        let tail = format!(
            "\r\n${}\r\n{holds}\r\n${}\r\n{sku}\r\n$16\r\norder-0000000001\r\n${}\r\n{expires_at}\r\n",
            holds.len(),
            sku.len(),
            expires_at.len()
        );
        Self {
            series,
            connection,
            number: 0,
            head: head.into_bytes(),
            tail: tail.into_bytes(),
        }
    }
}

impl Speaker for Lua {
    fn say(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        key(out, self.series, self.connection, self.number);
        out.extend_from_slice(&self.tail);
        self.number += 1;
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        let end = memchr::memchr(b'\n', bytes)? + 1;
        let granted = match &bytes[..end] {
            b":1\r\n" => 1,
            b":0\r\n" => 0,
            other => panic!("{}", String::from_utf8_lossy(other)),
        };
        Some(Heard {
            bytes: end,
            granted,
            refused: 1 - granted,
        })
    }
}
