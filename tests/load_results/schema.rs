//! Checks JSON against `docs/load-summary.schema.json`: as much of JSON Schema as that uses.
//!
//! A keyword it does not know is a fault, so that none is believed to be checked and is not.

use serde_json::{Map, Value};

/// What is wrong with `value`, or nothing.
pub(crate) fn check(document: &Value, value: &Value) -> Result<(), String> {
    matches(document, value, document, "summary")
}

fn matches(document: &Value, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let schema = schema
        .as_object()
        .ok_or_else(|| format!("{at}: the schema is no object"))?;
    for (keyword, wanted) in schema {
        let fits = match keyword.as_str() {
            // Words for people, and what is seen to below or with `minItems`.
            "$schema"
            | "$defs"
            | "title"
            | "description"
            | "properties"
            | "additionalProperties"
            | "maxItems" => Ok(()),
            "$ref" => matches(document, value, target(document, wanted), at),
            "oneOf" => one_of(document, value, wanted, at),
            "enum" => of_enum(value, wanted, at),
            "type" => of_type(value, wanted, at),
            "minimum" => at_least(value, wanted, at),
            "minItems" => length(value, wanted, &schema["maxItems"], at),
            "items" => items(document, value, wanted, at),
            "required" => required(value, wanted, at),
            "propertyNames" => names(document, value, wanted, at),
            unknown => Err(format!(
                "{at}: the schema has {unknown}, which is not checked here"
            )),
        };
        fits?;
    }
    match value.as_object() {
        Some(map) => fields(document, map, schema, at),
        None => Ok(()),
    }
}

fn target<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let name = reference
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    let found = name.and_then(|name| document.pointer(name));
    found.unwrap_or_else(|| panic!("the schema refers to {reference}, which it has not"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn one_of(document: &Value, value: &Value, some: &Value, at: &str) -> Result<(), String> {
    let tried: Vec<_> = list(some)
        .iter()
        .map(|one| matches(document, value, one, at))
        .collect();
    match tried.iter().filter(|fits| fits.is_ok()).count() {
        1 => Ok(()),
        0 => Err(tried
            .into_iter()
            .filter_map(Result::err)
            .collect::<Vec<_>>()
            .join(" / ")),
        several => Err(format!("{at} is {several} of what it should be one of")),
    }
}

fn of_enum(value: &Value, some: &Value, at: &str) -> Result<(), String> {
    let fits = list(some).contains(value);
    fits.then_some(())
        .ok_or_else(|| format!("{at}: {value} is none of {some}"))
}

fn of_type(value: &Value, wanted: &Value, at: &str) -> Result<(), String> {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("the schema has the type {other:?}"),
    };
    let fits = if wanted.is_array() {
        list(wanted).iter().any(is)
    } else {
        is(wanted)
    };
    fits.then_some(())
        .ok_or_else(|| format!("{at}: {value} is no {wanted}"))
}

fn at_least(value: &Value, least: &Value, at: &str) -> Result<(), String> {
    match (value.as_f64(), least.as_f64()) {
        (Some(number), Some(least)) if number < least => {
            Err(format!("{at}: {number} is less than {least}"))
        }
        (_, _) => Ok(()),
    }
}

fn length(value: &Value, least: &Value, most: &Value, at: &str) -> Result<(), String> {
    let length = list(value).len() as u64;
    let is_between =
        least.as_u64() <= Some(length) && most.as_u64().is_none_or(|most| length <= most);
    is_between
        .then_some(())
        .ok_or_else(|| format!("{at} has {length} items"))
}

fn items(document: &Value, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let mut all = list(value).iter().enumerate();
    all.try_for_each(|(place, item)| matches(document, item, schema, &format!("{at}[{place}]")))
}

fn required(value: &Value, names: &Value, at: &str) -> Result<(), String> {
    let missing = list(names)
        .iter()
        .find(|name| value.get(name.as_str().unwrap_or_default()).is_none());
    missing.map_or(Ok(()), |name| Err(format!("{at}: {name} is missing")))
}

fn names(document: &Value, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let mut names = value.as_object().into_iter().flat_map(Map::keys);
    names.try_for_each(|name| matches(document, &Value::from(name.as_str()), schema, at))
}

fn fields(
    document: &Value,
    map: &Map<String, Value>,
    schema: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let known = schema.get("properties");
    for (name, value) in map {
        let at = format!("{at}.{name}");
        let own = known.and_then(|known| known.get(name));
        match (own, schema.get("additionalProperties")) {
            (Some(own), _) => matches(document, value, own, &at)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at} is unknown")),
            (None, Some(other)) => matches(document, value, other, &at)?,
            (None, None) => {}
        }
    }
    Ok(())
}
