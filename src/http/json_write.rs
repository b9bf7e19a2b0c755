//! Writing answers: JSON straight into bytes, the same bytes as `serde_json` makes, for less.
//!
//! `serde_json` looks at every byte of every field's name for something to escape, which was most
//! of an answer's cost. Here names are copied as they are, and texts are looked at in one sweep.
//! What answers seldom have in them (floats, bytes, texts to be escaped) `serde_json` writes.
//! Deliberately absent: white space, and map keys that are no texts or numbers.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Appends `value` to `out`.
pub(super) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    value
        .serialize(&mut Writer { out })
        .expect("the shapes have no errors of their own, and a Vec takes all");
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

/// The rest of an array or object.
struct Rest<'w, 'a> {
    to: &'w mut Writer<'a>,
    is_empty: bool,
    /// What closes it.
    end: &'static [u8],
}

impl Writer<'_> {
    fn unsigned(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    fn signed(&mut self, number: i64) {
        if number < 0 {
            self.out.push(b'-');
        }
        self.unsigned(number.unsigned_abs());
    }

    /// What is not worth an own form.
    #[cold]
    fn other(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        serde_json::to_writer(&mut *self.out, value).map_err(|_| fmt::Error)
    }

    /// A name that needs no escape, with its colon.
    #[inline]
    fn name(&mut self, name: &'static str) {
        debug_assert!(is_plain(name), "{name:?} can't be a field's name");
        self.out.reserve(name.len() + 3);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// `{"variant":` and what opens its content.
    fn variant(&mut self, variant: &'static str, open: &[u8]) {
        self.out.push(b'{');
        self.name(variant);
        self.out.extend_from_slice(open);
    }
}

/// Whether a text is written as it is. One sweep without an early end is one the compiler can
/// make many bytes wide.
fn is_plain(text: &str) -> bool {
    let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    !text
        .bytes()
        .fold(false, |found, byte| found | escaped(byte))
}

impl<'w, 'a> Rest<'w, 'a> {
    fn of(to: &'w mut Writer<'a>, open: &[u8], end: &'static [u8]) -> Self {
        to.out.extend_from_slice(open);
        Self {
            to,
            is_empty: true,
            end,
        }
    }

    #[inline]
    fn comma(&mut self) {
        if !self.is_empty {
            self.to.out.push(b',');
        }
        self.is_empty = false;
    }

    #[inline]
    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        self.comma();
        value.serialize(&mut *self.to)
    }

    #[inline]
    fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        self.comma();
        self.to.name(name);
        value.serialize(&mut *self.to)
    }

    fn close(self) {
        self.to.out.extend_from_slice(self.end);
    }
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Rest<'w, 'a>;
    type SerializeTuple = Rest<'w, 'a>;
    type SerializeTupleStruct = Rest<'w, 'a>;
    type SerializeTupleVariant = Rest<'w, 'a>;
    type SerializeMap = Rest<'w, 'a>;
    type SerializeStruct = Rest<'w, 'a>;
    type SerializeStructVariant = Rest<'w, 'a>;

    fn serialize_bool(self, value: bool) -> fmt::Result {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> fmt::Result {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> fmt::Result {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> fmt::Result {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> fmt::Result {
        self.signed(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> fmt::Result {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> fmt::Result {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> fmt::Result {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> fmt::Result {
        self.unsigned(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> fmt::Result {
        self.other(&value)
    }

    fn serialize_f64(self, value: f64) -> fmt::Result {
        self.other(&value)
    }

    fn serialize_char(self, value: char) -> fmt::Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> fmt::Result {
        if !is_plain(text) {
            return self.other(text);
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> fmt::Result {
        self.other(bytes)
    }

    fn serialize_none(self) -> fmt::Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> fmt::Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.variant(variant, b"");
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Rest<'w, 'a>, fmt::Error> {
        Ok(Rest::of(self, b"[", b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Rest<'w, 'a>, fmt::Error> {
        Ok(Rest::of(self, b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Rest<'w, 'a>, fmt::Error> {
        Ok(Rest::of(self, b"[", b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Rest<'w, 'a>, fmt::Error> {
        self.variant(variant, b"[");
        Ok(Rest::of(self, b"", b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Rest<'w, 'a>, fmt::Error> {
        Ok(Rest::of(self, b"{", b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Rest<'w, 'a>, fmt::Error> {
        Ok(Rest::of(self, b"{", b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Rest<'w, 'a>, fmt::Error> {
        self.variant(variant, b"{");
        Ok(Rest::of(self, b"", b"}}"))
    }
}

impl SerializeMap for Rest<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        self.comma();
        let start = self.to.out.len();
        key.serialize(&mut *self.to)?;
        if self.to.out.get(start) != Some(&b'"') {
            self.to.out.insert(start, b'"');
            self.to.out.push(b'"');
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.to.out.push(b':');
        value.serialize(&mut *self.to)
    }

    fn end(self) -> fmt::Result {
        self.close();
        Ok(())
    }
}

/// The three kinds that are lists, and the two that are objects with named fields.
macro_rules! rest {
    ($(list $list:ident $element:ident,)* $(object $object:ident,)*) => {
        $(impl $list for Rest<'_, '_> {
            type Ok = ();
            type Error = fmt::Error;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
                self.element(value)
            }

            fn end(self) -> fmt::Result {
                self.close();
                Ok(())
            }
        })*
        $(impl $object for Rest<'_, '_> {
            type Ok = ();
            type Error = fmt::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> fmt::Result {
                self.field(name, value)
            }

            fn end(self) -> fmt::Result {
                self.close();
                Ok(())
            }
        })*
    };
}

rest! {
    list SerializeSeq serialize_element,
    list SerializeTuple serialize_element,
    list SerializeTupleStruct serialize_field,
    list SerializeTupleVariant serialize_field,
    object SerializeStruct,
    object SerializeStructVariant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(u8),
        Pair(i16, &'static str),
        Fields { a: Option<u64>, b: [bool; 2] },
    }

    #[derive(Serialize)]
    struct Flat<'a> {
        first: &'a str,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        last: (),
    }

    #[track_caller]
    fn assert_same(value: &impl Serialize) {
        let mut ours = Vec::new();
        write(&mut ours, value);
        let theirs = serde_json::to_vec(value).expect("it can be written");
        assert_eq!(
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(&theirs)
        );
    }

    #[test]
    fn every_kind_of_value_is_written_as_serde_json_does() {
        let (a, b) = (Some(u64::MAX), [true, false]);
        assert_same(&[Kind::Unit, Kind::New(7), Kind::Pair(-3, "x")]);
        assert_same(&(Kind::Fields { a, b }, Kind::Fields { a: None, b }));
        assert_same(&(0_u8, -1_i8, u32::MAX, i64::MIN, i64::MAX, 1.5_f64, 0.1_f32));
        assert_same(&('"', 'ü', (), Some(()), None::<u8>));
        assert_same(&BTreeMap::from([(1_u32, vec![1, 2]), (20, vec![])]));
        assert_same(&json!({"a": [1, null, {"b": -2.5}], "c": {}, "d": [], "": "x"}));
        for count in 0..3 {
            let rest = (0..count).map(|n| (format!("n{n}"), -n)).collect();
            let (first, absent, last) = ("f", None, ());
            assert_same(&Flat {
                first,
                rest,
                absent,
                last,
            });
        }
    }

    #[test]
    fn every_text_is_written_as_serde_json_does() {
        let long = "x".repeat(100);
        for text in ["", "plain", "a\"b", "a\\b", "ü€😀", long.as_str()] {
            assert_same(&text_in(text));
        }
        for code in 0..0x180_u32 {
            let odd = char::from_u32(code).expect("no surrogate");
            for before in [0, 1, 15, 16, 40] {
                let text = format!("{}{odd}{}", &long[..before], &long[..before / 2]);
                assert_same(&text_in(&text));
            }
        }
    }

    fn text_in(text: &str) -> Vec<BTreeMap<&str, &str>> {
        vec![BTreeMap::from([(text, text)])]
    }
}
