//! The data listener's calls about stock facts, as the contract describes them.

use super::openapi_calls::{ANY, BODY, Call, KEY, KEYED, SHARD, SKU, json};
use super::problem::Code;

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
];
