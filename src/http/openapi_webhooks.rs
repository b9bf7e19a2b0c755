//! The calls about webhooks, as the contract describes them.

use super::openapi_calls::{
    ANY, BODY, CURSOR, Call, Form, KEY, LIMIT, Parameter, Place, SHARD, json,
};
use super::problem::Code;

const ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    required: true,
    description: "The webhook.",
    form: Form::Text,
};

/// What a key may be refused for, where nobody waits for the first try.
const KEYS: &[Code] = &[Code::IdempotencyKeyRequired, Code::IdempotencyKeyReused];
const UNKNOWN: &[Code] = &[Code::UnknownWebhook, Code::NotFound];
const WRITES: &[Code] = &[Code::LedgerFailed];

/// The calls about webhooks.
pub(super) const WEBHOOKS: &[Call] = &[
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/webhooks",
        id: "createWebhook",
        summary: "Tell a receiver of events, signed as Standard Webhooks has it; the answer has the secret",
        parameters: &[&KEY],
        body: Some(("NewWebhook", true)),
        answers: &[json(
            201,
            "Webhook",
            "The webhook, with its secret this once.",
        )],
        problems: &[
            ANY,
            BODY,
            SHARD,
            KEYS,
            WRITES,
            &[Code::Capacity, Code::WebhookAddressForbidden],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/webhooks",
        id: "listWebhooks",
        summary: "The webhooks, by id",
        parameters: &[&LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "WebhookPage", "A page.")],
        problems: &[ANY, &[Code::NotFound]],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/webhooks/{id}",
        id: "readWebhook",
        summary: "A webhook: how far it is, and what waits",
        parameters: &[&ID],
        body: None,
        answers: &[json(200, "Webhook", "The webhook.")],
        problems: &[ANY, UNKNOWN],
    },
    Call {
        listener: "data",
        method: "PUT",
        path: "/v1/webhooks/{id}",
        id: "changeWebhook",
        summary: "Change a webhook, switch it on or off, or move it; absent is unchanged",
        parameters: &[&ID],
        body: Some(("ChangeWebhook", true)),
        answers: &[json(200, "Webhook", "The webhook.")],
        problems: &[
            ANY,
            BODY,
            SHARD,
            UNKNOWN,
            WRITES,
            &[Code::WebhookAddressForbidden],
        ],
    },
    Call {
        listener: "data",
        method: "DELETE",
        path: "/v1/webhooks/{id}",
        id: "deleteWebhook",
        summary: "Forget a webhook with its dead letters",
        parameters: &[&ID],
        body: None,
        answers: &[json(200, "Webhook", "As it was.")],
        problems: &[ANY, UNKNOWN, WRITES],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/webhooks/{id}/test",
        id: "testWebhook",
        summary: "Send one event that says nothing, and wait for the answer",
        parameters: &[&ID, &KEY],
        body: None,
        answers: &[json(200, "WebhookDelivery", "How it went.")],
        problems: &[ANY, UNKNOWN, &[Code::IdempotencyKeyRequired]],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/webhooks/{id}/rotate",
        id: "rotateWebhook",
        summary: "A new secret; the one before signs too for events.webhooks_overlap_ms",
        parameters: &[&ID, &KEY],
        body: Some(("RotateWebhook", false)),
        answers: &[json(
            200,
            "Webhook",
            "The webhook, with its new secret this once.",
        )],
        problems: &[ANY, BODY, UNKNOWN, WRITES, &[Code::IdempotencyKeyRequired]],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/webhooks/{id}/deliveries",
        id: "listWebhookDeliveries",
        summary: "The last attempts, the newest first",
        parameters: &[&ID],
        body: None,
        answers: &[json(200, "WebhookDeliveryPage", "The attempts.")],
        problems: &[ANY, UNKNOWN],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/webhooks/{id}/dead-letters",
        id: "listDeadLetters",
        summary: "Events that were given up, by shard and sequence",
        parameters: &[&ID, &LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "DeadLetterPage", "A page.")],
        problems: &[ANY, UNKNOWN, WRITES],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/webhooks/{id}/redeliver",
        id: "redeliverWebhook",
        summary: "Send a dead letter again, or all of them",
        parameters: &[&ID, &KEY],
        body: Some(("RedeliverWebhook", false)),
        answers: &[json(202, "Redelivered", "They are on their way.")],
        problems: &[
            ANY,
            BODY,
            UNKNOWN,
            WRITES,
            &[Code::IdempotencyKeyRequired, Code::WebhookOff],
        ],
    },
];
