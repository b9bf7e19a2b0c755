//! holdfast with its defaults: a new server on a new directory each round, durable by fsync.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use memchr::memmem;
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{HOT, HOT_UNITS, LAST, LAST_UNITS, Load, Round, TTL_MS, check, key};
use crate::drive::{Heard, Run, Speaker, Until, connect, talk};
use crate::process::{Server, wait};

/// One round; `size` reserves a call.
pub(crate) async fn round(program: &Path, directory: &Path, load: Load, size: usize) -> Round {
    let ready = directory.join("ready.json");
    let mut command = Command::new(program);
    command
        .arg("serve")
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(directory.join("data"))
        .arg("--ready-file")
        .arg(&ready)
        .current_dir(directory)
        .env("HOLDFAST_LOG_FILTER", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let server = Server::start(&mut command, Signal::TERM);
    wait("holdfast to be ready", || ready.exists());
    let text = std::fs::read_to_string(&ready).expect("it was just there");
    let ready: Value = serde_json::from_str(&text).expect("the ready file is JSON");
    let address = ready["data"].as_str().expect("it names the address");
    let address: SocketAddr = address.parse().expect("it is one");
    for (sku, units) in [(HOT, HOT_UNITS), (LAST, LAST_UNITS)] {
        stock(address, sku, units).await;
    }

    let streams = connect(address, load.connections).await;
    let before = server.cpu();
    let (run, streams) = if size == 1 {
        let speaker = |number| Single::new(1, number, HOT);
        talk(streams, speaker, load.depth, Until::Time(load.time)).await
    } else {
        let speaker = |number| Batch::new(1, number, HOT, size);
        talk(streams, speaker, load.depth, Until::Time(load.time)).await
    };
    let after = server.cpu();
    let last: Run = if size == 1 {
        let speaker = |number| Single::new(2, number, LAST);
        talk(streams, speaker, load.depth, Until::Refused).await.0
    } else {
        let speaker = |number| Batch::new(2, number, LAST, size);
        talk(streams, speaker, load.depth, Until::Refused).await.0
    };
    check("holdfast, the last units", last.granted, LAST_UNITS);
    for (sku, units, granted) in [
        (HOT, HOT_UNITS, run.granted),
        (LAST, LAST_UNITS, LAST_UNITS),
    ] {
        let (_, body) = call(address, "GET", &format!("/v1/skus/{sku}"), "-", "").await;
        let counter = |name: &str| body[name].as_u64().expect("a counter");
        check(sku, granted, counter("reserved"));
        check(sku, units - granted, counter("available"));
    }
    Round::new(
        run,
        before,
        after,
        "reserved and available, the last 500 units".to_owned(),
    )
}

async fn stock(address: SocketAddr, sku: &str, units: u64) {
    let path = format!("/v1/skus/{sku}");
    let (status, body) = call(address, "PUT", &path, &format!("make-{sku}"), "{}").await;
    assert_eq!(status, 201, "{body}");
    let receipt = format!(r#"{{"kind":"receive","qty":{units}}}"#);
    let path = format!("{path}/movements");
    let (status, body) = call(address, "POST", &path, &format!("stock-{sku}"), &receipt).await;
    assert_eq!(status, 201, "{body}");
}

/// One call on a connection of its own.
async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: &str,
) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    let head = Head::of(&answer).expect("a whole answer");
    let body = serde_json::from_slice(&answer[head.bytes..]).expect("the body is JSON");
    (head.status, body)
}

/// The head of an answer.
struct Head {
    status: u16,
    /// Bytes of the head.
    bytes: usize,
    /// Bytes of head and body.
    whole: usize,
}

impl Head {
    /// Of an answer whose head has arrived.
    fn of(bytes: &[u8]) -> Option<Self> {
        let end = memmem::find(bytes, b"\r\n\r\n")? + 4;
        let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
        let lengths = bytes[..end].split(|byte| *byte == b'\n').filter_map(length);
        let body = lengths.sum::<usize>();
        let whole = end + body;
        Some(Self {
            status,
            bytes: end,
            whole,
        })
    }
}

/// The number of a `content-length` line.
fn length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// A reserve a call.
pub(crate) struct Single {
    series: u32,
    connection: usize,
    number: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Single {
    /// A connection's; `series` tells its keys from those of other runs.
    pub(crate) fn new(series: u32, connection: usize, sku: &str) -> Self {
        let body = format!("{{{}", line_of(sku));
        let head = b"POST /v1/reservations HTTP/1.1\r\nhost: holdfast\r\ncontent-type: \
                     application/json\r\nidempotency-key: ";
        let tail = format!("\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Self {
            series,
            connection,
            number: 0,
            head: head.to_vec(),
            tail: tail.into_bytes(),
        }
    }
}

/// The fields of a reserve of one unit.
fn line_of(sku: &str) -> String {
    format!(
        r#""order_ref":"order-0000000001","customer":"customer-001","ttl_ms":{TTL_MS},"lines":[{{"sku":"{sku}","qty":1}}]}}"#
    )
}

impl Speaker for Single {
    fn say(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        key(out, self.series, self.connection, self.number);
        out.extend_from_slice(&self.tail);
        self.number += 1;
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        let head = Head::of(bytes).filter(|head| head.whole <= bytes.len())?;
        let granted = u64::from(head.status == 201);
        assert!(matches!(head.status, 201 | 409), "{}", shown(bytes));
        Some(Heard {
            bytes: head.whole,
            granted,
            refused: 1 - granted,
        })
    }
}

/// Many reserves a call.
pub(crate) struct Batch {
    series: u32,
    connection: usize,
    number: u64,
    size: usize,
    operation: (Vec<u8>, Vec<u8>),
    body: Vec<u8>,
    created: memmem::Finder<'static>,
    refused: memmem::Finder<'static>,
}

impl Batch {
    /// A connection's, of `size` reserves.
    pub(crate) fn new(series: u32, connection: usize, sku: &str, size: usize) -> Self {
        let before = br#"{"op":"reserve","key":""#.to_vec();
        let after = format!(r#"",{}"#, line_of(sku)).into_bytes();
        Self {
            series,
            connection,
            number: 0,
            size,
            operation: (before, after),
            body: Vec::new(),
            created: memmem::Finder::new(br#"{"status":201,"#),
            refused: memmem::Finder::new(br#"{"status":409,"#),
        }
    }
}

impl Speaker for Batch {
    fn say(&mut self, out: &mut Vec<u8>) {
        self.body.clear();
        self.body.extend_from_slice(br#"{"operations":["#);
        for at in 0..self.size {
            if at > 0 {
                self.body.push(b',');
            }
            self.body.extend_from_slice(&self.operation.0);
            key(&mut self.body, self.series, self.connection, self.number);
            self.body.extend_from_slice(&self.operation.1);
            self.number += 1;
        }
        self.body.extend_from_slice(b"]}");
        let length = self.body.len();
        write!(
            out,
            "POST /v1/batch HTTP/1.1\r\nhost: holdfast\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
        .expect("a Vec takes all");
        out.extend_from_slice(&self.body);
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        let head = Head::of(bytes).filter(|head| head.whole <= bytes.len())?;
        assert_eq!(head.status, 200, "{}", shown(bytes));
        let body = &bytes[head.bytes..head.whole];
        let granted = self.created.find_iter(body).count() as u64;
        let refused = if granted < self.size as u64 {
            self.refused.find_iter(body).count() as u64
        } else {
            0
        };
        assert_eq!(granted + refused, self.size as u64, "{}", shown(bytes));
        Some(Heard {
            bytes: head.whole,
            granted,
            refused,
        })
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_heard_once_it_is_whole_and_no_further() {
        let mut speaker = Single::new(1, 0, HOT);
        let one = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let two = [&one[..], b"HTTP/1.1 409"].concat();
        for end in 0..one.len() {
            assert_eq!(speaker.hear(&one[..end]), None);
        }
        let heard = speaker.hear(&two).expect("it is whole");
        assert_eq!(
            (heard.bytes, heard.granted, heard.refused),
            (one.len(), 1, 0)
        );
    }

    #[test]
    fn the_operations_of_a_batch_are_counted_by_their_own_status() {
        let mut speaker = Batch::new(1, 0, HOT, 2);
        let body = r#"{"results":[{"status":201,"reservation":{"status":"open"}},{"status":409,"problem":{"type":"x","status":409}}]}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let heard = speaker.hear(answer.as_bytes()).expect("it is whole");
        assert_eq!((heard.granted, heard.refused), (1, 1));
    }

    #[test]
    fn a_batch_says_how_long_it_is_and_no_key_comes_twice() {
        let mut out = Vec::new();
        Batch::new(1, 7, HOT, 2).say(&mut out);
        let text = String::from_utf8(out).expect("it is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        let body: Value = serde_json::from_str(body).expect("it is JSON");
        let keys = |at: usize| body["operations"][at]["key"].as_str();
        assert_eq!(keys(0).map(str::len), Some(36));
        assert_ne!(keys(0), keys(1));
    }
}
