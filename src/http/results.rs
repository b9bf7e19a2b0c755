//! The answer to a batch, written result by result into one text.
//!
//! Reservations of one message differ in their ids and references and in little else. What one has
//! in common with the last one is copied, not written again: most of an answer's cost is writing.
//! Deliberately absent: any shape or value of its own; a test compares every text with the one
//! that a single call's answer has.

use std::ops::Range;

use axum::http::StatusCode;
use axum::response::Response;
use holdfast_core::{
    Location, ReservationId, ReservationView, Reserved, Sku, Status, Text, Timestamp,
};
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
    /// What the last one that was told in short had in common with others, and where all that
    /// follows from it lies.
    sale: Option<(Sale<'a>, Range<usize>)>,
}

/// What those have in common who bought the same at one time. The times are compared first: most
/// that differ do so there.
#[derive(PartialEq)]
struct Sale<'a> {
    created_at: Timestamp,
    expires_at: Timestamp,
    now: Timestamp,
    units: u32,
    sku: &'a Sku,
    location: &'a Location,
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
            sale: None,
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
        let ReservationView {
            id,
            status,
            order_ref,
            customer,
            ..
        } = held.view;
        self.own(*id, *status, order_ref.as_ref(), customer.as_ref());
        self.terms
            .write(&mut self.text, b',', Terms::of(held.view), b"");
        self.goods
            .write(&mut self.text, b',', Goods::of(held.view), b"}}");
    }

    /// The next result, a plain reservation that was just made; its status.
    pub(crate) fn made(&mut self, made: &'a Reserved, now: Timestamp) -> StatusCode {
        self.begin();
        let status = render::success(true);
        let opening = Opening {
            status: status.as_u16(),
            replayed: false,
        };
        let rest = b",\"reservation\":{\"id\":\"";
        self.opening.write(&mut self.text, b'{', opening, rest);
        let (order_ref, customer) = (made.order_ref.as_ref(), made.customer.as_ref());
        self.own(made.id, Status::Open, order_ref, customer);
        let sale = Sale {
            created_at: made.id.at(),
            expires_at: made.expires_at,
            now,
            units: made.units,
            sku: &made.sku,
            location: &made.location,
        };
        if let Some((last, place)) = &self.sale
            && *last == sale
        {
            self.text.extend_from_within(place.clone());
            return status;
        }
        let (view, start) = (made.view(now), self.text.len());
        let text = &mut self.text;
        Last(None).write(text, b',', Terms::of(&view), b"");
        Last(None).write(text, b',', Goods::of(&view), b"}}");
        self.sale = Some((sale, start..text.len()));
        status
    }

    fn begin(&mut self) {
        if self.text.last() == Some(&b'}') {
            self.text.push(b',');
        }
    }

    /// What a reservation has for itself, from its id on.
    fn own(
        &mut self,
        id: ReservationId,
        status: Status,
        order_ref: Option<&Text>,
        customer: Option<&Text>,
    ) {
        let mut hyphenated = [0; Hyphenated::LENGTH];
        let uuid = Uuid::from_u128(id.as_u128()).hyphenated();
        let text = &mut self.text;
        text.extend_from_slice(uuid.encode_lower(&mut hyphenated).as_bytes());
        text.extend_from_slice(b"\",\"status\":\"");
        text.extend_from_slice(status.as_str().as_bytes());
        text.extend_from_slice(b"\",\"order_ref\":");
        free_text(text, order_ref);
        text.extend_from_slice(b",\"customer\":");
        free_text(text, customer);
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
        Some(value) if !has_escapes(value.as_bytes()) => {
            text.push(b'"');
            text.extend_from_slice(value.as_bytes());
            text.push(b'"');
        }
        value => write(text, &value),
    }
}

/// Whether a quote or a backslash is among them; eight are looked at in one go.
fn has_escapes(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Not 0 if the first byte of those that are 0 is any.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let is_either = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) != 0
    };
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(|byte| matches!(byte, b'"' | b'\\'));
    };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().any(is_either) || is_either(last)
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
    fn what_is_told_in_short_reads_as_what_is_told_whole() {
        let base = Timestamp::from_ms(1_795_361_400_000);
        let made = |number: u64| {
            let at = |ms| Timestamp::from_ms(base.ms() + ms);
            let id = u128::from(at(number / 5).ms()) << 80
                | ReservationId::UNMINTED.as_u128() & (u128::MAX >> 48)
                | u128::from(number);
            let text = |text: &str| Text::parse(text).expect("a text");
            let made = Reserved {
                id: ReservationId::from_u128(id).expect("an id"),
                order_ref: (number != 3).then(|| text("o\"1")),
                customer: (number != 4).then(|| text("customer")),
                expires_at: at(900_000 + number / 7),
                sku: Sku::parse(&format!("S{}", number / 9)).expect("a name"),
                location: Location::main(),
                hold: number,
                units: 1 + number as u32 / 11,
                reserved: 1,
                versions: holdfast_core::Versions::default(),
            };
            let now = at(number / 5 + number / 13);
            Ok(Answer::Made {
                made: Box::new(made),
                now,
            })
        };
        let all: Vec<Result<Answer, holdfast_runtime::Unavailable>> = (0..40).map(made).collect();
        let mut short = Results::new(all.len());
        let wholes: Vec<_> = all
            .iter()
            .cloned()
            .map(|told| told.map(Answer::whole))
            .collect();
        let mut whole = Results::new(all.len());
        for (told, spelled) in all.iter().zip(&wholes) {
            if let Ok(Answer::Made { made, now }) = told {
                short.made(made, *now);
            }
            whole.held(&render::held(spelled).expect("it is a reservation"));
        }
        let text = |results: Results<'_>| String::from_utf8(results.text).expect("UTF-8");
        assert_eq!(text(short), text(whole));
    }

    #[test]
    fn what_has_to_be_escaped_is_seen_wherever_it_stands() {
        for length in 1..=20 {
            assert!(!has_escapes(&vec![b'#'; length]));
            for (at, byte) in (0..length).flat_map(|at| [(at, b'"'), (at, b'\\')]) {
                let mut bytes = vec![b'#'; length];
                bytes[at] = byte;
                assert!(has_escapes(&bytes), "{bytes:?}");
            }
        }
    }

    #[test]
    fn an_empty_answer_is_one_too() {
        let mut results = Results::new(0);
        results.text.extend_from_slice(b"]}");
        let value: Value = serde_json::from_slice(&results.text).expect("it is JSON");
        assert_eq!(value["results"], Value::Array(Vec::new()));
    }
}
