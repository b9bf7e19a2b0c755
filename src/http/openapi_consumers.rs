//! The calls about consumers, as the contract describes them.

use super::openapi_calls::{ANY, BODY, CURSOR, Call, Form, LIMIT, Parameter, Place, SHARD, json};
use super::problem::Code;

const NAME: Parameter = Parameter {
    name: "name",
    place: Place::Path,
    required: true,
    description: "The consumer.",
    form: Form::Named("LocationName"),
};

/// The calls about consumers.
pub(super) const CONSUMERS: &[Call] = &[
    Call {
        listener: "data",
        method: "PUT",
        path: "/v1/consumers/{name}",
        id: "setConsumer",
        summary: "Keep a consumer's place, and the journal from there on; back as well as forward",
        parameters: &[&NAME],
        body: Some(("SetConsumer", true)),
        answers: &[json(200, "Consumer", "The place is kept, durably.")],
        problems: &[
            ANY,
            BODY,
            SHARD,
            &[Code::Capacity, Code::LedgerFailed, Code::NotFound],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/consumers/{name}",
        id: "readConsumer",
        summary: "A consumer's place, and how far it is behind",
        parameters: &[&NAME],
        body: None,
        answers: &[json(200, "Consumer", "The consumer.")],
        problems: &[ANY, &[Code::UnknownConsumer, Code::NotFound]],
    },
    Call {
        listener: "data",
        method: "DELETE",
        path: "/v1/consumers/{name}",
        id: "deleteConsumer",
        summary: "Forget a consumer, so that nothing is kept for it",
        parameters: &[&NAME],
        body: None,
        answers: &[json(200, "Consumer", "As it was.")],
        problems: &[
            ANY,
            &[Code::UnknownConsumer, Code::LedgerFailed, Code::NotFound],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/consumers",
        id: "listConsumers",
        summary: "The consumers, by name",
        parameters: &[&LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "ConsumerPage", "A page.")],
        problems: &[ANY, &[Code::NotFound]],
    },
];
