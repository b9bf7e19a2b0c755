//! The answer to a batch, written result by result into one text.
//!
//! Reservations of one message differ in their ids and references and in little else. What one has
//! in common with the last one is copied, not written again: most of an answer's cost is writing.
//! Deliberately absent: any shape or value of its own; a test compares every text with the one
//! that a single call's answer has.

use std::ops::Range;

use axum::response::Response;
use holdfast_core::ReservationView;
use serde::Serialize;

use super::render::{self, Rendered};
use super::wire::parts::{Goods, Own, Terms};

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
    pub(crate) fn push(&mut self, result: &Rendered<'a>) {
        if self.text.ends_with(b"}") {
            self.text.push(b',');
        }
        match result.reservation() {
            Some(view) => {
                let opening = Opening {
                    status: result.status().as_u16(),
                    replayed: result.is_replayed(),
                };
                self.opening.write(&mut self.text, b'{', opening);
                self.text.extend_from_slice(b",\"reservation\":");
                self.reservation(view);
                self.text.push(b'}');
            }
            None => write(&mut self.text, result),
        }
    }

    fn reservation(&mut self, view: &'a ReservationView) {
        write(&mut self.text, &Own::of(view));
        self.text.pop();
        self.terms.write(&mut self.text, b',', Terms::of(view));
        self.goods.write(&mut self.text, b',', Goods::of(view));
        self.text.push(b'}');
    }

    /// The whole answer.
    pub(crate) fn into_response(mut self) -> Response {
        self.text.extend_from_slice(b"]}");
        render::written(self.text)
    }
}

impl<T: PartialEq + Serialize> Last<T> {
    /// Begins an object with the fields of `part`, or goes on in one.
    fn write(&mut self, text: &mut Vec<u8>, mark: u8, part: T) {
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
        self.0 = Some((part, start..text.len()));
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
            customer: Some(text(format!("c{number}"))),
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
        rendered().for_each(|result| results.push(&result));
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
