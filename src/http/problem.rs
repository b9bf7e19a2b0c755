//! Problems: every answer that is not a success, as RFC 9457 `application/problem+json`.
//!
//! A [`Code`] is stable and for machines, the detail is for people. A `5xx` says whether the
//! operation may have happened. This is the only place that knows which status a code has.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// The media type of a problem.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The longest detail or text value of a problem, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;

macro_rules! codes {
    ($( $(#[$doc:meta])* $variant:ident $status:literal $name:literal $title:literal )*) => {
        /// A problem's stable name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Code { $( $(#[$doc])* $variant, )* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$( Code::$variant, )*];

            /// As it stands in `code`.
            pub const fn name(self) -> &'static str {
                match self { $( Code::$variant => $name, )* }
            }

            /// The same for people, without particulars.
            pub const fn title(self) -> &'static str {
                match self { $( Code::$variant => $title, )* }
            }

            /// The status of the answer.
            pub const fn status(self) -> u16 {
                match self { $( Code::$variant => $status, )* }
            }

            pub(crate) const fn type_uri(self) -> &'static str {
                match self { $( Code::$variant => concat!("urn:holdfast:problem:", $name), )* }
            }
        }
    };
}

codes! {
    /// The body, the query, the path or a header is not what the call takes.
    InvalidRequest 400 "invalid-request" "The request is not what this call takes"
    /// What was sent is no HTTP request.
    MalformedHead 400 "malformed-head" "This is no HTTP request"
    /// The call changes something and carries no key.
    IdempotencyKeyRequired 400 "idempotency-key-required" "An Idempotency-Key is required"
    /// There is no such call.
    NotFound 404 "not-found" "There is no such call"
    /// No SKU of this name is known.
    UnknownSku 404 "unknown-sku" "The SKU is unknown"
    /// The SKU knows no location of this name.
    UnknownLocation 404 "unknown-location" "The location is unknown to the SKU"
    /// No reservation has this id.
    UnknownReservation 404 "unknown-reservation" "The reservation is unknown"
    /// No consumer has this name.
    UnknownConsumer 404 "unknown-consumer" "The consumer is unknown"
    /// No webhook has this id.
    UnknownWebhook 404 "unknown-webhook" "The webhook is unknown"
    /// The call exists with another method.
    MethodNotAllowed 405 "method-not-allowed" "This call takes another method"
    /// The request was sent too slowly.
    RequestTimeout 408 "request-timeout" "The request did not arrive in time"
    /// Less is available than was asked for.
    InsufficientStock 409 "insufficient-stock" "Not enough stock"
    /// The customer has had its share.
    CustomerLimit 409 "customer-limit" "The customer's limit is reached"
    /// Before the sale's opening or after its close.
    SaleClosed 409 "sale-closed" "The sale is closed"
    /// Somebody has paused the sale.
    SalePaused 409 "sale-paused" "The sale is paused"
    /// The reservation to replace is another customer's or order's.
    ReplaceMismatch 409 "replace-mismatch" "The reservation to replace does not match"
    /// The reservation to replace lives on other shards.
    ReplaceAcrossShards 409 "replace-across-shards" "Replacing over several shards is not possible"
    /// The reservation is pinned: a payment is under way.
    ReservationPinned 409 "reservation-pinned" "The reservation is pinned"
    /// A reservation is pinned once.
    AlreadyPinned 409 "already-pinned" "The reservation was pinned already"
    /// Another payment has confirmed it first.
    ConfirmedByOtherPayment 409 "confirmed-by-other-payment" "Another payment confirmed it first"
    /// It was released before.
    ReservationReleased 409 "reservation-released" "The reservation was released"
    /// It was confirmed before.
    ReservationConfirmed 409 "reservation-confirmed" "The reservation was confirmed"
    /// The stock behind the holds has gone.
    Shortfall 409 "shortfall" "Less stock is there than is held"
    /// More than is open was to be confirmed.
    OverConfirm 409 "over-confirm" "More than is open was to be confirmed"
    /// More than is open was to be released.
    OverRelease 409 "over-release" "More than is open was to be released"
    /// More than was sold was to be cancelled.
    OverCancel 409 "over-cancel" "More than was sold was to be cancelled"
    /// What was to be cancelled has left.
    AlreadyShipped 409 "already-shipped" "The units have left already"
    /// More than is held there was to be moved.
    OverMove 409 "over-move" "More than is held there was to be moved"
    /// The units would join others of another shard.
    HeldThere 409 "held-there" "The reservation holds the SKU there already"
    /// An opening balance comes first, and once.
    AlreadyOpened 409 "already-opened" "Stock has been recorded there before"
    /// Another call is importing the same file.
    ImportInProgress 409 "import-in-progress" "The file is being imported"
    /// An import was to go on where it does not stand.
    ImportGap 409 "import-gap" "The import stands elsewhere"
    /// What was imported can't be told from what was not: its keys are forgotten.
    ImportAged 409 "import-aged" "The import is too old to be repeated"
    /// No import of this identity is known.
    UnknownImport 404 "unknown-import" "The import is unknown"
    /// The location does not sell.
    LocationClosed 409 "location-closed" "The location is closed for selling"
    /// The source contradicted itself, and somebody must look.
    StreamQuarantined 409 "stream-quarantined" "The source's stream is quarantined"
    /// The stream is not known, or not quarantined.
    UnknownStream 404 "unknown-stream" "No such stream is quarantined"
    /// No drift has this id.
    UnknownDrift 404 "unknown-drift" "The drift is unknown"
    /// The drift was decided, or has changed since.
    DriftConflict 409 "drift-conflict" "The drift was decided, or has changed since"
    /// A reconciliation of the same source has not ended.
    ReconciliationRunning 409 "reconciliation-running" "A reconciliation of the same is running"
    /// No reconciliation has this id.
    UnknownReconciliation 404 "unknown-reconciliation" "The reconciliation is unknown"
    /// Nothing is delivered by the webhook now.
    WebhookOff 409 "webhook-off" "The webhook is off"
    /// The first try with this key is still running.
    IdempotencyInProgress 409 "idempotency-in-progress" "The first try with this key is running"
    /// A counter would fall below zero.
    WouldGoNegative 409 "would-go-negative" "A counter would fall below zero"
    /// Stock would fall below what is held.
    BelowReserved 409 "below-reserved" "Stock would fall below what is held"
    /// The deadline has passed, and the units can't be had again.
    ReservationExpired 410 "reservation-expired" "The reservation has expired"
    /// It ended so long ago that only its id is known.
    ReservationForgotten 410 "reservation-forgotten" "The reservation is forgotten"
    /// That part of the ledger was trimmed.
    HistoryTrimmed 410 "history-trimmed" "That part of the history was trimmed"
    /// What follows a cursor of events is not kept any more.
    CursorExpired 410 "cursor-expired" "What follows the cursor is not kept any more"
    /// `If-Match` or `expected_version` is not the current version.
    VersionChanged 412 "version-changed" "The version has changed"
    /// The body is longer than the server takes.
    BodyTooLarge 413 "body-too-large" "The body is too large"
    /// The request line is longer than the server takes.
    UriTooLong 414 "uri-too-long" "The request line is too long"
    /// The body is not JSON by its own account.
    UnsupportedMediaType 415 "unsupported-media-type" "The body must be JSON"
    /// The SKU has a limit, so the customer must be named.
    CustomerRequired 422 "customer-required" "The customer must be named"
    /// The deadline would be outside of its limits.
    TtlLimit 422 "ttl-limit" "The deadline is outside of its limits"
    /// A webhook was to go to an address that is not public.
    WebhookAddressForbidden 422 "webhook-address-forbidden" "The webhook's address is forbidden"
    /// The key was used with other content.
    IdempotencyKeyReused 422 "idempotency-key-reused" "The key was used with other content"
    /// This caller asks too often.
    TooManyRequests 429 "too-many-requests" "This caller asks too often"
    /// The head is longer than the server takes.
    HeadTooLarge 431 "head-too-large" "The headers are too large"
    /// A bug.
    Internal 500 "internal" "The server failed"
    /// The shard's ledger could not be written or is damaged.
    LedgerFailed 500 "ledger-failed" "The ledger failed"
    /// The shard has no permit left.
    ShardOverloaded 503 "shard-overloaded" "The shard is overloaded"
    /// The shard is down, restarting or did not answer in time.
    ShardUnavailable 503 "shard-unavailable" "The shard is not available"
    /// Carts that are being decided hold what was asked for.
    Undecided 503 "undecided" "Undecided carts stand in the way"
    /// A table is full.
    Capacity 503 "capacity" "A table is full"
    /// The past that was asked for can't be read now.
    HistoryUnavailable 503 "history-unavailable" "The past can't be read now"
    /// The server serves as many requests as it takes.
    ServerOverloaded 503 "server-overloaded" "The server is overloaded"
    /// The server has as many connections as it takes.
    TooManyConnections 503 "too-many-connections" "The server has too many connections"
    /// As many streams as there may be are open.
    TooManyStreams 503 "too-many-streams" "The server has too many streams"
    /// The server is stopping.
    Draining 503 "draining" "The server is stopping"
    /// The server is starting, stopping, or no shard can write.
    NotReady 503 "not-ready" "The server is not ready"
    /// No answer in time.
    TimedOut 504 "timed-out" "No answer in time"
}

/// Whether a failed operation may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did not: it is safe to go elsewhere.
    NotApplied,
    /// It may have: retry with the same key and body before anything else.
    Unknown,
}

impl Code {
    /// What a `5xx` of this code says where nothing else is known.
    fn outcome(self) -> Option<Outcome> {
        match self {
            Code::Internal | Code::LedgerFailed | Code::TimedOut => Some(Outcome::Unknown),
            other if other.status() >= 500 => Some(Outcome::NotApplied),
            _ => None,
        }
    }

    /// After how many seconds a retry makes sense, where that is the advice.
    fn retry_after_s(self) -> Option<u32> {
        match self {
            Code::ShardOverloaded
            | Code::ShardUnavailable
            | Code::Undecided
            | Code::Capacity
            | Code::HistoryUnavailable
            | Code::ServerOverloaded
            | Code::TooManyConnections
            | Code::TooManyStreams
            | Code::TooManyRequests
            | Code::Draining
            | Code::NotReady => Some(1),
            _ => None,
        }
    }
}

/// A problem on its way to the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    outcome: Option<Outcome>,
    retry_after_s: Option<u32>,
    values: Vec<(&'static str, Value)>,
}

impl Problem {
    /// `detail` says what happened and what to do next.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: clipped(detail.into()),
            outcome: code.outcome(),
            retry_after_s: code.retry_after_s(),
            values: Vec::new(),
        }
    }

    /// `400 invalid-request` about one field, named as in `lines[3].qty`; `""` is the whole body.
    pub fn invalid(field: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        let (problem, field) = (Self::new(Code::InvalidRequest, detail), field.into());
        if field.is_empty() {
            problem
        } else {
            problem.with("field", field)
        }
    }

    /// Adds a value for machines.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(clipped(text.into()).into_owned()),
            other => other,
        };
        self.values.push((name, value));
        self
    }

    /// Says whether the operation may have happened, where the code's default is not right.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Sets `Retry-After`.
    #[must_use]
    pub fn with_retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened and what to do next.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// A value it was given.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).expect("the codes have three-digit statuses")
    }

    /// The body, also for the `results` of a batch.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("the keys are strings")
    }

    /// `Retry-After` in seconds, where it is set.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }
}

/// A text that may repeat what was sent, cut where it would make an answer larger than its request.
fn clipped(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let mut end = TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end]).into()
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.code.type_uri())?;
        map.serialize_entry("title", self.code.title())?;
        map.serialize_entry("status", &self.code.status())?;
        map.serialize_entry("code", self.code.name())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(outcome) = self.outcome {
            let name = match outcome {
                Outcome::NotApplied => "not_applied",
                Outcome::Unknown => "unknown",
            };
            map.serialize_entry("outcome", name)?;
        }
        for (name, value) in &self.values {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The edge counts answers by code.
        response.extensions_mut().insert(self.code);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_code_its_outcome_and_its_values() {
        let problem = Problem::new(Code::Capacity, "the table is full; retry later")
            .with("table", "reservations");
        insta::assert_snapshot!(String::from_utf8_lossy(&problem.to_json()), @r#"{"type":"urn:holdfast:problem:capacity","title":"A table is full","status":503,"code":"capacity","detail":"the table is full; retry later","outcome":"not_applied","table":"reservations"}"#);
        assert_eq!(problem.into_response().headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn every_server_error_has_an_outcome_and_no_client_error_has_one() {
        for &code in Code::ALL {
            let problem = Problem::new(code, "");
            assert_eq!(
                problem.outcome.is_some(),
                code.status() >= 500,
                "{}",
                code.name()
            );
        }
    }

    #[test]
    fn what_was_sent_is_repeated_in_part() {
        let long = "é".repeat(500_000);
        let problem = Problem::invalid(long.clone(), long).to_json();
        assert!(
            problem.len() < 3 * TEXT_BYTES_MAX,
            "{} bytes",
            problem.len()
        );
    }

    #[test]
    fn codes_are_names_and_unique() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
