//! `GET /v1/admin/refusals`: what a buyer was told, and the counters behind it.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{Location, Refusal, ShortLine, Sku, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admin::Operator;
use super::json::Query;
use super::problem::Problem;
use super::refusals::{Entry, Filter};
use super::render;
use super::render_refusal::{Made, refused};
use super::render_shape::Refused;
use super::skus::{limit_of, not_a_cursor};
use super::wire::scalar::{FreeText, Id, LocationName, SkuName, Time};
use super::wire::view::PositionOf;
use crate::opaque::{from_cursor, to_cursor};

/// `GET /v1/admin/refusals`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindQuery {
    sku: Option<SkuName>,
    customer: Option<FreeText>,
    request_id: Option<FreeText>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of refusals, the last one first.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusalPage)]
pub(crate) struct PageShape<'a> {
    #[schema(value_type = Vec<RefusalShape>)]
    items: Vec<RefusalShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many are kept of each shard (`http.refusals_per_shard`); older ones are gone.
    kept_per_shard: usize,
}

/// A call that the business refused.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusalRecord)]
struct RefusalShape<'a> {
    /// Ledger time.
    time: Time,
    /// `Request-Id` of the call; those of one batch share it.
    #[schema(value_type = Option<FreeText>, required)]
    request_id: Option<&'a str>,
    /// `reserve`, `confirm`, `release`, `extend`, `pin`, `movement` or `configure`.
    operation: &'static str,
    /// The shard it was sent to.
    shard: u16,
    /// As a reserve named it; of a call about a reservation, that one's, from a moment later on.
    #[schema(value_type = Option<FreeText>, required)]
    customer: Option<&'a str>,
    /// The reservation that the call was about.
    #[schema(required)]
    reservation: Option<Id>,
    /// The SKUs that the call was about, up to 16; of a call about a reservation, that one's, from a
    /// moment later on.
    #[schema(value_type = Vec<SkuName>)]
    skus: Vec<&'a str>,
    /// What the caller was told, up to 16 lines.
    #[schema(value_type = Refused)]
    problem: Refused<'a>,
    /// Lines of the problem beyond those.
    lines_left_out: usize,
    /// The counters it was decided on, of every line that was short of stock.
    #[schema(value_type = Vec<StockThenShape>)]
    counters: Vec<StockThenShape<'a>>,
}

/// Counters at the moment of a refusal, in units.
#[derive(Serialize, ToSchema)]
#[schema(as = CountersThen)]
struct StockThenShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    /// The location that the line named; `null`: summed over those that sell.
    #[schema(value_type = Option<LocationName>, required)]
    location: Option<&'a str>,
    on_hand: i64,
    reserved: i64,
    safety_stock: i64,
    /// What could be had, units of a replaced reservation included.
    available: u64,
}

/// `GET /v1/admin/refusals`
pub(crate) async fn find(
    State(operator): State<Operator>,
    Query(query): Query<FindQuery>,
) -> Result<Response, Problem> {
    let api = operator.served()?.api();
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let filter = Filter {
        sku: query.sku.map(|sku| sku.0),
        customer: query.customer.map(|customer| customer.0),
        request_id: query.request_id.map(|id| id.0),
        before: query.cursor.as_deref().map(number_of).transpose()?,
    };
    let (found, has_more) = api.refusals().find(&filter, limit);
    let last = found.last().filter(|_| has_more);
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    let page = PageShape {
        items: found
            .iter()
            .map(|entry| RefusalShape::of(entry, &position_of))
            .collect(),
        next_cursor: last.map(|entry| to_cursor(&entry.number.to_be_bytes())),
        kept_per_shard: api.refusals().per_shard(),
    };
    Ok(render::ok(&page))
}

fn number_of(cursor: &str) -> Result<u64, Problem> {
    let bytes = from_cursor(cursor).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or_else(not_a_cursor)
}

impl<'a> RefusalShape<'a> {
    fn of(entry: &'a Entry, position_of: PositionOf<'_>) -> Self {
        let made = Made {
            at: entry.at,
            seq: entry.seq,
            position_of,
        };
        let short: &[ShortLine] = match &*entry.refusal {
            Refusal::InsufficientStock(lines) => lines,
            _ => &[],
        };
        let asker = &entry.asker;
        Self {
            time: Time(entry.at),
            request_id: entry.request_id.as_ref().map(Text::as_str),
            operation: asker.operation,
            shard: entry.shard,
            customer: asker.customer.as_ref().map(Text::as_str),
            reservation: asker.about.reservation().map(Id),
            skus: asker.about.skus().iter().map(Sku::as_str).collect(),
            problem: refused(&entry.refusal, &made),
            lines_left_out: entry.left_out,
            counters: short.iter().filter_map(StockThenShape::of).collect(),
        }
    }
}

impl<'a> StockThenShape<'a> {
    fn of(line: &'a ShortLine) -> Option<Self> {
        let stock = line.stock?;
        Some(Self {
            sku: line.sku.as_str(),
            location: line.location.as_ref().map(Location::as_str),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            safety_stock: stock.safety_stock,
            available: line.available,
        })
    }
}
