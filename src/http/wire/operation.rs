//! The operations of `POST /v1/batch`: one flat shape with the fields of every single call.
//!
//! A whole batch is parsed in one pass, what is written plainly without serde (`plain`). Only if
//! that fails are the operations parsed one by one, so that each malformed one gets its own refusal
//! and the others are done.

use std::borrow::Cow;
use std::fmt;

use holdfast_core::{Command, ReservationId};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::{json, problem::Problem};
use super::aftersale::CancelBody;
use super::body::{
    ConfirmBody, ExtendBody, LateWord, LineBody, ModeWord, PinBody, ReleaseBody, RemainderWord,
    ReserveBody,
};
use super::booking::{Booking, Past};
use super::movement::{ExcludedWord, KindWord, MeasureWord, MovementBody, PlaceWord};
use super::object::Object;
use super::plain::Reader;
use super::scalar::{FreeText, Id, LocationName, Position, SkuName, Target, Time};

/// What an operation does; its number counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Op)]
pub(crate) enum OpWord {
    /// `POST /v1/reservations`
    Reserve,
    /// `POST /v1/reservations/{id}/confirm`
    Confirm,
    /// `POST /v1/reservations/{id}/release`
    Release,
    /// `POST /v1/reservations/{id}/extend`
    Extend,
    /// `POST /v1/reservations/{id}/pin`
    Pin,
    /// `POST /v1/skus/{sku}/movements`
    Movement,
    /// `POST /v1/reservations/{id}/cancel`
    Cancel,
}

/// One operation, any kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationBody<'a> {
    op: OpWord,
    #[serde(borrow)]
    key: Option<KeyText<'a>>,
    reservation: Option<Target>,
    sku: Option<SkuName>,
    order_ref: Option<FreeText>,
    customer: Option<FreeText>,
    ttl_ms: Option<u64>,
    mode: Option<ModeWord>,
    replace: Option<Id>,
    lines: Option<Vec<Object<LineBody>>>,
    remainder: Option<RemainderWord>,
    late: Option<LateWord>,
    payment_ref: Option<FreeText>,
    reason: Option<FreeText>,
    for_ms: Option<u64>,
    kind: Option<KindWord>,
    qty: Option<i64>,
    location: Option<LocationName>,
    force: Option<bool>,
    document: Option<FreeText>,
    source: Option<FreeText>,
    occurred_at: Option<Time>,
    expected_version: Option<u64>,
    on_hand: Option<u32>,
    unshipped: Option<u32>,
    returned: Option<u32>,
    damaged: Option<u32>,
    from: Option<PlaceWord>,
    measure: Option<MeasureWord>,
    excludes: Option<Vec<ExcludedWord>>,
    position: Option<Position>,
    epoch: Option<u64>,
    sequence: Option<u64>,
    message_id: Option<FreeText>,
}

/// A key as sent, where it lies unless escapes had to be taken out.
#[derive(Clone, Debug)]
struct KeyText<'a>(Cow<'a, str>);

/// An operation that is understood.
#[derive(Clone, Debug)]
pub(crate) struct Operation<'a> {
    /// What it does.
    pub(crate) op: OpWord,
    /// Its key as sent.
    pub(crate) key: Option<Cow<'a, str>>,
    /// Its command.
    pub(crate) command: Command,
    /// The past that a count speaks of.
    pub(crate) past: Option<Box<Past>>,
}

/// About what a short operation takes.
const OPERATION_BYTES: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneByOne<'a> {
    #[serde(borrow)]
    operations: Vec<&'a RawValue>,
}

/// A parsed operation, or why it can't be understood with its kind as far as that is known.
pub(crate) type Parsed<'a> = Result<Operation<'a>, (Option<OpWord>, Problem)>;

/// Parses a batch; a fault outside of the operations refuses the whole.
pub(crate) fn parse_batch(
    body: &[u8],
    batch_max: usize,
    lines_max: usize,
) -> Result<Vec<Parsed<'_>>, Problem> {
    let most = AtMost {
        operations: batch_max,
        lines: lines_max,
        room: batch_max.min(body.len() / OPERATION_BYTES),
    };
    if let Some(operations) = whole(body, most) {
        return Ok(operations);
    }
    let raw = json::parse::<OneByOne>(body)?.operations;
    if raw.len() > batch_max {
        let count = raw.len();
        let detail =
            format!("{count} operations, and at most {batch_max} are allowed; send several");
        return Err(Problem::invalid("operations", detail));
    }
    let one = |raw| parse_one(raw, lines_max);
    Ok(raw.into_iter().map(one).collect())
}

fn parse_one(raw: &RawValue, lines_max: usize) -> Parsed<'_> {
    let body = json::parse::<OperationBody<'_>>(raw.get().as_bytes());
    body.map_err(|problem| (None, problem))?.parsed(lines_max)
}

/// The operations in one pass, if all are well formed and not too many: an operation takes a
/// hundred times the memory of its shortest text, so their number is bounded while they are read.
fn whole(body: &[u8], most: AtMost) -> Option<Vec<Parsed<'_>>> {
    // Looked at once, the texts in it need not be looked at one by one.
    let mut reader = Reader::new(std::str::from_utf8(body).ok()?);
    reader.take(b'{')?;
    if reader.text()? != "operations" {
        return None;
    }
    reader.take(b':')?;
    reader.take(b'[')?;
    let mut operations = Vec::with_capacity(most.room);
    let mut has_more = reader.take(b']').is_none();
    while has_more {
        if operations.len() == most.operations {
            return None;
        }
        operations.push(next(&mut reader, most.lines)?);
        has_more = reader.goes_on(b']')?;
    }
    reader.take(b'}')?;
    reader.end()?;
    Some(operations)
}

/// The next operation, however it is written, if it is well formed.
fn next<'a>(reader: &mut Reader<'a>, lines_max: usize) -> Option<Parsed<'a>> {
    if let Some(operation) = reader.operation(lines_max) {
        return Some(Ok(operation));
    }
    let json = serde_json::Deserializer::from_str(reader.rest());
    let mut bodies = json.into_iter::<Object<OperationBody<'a>>>();
    let Object(body) = bodies.next()?.ok()?;
    reader.skip(bodies.byte_offset());
    Some(body.parsed(lines_max))
}

/// So many operations at most, each of so many lines at most.
#[derive(Clone, Copy)]
struct AtMost {
    operations: usize,
    lines: usize,
    /// How many are likely.
    room: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for KeyText<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = KeyText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Owned(text.to_owned())))
            }
        }

        json.deserialize_str(Texts)
    }
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(field, format!("missing field `{field}`")))
}

impl OpWord {
    /// All, in the order of their numbers.
    pub(crate) const NAMES: &'static [&'static str] = &[
        "reserve", "confirm", "release", "extend", "pin", "movement", "cancel",
    ];
}

impl<'a> OperationBody<'a> {
    pub(super) fn parsed(self, lines_max: usize) -> Parsed<'a> {
        let op = self.op;
        self.operation(lines_max)
            .map_err(|problem| (Some(op), problem))
    }

    fn operation(mut self, lines_max: usize) -> Result<Operation<'a>, Problem> {
        let (op, key) = (self.op, self.key.take().map(|key| key.0));
        let whole = |command| Booking {
            command,
            past: None,
        };
        let booking = match op {
            OpWord::Movement => self.movement(),
            OpWord::Cancel => self.cancel(lines_max).map(whole),
            OpWord::Reserve => self.reserve(lines_max).map(whole),
            OpWord::Confirm => self.confirm(lines_max).map(whole),
            OpWord::Release => self.release(lines_max).map(whole),
            OpWord::Extend => self.extend().map(whole),
            OpWord::Pin => self.pin().map(whole),
        };
        // A field that belongs to another operation is the likelier mistake.
        if let Some(field) = self.leftover() {
            let name = OpWord::NAMES[op as usize];
            let detail = format!("unknown field `{field}` in op {name:?}");
            return Err(Problem::invalid(field, detail));
        }
        let Booking { command, past } = booking?;
        Ok(Operation {
            op,
            key,
            command,
            past: past.map(Box::new),
        })
    }

    fn id(&mut self) -> Result<ReservationId, Problem> {
        required("reservation", self.reservation.take()).map(|id| id.0)
    }

    fn reserve(&mut self, lines_max: usize) -> Result<Command, Problem> {
        let body = ReserveBody {
            order_ref: self.order_ref.take(),
            customer: self.customer.take(),
            ttl_ms: self.ttl_ms.take(),
            mode: self.mode.take(),
            replace: self.replace.take(),
            lines: required("lines", self.lines.take())?,
        };
        body.command(lines_max)
    }

    fn confirm(&mut self, lines_max: usize) -> Result<Command, Problem> {
        let body = ConfirmBody {
            lines: self.lines.take(),
            remainder: self.remainder.take(),
            late: self.late.take(),
            payment_ref: self.payment_ref.take(),
        };
        body.command(self.id()?, lines_max)
    }

    fn release(&mut self, lines_max: usize) -> Result<Command, Problem> {
        let body = ReleaseBody {
            lines: self.lines.take(),
            reason: self.reason.take(),
        };
        body.command(self.id()?, lines_max)
    }

    fn extend(&mut self) -> Result<Command, Problem> {
        let ttl_ms = self.ttl_ms.take();
        let id = self.id()?;
        Ok(ExtendBody {
            ttl_ms: required("ttl_ms", ttl_ms)?,
        }
        .command(id))
    }

    fn pin(&mut self) -> Result<Command, Problem> {
        let for_ms = self.for_ms.take();
        let id = self.id()?;
        Ok(PinBody {
            for_ms: required("for_ms", for_ms)?,
        }
        .command(id))
    }

    fn cancel(&mut self, lines_max: usize) -> Result<Command, Problem> {
        let body = CancelBody {
            lines: self.lines.take(),
            reason: self.reason.take(),
        };
        body.command(self.id()?, lines_max)
    }

    fn movement(&mut self) -> Result<Booking, Problem> {
        let body = MovementBody {
            kind: self.kind.take(),
            qty: self.qty.take(),
            on_hand: self.on_hand.take(),
            unshipped: self.unshipped.take(),
            returned: self.returned.take(),
            damaged: self.damaged.take(),
            location: self.location.take(),
            from: self.from.take(),
            reservation: self.reservation.take(),
            measure: self.measure.take(),
            excludes: self.excludes.take(),
            position: self.position.take(),
            force: self.force.take(),
            reason: self.reason.take(),
            document: self.document.take(),
            occurred_at: self.occurred_at.take(),
            source: self.source.take(),
            epoch: self.epoch.take(),
            sequence: self.sequence.take(),
            message_id: self.message_id.take(),
            expected_version: self.expected_version.take(),
        };
        body.booking(required("sku", self.sku.take())?.0)
    }

    /// The first field that is set and was not taken.
    fn leftover(&self) -> Option<&'static str> {
        macro_rules! first_set {
            ($($field:ident)*) => {
                $(if self.$field.is_some() {
                    return Some(stringify!($field));
                })*
            };
        }
        first_set!(reservation sku order_ref customer ttl_ms mode replace lines remainder late);
        first_set!(payment_ref reason for_ms kind qty location force document source);
        first_set!(occurred_at expected_version on_hand unshipped returned damaged from measure);
        first_set!(excludes position epoch sequence message_id);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::named;
    use super::*;

    const ID: &str = "019b0000-0000-8000-8000-000000000000";

    fn one(operation: &str) -> Result<Command, Problem> {
        let body = format!(r#"{{"operations":[{operation}]}}"#);
        let mut parsed = parse_batch(body.as_bytes(), 10, 200).expect("the batch is a batch");
        parsed
            .remove(0)
            .map(|operation| operation.command)
            .map_err(|(_, problem)| problem)
    }

    #[test]
    fn every_operation_takes_its_own_fields_and_no_others() {
        let good = [
            r#"{"op":"reserve","key":"k","lines":[{"sku":"A","qty":1}]}"#.to_owned(),
            format!(r#"{{"op":"confirm","reservation":"{ID}","payment_ref":"p"}}"#),
            format!(r#"{{"op":"release","reservation":"{ID}","reason":"p"}}"#),
            format!(r#"{{"op":"extend","reservation":"{ID}","ttl_ms":1}}"#),
            format!(r#"{{"op":"pin","reservation":"{ID}","for_ms":1}}"#),
            r#"{"op":"movement","sku":"A","kind":"adjust","qty":-1}"#.to_owned(),
            format!(r#"{{"op":"cancel","reservation":"{ID}","reason":"p"}}"#),
            format!(r#"{{"op":"movement","sku":"A","kind":"ship","qty":1,"reservation":"{ID}"}}"#),
        ];
        for operation in &good {
            one(operation).expect("the operation is well formed");
        }
        let bad = [
            (
                r#"{"op":"reserve","lines":[],"payment_ref":"p"}"#.to_owned(),
                "payment_ref",
            ),
            (r#"{"op":"confirm"}"#.to_owned(), "reservation"),
            (
                format!(r#"{{"op":"pin","reservation":"{ID}","ttl_ms":1}}"#),
                "ttl_ms",
            ),
            (format!(r#"{{"op":"pin","reservation":"{ID}"}}"#), "for_ms"),
            (
                r#"{"op":"movement","kind":"transfer","sku":"A","qty":1}"#.to_owned(),
                "kind",
            ),
            (
                r#"{"op":"movement","kind":"receive","sku":"A","qty":-1}"#.to_owned(),
                "qty",
            ),
            (r#"{"op":"cancel","sku":"A"}"#.to_owned(), "sku"),
            (r#"{"op":"movement","kind":"count"}"#.to_owned(), "sku"),
            (r#"{"op":"sell"}"#.to_owned(), "op"),
            (r#"{"key":"k"}"#.to_owned(), "op"),
        ];
        for (operation, field) in bad {
            let (name, detail) = named(&one(&operation).expect_err("it is malformed"));
            assert_eq!(name, field, "{operation}: {detail}");
        }
    }

    #[test]
    fn a_malformed_operation_leaves_the_others_alone() {
        let body =
            br#"{"operations":[{"op":"sell"},{"op":"reserve","lines":[{"sku":"A","qty":1}]}]}"#;
        let parsed = parse_batch(body, 10, 200).expect("the batch is a batch");
        assert!(parsed[0].is_err());
        assert!(parsed[1].is_ok());
    }

    #[test]
    fn a_batch_that_is_too_long_is_refused_whole() {
        for op in ["sell", "pin"] {
            let body = format!(r#"{{"operations":[{{"op":"{op}"}},{{"op":"{op}"}}]}}"#);
            let problem = parse_batch(body.as_bytes(), 1, 200).expect_err("two are too many");
            assert_eq!(named(&problem).0, "operations");
        }
    }
}
