//! What a basket file means: checkouts, in names interned to small numbers.

use std::collections::HashMap;

use serde::Serialize;

/// Names seen once, by number.
#[derive(Clone, Debug, Default)]
pub struct Names {
    all: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// The number of `name`, a new one if it wasn't there.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.all.len()).expect("a file has fewer rows than 2^32");
        self.all.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The number of `name`, if it was interned.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number given by [`Self::intern`].
    pub fn name(&self, number: u32) -> &str {
        &self.all[number as usize]
    }

    /// All names, in the order in which they were first seen.
    pub fn all(&self) -> &[String] {
        &self.all
    }
}

/// A SKU at a location, both by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// The SKU.
    pub sku: u32,
    /// The location.
    pub location: u32,
}

/// Units of one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The SKU.
    pub sku: u32,
    /// Units, at least 1.
    pub qty: u64,
}

/// One visit to the checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    /// As in the file.
    pub id: String,
    /// The customer.
    pub household: String,
    /// The location, by number.
    pub store: u32,
    /// Seconds, on the file's own clock.
    pub at: i64,
    /// One per SKU.
    pub items: Vec<Item>,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing was bought.
    QuantityZero,
    /// More than `--qty-max`.
    QuantityOver,
    /// Not a whole number of units.
    QuantityUnreadable,
    /// Fewer or more columns than the header's.
    Columns,
    /// Not UTF-8, or broken quoting.
    Unreadable,
    /// A basket or household that can't be an order or a customer.
    BadId,
    /// A product that can't be a SKU.
    BadSku,
    /// A store that can't be a location.
    BadLocation,
    /// Not `YYYY-MM-DD HH:MM:SS`.
    BadTime,
    /// Another household or store than the basket's first row.
    OtherBuyer,
}

impl Fault {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::QuantityZero => "quantity is 0",
            Self::QuantityOver => "quantity is over --qty-max",
            Self::QuantityUnreadable => "quantity is no whole number",
            Self::Columns => "columns are missing or too many",
            Self::Unreadable => "row can't be read",
            Self::BadId => "basket or household can't be an order or customer",
            Self::BadSku => "product can't be a SKU",
            Self::BadLocation => "store can't be a location",
            Self::BadTime => "time can't be read",
            Self::OtherBuyer => "household or store differs from the basket's first row",
        }
    }
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// The line in the file, the header being 1.
    pub line: u64,
    /// Why.
    pub fault: Fault,
    /// The value concerned.
    pub value: String,
}

/// A basket file, read.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// In time order; those of one second in file order.
    pub baskets: Vec<Basket>,
    /// Product names.
    pub skus: Names,
    /// Store names; `main` alone where stores don't matter.
    pub locations: Names,
    /// Rows after the header, the bad ones included.
    pub rows: u64,
    /// Rows left out.
    pub bad_rows: Vec<BadRow>,
    /// Baskets all of whose rows were left out.
    pub baskets_empty: u64,
}
