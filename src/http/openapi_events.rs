//! The calls about events, as the contract describes them.

use super::openapi_calls::{ANY, Call, Form, LIMIT, Parameter, SHARD, json, query};
use super::problem::Code;

const AFTER: Parameter = query(
    "after",
    "A cursor: `next_cursor` of a page, the id of a message, that of a snapshot; or `earliest` \
     (pages begin there) or `latest` (streams do).",
    Form::Text,
);

const TYPES: Parameter = query(
    "types",
    "Types of events, with commas between, with or without prefix and version.",
    Form::Text,
);

const SKUS: Parameter = query("sku", "SKUs, with commas between.", Form::Text);

const BATCH: Parameter = query(
    "batch",
    "Of a stream: messages carry arrays of up to so many events.",
    Form::Limit,
);

/// The calls about events.
pub(super) const EVENTS: &[Call] = &[Call {
    listener: "data",
    method: "GET",
    path: "/v1/events",
    id: "readEvents",
    summary: "What happened, in order per SKU: a page, or with `Accept: text/event-stream` a \
              stream that goes on and is resumed with `Last-Event-ID`",
    parameters: &[&AFTER, &TYPES, &SKUS, &LIMIT, &BATCH],
    body: None,
    answers: &[json(
        200,
        "EventPage",
        "CloudEvents 1.0, and the cursor to go on with.",
    )],
    problems: &[
        ANY,
        SHARD,
        &[
            Code::CursorExpired,
            Code::TooManyStreams,
            Code::HistoryUnavailable,
            Code::NotFound,
        ],
    ],
}];
