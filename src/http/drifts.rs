//! The calls about drifts: look at them, approve their corrections, dismiss them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use holdfast_core::{Answer, DriftRecord, ReservationId, Sku, Verdict};
use holdfast_runtime::DriftFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, NoQuery};
use super::json::{Path, Query};
use super::problem::Problem;
use super::render;
use super::reservations::id_of;
use super::skus::{limit_of, not_a_cursor};
use super::state::Api;
use super::wire::drift::{DecisionBody, DriftKindWord, DriftShape, StateWord};
use super::wire::scalar::SkuName;
use crate::opaque::{from_cursor, to_cursor};

/// `GET /v1/drifts`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    state: Option<StateWord>,
    sku: Option<SkuName>,
    kind: Option<DriftKindWord>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of drifts, the oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftPage)]
pub(crate) struct PageShape<'a> {
    #[schema(value_type = Vec<DriftShape>)]
    items: Vec<DriftShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// `GET /v1/drifts`
pub(crate) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(cursor_of).transpose()?;
    let filter = DriftFilter {
        sku: query.sku.map(|sku| sku.0),
        kind: query.kind.map(Into::into),
        state: query.state.map(Into::into),
    };
    let page = api.router().drifts(filter, after, limit).await;
    let page = page.map_err(|unavailable| render::unavailable(&unavailable))?;
    let shape = |drift| DriftShape::of(drift, position_in(&api, drift));
    Ok(render::ok(&PageShape {
        items: page.items.iter().map(shape).collect(),
        next_cursor: page.next.map(|id| to_cursor(&id.as_u128().to_be_bytes())),
    }))
}

/// `GET /v1/drifts/{id}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let told = api.router().drift(id_of(&id)?).await;
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    Ok(render::told(&told, None, &position_of).into_response())
}

/// `POST /v1/drifts/{id}/approve`
pub(crate) async fn approve(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    decide(&api, id_of(&id)?, &call, Verdict::Approve).await
}

/// `POST /v1/drifts/{id}/dismiss`
pub(crate) async fn dismiss(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    decide(&api, id_of(&id)?, &call, Verdict::Dismiss).await
}

/// The drift says whose SKU it is, and so which shard decides.
async fn decide(
    api: &Api,
    id: ReservationId,
    call: &Call,
    verdict: Verdict,
) -> Result<Response, Problem> {
    let body: DecisionBody = call.json_or_default()?;
    let told = api.router().drift(id).await;
    match &told {
        Ok(Answer::Drift { view, .. }) => {
            let command = body.command(&view.drift, verdict);
            api.run(call, command, api.bounds().keys).await
        }
        told => {
            let position_of = |sku: &Sku, seq| api.position(sku, seq);
            Ok(render::told(told, None, &position_of).into_response())
        }
    }
}

fn position_in<'a>(api: &'a Api, drift: &'a DriftRecord) -> impl Fn(u64) -> String + 'a {
    let shard = api.router().placement().shard_of_sku(&drift.sku);
    move |seq| api.router().shard_position(shard, seq)
}

fn cursor_of(text: &str) -> Result<ReservationId, Problem> {
    let bytes = from_cursor(text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let id = bytes.and_then(|bytes| ReservationId::from_u128(u128::from_be_bytes(bytes)));
    id.ok_or_else(not_a_cursor)
}
