//! The generator: connections in a closed loop on one thread, the same for every protocol.
//!
//! A connection sends as many messages as its depth in one write, reads all their answers, and goes
//! on. Latency is that of the whole write. Deliberately absent: what the messages say (`targets`).

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// When a connection stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// No message is sent after this time.
    Time(Duration),
    /// The first refusal: everything is sold.
    Refused,
}

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Bytes of the answer.
    pub(crate) bytes: usize,
    /// Units reserved.
    pub(crate) granted: u64,
    /// Reserves refused.
    pub(crate) refused: u64,
}

/// One connection's side of a protocol.
pub(crate) trait Speaker {
    /// Appends the next message.
    fn say(&mut self, out: &mut Vec<u8>);
    /// The answer at the beginning of `bytes`, once it is whole.
    fn hear(&mut self, bytes: &[u8]) -> Option<Heard>;
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Units acknowledged as reserved.
    pub(crate) granted: u64,
    /// Reserves refused.
    pub(crate) refused: u64,
    /// From the first message to the last answer.
    pub(crate) took: Duration,
    /// Microseconds from a write to its last answer.
    pub(crate) latency: Histogram<u64>,
}

impl Run {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are good");
        Self {
            granted: 0,
            refused: 0,
            took: Duration::ZERO,
            latency,
        }
    }

    /// Units reserved in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.granted as f64 / self.took.as_secs_f64()
    }

    /// A percentile of the latency, in milliseconds.
    pub(crate) fn millis(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1_000.0
    }

    /// Adds what one write brought.
    pub(crate) fn add(&mut self, granted: u64, refused: u64, took: Duration) {
        self.granted += granted;
        self.refused += refused;
        self.latency.saturating_record(took.as_micros() as u64);
    }
}

type Loop = Pin<Box<dyn Future<Output = ()>>>;

/// Runs the loops of all connections, which add to the run they are given.
pub(crate) async fn all(make: impl Fn(usize, Arc<Mutex<Run>>) -> Loop, connections: usize) -> Run {
    let run = Arc::new(Mutex::new(Run::new()));
    let start = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|number| tokio::task::spawn_local(make(number, Arc::clone(&run))))
        .collect();
    for task in tasks {
        task.await.expect("a connection's loop does not panic");
    }
    let took = start.elapsed();
    let mut run = run.lock().unwrap_or_else(PoisonError::into_inner).clone();
    run.took = took;
    run
}

/// Connections whose speakers `make` makes, from their numbers.
pub(crate) async fn talk<S: Speaker + 'static>(
    streams: Vec<TcpStream>,
    make: impl Fn(usize) -> S,
    depth: usize,
    until: Until,
) -> (Run, Vec<TcpStream>) {
    let count = streams.len();
    let slots: Vec<_> = streams.into_iter().map(Some).collect();
    let slots = Arc::new(Mutex::new(slots));
    let start = |number: usize, run: Arc<Mutex<Run>>| -> Loop {
        let speaker = make(number);
        let slots = Arc::clone(&slots);
        Box::pin(async move {
            let taken = locked(&slots)[number].take();
            let mut stream = taken.expect("every connection is taken once");
            converse(&mut stream, speaker, depth, until, &run).await;
            locked(&slots)[number] = Some(stream);
        })
    };
    let run = all(start, count).await;
    let streams = std::mem::take(&mut *locked(&slots));
    (run, streams.into_iter().flatten().collect())
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many connections.
pub(crate) async fn connect(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("it is TCP");
        streams.push(stream);
    }
    streams
}

async fn converse(
    stream: &mut TcpStream,
    mut speaker: impl Speaker,
    depth: usize,
    until: Until,
    run: &Mutex<Run>,
) {
    let start = Instant::now();
    let (mut out, mut read) = (Vec::new(), Vec::with_capacity(64 << 10));
    loop {
        out.clear();
        for _ in 0..depth {
            speaker.say(&mut out);
        }
        let sent = Instant::now();
        stream.write_all(&out).await.expect("the server reads");
        let (mut left, mut at) = (depth, 0);
        let (mut granted, mut refused) = (0, 0);
        while left > 0 {
            if let Some(heard) = speaker.hear(&read[at..]) {
                at += heard.bytes;
                granted += heard.granted;
                refused += heard.refused;
                left -= 1;
                continue;
            }
            let count = stream
                .read_buf(&mut read)
                .await
                .expect("the server answers");
            assert!(count > 0, "the server closed the connection");
        }
        read.drain(..at);
        locked(run).add(granted, refused, sent.elapsed());
        let is_over = match until {
            Until::Time(limit) => limit <= start.elapsed(),
            Until::Refused => refused > 0,
        };
        if is_over {
            return;
        }
    }
}
