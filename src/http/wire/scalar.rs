//! The smallest pieces of bodies: names, texts, quantities, times, ids.
//!
//! Each is one newtype over a word of the core, which reads it from JSON and describes it in the
//! contract; `Time`, `Id` write it as well.

use std::fmt;

use holdfast_core::{Location, ReservationId, Sku, Text, Timestamp, UNITS_MAX, Units};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

use crate::rfc3339::TimeText;

/// Longest SKU, in bytes.
const SKU_LEN_MAX: usize = 64;
/// Longest location, in bytes.
const LOCATION_LEN_MAX: usize = 32;
/// Longest free text, in bytes.
const TEXT_LEN_MAX: usize = 128;
const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._:-]*$";
const TIME_EXPECTED: &str = "an RFC 3339 time in UTC, such as 2026-11-22T15:30:00.000Z";

/// Reads a text form; the error is the end of "expected …".
trait Read: Sized {
    const EXPECTED: &'static str;
    fn read(text: &str) -> Result<Self, &'static str>;
}

struct Texts<T>(std::marker::PhantomData<T>);

impl<T: Read> Visitor<'_> for Texts<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(|expected| E::custom(format_args!("{text:?} is not {expected}")))
    }
}

macro_rules! text_scalar {
    ($(#[$doc:meta])* $name:ident($of:ty), $expected:expr, $read:expr, $schema:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) $of);

        impl Read for $name {
            const EXPECTED: &'static str = $expected;
            fn read(text: &str) -> Result<Self, &'static str> {
                $read(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                json.deserialize_str(Texts::<$name>(std::marker::PhantomData))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn named(len_max: usize, description: &str) -> ObjectBuilder {
    string()
        .pattern(Some(NAME_PATTERN))
        .min_length(Some(1))
        .max_length(Some(len_max))
        .description(Some(description))
}

text_scalar!(
    /// A SKU's name.
    SkuName(Sku),
    "a SKU: 1 to 64 of A-Z a-z 0-9 . _ : - with the first a letter or digit",
    |text| Sku::parse(text).map_err(|_| SkuName::EXPECTED),
    named(SKU_LEN_MAX, "What is sold.")
);
text_scalar!(
    /// A location's name.
    LocationName(Location),
    "a location: 1 to 32 of A-Z a-z 0-9 . _ : - with the first a letter or digit",
    |text| Location::parse(text).map_err(|_| LocationName::EXPECTED),
    named(LOCATION_LEN_MAX, "Where stock lies; `main` where none is named.")
);
text_scalar!(
    /// A free text of the caller.
    FreeText(Text),
    "a text of 1 to 128 bytes without control characters",
    |text| Text::parse(text).map_err(|_| FreeText::EXPECTED),
    string()
        .min_length(Some(1))
        .max_length(Some(TEXT_LEN_MAX))
        .description(Some("1 to 128 bytes of UTF-8 without control characters."))
);
text_scalar!(
    /// A reservation's or movement's id.
    Id(ReservationId),
    "an id as this service gave it",
    |text| ReservationId::parse(text).ok_or(Id::EXPECTED),
    string()
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .description(Some("A UUID, opaque to callers."))
);
text_scalar!(
    /// The reservation that a call is about: one that was never given is unknown, not malformed.
    Target(ReservationId),
    "an id as this service gave it",
    |text| ReservationId::named(text).ok_or(Target::EXPECTED),
    Id::schema()
);
text_scalar!(
    /// A point in time.
    Time(Timestamp),
    TIME_EXPECTED,
    read_time,
    string()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("RFC 3339, UTC."))
);

text_scalar!(
    /// A point in the ledgers.
    Position(String),
    "an as_of.position as this service gave it",
    read_position,
    string().description(Some("An opaque point in the ledgers, as `as_of` has it."))
);

fn read_position(text: &str) -> Result<String, &'static str> {
    const DIGITS: usize = 40;
    let is_one = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| text.to_owned()).ok_or(Position::EXPECTED)
}

impl Position {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn read_time(text: &str) -> Result<Timestamp, &'static str> {
    if !text.ends_with('Z') {
        return Err(TIME_EXPECTED);
    }
    let parsed: jiff::Timestamp = text.parse().map_err(|_| TIME_EXPECTED)?;
    let ms = u64::try_from(parsed.as_millisecond()).map_err(|_| TIME_EXPECTED)?;
    Ok(Timestamp::from_ms(ms))
}

/// Parses a time of a query.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    Time::read(text).map(|time| time.0)
}

/// Parses an id of a path.
pub(crate) fn parse_id(text: &str) -> Result<ReservationId, &'static str> {
    Target::read(text).map(|id| id.0)
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let uuid = uuid::Uuid::from_u128(self.0.as_u128());
        json.serialize_str(uuid.hyphenated().encode_lower(&mut text))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.serialize_str(TimeText::of(self.0).as_str())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TimeText::of(self.0).as_str())
    }
}

/// A quantity of whole units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Qty(pub(crate) Units);

impl<'de> Deserialize<'de> for Qty {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Quantities;
        impl Visitor<'_> for Quantities {
            type Value = Qty;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "whole units from 1 to {UNITS_MAX}")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Qty, E> {
                let units = u32::try_from(number).ok().and_then(Units::new);
                let unexpected = serde::de::Unexpected::Unsigned(number);
                units
                    .map(Qty)
                    .ok_or_else(|| E::invalid_value(unexpected, &self))
            }
        }
        json.deserialize_u64(Quantities)
    }
}

impl PartialSchema for Qty {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(1))
            .maximum(Some(UNITS_MAX))
            .description(Some("Whole units."))
            .into()
    }
}

impl ToSchema for Qty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_read_back() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_361_400_123, "2026-11-22T15:30:00.123Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
        ];
        for (ms, text) in cases {
            let at = Timestamp::from_ms(ms);
            assert_eq!(Time(at).to_string(), text);
            assert_eq!(read_time(text), Ok(at));
        }
        assert!(
            Time(Timestamp::from_ms(u64::MAX))
                .to_string()
                .starts_with("9999-12-3")
        );
    }

    #[test]
    fn times_outside_utc_or_before_the_epoch_are_refused() {
        for text in [
            "2026-11-22T15:30:00+01:00",
            "1969-12-31T23:59:59Z",
            "2026-11-22",
            "Z",
            "",
        ] {
            assert_eq!(read_time(text), Err(TIME_EXPECTED), "{text}");
        }
    }
}
