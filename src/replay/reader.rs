//! Reading a basket file: row by row, plain or gzipped, keeping what can be used and noting by line
//! number what can't.
//!
//! Deliberately absent: repair. A quantity of 0 or of 40,000 is not guessed at; the row is left
//! out and reported.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use csv::{ErrorKind, StringRecord};
use flate2::read::MultiGzDecoder;
use jiff::{civil::DateTime, tz::TimeZone};
use serde::Serialize;

use super::basket::{BadRow, Basket, Contents, Fault, Item};

/// Where a basket is checked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Locations {
    /// At its store.
    #[default]
    Store,
    /// All at `main`.
    One,
}

/// A file that is no basket file.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It can't be opened or read.
    #[error("can't read {path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Its first line names other columns.
    #[error(
        "{path} has no column {column:?} in its first line; a basket file has \
         basket_id,household_id,store_id,product_id,quantity,transaction_timestamp"
    )]
    Header {
        /// The file.
        path: String,
        /// What is missing.
        column: &'static str,
    },
}

const COLUMNS: [&str; 6] = [
    "basket_id",
    "household_id",
    "store_id",
    "product_id",
    "quantity",
    "transaction_timestamp",
];

/// Reads the file at `path`, gzipped where it begins like gzip.
pub fn read(path: &Path, locations: Locations, qty_max: u64) -> Result<Contents, Unusable> {
    let unreadable = |error| Unusable::Io {
        path: path.display().to_string(),
        error,
    };
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(unreadable)?);
    let zipped = io::BufRead::fill_buf(&mut file)
        .map_err(unreadable)?
        .starts_with(&[0x1f, 0x8b]);
    let rows: Box<dyn Read> = if zipped {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    read_rows(rows, &path.display().to_string(), locations, qty_max)
}

/// Reads rows from anything that gives bytes; `path` is for messages.
pub fn read_rows(
    rows: impl Read,
    path: &str,
    locations: Locations,
    qty_max: u64,
) -> Result<Contents, Unusable> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(rows);
    let unreadable = |error| Unusable::Io {
        path: path.to_owned(),
        error,
    };
    let header = rows
        .headers()
        .map_err(|error| unreadable(error.into()))?
        .clone();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = header
            .iter()
            .position(|name| name.trim_start_matches('\u{feff}') == column);
        *place = found.ok_or_else(|| Unusable::Header {
            path: path.to_owned(),
            column,
        })?;
    }
    let mut reading = Reading {
        places,
        width: header.len(),
        locations,
        qty_max,
        ..<_>::default()
    };
    let mut record = StringRecord::new();
    loop {
        match rows.read_record(&mut record) {
            Ok(false) => return Ok(reading.finish()),
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                reading.row(line, &record);
            }
            Err(error) => match error.kind() {
                ErrorKind::Utf8 { pos, err } => {
                    let line = pos.as_ref().map_or(0, csv::Position::line);
                    reading.bad(line, None, Fault::Unreadable, &err.to_string());
                }
                _ => return Err(unreadable(error.into())),
            },
        }
    }
}

#[derive(Debug, Default)]
struct Reading {
    contents: Contents,
    places: [usize; COLUMNS.len()],
    width: usize,
    locations: Locations,
    qty_max: u64,
    /// Basket → its place in `contents`; `None` while all its rows were bad.
    baskets: HashMap<String, Option<usize>>,
    /// SKU → place in the items, of the basket read last; rows of a basket are mostly neighbours.
    items: HashMap<u32, usize>,
    items_of: Option<usize>,
}

#[derive(Debug)]
struct Row<'a> {
    basket: &'a str,
    household: &'a str,
    location: &'a str,
    sku: &'a str,
    qty: u64,
    at: i64,
}

impl Reading {
    fn row(&mut self, line: u64, record: &StringRecord) {
        if record.len() != self.width {
            let basket = record.get(self.places[0]).map(str::to_owned);
            let found = format!("{} columns", record.len());
            self.bad(line, basket.as_deref(), Fault::Columns, &found);
            return;
        }
        match self.parse(record) {
            Ok(row) => {
                if let Err((fault, value)) = self.take(&row) {
                    self.bad(line, Some(row.basket), fault, &value);
                }
            }
            Err((fault, value)) => self.bad(line, Some(&record[self.places[0]]), fault, &value),
        }
    }

    fn parse<'a>(&self, record: &'a StringRecord) -> Result<Row<'a>, (Fault, String)> {
        let [basket, household, store, sku, qty, at] = self.places.map(|place| &record[place]);
        let bad = |fault, value: &str| Err((fault, value.to_owned()));
        for name in [basket, household] {
            if !is_reference(name) {
                return bad(Fault::BadId, name);
            }
        }
        if !is_name(sku, 64) {
            return bad(Fault::BadSku, sku);
        }
        let location = match self.locations {
            Locations::Store if is_name(store, 32) => store,
            Locations::Store => return bad(Fault::BadLocation, store),
            Locations::One => "main",
        };
        let qty = match qty.parse::<u64>() {
            Ok(0) => return bad(Fault::QuantityZero, qty),
            Ok(units) if units <= self.qty_max => units,
            Ok(_over) => return bad(Fault::QuantityOver, qty),
            Err(_) => return bad(Fault::QuantityUnreadable, qty),
        };
        let Some(at) = seconds(at) else {
            return bad(Fault::BadTime, at);
        };
        Ok(Row {
            basket,
            household,
            location,
            sku,
            qty,
            at,
        })
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), (Fault, String)> {
        let store = self.contents.locations.intern(row.location);
        let known = self.baskets.get(row.basket).copied().flatten();
        let place = if let Some(place) = known {
            let basket = &self.contents.baskets[place];
            if basket.store != store || basket.household != row.household {
                return Err((
                    Fault::OtherBuyer,
                    format!("{}/{}", row.household, row.location),
                ));
            }
            place
        } else {
            self.contents.baskets.push(Basket {
                id: row.basket.to_owned(),
                household: row.household.to_owned(),
                store,
                at: row.at,
                items: Vec::new(),
            });
            let place = self.contents.baskets.len() - 1;
            self.baskets.insert(row.basket.to_owned(), Some(place));
            place
        };
        let sku = self.contents.skus.intern(row.sku);
        let items = &mut self.contents.baskets[place].items;
        if self.items_of != Some(place) {
            self.items = items
                .iter()
                .enumerate()
                .map(|(at, item)| (item.sku, at))
                .collect();
            self.items_of = Some(place);
        }
        if let Some(&at) = self.items.get(&sku) {
            items[at].qty += row.qty;
        } else {
            self.items.insert(sku, items.len());
            items.push(Item { sku, qty: row.qty });
        }
        self.contents.rows += 1;
        Ok(())
    }

    fn bad(&mut self, line: u64, basket: Option<&str>, fault: Fault, value: &str) {
        self.contents.rows += 1;
        if let Some(basket) = basket {
            self.baskets.entry(basket.to_owned()).or_insert(None);
        }
        let value = value.chars().take(64).collect();
        self.contents.bad_rows.push(BadRow { line, fault, value });
    }

    fn finish(mut self) -> Contents {
        let empty = self
            .baskets
            .values()
            .filter(|place| place.is_none())
            .count();
        self.contents.baskets_empty = empty as u64;
        self.contents.baskets.sort_by_key(|basket| basket.at);
        self.contents
    }
}

/// The contract's rule for SKUs and locations: 1 to `max` of `[A-Za-z0-9._:-]`, the first
/// alphanumeric.
fn is_name(text: &str, max: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    text.len() <= max
        && text.bytes().all(allowed)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

/// What can stand in a key and an order reference beside the run's id.
fn is_reference(text: &str) -> bool {
    (1..=48).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn seconds(text: &str) -> Option<i64> {
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}
