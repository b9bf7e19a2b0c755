//! The accept loop: connections within their bounds, and a drain that ends.
//!
//! One task per connection; it owns the connection's only timer. When draining begins the socket is
//! closed, idle connections end at once, busy ones after their answer, and all others when the
//! phase becomes [`Phase::Closed`].
//! Deliberately absent: telling callers apart. A connection is a connection.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, warn};

use super::edge::Edge;
use super::listener_clock::{Clock, Stage, Verdict};
use super::listener_guard::{Guarded, raw_answer};
use super::listener_socket::{Socket, Stream};
use super::problem::{Code, Problem};
use crate::telemetry::{Cut, HttpMetrics};

/// How a listener is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Accept and answer.
    Serving,
    /// Accept nothing more; finish what is in flight.
    Draining,
    /// Close every connection.
    Closed,
}

/// The pause after a failed accept, such as one without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long, and how much, a client that was refused in the middle of its body may go on sending:
/// closing at once would reset the connection and take the answer away with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: u64 = 32 << 20;

/// How long a listener of what has no end may take to hear that it ends all the same.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves a socket until it is told to end and its last connection has gone.
pub async fn serve(socket: Socket, edge: Arc<Edge>, mut phase: watch::Receiver<Phase>) {
    let connections_max = edge.limits().connections_max.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let accepted = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Draining) => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok(stream) => accept(stream, &edge, &places, &phase),
            Err(error) => {
                warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    // A place is held by every connection, so having them all means that the last has gone.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

/// Waits until the phase is at least `wanted`; a sender that has gone means that all is over.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

fn accept(
    stream: Stream,
    edge: &Arc<Edge>,
    places: &Arc<Semaphore>,
    phase: &watch::Receiver<Phase>,
) {
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        edge.metrics().cut(Cut::TooManyConnections);
        turn_away(stream);
        return;
    };
    let (edge, phase) = (Arc::clone(edge), phase.clone());
    match stream {
        Stream::Tcp(stream) => tokio::spawn(connection(stream, edge, phase, place)),
        Stream::Unix(stream) => tokio::spawn(connection(stream, edge, phase, place)),
    };
}

/// Answers one connection too many with a problem, as far as that is possible without waiting.
fn turn_away(stream: Stream) {
    let detail = "the server has as many connections as it takes; retry later, and reuse them";
    let answer = raw_answer(&Problem::new(Code::TooManyConnections, detail));
    // A client that can't take a few hundred bytes at once goes without them.
    let _ = match stream {
        Stream::Tcp(stream) => stream
            .into_std()
            .and_then(|mut stream| stream.write(&answer)),
        Stream::Unix(stream) => stream
            .into_std()
            .and_then(|mut stream| stream.write(&answer)),
    };
}

/// Counts a connection from its first to its last moment.
struct Counted<'a>(&'a HttpMetrics);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}

async fn connection<S>(
    stream: S,
    edge: Arc<Edge>,
    mut phase: watch::Receiver<Phase>,
    _place: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let metrics = edge.metrics();
    metrics.connected();
    let _counted = Counted(metrics);
    let limits = *edge.limits();
    let clock = Arc::new(Clock::new());
    let guarded = Guarded::new(
        stream,
        Arc::clone(&clock),
        Arc::clone(metrics),
        limits.write_timeout,
    );
    let service = service_fn(|request| edge.answer(request, &clock));
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.head_bytes_max.max(64 << 10))
        .serve_connection(TokioIo::new(guarded), service);
    let mut timer = std::pin::pin!(tokio::time::sleep(limits.shortest()));
    let mut awaited = Phase::Draining;
    let end = loop {
        tokio::select! {
            biased;
            result = &mut connection => break End::Finished(result),
            () = &mut timer => match clock.judge(&limits, Instant::now()) {
                Verdict::Fine(span) => timer.as_mut().reset((Instant::now() + span).into()),
                Verdict::Ended => break End::Dropped,
                Verdict::Over(cut) => {
                    metrics.cut(cut);
                    match cut {
                        Cut::HeadTimeout => break End::HeadTooSlow,
                        Cut::IdleTimeout => break End::Dropped,
                        // The edge sees that it is late when the connection is polled next.
                        _ => timer.as_mut().reset((Instant::now() + limits.shortest()).into()),
                    }
                }
            },
            () = reached(&mut phase, awaited) => {
                if clock.stage() == Stage::Endless {
                    if awaited == Phase::Closed {
                        break End::Dropped;
                    }
                    // The answer ends when the connection is polled next, if it is one that may.
                    clock.end();
                    timer.as_mut().reset((Instant::now() + FAREWELL).into());
                    awaited = Phase::Closed;
                    continue;
                }
                if awaited == Phase::Closed {
                    metrics.cut(Cut::DrainTimeout);
                    break End::Dropped;
                }
                awaited = Phase::Closed;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let stream = connection.into_parts().io.into_inner().into_inner();
    leave(stream, end, clock.has_unread(), limits.header_timeout).await;
}

/// Takes leave of a client as its connection's end asks for.
async fn leave(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    end: End,
    has_unread: bool,
    header_timeout: Duration,
) {
    match end {
        End::Finished(Ok(())) if has_unread => linger(stream).await,
        End::Finished(Ok(())) | End::Dropped => {}
        End::Finished(Err(error)) => debug!(%error, "a connection ended early"),
        End::HeadTooSlow => {
            let limit = header_timeout.as_millis();
            let detail = format!("the request's head did not arrive within {limit} ms");
            let answer = raw_answer(&Problem::new(Code::RequestTimeout, detail));
            let farewell = async {
                stream.write_all(&answer).await?;
                stream.shutdown().await
            };
            let _: Result<io::Result<()>, _> = tokio::time::timeout(LINGER, farewell).await;
        }
    }
}

/// How a connection came to its end.
enum End {
    /// By itself.
    Finished(hyper::Result<()>),
    /// Its client was too slow to ask.
    HeadTooSlow,
    /// Nothing is left to be said.
    Dropped,
}

/// Reads on for a while after the answer, so that the client gets to see it.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = stream.shutdown().await;
    let mut rest = stream.take(LINGER_BYTES_MAX);
    let mut sink = tokio::io::sink();
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut sink)).await;
}
