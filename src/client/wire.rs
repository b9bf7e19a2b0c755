//! The shapes of the contract as this client reads and writes them.
//!
//! Written from the contract, not shared with the server. Fields that no command looks at are left
//! out; unknown fields are ignored, since the contract may grow.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Units are held.
    Open,
    /// Ended; at least one unit was sold.
    Confirmed,
    /// Ended by a release.
    Released,
    /// Ended by its deadline.
    Expired,
}

/// A reservation as answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reservation {
    /// Opaque.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// What the caller called it.
    #[serde(default)]
    pub order_ref: Option<String>,
    /// When the server made it: RFC 3339.
    #[serde(default)]
    pub created_at: String,
    /// Whether the confirm took the units again after the deadline.
    #[serde(default)]
    pub late: Option<bool>,
    /// One per SKU and location.
    pub lines: Vec<Line>,
    /// What `best_effort` could not grant.
    #[serde(default)]
    pub shortages: Option<Vec<Shortage>>,
}

/// The units of one SKU at one location in a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// The SKU.
    pub sku: String,
    /// Where the units are.
    pub location: String,
    /// Units asked for.
    pub requested: u64,
    /// Units held: the sum of the four below.
    pub qty: u64,
    /// Units still set aside.
    pub open: u64,
    /// Units sold.
    pub confirmed: u64,
    /// Units given back.
    pub released: u64,
    /// Units that lapsed.
    pub expired: u64,
}

/// A line of `best_effort` that got less than it asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Shortage {
    /// The SKU.
    pub sku: String,
    /// Units asked for.
    pub requested: u64,
    /// Units held.
    pub granted: u64,
    /// Why not more.
    pub reason: String,
}

/// The counters of a SKU, at one location or summed. Units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Counters {
    /// Sellable units here and not sold.
    pub on_hand: i64,
    /// Units under open holds.
    pub reserved: i64,
    /// Units kept back from sale.
    pub safety_stock: i64,
    /// Units confirmed.
    pub sold: i64,
    /// Units that left.
    pub shipped: i64,
    /// Units that came back and wait.
    pub returned: i64,
    /// Units that can't be sold.
    pub damaged: i64,
    /// Units received, ever.
    pub received: i64,
    /// Units returned, ever.
    pub returns_received: i64,
    /// Corrections, signed.
    pub adjusted: i64,
    /// Transfers, signed.
    pub transferred: i64,
    /// Units written off.
    pub written_off: i64,
    /// Units given back from holds, ever.
    pub released: i64,
    /// Units lapsed from holds, ever.
    pub expired: i64,
}

/// A location of a SKU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Place {
    /// What is there.
    #[serde(flatten)]
    pub counters: Counters,
    /// Units that can be reserved there now.
    #[serde(default)]
    pub available: i64,
}

/// A SKU as answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Sku {
    /// Its name.
    pub sku: String,
    /// Sums over its locations.
    #[serde(flatten)]
    pub counters: Counters,
    /// Units that can be reserved now, over all locations.
    #[serde(default)]
    pub available: i64,
    /// By location.
    #[serde(default)]
    pub locations: BTreeMap<String, Place>,
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A refusal or a failure: RFC 9457 with the contract's members.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// For machines.
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub detail: String,
    /// Of a `5xx`: `not_applied` or `unknown`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Of a final `410`: why.
    #[serde(default)]
    pub reason: Option<String>,
    /// The short lines of `insufficient-stock`.
    #[serde(default)]
    pub lines: Vec<ShortLine>,
}

/// A line that could not be held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShortLine {
    /// The SKU.
    #[serde(default)]
    pub sku: String,
    /// Units asked for.
    #[serde(default)]
    pub requested: u64,
    /// Units that were there.
    #[serde(default)]
    pub available: u64,
}

impl Problem {
    /// The problem of an answer without a problem body.
    pub fn of_status(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            code: format!("http-{}", status.as_u16()),
            detail: status
                .canonical_reason()
                .unwrap_or("unknown status")
                .to_owned(),
            outcome: None,
            reason: None,
            lines: Vec::new(),
        }
    }

    /// Whether the same call may be answered otherwise a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    /// Whether the call may have had its effect: every `5xx` that doesn't deny it.
    pub fn may_have_applied(&self) -> bool {
        self.status >= 500
            && self.outcome.as_deref() != Some("not_applied")
            && !matches!(self.code.as_str(), "shard-overloaded" | "capacity")
    }
}

/// What `POST /v1/batch` answers.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchResults {
    /// In the order of the operations.
    pub results: Vec<BatchResult>,
}

/// The answer to one operation of a batch: its status, and what of its single call's answer is
/// looked at. Successes are long, and none of their fields is.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchResult {
    /// As the single call would answer.
    pub status: u16,
    /// Why not, where it is no success.
    #[serde(default)]
    pub problem: Option<BatchProblem>,
}

/// Why an operation of a batch was not done.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchProblem {
    /// For machines.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub detail: String,
    /// Of a `5xx`: `not_applied` or `unknown`.
    #[serde(default)]
    pub outcome: Option<String>,
}

impl BatchResult {
    /// The problem's code, where it is one.
    pub fn code(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.code.as_str())
    }

    /// The problem it carries, or one made of its status.
    pub fn problem(self) -> Problem {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
        match self.problem {
            None => Problem::of_status(status),
            Some(BatchProblem {
                code,
                detail,
                outcome,
            }) => Problem {
                code,
                detail,
                outcome,
                ..Problem::of_status(status)
            },
        }
    }
}

/// What `POST /v1/reservations` takes.
#[derive(Clone, Debug, Serialize)]
pub struct Reserve<'a> {
    /// The order.
    pub order_ref: &'a str,
    /// The customer.
    pub customer: &'a str,
    /// How long to hold; the server's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// `all_or_nothing` or `best_effort`.
    pub mode: &'a str,
    /// What is wanted.
    pub lines: Vec<Want<'a>>,
}

/// A wanted line.
#[derive(Clone, Debug, Serialize)]
pub struct Want<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// Units.
    pub qty: u64,
    /// Where; the server chooses where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<&'a str>,
}
