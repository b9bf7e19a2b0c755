//! Requests as bytes, from parts that are prepared once.

use super::Lines;
use crate::load::{
    drive::{Ask, Call, Key},
    plan::Customer,
};

/// What a run calls its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What stands before every key, customer and SKU; another run has another.
    pub run: String,
    /// What goes into the `Host` header.
    pub host: String,
    /// The names of the SKUs, by number.
    pub skus: Vec<String>,
    /// How long a hold lasts.
    pub ttl_ms: u64,
}

/// Writes requests.
#[derive(Clone, Debug)]
pub struct Renderer {
    run: Vec<u8>,
    skus: Vec<Box<[u8]>>,
    ttl: Vec<u8>,
    /// From the end of the path to the key.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Renderer {
    /// A renderer for a run.
    pub fn new(names: &Names) -> Self {
        let mut ttl = Vec::new();
        number(&mut ttl, names.ttl_ms);
        let head = format!(
            " HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n",
            names.host
        );
        Self {
            run: names.run.clone().into_bytes(),
            skus: names.skus.iter().map(|sku| sku.as_bytes().into()).collect(),
            ttl,
            head: head.into_bytes(),
            body: Vec::with_capacity(512),
        }
    }

    /// Writes a request behind what is in `out`.
    pub(super) fn render(&mut self, ask: &Ask<'_>, out: &mut Vec<u8>) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        match ask.call {
            Call::Reserve => {
                out.extend_from_slice(b"POST /v1/reservations");
                self.reserve(ask, &mut body);
            }
            Call::Confirm => {
                reservation(ask.id, out);
                out.extend_from_slice(b"/confirm");
                body.extend_from_slice(b"{\"payment_ref\":\"pay-");
                number(&mut body, u64::from(ask.number));
                body.extend_from_slice(b"\"}");
            }
            Call::Release => {
                reservation(ask.id, out);
                out.extend_from_slice(b"/release");
                body.extend_from_slice(b"{\"reason\":\"changed their mind\"}");
            }
            Call::Read => {
                out.extend_from_slice(b"GET /v1/reservations/");
                uuid(ask.id, out);
            }
            Call::Availability => {
                out.extend_from_slice(b"POST /v1/availability");
                self.page(ask.lines, &mut body);
            }
        }
        out.extend_from_slice(&self.head);
        if matches!(ask.call, Call::Reserve | Call::Confirm | Call::Release) {
            out.extend_from_slice(b"Idempotency-Key: ");
            self.key(ask.number, ask.key, out);
            out.extend_from_slice(b"\r\n");
        }
        if !body.is_empty() {
            out.extend_from_slice(b"Content-Length: ");
            number(out, body.len() as u64);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        self.body = body;
    }

    fn key(&self, buyer: u32, key: Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.run);
        out.push(b'-');
        number(out, u64::from(buyer));
        out.push(b'-');
        out.push(key.letter());
    }

    fn reserve(&self, ask: &Ask<'_>, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"order_ref\":\"");
        body.extend_from_slice(&self.run);
        body.push(b'-');
        number(body, u64::from(ask.number));
        body.extend_from_slice(b"\",\"customer\":\"");
        body.extend_from_slice(&self.run);
        let (kind, customer) = match ask.customer {
            Customer::Own => (b"-buyer-".as_slice(), ask.number),
            Customer::Bot(bot) => (b"-bot-".as_slice(), bot),
        };
        body.extend_from_slice(kind);
        number(body, u64::from(customer));
        body.extend_from_slice(b"\",\"ttl_ms\":");
        body.extend_from_slice(&self.ttl);
        body.extend_from_slice(b",\"lines\":[");
        for (at, line) in ask.lines.iter().enumerate() {
            let before: &[u8] = if at == 0 {
                b"{\"sku\":\""
            } else {
                b",{\"sku\":\""
            };
            body.extend_from_slice(before);
            body.extend_from_slice(&self.skus[line.sku as usize]);
            body.extend_from_slice(b"\",\"qty\":");
            number(body, u64::from(line.qty));
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
    }

    fn page(&self, lines: Lines<'_>, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"skus\":[");
        for (at, line) in lines.iter().enumerate() {
            body.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            body.extend_from_slice(&self.skus[line.sku as usize]);
            body.push(b'"');
        }
        body.extend_from_slice(b"]}");
    }
}

fn reservation(id: u128, out: &mut Vec<u8>) {
    out.extend_from_slice(b"POST /v1/reservations/");
    uuid(id, out);
}

fn uuid(id: u128, out: &mut Vec<u8>) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = uuid::Uuid::from_u128(id)
        .hyphenated()
        .encode_lower(&mut text);
    out.extend_from_slice(text.as_bytes());
}

/// A number in decimal.
fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Line;

    fn text(ask: &Ask<'_>) -> String {
        let names = Names {
            run: "load-1".to_owned(),
            host: "h:1".to_owned(),
            skus: vec!["A".to_owned(), "B".to_owned()],
            ttl_ms: 5_000,
        };
        let mut out = Vec::new();
        Renderer::new(&names).render(ask, &mut out);
        String::from_utf8(out).expect("it is text")
    }

    fn ask(call: Call, key: Key, lines: &[Line]) -> Ask<'_> {
        Ask {
            call,
            number: 42,
            key,
            customer: Customer::Bot(3),
            id: 0x0123_4567_89ab_8cde_8f01_2345_6789_abcd,
            lines,
        }
    }

    #[test]
    fn a_reserve_is_written_as_the_contract_has_it() {
        let lines = [Line { sku: 1, qty: 10 }, Line { sku: 0, qty: 2 }];
        let text = text(&ask(Call::Reserve, Key::Reserve, &lines));
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert_eq!(
            head.replace("\r\n", "|"),
            format!(
                "POST /v1/reservations HTTP/1.1|Host: h:1|Content-Type: application/json|\
                 Idempotency-Key: load-1-42-r|Content-Length: {}",
                body.len()
            )
        );
        assert_eq!(
            body,
            r#"{"order_ref":"load-1-42","customer":"load-1-bot-3","ttl_ms":5000,"lines":[{"sku":"B","qty":10},{"sku":"A","qty":2}]}"#
        );
    }

    #[test]
    fn what_names_a_reservation_names_it_by_its_text() {
        let confirm = text(&ask(Call::Confirm, Key::Confirm, &[]));
        assert!(confirm.starts_with(
            "POST /v1/reservations/01234567-89ab-8cde-8f01-23456789abcd/confirm HTTP/1.1\r\n"
        ));
        assert!(confirm.ends_with("\r\n\r\n{\"payment_ref\":\"pay-42\"}"));
        let read = text(&ask(Call::Read, Key::Reserve, &[]));
        assert!(read.starts_with("GET /v1/reservations/01234567-") && read.ends_with("\r\n\r\n"));
        assert!(!read.contains("Idempotency-Key"));
    }
}
