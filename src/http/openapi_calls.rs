//! The calls of a checkout and of SKUs, as the contract describes them: a table, and nothing else.
//! Those about stock facts stand in `openapi_stock`, those of the admin listener in `openapi_admin`.

use super::openapi_statement::AS_OF;
use super::problem::Code;

/// A call.
pub(super) struct Call {
    pub(super) listener: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [&'static Parameter],
    /// Name of the body's schema, and whether there must be one.
    pub(super) body: Option<(&'static str, bool)>,
    pub(super) answers: &'static [Success],
    pub(super) problems: &'static [&'static [Code]],
}

/// A parameter of a path, a query or a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) description: &'static str,
    pub(super) form: Form,
}

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// What a parameter looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The schema of this name.
    Named(&'static str),
    /// Any text.
    Text,
    /// An idempotency key.
    Key,
    /// 1 to the most items of a page.
    Limit,
}

/// An answer that is a success.
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) description: &'static str,
    /// Name of its schema.
    pub(super) schema: Option<&'static str>,
    /// Its media type.
    pub(super) media_type: &'static str,
}

pub(super) const fn json(status: u16, schema: &'static str, description: &'static str) -> Success {
    Success {
        status,
        description,
        schema: Some(schema),
        media_type: "application/json",
    }
}

pub(super) const ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    required: true,
    description: "The reservation.",
    form: Form::Named("Id"),
};
pub(super) const SKU: Parameter = Parameter {
    name: "sku",
    place: Place::Path,
    required: true,
    description: "The SKU.",
    form: Form::Named("SkuName"),
};
pub(super) const KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: Place::Header,
    required: true,
    description: "Names this try; a retry sends it again. 1 to 128 visible ASCII characters. \
                  Required unless the server is configured otherwise.",
    form: Form::Key,
};
const KEY_OPTIONAL: Parameter = Parameter {
    required: false,
    ..KEY
};
/// What changes something takes it with the key.
pub(super) const TRACE: Parameter = header(
    "traceparent",
    "Where the caller's trace stands (W3C Trace Context); kept with what changes, ignored where it \
     is not well formed.",
);
pub(super) const LIMIT: Parameter = query(
    "limit",
    "Items of a page, up to 1000; 100 if absent.",
    Form::Limit,
);
pub(super) const CURSOR: Parameter =
    query("cursor", "`next_cursor` of the page before.", Form::Text);
pub(super) const BY_SKU: Parameter =
    query("sku", "With a line of this SKU.", Form::Named("SkuName"));
const BY_ORDER: Parameter = query("order_ref", "Of this order.", Form::Named("FreeText"));
const BY_CUSTOMER: Parameter = query("customer", "Of this customer.", Form::Named("FreeText"));
const BY_STATUS: Parameter = query("status", "With this status.", Form::Named("Status"));
const PREFIX: Parameter = query("prefix", "Whose names begin with this.", Form::Text);
const IF_MATCH: Parameter = header(
    "If-Match",
    "The SKU's `config_version` in quotes, or `*` for any; refused with 412 if it is another.",
);
const CREATE_ONLY: Parameter = header("If-None-Match", "`*`: create, don't change.");
const IF_NONE_MATCH: Parameter = header(
    "If-None-Match",
    "The `ETag`s known; 304 if the answer's is among them.",
);

/// Nothing has changed since the caller asked last.
const UNCHANGED: Success = Success {
    status: 304,
    description: "It is as the caller knows it.",
    schema: None,
    media_type: "",
};

pub(super) const fn query(name: &'static str, description: &'static str, form: Form) -> Parameter {
    Parameter {
        name,
        place: Place::Query,
        required: false,
        description,
        form,
    }
}

const fn header(name: &'static str, description: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Header,
        required: false,
        description,
        form: Form::Text,
    }
}

/// What any call may meet.
pub(super) const ANY: &[Code] = &[
    Code::InvalidRequest,
    Code::ServerOverloaded,
    Code::TimedOut,
    Code::Internal,
];
/// What a body may be refused for.
pub(super) const BODY: &[Code] = &[
    Code::UnsupportedMediaType,
    Code::BodyTooLarge,
    Code::RequestTimeout,
];
/// What a key may be refused for.
pub(super) const KEYED: &[Code] = &[
    Code::IdempotencyKeyRequired,
    Code::IdempotencyInProgress,
    Code::IdempotencyKeyReused,
];
/// What a shard may answer instead.
pub(super) const SHARD: &[Code] = &[
    Code::ShardOverloaded,
    Code::ShardUnavailable,
    Code::Undecided,
    Code::Draining,
];
const RESERVE: &[Code] = &[
    Code::UnknownSku,
    Code::UnknownLocation,
    Code::InsufficientStock,
    Code::CustomerLimit,
    Code::SaleClosed,
    Code::LocationClosed,
    Code::SalePaused,
    Code::ReplaceMismatch,
    Code::ReplaceAcrossShards,
    Code::ReservationPinned,
    Code::CustomerRequired,
    Code::TtlLimit,
    Code::Capacity,
];
/// What a command on a reservation meets.
const GONE: &[Code] = &[
    Code::UnknownReservation,
    Code::ReservationForgotten,
    Code::ReservationExpired,
];

const RESERVATION: Success = json(200, "Reservation", "The reservation as it stands.");

/// The calls of a checkout and of SKUs.
pub(super) const CALLS: &[Call] = &[
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations",
        id: "reserve",
        summary: "Set units aside for a checkout",
        parameters: &[&KEY],
        body: Some(("Reserve", true)),
        answers: &[json(201, "Reservation", "The reservation, on disk.")],
        problems: &[ANY, BODY, KEYED, SHARD, RESERVE],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/reservations",
        id: "findReservations",
        summary: "Find reservations by SKU, order or customer, from a projection",
        parameters: &[
            &BY_SKU,
            &BY_ORDER,
            &BY_CUSTOMER,
            &BY_STATUS,
            &LIMIT,
            &CURSOR,
        ],
        body: None,
        answers: &[json(200, "ReservationPage", "A page, with how old it is.")],
        // Where the server keeps no projection.
        problems: &[ANY, SHARD, &[Code::NotFound]],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/reservations/{id}",
        id: "readReservation",
        summary: "A reservation as it stands, ended ones too within retention",
        parameters: &[&ID],
        body: None,
        answers: &[RESERVATION],
        problems: &[
            ANY,
            SHARD,
            &[Code::UnknownReservation, Code::ReservationForgotten],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/confirm",
        id: "confirm",
        summary: "Sell what is held; a 410 is final: refund",
        parameters: &[&ID, &KEY],
        body: Some(("Confirm", false)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[
                Code::ConfirmedByOtherPayment,
                Code::ReservationReleased,
                Code::LocationClosed,
                Code::Shortfall,
                Code::OverConfirm,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/release",
        id: "release",
        summary: "Give back what is held",
        parameters: &[&ID, &KEY],
        body: Some(("Release", false)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[
                Code::ReservationConfirmed,
                Code::OverRelease,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/extend",
        id: "extend",
        summary: "More time",
        parameters: &[&ID, &KEY],
        body: Some(("Extend", true)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[
                Code::ReservationConfirmed,
                Code::ReservationReleased,
                Code::TtlLimit,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/pin",
        id: "pin",
        summary: "A payment is in progress: keep the units while it is, once",
        parameters: &[&ID, &KEY],
        body: Some(("Pin", true)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[
                Code::AlreadyPinned,
                Code::ReservationConfirmed,
                Code::ReservationReleased,
                Code::TtlLimit,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/cancel",
        id: "cancel",
        summary: "Take back what was confirmed and not shipped",
        parameters: &[&ID, &KEY],
        body: Some(("Cancel", false)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[Code::OverCancel, Code::AlreadyShipped, Code::Capacity],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/reservations/{id}/move",
        id: "moveHold",
        summary: "A hold to another location in one step",
        parameters: &[&ID, &KEY],
        body: Some(("MoveHold", true)),
        answers: &[RESERVATION],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            GONE,
            &[
                Code::InsufficientStock,
                Code::OverMove,
                Code::HeldThere,
                Code::UnknownSku,
                Code::UnknownLocation,
                Code::LocationClosed,
                Code::ReservationConfirmed,
                Code::ReservationReleased,
                Code::Capacity,
            ],
        ],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/batch",
        id: "batch",
        summary: "Many operations in one call, each on its own",
        parameters: &[&TRACE],
        body: Some(("Batch", true)),
        answers: &[json(
            200,
            "BatchAnswer",
            "One result per operation, in order.",
        )],
        problems: &[ANY, BODY],
    },
    Call {
        listener: "data",
        method: "PUT",
        path: "/v1/skus/{sku}",
        id: "configureSku",
        summary: "Create or configure a SKU: absent is unchanged, null clears",
        parameters: &[&SKU, &KEY_OPTIONAL, &IF_MATCH, &CREATE_ONLY],
        body: Some(("Configure", true)),
        answers: &[
            json(200, "Sku", "The SKU as it stands."),
            json(201, "Sku", "The SKU, which is new."),
        ],
        problems: &[
            ANY,
            BODY,
            KEYED,
            SHARD,
            &[Code::VersionChanged, Code::UnknownLocation, Code::Capacity],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/skus/{sku}",
        id: "readSku",
        summary: "A SKU's counters and configuration, from the stock board",
        parameters: &[&SKU, &AS_OF, &IF_NONE_MATCH],
        body: None,
        answers: &[
            json(
                200,
                "SkuNowOrThen",
                "The SKU as it stands, or its counters then.",
            ),
            UNCHANGED,
        ],
        // The last two where the past is asked for.
        problems: &[
            ANY,
            SHARD,
            &[Code::UnknownSku, Code::HistoryTrimmed, Code::NotFound],
        ],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/skus",
        id: "listSkus",
        summary: "SKUs by name, from the stock board",
        parameters: &[&PREFIX, &LIMIT, &CURSOR, &IF_NONE_MATCH],
        body: None,
        answers: &[json(200, "SkuPage", "A page."), UNCHANGED],
        problems: &[ANY],
    },
    Call {
        listener: "data",
        method: "POST",
        path: "/v1/availability",
        id: "availability",
        summary: "Many SKUs at once, for product pages",
        parameters: &[&IF_NONE_MATCH],
        body: Some(("AvailabilityRequest", true)),
        answers: &[
            json(
                200,
                "AvailabilityAnswer",
                "Those that exist, those that don't, and those of shards that do not serve.",
            ),
            UNCHANGED,
        ],
        problems: &[ANY, BODY],
    },
];
