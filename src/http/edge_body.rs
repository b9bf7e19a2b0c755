//! Reading a request's body within its bounds, before the handler sees it.
//!
//! A body that came in one piece, as nearly all do, costs nothing here. One that is too long is
//! read and dropped for a while, so that the connection stays usable, then refused.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;

use super::edge::Edge;
use super::listener_clock::{Clock, Stage};
use super::problem::{Code, Problem};

/// How much of a body that is too long is read and dropped before the connection is given up.
const DISCARD_BYTES_MAX: u64 = 8 << 20;

/// Why there is no body, and whether the rest of it may still be coming.
#[derive(Debug)]
pub(super) struct BodyFault {
    problem: Problem,
    ended: bool,
}

/// Bytes counted as being buffered; given back when dropped.
struct Charge<'a> {
    total: &'a AtomicU64,
    bytes: u64,
}

/// What came next of a body.
pub(super) enum Arrived {
    Data(Bytes),
    End,
    Late,
    Broken,
}

impl Edge {
    pub(super) async fn body(
        &self,
        mut body: Incoming,
        clock: &Clock,
        arrived: Instant,
    ) -> Result<Bytes, BodyFault> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let max = self.limits.body_bytes_max;
        if body.size_hint().lower() > max {
            clock.enter(Stage::Body, arrived);
            return Err(self.too_large(body, clock).await);
        }
        let first = match next(&mut body, clock, arrived).await {
            Arrived::Data(bytes) if body.is_end_stream() => return Ok(bytes),
            Arrived::Data(bytes) => bytes,
            Arrived::End => return Ok(Bytes::new()),
            Arrived::Late => return Err(self.late(clock)),
            Arrived::Broken => return Err(broken()),
        };
        if clock.stage() != Stage::Body {
            clock.enter(Stage::Body, arrived);
        }
        let mut charge = Charge {
            total: &self.buffered,
            bytes: 0,
        };
        let mut whole = Vec::with_capacity(body.size_hint().lower() as usize + first.len());
        let mut piece = Arrived::Data(first);
        loop {
            match piece {
                Arrived::Data(bytes) => {
                    if (whole.len() + bytes.len()) as u64 > max {
                        drop(whole);
                        return Err(self.too_large(body, clock).await);
                    }
                    if !charge.add(bytes.len() as u64, self.limits.body_buffer_bytes_max) {
                        clock.leave_unread();
                        return Err(no_room());
                    }
                    whole.extend_from_slice(&bytes);
                }
                Arrived::End => return Ok(whole.into()),
                Arrived::Late => return Err(self.late(clock)),
                Arrived::Broken => return Err(broken()),
            }
            piece = next(&mut body, clock, arrived).await;
        }
    }

    async fn too_large(&self, mut body: Incoming, clock: &Clock) -> BodyFault {
        let max = self.limits.body_bytes_max;
        let detail = format!("the body is longer than {max} bytes; send less at once");
        let problem = Problem::new(Code::BodyTooLarge, detail).with("body_bytes_max", max);
        if body.size_hint().lower() <= DISCARD_BYTES_MAX && discarded(&mut body, clock).await {
            return BodyFault {
                problem,
                ended: true,
            };
        }
        clock.leave_unread();
        BodyFault {
            problem,
            ended: false,
        }
    }

    fn late(&self, clock: &Clock) -> BodyFault {
        clock.leave_unread();
        let limit = self.limits.body_timeout.as_millis();
        let detail = format!("the body did not arrive within {limit} ms; nothing was done");
        BodyFault {
            problem: Problem::new(Code::RequestTimeout, detail),
            ended: false,
        }
    }
}

impl Charge<'_> {
    fn add(&mut self, bytes: u64, max: u64) -> bool {
        self.bytes += bytes;
        self.total.fetch_add(bytes, Ordering::Relaxed) + bytes <= max
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl IntoResponse for BodyFault {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        if !self.ended {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Reads a body to its end and drops it, unless it is too long or too slow even for that.
async fn discarded(body: &mut Incoming, clock: &Clock) -> bool {
    let mut left = DISCARD_BYTES_MAX;
    loop {
        match next(body, clock, Instant::now()).await {
            Arrived::Data(bytes) if bytes.len() as u64 <= left => left -= bytes.len() as u64,
            Arrived::End => return true,
            Arrived::Data(_) | Arrived::Late | Arrived::Broken => return false,
        }
    }
}

/// The next piece of data; from the first wait on the body's clock is running.
pub(super) async fn next(body: &mut Incoming, clock: &Clock, arrived: Instant) -> Arrived {
    poll_fn(|cx| {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing to us.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Arrived::Data(bytes));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Arrived::End),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Arrived::Broken),
                Poll::Pending if clock.stage() != Stage::Body => {
                    clock.enter(Stage::Body, arrived);
                    return Poll::Pending;
                }
                Poll::Pending if clock.is_late() => return Poll::Ready(Arrived::Late),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

fn broken() -> BodyFault {
    let detail = "the body ended early or is badly chunked; nothing was done";
    BodyFault {
        problem: Problem::new(Code::InvalidRequest, detail),
        ended: false,
    }
}

fn no_room() -> BodyFault {
    let detail = "too many long bodies are arriving at once; retry later";
    BodyFault {
        problem: Problem::new(Code::ServerOverloaded, detail),
        ended: false,
    }
}
