//! Chunks of the snapshot: their records, one after the other, up to the end.
//!
//! Equal states give equal bytes, so that the bytes of all chunks, in the order of their ids, are
//! the canonical form of a shard's state (INV-6). An empty chunk has no bytes at all.

use holdfast_core::{
    CHUNK_ENTRIES, ChunkId, ChunkState, HoldRecord, HomeRecord, KeyRecord, LevelRecord,
    ShardRecord, SkuRecord, StreamRecord, Supply,
};

use super::key::Key;
use super::wire::{Decoder, Encoder, Read, flag};
use super::{CodecError, Fault};

const KIND_SHARD: u8 = 0;
const KIND_SKUS: u8 = 1;
const KIND_HOMES: u8 = 2;
const KIND_HOLDS: u8 = 3;
const KIND_KEYS: u8 = 4;

/// What follows on the counters of a SKU.
const SKU_LIFE: u8 = 1;
const SKU_SUPPLY: u8 = 1 << 1;

/// The bytes of a chunk; none where it is empty.
///
/// # Panics
/// Where a record breaks INV-5: it could never be read again, so it must not be written.
pub fn encode(state: &ChunkState) -> Vec<u8> {
    if state.is_empty() {
        return Vec::new();
    }
    let mut encoder = Encoder::new();
    encoder.version();
    match state {
        ChunkState::Shard(record) => {
            encoder.byte(KIND_SHARD);
            encoder.varint(record.next_hold);
            encoder.varint(record.next_key);
            encoder.varint(record.first_key);
            encoder.varint(record.locations.len() as u64);
            for location in &record.locations {
                encoder.location_record(location);
            }
        }
        ChunkState::Skus(records) => {
            encoder.records(KIND_SKUS, records, Encoder::sku_record);
        }
        ChunkState::Homes(records) => {
            encoder.records(KIND_HOMES, records, Encoder::home_record);
        }
        ChunkState::Holds(records) => {
            encoder.records(KIND_HOLDS, records, Encoder::hold_record);
        }
        ChunkState::Keys(records) => {
            encoder.records(KIND_KEYS, records, Encoder::key_record);
        }
    }
    encoder.out
}

/// The state of the chunk `id`, from bytes that [`encode`] made. Its records belong to the chunk
/// and are in order, or it is an error.
pub fn decode(id: ChunkId, bytes: &[u8]) -> Result<ChunkState, CodecError> {
    if bytes.is_empty()
        && let Some(empty) = empty(id)
    {
        return Ok(empty);
    }
    let mut decoder = Decoder::begin(bytes)?;
    decoder.chunk(id).map_err(|fault| decoder.error(fault))
}

/// A chunk without records; the shard's own is never empty.
fn empty(id: ChunkId) -> Option<ChunkState> {
    match id {
        ChunkId::Shard => None,
        ChunkId::Skus(_) => Some(ChunkState::Skus(Vec::new())),
        ChunkId::Homes(..) => Some(ChunkState::Homes(Vec::new())),
        ChunkId::Holds(_) => Some(ChunkState::Holds(Vec::new())),
        ChunkId::Keys(_) => Some(ChunkState::Keys(Vec::new())),
    }
}

impl Encoder {
    fn records<T>(&mut self, kind: u8, records: &[T], write: impl Fn(&mut Self, &T)) {
        self.byte(kind);
        for record in records {
            write(self, record);
        }
    }

    fn sku_record(&mut self, record: &SkuRecord) {
        self.sku(&record.sku);
        self.config(&record.config);
        self.versions(record.versions);
        self.varint(record.levels.len() as u64);
        for level in &record.levels {
            self.location(&level.location);
            self.counters(&level.counters);
        }
        self.rest(record);
    }

    /// What few SKUs have; one byte for all the others.
    fn rest(&mut self, record: &SkuRecord) {
        let counted = record.levels.iter().any(|level| level.counted.is_some());
        let has_life = counted
            || !record.streams.is_empty()
            || !record.messages.is_empty()
            || !record.drifts.is_empty();
        let has_supply = record.supply != Supply::default();
        self.byte(flag(has_life, SKU_LIFE) | flag(has_supply, SKU_SUPPLY));
        if has_life {
            self.life(record);
        }
        if has_supply {
            self.supply(record.supply);
        }
    }

    fn life(&mut self, record: &SkuRecord) {
        for level in &record.levels {
            self.optional(level.counted, |encoder, (at, seq, basis)| {
                encoder.time(at);
                encoder.varint(seq);
                encoder.basis(basis);
            });
        }
        self.varint(record.streams.len() as u64);
        record
            .streams
            .iter()
            .for_each(|stream| self.stream_record(stream));
        self.varint(record.messages.len() as u64);
        for (hash, at) in &record.messages {
            self.array(hash.to_le_bytes());
            self.time(*at);
        }
        self.varint(record.drifts.len() as u64);
        record.drifts.iter().for_each(|drift| self.drift(drift));
    }

    fn home_record(&mut self, record: &HomeRecord) {
        self.home(record);
        self.recent.at = record.id.at().ms();
    }

    fn hold_record(&mut self, record: &HoldRecord) {
        self.hold(record);
        self.recent.at = record.id.at().ms();
    }

    fn key_record(&mut self, record: &KeyRecord) {
        self.time(record.at);
        self.recent.at = record.at.ms();
        let (index, tag, outcome) = (record.index, record.tag, record.outcome);
        self.key(Key {
            index,
            tag,
            outcome,
            target: &record.target,
        });
    }
}

impl Decoder<'_> {
    fn chunk(&mut self, id: ChunkId) -> Read<ChunkState> {
        let kind = self.byte()?;
        let state = match (id, kind) {
            (ChunkId::Shard, KIND_SHARD) => ChunkState::Shard(ShardRecord {
                next_hold: self.varint()?,
                next_key: self.varint()?,
                first_key: self.varint()?,
                locations: self.list(Self::location_record)?,
            }),
            (ChunkId::Skus(slot), KIND_SKUS) => {
                let records = self.records(Self::sku_record)?;
                let fits = records.iter().all(|record| record.sku.slot() == slot)
                    && records.is_sorted_by(|a, b| a.sku < b.sku);
                in_place(fits)?;
                ChunkState::Skus(records)
            }
            (ChunkId::Homes(opening, block), KIND_HOMES) => {
                let records = self.records(Self::home_record)?;
                let fits = records.iter().all(|record| record.id.opening() == opening)
                    && is_block(
                        u64::from(block),
                        records.iter().map(|home| home.id.counter()),
                    );
                in_place(fits)?;
                ChunkState::Homes(records)
            }
            (ChunkId::Holds(block), KIND_HOLDS) => {
                let records = self.records(Self::hold_record)?;
                in_place(is_block(block, records.iter().map(|hold| hold.number)))?;
                ChunkState::Holds(records)
            }
            (ChunkId::Keys(block), KIND_KEYS) => {
                let records = self.records(Self::key_record)?;
                in_place(is_block(block, records.iter().map(|key| key.index)))?;
                ChunkState::Keys(records)
            }
            _ => return Err(Fault::Unknown),
        };
        if self.is_at_end() {
            Ok(state)
        } else {
            Err(Fault::Trailing)
        }
    }

    /// Records up to the end, at least one.
    fn records<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut records = vec![read(self)?];
        while !self.is_at_end() {
            records.push(read(self)?);
        }
        Ok(records)
    }

    fn sku_record(&mut self) -> Read<SkuRecord> {
        let (sku, config, versions) = (self.sku()?, self.config()?, self.versions()?);
        let mut levels = Vec::new();
        for _ in 0..self.count()? {
            levels.push(LevelRecord {
                location: self.location()?,
                counters: self.counters()?,
                counted: None,
            });
        }
        in_place(levels.is_sorted_by(|a, b| a.location < b.location))?;
        let mut record = SkuRecord {
            sku,
            config,
            versions,
            supply: Supply::default(),
            levels,
            streams: Vec::new(),
            messages: Vec::new(),
            drifts: Vec::new(),
        };
        let flags = self.byte()?;
        if flags & !(SKU_LIFE | SKU_SUPPLY) != 0 {
            return Err(Fault::Unknown);
        }
        if flags & SKU_LIFE != 0 {
            self.life(&mut record)?;
        }
        if flags & SKU_SUPPLY != 0 {
            record.supply = self.supply()?;
        }
        Ok(record)
    }

    fn life(&mut self, record: &mut SkuRecord) -> Read<()> {
        for level in &mut record.levels {
            level.counted = self
                .optional(|decoder| Ok((decoder.time()?, decoder.varint()?, decoder.basis()?)))?;
        }
        record.streams = self.list(Self::stream_record)?;
        record.messages =
            self.list(|decoder| Ok((u64::from_le_bytes(decoder.array()?), decoder.time()?)))?;
        record.drifts = self.list(Self::drift)?;
        let by_place = |stream: &StreamRecord| (stream.location.clone(), stream.source.clone());
        in_place(
            record
                .streams
                .is_sorted_by(|a, b| by_place(a) < by_place(b)),
        )?;
        in_place(record.messages.is_sorted_by(|(a, _), (b, _)| a < b))?;
        in_place(record.drifts.is_sorted_by(|a, b| a.id < b.id))
    }

    /// A number, and that many.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut list = Vec::new();
        for _ in 0..self.count()? {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn home_record(&mut self) -> Read<HomeRecord> {
        let record = self.home()?;
        self.recent.at = record.id.at().ms();
        Ok(record)
    }

    fn hold_record(&mut self) -> Read<HoldRecord> {
        let record = self.hold()?;
        self.recent.at = record.id.at().ms();
        Ok(record)
    }

    fn key_record(&mut self) -> Read<KeyRecord> {
        let at = self.time()?;
        self.recent.at = at.ms();
        let key = self.key()?;
        let (index, tag, outcome, target) = (key.index, key.tag, key.outcome, key.target);
        Ok(KeyRecord {
            index,
            tag,
            outcome,
            target,
            at,
        })
    }
}

fn in_place(fits: bool) -> Read<()> {
    if fits { Ok(()) } else { Err(Fault::Order) }
}

/// Whether numbers are of one block, and ascend.
fn is_block(block: u64, numbers: impl Iterator<Item = u64> + Clone) -> bool {
    numbers
        .clone()
        .all(|number| number / CHUNK_ENTRIES == block)
        && numbers.is_sorted_by(|a, b| a < b)
}
