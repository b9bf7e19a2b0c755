//! The answer to a batch, written result by result into one text.
//!
//! Reservations of one message differ in their ids and references and in little else. What one has
//! in common with the last one is copied, not written again: most of an answer's cost is writing.
//! Deliberately absent: any shape or value of its own; a test compares every text with the one
//! that a single call's answer has.

use std::ops::Range;

use axum::response::Response;
use holdfast_core::{ReservationView, Text};
use memchr::memchr2;
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::render::{self, Held, Rendered};
use super::wire::parts::{Goods, Terms};

/// About what a result takes.
const RESULT_BYTES: usize = 512;

/// The results so far.
pub(crate) struct Results<'a> {
    text: Vec<u8>,
    opening: Last<Opening>,
    terms: Last<Terms<'a>>,
    goods: Last<Goods<'a>>,
}

/// The last part of a kind, and where its fields lie in the text.
struct Last<T>(Option<(T, Range<usize>)>);

/// The beginning of a result.
#[derive(PartialEq, Serialize)]
struct Opening {
    status: u16,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

impl<'a> Results<'a> {
    /// Room for so many.
    pub(crate) fn new(count: usize) -> Self {
        let mut text = Vec::with_capacity((count + 1) * RESULT_BYTES);
        text.extend_from_slice(b"{\"results\":[");
        Self {
            text,
            opening: Last(None),
            terms: Last(None),
            goods: Last(None),
        }
    }

    /// The next result.
    pub(crate) fn push(&mut self, result: &Rendered<'_>) {
        self.begin();
        write(&mut self.text, result);
    }

    /// The next result, a reservation.
    pub(crate) fn held(&mut self, held: &Held<'a>) {
        self.begin();
        let opening = Opening {
            status: held.status.as_u16(),
            replayed: held.replayed,
        };
        let rest = b",\"reservation\":{\"id\":\"";
        self.opening.write(&mut self.text, b'{', opening, rest);
        self.own(held.view);
        self.terms
            .write(&mut self.text, b',', Terms::of(held.view), b"");
        self.goods
            .write(&mut self.text, b',', Goods::of(held.view), b"}}");
    }

    fn begin(&mut self) {
        if self.text.last() == Some(&b'}') {
            self.text.push(b',');
        }
    }

    /// What a reservation has for itself, from its id on.
    fn own(&mut self, view: &ReservationView) {
        let mut id = [0; Hyphenated::LENGTH];
        let uuid = Uuid::from_u128(view.id.as_u128()).hyphenated();
        let text = &mut self.text;
        text.extend_from_slice(uuid.encode_lower(&mut id).as_bytes());
        text.extend_from_slice(b"\",\"status\":\"");
        text.extend_from_slice(view.status.as_str().as_bytes());
        text.extend_from_slice(b"\",\"order_ref\":");
        free_text(text, view.order_ref.as_ref());
        text.extend_from_slice(b",\"customer\":");
        free_text(text, view.customer.as_ref());
    }

    /// The whole answer.
    pub(crate) fn into_response(mut self) -> Response {
        self.text.extend_from_slice(b"]}");
        render::written(self.text)
    }
}

impl<T: PartialEq + Serialize> Last<T> {
    /// Begins an object with the fields of `part`, or goes on in one; `rest` comes behind.
    fn write(&mut self, text: &mut Vec<u8>, mark: u8, part: T, rest: &[u8]) {
        if let Some((last, place)) = &self.0
            && *last == part
        {
            text.extend_from_within(place.clone());
            return;
        }
        let start = text.len();
        write(text, &part);
        text[start] = mark;
        text.pop();
        text.extend_from_slice(rest);
        self.0 = Some((part, start..text.len()));
    }
}

/// A caller's text. It has no control characters, and most have nothing else to be escaped.
fn free_text(text: &mut Vec<u8>, value: Option<&Text>) {
    match value.map(Text::as_str) {
        Some(value) if memchr2(b'"', b'\\', value.as_bytes()).is_none() => {
            text.push(b'"');
            text.extend_from_slice(value.as_bytes());
            text.push(b'"');
        }
        value => write(text, &value),
    }
}

fn write(text: &mut Vec<u8>, part: &impl Serialize) {
    serde_json::to_writer(text, part).expect("the shapes have text keys and a Vec takes all");
}

#[cfg(test)]
mod tests {
    use holdfast_core::{
        Answer, LineView, Location, Refusal, ReservationId, Shortage, ShortageReason, Sku, Status,
        Text, Timestamp,
    };
    use serde_json::Value;

    use super::*;

    fn view(number: u64) -> ReservationView {
        let at = Timestamp::from_ms(1_795_361_400_000 + number / 3);
        let text = |text: String| Text::parse(&text).expect("a text");
        let line = LineView {
            sku: Sku::parse(&format!("S{}", number / 4)).expect("a name"),
            location: Location::main(),
            requested: 2,
            units: 2,
            open: 2,
            confirmed: 0,
            released: 0,
            expired: 0,
            cancelled: 0,
            shipped: 0,
        };
        let shortage = Shortage {
            sku: line.sku.clone(),
            requested: 9,
            granted: 1,
            reason: ShortageReason::InsufficientStock,
        };
        ReservationView {
            id: ReservationId::from_u128(ReservationId::UNMINTED.as_u128() | u128::from(number))
                .expect("an id"),
            status: Status::Open,
            order_ref: number
                .is_multiple_of(2)
                .then(|| text(format!("order \"{number}\""))),
            customer: Some(text(format!("ü{}", if number == 3 { "\\" } else { "c" }))),
            created_at: at,
            expires_at: Timestamp::from_ms(at.ms() + 900_000),
            now: Timestamp::from_ms(at.ms() + u64::from(number == 4)),
            pinned_until: (number == 5).then_some(at),
            late: number == 6,
            payment_ref: (number == 7).then(|| text("p".to_owned())),
            replaces: (number == 8).then_some(ReservationId::UNMINTED),
            replaced_by: (number == 9).then_some(ReservationId::UNMINTED),
            lines: vec![line; 1 + usize::from(number == 10)],
            shortages: vec![shortage; usize::from(number == 11)],
            version: 1,
        }
    }

    #[test]
    fn every_result_reads_as_its_own_answer_does_whatever_it_has_in_common_with_the_last() {
        let made = |number| {
            let view = Box::new(view(number));
            let replayed = number.is_multiple_of(5);
            let created = !replayed;
            Ok(Answer::Reservation {
                view,
                created,
                replayed,
            })
        };
        let refused = Ok(Answer::Refused {
            refusal: Box::new(Refusal::KeyReused),
            at: Timestamp::ZERO,
            seq: 1,
            replayed: false,
        });
        let mut all: Vec<_> = (0..16).map(made).collect();
        all.insert(2, refused);
        let position_of = |_: &Sku, seq: u64| seq.to_string();
        let rendered = || {
            all.iter()
                .map(|told| render::told(told, None, &position_of))
        };
        let mut results = Results::new(all.len());
        for (told, result) in all.iter().zip(rendered()) {
            match render::held(told) {
                Some(held) => results.held(&held),
                None => results.push(&result),
            }
        }
        results.text.extend_from_slice(b"]}");
        let text = String::from_utf8(results.text).expect("JSON is UTF-8");
        let one_by_one: Vec<String> = rendered()
            .map(|result| serde_json::to_string(&result).expect("it can be written"))
            .collect();
        assert_eq!(text, format!("{{\"results\":[{}]}}", one_by_one.join(",")));
    }

    #[test]
    fn an_empty_answer_is_one_too() {
        let mut results = Results::new(0);
        results.text.extend_from_slice(b"]}");
        let value: Value = serde_json::from_slice(&results.text).expect("it is JSON");
        assert_eq!(value["results"], Value::Array(Vec::new()));
    }
}
