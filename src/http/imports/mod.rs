//! `POST /v1/imports`: movements and settings from a file of any length, in bounded memory.
//!
//! The body is read while it arrives, its rows go to the shards in groups, and the report says
//! what came of each. An import runs in a task of its own, so that a connection that breaks ends
//! it in order: what has arrived whole is done, and where it stands is kept.
//! Deliberately absent: compressed bodies (the command unpacks), and files of the server's.

mod cells;
mod flow;
mod lane;
mod lines;
mod records;
mod rehearsal;
mod report;
mod row;

use axum::extract::{FromRequestParts, Path as Part, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use self::flow::{Asked, Flow};
use self::lines::Place;
use self::row::Format;
use super::call::{NoQuery, trace_of};
use super::json::Query;
use super::pieces::Pieces;
use super::problem::{Code, Problem};
use super::render;
use super::state::Api;

pub use self::records::Imports;
pub(crate) use self::report::Report;

/// The longest identity.
const IDENTITY_LEN_MAX: usize = 128;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    identity: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    create: bool,
    from_line: Option<u64>,
    from_offset: Option<u64>,
}

/// `POST /v1/imports`
pub(crate) async fn import(
    State(api): State<Api>,
    mut head: Parts,
    pieces: Pieces,
) -> Result<Response, Problem> {
    let Query(query) = Query::<ImportQuery>::from_request_parts(&mut head, &()).await?;
    let format = format_of(&head.headers)?;
    let from = from_of(&query)?;
    match &query.identity {
        Some(identity) => check(identity)?,
        None if query.dry_run => {}
        None => {
            let detail = "missing; name the file, so that no row of it is ever done twice";
            return Err(Problem::invalid("identity", detail));
        }
    }
    let now = api.router().now();
    let imports = api.imports();
    let running = imports
        .begin(query.identity.clone(), from, query.dry_run, now)
        .await?;
    let asked = Asked {
        identity: query.identity,
        format,
        creates: query.create,
        is_resumed: from.is_some_and(|from| from != Place::START),
        dry_run: query.dry_run,
        trace: trace_of(&head.headers),
    };
    let flow = Flow::new(api.clone(), running, asked);
    match tokio::spawn(flow.run(pieces)).await {
        Ok(report) => report.map(|report| render::ok(&report)),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// `GET /v1/imports/{identity}`
pub(crate) async fn read(
    State(api): State<Api>,
    Part(identity): Part<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    check(&identity)?;
    let unknown = || {
        let detail = "no import of this identity is known; begin it at line 1";
        Problem::new(Code::UnknownImport, detail)
    };
    let report = api.imports().find(&identity).await.ok_or_else(unknown)?;
    Ok(render::ok(&report))
}

fn check(identity: &str) -> Result<(), Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=IDENTITY_LEN_MAX).contains(&identity.len()) && identity.bytes().all(is_plain) {
        return Ok(());
    }
    let detail = format!("is not 1 to {IDENTITY_LEN_MAX} of A-Z a-z 0-9 . _ : -");
    Err(Problem::invalid("identity", detail))
}

/// Where the body goes on; the start if the query names nothing.
fn from_of(query: &ImportQuery) -> Result<Option<Place>, Problem> {
    match (query.from_line, query.from_offset) {
        (None, None) => Ok(None),
        (Some(0), _) => Err(Problem::invalid("from_line", "lines are counted from 1")),
        (Some(line), Some(offset)) => Ok(Some(Place { line, offset })),
        (Some(_), None) => Err(Problem::invalid(
            "from_offset",
            "missing; from_line needs it",
        )),
        (None, Some(_)) => Err(Problem::invalid(
            "from_line",
            "missing; from_offset needs it",
        )),
    }
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let sent = text(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    let is_packed = text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let formats = [
        ("text/csv", Format::Csv),
        ("application/x-ndjson", Format::Ndjson),
        ("application/jsonl", Format::Ndjson),
    ];
    let known = formats
        .iter()
        .find(|(name, _)| media_type.eq_ignore_ascii_case(name));
    match known {
        Some((_, format)) if !is_packed => Ok(*format),
        Some(_) | None => {
            let detail = "send text/csv or application/x-ndjson, unpacked, and say which in \
                          Content-Type";
            Err(Problem::new(Code::UnsupportedMediaType, detail).with("content_type", sent))
        }
    }
}
