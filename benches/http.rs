//! Single reserves over HTTP on one hot SKU, each acknowledged when it is durable, beside an empty
//! axum handler under the same load in the same round.
//!
//! `cargo bench --bench http`. Three processes: the real server with its defaults, the empty
//! handler, and this generator: one thread with a kept-alive socket per connection, which patches
//! keys into prepared bytes and has one call in flight on each. The server that is not measured is
//! not running. Deliberately absent: an open loop, which the load tester brings.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{ROUNDS, directory, play, role};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_millis(2_500);
const CONNECTIONS: [usize; 2] = [64, 256];

/// What a run came to.
struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// The calls of one measured span, in nanoseconds.
struct Tally {
    from: Instant,
    until: Instant,
    nanos: Histogram<u64>,
}

fn main() {
    if role().is_some() {
        return serve_nothing();
    }
    let mut report = Report::new("http");
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread");
    for connections in CONNECTIONS {
        let [mut ours, mut ours50, mut ours99] = [(); 3].map(|()| Samples::default());
        let [mut empty, mut empty50, mut empty99] = [(); 3].map(|()| Samples::default());
        for _ in 0..ROUNDS {
            let handler = Server::start(play("empty"));
            let run = tokio.block_on(load(handler.address, connections, *b"200"));
            empty.push(run.rate);
            empty50.push(run.p50);
            empty99.push(run.p99);
            drop(handler);
            let dir = directory();
            let server = Server::holdfast(&dir.path().join("data"));
            stock(&server);
            let run = tokio.block_on(load(server.address, connections, *b"201"));
            ours.push(run.rate);
            ours50.push(run.p50);
            ours99.push(run.p99);
        }
        let name = format!("HTTP reserves, durable, one hot SKU, {connections} connections");
        let latency = format!(
            "p50 {}, p99 {}; empty handler p50 {}, p99 {}",
            ours50.show(Unit::Millis),
            ours99.show(Unit::Millis),
            empty50.show(Unit::Millis),
            empty99.show(Unit::Millis),
        );
        report.figure(&name, Aim::None, Unit::PerSecond, &ours, latency);
        let ratio = ours.over(&empty);
        let partner = format!(
            "{} over an empty axum handler's {}",
            ours.show(Unit::PerSecond),
            empty.show(Unit::PerSecond)
        );
        let name = format!("the same over an empty handler, {connections} connections");
        report.figure(name, Aim::Least(0.5), Unit::Ratio, &ratio, partner);
    }
    report.end();
}

/// An axum handler that does nothing, as a process.
fn serve_nothing() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    tokio.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        println!("empty serves http://{address}");
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).expect("it is TCP");
        });
        let routes = Router::new().route("/v1/reservations", post(async || StatusCode::OK));
        axum::serve(listener, routes).await.expect("it serves");
    });
}

/// Makes the hot SKU and stocks it.
fn stock(server: &Server) {
    let (status, body) = server.call("PUT", "/v1/skus/SKU-00000000", "make", "{}");
    assert_eq!(status, 201, "{body}");
    let receipt = r#"{"kind":"receive","qty":1000000000}"#;
    let path = "/v1/skus/SKU-00000000/movements";
    let (status, body) = server.call("POST", path, "stock", receipt);
    assert_eq!(status, 201, "{body}");
}

/// Calls over so many connections until the time is over; every answer must have this status.
async fn load(address: SocketAddr, connections: usize, status: [u8; 3]) -> Run {
    let from = Instant::now() + WARM_UP;
    let nanos = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds are in order");
    let tally = Arc::new(Mutex::new(Tally {
        from,
        until: from + MEASURED,
        nanos,
    }));
    let callers: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(call(address, number, status, Arc::clone(&tally))))
        .collect();
    for caller in callers {
        caller.await.expect("every call was answered");
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let millis = |quantile| tally.nanos.value_at_quantile(quantile) as f64 / 1e6;
    Run {
        rate: tally.nanos.len() as f64 / MEASURED.as_secs_f64(),
        p50: millis(0.5),
        p99: millis(0.99),
    }
}

/// One connection: a call, its answer, the next call.
async fn call(address: SocketAddr, number: usize, status: [u8; 3], tally: Arc<Mutex<Tally>>) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is TCP");
    let mut request = Request::new(number);
    let mut answer = vec![0; 16 << 10];
    loop {
        let bytes = request.next();
        let start = Instant::now();
        stream.write_all(bytes).await.expect("it reads");
        read_answer(&mut stream, &mut answer, status).await;
        let end = Instant::now();
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        if tally.until < end {
            return;
        }
        if tally.from < end {
            let nanos = (end - start).as_nanos() as u64;
            tally.nanos.record(nanos).expect("below a minute");
        }
    }
}

/// Reads one whole answer.
async fn read_answer(stream: &mut TcpStream, answer: &mut [u8], status: [u8; 3]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..]).await.expect("it writes");
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let so_far = &answer[..filled];
        if let Some(head) = so_far.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&so_far[..head]);
            assert!(
                so_far[9..12] == status,
                "{}",
                String::from_utf8_lossy(so_far)
            );
            if head + 4 + length(&text) <= filled {
                return;
            }
        }
    }
}

fn length(head: &str) -> usize {
    const NAME: &str = "content-length:";
    let field = head.lines().find(|line| {
        line.get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    let value = field.map_or("0", |field| field[NAME.len()..].trim());
    value.parse().expect("a length is a number")
}

/// The bytes of a reserve, whose numbers are written anew for each call.
struct Request {
    bytes: Vec<u8>,
    /// Where the digits of key, order reference and customer begin, and how many there are.
    digits: [(usize, usize); 3],
    next: u64,
}

impl Request {
    /// Connection `number` has ten million numbers of its own.
    fn new(number: usize) -> Self {
        let key = "cart-0000000000-5bd1e995c6a4a793-r01";
        let (order, customer) = ("order-0000000000", "cust-0000000");
        let body = format!(
            "{{\"order_ref\":\"{order}\",\"customer\":\"{customer}\",\
             \"lines\":[{{\"sku\":\"SKU-00000000\",\"qty\":1}}]}}"
        );
        let length = body.len();
        let text = format!(
            "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {key}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let digits = [(key, 5, 10), (order, 6, 10), (customer, 5, 7)].map(|(word, skip, count)| {
            let at = text.find(word).expect("it was put there");
            (at + skip, count)
        });
        Self {
            bytes: text.into_bytes(),
            digits,
            next: number as u64 * 10_000_000,
        }
    }

    fn next(&mut self) -> &[u8] {
        for (at, count) in self.digits {
            let mut left = self.next;
            for byte in self.bytes[at..at + count].iter_mut().rev() {
                *byte = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
        self.next += 1;
        &self.bytes
    }
}
