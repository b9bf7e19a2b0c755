//! The body of `PUT /v1/skus/{sku}`: absent is unchanged, `null` clears.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::{
    Command, Configure, CustomerLimit, Location, Millis, OnShortfall, Patch, Sku, Sourcing,
    Timestamp, UNITS_MAX,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::json::{Patch as Change, UniqueMap};
use super::super::problem::Problem;
use super::object::Object;
use super::scalar::{FreeText, LocationName, Time};

/// Longest window of a customer limit: 30 days.
const WINDOW_MAX_MS: u64 = 30 * 86_400_000;
/// Locations that one call may name.
const LOCATIONS_MAX: usize = 1_000;

/// `PUT /v1/skus/{sku}`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Configure)]
pub(crate) struct ConfigureBody {
    /// Units of `main` kept back from sale.
    #[schema(value_type = Option<u32>, maximum = 1_000_000_000)]
    #[serde(default)]
    safety_stock: Change<u32>,
    /// The most units per customer; `null` for no limit.
    #[schema(value_type = Option<LimitBody>)]
    #[serde(default)]
    customer_limit: Change<Object<LimitBody>>,
    /// Reserves before this are refused; `null` for no opening.
    #[schema(value_type = Option<Time>)]
    #[serde(default)]
    opens_at: Change<Time>,
    /// Reserves from this on are refused; `null` for no closing.
    #[schema(value_type = Option<Time>)]
    #[serde(default)]
    closes_at: Change<Time>,
    /// Whether reserves are refused for now.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    paused: Change<bool>,
    /// Low-stock threshold in units available; `null` for none.
    #[schema(value_type = Option<u32>, maximum = 1_000_000_000)]
    #[serde(default)]
    low_at: Change<u32>,
    /// Units available from which it is told to be replenished, more than `low_at`; `null` for
    /// `low_at`, a fifth of it rounded up, and one.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000_000)]
    #[serde(default)]
    replenished_at: Change<u32>,
    /// The locations that sell, in this order; `null` for `main`, then by name.
    #[schema(value_type = Option<Vec<LocationName>>)]
    #[serde(default)]
    location_order: Change<Vec<LocationName>>,
    /// How lines that name no location choose one; `null` for `whole_line`.
    #[schema(value_type = Option<SourcingWord>)]
    #[serde(default)]
    sourcing: Change<SourcingWord>,
    /// What becomes of holds that a shortfall leaves without units; `null` for `first_confirms`.
    #[schema(value_type = Option<OnShortfallWord>)]
    #[serde(default)]
    on_shortfall: Change<OnShortfallWord>,
    /// Settings per location; naming one makes it known to the SKU.
    #[schema(value_type = Option<BTreeMap<String, LocationBody>>)]
    #[serde(default)]
    locations: UniqueMap<Object<LocationBody>>,
    /// Why, for the record.
    reason: Option<FreeText>,
}

/// How lines that name no location choose one.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Sourcing)]
pub(crate) enum SourcingWord {
    /// The first in order that covers the whole line; failing that, split in order.
    WholeLine,
    /// In order, each as much as it has.
    Priority,
    /// From where most is available, then in order.
    MostAvailable,
    /// One location for all lines of the cart, where one covers them; else as `whole_line`.
    WholeCart,
}

/// What becomes of holds that a shortfall leaves without units.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OnShortfall)]
pub(crate) enum OnShortfallWord {
    /// They stay, and the first that confirm get the units.
    FirstConfirms,
    /// The newest that are not pinned are released.
    ReleaseNewest,
}

impl From<SourcingWord> for Sourcing {
    fn from(word: SourcingWord) -> Self {
        match word {
            SourcingWord::WholeLine => Self::WholeLine,
            SourcingWord::Priority => Self::Priority,
            SourcingWord::MostAvailable => Self::MostAvailable,
            SourcingWord::WholeCart => Self::WholeCart,
        }
    }
}

impl From<OnShortfallWord> for OnShortfall {
    fn from(word: OnShortfallWord) -> Self {
        match word {
            OnShortfallWord::FirstConfirms => Self::FirstConfirms,
            OnShortfallWord::ReleaseNewest => Self::ReleaseNewest,
        }
    }
}

/// At most `units` per customer within a sliding window.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerLimit)]
pub(crate) struct LimitBody {
    /// Units per customer.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    units: u32,
    /// Length of the window, at most 30 days.
    #[schema(minimum = 1, maximum = 2_592_000_000_u64)]
    window_ms: u64,
}

/// One location's settings.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LocationSettings)]
pub(crate) struct LocationBody {
    /// Units kept back from sale; `null` for none.
    #[schema(value_type = Option<u32>, maximum = 1_000_000_000)]
    #[serde(default)]
    safety_stock: Change<u32>,
}

/// Turns what a field was set to into the core's word for it.
fn set<T, U>(
    change: Change<T>,
    word: impl FnOnce(T) -> Result<U, Problem>,
) -> Result<Patch<U>, Problem> {
    Ok(match change {
        Change::Absent => Patch::Keep,
        Change::Clear => Patch::Clear,
        Change::Set(value) => Patch::Set(word(value)?),
    })
}

fn units(field: &str, units: u32) -> Result<u32, Problem> {
    if units > UNITS_MAX {
        return Err(Problem::invalid(
            field,
            format!("{units} is more than {UNITS_MAX} units"),
        ));
    }
    Ok(units)
}

fn limit(Object(limit): Object<LimitBody>) -> Result<CustomerLimit, Problem> {
    if limit.units == 0 {
        let detail = "0 units; set at least 1, or null for no limit";
        return Err(Problem::invalid("customer_limit.units", detail));
    }
    if limit.window_ms == 0 || limit.window_ms > WINDOW_MAX_MS {
        let detail = format!("{} is not 1 to {WINDOW_MAX_MS} (30 days)", limit.window_ms);
        return Err(Problem::invalid("customer_limit.window_ms", detail));
    }
    Ok(CustomerLimit {
        units: units("customer_limit.units", limit.units)?,
        window: Millis::new(limit.window_ms),
    })
}

fn order(names: Vec<LocationName>) -> Result<Vec<Location>, Problem> {
    if names.len() > LOCATIONS_MAX {
        let detail = format!("more than {LOCATIONS_MAX} locations");
        return Err(Problem::invalid("location_order", detail));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        let detail = format!("names {} twice", twice.0);
        return Err(Problem::invalid("location_order", detail));
    }
    Ok(names.into_iter().map(|name| name.0).collect())
}

impl ConfigureBody {
    /// The command it asks for.
    pub(crate) fn command(
        self,
        sku: Sku,
        expected_version: Option<u64>,
    ) -> Result<Command, Problem> {
        let opens_at = set(self.opens_at, |time| Ok(time.0))?;
        let closes_at = set(self.closes_at, |time| Ok(time.0))?;
        check_window(&opens_at, &closes_at)?;
        let low_at = set(self.low_at, |number| units("low_at", number))?;
        let replenished_at = set(self.replenished_at, |number| {
            units("replenished_at", number)
        })?;
        check_thresholds(&low_at, &replenished_at)?;
        Ok(Command::Configure(Box::new(Configure {
            sku,
            safety_stock: safety_stock(self.safety_stock, self.locations)?,
            customer_limit: set(self.customer_limit, limit)?,
            opens_at,
            closes_at,
            paused: set(self.paused, Ok)?,
            low_at,
            replenished_at,
            location_order: set(self.location_order, order)?,
            sourcing: set(self.sourcing, |word| Ok(word.into()))?,
            on_shortfall: set(self.on_shortfall, |word| Ok(word.into()))?,
            reason: self.reason.map(|text| text.0),
            expected_version,
        })))
    }
}

fn check_window(opens: &Patch<Timestamp>, closes: &Patch<Timestamp>) -> Result<(), Problem> {
    match (opens, closes) {
        (Patch::Set(opens), Patch::Set(closes)) if closes <= opens => {
            let detail = "not after opens_at, so the sale would never be open";
            Err(Problem::invalid("closes_at", detail))
        }
        _ => Ok(()),
    }
}

/// What one body says alone; the engine compares with what was set before.
fn check_thresholds(low: &Patch<u32>, replenished: &Patch<u32>) -> Result<(), Problem> {
    let low = match low {
        Patch::Set(low) => *low,
        Patch::Keep | Patch::Clear => 0,
    };
    match replenished {
        Patch::Set(replenished) if *replenished <= low => {
            let detail = format!("{replenished} is not above low_at, {low}; set it higher");
            Err(Problem::invalid("replenished_at", detail))
        }
        _ => Ok(()),
    }
}

/// One level per location named: what is at the top is `main`'s.
fn safety_stock(
    of_main: Change<u32>,
    locations: UniqueMap<Object<LocationBody>>,
) -> Result<Vec<(Location, Patch<u32>)>, Problem> {
    if locations.0.len() > LOCATIONS_MAX {
        let detail = format!("more than {LOCATIONS_MAX} locations; send several calls");
        return Err(Problem::invalid("locations", detail));
    }
    let mut levels = BTreeMap::new();
    for (name, Object(body)) in locations.0 {
        let location = Location::parse(&name).map_err(|malformed| {
            Problem::invalid(format!("locations.{name}"), malformed.to_string())
        })?;
        let field = format!("locations.{name}.safety_stock");
        levels.insert(
            location,
            set(body.safety_stock, |number| units(&field, number))?,
        );
    }
    let top = set(of_main, |number| units("safety_stock", number))?;
    if top != Patch::Keep {
        let level = levels.entry(Location::main()).or_default();
        if *level != Patch::Keep {
            let detail = "given twice: at the top, which means main, and under locations.main";
            return Err(Problem::invalid("locations.main.safety_stock", detail));
        }
        *level = top;
    }
    Ok(levels.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::json;
    use super::super::tests::named;
    use super::*;

    fn command(body: &str) -> Result<Configure, Problem> {
        let sku = Sku::parse("TEE").expect("a good name");
        match json::parse::<ConfigureBody>(body.as_bytes())?.command(sku, None)? {
            Command::Configure(configure) => Ok(*configure),
            other => unreachable!("{other:?} is no configuration"),
        }
    }

    #[test]
    fn absent_keeps_null_clears_and_a_value_sets() {
        let configure = command(r#"{"paused":true,"opens_at":null}"#).expect("well formed");
        assert_eq!(configure.paused, Patch::Set(true));
        assert_eq!(configure.opens_at, Patch::Clear);
        assert_eq!(configure.closes_at, Patch::Keep);
        assert!(configure.safety_stock.is_empty());
    }

    #[test]
    fn the_top_safety_stock_is_that_of_main() {
        let body = r#"{"safety_stock":3,"locations":{"main":{},"b":{"safety_stock":null},"c":{}}}"#;
        let levels = command(body).expect("well formed").safety_stock;
        let shown: Vec<_> = levels
            .iter()
            .map(|(name, patch)| (name.as_str(), patch))
            .collect();
        let expected = [
            ("b", &Patch::Clear),
            ("c", &Patch::Keep),
            ("main", &Patch::Set(3)),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_names_its_field() {
        let cases = [
            (
                r#"{"customer_limit":{"units":0,"window_ms":1}}"#,
                "customer_limit.units",
            ),
            (
                r#"{"customer_limit":{"units":1,"window_ms":0}}"#,
                "customer_limit.window_ms",
            ),
            (
                r#"{"customer_limit":{"units":1}}"#,
                "customer_limit.window_ms",
            ),
            (r#"{"location_order":["a","a"]}"#, "location_order"),
            (r#"{"locations":{"a":{},"a":{}}}"#, "locations.a"),
            (r#"{"locations":{"a":null}}"#, "locations.a"),
            (r#"{"locations":{"a":[]}}"#, "locations.a"),
            (r#"{"customer_limit":[1,1]}"#, "customer_limit"),
            (r#"{"locations":{"-":{}}}"#, "locations.-"),
            (r#"{"sourcing":"nearest"}"#, "sourcing"),
            (r#"{"on_shortfall":true}"#, "on_shortfall"),
            (r#"{"safety_stock":-1}"#, "safety_stock"),
            (r#"{"safety_stock":2000000000}"#, "safety_stock"),
            (
                r#"{"opens_at":"2026-11-22T10:00:00Z","closes_at":"2026-11-22T10:00:00Z"}"#,
                "closes_at",
            ),
            (r#"{"low_at":5,"replenished_at":5}"#, "replenished_at"),
            (r#"{"low_at":null,"replenished_at":0}"#, "replenished_at"),
            (r#"{"replenished_at":1000000001}"#, "replenished_at"),
            (
                r#"{"safety_stock":1,"locations":{"main":{"safety_stock":1}}}"#,
                "locations.main.safety_stock",
            ),
        ];
        for (body, field) in cases {
            let (name, detail) = named(&command(body).expect_err(body));
            assert_eq!(name, field, "{body}: {detail}");
        }
    }
}
