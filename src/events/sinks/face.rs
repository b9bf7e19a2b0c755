//! What brokers want to know of an event beside its bytes.

use serde::Deserialize;
use std::borrow::Cow;

/// An event's own attributes.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Face<'a> {
    /// The same whenever it is told.
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    /// Whose it is.
    #[serde(borrow)]
    pub(super) source: Cow<'a, str>,
    /// Its type.
    #[cfg_attr(
        not(feature = "redis"),
        allow(dead_code, reason = "others don't tell it apart")
    )]
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    /// What keeps its order.
    #[serde(borrow)]
    pub(super) partitionkey: Cow<'a, str>,
}

impl<'a> Face<'a> {
    /// Reads it off an event that this service wrote.
    pub(super) fn of(json: &'a [u8]) -> Self {
        serde_json::from_slice(json).expect("the envelope writes these attributes in every event")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_whatever_else_an_event_has() {
        let json = br#"{"specversion":"1.0","id":"0001-00000000000000000007-0",
            "source":"/holdfast/07","type":"holdfast.stock.received.v1","subject":"A\"B",
            "partitionkey":"A\"B","data":{"id":"another"}}"#;
        let face = Face::of(json);
        assert_eq!(face.id, "0001-00000000000000000007-0");
        assert_eq!(face.partitionkey, "A\"B");
        assert_eq!(
            (&*face.source, &*face.kind),
            ("/holdfast/07", "holdfast.stock.received.v1")
        );
    }
}
