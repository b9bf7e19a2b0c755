//! `GET /v1/admin/sinks`: how far each sink of events is.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::admin::Operator;
use super::problem::Problem;
use super::render;
use crate::events::sinks::{SinkStatus, Sinks};

/// How far every sink is.
#[derive(Serialize, ToSchema)]
pub(crate) struct SinkPage {
    items: Vec<SinkShape>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// How far a sink is, and how it has fared since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = Sink)]
struct SinkShape {
    /// `ndjson`, `nats`, `redis` or `kafka`.
    name: &'static str,
    /// Everything before this it has.
    cursor: String,
    /// Events that it does not have yet.
    lag: u64,
    /// Events it has taken.
    delivered: u64,
    /// Attempts that failed.
    failures: u64,
    /// Times it missed events, since they were trimmed before it took them.
    gaps: u64,
    /// Why it takes nothing just now.
    #[schema(required)]
    error: Option<String>,
}

/// `GET /v1/admin/sinks`
pub(crate) async fn list(State(operator): State<Operator>) -> Result<Response, Problem> {
    let sinks = operator.served()?.api().sinks();
    let items = sinks.map(Sinks::status).unwrap_or_default();
    Ok(render::ok(&SinkPage {
        items: items.into_iter().map(SinkShape::of).collect(),
        next_cursor: None,
    }))
}

impl SinkShape {
    fn of(status: SinkStatus) -> Self {
        Self {
            name: status.name,
            cursor: status.cursor,
            lag: status.lag,
            delivered: status.delivered,
            failures: status.failures,
            gaps: status.gaps,
            error: status.error,
        }
    }
}
