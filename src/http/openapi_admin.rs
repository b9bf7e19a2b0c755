//! Every call of the admin listener, as the contract describes it: a table, and nothing else.

use super::openapi_calls::{ANY, BODY, CURSOR, Call, Form, LIMIT, Parameter, Success, json, query};
use super::problem::Code;

const SHORT_OF: Parameter = query(
    "sku",
    "That asked for this SKU, or were refused for it.",
    Form::Named("SkuName"),
);
const ASKED_BY: Parameter = query(
    "customer",
    "Of reserves that named this customer.",
    Form::Named("FreeText"),
);
const BY_REQUEST: Parameter = query(
    "request_id",
    "Of the call with this `Request-Id`.",
    Form::Named("FreeText"),
);

/// The admin listener's calls.
pub(super) const ADMIN: &[Call] = &[
    probe(
        "/startup",
        "startup",
        "Whether the ledgers have been replayed",
    ),
    probe("/live", "live", "Whether the process answers"),
    probe("/ready", "ready", "Whether callers may be sent here"),
    Call {
        listener: "admin",
        method: "GET",
        path: "/metrics",
        id: "metrics",
        summary: "Metrics as Prometheus reads them",
        parameters: &[],
        body: None,
        answers: &[Success {
            status: 200,
            description: "Text, exposition format 0.0.4.",
            schema: Some("Text"),
            media_type: crate::telemetry::CONTENT_TYPE,
        }],
        problems: &[],
    },
    Call {
        listener: "admin",
        method: "GET",
        path: "/openapi.json",
        id: "openapi",
        summary: "This document",
        parameters: &[],
        body: None,
        answers: &[json(200, "Document", "OpenAPI 3.1.")],
        problems: &[],
    },
    Call {
        listener: "admin",
        method: "GET",
        path: "/v1/admin/shards",
        id: "shards",
        summary: "What every shard is doing",
        parameters: &[],
        body: None,
        answers: &[json(200, "ShardPage", "All shards.")],
        problems: &[&[Code::NotReady]],
    },
    Call {
        listener: "admin",
        method: "GET",
        path: "/v1/admin/sinks",
        id: "sinks",
        summary: "How far each sink of events is, and why one takes nothing",
        parameters: &[],
        body: None,
        answers: &[json(200, "SinkPage", "All sinks that are configured.")],
        problems: &[&[Code::NotReady]],
    },
    Call {
        listener: "admin",
        method: "GET",
        path: "/v1/admin/refusals",
        id: "refusals",
        summary: "The last refusals with the counters behind them; filters combine",
        parameters: &[&SHORT_OF, &ASKED_BY, &BY_REQUEST, &LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "RefusalPage", "A page, the last refusal first.")],
        problems: &[ANY, &[Code::NotReady]],
    },
    Call {
        listener: "admin",
        method: "POST",
        path: "/v1/admin/clock",
        id: "moveClock",
        summary: "Move the time of a server that was started with --test-clock; others answer 404",
        parameters: &[],
        body: Some(("ClockMove", true)),
        answers: &[json(
            200,
            "ClockMoved",
            "Time has moved; a repeat moves it again.",
        )],
        problems: &[ANY, BODY, &[Code::NotFound, Code::NotReady]],
    },
];

const YES: &[Success] = &[json(200, "ProbeAnswer", "Yes.")];

const fn probe(path: &'static str, id: &'static str, summary: &'static str) -> Call {
    Call {
        listener: "admin",
        method: "GET",
        path,
        id,
        summary,
        parameters: &[],
        body: None,
        answers: YES,
        problems: &[&[Code::NotReady]],
    }
}
