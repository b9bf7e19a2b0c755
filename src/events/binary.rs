//! An event taken apart: attributes for headers, and its data as a body. That is the binary mode of
//! CloudEvents 1.0, for HTTP, NATS and Kafka alike.
//!
//! Deliberately absent: percent-encoding, which the HTTP binding asks for in values. What this
//! service writes into attributes is visible ASCII without quotes and per cent signs.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The attribute that is a header of its own in every binding.
const CONTENT_TYPE: &str = "datacontenttype";

/// An event, taken apart.
pub(super) struct Apart<'a> {
    /// Its attributes by name, but for the type of the content.
    pub(super) attributes: Vec<(&'a str, String)>,
    /// The type of the content.
    pub(super) content_type: String,
    /// Its data.
    pub(super) data: &'a RawValue,
}

impl<'a> Apart<'a> {
    /// Takes apart an event that this service wrote.
    pub(super) fn of(json: &'a [u8]) -> Self {
        let all: BTreeMap<&str, &RawValue> =
            serde_json::from_slice(json).expect("the envelope is an object with plain names");
        let mut apart = Self {
            attributes: Vec::with_capacity(all.len()),
            content_type: String::new(),
            data: RawValue::NULL,
        };
        for (name, value) in all {
            let text =
                || serde_json::from_str::<String>(value.get()).expect("attributes are texts");
            match name {
                "data" => apart.data = value,
                CONTENT_TYPE => apart.content_type = text(),
                name => apart.attributes.push((name, text())),
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_data_are_told_apart() {
        let json = br#"{"specversion":"1.0","id":"1-2-0","datacontenttype":"application/json",
            "data":{"sku":"A\"B","id":"x"}}"#;
        let apart = Apart::of(json);
        let expected = [("id", "1-2-0"), ("specversion", "1.0")];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(apart.attributes, expected);
        assert_eq!(apart.content_type, "application/json");
        assert_eq!(apart.data.get(), r#"{"sku":"A\"B","id":"x"}"#);
    }
}
