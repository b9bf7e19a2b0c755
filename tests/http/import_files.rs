//! Files as other systems write them: line ends, byte order marks, columns in any order, quotes,
//! nothing at all; and what is left of an import whose record is lost.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::harness::{START_MS, Service};
use crate::imports::{CSV, DAY_MS, NDJSON, bad, get, import, on_hand};

#[tokio::test]
async fn line_ends_marks_and_the_order_of_columns_make_no_difference() {
    let service = Service::start().await;
    let files = [
        (
            CSV,
            "sku,kind,qty,location\nSKU,receive,7,\nSKU,receive,2,store\n",
        ),
        (
            CSV,
            "sku,kind,qty,location\r\nSKU,receive,7,\r\nSKU,receive,2,store\r\n",
        ),
        (
            CSV,
            "\u{feff}sku,kind,qty,location\r\nSKU,receive,7,\r\nSKU,receive,2,store",
        ),
        (
            CSV,
            "location;qty;kind;sku\n;7;receive;SKU\nstore;2;receive;SKU\n",
        ),
        (
            CSV,
            "qty\tkind\tlocation\tsku\n\"7\"\treceive\t\t\"SKU\"\n2\treceive\tstore\tSKU\n",
        ),
        (
            NDJSON,
            "\u{feff}{\"qty\":7,\"sku\":\"SKU\",\"kind\":\"receive\"}\r\n\r\n\
             {\"sku\":\"SKU\",\"kind\":\"receive\",\"qty\":2,\"location\":\"store\"}\r\n",
        ),
    ];
    for (at, (content_type, file)) in files.into_iter().enumerate() {
        let file = file.replace("SKU", &format!("TEE-{at}"));
        let query = format!("identity=f-{at}&create=true");
        let (status, report) = import(&service, &query, content_type, &file).await;
        assert_eq!(status, 200, "{file}: {report}");
        assert_eq!(
            (&report["applied"], &report["complete"]),
            (&2.into(), &true.into()),
            "{report}"
        );
        assert_eq!(on_hand(&service, &format!("TEE-{at}")).await, 9, "{file}");
    }
}

/// Rows are cut at line ends before quotes are looked at, so that one quote can't swallow a file.
#[tokio::test]
async fn a_line_end_within_quotes_spoils_its_own_rows_and_no_others() {
    let service = Service::start().await;
    let file = "sku,kind,qty,reason\nTEE,receive,1,\"a note\nof two lines\"\nTEE,receive,2,\n\
                TEE,receive,4,\"never closed\nTEE,receive,8,fine\n";
    let (status, report) = import(&service, "identity=f&create=true", CSV, file).await;
    assert_eq!(status, 200, "{report}");
    insta::assert_snapshot!(bad(&report).join("\n"), @r"
    2 invalid-request -: a quote is open at the end of the line
    3 invalid-request -: 1 cells, and the header has 4
    5 invalid-request -: a quote is open at the end of the line
    ");
    assert_eq!(on_hand(&service, "TEE").await, 10);
}

/// An export that had failed left an empty file; taken for the whole, it kept the real one from
/// coming under its name.
#[tokio::test]
async fn an_empty_file_is_refused_and_leaves_its_name_free() {
    let service = Service::start().await;
    for content_type in [CSV, NDJSON] {
        for query in ["identity=daily&create=true", "identity=daily&dry_run=true"] {
            let (status, empty) = import(&service, query, content_type, "").await;
            assert_eq!(
                (status, &empty["code"]),
                (400, &"invalid-request".into()),
                "{empty}"
            );
            let detail = empty["detail"].as_str().expect("for people");
            assert!(detail.contains("the file is empty"), "{detail}");
        }
    }
    assert_eq!(get(&service, "/v1/imports/daily").await.0, 404);
    let (_, none) = import(&service, "identity=none", CSV, "sku,kind,qty\n").await;
    assert_eq!(
        (&none["rows"], &none["complete"]),
        (&0.into(), &true.into()),
        "{none}"
    );
    let rows = "sku,kind,qty\nTEE,receive,3\n";
    let (_, report) = import(&service, "identity=daily&create=true", CSV, rows).await;
    assert_eq!(report["applied"], 1, "{report}");
    // What goes on at its end has nothing more to bring.
    let end = format!("identity=daily&from_line=3&from_offset={}", rows.len());
    let (status, report) = import(&service, &end, CSV, "sku,kind,qty\n").await;
    assert_eq!((status, &report["rows"]), (200, &1.into()), "{report}");
    let row = "{\"sku\":\"TEE\",\"kind\":\"receive\",\"qty\":1}\n";
    let (_, report) = import(&service, "identity=json", NDJSON, row).await;
    assert_eq!(report["applied"], 1, "{report}");
    let end = format!("identity=json&from_line=2&from_offset={}", row.len());
    let (status, report) = import(&service, &end, NDJSON, "").await;
    assert_eq!((status, &report["rows"]), (200, &1.into()), "{report}");
}

#[tokio::test]
async fn a_column_that_is_unknown_refuses_the_file_before_any_row() {
    let service = Service::start().await;
    let file = "sku,kind,colour,qty\nTEE,receive,red,3\n";
    let (status, refused) = import(&service, "identity=f&create=true", CSV, file).await;
    assert_eq!(
        (status, &refused["field"]),
        (400, &"header.colour".into()),
        "{refused}"
    );
    assert_eq!(get(&service, "/v1/skus/TEE").await.0, 404);
    assert_eq!(get(&service, "/v1/imports/f").await.0, 404);
    // Nothing of it was done, so nothing grows old: mended, it may come whenever it likes.
    service.advance(2 * DAY_MS);
    let mended = file.replace("colour", "reason");
    let (status, report) = import(&service, "identity=f&create=true", CSV, &mended).await;
    assert_eq!((status, &report["applied"]), (200, &1.into()), "{report}");
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_create() {
    let service = Service::start().await;
    let file = "sku,kind,qty,safety_stock\nNEW,sku,,2\nNEW,receive,5,\nOTHER,receive,1,\n\
                OTHER,receive,1,\n";
    let (_, told) = import(&service, "dry_run=true&create=true", CSV, file).await;
    assert_eq!(
        (&told["created"], &told["applied"]),
        (&2.into(), &3.into()),
        "{told}"
    );
    let (_, done) = import(&service, "identity=f&create=true", CSV, file).await;
    for counted in ["rows", "applied", "configured", "created", "bad"] {
        assert_eq!(told[counted], done[counted], "{counted}");
    }
    let (_, told) = import(&service, "dry_run=true&create=true", CSV, file).await;
    assert_eq!(told["created"], 0, "{told}");
}

/// The one file in which an import's place is kept.
fn record(service: &Service) -> PathBuf {
    let directory = service.directory.path().join("data/imports");
    let mut entries = std::fs::read_dir(directory).expect("it was made");
    let path = entries
        .next()
        .expect("a record")
        .expect("it is ours")
        .path();
    assert!(entries.next().is_none(), "one record");
    path
}

async fn sent_again(service: &Service) -> (u16, Value) {
    import(service, "identity=f", CSV, "sku,kind,qty\nTEE,receive,5\n").await
}

/// Half a record passed for none: the file began anew, and once its keys were forgotten every row
/// of it was done a second time.
#[tokio::test]
async fn a_record_that_cannot_be_read_is_no_reason_to_do_rows_twice() {
    let service = Service::start().await;
    let file = "sku,kind,qty\nTEE,receive,5\n";
    let (_, report) = import(&service, "identity=f&create=true", CSV, file).await;
    assert_eq!(report["applied"], 1, "{report}");
    let path = record(&service);
    let damage = || {
        let whole = std::fs::read(&path).expect("it is there");
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("it is ours");
        let written = SystemTime::UNIX_EPOCH + Duration::from_millis(START_MS);
        let file = File::options()
            .write(true)
            .open(&path)
            .expect("it is there");
        file.set_modified(written).expect("it is ours");
    };
    damage();
    let (_, report) = sent_again(&service).await;
    assert_eq!(
        (&report["replayed"], &report["applied"]),
        (&1.into(), &0.into()),
        "{report}"
    );

    damage();
    service.advance(2 * DAY_MS);
    let (status, aged) = sent_again(&service).await;
    assert_eq!(
        (status, &aged["code"]),
        (409, &"import-aged".into()),
        "{aged}"
    );
    // A folder in its place can't be read at all.
    std::fs::remove_file(&path).expect("it is ours");
    std::fs::create_dir(&path).expect("it is ours");
    let (status, aged) = sent_again(&service).await;
    assert_eq!(
        (status, &aged["code"]),
        (409, &"import-aged".into()),
        "{aged}"
    );
    assert_eq!(on_hand(&service, "TEE").await, 5);
}
