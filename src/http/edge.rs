//! The one layer around every call.
//!
//! In order: request id, route and lane, body within its bounds, a place in flight, the handler
//! under its time limit with its panics caught, counts and the access line. It is one future
//! without boxes, timers or label strings, since it is paid by every reservation.
//! Deliberately absent: authentication, and reading a body as anything but bytes.

use std::any::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use tracing::{Level, debug, debug_span, error, warn};

use super::Limits;
use super::edge_ending::Ending;
use super::edge_log::ServerErrors;
use super::listener_clock::{Clock, Stage};
use super::problem::{Code, Problem};
use super::request_id::{self, RequestId};
use super::routes::{Lane, Mounted};
use crate::telemetry::{Cut, HttpMetrics};

/// Marks an answer whose body goes on for as long as its listener wants, by what becomes of it when
/// the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// It ends where it is: its listener goes on elsewhere.
    Ends,
    /// It is cut off, so that nobody takes it for whole.
    IsCut,
}

/// A listener's calls with everything around them; shared by all its connections.
pub struct Edge {
    routes: Mounted,
    pub(super) limits: Limits,
    pub(super) metrics: Arc<HttpMetrics>,
    /// Bytes of bodies that are still arriving.
    pub(super) buffered: AtomicU64,
    errors: ServerErrors,
}

/// How a handler ended.
enum Finish {
    Answered(Response),
    TimedOut,
    Panicked(Box<dyn Any + Send>),
}

/// A place in flight; given back when dropped.
struct Place<'a>(&'a AtomicU64);

/// Counts the caller as gone unless the answer was made: hyper drops the future when the
/// connection ends.
struct Presence<'a>(&'a HttpMetrics);

impl Edge {
    /// Puts the layer around `routes`; `listener` is its name in the metrics.
    pub fn new(listener: &'static str, routes: Mounted, limits: Limits) -> Arc<Self> {
        let metrics = Arc::new(HttpMetrics::new(listener, routes.templates()));
        Arc::new(Self {
            routes,
            limits,
            metrics,
            buffered: AtomicU64::new(0),
            errors: ServerErrors::new(),
        })
    }

    /// What this listener counts.
    pub fn metrics(&self) -> &Arc<HttpMetrics> {
        &self.metrics
    }

    /// The calls.
    pub(super) fn routes(&self) -> &Mounted {
        &self.routes
    }

    /// The bounds of this listener.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request; never fails, whatever the handler does.
    pub(crate) async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        clock: &Arc<Clock>,
    ) -> Result<Response, Infallible> {
        let arrived = Instant::now();
        let presence = Presence(&self.metrics);
        let (head, body) = request.into_parts();
        let id = RequestId::of(&head.headers);
        let method = head.method.clone();
        let (route, lane) = self.routes.find(&method, head.uri.path());
        let path = tracing::enabled!(Level::DEBUG).then(|| head.uri.path().to_owned());

        let streamed = route.filter(|route| self.routes.is_streamed(*route, &method));
        let mut response = if let Some(route) = streamed {
            match self.place(lane) {
                // Boxed, so that the other calls need not make room for it.
                Some(_place) => Box::pin(self.stream(route, head, body, &id, clock)).await,
                None => Self::turn_away(self.overloaded(lane), clock),
            }
        } else {
            self.whole((route, lane), (head, body), &id, clock, arrived)
                .await
        };
        response
            .headers_mut()
            .insert(request_id::HEADER, id.into_header());

        std::mem::forget(presence);
        let finished = Instant::now();
        let stage = match response.extensions().get::<Endless>() {
            None => Stage::Idle,
            Some(Endless::IsCut) => Stage::Endless,
            Some(Endless::Ends) => {
                response = response.map(|body| Ending::body(body, Arc::clone(clock)));
                Stage::Endless
            }
        };
        clock.enter(stage, finished);
        let status = response.status();
        let code = response.extensions().get::<Code>().copied();
        let took = finished - arrived;
        self.metrics.answered(route, &method, status, code, took);
        if let Some(path) = path {
            log_answer(&response, &method, Ok(&path), code, took);
        } else if status.is_server_error()
            && let Some(count) = self.errors.note(code, finished)
        {
            log_answer(&response, &method, Err(count), code, took);
        }
        Ok(response)
    }

    /// Runs a handler that wants its body whole.
    async fn whole(
        &self,
        (route, lane): (Option<usize>, Lane),
        request: (Parts, Incoming),
        id: &RequestId,
        clock: &Clock,
        arrived: Instant,
    ) -> Response {
        let (head, body) = request;
        match self.body(body, clock, arrived).await {
            Ok(bytes) => match self.place(lane) {
                Some(_place) => {
                    let waited = clock.stage() == Stage::Body;
                    clock.enter(
                        Stage::Handler,
                        if waited { Instant::now() } else { arrived },
                    );
                    self.handle(self.routes.call(route, head, bytes), id, clock)
                        .await
                }
                None => self.overloaded(lane).into_response(),
            },
            Err(fault) => fault.into_response(),
        }
    }

    pub(super) async fn handle(
        &self,
        handler: impl Future<Output = Response>,
        id: &RequestId,
        clock: &Clock,
    ) -> Response {
        let span = debug_span!("request", request_id = id.as_str());
        let mut handler = pin!(handler);
        let finish = poll_fn(|cx| {
            let _entered = span.enter();
            id.enter();
            match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
                Ok(Poll::Ready(response)) => Poll::Ready(Finish::Answered(response)),
                Ok(Poll::Pending) if clock.is_late() => Poll::Ready(Finish::TimedOut),
                Ok(Poll::Pending) => Poll::Pending,
                Err(panic) => Poll::Ready(Finish::Panicked(panic)),
            }
        });
        match finish.await {
            Finish::Answered(response) => response,
            Finish::TimedOut => {
                let limit = self.limits.request_timeout.as_millis();
                let detail =
                    format!("no answer within {limit} ms; retry with the same key and body");
                Problem::new(Code::TimedOut, detail).into_response()
            }
            Finish::Panicked(panic) => {
                self.metrics.cut(Cut::Panic);
                error!(
                    request_id = id.as_str(),
                    panic = panic_text(&*panic),
                    "a handler panicked"
                );
                let detail = "a bug in the server; retry with the same key and body";
                Problem::new(Code::Internal, detail).into_response()
            }
        }
    }

    /// Takes a place in flight, if one is free.
    fn place(&self, lane: Lane) -> Option<Place<'_>> {
        let (count, max) = self.bound(lane);
        let place = Place(count);
        (count.fetch_add(1, Ordering::Relaxed) < max).then_some(place)
    }

    fn bound(&self, lane: Lane) -> (&AtomicU64, u64) {
        let [checkout, config] = self.metrics.in_flight();
        match lane {
            Lane::Checkout => (checkout, self.limits.in_flight_max),
            Lane::Config => (config, self.limits.in_flight_config_max),
        }
    }

    fn overloaded(&self, lane: Lane) -> Problem {
        let (_, max) = self.bound(lane);
        let detail = format!("{max} requests are being served, the most allowed; retry later");
        Problem::new(Code::ServerOverloaded, detail).with("in_flight_max", max)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.0.cut(Cut::CallerGone);
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Every answer leaves a line where `debug` is on; else server errors do, for as many as they are.
#[cold]
fn log_answer(
    response: &Response,
    method: &Method,
    what: Result<&str, u64>,
    code: Option<Code>,
    took: Duration,
) {
    let request_id = response.headers().get(request_id::HEADER);
    let request_id = request_id.and_then(|id| id.to_str().ok());
    let (method, status) = (method.as_str(), response.status().as_u16());
    let code = code.map_or("ok", Code::name);
    let micros = took.as_micros() as u64;
    match what {
        Ok(path) => debug!(request_id, method, path, status, code, micros, "answered"),
        Err(count) => warn!(
            request_id,
            method, status, code, micros, count, "answered with a server error"
        ),
    }
}
