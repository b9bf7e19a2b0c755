//! Checks answers against the `OpenAPI` document: as much of JSON Schema as the document uses.

use std::sync::LazyLock;

use hyper::{Method, header};
use serde_json::Value;

use crate::talk::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::to_value(holdfast::http::openapi::document()).expect("the document is JSON")
});

/// Panics unless the document describes this answer to this call.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    if answer.body["code"] == "not-found" {
        return problem(answer);
    }
    let Some(item) = item_of(path) else {
        panic!("{path} is no call, and yet: {}", answer.body);
    };
    let Some(operation) = item.get(method.as_str().to_ascii_lowercase()) else {
        assert_eq!(answer.status, 405, "{method} {path} is no call");
        return problem(answer);
    };
    let status = answer.status.as_u16().to_string();
    let response = &operation["responses"][&status];
    assert!(
        response.is_object(),
        "{method} {path} is not said to answer {status}: {}",
        answer.body
    );
    let Some(content) = response["content"].as_object() else {
        return;
    };
    let sent = answer
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = sent.unwrap_or_default();
    let schema = content.get(media_type);
    let schema =
        schema.unwrap_or_else(|| panic!("{method} {path} is not said to send {media_type}"));
    if let Err(fault) = matches(&answer.body, &schema["schema"], "body") {
        panic!("{method} {path} {status}: {fault}\n{}", answer.body);
    }
    if answer.body["code"].is_string() && answer.status.as_u16() >= 400 {
        let code = format!("`{}`", answer.body["code"].as_str().unwrap_or_default());
        let said = response["description"].as_str().unwrap_or_default();
        assert!(
            said.contains(&code),
            "{method} {path} {status} is said to be {said}, not {code}"
        );
    }
}

fn problem(answer: &Answer) {
    let schema = serde_json::json!({"$ref": "#/components/schemas/Problem"});
    if let Err(fault) = matches(&answer.body, &schema, "body") {
        panic!("{fault}\n{}", answer.body);
    }
}

/// The item whose template fits; a fixed segment is taken before a parameter.
fn item_of(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    let fits = |template: &str| {
        let (mut parts, mut own) = (template.split('/'), path.split('/'));
        loop {
            match (parts.next(), own.next()) {
                (None, None) => return true,
                (Some(part), Some(own)) if part == own || part.starts_with('{') => {}
                (_, _) => return false,
            }
        }
    };
    paths.get(path).or_else(|| {
        paths
            .iter()
            .find(|(name, _)| fits(name))
            .map(|(_, item)| item)
    })
}

/// Whether a value is as a schema of its own says, with nothing in it that is not listed.
pub(crate) fn holds(schema: &Value, value: &Value) -> Result<(), String> {
    fn inlined(part: &Value, whole: &Value) -> Value {
        if let Some(name) = part["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/");
            return inlined(&whole["$defs"][name], whole);
        }
        match part {
            Value::Object(map) => {
                let parts = map.iter();
                let parts = parts.map(|(name, part)| (name.clone(), inlined(part, whole)));
                let mut parts: serde_json::Map<String, Value> = parts.collect();
                // Listeners must take more; what is not listed is still a mistake.
                if map
                    .get("properties")
                    .is_some_and(|own| own.get("type").is_none())
                {
                    parts
                        .entry("additionalProperties")
                        .or_insert(Value::Bool(false));
                }
                Value::Object(parts)
            }
            Value::Array(parts) => parts.iter().map(|part| inlined(part, whole)).collect(),
            other => other.clone(),
        }
    }
    let mut outer = schema.clone();
    outer["$defs"] = Value::Null;
    matches(value, &inlined(&outer, schema), "data")
}

fn matches(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.trim_start_matches("#/components/schemas/");
        let target = &DOCUMENT["components"]["schemas"][name];
        if !target.is_object() {
            return Err(format!("{at}: no schema {name}"));
        }
        return matches(value, target, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        all.iter().try_for_each(|part| matches(value, part, at))?;
    }
    for some in [&schema["oneOf"], &schema["anyOf"]] {
        if let Some(some) = some.as_array() {
            let faults: Vec<String> = some
                .iter()
                .filter_map(|part| matches(value, part, at).err())
                .collect();
            if faults.len() == some.len() {
                return Err(faults.join(" / "));
            }
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Err(format!("{at}: {value} is none of {values:?}"));
    }
    of_type(value, schema, at)?;
    if let Some(map) = value.as_object() {
        fields(map, schema, at)?;
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            matches(item, schema, &format!("{at}[{index}]"))?;
        }
    }
    if let (Some(number), Some(least)) = (value.as_f64(), schema["minimum"].as_f64())
        && number < least
    {
        return Err(format!("{at}: {number} is less than {least}"));
    }
    Ok(())
}

fn of_type(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document uses the type {other}"),
    };
    let fits = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{at}: {value} is no {}", schema["type"]))
    }
}

fn fields(map: &serde_json::Map<String, Value>, schema: &Value, at: &str) -> Result<(), String> {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !map.contains_key(name) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    let known = schema["properties"].as_object();
    for (name, value) in map {
        let at = format!("{at}.{name}");
        match known.and_then(|known| known.get(name)) {
            Some(schema) => matches(value, schema, &at)?,
            None => match &schema["additionalProperties"] {
                Value::Bool(false) => return Err(format!("{at} is unknown")),
                Value::Object(_) => matches(value, &schema["additionalProperties"], &at)?,
                _ => {}
            },
        }
    }
    Ok(())
}
