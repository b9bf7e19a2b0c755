//! The generator of the HTTP bench: one thread with a kept-alive socket for each connection, which
//! patches numbers into prepared bytes and has one call in flight on each.
//!
//! Deliberately absent: an open loop, which the load tester brings.

pub(crate) mod request;

use self::request::Request;
use crate::common::report::{Samples, Unit};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(2);

/// What a run came to.
pub(crate) struct Run {
    /// Calls a second.
    pub(crate) rate: f64,
    p50: f64,
    p99: f64,
    /// All that were answered, the warm-up's included.
    pub(crate) calls: u64,
}

/// What all runs of a kind came to.
#[derive(Default)]
pub(crate) struct Runs {
    pub(crate) rate: Samples,
    pub(crate) p50: Samples,
    pub(crate) p99: Samples,
}

/// The calls of one measured span, in nanoseconds.
struct Tally {
    from: Instant,
    until: Instant,
    nanos: Histogram<u64>,
    calls: u64,
}

impl Runs {
    pub(crate) fn push(&mut self, run: &Run) {
        self.rate.push(run.rate);
        self.p50.push(run.p50);
        self.p99.push(run.p99);
    }

    /// Its latencies, in words.
    pub(crate) fn latency(&self) -> String {
        let (p50, p99) = (self.p50.show(Unit::Millis), self.p99.show(Unit::Millis));
        format!("p50 {p50}, p99 {p99}")
    }
}

impl Tally {
    fn new() -> Self {
        let from = Instant::now() + WARM_UP;
        Self {
            from,
            until: from + MEASURED,
            nanos: Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds are in order"),
            calls: 0,
        }
    }

    /// Notes a call; false once the time is over.
    fn note(&mut self, start: Instant, end: Instant) -> bool {
        self.calls += 1;
        if self.until < end {
            return false;
        }
        if self.from < end {
            let nanos = (end - start).as_nanos() as u64;
            self.nanos.record(nanos).expect("below a minute");
        }
        true
    }

    fn run(&self) -> Run {
        self.run_over(MEASURED)
    }

    /// What was noted within `span`.
    fn run_over(&self, span: Duration) -> Run {
        let millis = |quantile| self.nanos.value_at_quantile(quantile) as f64 / 1e6;
        Run {
            rate: self.nanos.len() as f64 / span.as_secs_f64(),
            p50: millis(0.5),
            p99: millis(0.99),
            calls: self.calls,
        }
    }
}

/// Calls over so many connections until the time is over; every answer must have this status.
pub(crate) async fn load(
    address: SocketAddr,
    connections: usize,
    prepared: &Request,
    status: [u8; 3],
) -> Run {
    let tally = Arc::new(Mutex::new(Tally::new()));
    let callers: Vec<_> = (0..connections)
        .map(|number| {
            let request = prepared.numbered(number);
            tokio::spawn(call(address, request, status, Arc::clone(&tally)))
        })
        .collect();
    for caller in callers {
        caller.await.expect("every call was answered");
    }
    tally.lock().unwrap_or_else(PoisonError::into_inner).run()
}

/// Makes all of these calls, as many at once as a stock feed might.
pub(crate) async fn call_each(
    address: SocketAddr,
    requests: impl Iterator<Item = Vec<u8>>,
    status: [u8; 3],
) {
    let left = Arc::new(Mutex::new(requests.collect::<Vec<_>>()));
    let callers: Vec<_> = (0..64)
        .map(|_| tokio::spawn(call_some(address, Arc::clone(&left), status)))
        .collect();
    for caller in callers {
        caller.await.expect("every call was answered");
    }
}

async fn call_some(address: SocketAddr, left: Arc<Mutex<Vec<Vec<u8>>>>, status: [u8; 3]) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is TCP");
    let mut answer = vec![0; 16 << 10];
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some(bytes) = next() {
        stream.write_all(&bytes).await.expect("it reads");
        read_answer(&mut stream, &mut answer, status).await;
    }
}

/// One connection: a call, its answer, the next call.
async fn call(
    address: SocketAddr,
    mut request: Request,
    status: [u8; 3],
    tally: Arc<Mutex<Tally>>,
) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is TCP");
    let mut answer = vec![0; 128 << 10];
    loop {
        let bytes = request.next();
        let start = Instant::now();
        stream.write_all(bytes).await.expect("it reads");
        read_answer(&mut stream, &mut answer, status).await;
        let end = Instant::now();
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        if !tally.note(start, end) {
            return;
        }
    }
}

/// Reads one whole answer.
async fn read_answer(stream: &mut TcpStream, answer: &mut [u8], status: [u8; 3]) {
    let (mut filled, mut whole) = (0, None);
    loop {
        let read = stream.read(&mut answer[filled..]).await.expect("it writes");
        assert!(read > 0, "the server closed the connection");
        filled += read;
        whole = whole.or_else(|| length(&answer[..filled], status));
        if whole.is_some_and(|whole| whole <= filled) {
            return;
        }
    }
}

/// The length of an answer whose head is there.
fn length(so_far: &[u8], status: [u8; 3]) -> Option<usize> {
    let head = so_far.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&so_far[..head]);
    assert!(
        so_far[9..12] == status,
        "{}",
        String::from_utf8_lossy(so_far)
    );
    Some(head + 4 + length_of_body(&text))
}

fn length_of_body(head: &str) -> usize {
    const NAME: &str = "content-length:";
    let field = head.lines().find(|line| {
        line.get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    let value = field.map_or("0", |field| field[NAME.len()..].trim());
    value.parse().expect("a length is a number")
}

/// One call after the other on a thread of its own, with a pause between them, as a caller who
/// is not the load: what it waits is not made longer by the generator's own work.
pub(crate) fn call_calmly(
    address: SocketAddr,
    request: Request,
    status: [u8; 3],
    pause: Duration,
    beside: impl FnMut(),
    is_over: impl Fn(u64) -> bool,
) -> Run {
    tally_calmly(address, request, status, pause, beside, is_over).run()
}

/// The same by several callers at once, each with numbers of its own from `first` on.
pub(crate) fn call_together(
    address: SocketAddr,
    prepared: &Request,
    status: [u8; 3],
    (callers, first): (usize, usize),
    pause: Duration,
    is_over: impl Fn() -> bool + Sync,
) -> Run {
    let (start, is_over) = (Instant::now(), &is_over);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = (first..first + callers)
            .map(|number| {
                let request = prepared.numbered(number);
                let is_over = move |_| is_over();
                scope.spawn(move || tally_calmly(address, request, status, pause, || {}, is_over))
            })
            .collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|tally| tally.expect("every call was answered"))
            .collect()
    });
    let mut all = Tally::new();
    for tally in &tallies {
        all.nanos
            .add(&tally.nanos)
            .expect("they have the same bounds");
        all.calls += tally.calls;
    }
    all.run_over(start.elapsed())
}

fn tally_calmly(
    address: SocketAddr,
    mut request: Request,
    status: [u8; 3],
    pause: Duration,
    mut beside: impl FnMut(),
    is_over: impl Fn(u64) -> bool,
) -> Tally {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("it is TCP");
    let mut answer = vec![0; 128 << 10];
    let mut tally = Tally::new();
    tally.from = Instant::now();
    tally.until = tally.from + Duration::from_mins(10);
    while !is_over(tally.calls) {
        beside();
        std::thread::sleep(pause);
        let bytes = request.next();
        let start = Instant::now();
        stream.write_all(bytes).expect("it reads");
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|whole| filled < whole) {
            let read = stream.read(&mut answer[filled..]).expect("it writes");
            assert!(read > 0, "the server closed the connection");
            filled += read;
            whole = whole.or_else(|| length(&answer[..filled], status));
        }
        tally.note(start, Instant::now());
    }
    tally
}
