//! How an event looks outside: a CloudEvent 1.0 in JSON, written once for all who listen.
//!
//! A block holds what was read in one go, side by side with commas between, so that a listener of
//! everything is handed the bytes as they are. Deliberately absent: who listens.

use super::kind::EventType;
use crate::rfc3339::TimeText;
use holdfast_core::{Counter, Counters, Location, ReservationId, Sku, SkuConfig, Text, Timestamp};
use holdfast_runtime::{Change, Happening, ShardIndex};
use hyper::body::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::ops::Range;

/// One event, written.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its sequence in its shard's ledger.
    pub seq: u64,
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
    source: String,
}

/// A block under way.
pub(super) struct Draft<'a> {
    writer: &'a Writer,
    after: u64,
    events: Vec<Published>,
    json: Vec<u8>,
}

impl Writer {
    /// Of a shard of the stock with this cluster id.
    pub fn new(cluster: u64, shard: ShardIndex) -> Self {
        let source = format!("/holdfast/{cluster:016x}");
        Self { shard, source }
    }

    /// Begins a block of what follows `after`.
    pub(super) fn begin(&self, after: u64) -> Draft<'_> {
        Draft {
            writer: self,
            after,
            events: Vec::new(),
            json: Vec::new(),
        }
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
        let envelope = Envelope {
            writer: self.writer,
            kind,
            happening,
        };
        serde_json::to_writer(&mut self.json, &envelope)
            .expect("numbers and texts in memory can be written");
        self.events.push(Published {
            seq: happening.entry.seq,
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

struct Envelope<'a> {
    writer: &'a Writer,
    kind: EventType,
    happening: &'a Happening,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let Happening {
            sku, part, entry, ..
        } = self.happening;
        let shard = self.writer.shard;
        let sku = sku.as_ref().map(Sku::as_str);
        let mut map = json.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &format_args!("{shard:04x}-{:020}-{part}", entry.seq))?;
        map.serialize_entry("source", &self.writer.source)?;
        map.serialize_entry("type", self.kind.name())?;
        if let Some(sku) = sku {
            map.serialize_entry("subject", sku)?;
        }
        map.serialize_entry("time", &TimeText::of(entry.at))?;
        map.serialize_entry("datacontenttype", "application/json")?;
        map.serialize_entry("dataschema", self.kind.schema())?;
        match (sku, entry.details.reservation) {
            (Some(sku), _) => map.serialize_entry("partitionkey", sku)?,
            (None, Some(id)) => map.serialize_entry("partitionkey", &IdText(id))?,
            (None, None) => map.serialize_entry("partitionkey", &format_args!("{shard:04x}"))?,
        }
        map.serialize_entry("sequence", &format_args!("{:020}", entry.seq))?;
        if let Some(trace) = entry.details.trace {
            map.serialize_entry("traceparent", &format_args!("{trace}"))?;
        }
        map.serialize_entry("data", &Data(self.happening))?;
        map.end()
    }
}

/// What happened: quantities, counters before and after, who and why.
struct Data<'a>(&'a Happening);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let Happening {
            sku,
            entry,
            available: [was, is],
            config,
            payment_ref,
            ..
        } = self.0;
        let mut map = json.serialize_map(None)?;
        if let Some(sku) = sku {
            map.serialize_entry("sku", sku.as_str())?;
            if let [one] = &entry.changes[..] {
                map.serialize_entry("location", one.location.as_str())?;
            }
            map.serialize_entry("qty", &entry.units())?;
            map.serialize_entry("before", &Stock(&entry.before, *was))?;
            map.serialize_entry("after", &Stock(&entry.after, *is))?;
            map.serialize_entry("locations", &Locations(&entry.changes))?;
        }
        let details = &entry.details;
        let id = |id: &Option<ReservationId>| id.map(IdText);
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
        optional(&mut map, "reservation", id(&details.reservation))?;
        optional(&mut map, "order_ref", text(&details.order_ref))?;
        optional(&mut map, "payment_ref", text(payment_ref))?;
        optional(&mut map, "movement", id(&details.movement))?;
        optional(&mut map, "drift", id(&details.drift))?;
        optional(&mut map, "reason", text(&details.reason))?;
        optional(&mut map, "document", text(&details.document))?;
        optional(&mut map, "source", text(&details.source))?;
        optional(
            &mut map,
            "occurred_at",
            details.occurred_at.map(TimeText::of),
        )?;
        if let Some(shorted) = &details.shorted {
            map.serialize_entry("affected", &Affected(&shorted.named))?;
            map.serialize_entry("affected_more", &shorted.more)?;
        }
        if let Some(config) = config {
            map.serialize_entry("config", &Config(config))?;
        }
        map.end()
    }
}

fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<T>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

struct IdText(ReservationId);

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_str(&self.0)
    }
}

/// All counters, summed over locations, and what could be promised.
pub(super) struct Stock<'a>(pub(super) &'a Counters, pub(super) i64);

impl Serialize for Stock<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(None)?;
        map.serialize_entry("available", &self.1)?;
        for counter in Counter::ALL {
            map.serialize_entry(counter.name(), &self.0.get(counter))?;
        }
        map.end()
    }
}

/// What changed, by location: the changed counters alone.
struct Locations<'a>(&'a [Change]);

impl Serialize for Locations<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(Some(self.0.len()))?;
        for change in self.0 {
            map.serialize_entry(change.location.as_str(), &Changed(change))?;
        }
        map.end()
    }
}

struct Changed<'a>(&'a Change);

impl Serialize for Changed<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let Change { before, after, .. } = self.0;
        let mut map = json.serialize_map(Some(2))?;
        map.serialize_entry("before", &Differing(before, after))?;
        map.serialize_entry("after", &Differing(after, before))?;
        map.end()
    }
}

/// Of the first the counters in which it differs from the second.
struct Differing<'a>(&'a Counters, &'a Counters);

impl Serialize for Differing<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(None)?;
        for counter in Counter::ALL {
            let value = self.0.get(counter);
            if value != self.1.get(counter) {
                map.serialize_entry(counter.name(), &value)?;
            }
        }
        map.end()
    }
}

/// Reservations that a shortfall leaves without units.
struct Affected<'a>(&'a [(ReservationId, u32)]);

impl Serialize for Affected<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct One {
            reservation: IdText,
            without: u32,
        }
        let one = |(id, without): &(ReservationId, u32)| One {
            reservation: IdText(*id),
            without: *without,
        };
        json.collect_seq(self.0.iter().map(one))
    }
}

/// How a SKU sells from now on.
pub(super) struct Config<'a>(pub(super) &'a SkuConfig);

impl Serialize for Config<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let config = self.0;
        let mut map = json.serialize_map(None)?;
        let limit = config
            .customer_limit
            .map(|limit| serde_json::json!({"units": limit.units, "window_ms": limit.window.ms()}));
        map.serialize_entry("customer_limit", &limit)?;
        map.serialize_entry("opens_at", &config.opens_at.map(TimeText::of))?;
        map.serialize_entry("closes_at", &config.closes_at.map(TimeText::of))?;
        map.serialize_entry("paused", &config.paused)?;
        map.serialize_entry("low_at", &config.low_at)?;
        let order: Vec<&str> = config.location_order.iter().map(Location::as_str).collect();
        map.serialize_entry("location_order", &order)?;
        map.end()
    }
}
