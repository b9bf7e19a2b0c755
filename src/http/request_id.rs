//! `Request-Id`: the caller's own, if it sent a good one, else one of ours; on every answer.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header's name.
pub(super) const HEADER: HeaderName = HeaderName::from_static("request-id");

const LENGTH_MAX: usize = 128;

/// The name of one request: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// Tells this process's ids from those of the one before; it need not be a secret.
static PROCESS: LazyLock<u32> = LazyLock::new(|| RandomState::new().build_hasher().finish() as u32);

static COUNTER: AtomicU64 = AtomicU64::new(1);

impl RequestId {
    /// The caller's id, or a new one, which the head has from then on.
    pub(super) fn put(headers: &mut HeaderMap) -> Self {
        let id = Self::of(headers);
        headers.insert(HEADER, id.0.clone());
        id
    }

    /// The caller's id, or a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(HEADER) {
            Some(value) if is_good(value.as_bytes()) => Self(value.clone()),
            _ => Self::generate(),
        }
    }

    /// A new one: 8 hexadecimal digits of the process and 12 of a counter.
    pub fn generate() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let number = (u128::from(*PROCESS) << 48) | u128::from(count & 0xffff_ffff_ffff);
        let mut text = [0; 20];
        for (index, digit) in text.iter_mut().rev().enumerate() {
            *digit = DIGITS[(number >> (4 * index)) as usize & 0xf];
        }
        Self(HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII"))
    }

    /// As the header's value.
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("a request id is visible ASCII")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_good(text: &[u8]) -> bool {
    (1..=LENGTH_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> RequestId {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header may carry it");
        RequestId::of(&HeaderMap::from_iter([(HEADER, value)]))
    }

    #[test]
    fn a_good_id_is_kept_and_a_bad_one_replaced() {
        assert_eq!(sent("cart-7/attempt:2").as_str(), "cart-7/attempt:2");
        for bad in ["", "two words", "ümlaut", &"x".repeat(129)] {
            assert_eq!(sent(bad).as_str().len(), 20, "{bad:?}");
        }
    }

    #[test]
    fn generated_ids_differ() {
        assert_ne!(RequestId::generate(), RequestId::generate());
    }
}
