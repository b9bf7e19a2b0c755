//! One request as a handler takes it: its head, its whole body, its key.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use holdfast_core::{Text, TraceParent};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::json;
use super::keys;
use super::problem::{Code, Problem};
use super::request_id::RequestId;
use super::state::KeyRule;

/// A request whose body has arrived.
pub(crate) struct Call {
    head: Parts,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        // The edge has read the whole body already; this collects one piece.
        let collected = body.collect().await;
        let unreadable = |_| Problem::new(Code::InvalidRequest, "the body can't be read");
        Self::new(head, collected.map_err(unreadable)?.to_bytes())
    }
}

/// A request without a query, whose body is of no interest.
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Problem> {
        refuse_query(head).map(|()| Self)
    }
}

/// A parameter that is not known might have been meant to change what the call does.
fn refuse_query(head: &Parts) -> Result<(), Problem> {
    match head.uri.query() {
        None | Some("") => Ok(()),
        Some(query) => {
            let name = query.split(['=', '&']).next().unwrap_or(query);
            Err(Problem::invalid(name, "this call takes no parameters"))
        }
    }
}

impl Call {
    /// A request without a query, with its whole body.
    pub(crate) fn new(head: Parts, body: Bytes) -> Result<Self, Problem> {
        refuse_query(&head)?;
        Ok(Self { head, body })
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The call's id: the caller's own, or the one that the edge has given it.
    pub(crate) fn request_id(&self) -> Option<Text> {
        RequestId::current(self.headers())
    }

    /// The body's bytes, if it is JSON by its own account.
    pub(crate) fn bytes(&self) -> Result<&[u8], Problem> {
        json::check_media_type(self.headers())?;
        Ok(&self.body)
    }

    /// The body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        json::parse(self.bytes()?)
    }

    /// The body of a call all of whose fields may be absent, and so the body itself.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() {
            Ok(T::default())
        } else {
            self.json()
        }
    }

    /// Where the caller's trace stands, if it says so well.
    pub(crate) fn trace(&self) -> Option<TraceParent> {
        trace_of(self.headers())
    }

    /// The idempotency key, if there is one.
    pub(crate) fn key(&self, rule: KeyRule) -> Result<Option<&[u8]>, Problem> {
        let mut sent = self.headers().get_all(keys::HEADER).iter();
        let Some(key) = sent.next() else {
            return match rule {
                KeyRule::Required => Err(missing(KEY_FIELD)),
                KeyRule::Optional => Ok(None),
            };
        };
        if sent.next().is_some() {
            return Err(Problem::invalid(KEY_FIELD, "sent twice; send one"));
        }
        checked(KEY_FIELD, key.as_bytes()).map(Some)
    }
}

/// W3C Trace Context.
const TRACE: &str = "traceparent";

/// Where a caller's trace stands, if its headers say so well.
pub(crate) fn trace_of(headers: &HeaderMap) -> Option<TraceParent> {
    let mut sent = headers.get_all(TRACE).iter();
    let trace = sent.next()?;
    // Of two, neither is the caller's for certain.
    sent.next()
        .is_none()
        .then(|| TraceParent::parse(trace.as_bytes()))?
}

const KEY_FIELD: &str = "Idempotency-Key";

/// A key that has the form of one.
pub(crate) fn checked<'a>(field: &str, key: &'a [u8]) -> Result<&'a [u8], Problem> {
    if keys::is_key(key) {
        return Ok(key);
    }
    Err(Problem::invalid(
        field,
        format!("no key; send {}", keys::EXPECTED),
    ))
}

/// The key is required and isn't there.
pub(crate) fn missing(field: &'static str) -> Problem {
    let detail = "missing; send a key that stays the same when you retry, such as cart, revision \
                  and attempt";
    Problem::new(Code::IdempotencyKeyRequired, detail).with("field", field)
}
