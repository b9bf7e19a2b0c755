//! `GET /v1/snapshot`: the state at one cursor, as lines of JSON; and what events look like.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edge::Endless;
use super::events::{events_of, no_following};
use super::events_stream::{Piped, crowded};
use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::state::Api;
use crate::events::{Cut, EventType, schema};

/// Says where to go on after a snapshot; its first line does too.
const CURSOR: HeaderName = HeaderName::from_static("holdfast-cursor");

/// `GET /v1/snapshot`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnapshotQuery {
    prefix: Option<String>,
}

/// `GET /v1/snapshot`
pub(crate) async fn read(
    State(api): State<Api>,
    Query(query): Query<SnapshotQuery>,
) -> Result<Response, Problem> {
    let events = events_of(&api)?;
    let place = events.place().map_err(|no| crowded(&events, no))?;
    let taken = tokio::task::spawn_blocking(move || events.snapshot()).await;
    let lost = |_| {
        Problem::new(
            Code::HistoryUnavailable,
            "the state can't be read now; retry",
        )
    };
    let snapshot = taken.map_err(lost)?.map_err(|no| no_following(&no))?;
    let cursor = snapshot.cursor().to_string();
    let (to, body) = Piped::body();
    tokio::task::spawn_blocking(move || {
        let prefix = query.prefix.unwrap_or_default();
        let written = snapshot.write(&prefix, |piece| to.blocking_send(piece).map_err(|_| Cut));
        if let Err(error) = written {
            // Its last line is missing, so the reader knows.
            tracing::warn!(%error, "a snapshot ends before its end");
        }
        drop(place);
    });
    Ok(lines(body, &cursor))
}

fn lines(body: Body, cursor: &str) -> Response {
    let cursor = HeaderValue::from_str(cursor).expect("it is hexadecimal");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONNECTION, HeaderValue::from_static("close")),
        (CURSOR, cursor),
    ];
    let mut response = (headers, body).into_response();
    response.extensions_mut().insert(Endless::IsCut);
    response
}

/// The types of events.
#[derive(Serialize, ToSchema)]
#[schema(as = EventSchemas)]
pub(crate) struct SchemasShape {
    items: Vec<SchemaShape>,
}

/// A type of event.
#[derive(Serialize, ToSchema)]
#[schema(as = EventSchema)]
struct SchemaShape {
    /// The `type` of its CloudEvents.
    r#type: &'static str,
    /// What it says.
    description: &'static str,
    /// The `dataschema` of its `CloudEvents`: which JSON Schema their data has.
    dataschema: &'static str,
    /// Where that is.
    path: String,
}

/// `GET /v1/events/schemas`
pub(crate) async fn schemas() -> Response {
    let shape = |kind: &EventType| SchemaShape {
        r#type: kind.name(),
        description: kind.about(),
        dataschema: kind.schema(),
        path: format!("/v1/events/schemas/{}", kind.name()),
    };
    let items = EventType::ALL.iter().map(shape).collect();
    render::ok(&SchemasShape { items })
}

/// `GET /v1/events/schemas/{type}`
pub(crate) async fn schema(Path(name): Path<String>) -> Result<Response, Problem> {
    let kind = EventType::parse(&name).ok_or_else(|| {
        let detail = format!("{name:?} is no type of event; /v1/events/schemas lists them");
        Problem::invalid("type", detail)
    })?;
    let mut response = render::ok(&schema::of(kind));
    let json_schema = HeaderValue::from_static("application/schema+json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, json_schema);
    Ok(response)
}
