//! The calls of reconciliations, as the contract describes them: a table, and nothing else.

use super::openapi_calls::{ANY, Call, Form, Parameter, Place, json, query};
use super::problem::Code;

const SOURCE: Parameter = Parameter {
    required: true,
    ..query(
        "source",
        "Whose truth: `warehouse`, `orders` or `seller`.",
        Form::Text,
    )
};
const BY: Parameter = query(
    "by",
    "Who reports; two files of one reporter are not compared at once.",
    Form::Named("FreeText"),
);
const DOCUMENT: Parameter = query(
    "document",
    "What the file is called; its content's hash if absent.",
    Form::Named("FreeText"),
);
const AS_OF: Parameter = query(
    "as_of",
    "The moment of which the file tells: a time or a position; its arrival if absent.",
    Form::Text,
);
const SINCE: Parameter = query(
    "since",
    "Reservations made before are not missed in an order export.",
    Form::Named("Time"),
);
const ROWS: Parameter = query(
    "rows",
    "The rows there should be; with others the file is refused.",
    Form::Text,
);
const MORE: Parameter = query("more", "`true` where more of the file comes.", Form::Text);
const OFFSET: Parameter = Parameter {
    required: true,
    ..query("offset", "Where in the file the piece begins.", Form::Text)
};
const ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    required: true,
    description: "The reconciliation.",
    form: Form::Text,
};

const FILE: &[Code] = &[Code::BodyTooLarge, Code::RequestTimeout];

/// The calls.
pub(super) const RECONCILE: &[Call] = &[
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reconciliations",
        id: "reconcile",
        summary: "Compare the ledger with a file, CSV or NDJSON: the body, or its first piece",
        parameters: &[&SOURCE, &BY, &DOCUMENT, &AS_OF, &SINCE, &ROWS, &MORE],
        body: None,
        answers: &[json(202, "Reconciliation", "It is taken, and runs behind.")],
        problems: &[ANY, FILE, &[Code::ReconciliationRunning, Code::NotFound]],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reconciliations/{id}/rows",
        id: "reconcileMore",
        summary: "Send the next piece of the file; a piece sent again changes nothing",
        parameters: &[&ID, &OFFSET, &MORE],
        body: None,
        answers: &[json(202, "Reconciliation", "The piece is kept.")],
        problems: &[
            ANY,
            FILE,
            &[
                Code::UnknownReconciliation,
                Code::ReconciliationRunning,
                Code::NotFound,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/reconciliations/{id}",
        id: "readReconciliation",
        summary: "How a reconciliation stands: progress, then its report",
        parameters: &[&ID],
        body: None,
        answers: &[json(200, "Reconciliation", "As it stands.")],
        problems: &[ANY, &[Code::UnknownReconciliation, Code::NotFound]],
    },
];
