//! A line of CSV as fields: the header names them, an empty cell is an absent field.
//!
//! Deliberately absent: line ends within quotes, since no field has one.

use std::fmt;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde::de::value::{BorrowedStrDeserializer, Error, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// What separates the values of a list within one cell.
const LIST_SEPARATOR: char = '|';

/// Splits lines into cells.
pub(super) struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// Why a line has no cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncut {
    /// A quote is open at its end.
    OpenQuote,
    /// It has more cells than fit.
    TooMany,
    /// It is no UTF-8.
    NotText,
}

/// The cells of a line.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl Splitter {
    /// Of lines of `bytes_max` and `cells_max` cells.
    pub(super) fn new(delimiter: u8, bytes_max: usize, cells_max: usize) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; bytes_max + 1],
            ends: vec![0; cells_max],
        }
    }

    /// Splits a line, which ends with its line end.
    pub(super) fn split(&mut self, line: &[u8]) -> Result<Cells<'_>, Uncut> {
        self.reader.reset();
        let (result, _, bytes, cells) =
            self.reader
                .read_record(line, &mut self.text, &mut self.ends);
        match result {
            ReadRecordResult::Record => {}
            ReadRecordResult::OutputEndsFull | ReadRecordResult::OutputFull => {
                return Err(Uncut::TooMany);
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => return Err(Uncut::OpenQuote),
        }
        let text = std::str::from_utf8(&self.text[..bytes]).map_err(|_| Uncut::NotText)?;
        let ends = &self.ends[..cells];
        // Bytes that are no text within a cell were found above; here a cell may end within one.
        if ends.iter().any(|end| !text.is_char_boundary(*end)) {
            return Err(Uncut::NotText);
        }
        Ok(Cells { text, ends })
    }
}

impl<'a> Cells<'a> {
    /// How many there are.
    pub(super) fn count(self) -> usize {
        self.ends.len()
    }

    /// One of them, without the blanks around it.
    pub(super) fn get(self, at: usize) -> &'a str {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text[begin..self.ends[at]].trim()
    }
}

/// The fields of a line: names and cells, without those that are empty.
pub(super) struct Fields<'a> {
    names: &'a [String],
    cells: Cells<'a>,
    at: usize,
}

impl<'a> Fields<'a> {
    /// As many names as cells.
    pub(super) fn new(names: &'a [String], cells: Cells<'a>) -> Self {
        Self {
            names,
            cells,
            at: 0,
        }
    }
}

impl<'a> MapAccess<'a> for Fields<'a> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        while self.at < self.names.len() && self.cells.get(self.at).is_empty() {
            self.at += 1;
        }
        let Some(name) = self.names.get(self.at) else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let cell = Cell(self.cells.get(self.at));
        self.at += 1;
        seed.deserialize(cell)
    }
}

/// A cell, which is what is asked of it, if it can be.
struct Cell<'a>(&'a str);

impl Cell<'_> {
    fn number<T: std::str::FromStr>(&self, expected: impl fmt::Display) -> Result<T, Error> {
        let wrong = |_| Error::custom(format_args!("{:?} is not {expected}", self.0));
        self.0.parse().map_err(wrong)
    }
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.number("a whole number")?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.number("a whole number, 0 or more")?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.number("a whole number, 0 or more")?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.number("true or false")?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let values = self.0.split(LIST_SEPARATOR);
        visitor.visit_seq(SeqDeserializer::new(values.map(|value| Cell(value.trim()))))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> serde::de::IntoDeserializer<'de, Error> for Cell<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<Vec<String>, Uncut> {
        let mut splitter = Splitter::new(b',', 64, 4);
        let cells = splitter.split(line.as_bytes())?;
        let texts = (0..cells.count()).map(|at| cells.get(at).to_owned());
        Ok(texts.collect())
    }

    #[test]
    fn cells_are_quoted_or_not_and_trimmed() {
        assert_eq!(
            split("a, b ,\"c,\"\"d\"\"\",\r\n").expect("good"),
            ["a", "b", "c,\"d\"", ""]
        );
    }

    #[test]
    fn a_line_that_is_no_csv_says_why() {
        assert_eq!(split("a,\"b\n"), Err(Uncut::OpenQuote));
        assert_eq!(split("1,2,3,4,5\n"), Err(Uncut::TooMany));
    }
}
