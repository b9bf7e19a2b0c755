//! The shapes of answers, written straight from the core's views.

use holdfast_core::{
    Counter, Counters, LineView, Location, MovementOutcome, MovementView, ReservationView,
    Shortage, Sku, SkuView, Status, Text,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::configure::{OnShortfallWord, SourcingWord};
use super::movement::{Asked, RecordedWord};
use super::scalar::{FreeText, Id, LocationName, SkuName, Time};

/// What an answer stands for.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub(crate) struct AsOf {
    /// An opaque point in the ledgers.
    pub(crate) position: String,
    /// Ledger time.
    pub(crate) time: Time,
}

/// A reservation as it stands.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Reservation)]
pub(crate) struct ReservationShape<'a> {
    id: Id,
    /// `open` while any unit is open; after that `confirmed` if any was confirmed, else `expired`
    /// if any expired, else `released`.
    #[schema(value_type = StatusWord)]
    status: &'static str,
    #[schema(value_type = Option<FreeText>, required)]
    order_ref: Option<&'a str>,
    #[schema(value_type = Option<FreeText>, required)]
    customer: Option<&'a str>,
    created_at: Time,
    /// When its open units come free.
    expires_at: Time,
    /// The same from now; 0 once that has passed.
    expires_in_ms: u64,
    /// Until when a payment is in progress.
    #[schema(required)]
    pinned_until: Option<Time>,
    /// Whether units were confirmed after the deadline.
    late: bool,
    /// The payment that bought units first.
    #[schema(value_type = Option<FreeText>, required)]
    payment_ref: Option<&'a str>,
    /// The reservation it took the place of.
    #[schema(required)]
    replaces: Option<Id>,
    /// The reservation that took its place.
    #[schema(required)]
    replaced_by: Option<Id>,
    /// One per SKU and location.
    #[schema(value_type = Vec<LineShape>)]
    lines: Each<'a, LineView>,
    /// What best effort could not grant; absent where everything was.
    #[serde(skip_serializing_if = "Each::is_empty")]
    #[schema(value_type = Option<Vec<ShortageShape>>)]
    shortages: Each<'a, Shortage>,
}

/// A reservation's status.
#[derive(Clone, Copy, Debug, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Status)]
pub(crate) enum StatusWord {
    /// A unit is open.
    Open,
    /// None is open, and one was confirmed.
    Confirmed,
    /// All were given back.
    Released,
    /// None is open or confirmed, and one expired.
    Expired,
}

/// A line of a reservation: the units of one SKU at one location.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Line)]
struct LineShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// Units asked for; for a line the service split, what it placed here.
    requested: u32,
    /// Units held at first: the sum of the next four.
    qty: u32,
    /// Units still held.
    open: u32,
    /// Units sold.
    confirmed: u32,
    /// Units given back.
    released: u32,
    /// Units whose time passed.
    expired: u32,
    /// Units whose sale was taken back before shipment.
    cancelled: u32,
    /// Units that left.
    shipped: u32,
}

/// What best effort could not grant of one line.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Shortage)]
struct ShortageShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    /// Units asked for.
    requested: u32,
    /// Units held.
    granted: u32,
    /// The code of the refusal it would have been.
    reason: &'static str,
}

/// A SKU as it stands; its counters are sums over its locations.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Sku)]
pub(crate) struct SkuShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    /// Counts all events of the SKU; the `ETag`.
    version: u64,
    /// Counts events that are not reservations'; `expected_version` compares with it.
    stock_version: u64,
    /// Counts configurations; `If-Match` compares with it.
    config_version: u64,
    as_of: AsOf,
    #[serde(flatten)]
    #[schema(value_type = CountersShape)]
    counters: CountersShape<'a>,
    /// Units that may be promised: the sum of the locations' own.
    available: i64,
    /// Units held that are not there: the sum of the locations' own.
    shortfall: i64,
    /// Since when nothing is available; `null` while something is, and before anything was.
    #[schema(required)]
    depleted_at: Option<Time>,
    /// Since when nothing is available and nothing reserved: all is sold.
    #[schema(required)]
    sold_out_at: Option<Time>,
    #[schema(value_type = std::collections::BTreeMap<String, LevelShape>)]
    locations: Levels<'a>,
    #[schema(required)]
    customer_limit: Option<LimitShape>,
    /// Reserves before this are refused.
    #[schema(required)]
    opens_at: Option<Time>,
    /// Reserves from this on are refused.
    #[schema(required)]
    closes_at: Option<Time>,
    /// Whether reserves are refused for now.
    paused: bool,
    /// Low-stock threshold in units available.
    #[schema(required)]
    low_at: Option<u32>,
    /// Units available from which it is told to be replenished; `null` for a fifth above `low_at`.
    #[schema(required)]
    replenished_at: Option<u32>,
    /// The locations that sell, in this order; empty: `main`, then by name.
    #[schema(value_type = Vec<LocationName>)]
    location_order: Each<'a, Location>,
    /// How lines that name no location choose one.
    #[schema(value_type = SourcingWord)]
    sourcing: &'static str,
    /// What becomes of holds that a shortfall leaves without units.
    #[schema(value_type = OnShortfallWord)]
    on_shortfall: &'static str,
}

/// At most `units` per customer within a sliding window.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = CustomerLimitState)]
pub(crate) struct LimitShape {
    units: u32,
    window_ms: u64,
}

/// The counters of a SKU at one location.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Level)]
pub(crate) struct LevelShape<'a> {
    #[serde(flatten)]
    #[schema(value_type = CountersShape)]
    counters: CountersShape<'a>,
    /// `on_hand − reserved − safety_stock`, at lowest 0.
    available: i64,
}

/// All counters, by name.
pub(crate) struct CountersShape<'a>(pub(crate) std::borrow::Cow<'a, Counters>);

/// A SKU on a product page.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Availability)]
pub(crate) struct AvailabilityShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    /// Units that may be promised.
    available: i64,
    /// Since when nothing is available; `null` while something is, and before anything was.
    #[schema(required)]
    depleted_at: Option<Time>,
    /// Since when nothing is available and nothing reserved: all is sold.
    #[schema(required)]
    sold_out_at: Option<Time>,
    /// Whether reserves are refused for now.
    paused: bool,
    /// Reserves before this are refused.
    #[schema(required)]
    opens_at: Option<Time>,
    /// Reserves from this on are refused.
    #[schema(required)]
    closes_at: Option<Time>,
    as_of: AsOf,
}

/// A recorded movement.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = MovementRecord)]
pub(crate) struct MovementShape<'a> {
    id: Id,
    #[schema(value_type = RecordedWord)]
    kind: &'static str,
    /// Units; signed for `adjust`, the sum of an opening balance.
    qty: i64,
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// Where a transfer went to.
    #[schema(value_type = Option<LocationName>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

/// What became of a movement.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = MovementAnswer)]
pub(crate) struct MovedShape<'a> {
    /// `null` for a duplicate: what it repeats was recorded under its own id.
    #[schema(value_type = Option<MovementShape>, required)]
    pub(crate) movement: Option<MovementShape<'a>>,
    /// The SKU as it stands.
    #[schema(value_type = SkuShape)]
    pub(crate) sku: SkuShape<'a>,
    #[schema(value_type = OutcomeWord)]
    pub(crate) outcome: &'static str,
    /// Units that fitted, where not all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) applied: Option<i64>,
    /// The drift that the rest opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<Id>,
}

/// What came of a movement.
#[derive(Clone, Copy, Debug, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MovementOutcome)]
pub(crate) enum OutcomeWord {
    /// It was booked whole.
    Applied,
    /// It was booked as far as the counters allowed; the rest opened a drift.
    Partly,
    /// It came after later messages of its stream, and was booked.
    Late,
    /// A count was taken after it: it was booked, and taken out of `on_hand` again.
    Superseded,
    /// It is older than what was applied, and changed nothing.
    Stale,
    /// It was seen before, and changed nothing.
    Duplicate,
}

/// A list written from the core's own, without a copy.
#[derive(PartialEq)]
pub(crate) struct Each<'a, T>(pub(super) &'a [T]);

/// Counters by location.
pub(crate) struct Levels<'a>(pub(crate) &'a [(Location, Counters)]);

impl<T> Each<'_, T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Open => Self::Open,
            StatusWord::Confirmed => Self::Confirmed,
            StatusWord::Released => Self::Released,
            StatusWord::Expired => Self::Expired,
        }
    }
}

pub(super) fn text(value: Option<&Text>) -> Option<&str> {
    value.map(Text::as_str)
}

impl<'a> ReservationShape<'a> {
    /// Of a view.
    pub(crate) fn of(view: &'a ReservationView) -> Self {
        Self {
            id: Id(view.id),
            status: view.status.as_str(),
            order_ref: text(view.order_ref.as_ref()),
            customer: text(view.customer.as_ref()),
            created_at: Time(view.created_at),
            expires_at: Time(view.expires_at),
            expires_in_ms: view.expires_at.since(view.now).ms(),
            pinned_until: view.pinned_until.map(Time),
            late: view.late,
            payment_ref: text(view.payment_ref.as_ref()),
            replaces: view.replaces.map(Id),
            replaced_by: view.replaced_by.map(Id),
            lines: Each(&view.lines),
            shortages: Each(&view.shortages),
        }
    }
}

impl<'a> SkuShape<'a> {
    /// Of a view; `position` is where it stands.
    pub(crate) fn of(view: &'a SkuView, position: String) -> Self {
        let config = &view.config;
        let limit = config.customer_limit.map(|limit| LimitShape {
            units: limit.units,
            window_ms: limit.window.ms(),
        });
        Self {
            sku: view.sku.as_str(),
            version: view.versions.all,
            stock_version: view.versions.stock,
            config_version: view.versions.config,
            as_of: AsOf {
                position,
                time: Time(view.at),
            },
            counters: CountersShape(std::borrow::Cow::Owned(view.totals())),
            available: view.available(),
            shortfall: view.shortfall(),
            depleted_at: view.supply.depleted_at.map(Time),
            sold_out_at: view.supply.sold_out_at.map(Time),
            locations: Levels(&view.levels),
            customer_limit: limit,
            opens_at: config.opens_at.map(Time),
            closes_at: config.closes_at.map(Time),
            paused: config.paused,
            low_at: config.low_at,
            replenished_at: config.replenished_at,
            location_order: Each(&config.location_order),
            sourcing: config.sourcing.as_str(),
            on_shortfall: config.on_shortfall.as_str(),
        }
    }
}

impl<'a> AvailabilityShape<'a> {
    /// Of a view; `position` is where it stands.
    pub(crate) fn of(view: &'a SkuView, position: String) -> Self {
        Self {
            sku: view.sku.as_str(),
            available: view.available(),
            depleted_at: view.supply.depleted_at.map(Time),
            sold_out_at: view.supply.sold_out_at.map(Time),
            paused: view.config.paused,
            opens_at: view.config.opens_at.map(Time),
            closes_at: view.config.closes_at.map(Time),
            as_of: AsOf {
                position,
                time: Time(view.at),
            },
        }
    }
}

impl<'a> MovedShape<'a> {
    /// Of a movement as it was asked for, what came of it, and its SKU as it stands.
    pub(crate) fn of(view: &'a MovementView, asked: &'a Asked, sku: SkuShape<'a>) -> Self {
        let MovementView {
            id,
            sku: _,
            outcome,
            applied,
            drift,
        } = view;
        let movement = MovementShape {
            id: Id(*id),
            kind: asked.kind,
            qty: asked.qty,
            location: asked.location.as_str(),
            to: asked.to.as_ref().map(Location::as_str),
        };
        Self {
            movement: (*outcome != MovementOutcome::Duplicate).then_some(movement),
            sku,
            outcome: outcome.as_str(),
            applied: *applied,
            drift: drift.map(Id),
        }
    }
}

impl Serialize for Each<'_, LineView> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_seq(self.0.iter().map(|line| LineShape {
            sku: line.sku.as_str(),
            location: line.location.as_str(),
            requested: line.requested,
            qty: line.units,
            open: line.open,
            confirmed: line.confirmed,
            released: line.released,
            expired: line.expired,
            cancelled: line.cancelled,
            shipped: line.shipped,
        }))
    }
}

impl Serialize for Each<'_, Shortage> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_seq(self.0.iter().map(|shortage| ShortageShape {
            sku: shortage.sku.as_str(),
            requested: shortage.requested,
            granted: shortage.granted,
            reason: shortage.reason.as_str(),
        }))
    }
}

impl Serialize for Each<'_, Location> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_seq(self.0.iter().map(Location::as_str))
    }
}

impl Serialize for Levels<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_map(self.0.iter().map(|(location, counters)| {
            let available = counters.available();
            let counters = CountersShape(std::borrow::Cow::Borrowed(counters));
            (
                location.as_str(),
                LevelShape {
                    counters,
                    available,
                },
            )
        }))
    }
}

impl Serialize for CountersShape<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(Some(Counter::ALL.len()))?;
        for counter in Counter::ALL {
            map.serialize_entry(counter.name(), &self.0.get(counter))?;
        }
        map.end()
    }
}

impl PartialSchema for CountersShape<'_> {
    fn schema() -> RefOr<Schema> {
        let mut object = ObjectBuilder::new();
        for counter in Counter::ALL {
            let minimum = (!counter.is_signed()).then_some(0);
            let units = ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::Integer))
                .minimum(minimum);
            object = object
                .property(counter.name(), units)
                .required(counter.name());
        }
        object.description(Some("Counters in whole units.")).into()
    }
}

impl ToSchema for CountersShape<'_> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Counters".into()
    }
}

/// The position of a point in the ledger of a SKU's shard.
pub(crate) type PositionOf<'a> = &'a dyn Fn(&Sku, u64) -> String;
