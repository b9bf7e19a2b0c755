//! The calls about SKUs: configure, read, list, availability. Reads come from the stock board.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holdfast_core::{Refusal, Sku, SkuView};
use holdfast_runtime::ShardIndex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xxhash_rust::xxh3::Xxh3;

use super::call::Call;
use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::state::{Api, KeyRule};
use super::statement;
use super::wire::body::AvailabilityBody;
use super::wire::configure::ConfigureBody;
use super::wire::scalar::SkuName;
use super::wire::view::{AvailabilityShape, SkuShape};
use crate::opaque::{from_cursor, to_cursor};

/// `GET /v1/skus`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    prefix: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/skus/{sku}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadQuery {
    as_of: Option<String>,
}

/// A page of SKUs, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = SkuPage)]
pub(crate) struct PageShape<'a> {
    #[schema(value_type = Vec<SkuShape>)]
    items: Vec<SkuShape<'a>>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Shards that do not serve and whose SKUs are not listed; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<u16>)]
    missing_shards: Vec<ShardIndex>,
}

/// The SKUs asked for: those that exist, those that don't, and those that nobody can tell of.
#[derive(Serialize, ToSchema)]
#[schema(as = AvailabilityAnswer)]
pub(crate) struct AvailabilityAnswer<'a> {
    /// In the order asked for.
    #[schema(value_type = Vec<AvailabilityShape>)]
    items: Vec<AvailabilityShape<'a>>,
    /// SKUs that do not exist.
    #[schema(value_type = Vec<SkuName>)]
    unknown: Vec<&'a str>,
    /// SKUs whose shard does not serve: whether they exist can't be said.
    #[schema(value_type = Vec<SkuName>)]
    unavailable: Vec<&'a str>,
}

/// `PUT /v1/skus/{sku}`
pub(crate) async fn configure(
    State(api): State<Api>,
    Path(sku): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    let body: ConfigureBody = call.json()?;
    let precondition = Precondition::of(call.headers())?;
    let expected = match precondition {
        Precondition::None => None,
        Precondition::Version(version) => Some(version),
        Precondition::Exists => {
            // SKUs are never deleted, so what the board has exists for ever.
            if api.router().sku(&sku).is_none() {
                refuse_if_unseen(&api, &sku)?;
                let detail = "If-Match wants a SKU that exists, and this one does not";
                return Err(Problem::new(Code::VersionChanged, detail).with("actual_version", 0));
            }
            None
        }
    };
    api.run(&call, body.command(sku, expected)?, KeyRule::Optional)
        .await
}

/// `GET /v1/skus/{sku}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(sku): Path<String>,
    Query(query): Query<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    if let Some(as_of) = &query.as_of {
        return statement::past(&api, &sku, as_of).await;
    }
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    let Some(view) = api.router().sku(&sku) else {
        refuse_if_unseen(&api, &sku)?;
        return Ok(unknown(&api, sku));
    };
    if is_known(&headers, view.versions.all) {
        return Ok(render::not_modified(view.versions.all));
    }
    Ok(render::sku(&view, &position_of).into_response())
}

/// The answer about a SKU that does not exist.
pub(crate) fn unknown(api: &Api, sku: Sku) -> Response {
    let shard = api.router().placement().shard_of_sku(&sku);
    let stats = api.router().stats();
    let seq = stats[usize::from(shard)].committed.load(Ordering::Acquire);
    let (refusal, now) = (Refusal::UnknownSku(vec![sku]), api.router().now());
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    render::refusal(&refusal, now, seq, &position_of).into_response()
}

/// `GET /v1/skus`
pub(crate) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(cursor_of).transpose()?;
    let prefix = query.prefix.as_deref().unwrap_or_default();
    let mut views = api.router().skus(prefix, after.as_ref(), limit + 1);
    let has_more = views.len() > limit;
    views.truncate(limit);
    let last = views.last().filter(|_| has_more);
    let next_cursor = last.map(|view| to_cursor(view.sku.as_str().as_bytes()));
    let missing_shards = api.router().unseen_shards();
    let seen = views.iter().map(|view| (&view.sku, Some(view)));
    let besides = format!("{missing_shards:?} {next_cursor:?}");
    let tag = tag_of(seen, besides.as_bytes());
    let shape = |view| SkuShape::of(view, position(&api, view));
    let page = || PageShape {
        items: views.iter().map(shape).collect(),
        next_cursor: next_cursor.clone(),
        missing_shards: missing_shards.clone(),
    };
    Ok(render::tagged(&tag, is_tag_known(&headers, &tag), page))
}

/// `POST /v1/availability`
pub(crate) async fn availability(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let AvailabilityBody { skus } = call.json()?;
    let page_max = api.bounds().page_max;
    if skus.len() > page_max {
        let detail = format!("{} SKUs, and at most {page_max} are allowed", skus.len());
        return Err(Problem::invalid("skus", detail));
    }
    let views: Vec<Option<SkuView>> = skus
        .iter()
        .map(|SkuName(sku)| api.router().sku(sku))
        .collect();
    let seen = skus.iter().zip(&views);
    let seen = seen.map(|(SkuName(sku), view)| (sku, view.as_ref()));
    let absent = skus.iter().zip(&views).filter(|(_, view)| view.is_none());
    let absent = absent.map(|(SkuName(sku), _)| sku);
    let (unavailable, unknown): (Vec<&Sku>, Vec<&Sku>) =
        absent.partition(|sku| api.router().why_unseen(sku).is_some());
    let tag = tag_of(seen, &unavailable.len().to_le_bytes());
    let answer = || AvailabilityAnswer {
        items: views
            .iter()
            .flatten()
            .map(|view| AvailabilityShape::of(view, position(&api, view)))
            .collect(),
        unknown: unknown.iter().map(|sku| sku.as_str()).collect(),
        unavailable: unavailable.iter().map(|sku| sku.as_str()).collect(),
    };
    let is_known = is_tag_known(call.headers(), &tag);
    Ok(render::tagged(&tag, is_known, answer))
}

/// The weak tag of an answer about several SKUs: their names and versions, and what else it says.
fn tag_of<'a>(
    seen: impl Iterator<Item = (&'a Sku, Option<&'a SkuView>)>,
    besides: &[u8],
) -> HeaderValue {
    let mut hash = Xxh3::new();
    hash.update(besides);
    for (sku, view) in seen {
        let version = view.map_or(u64::MAX, |view| view.versions.all);
        hash.update(sku.as_str().as_bytes());
        hash.update(&version.to_le_bytes());
    }
    let hash = hash.digest();
    HeaderValue::from_str(&format!("W/\"{hash:016x}\"")).expect("digits and quotes are ASCII")
}

/// Whether the caller has what this weak tag stands for (`If-None-Match`).
fn is_tag_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut sent = sent
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    sent.any(|sent| sent.trim() == "*" || sent.trim().as_bytes() == tag.as_bytes())
}

/// Of a shard that does not serve the board may show nothing, so that absent is not unknown.
fn refuse_if_unseen(api: &Api, sku: &Sku) -> Result<(), Problem> {
    match api.router().why_unseen(sku) {
        Some(why) => Err(render::unavailable(&why)),
        None => Ok(()),
    }
}

fn position(api: &Api, view: &SkuView) -> String {
    api.position(&view.sku, view.seq)
}

/// A SKU of a path.
pub(crate) fn sku_of(text: &str) -> Result<Sku, Problem> {
    Sku::parse(text)
        .map_err(|malformed| Problem::invalid("sku", format!("{text:?} is no SKU: {malformed}")))
}

/// `limit` of a list.
pub(crate) fn limit_of(limit: Option<usize>, page_max: usize) -> Result<usize, Problem> {
    /// Items of a page where the caller does not say.
    const DEFAULT: usize = 100;
    match limit {
        None => Ok(DEFAULT.min(page_max)),
        Some(limit) if (1..=page_max).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::invalid(
            "limit",
            format!("{limit} is not 1 to {page_max} items"),
        )),
    }
}

fn cursor_of(text: &str) -> Result<Sku, Problem> {
    let name = from_cursor(text).and_then(|bytes| String::from_utf8(bytes).ok());
    name.and_then(|name| Sku::parse(&name).ok())
        .ok_or_else(not_a_cursor)
}

/// What was sent as a cursor is none.
pub(crate) fn not_a_cursor() -> Problem {
    Problem::invalid("cursor", "no cursor of this list; begin without one")
}

/// What `If-Match` and `If-None-Match` of a PUT ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precondition {
    None,
    /// `config_version` is this; 0: it does not exist yet.
    Version(u64),
    Exists,
}

impl Precondition {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name: HeaderName| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap_or_default().trim())
        };
        match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
            (None, None) => Ok(Self::None),
            (Some("*"), None) => Ok(Self::Exists),
            (Some(tag), None) => version_of(tag).map(Self::Version).ok_or_else(|| {
                let detail = "send the SKU's config_version in quotes, such as \"3\", or *";
                Problem::invalid("If-Match", detail)
            }),
            (None, Some("*")) => Ok(Self::Version(0)),
            (_, Some(_)) => {
                let detail = "on PUT only * is taken, which means: create, don't change";
                Err(Problem::invalid("If-None-Match", detail))
            }
        }
    }
}

fn version_of(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// Whether the caller has this version already (`If-None-Match`).
fn is_known(headers: &HeaderMap, version: u64) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = tags
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || version_of(tag.trim_start_matches("W/")) == Some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precondition(name: HeaderName, value: &str) -> Result<Precondition, Problem> {
        let value = value.parse().expect("a header may carry it");
        Precondition::of(&HeaderMap::from_iter([(name, value)]))
    }

    #[test]
    fn preconditions_compare_with_the_configurations_version() {
        assert_eq!(
            precondition(header::IF_MATCH, "\"3\""),
            Ok(Precondition::Version(3))
        );
        assert_eq!(
            precondition(header::IF_MATCH, "*"),
            Ok(Precondition::Exists)
        );
        assert_eq!(
            precondition(header::IF_NONE_MATCH, "*"),
            Ok(Precondition::Version(0))
        );
        for bad in ["3", "W/\"3\"", "\"three\"", ""] {
            assert!(precondition(header::IF_MATCH, bad).is_err(), "{bad}");
        }
        assert!(precondition(header::IF_NONE_MATCH, "\"3\"").is_err());
    }

    #[test]
    fn a_known_version_is_found_among_several() {
        let headers = |value: &'static str| {
            HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().expect("a good value"))])
        };
        assert!(is_known(&headers("\"1\", W/\"7\""), 7));
        assert!(is_known(&headers("*"), 7));
        assert!(!is_known(&headers("\"1\", 7"), 7));
        assert!(!is_known(&HeaderMap::new(), 7));
    }
}
