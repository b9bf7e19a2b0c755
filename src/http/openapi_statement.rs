//! The calls about the past, as the contract describes them.

use super::openapi_calls::{ANY, Call, Form, LIMIT, Parameter, SHARD, SKU, json, query};
use super::problem::Code;

const AFTER: Parameter = query(
    "after",
    "`next_cursor` of the page before, or any position of this SKU's ledger.",
    Form::Text,
);

/// A moment of the past, for a SKU as it stood then.
pub(super) const AS_OF: Parameter = query(
    "as_of",
    "A time, or a position of this SKU's ledger: the counters as they stood then.",
    Form::Text,
);

/// The calls about the past.
pub(super) const PAST: &[Call] = &[Call {
    listener: "data",
    method: "GET",
    path: "/v1/skus/{sku}/ledger",
    id: "readStatement",
    summary: "The statement of a SKU: every event with running balances, who and why",
    parameters: &[&SKU, &AFTER, &LIMIT],
    body: None,
    answers: &[json(
        200,
        "StatementPage",
        "A page, oldest first, with how far it is.",
    )],
    // Where the server keeps no statements.
    problems: &[
        ANY,
        SHARD,
        &[Code::UnknownSku, Code::HistoryTrimmed, Code::NotFound],
    ],
}];
