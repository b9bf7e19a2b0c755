//! JSON as it crosses the wire: what callers may send and what they get to see.
//!
//! Parsing is strict and ends in commands of the core, so that nothing invalid exists past this
//! module. Deliberately absent: status codes (`render`), the engine's bounds (a TTL may be well
//! formed and still too long), and trees of JSON values: both ways go straight between bytes and
//! types.

pub(crate) mod aftersale;
pub(crate) mod body;
pub(crate) mod booking;
pub(crate) mod configure;
pub(crate) mod drift;
pub(crate) mod movement;
mod object;
pub(crate) mod operation;
pub(crate) mod parts;
pub(crate) mod plain;
#[cfg(test)]
mod plain_tests;
pub(crate) mod scalar;
pub(crate) mod view;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::json;
    use super::super::problem::Problem;
    use super::body::ReserveBody;

    /// The field a problem names, and its detail.
    pub(super) fn named(problem: &Problem) -> (String, String) {
        let json: Value = serde_json::from_slice(&problem.to_json()).expect("a problem is JSON");
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (text("field"), text("detail"))
    }

    #[test]
    fn a_malformed_body_names_the_field() {
        let cases = [
            (r#"{"linse":[]}"#, "linse"),
            (r#"{"lines":[{"sku":"A","qty":1.0}]}"#, "lines[0].qty"),
            (r#"{"lines":[{"sku":"A","qty":"1"}]}"#, "lines[0].qty"),
            (r#"{"lines":[{"sku":"A","qty":0}]}"#, "lines[0].qty"),
            (r#"{"lines":[{"sku":"A","qty":-1}]}"#, "lines[0].qty"),
            (
                r#"{"lines":[{"sku":"A","qty":1},{"sku":"-","qty":1}]}"#,
                "lines[1].sku",
            ),
            (r#"{"lines":[{"sku":"A","qty":1,"qty":2}]}"#, "lines[0].qty"),
            (
                r#"{"lines":[{"sku":"A","qty":1,"colour":2}]}"#,
                "lines[0].colour",
            ),
            (r#"{"lines":[{"sku":"A"}]}"#, "lines[0].qty"),
            (r#"{"lines":[],"lines":[]}"#, "lines"),
            (r#"{"order_ref":"a\u0000b","lines":[]}"#, "order_ref"),
            (r#"{"order_ref":7,"lines":[]}"#, "order_ref"),
            (r#"{"ttl_ms":1e3,"lines":[]}"#, "ttl_ms"),
            (r#"{"mode":"some","lines":[]}"#, "mode"),
            (r#"{"replace":"x","lines":[]}"#, "replace"),
            (r#"{"lines":[[[[[[[[]]]]]]]]}"#, "lines[0]"),
            ("{}", "lines"),
        ];
        for (body, field) in cases {
            let problem = json::parse::<ReserveBody>(body.as_bytes()).expect_err(body);
            let (name, detail) = named(&problem);
            assert_eq!(name, field, "{body}: {detail}");
        }
    }
}
