//! JSON Schemas of what events carry, one for each type (draft 2020-12).
//!
//! They describe `data`; the envelope is that of CloudEvents 1.0. A listener must take fields that
//! are not listed: within a version some may be added, none is renamed or dropped.

use super::kind::EventType;
use holdfast_core::Counter;
use serde_json::{Map, Value, json};

/// The schema of a type's `data`.
pub fn of(kind: EventType) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if is_of_sku(kind) {
        for (name, schema) in stock() {
            if name != "location" {
                required.push(name);
            }
            properties.insert(name.to_owned(), schema);
        }
    }
    for (name, schema) in details() {
        properties.insert(name.to_owned(), schema);
    }
    if kind == EventType::SkuConfigured {
        required.push("config");
    }
    if is_of_reservation(kind) {
        required.push("reservation");
    }
    if kind == EventType::LocationConfigured {
        for (name, schema) in declared() {
            required.push(name);
            properties.insert(name.to_owned(), schema);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": kind.schema(),
        "title": kind.name(),
        "description": kind.about(),
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": {"stock": counters(), "changed": changed(), "config": config()},
    })
}

/// Whether its subject is always a SKU.
pub const fn is_of_sku(kind: EventType) -> bool {
    !matches!(
        kind,
        EventType::ReservationExtended
            | EventType::ReservationPinned
            | EventType::ReservationClosed
            | EventType::ReservationCreated
            | EventType::ReservationConfirmed
            | EventType::ReservationReleased
            | EventType::ReservationExpired
            | EventType::ReservationCancelled
            | EventType::ReservationMoved
            | EventType::LocationConfigured
            | EventType::ShardResumed
    )
}

const fn is_of_reservation(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::ReservationCreated
            | EventType::ReservationHeld
            | EventType::ReservationExtended
            | EventType::ReservationPinned
            | EventType::ReservationClosed
    )
}

fn stock() -> [(&'static str, Value); 6] {
    [
        ("sku", text("What is sold.")),
        (
            "location",
            text("Where; absent where several locations were touched, or none."),
        ),
        ("qty", units("Units concerned; 0 where none moved.")),
        ("before", json!({"$ref": "#/$defs/stock"})),
        ("after", json!({"$ref": "#/$defs/stock"})),
        (
            "locations",
            json!({
                "type": "object",
                "description": "What changed, by location.",
                "additionalProperties": {"$ref": "#/$defs/changed"},
            }),
        ),
    ]
}

/// What is said of a location. Every shard says it, with the same version.
fn declared() -> [(&'static str, Value); 3] {
    let selling = json!({"type": "boolean", "description": "Whether reserves may take from it."});
    [
        ("location", text("Which.")),
        ("selling", selling),
        (
            "version",
            units("The newest counts, whichever comes first."),
        ),
    ]
}

/// What any event may say besides.
fn details() -> Vec<(&'static str, Value)> {
    let id = |about: &str| json!({"type": "string", "format": "uuid", "description": about});
    let mut details: Vec<(&'static str, Value)> = vec![
        // Of a reservation whose lines touch no SKU of the shard that tells.
        ("sku", text("What is sold.")),
        ("reservation", id("The reservation concerned.")),
        ("order_ref", text("The order service's reference.")),
        ("payment_ref", text("The payment.")),
        ("movement", id("The movement it was answered as.")),
        (
            "drift",
            id("The drift that it opened, corrects or dismisses."),
        ),
        ("reason", text("Why.")),
        ("document", text("The paper it stands on.")),
        ("source", text("Who reported it.")),
        ("occurred_at", time("When it happened out there.")),
        (
            "affected",
            json!({
                "type": "array",
                "description": "The newest reservations that a shortfall leaves without units, \
                                the newest last.",
                "items": {
                    "type": "object",
                    "properties": {
                        "reservation": id("The reservation."),
                        "without": units("Units of it that were not there."),
                    },
                    "required": ["reservation", "without"],
                },
            }),
        ),
        (
            "affected_more",
            units("How many older reservations there are beside those."),
        ),
        ("config", json!({"$ref": "#/$defs/config"})),
    ];
    details.extend(stock().into_iter().skip(1));
    details
}

fn counters() -> Value {
    let mut properties = Map::new();
    properties.insert("available".into(), units("What may be promised."));
    for counter in Counter::ALL {
        properties.insert(counter.name().into(), count(counter));
    }
    let required: Vec<&String> = properties.keys().collect();
    json!({
        "type": "object",
        "description": "Counters in whole units, summed over locations.",
        "properties": properties,
        "required": required,
    })
}

fn changed() -> Value {
    let counters: Map<String, Value> = Counter::ALL
        .into_iter()
        .map(|counter| (counter.name().to_owned(), count(counter)))
        .collect();
    let side = json!({"type": "object", "properties": counters});
    json!({
        "type": "object",
        "description": "The counters that changed at one location.",
        "properties": {"before": side, "after": side},
        "required": ["before", "after"],
    })
}

fn count(counter: Counter) -> Value {
    if counter.is_signed() {
        json!({"type": "integer"})
    } else {
        json!({"type": "integer", "minimum": 0})
    }
}

fn config() -> Value {
    let limit = json!({
        "type": ["object", "null"],
        "properties": {"units": units("Units per customer."), "window_ms": units("Within.")},
        "required": ["units", "window_ms"],
    });
    let maybe_time = json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "type": "object",
        "description": "How the SKU sells from now on.",
        "properties": {
            "customer_limit": limit,
            "opens_at": maybe_time,
            "closes_at": maybe_time,
            "paused": {"type": "boolean"},
            "low_at": {"type": ["integer", "null"], "minimum": 0},
            "replenished_at": {"type": ["integer", "null"], "minimum": 1},
            "location_order": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["customer_limit", "opens_at", "closes_at", "paused", "low_at",
                     "replenished_at", "location_order"],
    })
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn time(about: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": about})
}

fn units(about: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": about})
}
