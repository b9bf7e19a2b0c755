//! The contract as a golden file, so that a change to it shows in review.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/openapi.json");

fn document() -> Value {
    serde_json::to_value(holdfast::http::openapi::document()).expect("the document is JSON")
}

#[test]
fn the_contract_is_the_golden_file() {
    let mut text = serde_json::to_string_pretty(&document()).expect("a value is JSON");
    text.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(Path::new(GOLDEN), &text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    if let Some((line, (now, then))) = text
        .lines()
        .zip(golden.lines())
        .enumerate()
        .find(|(_, (now, then))| now != then)
    {
        panic!(
            "the contract has changed at line {}:\n  golden: {then}\n     now: {now}\n{ADVICE}",
            line + 1
        );
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{ADVICE}");
}

const ADVICE: &str = "fields may be added; none is renamed or dropped within v1; where the change \
                      is meant: UPDATE_GOLDEN=1 cargo test --test openapi";

#[test]
fn every_reference_of_the_contract_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("there are schemas");
    let known: BTreeSet<String> = schemas.keys().cloned().collect();
    assert_eq!(used, known);
}

#[test]
fn every_operation_has_its_own_name() {
    let document = document();
    let mut names = BTreeSet::new();
    for item in document["paths"]
        .as_object()
        .expect("there are paths")
        .values()
    {
        for operation in item.as_object().expect("an item has operations").values() {
            let name = operation["operationId"]
                .as_str()
                .expect("an operation has a name");
            assert!(names.insert(name.to_owned()), "{name} is there twice");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.insert(
                    reference
                        .trim_start_matches("#/components/schemas/")
                        .to_owned(),
                );
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
