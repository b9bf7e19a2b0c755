//! The admin listener's calls beside the probes: the contract, and how the shards are.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holdfast_runtime::{Router, ShardStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi;
use super::probes::Health;
use super::problem::{Code, Problem};
use super::render;
use super::state::Api;
use crate::test_clock::TestClock;

/// The admin listener's state: it serves before the shards are there.
#[derive(Clone)]
pub struct Operator {
    health: Arc<Health>,
    shards: Shards,
}

/// The way to the shards, once they are there.
#[derive(Clone, Default)]
pub struct Shards(Arc<OnceLock<Served>>);

/// What is served.
pub(crate) struct Served {
    api: Api,
    clock: Option<TestClock>,
}

/// How every shard is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShardPage {
    items: Vec<ShardShape>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// How a shard is.
#[derive(Serialize, ToSchema)]
#[schema(as = Shard)]
struct ShardShape {
    shard: u16,
    /// `serving`, `recovering`, `down`, `quarantined` or `stopped`.
    state: &'static str,
    /// Why it does not serve.
    #[schema(required)]
    reason: Option<String>,
    /// Sequence of its last commit.
    sequence: u64,
    /// How often it was rebuilt.
    restarts: u64,
    /// Reservations kept, open and ended.
    reservations: usize,
    /// Those that are open.
    open: usize,
    /// Idempotency keys kept.
    keys: usize,
    /// SKUs known.
    skus: usize,
    /// Holds for carts whose home is another shard.
    foreign_holds: usize,
    /// Carts homed here that are not decided.
    undecided: usize,
    /// A lower bound of the expiries that are due and not recorded.
    expiry_backlog: usize,
    /// Messages in its mailbox.
    queued: usize,
    permits: PermitsShape,
    /// Those of configuration and movements.
    permits_config: PermitsShape,
}

/// Operations in flight.
#[derive(Serialize, ToSchema)]
#[schema(as = Permits)]
struct PermitsShape {
    used: usize,
    max: usize,
}

impl Operator {
    /// What the calls are answered from.
    pub fn new(health: Arc<Health>, shards: Shards) -> Self {
        Self { health, shards }
    }

    /// What is served, once it is there.
    pub(crate) fn served(&self) -> Result<&Served, Problem> {
        let detail = "starting: the ledgers are being opened";
        let served = self.shards.0.get();
        served.ok_or_else(|| Problem::new(Code::NotReady, detail))
    }
}

impl Shards {
    /// They are there, served by `api`, with the hands of their clock where it has some; a second
    /// call changes nothing.
    pub fn set(&self, api: Api, clock: Option<TestClock>) {
        let _ = self.0.set(Served { api, clock });
    }
}

impl Served {
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn router(&self) -> &Router {
        self.api.router()
    }

    pub(crate) fn clock(&self) -> Option<&TestClock> {
        self.clock.as_ref()
    }
}

impl FromRef<Operator> for Arc<Health> {
    fn from_ref(operator: &Operator) -> Self {
        Self::clone(&operator.health)
    }
}

/// `GET /openapi.json`
pub(crate) async fn document() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], openapi::DOCUMENT.as_str()).into_response()
}

/// `GET /v1/admin/shards`
pub(crate) async fn shards(State(operator): State<Operator>) -> Result<Response, Problem> {
    let router = operator.served()?.router();
    let items = router.shards().iter().map(ShardShape::of).collect();
    Ok(render::ok(&ShardPage {
        items,
        next_cursor: None,
    }))
}

impl ShardShape {
    fn of(status: &ShardStatus) -> Self {
        let fill = &status.fill;
        Self {
            shard: status.index,
            state: status.state.as_str(),
            reason: status.reason.as_deref().map(str::to_owned),
            sequence: status.seq,
            restarts: status.restarts,
            reservations: fill.reservations,
            open: fill.open,
            keys: fill.keys,
            skus: fill.skus,
            foreign_holds: fill.foreign_holds,
            undecided: status.undecided,
            expiry_backlog: status.backlog,
            queued: status.queued,
            permits: PermitsShape {
                used: status.permits_used,
                max: status.permits_max,
            },
            permits_config: PermitsShape {
                used: status.config_permits_used,
                max: status.config_permits_max,
            },
        }
    }
}
