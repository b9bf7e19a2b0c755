//! The shape of a refusal: one type whose values depend on the code.
//!
//! Deliberately absent: which values go with which code (`render_refusal`), and the problems that
//! are no refusals (`problem`).

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Code;
use super::wire::scalar::{Id, LocationName, SkuName, Time};
use super::wire::view::AsOf;

/// A refusal, or any other answer that is not a success: RFC 9457 `application/problem+json`.
///
/// `code` is stable and for machines; unknown codes are to be treated by their status. `detail`
/// says what happened and what to do next. Which of the other values are there depends on the code.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Refused<'a> {
    /// `urn:holdfast:problem:` and the code.
    pub(super) r#type: &'static str,
    pub(super) title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    pub(super) status: u16,
    pub(super) code: &'static str,
    #[schema(value_type = String)]
    pub(super) detail: Cow<'static, str>,
    #[serde(flatten)]
    #[schema(value_type = Values)]
    pub(super) values: Values<'a>,
    #[serde(skip)]
    #[schema(ignore)]
    pub(super) kind: Code,
}

/// The values of a problem.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ProblemValues)]
#[serde(rename_all = "snake_case")]
pub(crate) struct Values<'a> {
    /// Ledger time of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Time>,
    /// The reservation concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reservation: Option<Id>,
    /// Why it came to this: of `reservation-expired` one of `sold-out`, `customer-limit`,
    /// `late-window`, `late-refused`, `closed`, `lapsed`; of `reservation-released` as the caller
    /// of the release said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expired_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) released_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirmed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced_by: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pinned_until: Option<Time>,
    /// The payment that came first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_ref: Option<&'a str>,
    /// What a deadline was to be moved by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_ms: Option<u64>,
    /// The longest that is possible now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_hand: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reserved: Option<i64>,
    /// The counter that would have gone below 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counter: Option<&'static str>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<i64>,
    /// The location concerned.
    #[schema(value_type = Option<LocationName>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<&'a str>,
    /// The source of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a str>,
    /// The epoch of the message that had a stream stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<u64>,
    /// Its sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u64>,
    /// The drift concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) drift: Option<Id>,
    /// By how much stock was to be adjusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actual_version: Option<u64>,
    /// The field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<&'static str>,
    /// The oldest position that can be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest: Option<String>,
    /// Every line that stands in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) lines: Vec<RefusedLine<'a>>,
}

/// A line that stands in the way.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ProblemLine)]
pub(crate) struct RefusedLine<'a> {
    #[schema(value_type = SkuName)]
    pub(super) sku: &'a str,
    /// Where, if the line named a location.
    #[schema(value_type = Option<LocationName>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<&'a str>,
    /// Units asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested: Option<u64>,
    /// Units that could be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) available: Option<u64>,
    /// Units under carts over several shards that have not been decided yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undecided: Option<u64>,
    /// Units that could be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirmable: Option<u64>,
    /// Units that could be released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) releasable: Option<u64>,
    /// Units that could be cancelled, or moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) possible: Option<u64>,
    /// Units a customer may have within the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    /// Units counted within the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counted: Option<u64>,
    /// When enough units leave the window; `null` if they never do.
    #[schema(value_type = Option<Time>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frees_at: Option<OrNull>,
    #[schema(value_type = Option<Time>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opens_at: Option<OrNull>,
    #[schema(value_type = Option<Time>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closes_at: Option<OrNull>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) now: Option<Time>,
    /// What the line's values stand for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) as_of: Option<AsOf>,
}

/// A time, or `null`, which says something as well.
#[derive(Serialize)]
pub(super) struct OrNull(pub(super) Option<Time>);

impl Refused<'_> {
    /// Its code, which knows its status.
    pub(crate) fn code(&self) -> Code {
        self.kind
    }
}
