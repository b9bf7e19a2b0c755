//! `GET /v1/events`: what happened, as a page or as a stream that goes on.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holdfast_core::Sku;
use holdfast_runtime::NoFollowing;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::consumers::{consumer_of, consumers_of};
use super::edge::Endless;
use super::events_stream;
use super::json::Query;
use super::problem::{Code, Problem};
use super::render;
use super::skus::limit_of;
use super::state::Api;
use crate::events::{Batch, Cursor, Ended, EventType, Events, Filter, NotHere};

/// Names of types or SKUs in one query, at most.
const NAMES_MAX: usize = 1_000;

/// `GET /v1/events`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<String>,
    consumer: Option<String>,
    types: Option<String>,
    sku: Option<String>,
    limit: Option<usize>,
    batch: Option<usize>,
}

/// A page of events, in order per SKU.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(crate) struct PageShape {
    /// CloudEvents 1.0; `/v1/events/schemas` describes their data.
    #[schema(value_type = Vec<serde_json::Value>)]
    items: Vec<Box<RawValue>>,
    /// Where to go on, as `after`, also when there is nothing more now.
    next_cursor: String,
    /// Events that have been recorded since, of all types and SKUs.
    lag: u64,
}

/// `GET /v1/events`
pub(crate) async fn read(
    State(api): State<Api>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let events = events_of(&api)?;
    let filter = filter_of(&query)?;
    let query = begun(&api, query)?;
    if wants_stream(&headers) {
        if query.limit.is_some() {
            let detail = "a stream has no end; `batch` is how many events a message may carry";
            return Err(Problem::invalid("limit", detail));
        }
        let batch = batch_of(&api, query.batch)?;
        let from = covered(&events, || stream_start(&events, &query, &headers))?;
        return events_stream::answer(&api, &events, from, filter, batch);
    }
    if query.batch.is_some() {
        let detail = "pages take `limit`; `batch` is for streams (Accept: text/event-stream)";
        return Err(Problem::invalid("batch", detail));
    }
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.after.as_deref();
    let from = covered(&events, || start_of(&events, after, "earliest", "after"))?;
    page(&events, from, filter, limit, api.event_bounds().scan_max).await
}

/// The same, with the place of the consumer that it names.
fn begun(api: &Api, mut query: EventsQuery) -> Result<EventsQuery, Problem> {
    let Some(name) = &query.consumer else {
        return Ok(query);
    };
    if query.after.is_some() {
        let detail = "a consumer's place is kept; send either `consumer` or `after`";
        return Err(Problem::invalid("after", detail));
    }
    let consumer = consumer_of(&consumers_of(api)?, name)?;
    query.after = Some(consumer.cursor.to_string());
    Ok(query)
}

async fn page(
    events: &Events,
    from: Cursor,
    filter: Filter,
    limit: usize,
    scan_max: u64,
) -> Result<Response, Problem> {
    let stream = events.stream(from, filter);
    let mut stream = stream.map_err(|crowded| events_stream::crowded(events, crowded))?;
    let mut items = Vec::new();
    let from = stream.cursor().clone();
    let mut next = from.clone();
    while items.len() < limit {
        // Where little passes, a page says how far it has looked before its time is over.
        let left = scan_max.saturating_sub(from.behind(&next));
        if left == 0 {
            break;
        }
        let Some(batch) = stream.try_next_within(left).await.map_err(ended)? else {
            next = stream.cursor().clone();
            break;
        };
        next = take(&mut items, &batch, limit);
    }
    let lag = events.lag(&next);
    Ok(render::ok(&PageShape {
        items,
        next_cursor: next.to_string(),
        lag,
    }))
}

/// Takes events until a page is full, but never a part of what one event of the ledger is told as.
fn take(items: &mut Vec<Box<RawValue>>, batch: &Batch, limit: usize) -> Cursor {
    for place in 0..batch.len() {
        let event = batch.event(place);
        let is_new = place == 0 || batch.event(place - 1).seq != event.seq;
        if limit <= items.len() && is_new && 0 < place {
            return batch.cursor_after(place - 1);
        }
        let text = String::from_utf8_lossy(&batch.json(event)).into_owned();
        items.push(RawValue::from_string(text).expect("what was written is JSON"));
    }
    batch.cursor_after_all()
}

/// A cursor that has expired on any shard is an answer of its own, before anything of the others is
/// told: who reads few at a time would not hear of it for long. Nothing is read for that.
fn covered(
    events: &Events,
    start: impl FnOnce() -> Result<Cursor, Problem>,
) -> Result<Cursor, Problem> {
    // Looked up first, so that `earliest` itself never is too early.
    let earliest = events.earliest().map_err(|no| no_following(&no))?;
    let from = start()?;
    if from.is_before(&earliest) {
        return Err(expired(&from.or_later(&earliest)));
    }
    Ok(from)
}

/// The events, if this server has them.
pub(crate) fn events_of(api: &Api) -> Result<Events, Problem> {
    api.events().cloned().ok_or_else(|| {
        let detail = "this server tells no events; they need statement.enabled";
        Problem::new(Code::NotFound, detail)
    })
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok());
    accepts.any(|value| value.contains("text/event-stream"))
}

/// A stream goes on after what its listener has seen; a new one begins with what happens next.
fn stream_start(
    events: &Events,
    query: &EventsQuery,
    headers: &HeaderMap,
) -> Result<Cursor, Problem> {
    match headers.get("last-event-id") {
        Some(seen) => {
            let seen = seen.to_str().unwrap_or_default();
            start_of(events, Some(seen), "latest", "Last-Event-ID")
        }
        None => start_of(events, query.after.as_deref(), "latest", "after"),
    }
}

/// Where to begin: a cursor, or a word.
pub(crate) fn start_of(
    events: &Events,
    text: Option<&str>,
    default: &str,
    field: &'static str,
) -> Result<Cursor, Problem> {
    let not_here = |not: NotHere| Problem::invalid(field, not.to_string());
    match text.unwrap_or(default) {
        "earliest" => events.earliest().map_err(|no| no_following(&no)),
        "latest" => Ok(events.latest()),
        text => events.cursor(text).map_err(not_here),
    }
}

fn filter_of(query: &EventsQuery) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    if let Some(types) = &query.types {
        filter = filter.types(&types_of(types)?);
    }
    if let Some(skus) = &query.sku {
        filter = filter.skus(skus_of(skus, "sku")?);
    }
    Ok(filter)
}

/// Types, with commas between.
pub(crate) fn types_of(text: &str) -> Result<Vec<EventType>, Problem> {
    let parse = |name: &str| {
        EventType::parse(name.trim()).ok_or_else(|| {
            let detail = format!("{name:?} is no type of event; /v1/events/schemas lists them");
            Problem::invalid("types", detail)
        })
    };
    listed(text, "types")?.map(parse).collect()
}

/// What a list names. One that names nothing is not taken for all.
fn listed<'a>(
    text: &'a str,
    field: &'static str,
) -> Result<impl Iterator<Item = &'a str>, Problem> {
    if text.trim().is_empty() {
        let detail = "it names nothing; write names with commas between";
        return Err(Problem::invalid(field, detail));
    }
    Ok(text.split(','))
}

/// SKUs, with commas between.
pub(crate) fn skus_of(text: &str, field: &'static str) -> Result<Vec<Sku>, Problem> {
    let names: Vec<&str> = listed(text, field)?.collect();
    if NAMES_MAX < names.len() {
        let detail = format!("{} SKUs, and at most {NAMES_MAX} are allowed", names.len());
        return Err(Problem::invalid(field, detail));
    }
    let parse = |name: &str| {
        let wrong = |malformed| Problem::invalid(field, format!("{name:?} is no SKU: {malformed}"));
        Sku::parse(name.trim()).map_err(wrong)
    };
    names.into_iter().map(parse).collect()
}

fn batch_of(api: &Api, batch: Option<usize>) -> Result<Option<usize>, Problem> {
    let most = api.event_bounds().batch_max;
    match batch {
        Some(batch) if !(1..=most).contains(&batch) => {
            let detail = format!("{batch} is not 1 to {most} events");
            Err(Problem::invalid("batch", detail))
        }
        batch => Ok(batch),
    }
}

/// Why a stream can't go on.
pub(crate) fn ended(ended: Ended) -> Problem {
    match ended {
        Ended::Expired { earliest } => expired(&earliest),
        Ended::Failed(no) => no_following(&no),
    }
}

/// A cursor that retention no longer covers.
pub(crate) fn expired(earliest: &Cursor) -> Problem {
    let detail = "what follows the cursor was trimmed from the ledger; take a snapshot and go on \
                  with its cursor, or go on with `earliest` and miss what lies between";
    Problem::new(Code::CursorExpired, detail)
        .with("earliest", earliest.to_string())
        .with("snapshot", "/v1/snapshot")
}

pub(crate) fn no_following(no: &NoFollowing) -> Problem {
    match no {
        NoFollowing::Disabled => Problem::new(Code::NotFound, no.to_string()),
        NoFollowing::Unavailable(unavailable) => render::unavailable(unavailable),
        NoFollowing::Trimmed { .. } | NoFollowing::Reopened | NoFollowing::Failed(_) => {
            Problem::new(Code::HistoryUnavailable, no.to_string())
        }
    }
}

/// The answer whose body is told as it happens.
pub(crate) fn streaming(body: Body) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    let mut response = (headers, body).into_response();
    response.extensions_mut().insert(Endless::Ends);
    response
}
