//! The plain reader beside `serde_json`: what the one reads the other reads as well, and the same.
//!
//! Deliberately absent: that anything in particular is declined; what is declined costs time only.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::json;
use super::body::ReserveBody;
use super::object::Object;
use super::operation::OperationBody;
use super::plain::{Reader, reserve};

const ID: &str = "\"019b0000-0000-8000-8000-000000000000\"";
const LINES_MAX: usize = 3;

/// What is read here, and how far; nothing if it is declined.
fn plainly(text: &str) -> Option<String> {
    let mut reader = Reader::new(text);
    let operation = reader.operation(LINES_MAX)?;
    Some(format!("{} {operation:?}", reader.at))
}

/// What serde reads; nothing if it refuses.
fn by_serde(text: &str) -> Option<String> {
    let json = serde_json::Deserializer::from_str(text);
    let mut bodies = json.into_iter::<Object<OperationBody<'_>>>();
    let Object(body) = bodies.next()?.ok()?;
    let operation = body.parsed(LINES_MAX).ok()?;
    Some(format!("{} {operation:?}", bodies.byte_offset()))
}

fn reserve_by_serde(text: &str) -> Option<String> {
    let body = json::parse::<ReserveBody>(text.as_bytes()).ok()?;
    Some(format!("{:?}", body.command(LINES_MAX).ok()?))
}

fn fields_of(operation: &str) -> Vec<(&'static str, Vec<String>)> {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let line = r#"{"sku":"A.b-1","qty":12}"#;
    let mut fields = vec![
        ("op", vec![format!("\"{operation}\"")]),
        ("key", owned(&["\"cart-1:3:1\"", "\"\"", "\"ü \""])),
    ];
    match operation {
        "reserve" => fields.extend([
            ("order_ref", owned(&["\"order-1\"", "\"ö\""])),
            ("customer", owned(&["\"a customer of many words\""])),
            ("ttl_ms", owned(&["1", "900000", "999999999999999999"])),
            ("mode", owned(&["\"best_effort\"", "\"all_or_nothing\""])),
            (
                "lines",
                vec![
                    format!("[{line}]"),
                    format!(r#"[ {line} , {{"qty":1,"location":"x","sku":"A.b-1"}}]"#),
                ],
            ),
        ]),
        "confirm" => fields.extend([
            ("reservation", owned(&[ID])),
            ("payment_ref", owned(&["\"p\""])),
        ]),
        _ => fields.extend([("reservation", owned(&[ID])), ("reason", owned(&["\"p\""]))]),
    }
    fields
}

/// Objects that are mostly right.
fn objects() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "null",
        "0",
        "-1",
        "1.0",
        "1e3",
        "01",
        "1000001",
        "18446744073709551616",
        "true",
        "\"\"",
        "\"a\\n\"",
        "\"\\u0041\"",
        "\"\u{7f}\"",
        "\"\u{1}\"",
        "\"-\"",
        "[]",
        "{}",
        "[{}]",
        "[null]",
        "[[]]",
        "\"",
        "",
        "[{\"sku\":\"A\"}]",
        "{\"reserve\":null}",
        "[{\"sku\":\"A\",\"qty\":0}]",
        "[{\"sku\":\"A\",\"qty\":1.0}]",
        "[{\"sku\":\"A\",\"qty\":1,\"qty\":1}]",
        "[{\"sku\":\"A\",\"qty\":1,\"x\":1}]",
        "[{\"sku\":\"A\",\"qty\":1},]",
        "[[\"A\",1,null]]",
        "[{\"sku\":\"A\",\"qty\":1},{\"sku\":\"A\",\"qty\":1},{\"sku\":\"A\",\"qty\":1},{\"sku\":\"A\",\"qty\":1}]",
    ];
    const NAMES: &[&str] = &[
        "op",
        "key",
        "lines",
        "late",
        "remainder",
        "reservation",
        "replace",
        "reason",
        "sku",
        "qty",
        "customer",
        "colour",
        "payment_ref",
        "ttl_ms",
        "mode",
        "ke\\u0079",
    ];
    let right = select(&["reserve", "reserve", "confirm", "release"][..]).prop_flat_map(|op| {
        let fields = fields_of(op).into_iter();
        let fields: Vec<_> = fields
            .map(|(name, values)| (Just(name.to_owned()), select(values)))
            .collect();
        fields.prop_shuffle()
    });
    let odd = (select(NAMES), select(ODD));
    let odd = odd.prop_map(|(name, value)| (name.to_owned(), value.to_owned()));
    let odds = prop::collection::vec((odd, any::<prop::sample::Index>()), 0..2);
    let left_out = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let spaces = prop::collection::vec(select(&["", "", "", " ", "\n\t", "\r ", "\u{a0}"][..]), 5);
    let whole = (right, odds, left_out, spaces);
    whole.prop_map(|(mut fields, odds, left_out, spaces)| {
        if let Some(index) = left_out {
            fields.remove(index.index(fields.len()));
        }
        for (field, index) in odds {
            let at = index.index(fields.len() + 1);
            fields.insert(at, field);
        }
        let [start, name_end, colon, value_end, _] = spaces[..] else {
            unreachable!("there are five")
        };
        let field = |(name, value): &(String, String)| {
            format!("{start}\"{name}\"{name_end}:{colon}{value}{value_end}")
        };
        let fields: Vec<String> = fields.iter().map(field).collect();
        format!("{}{{{}}}{value_end}", spaces[4], fields.join(","))
    })
}

/// The same with a byte or two changed, added or taken out.
fn spoilt() -> impl Strategy<Value = String> {
    const MARKS: &[&str] = &[
        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", ".", "e", " ", "ü", "", "\u{1}",
    ];
    let spoil = (any::<prop::sample::Index>(), select(MARKS), any::<bool>());
    let spoils = prop::collection::vec(spoil, 1..3);
    (objects(), spoils).prop_map(|(text, spoils)| {
        let mut chars: Vec<String> = text.chars().map(String::from).collect();
        for (index, mark, is_added) in spoils {
            let at = index.index(chars.len());
            if is_added {
                chars.insert(at, mark.to_owned());
            } else {
                chars[at] = mark.to_owned();
            }
        }
        chars.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_read_is_what_serde_reads(text in prop_oneof![objects(), spoilt()]) {
        if let Some(plainly) = plainly(&text) {
            prop_assert_eq!(Some(plainly), by_serde(&text));
        }
        if let Some(command) = reserve(text.as_bytes(), LINES_MAX) {
            prop_assert_eq!(Some(format!("{command:?}")), reserve_by_serde(&text));
        }
        let single = text.replace("\"op\":\"reserve\",", "").replace("\"key\":\"cart-1:3:1\",", "");
        if let Some(command) = reserve(single.as_bytes(), LINES_MAX) {
            prop_assert_eq!(Some(format!("{command:?}")), reserve_by_serde(&single));
        }
    }
}

#[test]
fn what_programs_write_is_read_here() {
    let lines = r#""lines":[{"sku":"SKU-00000000","qty":1}]"#;
    let body = format!(r#"{{"order_ref":"o-1","customer":"c-1",{lines}}}"#);
    assert!(reserve(body.as_bytes(), LINES_MAX).is_some());
    let operations = [
        format!(r#"{{"op":"reserve","key":"k","order_ref":"o-1","customer":"c-1",{lines}}}"#),
        format!(r#"{{{lines}, "ttl_ms": 60000, "mode": "best_effort", "op": "reserve"}}"#),
        format!(r#"{{"op":"confirm","key":"k","reservation":{ID},"payment_ref":"p"}}"#),
        format!(r#"{{"op":"release","key":"k","reservation":{ID}}}"#),
    ];
    for operation in operations {
        let plainly = plainly(&operation).expect(&operation);
        assert_eq!(Some(plainly), by_serde(&operation));
    }
}
