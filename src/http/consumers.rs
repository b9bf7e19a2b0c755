//! The calls about consumers: the place of each is kept for it, and the journal from there on.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::Location;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, NoQuery};
use super::events::{events_of, start_of};
use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::skus::{limit_of, not_a_cursor};
use super::state::Api;
use super::wire::scalar::{LocationName, Time};
use crate::events::{Consumer, Consumers, NotSet, StoreError};
use crate::opaque::{from_cursor, to_cursor};

/// `PUT /v1/consumers/{name}`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetConsumer)]
pub(crate) struct ConsumerBody {
    /// What lies before it has been dealt with: a cursor of a page, a message or a snapshot; or
    /// `earliest` or `latest`.
    cursor: String,
}

/// `GET /v1/consumers`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A consumer whose place is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Consumer)]
pub(crate) struct ConsumerShape {
    #[schema(value_type = LocationName)]
    name: String,
    /// What lies before it has been dealt with.
    cursor: String,
    /// Events that have been recorded since, of all types and SKUs.
    lag: u64,
    /// When the place was set last.
    updated_at: Time,
}

/// A page of consumers, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsumerPage)]
pub(crate) struct PageShape {
    items: Vec<ConsumerShape>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// `PUT /v1/consumers/{name}`: repeating it is harmless, and needs no key.
pub(crate) async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let consumers = consumers_of(&api)?;
    let name = name_of(&name)?;
    let body: ConsumerBody = call.json()?;
    let cursor = start_of(&events_of(&api)?, Some(&body.cursor), "latest", "cursor")?;
    let set = consumers.set(&name, cursor).await;
    let consumer = set.map_err(|not| match not {
        NotSet::TooMany { .. } => {
            Problem::new(Code::Capacity, not.to_string()).with("table", "consumers")
        }
        NotSet::Store(error) => store_failed(&error),
    })?;
    Ok(render::ok(&shape(&consumers, consumer)))
}

/// `GET /v1/consumers/{name}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let consumers = consumers_of(&api)?;
    let consumer = consumer_of(&consumers, &name)?;
    Ok(render::ok(&shape(&consumers, consumer)))
}

/// `DELETE /v1/consumers/{name}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let consumers = consumers_of(&api)?;
    let consumer = consumer_of(&consumers, &name)?;
    let deleted = consumers.delete(&consumer.name).await;
    if !deleted.map_err(|error| store_failed(&error))? {
        return Err(unknown(&consumer.name));
    }
    Ok(render::ok(&shape(&consumers, consumer)))
}

/// `GET /v1/consumers`
pub(crate) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let consumers = consumers_of(&api)?;
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(text_of).transpose()?;
    let found = consumers.list(after.as_deref(), limit);
    let next = found.last().filter(|_| found.len() == limit);
    Ok(render::ok(&PageShape {
        next_cursor: next.map(|consumer| to_cursor(consumer.name.as_bytes())),
        items: found
            .into_iter()
            .map(|one| shape(&consumers, one))
            .collect(),
    }))
}

/// A consumer of this name.
pub(crate) fn consumer_of(consumers: &Consumers, name: &str) -> Result<Consumer, Problem> {
    let name = name_of(name)?;
    consumers.get(&name).ok_or_else(|| unknown(&name))
}

/// The consumers, if this server keeps them.
pub(crate) fn consumers_of(api: &Api) -> Result<Consumers, Problem> {
    events_of(api)?;
    let deliveries = api.deliveries().ok_or_else(|| {
        let detail = "this server delivers no events";
        Problem::new(Code::NotFound, detail)
    });
    Ok(deliveries?.consumers.clone())
}

/// What deliveries remember can't be read or written.
pub(crate) fn store_failed(error: &StoreError) -> Problem {
    Problem::new(Code::LedgerFailed, error.to_string())
}

/// The text that a page's cursor stands for.
pub(crate) fn text_of(cursor: &str) -> Result<String, Problem> {
    let text = from_cursor(cursor).and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(not_a_cursor)
}

fn shape(consumers: &Consumers, consumer: Consumer) -> ConsumerShape {
    ConsumerShape {
        lag: consumers.lag(&consumer),
        cursor: consumer.cursor.to_string(),
        updated_at: Time(consumer.updated_at),
        name: consumer.name,
    }
}

/// A name looks as that of a location does.
fn name_of(text: &str) -> Result<String, Problem> {
    let name = Location::parse(text).map_err(|malformed| {
        Problem::invalid("name", format!("{text:?} is no name: {malformed}"))
    })?;
    Ok(name.as_str().to_owned())
}

fn unknown(name: &str) -> Problem {
    let detail = format!("no consumer is called {name}; PUT /v1/consumers/{name} makes it");
    Problem::new(Code::UnknownConsumer, detail)
}
