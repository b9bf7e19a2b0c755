//! The calls about events, as the contract describes them.

use super::openapi_calls::{ANY, Call, Form, LIMIT, Parameter, Place, SHARD, Success, json, query};
use super::problem::Code;

const AFTER: Parameter = query(
    "after",
    "A cursor: `next_cursor` of a page, the id of a message, that of a snapshot; or `earliest` \
     (pages begin there) or `latest` (streams do).",
    Form::Text,
);

const CONSUMER: Parameter = query(
    "consumer",
    "Begin at this consumer's place; instead of `after`. Reading moves no place.",
    Form::Named("LocationName"),
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

const PREFIX: Parameter = query("prefix", "SKUs whose names begin so.", Form::Text);

const PAGE_SKUS: Parameter = Parameter {
    required: true,
    ..query("skus", "SKUs, with commas between.", Form::Text)
};

const INTERVAL: Parameter = query(
    "interval_ms",
    "How often to look for changes, 50 to 60000; 250 if absent.",
    Form::Text,
);

const TYPE: Parameter = Parameter {
    name: "type",
    place: Place::Path,
    required: true,
    description: "A type of event, such as `holdfast.stock.received.v1`.",
    form: Form::Text,
};

/// The calls about events.
pub(super) const EVENTS: &[Call] = &[
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/events",
        id: "readEvents",
        summary: "What happened, in order per SKU: a page, or with `Accept: text/event-stream` a \
              stream that goes on and is resumed with `Last-Event-ID`",
        parameters: &[&AFTER, &CONSUMER, &TYPES, &SKUS, &LIMIT, &BATCH],
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
                Code::UnknownConsumer,
                Code::TooManyStreams,
                Code::HistoryUnavailable,
                Code::NotFound,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/events/schemas",
        id: "listEventSchemas",
        summary: "The types of events, and where the JSON Schemas of their data are",
        parameters: &[],
        body: None,
        answers: &[json(200, "EventSchemas", "All types.")],
        problems: &[ANY],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/events/schemas/{type}",
        id: "readEventSchema",
        summary: "The JSON Schema of what events of a type carry",
        parameters: &[&TYPE],
        body: None,
        answers: &[Success {
            status: 200,
            description: "A JSON Schema, draft 2020-12.",
            schema: None,
            media_type: "application/schema+json",
        }],
        problems: &[ANY],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/snapshot",
        id: "readSnapshot",
        summary: "The state of every SKU at one cursor, as lines of JSON: the cursor first, then a \
              line per SKU, then how many they were; events after the cursor follow on it",
        parameters: &[&PREFIX],
        body: None,
        answers: &[Success {
            status: 200,
            description: "Lines of JSON; `Holdfast-Cursor` says where to go on.",
            schema: None,
            media_type: "application/x-ndjson",
        }],
        problems: STREAMED,
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/availability/stream",
        id: "streamAvailability",
        summary: "The latest availability of a few SKUs, told again when it changes",
        parameters: &[&PAGE_SKUS, &INTERVAL],
        body: None,
        answers: &[Success {
            status: 200,
            description: "Server-sent events: `availability` with the SKU as `POST /v1/availability` \
                      shows it, or `unknown`.",
            schema: None,
            media_type: "text/event-stream",
        }],
        problems: STREAMED,
    },
];

/// What a call may meet whose answer goes on.
const STREAMED: &[&[Code]] = &[
    ANY,
    SHARD,
    &[
        Code::TooManyStreams,
        Code::HistoryUnavailable,
        Code::NotFound,
    ],
];
