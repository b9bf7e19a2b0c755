//! JSON objects, field by field, for the events: hundreds of thousands a second, each of fifty
//! fields.
//!
//! Names of fields and values of our own making are copied as they are; texts that may need
//! escaping go through `serde_json`. Deliberately absent: any other shape.

use serde::Serialize;

/// An object under way.
pub(super) struct Object<'a> {
    text: &'a mut Vec<u8>,
    is_empty: bool,
}

/// Writes an object.
pub(super) fn object(text: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    text.push(b'{');
    let is_empty = true;
    fill(&mut Object { text, is_empty });
    text.push(b'}');
}

impl Object<'_> {
    /// A field's name, which needs no escaping; the value is to follow.
    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.text.push(b',');
        }
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        self.text
    }

    /// A text that needs no escaping.
    pub(super) fn plain(&mut self, name: &str, value: &str) {
        self.written(name, |text| text.extend_from_slice(value.as_bytes()));
    }

    /// A text that `write` writes, and that needs no escaping.
    pub(super) fn written(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let text = self.name(name);
        text.push(b'"');
        write(text);
        text.push(b'"');
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, value: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value).as_bytes();
        self.name(name).extend_from_slice(digits);
    }

    /// A number that follows on another field, by its name with all that stands around it.
    pub(super) fn following(&mut self, comma_name_colon: &str, value: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        self.text.extend_from_slice(comma_name_colon.as_bytes());
        self.text.extend_from_slice(digits.format(value).as_bytes());
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.name(name), fill);
    }

    /// Anything else.
    pub(super) fn value(&mut self, name: &str, value: &impl Serialize) {
        serde_json::to_writer(self.name(name), value)
            .expect("numbers and texts in memory can be written");
    }
}

/// A number with zeros before it, twenty digits long.
pub(super) fn padded(text: &mut Vec<u8>, number: u64) {
    const ZEROS: &[u8] = &[b'0'; 20];
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    text.extend_from_slice(&ZEROS[digits.len()..]);
    text.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(number: i64, long: u64, free: String) {
            let mut text = Vec::new();
            object(&mut text, |all| {
                all.plain("plain", "as-it.is");
                all.number("number", number);
                all.following(",\"following\":", long);
                all.written("padded", |text| padded(text, long));
                all.object("empty", |_| {});
                all.object("inner", |inner| {
                    inner.value("free", &free);
                    inner.value("list", &[number, number]);
                });
            });
            let read: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
            let padded = format!("{long:020}");
            prop_assert_eq!(
                read,
                serde_json::json!({
                    "plain": "as-it.is",
                    "number": number,
                    "following": long,
                    "padded": padded,
                    "empty": {},
                    "inner": {"free": free, "list": [number, number]},
                })
            );
        }
    }
}
