//! Reading basket files, dirt included.

use std::{io::Write, path::Path};

use holdfast::replay::{
    basket::{Contents, Fault},
    reader::{Locations, Unusable, read, read_rows},
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn dirt(locations: Locations) -> Contents {
    let path = Path::new(FIXTURES).join("baskets-dirt.csv");
    read(&path, locations, 1000).expect("the fixture is there")
}

#[test]
fn bad_rows_are_left_out_and_reported_by_line_and_reason() {
    let contents = dirt(Locations::Store);
    let found: Vec<(u64, Fault)> = contents
        .bad_rows
        .iter()
        .map(|row| (row.line, row.fault))
        .collect();
    assert_eq!(
        found,
        [
            (4, Fault::QuantityZero),
            (5, Fault::QuantityOver),
            (6, Fault::QuantityUnreadable),
            (7, Fault::QuantityUnreadable),
            (8, Fault::QuantityUnreadable),
            (9, Fault::Columns),
            (10, Fault::BadSku),
            (11, Fault::BadLocation),
            (12, Fault::BadTime),
            (13, Fault::BadId),
            (14, Fault::OtherBuyer),
        ]
    );
    assert_eq!(contents.bad_rows[1].value, "24391");
    assert_eq!(contents.rows, 15);
}

#[test]
fn rows_of_a_basket_are_joined_wherever_they_stand_and_its_lines_summed_by_sku() {
    let contents = dirt(Locations::Store);
    let ids: Vec<&str> = contents
        .baskets
        .iter()
        .map(|basket| basket.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["6", "1"],
        "in time order, without the four that held nothing else"
    );
    assert_eq!(
        contents.baskets_empty, 5,
        "2, 3, 4, 5 and the one without a name"
    );
    let items = &contents.baskets[1].items;
    assert_eq!(items.len(), 1);
    assert_eq!(
        (contents.skus.name(items[0].sku), items[0].qty),
        ("1095275", 7)
    );
}

#[test]
fn stores_matter_only_where_they_are_locations() {
    let contents = dirt(Locations::One);
    assert_eq!(contents.locations.all(), ["main"]);
    let faults: Vec<Fault> = contents.bad_rows.iter().map(|row| row.fault).collect();
    assert!(!faults.contains(&Fault::BadLocation));
}

#[test]
fn a_gzipped_file_reads_as_the_plain_one() {
    let path = Path::new(FIXTURES).join("baskets-excerpt.csv");
    let plain = read(&path, Locations::Store, 1000).expect("the fixture is there");
    let mut zipped = tempfile::NamedTempFile::new().expect("a temporary file");
    let text = std::fs::read(&path).expect("the fixture is there");
    let mut gz = flate2::write::GzEncoder::new(&mut zipped, flate2::Compression::fast());
    gz.write_all(&text)
        .and_then(|()| gz.finish().map(drop))
        .expect("it is written");
    let unzipped = read(zipped.path(), Locations::Store, 1000).expect("it is a basket file");
    assert_eq!(unzipped.baskets, plain.baskets);
    assert_eq!(unzipped.bad_rows, plain.bad_rows);
    assert_eq!(
        plain.baskets.iter().map(|basket| basket.items.len()).max(),
        Some(153)
    );
}

#[test]
fn a_file_without_the_columns_is_refused_by_the_name_of_the_first_that_is_missing() {
    let text = "basket_id,household_id,store_id,sku,quantity,transaction_timestamp\n";
    let refused = read_rows(text.as_bytes(), "x.csv", Locations::Store, 1000).expect_err("no");
    assert!(
        matches!(
            refused,
            Unusable::Header {
                column: "product_id",
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn columns_may_stand_in_another_order() {
    let text = "quantity,product_id,store_id,household_id,basket_id,transaction_timestamp\n\
                3,P1,330,7,1,2017-01-01 10:00:00\n";
    let contents = read_rows(text.as_bytes(), "x.csv", Locations::Store, 1000).expect("yes");
    assert_eq!(contents.baskets[0].items[0].qty, 3);
}

#[test]
fn a_row_that_is_not_utf8_is_a_bad_row_and_reading_goes_on() {
    let text = b"basket_id,household_id,store_id,product_id,quantity,transaction_timestamp\n\
                 1,7,330,P\xff,1,2017-01-01 10:00:00\n\
                 2,7,330,P1,1,2017-01-01 10:00:00\n";
    let contents = read_rows(&text[..], "x.csv", Locations::Store, 1000).expect("yes");
    assert_eq!(contents.baskets.len(), 1);
    assert_eq!(contents.bad_rows[0].fault, Fault::Unreadable);
    assert_eq!(contents.bad_rows[0].line, 2);
}
