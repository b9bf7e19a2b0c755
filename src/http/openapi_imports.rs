//! The calls about imports, as the contract describes them.

use super::openapi_calls::{ANY, BODY, Call, Form, Parameter, Place, json, query};
use super::problem::Code;

const IDENTITY: Parameter = query(
    "identity",
    "The file, as its sender names it: 1 to 128 of `A-Z a-z 0-9 . _ : -`. Required but in a dry \
     run. The keys of its rows are made of it and their lines.",
    Form::Text,
);
const DRY_RUN: Parameter = query(
    "dry_run",
    "`true`: read and check, change nothing.",
    Form::Text,
);
const CREATE: Parameter = query(
    "create",
    "`true`: SKUs that are unknown are created by their first row.",
    Form::Text,
);
const FROM_LINE: Parameter = query(
    "from_line",
    "The body goes on at this line of the file, as `next_line` has it; a CSV's header comes first \
     all the same.",
    Form::Text,
);
const FROM_OFFSET: Parameter = query(
    "from_offset",
    "Bytes of the file before that line, as `next_offset` has them.",
    Form::Text,
);
const OF: Parameter = Parameter {
    name: "identity",
    place: Place::Path,
    required: true,
    description: "The file, as its sender named it.",
    form: Form::Text,
};

/// The calls about imports.
pub(super) const IMPORTS: &[Call] = &[
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/imports",
        id: "import",
        summary: "Movements and settings from a file of CSV or NDJSON, read while it arrives",
        parameters: &[&IDENTITY, &DRY_RUN, &CREATE, &FROM_LINE, &FROM_OFFSET],
        body: Some(("Text", true)),
        answers: &[json(200, "ImportReport", "What came of the rows.")],
        problems: &[
            ANY,
            BODY,
            &[
                Code::ImportInProgress,
                Code::ImportGap,
                Code::ImportAged,
                Code::ShardOverloaded,
                Code::ShardUnavailable,
                Code::Capacity,
                Code::Draining,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/imports/{identity}",
        id: "readImport",
        summary: "What came of an import so far, and where it goes on",
        parameters: &[&OF],
        body: None,
        answers: &[json(200, "ImportReport", "The report as it stands.")],
        problems: &[ANY, &[Code::UnknownImport]],
    },
];
