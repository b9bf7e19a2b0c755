//! Reading what callers send: JSON bodies, queries and path parts, each refused with the field.
//!
//! A body is parsed once; only one that is refused is parsed again, to find out where. Types refuse
//! unknown fields (`deny_unknown_fields`) and floats by themselves, structs refuse a field given
//! twice; maps must be [`UniqueMap`]s to do so, because serde's own keep the last.
//! Deliberately absent: meaning. What a SKU may look like is the core's to say.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};

use super::problem::{Code, Problem};

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// The query, as fields.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// The parts of the path that the template names.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

/// A field that may be absent (unchanged), `null` (cleared) or set. Needs `#[serde(default)]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Patch<T> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent as `null`.
    Clear,
    /// Sent.
    Set(T),
}

/// An object whose keys are the caller's; a key given twice is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueMap<V>(pub BTreeMap<String, V>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        check_media_type(&head.headers)?;
        // The edge has read the whole body already; this collects one piece.
        let collected = body.collect().await;
        let bytes = collected
            .map_err(|_| Problem::invalid("", "the body can't be read"))?
            .to_bytes();
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&head.uri);
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let text = text.trim_start_matches("Failed to deserialize query string: ");
                let (path, fault) = text.split_once(": ").unwrap_or(("query", text));
                let field = field_of(text).unwrap_or(path);
                Problem::invalid(field, in_words_of_json(fault))
            })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(head, state).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|rejection| Problem::invalid("path", rejection.body_text()))
    }
}

/// Parses a body, which must be an object, or says which field is wrong.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    // Serde would take an array for a struct, field by field.
    if bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|first| *first != b'{')
    {
        return Err(Problem::invalid("", "the body is no JSON object"));
    }
    // Looked at once, the texts in it need not be looked at one by one.
    let parsed = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    parsed.map_err(|error| refusal::<T>(bytes, &error))
}

/// The same body once more, slower, to learn where it is wrong.
#[cold]
fn refusal<'a, T: Deserialize<'a>>(bytes: &'a [u8], first: &serde_json::Error) -> Problem {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Problem::invalid("", "the body is empty; send a JSON object");
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let (path, text) = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => (String::new(), first.to_string()),
        Err(error) => (error.path().to_string(), error.into_inner().to_string()),
    };
    let place = text.rfind(" at line ").map_or("", |start| &text[start..]);
    let text = &text[..text.len() - place.len()];
    // What can't be read to its end has no path.
    let parent = if matches!(path.as_str(), "." | "?") {
        ""
    } else {
        path.as_str()
    };
    let field = match field_of(text) {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) if parent.rsplit('.').next() != Some(name) => format!("{parent}.{name}"),
        _ => parent.to_owned(),
    };
    let detail = if first.is_data() {
        in_words_of_json(text)
    } else {
        format!("no JSON: {text}{place}")
    };
    Problem::invalid(field, detail)
}

/// What serde says in words of Rust, said in words of JSON.
pub(crate) fn in_words_of_json(text: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected i64", "expected a whole number"),
        ("expected a sequence", "expected an array"),
        ("invalid type: sequence", "invalid type: array"),
        ("invalid type: map", "invalid type: object"),
        ("unknown variant", "unknown value"),
        // What parsing a text as a number says.
        (
            "invalid digit found in string",
            "expected a whole number, 0 or more",
        ),
    ];
    let translate = |text: String, (rust, json): &(&str, &str)| text.replace(rust, json);
    WORDS.iter().fold(text.to_owned(), translate)
}

/// The field that serde names in "missing field `x`" and the like.
pub(crate) fn field_of(text: &str) -> Option<&str> {
    [
        "missing field `",
        "unknown field `",
        "duplicate field `",
        "duplicate key `",
    ]
    .iter()
    .find_map(|opening| text.split_once(opening)?.1.split('`').next())
}

pub(crate) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    if sent == b"application/json" || is_json(sent) {
        return Ok(());
    }
    let detail = "send the body with `Content-Type: application/json`";
    let sent = String::from_utf8_lossy(sent).into_owned();
    Err(Problem::new(Code::UnsupportedMediaType, detail).with("content_type", sent))
}

/// Any spelling of the media type, with no charset but UTF-8.
fn is_json(sent: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(sent) else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let is_type = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_type
        && parts.all(|part| match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<T>::deserialize(deserializer)?;
        Ok(value.map_or(Patch::Clear, Patch::Set))
    }
}

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, V>()? {
                    if map.contains_key(&key) {
                        return Err(A::Error::custom(format!("duplicate key `{key}`")));
                    }
                    map.insert(key, value);
                }
                Ok(UniqueMap(map))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its parsing is of interest")]
        sku: String,
        #[expect(dead_code, reason = "only its parsing is of interest")]
        qty: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cart {
        #[expect(dead_code, reason = "only its parsing is of interest")]
        lines: Vec<Line>,
        #[serde(default)]
        note: Patch<String>,
        #[serde(default)]
        limits: UniqueMap<u32>,
    }

    fn refused(body: &[u8]) -> String {
        let problem = parse::<Cart>(body).expect_err("the body is wrong");
        let json: Value = serde_json::from_slice(&problem.to_json()).expect("a problem is JSON");
        assert_eq!(json["code"], "invalid-request");
        let text = |name: &str| json[name].as_str().unwrap_or("-").to_owned();
        format!("{}: {}", text("field"), text("detail"))
    }

    #[test]
    fn a_refused_body_names_the_field_and_the_fault() {
        let cases: [&[u8]; 14] = [
            br#"{"lines":[{"sku":"A","qty":1},{"sku":"B","qty":1.0}]}"#,
            br#"{"lines":[{"sku":"A","qty":-1}]}"#,
            br#"{"lines":[{"sku":"A"}]}"#,
            br#"{"lines":[{"sku":"A","qty":1,"qty":2}]}"#,
            br#"{"lines":[{"sku":"A","qty":1,"quantity":2}]}"#,
            br#"{"lines":[],"lines":[]}"#,
            br#"{"lines":[],"limits":{"a":1,"a":2}}"#,
            br#"{"lines":[],"note":7}"#,
            br#"{"lines":[]} {}"#,
            br#"{"lines":["#,
            b"{\"lines\":[{\"sku\":\"\xff\",\"qty\":1}]}",
            b"  ",
            b"[]",
            b"{}",
        ];
        let texts: Vec<String> = cases.iter().map(|case| refused(case)).collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        lines[1].qty: invalid type: floating point `1.0`, expected a whole number, 0 or more
        lines[0].qty: invalid value: integer `-1`, expected a whole number, 0 or more
        lines[0].qty: missing field `qty`
        lines[0].qty: duplicate field `qty`
        lines[0].quantity: unknown field `quantity`, expected `sku` or `qty`
        lines: duplicate field `lines`
        limits.a: duplicate key `a`
        note: invalid type: integer `7`, expected a string
        -: no JSON: trailing characters at line 1 column 14
        lines: no JSON: EOF while parsing a list at line 1 column 10
        lines[0].sku: no JSON: invalid unicode code point at line 1 column 19
        -: the body is empty; send a JSON object
        -: the body is no JSON object
        lines: missing field `lines`
        ");
    }

    #[test]
    fn deep_nesting_is_refused_without_a_deep_stack() {
        let deep = [b"{\"lines\":".to_vec(), vec![b'['; 100_000]].concat();
        assert!(parse::<Cart>(&deep).is_err());
        assert!(parse::<Value>(&b"{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn absent_null_and_set_are_told_apart() {
        let note = |body: &str| {
            parse::<Cart>(body.as_bytes())
                .expect("the body is right")
                .note
        };
        assert_eq!(note(r#"{"lines":[]}"#), Patch::Absent);
        assert_eq!(note(r#"{"lines":[],"note":null}"#), Patch::Clear);
        assert_eq!(
            note(r#"{"lines":[],"note":"x"}"#),
            Patch::Set("x".to_owned())
        );
        let cart: Cart = parse(br#"{"lines":[],"limits":{"a":1}}"#).expect("the body is right");
        assert_eq!(cart.limits.0["a"], 1);
    }

    #[test]
    fn json_has_several_spellings_and_no_other_charset() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;v=1",
        ] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "text/json",
            "application/json; charset=latin1",
            "application/jsonp",
        ] {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
    }
}
