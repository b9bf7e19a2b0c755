//! Probes and metrics: what an orchestrator and Prometheus ask the admin listener.
//!
//! `/live` says that the process answers, `/startup` that recovery is over, `/ready` that callers
//! may be sent here. A sold-out SKU or one broken shard among working ones is no reason to say no.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::problem::{Code, Problem};
use super::routes::Routes;
use crate::telemetry::{Exposition, HttpMetrics, Kind, Operations, RuntimeSample};

/// What the service asks of whatever holds the stock.
pub trait Backend: Send + Sync {
    /// Its numbers now; called at every scrape, so it must be quick.
    fn sample(&self) -> RuntimeSample;
    /// Whether any shard can write.
    fn can_write(&self) -> bool;
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Opening ledgers and replaying them.
    Starting,
    /// Serving.
    Serving,
    /// Finishing what is in flight.
    Draining,
}

/// What probes and scrapes are answered from; shared by the service and its handlers.
pub struct Health {
    stage: AtomicU8,
    started: Instant,
    backend: OnceLock<Arc<dyn Backend>>,
    listeners: Mutex<Vec<Arc<HttpMetrics>>>,
    operations: OnceLock<Arc<Operations>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stage: AtomicU8::new(Stage::Starting as u8),
            started: Instant::now(),
            backend: OnceLock::new(),
            listeners: Mutex::new(Vec::new()),
            operations: OnceLock::new(),
        }
    }
}

impl Health {
    /// A process that is starting.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Moves on to a later stage; there is no way back.
    pub fn enter(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
    }

    /// The stage now.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Draining,
        }
    }

    /// Names what holds the stock, once it is there; a second call changes nothing.
    pub fn set_backend(&self, backend: Arc<dyn Backend>) {
        let _ = self.backend.set(backend);
    }

    /// Adds the counts of batch operations to the metrics; a second call changes nothing.
    pub fn set_operations(&self, operations: Arc<Operations>) {
        let _ = self.operations.set(operations);
    }

    /// Adds a listener's counts to the metrics.
    pub fn add_listener(&self, metrics: Arc<HttpMetrics>) {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(metrics);
    }

    /// Whether callers may be sent here, or why not.
    fn readiness(&self) -> Result<(), &'static str> {
        match self.stage() {
            Stage::Starting => Err("starting: the ledgers are being replayed"),
            Stage::Draining => Err("draining: requests in flight are being finished"),
            Stage::Serving => match self.backend.get() {
                Some(backend) if backend.can_write() => Ok(()),
                _ => Err("no shard can write; see /metrics and the log"),
            },
        }
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        let mut out = Exposition::default();
        out.family(
            "holdfast_build_info",
            Kind::Gauge,
            "1, with the version as a label.",
        );
        out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.family(
            "holdfast_uptime_seconds",
            Kind::Gauge,
            "Since the process started.",
        );
        out.sample(&[], self.started.elapsed().as_secs());
        if let Some(bytes) = resident_bytes() {
            out.family(
                "process_resident_memory_bytes",
                Kind::Gauge,
                "Resident memory.",
            );
            out.sample(&[], bytes);
        }
        out.family("holdfast_ready", Kind::Gauge, "1 if /ready says yes.");
        out.sample(&[], u64::from(self.readiness().is_ok()));
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        HttpMetrics::expose(
            &listeners.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            &mut out,
        );
        if let Some(operations) = self.operations.get() {
            operations.expose(&mut out);
        }
        if let Some(backend) = self.backend.get() {
            backend.sample().expose(&mut out);
        }
        out.finish()
    }
}

/// Adds `/startup`, `/live`, `/ready` and `/metrics`.
pub fn add<S>(routes: Routes<S>) -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Health>: FromRef<S>,
{
    routes
        .route("/startup", get(startup))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
}

async fn live() -> Response {
    yes("live")
}

async fn startup(State(health): State<Arc<Health>>) -> Response {
    if health.stage() == Stage::Starting {
        let detail = "starting: the ledgers are being replayed";
        return Problem::new(Code::NotReady, detail).into_response();
    }
    yes("started")
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    match health.readiness() {
        Ok(()) => yes("ready"),
        Err(why) => Problem::new(Code::NotReady, why).into_response(),
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let content_type = HeaderValue::from_static(crate::telemetry::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, content_type)], health.metrics()).into_response()
}

fn yes(status: &str) -> Response {
    let json = HeaderValue::from_static("application/json");
    (
        [(header::CONTENT_TYPE, json)],
        format!("{{\"status\":\"{status}\"}}"),
    )
        .into_response()
}

/// The process's resident memory, where the system says so.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
