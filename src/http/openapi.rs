//! The `OpenAPI` 3.1 document: the table of calls, and the schemas derived from the wire's types.
//!
//! It is built once and served; a golden file in `tests/` shows every change to the contract.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ComponentsBuilder, Object, ObjectBuilder, OneOfBuilder,
    Schema, SchemaType, Type,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Content, Header, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
};
use utoipa::{PartialSchema, ToSchema};

use super::imports::Report as ImportReport;
use super::openapi_admin::ADMIN;
use super::openapi_calls::{CALLS, Call, Form, Parameter, Place, Success, TRACE};
use super::openapi_consumers::CONSUMERS;
use super::openapi_events::EVENTS;
use super::openapi_imports::IMPORTS;
use super::openapi_locations::LOCATIONS;
use super::openapi_reconcile::RECONCILE;
use super::openapi_statement::PAST;
use super::openapi_stock::STOCK;
use super::openapi_webhooks::WEBHOOKS;
use super::problem::Code;
use super::render_shape::Refused;
use super::wire::aftersale::{CancelBody, MoveBody};
use super::wire::body::{
    AvailabilityBody, ConfirmBody, ExtendBody, PinBody, ReleaseBody, ReserveBody,
};
use super::wire::configure::ConfigureBody;
use super::wire::drift::{DecisionBody, DriftKindWord, LiftBody, StateWord};
use super::wire::movement::{MovementBody, TransferBody};
use super::wire::view::{MovedShape, ReservationShape, SkuShape, StatusWord};
use super::{
    admin, admin_clock, admin_refusals, consumers, drifts, events, feeds, locations, lookup,
    reconciliations, sinks, skus, snapshot, statement, webhooks, webhooks_shape,
};

/// The document as text.
pub(crate) static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    document()
        .to_pretty_json()
        .expect("the document has text keys and finite numbers")
});

/// Method and path of every call in the document.
pub fn calls() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    table().map(|call| (call.listener, call.method, call.path))
}

fn table() -> impl Iterator<Item = &'static Call> {
    let facts = STOCK
        .iter()
        .chain(PAST)
        .chain(EVENTS)
        .chain(CONSUMERS)
        .chain(WEBHOOKS)
        .chain(LOCATIONS)
        .chain(RECONCILE)
        .chain(IMPORTS);
    CALLS.iter().chain(facts).chain(ADMIN)
}

/// The document.
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .build();
    let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
    for call in table() {
        let item = PathItem::new(method(call.method), operation(call));
        match items.get_mut(call.path) {
            Some(known) => known.merge_operations(item),
            None => {
                items.insert(call.path, item);
            }
        }
    }
    let paths = items
        .into_iter()
        .fold(PathsBuilder::new(), |paths, (path, item)| {
            paths.path(path, item)
        });
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    let tags = [
        tag(
            "data",
            "The data listener: what order services, warehouses and sellers call.",
        ),
        tag("admin", "The admin listener: probes, metrics, operations."),
    ];
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .tags(Some(tags))
        .components(Some(schemas().build()))
        .build()
}

const DESCRIPTION: &str = "Holds stock for checkouts: reservations with a deadline, sold exactly \
once. Every answer carries `Request-Id`. Unknown fields, floats where units are meant and fields \
given twice are refused. Fields may be added to answers; none is renamed or dropped within v1. A \
`5xx` carries `outcome`: `not_applied` (safe to go elsewhere) or `unknown` (retry with the same \
key and body before anything else); a time-out or a `5xx` without a problem body is `unknown`.";

fn method(name: &str) -> HttpMethod {
    match name {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        other => unreachable!("no call has the method {other}"),
    }
}

fn operation(call: &Call) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .tag(call.listener)
        .operation_id(Some(call.id))
        .summary(Some(call.summary));
    for parameter in call.parameters {
        operation = operation.parameter(self::parameter(parameter));
        if parameter.form == Form::Key {
            operation = operation.parameter(self::parameter(&TRACE));
        }
    }
    if let Some((schema, required)) = call.body {
        let content = Content::new(Some(Ref::from_schema_name(schema)));
        let required = if required {
            Required::True
        } else {
            Required::False
        };
        let media_types: &[&str] = match schema {
            "Text" => &["text/csv", "application/x-ndjson"],
            _ => &["application/json"],
        };
        let body = RequestBodyBuilder::new().required(Some(required));
        let body = media_types.iter().fold(body, |body, media_type| {
            body.content(*media_type, content.clone())
        });
        operation = operation.request_body(Some(body.build()));
    }
    for answer in call.answers {
        operation = operation.response(answer.status.to_string(), success(call, answer));
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for &code in call.problems.iter().copied().flatten() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        operation = operation.response(status.to_string(), refusal(&codes));
    }
    operation
}

fn parameter(parameter: &Parameter) -> ParameterBuilder {
    let place = match parameter.place {
        Place::Path => ParameterIn::Path,
        Place::Query => ParameterIn::Query,
        Place::Header => ParameterIn::Header,
    };
    let schema: RefOr<Schema> = match parameter.form {
        Form::Named(name) => Ref::from_schema_name(name).into(),
        Form::Text => of_type(Type::String).into(),
        Form::Key => of_type(Type::String)
            .pattern(Some("^[!-~]+$"))
            .min_length(Some(1))
            .max_length(Some(super::keys::LEN_MAX))
            .into(),
        Form::Limit => of_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(1_000))
            .into(),
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(if parameter.required {
            Required::True
        } else {
            Required::False
        })
        .description(Some(parameter.description))
        .schema(Some(schema))
}

fn success(call: &Call, answer: &Success) -> Response {
    let mut response = ResponseBuilder::new().description(answer.description);
    if let Some(schema) = answer.schema {
        let content = Content::new(Some(Ref::from_schema_name(schema)));
        response = response.content(answer.media_type, content);
    }
    if call.path.starts_with("/v1/skus/{sku}") && call.method != "POST" {
        response = response.header("ETag", text_header("The SKU's `version`, in quotes."));
    }
    if call
        .parameters
        .iter()
        .any(|parameter| parameter.form == Form::Key)
    {
        let text = "`true` where the answer repeats the first outcome of its key.";
        response = response.header("Idempotent-Replayed", text_header(text));
    }
    response.build()
}

fn refusal(codes: &[Code]) -> Response {
    let names: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`", code.name()))
        .collect();
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let mut response = ResponseBuilder::new()
        .description(names.join(", "))
        .content("application/problem+json", content);
    if codes.iter().any(|code| matches!(code.status(), 429 | 503)) {
        let text = "Seconds after which a retry makes sense.";
        response = response.header("Retry-After", text_header(text));
    }
    response.build()
}

fn text_header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(of_type(Type::String)))
        .description(Some(description))
        .build()
}

fn of_type(of: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(of))
}

/// The schemas of all bodies and answers, with those they refer to.
fn schemas() -> ComponentsBuilder {
    let mut found: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    add::<ReserveBody>(&mut found);
    add::<ConfirmBody>(&mut found);
    add::<ReleaseBody>(&mut found);
    add::<ExtendBody>(&mut found);
    add::<PinBody>(&mut found);
    add::<MovementBody>(&mut found);
    add::<TransferBody>(&mut found);
    add::<CancelBody>(&mut found);
    add::<MoveBody>(&mut found);
    add::<LiftBody>(&mut found);
    add::<DecisionBody>(&mut found);
    add::<StateWord>(&mut found);
    add::<DriftKindWord>(&mut found);
    add::<locations::LocationBody>(&mut found);
    add::<locations::LocationShape<'_>>(&mut found);
    add::<locations::PageShape<'_>>(&mut found);
    add::<locations::ShortfallPage<'_>>(&mut found);
    add::<drifts::PageShape<'_>>(&mut found);
    add::<feeds::PageShape<'_>>(&mut found);
    add::<ConfigureBody>(&mut found);
    add::<AvailabilityBody>(&mut found);
    add::<ReservationShape<'_>>(&mut found);
    add::<StatusWord>(&mut found);
    add::<SkuShape<'_>>(&mut found);
    add::<MovedShape<'_>>(&mut found);
    add::<skus::PageShape<'_>>(&mut found);
    add::<skus::AvailabilityAnswer<'_>>(&mut found);
    add::<lookup::PageShape<'_>>(&mut found);
    add::<events::PageShape>(&mut found);
    add::<snapshot::SchemasShape>(&mut found);
    add::<consumers::ConsumerBody>(&mut found);
    add::<consumers::ConsumerShape>(&mut found);
    add::<consumers::PageShape>(&mut found);
    add::<webhooks::NewBody>(&mut found);
    add::<webhooks::ChangeBody>(&mut found);
    add::<webhooks::RotateBody>(&mut found);
    add::<webhooks::RedeliverBody>(&mut found);
    add::<webhooks_shape::WebhookPage>(&mut found);
    add::<webhooks_shape::DeliveryPage>(&mut found);
    add::<webhooks_shape::LetterPage>(&mut found);
    add::<webhooks_shape::Redelivered>(&mut found);
    add::<statement::PageShape<'_>>(&mut found);
    add::<statement::PastShape<'_>>(&mut found);
    add::<reconciliations::ReconciliationShape>(&mut found);
    add::<ImportReport>(&mut found);
    add::<admin::ShardPage>(&mut found);
    add::<sinks::SinkPage>(&mut found);
    add::<admin_clock::ClockBody>(&mut found);
    add::<admin_clock::ClockAnswer>(&mut found);
    add::<admin_refusals::PageShape<'_>>(&mut found);
    add::<Refused<'_>>(&mut found);
    complete_values(&mut found);
    let now_or_then = OneOfBuilder::new()
        .item(Ref::from_schema_name("Sku"))
        .item(Ref::from_schema_name("PastSku"));
    let now_or_then = now_or_then.description(Some("With `as_of`: the counters then."));
    found.insert("SkuNowOrThen".to_owned(), now_or_then.into());
    found.insert("Batch".to_owned(), batch());
    found.insert("BatchAnswer".to_owned(), batch_answer());
    let yes = of_type(Type::Object)
        .property("status", of_type(Type::String))
        .required("status");
    found.insert("ProbeAnswer".to_owned(), yes.into());
    found.insert("Document".to_owned(), of_type(Type::Object).into());
    found.insert("Text".to_owned(), of_type(Type::String).into());
    ComponentsBuilder::new().schemas_from_iter(found)
}

/// Adds the values of problems that are no refusals: those are not written from one type.
fn complete_values(found: &mut BTreeMap<String, RefOr<Schema>>) {
    let values = found.get_mut("ProblemValues");
    let Some(RefOr::T(Schema::Object(values))) = values else {
        unreachable!("the values of problems are an object");
    };
    let outcome = of_type(Type::String)
        .enum_values(Some(["not_applied", "unknown"]))
        .description(Some("Of every `5xx`: whether it may have happened."));
    let text = |description| of_type(Type::String).description(Some(description));
    let number = |description| of_type(Type::Integer).description(Some(description));
    let more = [
        ("outcome", outcome),
        (
            "field",
            text("What is wrong: a field such as `lines[0].qty`, a header, a parameter."),
        ),
        ("next_line", number("Of an import: the line to go on with.")),
        (
            "next_offset",
            number("Of an import: bytes of the file before that line."),
        ),
        ("imports_max", number("The most imports at once.")),
        ("table", text("The table that is full.")),
        ("shard", number("The shard that did not serve.")),
        ("retry_after_ms", number("As `Retry-After`, finer.")),
        ("content_type", text("The media type that was sent.")),
        ("body_bytes_max", number("The longest body, in bytes.")),
        (
            "reconciliation",
            text("The reconciliation that has not ended."),
        ),
        ("received", number("Bytes of the file that are here.")),
        ("path", text("The path that no call has.")),
        ("method", text("The method that the path does not take.")),
        ("oldest", text("The first position that is still known.")),
    ];
    for (name, schema) in more {
        values.properties.insert(name.to_owned(), schema.into());
    }
}

fn add<T: ToSchema>(found: &mut BTreeMap<String, RefOr<Schema>>) {
    let mut inner = Vec::new();
    T::schemas(&mut inner);
    found.extend(inner);
    found.insert(T::name().into_owned(), T::schema());
}

/// `{operations: […]}`: each is the body of its single call, with `op`, `key` and its target.
fn batch() -> RefOr<Schema> {
    let operations = [
        ("reserve", None, ReserveBody::schema()),
        ("confirm", Some("reservation"), ConfirmBody::schema()),
        ("release", Some("reservation"), ReleaseBody::schema()),
        ("extend", Some("reservation"), ExtendBody::schema()),
        ("pin", Some("reservation"), PinBody::schema()),
        ("movement", Some("sku"), MovementBody::schema()),
        ("cancel", Some("reservation"), CancelBody::schema()),
    ];
    let one_of = operations
        .into_iter()
        .fold(OneOfBuilder::new(), |one_of, (op, target, body)| {
            one_of.item(Schema::Object(batched(op, target, body)))
        });
    let operations = ArrayBuilder::new()
        .items(one_of)
        .max_items(Some(1_000))
        .description(Some(
            "Up to 1000, each on its own; a repeat of a key is a replay.",
        ));
    of_type(Type::Object)
        .property("operations", operations)
        .required("operations")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

fn batched(op: &str, target: Option<&'static str>, body: RefOr<Schema>) -> Object {
    let RefOr::T(Schema::Object(mut object)) = body else {
        unreachable!("the bodies of calls are objects");
    };
    let mut require = |name: &str, schema: RefOr<Schema>| {
        object.properties.insert(name.to_owned(), schema);
        object.required.push(name.to_owned());
    };
    require("op", of_type(Type::String).enum_values(Some([op])).into());
    let key = of_type(Type::String).pattern(Some("^[!-~]+$"));
    let key = key
        .min_length(Some(1))
        .max_length(Some(super::keys::LEN_MAX));
    require(
        "key",
        key.description(Some("As the header `Idempotency-Key`."))
            .into(),
    );
    match target {
        Some("sku") => require("sku", Ref::from_schema_name("SkuName").into()),
        Some(name) => require(name, Ref::from_schema_name("Id").into()),
        None => {}
    }
    object
}

fn batch_answer() -> RefOr<Schema> {
    let status = of_type(Type::Integer).description(Some("As the single call's."));
    let replayed = of_type(Type::Boolean).description(Some("As `Idempotent-Replayed`."));
    let result = of_type(Type::Object)
        .property("status", status)
        .property("replayed", replayed)
        .property("reservation", Ref::from_schema_name("Reservation"))
        .property("movement", Ref::from_schema_name("MovementRecord"))
        .property("sku", Ref::from_schema_name("Sku"))
        .property("outcome", Ref::from_schema_name("MovementOutcome"))
        .property("applied", of_type(Type::Integer))
        .property("drift", Ref::from_schema_name("Id"))
        .property("problem", Ref::from_schema_name("Problem"))
        .required("status")
        .description(Some(
            "What the single call would answer: `reservation`; `movement`, `sku`, `outcome`, \
             `applied` and `drift`; or `problem`.",
        ))
        .examples([json!({"status": 404, "problem": {"code": "unknown-sku"}})]);
    of_type(Type::Object)
        .property("results", ArrayBuilder::new().items(result))
        .required("results")
        .into()
}
