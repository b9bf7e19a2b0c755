//! The calls about locations as such: declare them, open and close them for selling, and see where
//! less is on hand than is held.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{Location, LocationRecord, Patch, ShortfallView, Sku, Text};
use holdfast_runtime::Cause;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::Call;
use super::json::{Path, Query};
use super::problem::{Code, Outcome, Problem};
use super::render;
use super::skus::{limit_of, not_a_cursor};
use super::state::Api;
use super::wire::scalar::{FreeText, Id, LocationName, SkuName, Time};
use super::wire::view::AsOf;
use crate::opaque::{from_cursor, to_cursor};

/// `PUT /v1/locations/{name}`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfigureLocation)]
pub(crate) struct LocationBody {
    /// Whether reserves may take from it; `true` for a new one.
    selling: Option<bool>,
    /// Why, for the record.
    reason: Option<FreeText>,
}

/// A location that was declared.
#[derive(Serialize, ToSchema)]
#[schema(as = Location)]
pub(crate) struct LocationShape<'a> {
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// Whether reserves may take from it.
    selling: bool,
    /// Raised by every change.
    version: u64,
}

/// `GET /v1/locations` and `GET /v1/shortfalls`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of locations, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = LocationPage)]
pub(crate) struct PageShape<'a> {
    items: Vec<LocationShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Fewer units are on hand at a location than are held there.
#[derive(Serialize, ToSchema)]
#[schema(as = Shortfall)]
pub(crate) struct ShortfallShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    #[schema(value_type = LocationName)]
    location: &'a str,
    on_hand: i64,
    reserved: i64,
    /// Units that are missing.
    shortfall: u64,
    /// How many reservations get less than they hold.
    reservations: usize,
    /// These in the order in which they were made, the newest last; of many, the newest.
    affected: Vec<AffectedShape<'a>>,
    as_of: AsOf,
}

/// A reservation that a shortfall leaves without units, or with fewer.
#[derive(Serialize, ToSchema)]
#[schema(as = Affected)]
struct AffectedShape<'a> {
    reservation: Id,
    #[schema(value_type = Option<FreeText>, required)]
    order_ref: Option<&'a str>,
    /// Units it holds there.
    qty: u32,
    /// Units of these that are not there.
    without: u32,
    expires_at: Time,
    #[schema(required)]
    pinned_until: Option<Time>,
}

/// A page of shortfalls, by SKU and location.
#[derive(Serialize, ToSchema)]
#[schema(as = ShortfallPage)]
pub(crate) struct ShortfallPage<'a> {
    items: Vec<ShortfallShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<'a> LocationShape<'a> {
    fn of(record: &'a LocationRecord) -> Self {
        Self {
            location: record.location.as_str(),
            selling: record.selling,
            version: record.version,
        }
    }
}

/// `PUT /v1/locations/{name}`: every shard decides by itself whether a location sells, so all are
/// told. Repeating it is harmless, and needs no key.
pub(crate) async fn configure(
    State(api): State<Api>,
    Path(name): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let location = location_of(&name)?;
    let body: LocationBody = call.json_or_default()?;
    let selling = body.selling.map_or(Patch::Keep, Patch::Set);
    let cause = Cause {
        reason: body.reason.map(|reason| reason.0),
        trace: call.trace().map(Box::new),
    };
    let told = api
        .router()
        .configure_location(location, selling, cause, api.deadline())
        .await;
    // Other shards may have it already, whatever this one says.
    let record = told
        .map_err(|unavailable| render::unavailable(&unavailable).with_outcome(Outcome::Unknown))?;
    Ok(render::ok(&LocationShape::of(&record)))
}

/// `GET /v1/locations/{name}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    if query.limit.is_some() || query.cursor.is_some() {
        return Err(Problem::invalid("limit", "one location has no pages"));
    }
    let location = location_of(&name)?;
    let all = api.router().locations(None, usize::MAX).await;
    let all = all.map_err(|unavailable| render::unavailable(&unavailable))?;
    let Some(record) = all.iter().find(|record| record.location == location) else {
        let detail = format!("{location} was not declared; PUT /v1/locations/{location} first");
        return Err(Problem::new(Code::UnknownLocation, detail));
    };
    Ok(render::ok(&LocationShape::of(record)))
}

/// `GET /v1/locations`
pub(crate) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = match &query.cursor {
        Some(cursor) => Some(text_of(cursor).and_then(|name| location_of(&name))?),
        None => None,
    };
    let found = api.router().locations(after.as_ref(), limit).await;
    let found = found.map_err(|unavailable| render::unavailable(&unavailable))?;
    let next = found.last().filter(|_| found.len() == limit);
    Ok(render::ok(&PageShape {
        items: found.iter().map(LocationShape::of).collect(),
        next_cursor: next.map(|record| to_cursor(record.location.as_str().as_bytes())),
    }))
}

/// `GET /v1/shortfalls`
pub(crate) async fn shortfalls(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(place_of).transpose()?;
    let found = api.router().shortfalls(after, limit).await;
    let found = found.map_err(|unavailable| render::unavailable(&unavailable))?;
    let next = found.last().filter(|_| found.len() == limit);
    let cursor =
        |view: &ShortfallView| to_cursor(format!("{} {}", view.sku, view.location).as_bytes());
    Ok(render::ok(&ShortfallPage {
        items: found.iter().map(|view| shortfall(&api, view)).collect(),
        next_cursor: next.map(cursor),
    }))
}

fn shortfall<'a>(api: &Api, view: &'a ShortfallView) -> ShortfallShape<'a> {
    let affected = view.affected.iter().map(|hold| AffectedShape {
        reservation: Id(hold.id),
        order_ref: hold.order_ref.as_ref().map(Text::as_str),
        qty: hold.open,
        without: hold.without,
        expires_at: Time(hold.expires_at),
        pinned_until: hold.pinned_until.map(Time),
    });
    ShortfallShape {
        sku: view.sku.as_str(),
        location: view.location.as_str(),
        on_hand: view.on_hand,
        reserved: view.reserved,
        shortfall: view.units,
        reservations: view.reservations,
        affected: affected.collect(),
        as_of: AsOf {
            position: api.position(&view.sku, view.seq),
            time: Time(view.at),
        },
    }
}

fn location_of(text: &str) -> Result<Location, Problem> {
    Location::parse(text).map_err(|malformed| {
        Problem::invalid("location", format!("{text:?} is no location: {malformed}"))
    })
}

fn text_of(cursor: &str) -> Result<String, Problem> {
    let text = from_cursor(cursor).and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(not_a_cursor)
}

fn place_of(cursor: &str) -> Result<(Sku, Location), Problem> {
    let text = text_of(cursor)?;
    let (sku, location) = text.split_once(' ').ok_or_else(not_a_cursor)?;
    let (sku, location) = (Sku::parse(sku).ok(), Location::parse(location).ok());
    sku.zip(location).ok_or_else(not_a_cursor)
}
