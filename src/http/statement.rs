//! The statement of a SKU, and its counters at a moment of the past: a projection of the journal.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use holdfast_core::{Counter, Counters, Location, ReservationId, Sku, Text};
use holdfast_runtime::{At, Change, Entry, NoPast, Past, StatementPage, event_name};
use serde::ser::{Serialize as Write, SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::skus::{limit_of, sku_of, unknown};
use super::state::Api;
use super::wire::scalar::{Id, LocationName, SkuName, Time, parse_time};
use super::wire::view::{AsOf, CountersShape, LevelShape, Levels};

/// `GET /v1/skus/{sku}/ledger`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LedgerQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of a SKU's statement, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = StatementPage)]
pub(crate) struct PageShape<'a> {
    items: Vec<EntryShape<'a>>,
    /// Where the next page begins, as `after`; `null` at the end.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How far the statement has followed the ledger.
    as_of: AsOf,
}

/// An event of a SKU, with the balances before and after it.
#[derive(Serialize, ToSchema)]
#[schema(as = StatementEntry)]
struct EntryShape<'a> {
    /// Its place in the ledger; `after` takes it.
    position: String,
    /// Ledger time.
    time: Time,
    /// What happened, such as `stock.received`.
    r#type: &'static str,
    /// Units concerned; 0 where none moved.
    qty: u64,
    /// Where; absent where it touched several locations, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<LocationName>)]
    location: Option<&'a str>,
    /// The counters before it, summed over locations.
    #[schema(value_type = CountersShape)]
    before: CountersShape<'a>,
    /// The counters after it, summed over locations.
    #[schema(value_type = CountersShape)]
    after: CountersShape<'a>,
    /// What changed, by location.
    changes: Vec<ChangeShape<'a>>,
    /// The reservation concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<Id>,
    /// The order's reference, where the reservation was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_ref: Option<&'a str>,
    /// The movement it was answered as.
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<Id>,
    /// The drift that it opened, corrects or dismisses.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Id>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The paper it stands on.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a str>,
    /// Who reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// When it happened out there.
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Time>,
    /// Of `stock.shortfall`: the newest reservations that it leaves without units, the newest last.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected: Option<Vec<ShortedShape>>,
    /// Of `stock.shortfall`: how many older reservations there are beside those.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_more: Option<u64>,
    /// Where the request that caused it stood in its caller's trace (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

/// A reservation that a shortfall leaves without units.
#[derive(Serialize, ToSchema)]
#[schema(as = StatementAffected)]
struct ShortedShape {
    reservation: Id,
    /// Units of it that were not there.
    without: u32,
}

/// The counters that an event changed at one location.
#[derive(Serialize, ToSchema)]
#[schema(as = StatementChange)]
struct ChangeShape<'a> {
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// Units concerned there.
    qty: u64,
    /// The changed counters before.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    before: Changed<'a>,
    /// The changed counters after.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    after: Changed<'a>,
}

/// Of one state the counters in which it differs from another.
struct Changed<'a> {
    shown: &'a Counters,
    other: &'a Counters,
}

/// A SKU's counters at a moment of the past; its configuration then is not told.
#[derive(Serialize, ToSchema)]
#[schema(as = PastSku)]
pub(crate) struct PastShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    /// The last event before that moment.
    as_of: AsOf,
    #[serde(flatten)]
    #[schema(value_type = CountersShape)]
    counters: CountersShape<'a>,
    /// Units that could be promised: the sum of the locations' own.
    available: i64,
    /// Units held that were not there: the sum of the locations' own.
    shortfall: i64,
    #[schema(value_type = std::collections::BTreeMap<String, LevelShape>)]
    locations: Levels<'a>,
}

/// `GET /v1/skus/{sku}/ledger`
pub(crate) async fn ledger(
    State(api): State<Api>,
    Path(sku): Path<String>,
    Query(query): Query<LedgerQuery>,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = match &query.after {
        Some(text) => position_of(&api, &sku, text)?,
        None => 0,
    };
    match api.router().statement(&sku, after, limit).await {
        Ok(page) => Ok(render::ok(&shape(&api, &sku, &page))),
        Err(no) => explain(&api, &sku, "after", &no),
    }
}

/// `GET /v1/skus/{sku}?as_of=`
pub(crate) async fn past(api: &Api, sku: &Sku, as_of: &str) -> Result<Response, Problem> {
    let at = match parse_time(as_of) {
        Ok(time) => At::Time(time),
        Err(_) => At::Sequence(api.router().sequence_of(sku, as_of).ok_or_else(|| {
            let detail = format!(
                "{as_of:?} is neither a time (RFC 3339, UTC) nor a position of this SKU's ledger"
            );
            Problem::invalid("as_of", detail)
        })?),
    };
    match api.router().past(sku, at).await {
        Ok(past) => Ok(render::ok(&past_shape(api, sku, at, &past))),
        Err(no) => explain(api, sku, "as_of", &no),
    }
}

fn position_of(api: &Api, sku: &Sku, text: &str) -> Result<u64, Problem> {
    api.router().sequence_of(sku, text).ok_or_else(|| {
        let detail = format!("{text:?} is no position of this SKU's ledger");
        Problem::invalid("after", detail)
    })
}

fn explain(api: &Api, sku: &Sku, field: &'static str, no: &NoPast) -> Result<Response, Problem> {
    match no {
        NoPast::UnknownSku | NoPast::UnknownLocation => Ok(unknown(api, sku.clone())),
        NoPast::Future => Err(Problem::invalid(field, no.to_string())),
        NoPast::Trimmed { oldest } => {
            let detail = "what happened before was trimmed from the ledger, and is in no archive";
            let problem = Problem::new(Code::HistoryTrimmed, detail);
            let oldest = api.position(sku, (*oldest).max(1));
            Ok(problem.with("oldest", oldest).into_response())
        }
        NoPast::Disabled => Ok(Problem::new(Code::NotFound, no.to_string()).into_response()),
        NoPast::Behind => Err(Problem::new(Code::HistoryUnavailable, no.to_string())),
        NoPast::Unavailable(unavailable) => Err(render::unavailable(unavailable)),
    }
}

fn shape<'a>(api: &Api, sku: &Sku, page: &'a StatementPage) -> PageShape<'a> {
    let position = |seq| api.router().shard_position(shard_of(api, sku), seq);
    PageShape {
        items: page
            .entries
            .iter()
            .map(|entry| EntryShape::of(entry, position(entry.seq)))
            .collect(),
        next_cursor: page.next.map(position),
        as_of: AsOf {
            position: position(page.as_of.0),
            time: Time(page.as_of.1),
        },
    }
}

fn past_shape<'a>(api: &Api, sku: &'a Sku, at: At, past: &'a Past) -> PastShape<'a> {
    let mut sum = Counters::default();
    let (mut available, mut shortfall) = (0, 0);
    for (_, counters) in &past.levels {
        sum.add(counters);
        available += counters.available();
        shortfall += counters.shortfall();
    }
    let time = match at {
        At::Sequence(_) => past.at,
        At::Time(time) => time,
    };
    PastShape {
        sku: sku.as_str(),
        as_of: AsOf {
            position: api.router().shard_position(shard_of(api, sku), past.seq),
            time: Time(time),
        },
        counters: CountersShape(std::borrow::Cow::Owned(sum)),
        available,
        shortfall,
        locations: Levels(&past.levels),
    }
}

fn shard_of(api: &Api, sku: &Sku) -> u16 {
    api.router().placement().shard_of_sku(sku)
}

impl<'a> EntryShape<'a> {
    fn of(entry: &'a Entry, position: String) -> Self {
        let details = &entry.details;
        let location = match &entry.changes[..] {
            [one] => Some(one.location.as_str()),
            _ => None,
        };
        Self {
            position,
            time: Time(entry.at),
            r#type: event_name(entry.kind),
            qty: entry.units(),
            location,
            before: CountersShape(std::borrow::Cow::Borrowed(&entry.before)),
            after: CountersShape(std::borrow::Cow::Borrowed(&entry.after)),
            changes: entry.changes.iter().map(ChangeShape::of).collect(),
            reservation: details.reservation.map(Id),
            order_ref: details.order_ref.as_ref().map(Text::as_str),
            movement: details.movement.map(Id),
            drift: details.drift.map(Id),
            reason: details.reason.as_ref().map(Text::as_str),
            document: details.document.as_ref().map(Text::as_str),
            source: details.source.as_ref().map(Text::as_str),
            occurred_at: details.occurred_at.map(Time),
            affected: details.shorted.as_ref().map(|shorted| {
                let named = shorted.named.iter();
                let shape = |(id, without): &(ReservationId, u32)| ShortedShape {
                    reservation: Id(*id),
                    without: *without,
                };
                named.map(shape).collect()
            }),
            affected_more: details.shorted.as_ref().map(|shorted| shorted.more),
            traceparent: details.trace.map(|trace| trace.to_string()),
        }
    }
}

impl<'a> ChangeShape<'a> {
    fn of(change: &'a Change) -> Self {
        let location: &Location = &change.location;
        Self {
            location: location.as_str(),
            qty: change.units(),
            before: Changed {
                shown: &change.before,
                other: &change.after,
            },
            after: Changed {
                shown: &change.after,
                other: &change.before,
            },
        }
    }
}

impl Write for Changed<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(None)?;
        for counter in Counter::ALL {
            let value = self.shown.get(counter);
            if value != self.other.get(counter) {
                map.serialize_entry(counter.name(), &value)?;
            }
        }
        map.end()
    }
}
