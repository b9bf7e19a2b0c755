//! How an event looks outside: a CloudEvent 1.0 in JSON, written once for all who listen.
//!
//! A block holds what was read in one go, side by side with commas between, so that a listener of
//! everything is handed the bytes as they are. Deliberately absent: who listens.

use super::json::{Object, object, padded};
use super::kind::EventType;
use crate::rfc3339::TimeText;
use holdfast_core::{Counter, Counters, Location, ReservationId, Sku, SkuConfig, Text, Timestamp};
use holdfast_runtime::{Change, Happening, ShardIndex};
use hyper::body::Bytes;
use std::io::Write as _;
use std::ops::Range;
use std::sync::LazyLock;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// About what an event takes.
const EVENT_BYTES: usize = 1_152;

/// The counters' names as they follow on another field: they are more than half of an event's.
static COUNTERS: LazyLock<[(Counter, String); Counter::ALL.len()]> =
    LazyLock::new(|| Counter::ALL.map(|counter| (counter, format!(",\"{}\":", counter.name()))));

/// One event, written.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its sequence in its shard's ledger.
    pub seq: u64,
    /// Its place among those that the same entry of the ledger is told as.
    pub part: u16,
    /// Its type.
    pub kind: EventType,
    /// Its subject; absent where no SKU is concerned.
    pub sku: Option<Sku>,
    /// Ledger time.
    pub at: Timestamp,
    range: Range<usize>,
}

/// Events of one shard that follow on each other.
#[derive(Clone, Debug)]
pub struct Block {
    /// The shard.
    pub shard: ShardIndex,
    /// The last event before those of the block.
    pub after: u64,
    /// The last event of the block, told or not.
    pub last: u64,
    /// Those that are told.
    pub events: Vec<Published>,
    json: Bytes,
}

impl Block {
    /// An event's JSON.
    pub fn json(&self, event: &Published) -> Bytes {
        self.json.slice(event.range.clone())
    }

    /// An event's id.
    pub fn id(&self, event: &Published) -> String {
        format!("{:04x}-{:020}-{}", self.shard, event.seq, event.part)
    }

    /// The JSON of events that lie side by side, with commas between.
    pub fn list(&self, events: &[Published]) -> Bytes {
        match (events.first(), events.last()) {
            (Some(first), Some(last)) => self.json.slice(first.range.start..last.range.end),
            _ => Bytes::new(),
        }
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.events.len() * size_of::<Published>()
    }
}

/// Writes the events of one shard.
pub struct Writer {
    shard: ShardIndex,
    /// In four hexadecimal digits.
    shard_text: String,
    source: String,
}

/// A block under way.
pub(super) struct Draft<'a> {
    writer: &'a Writer,
    after: u64,
    events: Vec<Published>,
    json: Vec<u8>,
    /// The last time, and its text: most events share it with the one before.
    time: (Timestamp, TimeText),
}

impl Writer {
    /// Of a shard of the stock with this cluster id.
    pub fn new(cluster: u64, shard: ShardIndex) -> Self {
        Self {
            shard,
            shard_text: format!("{shard:04x}"),
            source: format!("/holdfast/{cluster:016x}"),
        }
    }

    /// Begins a block of what follows `after`, about so many events.
    pub(super) fn begin(&self, after: u64, events: usize) -> Draft<'_> {
        Draft {
            writer: self,
            after,
            events: Vec::with_capacity(events),
            json: Vec::with_capacity(events * EVENT_BYTES),
            time: (Timestamp::ZERO, TimeText::of(Timestamp::ZERO)),
        }
    }

    /// The event's attributes, and what happened as its `data`.
    fn write(&self, json: &mut Object<'_>, kind: EventType, happening: &Happening, time: &str) {
        let (entry, shard) = (&happening.entry, self.shard_text.as_bytes());
        let sku = happening.sku.as_ref().map(Sku::as_str);
        json.plain("specversion", "1.0");
        json.written("id", |text| {
            text.extend_from_slice(shard);
            text.push(b'-');
            padded(text, entry.seq);
            // Writing to memory does not fail.
            let _ = write!(text, "-{}", happening.part);
        });
        json.plain("source", &self.source);
        json.plain("type", kind.name());
        if let Some(sku) = sku {
            json.plain("subject", sku);
        }
        json.plain("time", time);
        json.plain("datacontenttype", "application/json");
        json.plain("dataschema", kind.schema());
        match (sku, entry.details.reservation, &happening.declared) {
            (Some(sku), ..) => json.plain("partitionkey", sku),
            (None, Some(id), _) => json.id("partitionkey", id),
            (None, None, Some(declared)) => json.plain("partitionkey", declared.location.as_str()),
            (None, None, None) => json.plain("partitionkey", &self.shard_text),
        }
        json.written("sequence", |text| padded(text, entry.seq));
        if let Some(trace) = entry.details.trace {
            json.value("traceparent", &trace.to_string());
        }
        json.object("data", |json| data(json, happening));
    }
}

impl Draft<'_> {
    /// Writes what happened, if it is told outside.
    pub(super) fn push(&mut self, happening: &Happening) {
        let Some(kind) = EventType::of(happening) else {
            return;
        };
        if !self.events.is_empty() {
            self.json.push(b',');
        }
        let start = self.json.len();
        let at = happening.entry.at;
        if self.time.0 != at {
            self.time = (at, TimeText::of(at));
        }
        let (writer, time) = (self.writer, self.time.1.as_str());
        object(&mut self.json, |json| {
            writer.write(json, kind, happening, time);
        });
        self.events.push(Published {
            seq: happening.entry.seq,
            part: happening.part,
            kind,
            sku: happening.sku.clone(),
            at: happening.entry.at,
            range: start..self.json.len(),
        });
    }

    /// The block, up to and with the event `last`.
    pub(super) fn finish(self, last: u64) -> Block {
        Block {
            shard: self.writer.shard,
            after: self.after,
            last,
            events: self.events,
            json: self.json.into(),
        }
    }
}

/// What happened: quantities, counters before and after, who and why.
fn data(json: &mut Object<'_>, happening: &Happening) {
    let entry = &happening.entry;
    if let Some(sku) = &happening.sku {
        let [was, is] = happening.available;
        json.plain("sku", sku.as_str());
        if let [one] = &entry.changes[..] {
            json.plain("location", one.location.as_str());
        }
        json.value("qty", &entry.units());
        json.object("before", |json| stock(json, &entry.before, was));
        json.object("after", |json| stock(json, &entry.after, is));
        json.object("locations", |json| locations(json, &entry.changes));
    }
    let details = &entry.details;
    json.optional_id("reservation", details.reservation);
    json.optional_text("order_ref", details.order_ref.as_ref());
    json.optional_text("payment_ref", happening.payment_ref.as_ref());
    json.optional_id("movement", details.movement);
    json.optional_id("drift", details.drift);
    json.optional_text("reason", details.reason.as_ref());
    json.optional_text("document", details.document.as_ref());
    json.optional_text("source", details.source.as_ref());
    if let Some(at) = details.occurred_at {
        json.plain("occurred_at", TimeText::of(at).as_str());
    }
    if let Some(shorted) = &details.shorted {
        json.value("affected", &affected(&shorted.named));
        json.value("affected_more", &shorted.more);
    }
    if let Some(declared) = &happening.declared {
        json.plain("location", declared.location.as_str());
        json.value("selling", &declared.selling);
        json.number("version", declared.version);
    }
    if let Some(sells) = &happening.config {
        json.object("config", |json| config(json, sells));
    }
}

impl Object<'_> {
    fn id(&mut self, name: &str, id: ReservationId) {
        let mut digits = [0; Hyphenated::LENGTH];
        let digits = Uuid::from_u128(id.as_u128())
            .hyphenated()
            .encode_lower(&mut digits);
        self.plain(name, digits);
    }

    fn optional_id(&mut self, name: &str, id: Option<ReservationId>) {
        if let Some(id) = id {
            self.id(name, id);
        }
    }

    fn optional_text(&mut self, name: &str, text: Option<&Text>) {
        if let Some(text) = text {
            self.value(name, &text.as_str());
        }
    }
}

/// All counters, summed over locations, and what could be promised.
pub(super) fn stock(json: &mut Object<'_>, counters: &Counters, available: i64) {
    json.number("available", available);
    for (counter, name) in COUNTERS.iter() {
        json.following(name, counters.get(*counter));
    }
}

/// What changed, by location: the changed counters alone.
fn locations(json: &mut Object<'_>, changes: &[Change]) {
    for Change {
        location,
        before,
        after,
    } in changes
    {
        json.object(location.as_str(), |json| {
            json.object("before", |json| differing(json, before, after));
            json.object("after", |json| differing(json, after, before));
        });
    }
}

/// Of the first the counters in which it differs from the second.
fn differing(json: &mut Object<'_>, counters: &Counters, others: &Counters) {
    for counter in Counter::ALL {
        let value = counters.get(counter);
        if value != others.get(counter) {
            json.number(counter.name(), value);
        }
    }
}

/// Reservations that a shortfall leaves without units.
fn affected(named: &[(ReservationId, u32)]) -> Vec<serde_json::Value> {
    let one = |(id, without): &(ReservationId, u32)| serde_json::json!({"reservation": id.to_string(), "without": without});
    named.iter().map(one).collect()
}

/// How a SKU sells from now on.
pub(super) fn config(json: &mut Object<'_>, config: &SkuConfig) {
    let limit = config.customer_limit;
    let limit = limit
        .map(|limit| serde_json::json!({"units": limit.units, "window_ms": limit.window.ms()}));
    json.value("customer_limit", &limit);
    json.value("opens_at", &config.opens_at.map(TimeText::of));
    json.value("closes_at", &config.closes_at.map(TimeText::of));
    json.value("paused", &config.paused);
    json.value("low_at", &config.low_at);
    json.value("replenished_at", &config.replenished_at);
    let order: Vec<&str> = config.location_order.iter().map(Location::as_str).collect();
    json.value("location_order", &order);
}
