//! Where a request stands in a trace of its caller's: the `traceparent` of W3C Trace Context.
//!
//! It is recorded with what the request changed and told with the events of that, and means nothing
//! here. Deliberately absent: `tracestate`, and spans of our own.

use std::fmt;

/// A `traceparent`, as its bytes: version, trace, parent, flags.
///
/// Invariants: the version is not `ff`, trace and parent are not all zeros.
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent([u8; Self::BYTES]);

impl TraceParent {
    /// Bytes of its parts.
    pub const BYTES: usize = 26;
    /// Characters of its text.
    pub const TEXT: usize = 55;

    /// The value of a header; none where it is not one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        let mut rest = text;
        for (place, byte) in bytes.iter_mut().enumerate() {
            if Self::begins_a_part(place) {
                rest = rest.strip_prefix(b"-")?;
            }
            let [high, low, left @ ..] = rest else {
                return None;
            };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
            rest = left;
        }
        Self::from_bytes(bytes)
    }

    /// From its parts' bytes.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == 0);
        let is_good = bytes[0] != 0xff && !is_zero(&bytes[1..17]) && !is_zero(&bytes[17..25]);
        is_good.then_some(Self(bytes))
    }

    /// Its parts' bytes.
    pub const fn bytes(&self) -> [u8; Self::BYTES] {
        self.0
    }

    const fn begins_a_part(place: usize) -> bool {
        matches!(place, 1 | 17 | 25)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if Self::begins_a_part(place) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Capital letters are not allowed.
const fn nibble(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_one_is_read_and_told_as_it_came() {
        let read = TraceParent::parse(GOOD.as_bytes()).expect("it is good");
        assert_eq!(read.to_string(), GOOD);
        assert_eq!(TraceParent::from_bytes(read.bytes()), Some(read));
    }

    #[test]
    fn what_is_not_one_is_none() {
        let zeros = |from: usize, to: usize| {
            let mut text = GOOD.to_owned();
            text.replace_range(from..to, &"0".repeat(to - from));
            text
        };
        let bad = [
            String::new(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-"),
            GOOD.to_uppercase(),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replace('-', "_"),
            GOOD.replacen("4b", "4g", 1),
            zeros(3, 35),
            zeros(36, 52),
            "é".repeat(28)[..].to_owned(),
        ];
        for text in bad {
            assert_eq!(TraceParent::parse(text.as_bytes()), None, "{text}");
        }
    }
}
