//! Imports over HTTP: good rows go in and bad ones are named, whatever becomes of the connection.

use std::net::SocketAddr;
use std::time::Duration;

use holdfast::config::{Bytes, Millis};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::harness::Service;

pub(crate) const CSV: &str = "text/csv";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const DAY_MS: u64 = 86_400_000;

/// A request of which only the head has gone out.
async fn head(address: SocketAddr, target: &str, content_type: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: holdfast\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    stream
}

async fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("answers are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = serde_json::from_str(body).expect("answers are JSON");
    (status.expect("a status"), body)
}

pub(crate) async fn import(
    service: &Service,
    query: &str,
    content_type: &str,
    body: &str,
) -> (u16, Value) {
    let target = format!("/v1/imports?{query}");
    let mut stream = head(service.data, &target, content_type, body.len()).await;
    // A refused one may not read all of it.
    let _ = stream.write_all(body.as_bytes()).await;
    answer(stream).await
}

pub(crate) async fn get(service: &Service, path: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(service.data).await.expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    answer(stream).await
}

pub(crate) async fn on_hand(service: &Service, sku: &str) -> i64 {
    let (status, sku) = get(service, &format!("/v1/skus/{sku}")).await;
    assert_eq!(status, 200, "{sku}");
    sku["on_hand"].as_i64().expect("a counter")
}

/// An import's report once it has ended.
async fn ended(service: &Service, identity: &str) -> Value {
    for _ in 0..500 {
        let (status, report) = get(service, &format!("/v1/imports/{identity}")).await;
        if status == 200 && report["running"] == false {
            return report;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the import never ended");
}

/// What is said of the bad rows.
pub(crate) fn bad(report: &Value) -> Vec<String> {
    let rows = report["bad"].as_array().expect("a list");
    let told = rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {}: {}",
            row["line"],
            text("code"),
            text("field"),
            text("reason")
        )
    });
    told.collect()
}

#[tokio::test]
async fn good_rows_go_in_and_bad_ones_are_named() {
    let service = Service::start().await;
    let file = "sku,kind,qty,safety_stock,location\n\
                TEE,sku,,2,\n\
                TEE,receive,10,,\n\
                TEE,receive,many,,\n\
                \n\
                MUG,receive,3,,\n\
                TEE,adjust,-30,,\n\
                TEE,adjust,-1,,nowhere\n\
                TEE,receive,5,,store\n\
                TEE,receive\n\
                TEE,adjust,-4,,";
    let (status, report) = import(&service, "identity=delivery-1", CSV, file).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["complete"], true);
    assert_eq!(
        (&report["rows"], &report["applied"]),
        (&9.into(), &3.into())
    );
    assert_eq!(
        (&report["configured"], &report["created"]),
        (&1.into(), &1.into())
    );
    assert_eq!(report["next_line"], 12);
    assert_eq!(report["next_offset"], file.len());
    insta::assert_snapshot!(bad(&report).join("\n"));
    assert_eq!(on_hand(&service, "TEE").await, 11);
    let (_, tee) = get(&service, "/v1/skus/TEE").await;
    assert_eq!(tee["safety_stock"], 2);

    // Sent again from its start it changes nothing; what was bad gets another try.
    let (status, again) = import(&service, "identity=delivery-1&create=true", CSV, file).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(
        (&again["replayed"], &again["applied"]),
        (&4.into(), &1.into())
    );
    assert_eq!(again["created"], 1);
    assert_eq!(on_hand(&service, "TEE").await, 11);
    assert_eq!(on_hand(&service, "MUG").await, 3);
    // Another line where one was done before is no repeat of it.
    let other = file.replace("TEE,receive,10", "TEE,receive,11");
    let (_, other) = import(&service, "identity=delivery-1", CSV, &other).await;
    assert!(
        bad(&other)[0].starts_with("3 idempotency-key-reused"),
        "{other}"
    );
    assert_eq!(on_hand(&service, "TEE").await, 11);
}

#[tokio::test]
async fn csv_and_ndjson_come_to_the_same() {
    let service = Service::start().await;
    let csv = "sku,kind,qty,location\nA,receive,7,\nA,receive,1,store\nA,adjust,-2,\n";
    let ndjson = r#"{"sku":"B","kind":"receive","qty":7}
{"sku":"B","kind":"receive","qty":1,"location":"store"}
{"sku":"B","kind":"adjust","qty":-2}
"#;
    let (status, of_csv) = import(&service, "identity=c&create=true", CSV, csv).await;
    assert_eq!(status, 200, "{of_csv}");
    let (status, of_json) = import(&service, "identity=n&create=true", NDJSON, ndjson).await;
    assert_eq!(status, 200, "{of_json}");
    for counted in ["rows", "applied", "created", "bad", "complete"] {
        assert_eq!(of_csv[counted], of_json[counted], "{counted}");
    }
    let (_, a) = get(&service, "/v1/skus/A").await;
    let (_, b) = get(&service, "/v1/skus/B").await;
    assert_eq!(a["on_hand"], 6);
    assert_eq!(a["locations"], b["locations"]);
}

#[tokio::test]
async fn a_dry_run_names_bad_rows_and_changes_nothing() {
    let service = Service::start().await;
    let file = "sku,kind,qty,location\n\
                NEW,sku,,\n\
                NEW,receive,5,\n\
                NEW,adjust,-1,store\n\
                NEW,receive,0,\n\
                GONE,receive,5,\n";
    let (status, report) = import(&service, "dry_run=true", CSV, file).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        (&report["rows"], &report["applied"]),
        (&5.into(), &1.into())
    );
    insta::assert_snapshot!(bad(&report).join("\n"));
    assert_eq!(get(&service, "/v1/skus/NEW").await.0, 404);
    let (_, report) = import(&service, "dry_run=true&identity=f&create=true", CSV, file).await;
    assert_eq!(report["bad"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(get(&service, "/v1/imports/f").await.0, 404);
    // The real one does as it was told.
    let (_, report) = import(&service, "identity=f", CSV, file).await;
    assert_eq!(report["applied"], 1);
    assert_eq!(report["bad"].as_array().map(Vec::len), Some(3), "{report}");
}

#[tokio::test]
async fn what_came_before_a_break_is_in_and_the_rest_goes_on_there() {
    let service = Service::start().await;
    let file = "sku,kind,qty\nTEE,receive,10\nTEE,receive,200\nTEE,receive,3000\n";
    let cut = file
        .find("00\nTEE,receive,3")
        .expect("a place within a row");
    let target = "/v1/imports?identity=f&create=true";
    let mut stream = head(service.data, target, CSV, file.len()).await;
    stream
        .write_all(&file.as_bytes()[..cut])
        .await
        .expect("it reads");
    sleep(Duration::from_millis(50)).await;
    drop(stream);
    let report = ended(&service, "f").await;
    // "TEE,receive,2" is a good row, and not the file's.
    assert_eq!(
        (&report["rows"], &report["complete"]),
        (&1.into(), &false.into()),
        "{report}"
    );
    assert_eq!(on_hand(&service, "TEE").await, 10);

    let (line, offset) = (report["next_line"].clone(), report["next_offset"].clone());
    assert_eq!((line.as_u64(), offset.as_u64()), (Some(3), Some(28)));
    let rest = format!("sku,kind,qty\n{}", &file[28..]);
    // A report says that it has ended a moment before its place is free.
    let (status, gap) = loop {
        let query = "identity=f&from_line=4&from_offset=28";
        let (status, gap) = import(&service, query, CSV, &rest).await;
        if gap["code"] != "import-in-progress" {
            break (status, gap);
        }
        sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((status, &gap["code"]), (409, &"import-gap".into()), "{gap}");
    assert_eq!(gap["next_line"], 3);
    let query = format!("identity=f&from_line={line}&from_offset={offset}");
    let (status, report) = import(&service, &query, CSV, &rest).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        (&report["rows"], &report["applied"]),
        (&3.into(), &3.into())
    );
    assert_eq!(report["next_offset"], file.len());
    assert_eq!(on_hand(&service, "TEE").await, 3_210);
}

#[tokio::test]
async fn a_file_that_ends_within_a_row_says_so_and_goes_on_when_it_is_whole() {
    let service = Service::start().await;
    let cut = "sku,kind,qty\nTEE,receive,10\nTEE,rec";
    let (status, report) = import(&service, "identity=f&create=true", CSV, cut).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        (&report["rows"], &report["complete"]),
        (&1.into(), &false.into())
    );
    let stopped = report["stopped"].as_str().expect("a reason");
    assert!(stopped.starts_with("line 3 has no end"), "{stopped}");
    let rest = "sku,kind,qty\nTEE,receive,5\n";
    let (_, report) = import(&service, "identity=f&from_line=3&from_offset=28", CSV, rest).await;
    assert_eq!(
        (&report["rows"], &report["complete"]),
        (&2.into(), &true.into()),
        "{report}"
    );
    assert_eq!(on_hand(&service, "TEE").await, 15);
}

#[tokio::test]
async fn a_slow_client_has_time_for_every_piece_and_a_silent_one_has_not() {
    let service = Service::start_with(|config| {
        config.http.body_timeout_ms = Millis(400);
        config.http.request_timeout_ms = Millis(400);
    })
    .await;
    let file = "sku,kind,qty\nTEE,receive,1\nTEE,receive,2\nTEE,receive,3\n";
    let target = "/v1/imports?identity=slow&create=true";
    let mut stream = head(service.data, target, CSV, file.len()).await;
    for piece in file.as_bytes().chunks(6) {
        stream.write_all(piece).await.expect("it reads");
        sleep(Duration::from_millis(100)).await;
    }
    let (status, report) = answer(stream).await;
    assert_eq!((status, &report["applied"]), (200, &3.into()), "{report}");

    let target = "/v1/imports?identity=silent";
    let mut stream = head(service.data, target, CSV, file.len()).await;
    stream
        .write_all(&file.as_bytes()[..30])
        .await
        .expect("it reads");
    let (status, late) = answer(stream).await;
    assert_eq!(
        (status, &late["code"]),
        (408, &"request-timeout".into()),
        "{late}"
    );
    assert_eq!(late["next_line"], 3);
    assert_eq!(on_hand(&service, "TEE").await, 7);
}

/// A shard that takes but a few rows at once must not change their order, nor lose one.
#[tokio::test]
async fn rows_of_a_sku_keep_their_order_where_a_shard_is_overloaded() {
    let service = Service::start_with(|config| {
        config.shards.permits_config_per_shard = 8;
        config.imports.group_rows = 100;
    })
    .await;
    let rows = (0..500).flat_map(|_| ["TEE,receive,3\n", "TEE,adjust,-3\n"]);
    let file: String = std::iter::once("sku,kind,qty\n").chain(rows).collect();
    let (status, report) = import(&service, "identity=f&create=true", CSV, &file).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["applied"], 1_000, "{report}");
    assert_eq!(on_hand(&service, "TEE").await, 0);
}

#[tokio::test]
async fn an_import_whose_keys_are_forgotten_is_not_repeated() {
    let service = Service::start().await;
    let file = "sku,kind,qty\nTEE,receive,1\n";
    let (status, _) = import(&service, "identity=f&create=true", CSV, file).await;
    assert_eq!(status, 200);
    service.advance(2 * DAY_MS);
    let (status, aged) = import(&service, "identity=f", CSV, file).await;
    assert_eq!(
        (status, &aged["code"]),
        (409, &"import-aged".into()),
        "{aged}"
    );
    // What the file has grown by goes in.
    let more = "sku,kind,qty\nTEE,receive,5\n";
    let (status, report) =
        import(&service, "identity=f&from_line=3&from_offset=27", CSV, more).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(on_hand(&service, "TEE").await, 6);
}

#[tokio::test]
async fn what_is_no_import_is_refused_whole() {
    let service = Service::start_with(|config| config.imports.row_bytes_max = Bytes(1_024)).await;
    let good = "sku,kind,qty\n";
    let cases = [
        (
            "identity=f",
            "application/json",
            good,
            415,
            "unsupported-media-type",
        ),
        ("", CSV, good, 400, "invalid-request"),
        ("identity=a%20b", CSV, good, 400, "invalid-request"),
        ("identity=f&from_line=3", CSV, good, 400, "invalid-request"),
        ("identity=f&colour=red", CSV, good, 400, "invalid-request"),
        (
            "identity=f",
            CSV,
            "sku,qty\nTEE,1\n",
            400,
            "invalid-request",
        ),
    ];
    for (query, content_type, body, expected, code) in cases {
        let (status, problem) = import(&service, query, content_type, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (expected, &code.into()),
            "{query}: {problem}"
        );
    }
    let long = format!(
        "sku,kind,qty\nTEE,receive,{}\nTEE,receive,1\n",
        "1".repeat(5_000)
    );
    let (status, report) = import(&service, "identity=f&create=true", CSV, &long).await;
    assert_eq!((status, &report["applied"]), (200, &1.into()), "{report}");
    assert_eq!(bad(&report).len(), 1);
}

#[tokio::test]
async fn one_file_is_imported_by_one_call_at_a_time() {
    let service = Service::start_with(|config| config.imports.at_once_max = 2).await;
    let target = "/v1/imports?identity=f";
    let _first = head(service.data, target, CSV, 100).await;
    let mut status = 0;
    for _ in 0..100 {
        sleep(Duration::from_millis(10)).await;
        status = get(&service, "/v1/imports/f").await.0;
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200, "it has begun");
    let (status, busy) = import(&service, "identity=f", CSV, "sku,kind\n").await;
    assert_eq!(
        (status, &busy["code"]),
        (409, &"import-in-progress".into()),
        "{busy}"
    );
    let _second = head(service.data, "/v1/imports?identity=g", CSV, 100).await;
    sleep(Duration::from_millis(100)).await;
    let (status, full) = import(&service, "identity=h", CSV, "sku,kind\n").await;
    assert_eq!(
        (status, &full["code"]),
        (503, &"server-overloaded".into()),
        "{full}"
    );
}
