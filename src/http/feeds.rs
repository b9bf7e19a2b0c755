//! The calls about the feeds of sources: how their streams stand, and letting one go on.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{Location, Sku, Text, Timestamp};
use holdfast_runtime::{StreamCursor, StreamFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::Call;
use super::json::{Path, Query};
use super::problem::Problem;
use super::render;
use super::skus::{limit_of, not_a_cursor};
use super::state::Api;
use super::wire::drift::{LiftBody, StreamShape};
use super::wire::scalar::{FreeText, SkuName};
use crate::opaque::{from_cursor, to_cursor};

/// `GET /v1/feeds/{source}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    sku: Option<SkuName>,
    quarantined: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of a source's streams.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedPage)]
pub(crate) struct PageShape<'a> {
    #[schema(value_type = FreeText)]
    source: &'a str,
    /// One per SKU and location; one that is heard of meanwhile may come again.
    #[schema(value_type = Vec<StreamShape>)]
    items: Vec<StreamShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// `GET /v1/feeds/{source}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(source): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let source = source_of(&source)?;
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let cursor = query.cursor.as_deref().map(cursor_of).transpose()?;
    let filter = StreamFilter {
        source: source.clone(),
        sku: query.sku.map(|sku| sku.0),
        quarantined: query.quarantined.unwrap_or(false),
    };
    let page = api.router().streams(filter, cursor, limit).await;
    let page = page.map_err(|unavailable| render::unavailable(&unavailable))?;
    Ok(render::ok(&PageShape {
        source: source.as_str(),
        items: page.items.iter().map(StreamShape::of).collect(),
        next_cursor: page.next.as_ref().map(text_of),
    }))
}

/// `POST /v1/feeds/{source}/lift`
pub(crate) async fn lift(
    State(api): State<Api>,
    Path(source): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let source = source_of(&source)?;
    let body: LiftBody = call.json()?;
    api.run(&call, body.command(source), api.bounds().keys)
        .await
}

fn source_of(text: &str) -> Result<Text, Problem> {
    Text::parse(text).map_err(|malformed| {
        Problem::invalid("source", format!("{text:?} is no source: {malformed}"))
    })
}

/// Shard, and the place after which it goes on.
fn text_of(cursor: &StreamCursor) -> String {
    let mut bytes = cursor.shard.to_be_bytes().to_vec();
    if let Some((at, sku, location)) = &cursor.after {
        bytes.extend_from_slice(&at.ms().to_be_bytes());
        bytes.extend_from_slice(sku.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(location.as_str().as_bytes());
    }
    to_cursor(&bytes)
}

fn cursor_of(text: &str) -> Result<StreamCursor, Problem> {
    let bytes = from_cursor(text).ok_or_else(not_a_cursor)?;
    read_cursor(&bytes).ok_or_else(not_a_cursor)
}

fn read_cursor(bytes: &[u8]) -> Option<StreamCursor> {
    let (shard, rest) = bytes.split_first_chunk()?;
    let shard = u16::from_be_bytes(*shard);
    if rest.is_empty() {
        return Some(StreamCursor { shard, after: None });
    }
    let (at, names) = rest.split_first_chunk()?;
    let (sku, location) = std::str::from_utf8(names).ok()?.split_once('\0')?;
    let after = (
        Timestamp::from_ms(u64::from_be_bytes(*at)),
        Sku::parse(sku).ok()?,
        Location::parse(location).ok()?,
    );
    Some(StreamCursor {
        shard,
        after: Some(after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_streams_comes_back() {
        let place = (
            Timestamp::from_ms(7),
            Sku::parse("TEE").expect("a good name"),
            Location::parse("store-1").expect("a good name"),
        );
        for after in [None, Some(place)] {
            let cursor = StreamCursor { shard: 3, after };
            assert_eq!(cursor_of(&text_of(&cursor)), Ok(cursor));
        }
        for text in ["00", "0003aa", "zz"] {
            cursor_of(text).expect_err(text);
        }
    }
}
