//! The data listener's calls about stock facts, as the contract describes them.

use super::openapi_calls::{
    ANY, BODY, CURSOR, Call, Form, KEY, KEYED, LIMIT, Parameter, Place, SHARD, SKU, json, query,
};
use super::problem::Code;

const SOURCE: Parameter = Parameter {
    name: "source",
    place: Place::Path,
    required: true,
    description: "The source, as its messages name it.",
    form: Form::Named("FreeText"),
};
const DRIFT: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    required: true,
    description: "The drift.",
    form: Form::Named("Id"),
};
const OF_SKU: Parameter = query("sku", "Of this SKU.", Form::Named("SkuName"));
const OF_STATE: Parameter = query("state", "In this state.", Form::Named("DriftState"));
const OF_KIND: Parameter = query("kind", "Of this kind.", Form::Named("DriftKind"));
const QUARANTINED: Parameter = query(
    "quarantined",
    "`true`: only streams that wait for somebody to look.",
    Form::Text,
);

/// What a decision on a drift meets, its correction's own refusals among them.
const DECIDED: &[Code] = &[Code::UnknownDrift, Code::DriftConflict, Code::Capacity];

/// The calls about stock facts.
pub(super) const STOCK: &[Call] = &[
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/skus/{sku}/movements",
        id: "move",
        summary: "Record a fact about stock, or a decision",
        parameters: &[&SKU, &KEY],
        body: Some(("Movement", true)),
        answers: &[
            json(
                200,
                "MovementAnswer",
                "A message of a feed that changes nothing.",
            ),
            json(201, "MovementAnswer", "It is recorded."),
        ],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            &[
                Code::UnknownSku,
                Code::UnknownLocation,
                Code::UnknownReservation,
                Code::ReservationForgotten,
                Code::AlreadyOpened,
                Code::WouldGoNegative,
                Code::BelowReserved,
                Code::StreamQuarantined,
                Code::VersionChanged,
                Code::Capacity,
                Code::HistoryUnavailable,
                Code::HistoryTrimmed,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/skus/{sku}/transfers",
        id: "transfer",
        summary: "Stock to another location, in one record",
        parameters: &[&SKU, &KEY],
        body: Some(("Transfer", true)),
        answers: &[json(201, "MovementAnswer", "It is recorded.")],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            &[
                Code::UnknownSku,
                Code::UnknownLocation,
                Code::WouldGoNegative,
                Code::BelowReserved,
                Code::VersionChanged,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/feeds/{source}",
        id: "readFeed",
        summary: "How the streams of a source stand",
        parameters: &[&SOURCE, &OF_SKU, &QUARANTINED, &LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "FeedPage", "A page, as it is on disk.")],
        problems: &[ANY, SHARD],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/feeds/{source}/lift",
        id: "liftStream",
        summary: "Let a quarantined stream go on, once somebody has looked",
        parameters: &[&SOURCE, &KEY],
        body: Some(("Lift", true)),
        answers: &[json(200, "Sku", "The SKU as it stands.")],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            &[Code::UnknownSku, Code::UnknownStream, Code::Capacity],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/drifts",
        id: "listDrifts",
        summary: "Differences between the ledger and other truths, the oldest first",
        parameters: &[&OF_STATE, &OF_SKU, &OF_KIND, &LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "DriftPage", "A page, as it is on disk.")],
        problems: &[ANY, SHARD],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/drifts/{id}",
        id: "readDrift",
        summary: "A drift as it stands",
        parameters: &[&DRIFT],
        body: None,
        answers: &[json(200, "Drift", "The drift.")],
        problems: &[ANY, SHARD, &[Code::UnknownDrift]],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/drifts/{id}/approve",
        id: "approveDrift",
        summary: "Record the correction that a drift proposes",
        parameters: &[&DRIFT, &KEY],
        body: Some(("DriftDecision", false)),
        answers: &[json(200, "Drift", "The drift, corrected.")],
        problems: &[ANY, BODY, KEYED, SHARD, DECIDED],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/drifts/{id}/dismiss",
        id: "dismissDrift",
        summary: "Leave the ledger as it is",
        parameters: &[&DRIFT, &KEY],
        body: Some(("DriftDecision", false)),
        answers: &[json(200, "Drift", "The drift, dismissed.")],
        problems: &[ANY, BODY, KEYED, SHARD, DECIDED],
    },
];
