//! Finding reservations by SKU, order or customer: a projection, which says how old it is.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use holdfast_core::{ReservationId, Status};
use holdfast_runtime::{LookupCursor, LookupFilter, LookupPage, ShardIndex, Unavailable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::Query;
use super::problem::{Code, Problem};
use super::render;
use super::skus::{limit_of, not_a_cursor};
use super::state::Api;
use super::wire::scalar::{FreeText, SkuName, Time};
use super::wire::view::{ReservationShape, StatusWord};
use crate::opaque::{from_cursor, to_cursor};

/// `GET /v1/reservations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindQuery {
    sku: Option<SkuName>,
    order_ref: Option<FreeText>,
    customer: Option<FreeText>,
    status: Option<StatusWord>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of reservations, newest first; each is shown as it stands now.
#[derive(Serialize, ToSchema)]
#[schema(as = ReservationPage)]
pub(crate) struct PageShape<'a> {
    #[schema(value_type = Vec<ReservationShape>)]
    items: Vec<ReservationShape<'a>>,
    /// Where the next page begins; `null` on the last one. A page may be short and have one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How far the list has followed each shard.
    as_of: Vec<ShardAsOf>,
    /// Shards that could not be asked, so that what they hold is missing; absent where none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<u16>>)]
    missing_shards: Vec<ShardIndex>,
}

/// How far a list has followed one shard.
#[derive(Serialize, ToSchema)]
struct ShardAsOf {
    shard: u16,
    /// An opaque point in its ledger.
    position: String,
    /// Ledger time.
    time: Time,
}

/// `GET /v1/reservations`
pub(crate) async fn find(
    State(api): State<Api>,
    Query(query): Query<FindQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let cursor = query.cursor.as_deref().map(cursor_of).transpose()?;
    let filter = LookupFilter {
        sku: query.sku.map(|sku| sku.0),
        order_ref: query.order_ref.map(|text| text.0),
        customer: query.customer.map(|text| text.0),
        status: query.status.map(Status::from),
    };
    match api.router().lookup(filter, cursor, limit).await {
        Ok(page) => Ok(render::ok(&shape(&api, &page))),
        Err(Unavailable::Full("lookups")) => {
            let detail = "this server finds reservations by id only; see lookup.enabled";
            Ok(Problem::new(Code::NotFound, detail).into_response())
        }
        Err(unavailable) => Err(render::unavailable(&unavailable)),
    }
}

fn shape<'a>(api: &Api, page: &'a LookupPage) -> PageShape<'a> {
    let as_of = page.as_of.iter().map(|&(shard, seq, at)| ShardAsOf {
        shard,
        position: api.router().shard_position(shard, seq),
        time: Time(at),
    });
    PageShape {
        items: page.items.iter().map(ReservationShape::of).collect(),
        next_cursor: page
            .next
            .map(|LookupCursor(id)| to_cursor(&id.as_u128().to_be_bytes())),
        as_of: as_of.collect(),
        missing_shards: page.missing.clone(),
    }
}

fn cursor_of(text: &str) -> Result<LookupCursor, Problem> {
    let bytes = from_cursor(text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let id = bytes.and_then(|bytes| ReservationId::from_u128(u128::from_be_bytes(bytes)));
    id.map(LookupCursor).ok_or_else(not_a_cursor)
}
