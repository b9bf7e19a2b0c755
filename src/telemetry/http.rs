//! Counts of one listener: answers by route and code, durations, connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::exposition::{Exposition, Kind};
use super::histogram::{Histogram, LATENCY_MICROS};
use crate::http::problem::Code;

/// Successes that are counted by their status; others share one counter.
const SUCCESSES: [u16; 6] = [200, 201, 202, 204, 207, 304];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "other"];

/// Answers counted by success status or problem code.
#[derive(Debug)]
pub struct AnswerCounts {
    counts: Box<[AtomicU64]>,
}

/// Why the listener ended something by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A head did not arrive in time.
    HeadTimeout,
    /// A body did not arrive in time.
    BodyTimeout,
    /// A connection was open without a request for too long.
    IdleTimeout,
    /// A client did not take its answer.
    WriteTimeout,
    /// What was sent is no HTTP request, or too long.
    MalformedHead,
    /// A handler did not answer in time.
    HandlerTimeout,
    /// There were too many connections.
    TooManyConnections,
    /// A connection was still busy when the drain's time was over.
    DrainTimeout,
    /// A caller went before its answer was ready.
    CallerGone,
    /// A handler panicked.
    Panic,
}

/// What one listener counts. The last route is for requests that match none.
#[derive(Debug)]
pub struct HttpMetrics {
    listener: &'static str,
    routes: Box<[Route]>,
    cuts: [AtomicU64; Cut::ALL.len()],
    connections: AtomicU64,
    accepted: AtomicU64,
    in_flight: [AtomicU64; 2],
}

#[derive(Debug)]
struct Route {
    template: &'static str,
    methods: [Series; METHODS.len()],
}

#[derive(Debug)]
struct Series {
    answers: AnswerCounts,
    duration: Histogram,
}

/// Operations of batches, counted by kind and answer.
#[derive(Debug)]
pub struct Operations {
    kinds: &'static [&'static str],
    answers: Box<[AnswerCounts]>,
}

impl Default for AnswerCounts {
    fn default() -> Self {
        let slots = SUCCESSES.len() + 1 + Code::ALL.len();
        Self {
            counts: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl AnswerCounts {
    /// Counts a problem.
    pub fn problem(&self, code: Code) {
        self.counts[SUCCESSES.len() + 1 + code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a success.
    pub fn success(&self, status: StatusCode) {
        self.successes(status, 1);
    }

    /// Counts so many successes alike.
    pub fn successes(&self, status: StatusCode, count: u64) {
        let known = SUCCESSES.iter().position(|known| *known == status.as_u16());
        self.counts[known.unwrap_or(SUCCESSES.len())].fetch_add(count, Ordering::Relaxed);
    }

    /// Calls `each` with status and code of every answer that was counted.
    fn for_each(&self, mut each: impl FnMut(&str, &str, u64)) {
        for (index, count) in self.counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            match index.checked_sub(SUCCESSES.len() + 1) {
                Some(code) => {
                    let code = Code::ALL[code];
                    each(&code.status().to_string(), code.name(), count);
                }
                None => match SUCCESSES.get(index) {
                    Some(status) => each(&status.to_string(), "ok", count),
                    None => each("other", "ok", count),
                },
            }
        }
    }
}

impl Cut {
    const ALL: [(Cut, &'static str); 10] = [
        (Cut::HeadTimeout, "head_timeout"),
        (Cut::BodyTimeout, "body_timeout"),
        (Cut::IdleTimeout, "idle_timeout"),
        (Cut::WriteTimeout, "write_timeout"),
        (Cut::MalformedHead, "malformed_head"),
        (Cut::HandlerTimeout, "handler_timeout"),
        (Cut::TooManyConnections, "too_many_connections"),
        (Cut::DrainTimeout, "drain_timeout"),
        (Cut::CallerGone, "caller_gone"),
        (Cut::Panic, "panic"),
    ];
}

impl HttpMetrics {
    /// For a listener with these route templates.
    pub fn new(listener: &'static str, templates: &[&'static str]) -> Self {
        let routes = templates
            .iter()
            .copied()
            .chain(["unmatched"])
            .map(|template| Route {
                template,
                methods: std::array::from_fn(|_| Series {
                    answers: AnswerCounts::default(),
                    duration: Histogram::new(LATENCY_MICROS),
                }),
            });
        Self {
            listener,
            routes: routes.collect(),
            cuts: std::array::from_fn(|_| AtomicU64::new(0)),
            connections: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            in_flight: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// Counts an answer. `route` is the template's index; `None` where none matched.
    pub fn answered(
        &self,
        route: Option<usize>,
        method: &Method,
        status: StatusCode,
        code: Option<Code>,
        took: Duration,
    ) {
        let route = &self.routes[route.unwrap_or(self.routes.len() - 1)];
        let series = &route.methods[method_index(method)];
        match code {
            Some(code) => series.answers.problem(code),
            None => series.answers.success(status),
        }
        series.duration.observe(took.as_micros() as u64);
    }

    /// Counts something the listener ended by itself.
    pub fn cut(&self, cut: Cut) {
        self.cuts[cut as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that happened.
    pub fn cuts(&self, cut: Cut) -> u64 {
        self.cuts[cut as usize].load(Ordering::Relaxed)
    }

    /// Counts a connection in.
    pub fn connected(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection out.
    pub fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections now.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The number of requests being served in each lane, which is also what bounds them.
    pub fn in_flight(&self) -> &[AtomicU64; 2] {
        &self.in_flight
    }

    /// Writes the families of all listeners.
    pub fn expose(listeners: &[&HttpMetrics], out: &mut Exposition) {
        let help = "Answers by route and code.";
        out.family("holdfast_http_answers_total", Kind::Counter, help);
        each_series(listeners, |labels, series| {
            series.answers.for_each(|status, code, count| {
                let [listener, method, route] = *labels;
                out.sample(
                    &[listener, method, route, ("status", status), ("code", code)],
                    count,
                );
            });
        });
        let help = "From the end of a request's head to its answer.";
        out.family("holdfast_http_duration_seconds", Kind::Histogram, help);
        each_series(listeners, |labels, series| {
            if !series.duration.is_empty() {
                out.histogram(labels, &series.duration.sample(), 1e6);
            }
        });
        let help = "What the listener ended by itself, by cause.";
        out.family("holdfast_http_cut_total", Kind::Counter, help);
        for listener in listeners {
            for (cut, name) in Cut::ALL {
                out.sample(
                    &[("listener", listener.listener), ("cause", name)],
                    listener.cuts(cut),
                );
            }
        }
        out.family(
            "holdfast_http_connections",
            Kind::Gauge,
            "Open connections.",
        );
        for listener in listeners {
            out.sample(&[("listener", listener.listener)], listener.connections());
        }
        let help = "Connections accepted.";
        out.family("holdfast_http_connections_total", Kind::Counter, help);
        for listener in listeners {
            let accepted = listener.accepted.load(Ordering::Relaxed);
            out.sample(&[("listener", listener.listener)], accepted);
        }
        out.family(
            "holdfast_http_in_flight",
            Kind::Gauge,
            "Requests being served.",
        );
        for listener in listeners {
            for (lane, count) in ["checkout", "config"].into_iter().zip(&listener.in_flight) {
                let labels = [("listener", listener.listener), ("lane", lane)];
                out.sample(&labels, count.load(Ordering::Relaxed));
            }
        }
    }
}

impl Operations {
    /// For operations of these kinds.
    pub fn new(kinds: &'static [&'static str]) -> Self {
        Self {
            kinds,
            answers: kinds.iter().map(|_| AnswerCounts::default()).collect(),
        }
    }

    /// The counts of a kind, by its index.
    pub fn of(&self, kind: usize) -> &AnswerCounts {
        &self.answers[kind]
    }

    /// Writes the family.
    pub fn expose(&self, out: &mut Exposition) {
        let help = "Operations of batches by kind and code.";
        out.family("holdfast_batch_operations_total", Kind::Counter, help);
        for (kind, answers) in self.kinds.iter().zip(&self.answers) {
            answers.for_each(|status, code, count| {
                out.sample(&[("op", kind), ("status", status), ("code", code)], count);
            });
        }
    }
}

fn each_series(listeners: &[&HttpMetrics], mut each: impl FnMut(&[(&str, &str); 3], &Series)) {
    for listener in listeners {
        for route in &listener.routes {
            for (method, series) in METHODS.into_iter().zip(&route.methods) {
                let labels = [
                    ("listener", listener.listener),
                    ("method", method),
                    ("route", route.template),
                ];
                each(&labels, series);
            }
        }
    }
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        _ => 4,
    }
}
