//! Names: SKUs, locations, slots, and the free texts callers send.
//!
//! Parsing is the only way in, so past the edge nothing invalid exists. Those of up to 23 bytes lie
//! in the value itself: a clone touches no counter that other cores might want.

use smol_str::SmolStr;
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Why a text is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was expected, for people.
    pub expected: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for Malformed {}

/// What is sold: 1 to 64 of `[A-Za-z0-9._:-]`, the first alphanumeric. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(SmolStr);

/// Where stock lies: 1 to 32 of `[A-Za-z0-9._:-]`, the first alphanumeric. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(SmolStr);

/// 1 to 128 bytes of UTF-8 without control characters: order references, customers, reasons.
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(SmolStr);

/// One of 4,096 hash buckets. A SKU's slot never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

/// Which bytes may stand in a name.
const IN_NAMES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        let one = byte as u8;
        allowed[byte] = one.is_ascii_alphanumeric() || matches!(one, b'.' | b'_' | b':' | b'-');
        byte += 1;
    }
    allowed
};

fn is_name(text: &str, len_max: usize) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= len_max
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| IN_NAMES[usize::from(*byte)])
}

/// Whether all bytes are ASCII and none is a control character; eight are looked at in one go.
fn is_printable(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|byte| matches!(byte, 0x20..0x7f));
    };
    let (words, _) = bytes.as_chunks::<8>();
    let is_good = |word: &[u8; 8]| unprintable(u64::from_le_bytes(*word)) == 0;
    words.iter().all(is_good) && is_good(last)
}

/// Not 0 if any of these bytes is a control character or no ASCII.
const fn unprintable(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let deletes = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
    (word | word.wrapping_sub(ONES * 0x20) | deletes) & (ONES << 7)
}

impl Sku {
    /// Parses a SKU.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if !is_name(text, 64) {
            let expected = "1 to 64 of A-Z a-z 0-9 . _ : - with the first a letter or digit";
            return Err(Malformed { expected });
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The slot this SKU lives in: xxh3-64 of its bytes, mod 4,096.
    pub fn slot(&self) -> Slot {
        Slot::of_hash(xxh3_64(self.0.as_bytes()))
    }
}

impl Location {
    /// Parses a location.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if !is_name(text, 32) {
            let expected = "1 to 32 of A-Z a-z 0-9 . _ : - with the first a letter or digit";
            return Err(Malformed { expected });
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// The location meant where none is named: `main`.
    pub fn main() -> Self {
        Self(SmolStr::new_static("main"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// Parses a free text.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let has_control = !is_printable(text.as_bytes()) && text.chars().any(char::is_control);
        if text.is_empty() || text.len() > 128 || has_control {
            let expected = "1 to 128 bytes without control characters";
            return Err(Malformed { expected });
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Slot {
    /// How many slots there are.
    pub const COUNT: u16 = 4096;

    /// The slot of a hash.
    pub const fn of_hash(hash: u64) -> Self {
        Self((hash % Self::COUNT as u64) as u16)
    }

    /// The slot with this number, if there is one.
    pub const fn new(index: u16) -> Option<Self> {
        if index < Self::COUNT {
            Some(Self(index))
        } else {
            None
        }
    }

    /// Its number, below [`Slot::COUNT`].
    pub const fn index(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_no_control_character_anywhere() {
        for length in 1..=20 {
            for at in 0..length {
                for byte in 0..=0x7f_u8 {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let text = String::from_utf8(text).expect("it is ASCII");
                    let is_good = !byte.is_ascii_control();
                    assert_eq!(Text::parse(&text).is_ok(), is_good, "{text:?}");
                }
                let mut text = vec!["x"; length];
                text[at] = "ü";
                assert!(Text::parse(&text.concat()).is_ok());
                text[at] = "\u{85}";
                assert!(Text::parse(&text.concat()).is_err());
            }
        }
        assert!(Text::parse("").is_err());
        assert!(Text::parse(&"x".repeat(129)).is_err());
    }
}
