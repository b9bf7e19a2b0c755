//! What rows are read as, and how bad ones are named.

use super::*;

fn csv(header: &str, line: &str) -> Result<Command, Fault> {
    let mut reader = Reader::new(Format::Csv, 1_024);
    reader
        .header(format!("{header}\n").as_bytes())
        .expect("a good header");
    reader
        .row(format!("{line}\n").as_bytes())
        .map(|row| row.command)
}

fn ndjson(line: &str) -> Result<Command, Fault> {
    let mut reader = Reader::new(Format::Ndjson, 1_024);
    reader.row(line.as_bytes()).map(|row| row.command)
}

fn refused(told: Result<Command, Fault>) -> String {
    let fault = told.expect_err("a bad row");
    let field = fault.field.as_deref().unwrap_or("-");
    format!("{} {field}: {}", fault.code, fault.reason)
}

#[test]
fn csv_and_ndjson_ask_for_the_same() {
    let pairs = [
        (
            csv("sku,kind,from,to,qty", "TEE,transfer,main,store,5"),
            ndjson(r#"{"sku":"TEE","kind":"transfer","from":"main","to":"store","qty":5}"#),
        ),
        (
            csv("sku,kind,qty,excludes", "TEE,count,0,returned|damaged"),
            ndjson(r#"{"sku":"TEE","kind":"count","qty":0,"excludes":["returned","damaged"]}"#),
        ),
        (
            csv("sku,kind,qty,location,document", "TEE,receive,5,,d-1"),
            ndjson(r#"{"kind":"receive","sku":"TEE","qty":5,"document":"d-1"}"#),
        ),
        (
            csv(
                "kind;qty;sku;location;force;occurred_at",
                "adjust;-3;TEE;store;true;2026-11-22T15:30:00Z",
            ),
            ndjson(
                r#"{"sku":"TEE","kind":"adjust","qty":-3,"location":"store","force":true,
                "occurred_at":"2026-11-22T15:30:00Z"}"#,
            ),
        ),
        (
            csv(
                "sku,kind,location,safety_stock,paused,location_order",
                "TEE,sku,store,2,true,store|main",
            ),
            ndjson(
                r#"{"sku":"TEE","kind":"sku","location":"store","safety_stock":2,"paused":true,
                "location_order":["store","main"]}"#,
            ),
        ),
    ];
    for (of_csv, of_json) in pairs {
        let (of_csv, of_json) = (of_csv.expect("a good row"), of_json.expect("a good row"));
        assert_eq!(format!("{of_csv:?}"), format!("{of_json:?}"));
    }
}

#[test]
fn a_bad_row_names_the_field_and_the_reason() {
    let told = [
        csv("sku,kind,qty", "TEE,receive,five"),
        csv("sku,kind,qty", "TEE,receive,-5"),
        csv("sku,kind,qty", "TEE,eat,5"),
        csv("sku,kind,qty", ",receive,5"),
        csv("sku,kind,qty", "TEE,receive"),
        csv("sku,kind,qty", "TEE,\"receive,5"),
        csv("sku,kind,qty,paused", "TEE,receive,5,true"),
        csv("sku,kind,occurred_at", "TEE,receive,yesterday"),
        ndjson(r#"{"sku":"TEE","kind":"receive","qty":5.5}"#),
        ndjson(r#"{"sku":"TEE","kind":"receive","qty":5,"qty":5}"#),
        ndjson(r#"{"sku":"T EE","kind":"receive","qty":5}"#),
        ndjson(r#"{"sku":"TEE","kind":"receive","qty":"#),
        ndjson("[]"),
    ];
    let told: Vec<String> = told.into_iter().map(refused).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_header_that_is_none_refuses_the_whole() {
    for (header, field) in [
        ("sku,kind,colour", "header.colour"),
        ("sku,kind,sku", "header.sku"),
        ("TEE,receive,5", "header.TEE"),
        ("sku,qty", "header.kind"),
    ] {
        let mut reader = Reader::new(Format::Csv, 1_024);
        let problem = reader
            .header(format!("{header}\n").as_bytes())
            .expect_err("a bad header");
        assert_eq!(problem.value("field").expect("a field"), field);
    }
}

/// A column that no kind knows would be refused in every row.
#[test]
fn every_column_belongs_to_a_kind() {
    let kinds = [
        "opening", "ship", "count", "damage", "adjust", "transfer", "sku",
    ];
    for column in COLUMNS
        .iter()
        .filter(|name| !["sku", "kind"].contains(name))
    {
        let told: Vec<String> = kinds
            .iter()
            .map(|kind| csv(&format!("sku,kind,{column}"), &format!("TEE,{kind},?")))
            .map(|told| told.map_or_else(|fault| fault.reason, |_| "fine".to_owned()))
            .collect();
        let unknown = format!("unknown field `{column}`");
        assert!(
            told.iter().any(|reason| !reason.contains(&unknown)),
            "{column}: {told:?}"
        );
    }
}
