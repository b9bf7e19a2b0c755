//! `Request-Id`: the caller's own, if it sent a good one, else one of ours; on every answer.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use holdfast_core::Text;

/// The header's name.
pub(super) const HEADER: HeaderName = HeaderName::from_static("request-id");

const LENGTH_MAX: usize = 128;

/// The name of one request: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    value: HeaderValue,
    /// Which of ours it is; 0 is the caller's.
    count: u64,
}

/// Tells this process's ids from those of the one before; it need not be a secret.
static PROCESS: LazyLock<u32> = LazyLock::new(|| RandomState::new().build_hasher().finish() as u32);

static COUNTER: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// `count` of the request whose handler this thread runs.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

impl RequestId {
    /// Lets the handler that this thread runs next find the id: most need none, so it is not put
    /// into every head.
    pub(super) fn enter(&self) {
        CURRENT.set(self.count);
    }

    /// The id of the request with this head, while its handler runs.
    pub(super) fn current(headers: &HeaderMap) -> Option<Text> {
        let ours;
        let id = match headers.get(HEADER).map(HeaderValue::as_bytes) {
            Some(callers) if is_good(callers) => callers,
            _ => {
                ours = digits(CURRENT.get());
                &ours
            }
        };
        Text::parse(std::str::from_utf8(id).ok()?).ok()
    }

    /// The caller's id, or a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(HEADER) {
            Some(value) if is_good(value.as_bytes()) => Self {
                value: value.clone(),
                count: 0,
            },
            _ => Self::generate(),
        }
    }

    /// A new one: 8 hexadecimal digits of the process and 12 of a counter.
    pub fn generate() -> Self {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let value = HeaderValue::from_bytes(&digits(count));
        Self {
            value: value.expect("hexadecimal digits are visible ASCII"),
            count,
        }
    }

    /// As the header's value.
    pub fn into_header(self) -> HeaderValue {
        self.value
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.value.to_str().expect("a request id is visible ASCII")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 8 hexadecimal digits of the process and 12 of a count.
fn digits(count: u64) -> [u8; 20] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let number = (u128::from(*PROCESS) << 48) | u128::from(count & 0xffff_ffff_ffff);
    let mut text = [0; 20];
    for (index, digit) in text.iter_mut().rev().enumerate() {
        *digit = DIGITS[(number >> (4 * index)) as usize & 0xf];
    }
    text
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
    fn a_handler_finds_the_id_of_its_request_and_no_others() {
        let (one, two) = (RequestId::generate(), RequestId::generate());
        let value = HeaderValue::from_static("cart-7");
        let head = HeaderMap::from_iter([(HEADER, value)]);
        let said = |head: &HeaderMap| RequestId::current(head).expect("an id is a text");
        for id in [&one, &two, &one] {
            id.enter();
            assert_eq!(said(&HeaderMap::new()).as_str(), id.as_str());
            assert_eq!(said(&head).as_str(), "cart-7");
        }
    }

    #[test]
    fn generated_ids_differ() {
        assert_ne!(RequestId::generate(), RequestId::generate());
    }
}
