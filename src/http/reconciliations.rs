//! The calls that hand in a file for reconciliation, and tell how it goes.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{NoQuery, trace_of};
use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::state::Api;
use super::wire::scalar::{FreeText, Time};
use crate::reconcile::{
    AsOf, Counts, Desk, Difference, Drifts, Order, Rejected, Report, Source, State as Stands, Told,
    Wanted, when,
};

/// `POST /v1/reconciliations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskedFor {
    source: Source,
    by: Option<FreeText>,
    document: Option<FreeText>,
    as_of: Option<String>,
    since: Option<Time>,
    rows: Option<u64>,
    #[serde(default)]
    more: bool,
}

/// `POST /v1/reconciliations/{id}/rows`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PieceOf {
    offset: u64,
    #[serde(default)]
    more: bool,
}

/// A reconciliation as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Reconciliation)]
pub(crate) struct ReconciliationShape {
    id: String,
    /// `warehouse`, `orders` or `seller`.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    /// The moment of which the file tells.
    as_of: String,
    /// `receiving`, `running`, `done`, `refused` (the file was not compared) or `failed`.
    #[schema(value_type = String)]
    state: Stands,
    /// Why it was refused or given up, or what was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Bytes of the file that have arrived; only while it is being sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    rows: Counts,
    drifts: Drifts,
    /// The first rows that were left out, by line.
    faults: Vec<Told>,
    /// The first differences.
    found: Vec<Difference>,
}

/// The body as it is: CSV or NDJSON.
pub(crate) struct Raw(Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        // The edge has read the whole body already; this collects one piece.
        let collected = request.into_body().collect().await;
        let unreadable = |_| Problem::new(Code::InvalidRequest, "the body can't be read");
        Ok(Self(collected.map_err(unreadable)?.to_bytes()))
    }
}

/// `POST /v1/reconciliations`
pub(crate) async fn begin(
    State(api): State<Api>,
    Query(asked): Query<AskedFor>,
    headers: HeaderMap,
    Raw(piece): Raw,
) -> Result<Response, Problem> {
    let desk = desk(&api)?;
    let as_of = asked.as_of.as_deref().map(|text| moment(desk, text));
    let wanted = Wanted {
        source: asked.source,
        by: asked.by.map(|by| by.0),
        document: asked.document.map(|document| document.0),
        as_of: as_of.transpose()?,
        since: asked.since.map(|since| since.0),
        rows: asked.rows,
        trace: trace_of(&headers),
    };
    let order = desk.take(&wanted).await.map_err(rejected)?;
    add(desk.clone(), order.id, 0, piece, asked.more).await
}

/// `POST /v1/reconciliations/{id}/rows`
pub(crate) async fn go_on(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(of): Query<PieceOf>,
    Raw(piece): Raw,
) -> Result<Response, Problem> {
    let id = checked(id)?;
    add(desk(&api)?.clone(), id, of.offset, piece, of.more).await
}

/// `GET /v1/reconciliations/{id}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let (id, desk) = (checked(id)?, desk(&api)?.clone());
    let (order, report) = off_the_loop(move || desk.report(&id)).await?;
    Ok(render::ok(&shape(order, report, None)))
}

/// Adds a piece of the file, and begins where it is the last.
async fn add(
    desk: Desk,
    id: String,
    offset: u64,
    piece: Bytes,
    more: bool,
) -> Result<Response, Problem> {
    let own = desk.clone();
    let (length, order, report) = off_the_loop(move || {
        let length = own.append(&id, offset, &piece)?;
        if !more {
            own.seal(&id)?;
        }
        let (order, report) = own.report(&id)?;
        Ok((length, order, report))
    })
    .await?;
    if !more {
        desk.start(&order.id)
            .map_err(|error| rejected(error.into()))?;
    }
    let received = more.then_some(length);
    Ok(render::accepted(&shape(order, report, received)))
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejected> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    let broken = |_| Problem::new(Code::Internal, "the server failed at this call");
    done.map_err(broken)?.map_err(rejected)
}

fn desk(api: &Api) -> Result<&Desk, Problem> {
    let none = || Problem::new(Code::NotFound, "this server reconciles nothing");
    api.reconciliations().ok_or_else(none)
}

fn moment(desk: &Desk, text: &str) -> Result<AsOf, Problem> {
    let time = || when::parse(text).map(AsOf::Time);
    let expected = || {
        let detail = "neither a time (RFC 3339, UTC) nor a position of this ledger";
        Problem::invalid("as_of", detail)
    };
    desk.position(text).or_else(time).ok_or_else(expected)
}

fn checked(id: String) -> Result<String, Problem> {
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let no_id = || Problem::invalid("id", format!("{id:?} is not an id as this service gave it"));
    if is_id { Ok(id) } else { Err(no_id()) }
}

fn rejected(rejected: Rejected) -> Problem {
    let detail = rejected.to_string();
    match rejected {
        Rejected::Overlaps(id) => {
            Problem::new(Code::ReconciliationRunning, detail).with("reconciliation", id)
        }
        Rejected::Complete => Problem::new(Code::ReconciliationRunning, detail),
        Rejected::Future | Rejected::NoPosition => Problem::invalid("as_of", detail),
        Rejected::Gap(length) => Problem::invalid("offset", detail).with("received", length),
        Rejected::Unknown => Problem::new(Code::UnknownReconciliation, detail),
        Rejected::Io(error) => {
            tracing::error!(%error, "a reconciliation can't be kept");
            Problem::new(Code::Internal, detail)
        }
    }
}

fn shape(order: Order, report: Report, received: Option<u64>) -> ReconciliationShape {
    ReconciliationShape {
        id: order.id,
        source: order.source.as_str(),
        by: order.by,
        document: order.document,
        as_of: order.as_of,
        state: report.state,
        reason: report.reason,
        received,
        rows: report.rows,
        drifts: report.drifts,
        faults: report.faults,
        found: report.found,
    }
}
