//! Operations written plainly, read without serde.
//!
//! What comes by the thousand is written by programs: an object of known fields, texts without
//! escapes, whole numbers, no `null`. That is read here, looking at each byte once. Anything else
//! is declined, never refused, and left to `serde_json`. So this reader has one way to be wrong,
//! which is to read something that `serde_json` reads otherwise; a test compares the two.
//! Deliberately absent: what is wrong with a body, lines of confirms and releases, and every
//! operation that comes one at a time.

use std::borrow::Cow;

use holdfast_core::{
    Command, Confirm, Late, Location, Millis, Mode, Release, ReservationId, Reserve, ReserveLine,
    Sku, Text, Units,
};
use smallvec::SmallVec;

use super::super::keys;
use super::operation::{OpWord, Operation};

/// A text that is read from its beginning.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// The SKU that was read last: the next one is often the same.
    sku: Option<Sku>,
}

/// The lines of a reserve.
type Lines = SmallVec<[ReserveLine; 1]>;

/// What was found in an object.
#[derive(Default)]
struct Fields<'a> {
    op: Option<&'a str>,
    key: Option<&'a str>,
    reservation: Option<&'a str>,
    order_ref: Option<&'a str>,
    customer: Option<&'a str>,
    payment_ref: Option<&'a str>,
    reason: Option<&'a str>,
    mode: Option<&'a str>,
    ttl_ms: Option<u64>,
    lines: Option<Lines>,
}

/// Names of fields.
trait Name: Sized {
    /// The name that a text begins with, and its length with quotes and colon, if nothing stands
    /// between those.
    fn at(text: &[u8]) -> Option<(Self, usize)>;
    fn parse(name: &str) -> Option<Self>;
}

macro_rules! names {
    ($of:ident: $($name:ident $text:literal)*) => {
        enum $of {
            $($name,)*
        }

        impl Name for $of {
            fn at(text: &[u8]) -> Option<(Self, usize)> {
                let first = *text.get(1)?;
                // Of a length that is known here, they are compared without a call.
                $(if first == $text.as_bytes()[0]
                    && let Some(begin) = text.first_chunk::<{ $text.len() + 3 }>()
                    && *begin == *concat!("\"", $text, "\":").as_bytes()
                {
                    return Some((Self::$name, begin.len()));
                })*
                None
            }

            fn parse(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

// The commonest first: they are tried one after the other.
names! { Field:
    Op "op" Key "key" OrderRef "order_ref" Customer "customer" Lines "lines" TtlMs "ttl_ms"
    Reservation "reservation" PaymentRef "payment_ref" Reason "reason" Mode "mode"
}
names! { LineField: Sku "sku" Qty "qty" Location "location" }

/// The body of a reserve, if it is written plainly.
pub(crate) fn reserve(body: &[u8], lines_max: usize) -> Option<Command> {
    let mut reader = Reader::new(std::str::from_utf8(body).ok()?);
    let mut fields = Fields::default();
    reader.object(lines_max, &mut fields)?;
    reader.end()?;
    let is_single = fields.op.is_none() && fields.key.is_none();
    fields.reserve().filter(|_| is_single)
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            sku: None,
        }
    }

    /// The next operation; what was read of one that is declined is to be read again.
    pub(super) fn operation(&mut self, lines_max: usize) -> Option<Operation<'a>> {
        let start = self.at;
        let mut fields = Fields::default();
        let read = self.object(lines_max, &mut fields);
        let operation = read.and_then(|()| fields.operation());
        if operation.is_none() {
            self.at = start;
        }
        operation
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on behind so many bytes of the rest.
    pub(super) const fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Takes a mark, and white space before it.
    pub(super) fn take(&mut self, mark: u8) -> Option<()> {
        if self.peek() == Some(mark) {
            self.at += 1;
            return Some(());
        }
        None
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// A text without escapes. It may have control characters, which JSON allows in none: what it
    /// is read as must refuse them.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let rest = &self.text[self.at..];
        let length = end_of_text(rest.as_bytes())?;
        if rest.as_bytes()[length] != b'"' {
            return None;
        }
        self.at += length + 1;
        Some(&rest[..length])
    }

    /// A key without escapes. One that has not the form of a key is another's to refuse.
    fn key(&mut self) -> Option<&'a str> {
        self.text().filter(|key| keys::is_key(key.as_bytes()))
    }

    /// A whole number above 0, of up to 18 digits.
    fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let digits = self.text.as_bytes()[self.at..].iter();
        let digits = digits.map_while(|byte| byte.is_ascii_digit().then(|| byte - b'0'));
        let (mut number, mut count) = (0, 0);
        for digit in digits.take(19) {
            number = number * 10 + u64::from(digit);
            count += 1;
            if number == 0 || count > 18 {
                return None;
            }
        }
        self.at += count;
        // What follows a number is another value's mark, or this is none.
        (number > 0).then_some(number)
    }

    /// Takes what stands between two entries; whether there is another.
    pub(super) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let mark = self.peek()?;
        self.at += 1;
        match mark {
            b',' => Some(true),
            other => (other == end).then_some(false),
        }
    }

    /// The name of a field, and the colon behind it.
    fn name<N: Name>(&mut self) -> Option<N> {
        if let Some((name, length)) = N::at(&self.text.as_bytes()[self.at..]) {
            self.at += length;
            return Some(name);
        }
        let name = N::parse(self.text()?)?;
        self.take(b':')?;
        Some(name)
    }

    fn object(&mut self, lines_max: usize, fields: &mut Fields<'a>) -> Option<()> {
        self.take(b'{')?;
        loop {
            match self.name()? {
                Field::Op => once(&mut fields.op, self.text())?,
                Field::Key => once(&mut fields.key, self.key())?,
                Field::OrderRef => once(&mut fields.order_ref, self.text())?,
                Field::Customer => once(&mut fields.customer, self.text())?,
                Field::Lines => once(&mut fields.lines, self.lines(lines_max))?,
                Field::TtlMs => once(&mut fields.ttl_ms, self.number())?,
                Field::Mode => once(&mut fields.mode, self.text())?,
                Field::Reservation => once(&mut fields.reservation, self.text())?,
                Field::PaymentRef => once(&mut fields.payment_ref, self.text())?,
                Field::Reason => once(&mut fields.reason, self.text())?,
            }
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    fn lines(&mut self, lines_max: usize) -> Option<Lines> {
        let mut lines = Lines::new();
        self.take(b'[')?;
        loop {
            if lines.len() == lines_max {
                return None;
            }
            lines.push(self.line()?);
            if !self.goes_on(b']')? {
                return Some(lines);
            }
        }
    }

    fn line(&mut self) -> Option<ReserveLine> {
        let (mut sku, mut units, mut location) = (None, None, None);
        self.take(b'{')?;
        loop {
            match self.name()? {
                LineField::Sku => once(&mut sku, self.sku())?,
                LineField::Qty => once(&mut units, self.units())?,
                LineField::Location => once(&mut location, self.location())?,
            }
            if !self.goes_on(b'}')? {
                return Some(ReserveLine {
                    sku: sku?,
                    units: units?,
                    location,
                });
            }
        }
    }

    fn sku(&mut self) -> Option<Sku> {
        let text = self.text()?;
        if let Some(last) = &self.sku
            && last.as_str() == text
        {
            return Some(last.clone());
        }
        let sku = Sku::parse(text).ok()?;
        self.sku = Some(sku.clone());
        Some(sku)
    }

    fn location(&mut self) -> Option<Location> {
        Location::parse(self.text()?).ok()
    }

    fn units(&mut self) -> Option<Units> {
        u32::try_from(self.number()?).ok().and_then(Units::new)
    }
}

impl<'a> Fields<'a> {
    fn operation(&mut self) -> Option<Operation<'a>> {
        let key = self.key.map(Cow::Borrowed);
        let (op, command) = match self.op? {
            "reserve" => (OpWord::Reserve, self.reserve()?),
            "confirm" => (OpWord::Confirm, self.confirm()?),
            "release" => (OpWord::Release, self.release()?),
            _ => return None,
        };
        Some(Operation {
            op,
            key,
            command,
            past: None,
        })
    }

    fn reserve(&mut self) -> Option<Command> {
        if self.reservation.is_some() || self.payment_ref.is_some() || self.reason.is_some() {
            return None;
        }
        let mode = match self.mode {
            None | Some("all_or_nothing") => Mode::AllOrNothing,
            Some("best_effort") => Mode::BestEffort,
            Some(_) => return None,
        };
        Some(Command::Reserve(Box::new(Reserve {
            id: ReservationId::UNMINTED,
            order_ref: self.order_ref.map(Text::parse).transpose().ok()?,
            customer: self.customer.map(Text::parse).transpose().ok()?,
            ttl: self.ttl_ms.map(Millis::new),
            mode,
            replace: None,
            lines: self.lines.take()?,
        })))
    }

    fn confirm(&self) -> Option<Command> {
        if self.is_reserves() || self.reason.is_some() {
            return None;
        }
        Some(Command::Confirm(Box::new(Confirm {
            id: ReservationId::named(self.reservation?)?,
            lines: None,
            late: Late::Reacquire,
            payment_ref: self.payment_ref.map(Text::parse).transpose().ok()?,
        })))
    }

    fn release(&self) -> Option<Command> {
        if self.is_reserves() || self.payment_ref.is_some() {
            return None;
        }
        Some(Command::Release(Box::new(Release {
            id: ReservationId::named(self.reservation?)?,
            lines: None,
            reason: self.reason.map(Text::parse).transpose().ok()?,
        })))
    }

    /// Whether it has what is read for a reserve alone.
    fn is_reserves(&self) -> bool {
        self.order_ref.is_some()
            || self.customer.is_some()
            || self.mode.is_some()
            || self.ttl_ms.is_some()
            || self.lines.is_some()
    }
}

/// Where a text ends, or has an escape. Most are too short for more than 16 bytes at a time to pay,
/// and every processor of this kind has those.
#[cfg(target_arch = "x86_64")]
#[inline]
fn end_of_text(bytes: &[u8]) -> Option<usize> {
    memchr::arch::x86_64::sse2::memchr::Two::new(b'"', b'\\')?.find(bytes)
}

/// Where a text ends, or has an escape.
#[cfg(not(target_arch = "x86_64"))]
fn end_of_text(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'"', b'\\', bytes)
}

/// Sets a field that was not set before.
fn once<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    if field.is_some() {
        return None;
    }
    *field = Some(value?);
    Some(())
}
