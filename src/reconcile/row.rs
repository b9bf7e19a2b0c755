//! The rows of the three kinds of files, as their senders mean them, checked field by field.
//!
//! Deliberately absent: files (`reader`), and whether a SKU or a reservation is known.

use holdfast_core::{Location, Measure, ReservationId, Sku, Text, Timestamp, UNITS_MAX};
use serde::Deserialize;

use super::when;

/// What a line says, or what is wrong with it.
pub(super) type Checked<T> = Result<T, String>;

/// A row of a warehouse's count or of a seller's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StockRow {
    /// The line it stands on.
    pub(super) line: u64,
    /// Of what.
    pub(super) sku: Sku,
    /// Where.
    pub(super) location: Location,
    /// How many.
    pub(super) units: u64,
    /// What they are compared with.
    pub(super) against: Against,
    /// When it was so, where the row says another moment than the file.
    pub(super) at: Option<Timestamp>,
}

/// What a number of units is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// A count, of what it measured.
    Count(holdfast_core::Basis),
    /// What can be promised: never below 0, less what is kept back.
    Available,
}

/// A row of an order export: one line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderRow {
    /// The line it stands on.
    pub(super) line: u64,
    /// The order.
    pub(super) order: Text,
    /// The reservation it was made of, where the order service knows one.
    pub(super) reservation: Option<ReservationId>,
    /// How the order stands.
    pub(super) state: OrderState,
    /// Of what.
    pub(super) sku: Sku,
    /// Where, if the order service knows.
    pub(super) location: Option<Location>,
    /// How many.
    pub(super) units: u32,
}

/// How an order stands with the order service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OrderState {
    /// It waits for its payment.
    Pending,
    /// It is paid.
    Paid,
    /// Its goods have left.
    Shipped,
    /// It was cancelled.
    Cancelled,
}

/// A row as it was sent, before any field was looked at.
pub(super) trait Raw: for<'de> Deserialize<'de> {
    /// What it becomes.
    type Row: Send + 'static;
    /// The columns a file must have.
    const COLUMNS: &'static [&'static str];
    /// Looks at its fields.
    fn check(self, line: u64) -> Checked<Self::Row>;
}

/// `sku, location, counted, measure, excludes, taken_at`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCount {
    sku: String,
    #[serde(default)]
    location: Option<String>,
    counted: u64,
    #[serde(default)]
    measure: Option<String>,
    #[serde(default)]
    excludes: Option<String>,
    #[serde(default)]
    taken_at: Option<String>,
}

/// `sku, location, available | on_hand`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSeller {
    sku: String,
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    available: Option<u64>,
    #[serde(default)]
    on_hand: Option<u64>,
}

/// `order_ref, reservation, state, sku, location, qty`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOrder {
    order_ref: String,
    #[serde(default)]
    reservation: Option<String>,
    state: OrderState,
    sku: String,
    #[serde(default)]
    location: Option<String>,
    qty: u32,
}

impl Raw for RawCount {
    type Row = StockRow;
    const COLUMNS: &'static [&'static str] = &["sku", "counted"];

    fn check(self, line: u64) -> Checked<StockRow> {
        let mut basis = holdfast_core::Basis {
            measure: match set(self.measure.as_deref()) {
                None | Some("physical") => Measure::Physical,
                Some("sellable") => Measure::Sellable,
                Some("available") => Measure::Available,
                Some(other) => {
                    let words = "physical, sellable or available";
                    return Err(format!("measure is {other:?}; expected {words}"));
                }
            },
            ..holdfast_core::Basis::default()
        };
        let excluded = set(self.excludes.as_deref()).unwrap_or_default();
        for word in excluded.split(['|', ' ']).filter(|word| !word.is_empty()) {
            match word {
                "returned" => basis.excludes_returned = true,
                "damaged" => basis.excludes_damaged = true,
                _ => {
                    let words = "returned, damaged, or both with a | between";
                    return Err(format!("excludes is {excluded:?}; expected {words}"));
                }
            }
        }
        let at = set(self.taken_at.as_deref()).map(|text| {
            when::parse(text).ok_or_else(|| format!("taken_at is {text:?}; expected RFC 3339, UTC"))
        });
        Ok(StockRow {
            line,
            sku: sku(&self.sku)?,
            location: location(self.location.as_deref())?.unwrap_or_else(Location::main),
            units: units("counted", self.counted)?,
            against: Against::Count(basis),
            at: at.transpose()?,
        })
    }
}

impl Raw for RawSeller {
    type Row = StockRow;
    const COLUMNS: &'static [&'static str] = &["sku"];

    fn check(self, line: u64) -> Checked<StockRow> {
        let on_hand = holdfast_core::Basis {
            measure: Measure::Sellable,
            ..holdfast_core::Basis::default()
        };
        let (units, against) = match (self.available, self.on_hand) {
            (Some(units), None) => (self::units("available", units)?, Against::Available),
            (None, Some(units)) => (self::units("on_hand", units)?, Against::Count(on_hand)),
            (Some(_), Some(_)) => return Err("available and on_hand are both there".to_owned()),
            (None, None) => return Err("neither available nor on_hand is there".to_owned()),
        };
        Ok(StockRow {
            line,
            sku: sku(&self.sku)?,
            location: location(self.location.as_deref())?.unwrap_or_else(Location::main),
            units,
            against,
            at: None,
        })
    }
}

impl Raw for RawOrder {
    type Row = OrderRow;
    const COLUMNS: &'static [&'static str] = &["order_ref", "state", "sku", "qty"];

    fn check(self, line: u64) -> Checked<OrderRow> {
        let order = Text::parse(&self.order_ref);
        let reservation = set(self.reservation.as_deref()).map(|text| {
            let expected = "an id as this service gave it";
            let malformed = || format!("reservation is {text:?}; expected {expected}");
            ReservationId::parse(text).ok_or_else(malformed)
        });
        if self.qty > UNITS_MAX {
            return Err(format!("qty is {}, more than {UNITS_MAX}", self.qty));
        }
        Ok(OrderRow {
            line,
            order: order.map_err(|error| format!("order_ref is {:?}; {error}", self.order_ref))?,
            reservation: reservation.transpose()?,
            state: self.state,
            sku: sku(&self.sku)?,
            location: location(self.location.as_deref())?,
            units: self.qty,
        })
    }
}

/// An empty field is one that is absent.
fn set(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn sku(text: &str) -> Checked<Sku> {
    Sku::parse(text).map_err(|error| format!("sku is {text:?}; {error}"))
}

fn location(text: Option<&str>) -> Checked<Option<Location>> {
    let parse =
        |text| Location::parse(text).map_err(|error| format!("location is {text:?}; {error}"));
    set(text).map(parse).transpose()
}

fn units(field: &str, units: u64) -> Checked<u64> {
    if units > u64::from(UNITS_MAX) {
        return Err(format!("{field} is {units}, more than {UNITS_MAX}"));
    }
    Ok(units)
}
