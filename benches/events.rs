//! How fast events reach those who listen, and what reserves feel of it.
//!
//! `cargo bench --bench events`. The real server with its defaults over a ledger with a million
//! reserves, listeners and callers as threads of this process, all on the same cores. Latency is
//! from the ledger's time of an event, which is before its commit, to when its message was read, in
//! whole milliseconds. Deliberately absent: brokers, whose speed is not ours.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;
#[allow(dead_code, reason = "each bench takes its part")]
mod http_load;

use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{all_done, directory, filled, payload, role};
use hdrhistogram::Histogram;
use holdfast::client::Target;
use holdfast::client::listen::Listening;
use holdfast_runtime::Router;
use http_load::request::Request;
use http_load::{Run, Runs, call_together};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
/// Reserves in the ledger before anybody listens.
const EVENTS: u64 = 1_000_000;
const MESSAGE: u64 = 1_000;
const SPAN: Duration = Duration::from_secs(5);

/// Filtered listeners, and the share of the SKUs that each wants: one in so many.
const LISTENERS: usize = 100;
const SHARE: usize = 100;

/// Webhooks of everything, and how many events they take at a time.
const WEBHOOKS: usize = 20;
const HOOK_BATCH: usize = 500;

/// Callers that offer 5,000 reserves a second, and their pause.
const CALLERS: usize = 20;
const PAUSE: Duration = Duration::from_micros(3_600);

/// Callers that offer 10,000 a second in small batches, and their pause.
const BATCHERS: usize = 4;
const BATCH: usize = 10;
const BATCH_PAUSE: Duration = Duration::from_micros(3_300);

fn main() {
    if role().is_some() {
        return filled::fill(fill);
    }
    let mut report = Report::new("events");
    let dir = directory();
    let data = dir.path().join("data");
    filled::aside(&data);
    let server = serve(&data);
    let mut turns = Turns(0);
    read_all(&server, &mut report);
    delays(&server, &mut report, &mut turns);
    beside(&server, &mut report, &mut turns);
    report.end();
}

/// The server, which may call webhooks on this machine.
fn serve(data: &Path) -> Server {
    let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"));
    serve
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(["--admin-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env("HOLDFAST_EVENTS_WEBHOOKS_PRIVATE", "true");
    Server::start(serve)
}

/// Numbers of callers, never given twice.
struct Turns(usize);

impl Turns {
    fn take(&mut self, callers: usize) -> (usize, usize) {
        self.0 += callers;
        (callers, self.0 - callers)
    }
}

/// Everything there is, told to one listener.
fn read_all(server: &Server, report: &mut Report) {
    let mut rate = Samples::default();
    for _ in 0..ROUNDS {
        rate.push(catch_up(server));
    }
    report.figure(
        "events to one listener from the beginning, 1,000 a message",
        Aim::Least(200_000.0),
        Unit::PerSecond,
        &rate,
        "nothing else going on",
    );
}

/// Reads the first million events; how many a second.
fn catch_up(server: &Server) -> f64 {
    let target = target(server);
    let start = Instant::now();
    alone(async move {
        let path = "/v1/events?after=earliest&batch=1000";
        let mut stream = Listening::begin(&target, path, None)
            .await
            .expect("it opens");
        let mut events = 0;
        while events < EVENTS {
            let message = stream.next().await.expect("it goes on");
            events += count(&message.data);
        }
    });
    EVENTS as f64 / start.elapsed().as_secs_f64()
}

/// How many events a message carries.
fn count(data: &str) -> u64 {
    memchr::memmem::find_iter(data.as_bytes(), b"{\"specversion\"").count() as u64
}

/// From the ledger's time to a listener, while 10,000 reserves a second go in.
fn delays(server: &Server, report: &mut Report, turns: &mut Turns) {
    let [mut p99, mut offered] = [(); 2].map(|()| Samples::default());
    for _ in 0..ROUNDS {
        let own = turns.take(BATCHERS);
        let is_over = Arc::new(AtomicBool::new(false));
        let delays = Arc::new(std::sync::Mutex::new(
            Histogram::<u64>::new(3).expect("bounds are in order"),
        ));
        let listener = listen_for_delays(server, &is_over, &delays);
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        let run = call_together(
            server.address,
            &Request::batch(BATCH),
            *b"200",
            own,
            BATCH_PAUSE,
            || SPAN < start.elapsed(),
        );
        std::thread::sleep(Duration::from_millis(200));
        is_over.store(true, Ordering::Release);
        listener.join().expect("it heard");
        let delays = delays.lock().expect("it heard");
        p99.push(delays.value_at_quantile(0.99) as f64);
        offered.push(run.rate * BATCH as f64);
    }
    report.figure(
        "recorded to received, p99",
        Aim::Most(20.0),
        Unit::Millis,
        &p99,
        format!(
            "{} reserves of one SKU meanwhile",
            offered.show(Unit::PerSecond)
        ),
    );
}

#[allow(
    clippy::disallowed_methods,
    reason = "an event names the wall clock's time, and so must who hears it"
)]
fn listen_for_delays(
    server: &Server,
    is_over: &Arc<AtomicBool>,
    delays: &Arc<std::sync::Mutex<Histogram<u64>>>,
) -> JoinHandle<()> {
    let (target, is_over, delays) = (target(server), Arc::clone(is_over), Arc::clone(delays));
    std::thread::spawn(move || {
        alone(async move {
            let stream = Listening::begin(&target, "/v1/events?batch=1000", None).await;
            let mut stream = stream.expect("it opens");
            while !is_over.load(Ordering::Acquire) {
                let next = tokio::time::timeout(Duration::from_millis(100), stream.next());
                let Ok(message) = next.await else {
                    continue;
                };
                let message = message.expect("it goes on");
                let now = jiff::Timestamp::now().as_millisecond();
                let mut delays = delays.lock().expect("nobody panicked");
                for (at, _) in message.data.match_indices("\"time\":\"") {
                    let text = &message.data[at + 8..at + 32];
                    let then: jiff::Timestamp = text.parse().expect("a time");
                    let delay = now.saturating_sub(then.as_millisecond()).max(0);
                    delays.record(delay as u64).expect("it is short");
                }
            }
        });
    })
}

/// What reserves feel of many listeners, and of one that catches up meanwhile.
fn beside(server: &Server, report: &mut Report, turns: &mut Turns) {
    let [mut rest, mut many, mut behind] = [(); 3].map(|()| Runs::default());
    let mut caught_up = Samples::default();
    let [heard, delivered] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    for _ in 0..ROUNDS {
        rest.push(&reserves(server, turns));
        let is_over = Arc::new(AtomicBool::new(false));
        let receivers = receive(&is_over, &delivered);
        let hooks: Vec<String> = (0..WEBHOOKS)
            .map(|number| hook(server, receivers, turns.0 + number))
            .collect();
        let crowd = crowd(server, &is_over, &heard);
        std::thread::sleep(Duration::from_millis(500));
        many.push(&reserves(server, turns));
        is_over.store(true, Ordering::Release);
        crowd.join().expect("they heard");
        for id in hooks {
            let path = format!("/v1/webhooks/{id}");
            let (status, body) = server.call("DELETE", &path, &id, "");
            assert!(status < 300, "{status} {body}");
        }
        let own = turns.take(CALLERS);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let is_over = &is_over;
            let callers =
                scope.spawn(move || offered(server, own, || is_over.load(Ordering::Acquire)));
            std::thread::sleep(Duration::from_millis(500));
            caught_up.push(catch_up(server));
            is_over.store(true, Ordering::Release);
            behind.push(&callers.join().expect("every reserve was answered"));
        });
    }
    let partner = |runs: &Runs| {
        format!(
            "at rest {}; meanwhile {}; {} offered",
            rest.latency(),
            runs.latency(),
            runs.rate.show(Unit::PerSecond)
        )
    };
    report.figure(
        format!(
            "p99 of reserves beside {LISTENERS} filtered listeners, one of all and {WEBHOOKS} \
             webhooks, over at rest"
        ),
        Aim::Most(2.0),
        Unit::Ratio,
        &many.p99.over(&rest.p99),
        format!(
            "{}; {} events heard, {} delivered",
            partner(&many),
            heard.load(Ordering::Relaxed),
            delivered.load(Ordering::Relaxed)
        ),
    );
    report.figure(
        "a listener that is a million events behind",
        Aim::Least(200_000.0),
        Unit::PerSecond,
        &caught_up,
        "with 5,000 reserves a second offered",
    );
    report.figure(
        "p99 of reserves while it catches up, over at rest",
        Aim::Most(2.0),
        Unit::Ratio,
        &behind.p99.over(&rest.p99),
        partner(&behind),
    );
}

fn reserves(server: &Server, turns: &mut Turns) -> Run {
    let start = Instant::now();
    offered(server, turns.take(CALLERS), || SPAN < start.elapsed())
}

fn offered(server: &Server, own: (usize, usize), is_over: impl Fn() -> bool + Sync) -> Run {
    call_together(
        server.address,
        &Request::spread(),
        *b"201",
        own,
        PAUSE,
        is_over,
    )
}

/// Listeners of a hundredth of the SKUs each, and one of everything.
fn crowd(server: &Server, is_over: &Arc<AtomicBool>, heard: &Arc<AtomicU64>) -> JoinHandle<()> {
    let (target, is_over, heard) = (target(server), Arc::clone(is_over), Arc::clone(heard));
    std::thread::spawn(move || {
        alone(async move {
            let paths = (0..LISTENERS).map(|number| {
                let own = (number..payload::SPREAD).step_by(SHARE);
                let own: Vec<String> = own.map(|sku| format!("SKU-{sku:08}")).collect();
                format!("/v1/events?batch=1000&sku={}", own.join(","))
            });
            let paths = paths.chain(["/v1/events?batch=1000".to_owned()]);
            let listeners: Vec<_> = paths
                .map(|path| tokio::spawn(listen(target.clone(), path, Arc::clone(&heard))))
                .collect();
            while !is_over.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            listeners.iter().for_each(tokio::task::JoinHandle::abort);
        });
    })
}

async fn listen(target: Target, path: String, heard: Arc<AtomicU64>) {
    let mut stream = Listening::begin(&target, &path, None)
        .await
        .expect("it opens");
    loop {
        let message = stream.next().await.expect("it goes on");
        heard.fetch_add(count(&message.data), Ordering::Relaxed);
    }
}

fn target(server: &Server) -> Target {
    let url = format!("http://{}", server.address);
    url.parse().expect("an address")
}

/// A webhook of everything, many events a delivery; its id.
fn hook(server: &Server, receivers: SocketAddr, number: usize) -> String {
    let body = format!("{{\"url\":\"http://{receivers}/\",\"batch_max\":{HOOK_BATCH}}}");
    let key = format!("hook-{number}");
    let (status, answer) = server.call("POST", "/v1/webhooks", &key, &body);
    assert!(status == 201, "{status} {answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["id"].as_str().expect("it has an id").to_owned()
}

/// Receivers that take whatever comes, on a thread of their own.
fn receive(is_over: &Arc<AtomicBool>, delivered: &Arc<AtomicU64>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it is a socket");
    let address = listener.local_addr().expect("it is bound");
    let (is_over, delivered) = (Arc::clone(is_over), Arc::clone(delivered));
    std::thread::spawn(move || {
        alone(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
            while !is_over.load(Ordering::Acquire) {
                let next = tokio::time::timeout(Duration::from_millis(50), listener.accept());
                if let Ok(Ok((stream, _))) = next.await {
                    tokio::spawn(take(stream, Arc::clone(&delivered)));
                }
            }
        });
    });
    address
}

/// Takes deliveries over one connection.
async fn take(mut stream: tokio::net::TcpStream, delivered: Arc<AtomicU64>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const TAKEN: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut bytes = Vec::with_capacity(1 << 20);
    loop {
        let end = memchr::memmem::find(&bytes, b"\r\n\r\n");
        let whole = end.map(|end| end + 4 + length(&bytes[..end]));
        if let Some(whole) = whole.filter(|whole| *whole <= bytes.len()) {
            let body = String::from_utf8_lossy(&bytes[..whole]);
            delivered.fetch_add(count(&body), Ordering::Relaxed);
            bytes.drain(..whole);
            if stream.write_all(TAKEN).await.is_err() {
                return;
            }
        } else if !matches!(stream.read_buf(&mut bytes).await, Ok(read) if 0 < read) {
            return;
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.split_once("content-length:").map(|(_, rest)| rest);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    length.expect("a delivery says how long it is")
}

/// Runs it on this thread.
fn alone(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread can wait")
        .block_on(work);
}

async fn fill(router: &Router) {
    let skus = payload::skus(payload::SPREAD);
    for some in skus.chunks(MESSAGE as usize) {
        all_done(router, payload::stocking(some)).await;
    }
    // Numbers that no caller reaches.
    let first = 5_000_000_000;
    for message in 0..EVENTS / MESSAGE {
        let first = first + message * MESSAGE;
        all_done(router, payload::message(first, MESSAGE, &skus, None)).await;
    }
}
