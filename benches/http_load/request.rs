//! Requests as bytes, whose numbers are written anew for each call.
//!
//! Deliberately absent: anything that depends on an answer.

use crate::common::payload::SPREAD;

/// The bytes of a request.
#[derive(Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where the digits of its operations are.
    operations: Vec<Digits>,
    /// How many SKUs the operations are about.
    skus: u64,
    next: u64,
}

/// Where the digits of one operation begin.
#[derive(Clone, Copy)]
struct Digits {
    key: usize,
    order: usize,
    customer: usize,
    sku: usize,
}

const KEY: &str = "cart-0000000000-5bd1e995c6a4a793-r01";
const ORDER: &str = "order-0000000000";
const CUSTOMER: &str = "cust-0000000";
const SKU: &str = "SKU-00000000";

/// Numbers of calls that a connection has for itself.
const OWN: u64 = 10_000_000;

impl Request {
    /// A reserve of one unit of the hot SKU.
    pub(crate) fn reserve() -> Self {
        let body = format!("{{{}}}", fields());
        Self::new(
            "/v1/reservations",
            &format!("Idempotency-Key: {KEY}\r\n"),
            &body,
            1,
        )
    }

    /// The same, each time of another SKU.
    pub(crate) fn spread() -> Self {
        Self {
            skus: SPREAD as u64,
            ..Self::reserve()
        }
    }

    /// So many reserves in one call.
    pub(crate) fn batch(count: usize) -> Self {
        let operation = format!("{{\"op\":\"reserve\",\"key\":\"{KEY}\",{}}}", fields());
        let operations = vec![operation; count].join(",");
        let body = format!("{{\"operations\":[{operations}]}}");
        Self::new("/v1/batch", "", &body, count)
    }

    /// What a product page asks about so many SKUs.
    pub(crate) fn availability(count: usize) -> Self {
        let names: Vec<String> = (0..count).map(|n| format!("\"SKU-{n:08}\"")).collect();
        let body = format!("{{\"skus\":[{}]}}", names.join(","));
        Self::new("/v1/availability", "", &body, 0)
    }

    fn new(path: &str, header: &str, body: &str, operations: usize) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\n{header}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let places = |word: &str, skip| -> Vec<usize> {
            let found = text.match_indices(word).map(|(at, _)| at + skip);
            found.take(operations).collect()
        };
        let (keys, orders) = (places(KEY, 5), places(ORDER, 6));
        let (customers, skus) = (places(CUSTOMER, 5), places(SKU, 4));
        let digits = |at| Digits {
            key: keys[at],
            order: orders[at],
            customer: customers[at],
            sku: skus[at],
        };
        Self {
            operations: (0..operations).map(digits).collect(),
            bytes: text.into_bytes(),
            skus: 1,
            next: 0,
        }
    }

    /// The same with the numbers of connection `number`.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        Self {
            next: number as u64 * OWN,
            ..self.clone()
        }
    }

    /// The next call.
    pub(crate) fn next(&mut self) -> &[u8] {
        for at in &self.operations {
            let number = self.next;
            self.next += 1;
            for (at, count) in [(at.key, 10), (at.order, 10), (at.customer, 7)] {
                write_digits(&mut self.bytes[at..at + count], number);
            }
            if self.skus > 1 {
                let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
                write_digits(&mut self.bytes[at.sku..at.sku + 8], mixed % self.skus);
            }
        }
        &self.bytes
    }
}

/// What makes a SKU.
pub(crate) fn make(sku: usize) -> Vec<u8> {
    let text = format!(
        "PUT /v1/skus/SKU-{sku:08} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    text.into_bytes()
}

fn fields() -> String {
    format!(
        "\"order_ref\":\"{ORDER}\",\"customer\":\"{CUSTOMER}\",\
         \"lines\":[{{\"sku\":\"{SKU}\",\"qty\":1}}]"
    )
}

fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
