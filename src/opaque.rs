//! What is opaque to callers, in hexadecimal: cursors of lists and of events.

/// Writes an opaque cursor.
pub(crate) fn to_cursor(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0xf)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// Reads a cursor back, if it is one.
pub(crate) fn from_cursor(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks_exact(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let bytes = [0, 1, 0xfe, 0xff];
        assert_eq!(from_cursor(&to_cursor(&bytes)), Some(bytes.to_vec()));
        for text in ["", "0", "zz", "+1"] {
            assert_eq!(from_cursor(text), None, "{text}");
        }
    }
}
