//! The index of one shard: a SKU's blocks by their first sequence, and how far it is.
//!
//! Keys are the SKU's hash and the sequence, big-endian, so that a SKU's blocks lie side by side.

use super::At;
use super::block::{Block, BlockReader, Levels, Line, Senseless, Touch, Values};
use crate::clock;
use crate::projection::{
    Cursor, Halt, META, META_CURSOR, Projection, Start, cursor, cursor_in, make, name, reopen,
};
use holdfast_core::{ChunkId, ChunkState, Effect, Event, Location, Sku, SkuRecord};
use holdfast_ledger::{Identity, ReadLimit, Record, codec};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// The layout; another one is built anew.
const FORMAT: u64 = 1;

const KEY_BYTES: usize = 24;

const BLOCKS: TableDefinition<&Key, &[u8]> = TableDefinition::new("blocks");

/// The last sequence of which nothing but its outcome is known; 0 where all history is.
const META_HORIZON: u64 = 2;

/// A SKU with at most so many blocks is read whole.
const FEW: usize = 2;

/// SKUs of one transaction while it is built from chunks.
const SKUS_MAX: usize = 2_000;

type Key = [u8; KEY_BYTES];
type Blocks = redb::Range<'static, &'static Key, &'static [u8]>;
type Few = Vec<(u64, Vec<u8>)>;

/// What one transaction brings, by SKU.
type Touches = BTreeMap<u128, Vec<Touch>>;

/// The statements of one shard.
pub(crate) struct Index {
    db: Database,
}

/// One moment of an index.
pub(super) struct Moment {
    blocks: ReadOnlyTable<&'static Key, &'static [u8]>,
    pub(super) cursor: Cursor,
    pub(super) horizon: u64,
}

/// Why a moment did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    #[error("history before {0} is not known")]
    Trimmed(u64),
    #[error(transparent)]
    File(#[from] redb::Error),
    #[error(transparent)]
    Damaged(#[from] Senseless),
}

impl Projection for Index {
    const NAME: &'static str = "statement";

    fn open(path: &Path, identity: &Identity, cache: usize) -> Option<(Self, Cursor)> {
        let meant = name(identity, FORMAT);
        let opened = reopen(path, &meant, cache, |txn| {
            txn.open_table(BLOCKS)?;
            Ok(())
        });
        opened.map(|(db, cursor)| (Self { db }, cursor))
    }

    /// From the first event, where it can still be read; else from the chunks.
    fn begin(start: &mut Start<'_>) -> Result<(Self, Cursor), Halt> {
        let index = Self::create(start.path, start.identity, start.cache)?;
        if start.reader.begins()? <= 1 {
            index.move_to(Cursor::default(), 0)?;
            return Ok((index, Cursor::default()));
        }
        let from = start.reader.replay_from()?;
        let at = now_of(start)?;
        let mut records = Vec::new();
        for chunk in start.reader.chunks()? {
            let chunk = chunk?;
            let Some(id @ ChunkId::Skus(_)) = ChunkId::from_u64(chunk.id) else {
                continue;
            };
            if let ChunkState::Skus(skus) = codec::chunk::decode(id, &chunk.body)? {
                let bases = skus.into_iter().map(|record| (chunk.sequence, record));
                records.extend(bases);
            }
            if SKUS_MAX <= records.len() {
                let begun = clock::instant();
                index.put_bases(&records, at)?;
                start.rest(records.len() as u64, begun.elapsed())?;
                records.clear();
            }
        }
        index.put_bases(&records, at)?;
        let cursor = Cursor {
            seq: from.saturating_sub(1),
            ..Cursor::default()
        };
        index.move_to(cursor, cursor.seq)?;
        Ok((index, cursor))
    }

    fn cursor(&self) -> Result<Option<Cursor>, redb::Error> {
        cursor(&self.db)
    }

    fn take(&self, records: &[Record], seen: u64, next: Cursor) -> Result<(), Halt> {
        let mut touches = Touches::new();
        for record in records {
            for event in codec::Events::new(record.first, record.events, &record.body)? {
                let event = event?;
                if seen < event.seq {
                    for (sku, touch) in touches_of(&event) {
                        touches.entry(hash(sku)).or_default().push(touch);
                    }
                }
            }
        }
        Ok(self.apply(touches, next)?)
    }
}

impl Index {
    fn create(path: &Path, identity: &Identity, cache: usize) -> Result<Self, redb::Error> {
        let db = make(path, &name(identity, FORMAT), cache, |txn| {
            txn.open_table(BLOCKS)?;
            Ok(())
        })?;
        Ok(Self { db })
    }

    /// Sets the cursor and the horizon of an index that is ready to follow.
    fn move_to(&self, cursor: Cursor, horizon: u64) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        {
            let mut meta = txn.open_table(META)?;
            meta.insert(META_CURSOR, &*cursor.encode())?;
            meta.insert(META_HORIZON, &horizon.to_be_bytes()[..])?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Enters SKUs as chunks have them.
    fn put_bases(&self, records: &[(u64, SkuRecord)], at: u64) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        {
            let mut blocks = txn.open_table(BLOCKS)?;
            for (seq, record) in records {
                let levels = record.levels.iter();
                let levels = levels.map(|level| (level.location.clone(), level.counters.clone()));
                let block = Block::base(*seq, at, levels.collect());
                blocks.insert(&key(hash(&record.sku), *seq), &*block.bytes)?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    fn apply(&self, touches: Touches, next: Cursor) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        {
            let mut blocks = txn.open_table(BLOCKS)?;
            for (sku, touches) in touches {
                append(&mut blocks, sku, &touches)?;
            }
            txn.open_table(META)?.insert(META_CURSOR, &*next.encode())?;
        }
        txn.commit()?;
        Ok(())
    }

    /// The index as it is now.
    pub(super) fn now(&self) -> Result<Moment, Missing> {
        let read = || -> Result<_, redb::Error> {
            let txn = self.db.begin_read()?;
            let meta = txn.open_table(META)?;
            let cursor = cursor_in(&meta)?;
            let horizon = meta
                .get(META_HORIZON)?
                .and_then(|bytes| Some(u64::from_be_bytes(bytes.value().try_into().ok()?)));
            Ok(Moment {
                blocks: txn.open_table(BLOCKS)?,
                cursor: cursor.unwrap_or_default(),
                horizon: horizon.unwrap_or_default(),
            })
        };
        Ok(read()?)
    }
}

impl Moment {
    /// Walks a SKU's entries after the sequence `after`: `visit` sees the counters after each.
    pub(super) fn walk(
        &self,
        sku: &Sku,
        after: u64,
        mut visit: impl FnMut(Line, &Levels) -> ControlFlow<()>,
    ) -> Result<(), Missing> {
        let sku = hash(sku);
        let from = self.block_at(sku, after)?;
        let from = from.map_or(0, |(first, _)| first);
        for row in self.blocks_in(sku, from..=u64::MAX)? {
            let (found, bytes) = row.map_err(redb::Error::from)?;
            let mut reader =
                BlockReader::open(seq_of(found.value()), bytes.value()).ok_or(Senseless)?;
            if after < reader.seq && reader.is_base() {
                return Err(Missing::Trimmed(reader.seq));
            }
            while let Some(line) = reader.next_line()? {
                if after < line.seq && visit(line, &reader.levels).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The SKU's counters at a moment that the index has passed, with the last of its events
    /// before it.
    pub(super) fn levels_at(&self, sku: &Sku, at: At) -> Result<(u64, u64, Levels), Missing> {
        let number = hash(sku);
        let Some((first, bytes)) = (match at {
            At::Sequence(seq) => self.block_at(number, seq)?,
            At::Time(time) => self.block_by_time(number, time.ms())?,
        }) else {
            return self.before_the_first(number, at);
        };
        let mut reader = BlockReader::open(first, &bytes).ok_or(Senseless)?;
        let (mut seq, mut time) = (reader.seq, reader.at);
        let mut levels = reader.levels.clone();
        while let Some(line) = reader.next_line()? {
            let is_later = match at {
                At::Sequence(seq) => seq < line.seq,
                At::Time(time) => time.ms() < line.at,
            };
            if is_later {
                break;
            }
            (seq, time) = (line.seq, line.at);
            levels.clone_from(&reader.levels);
        }
        Ok((seq, time, levels))
    }

    /// The same, and the SKU's entries after that moment: `visit` sees the counters after each.
    pub(super) fn levels_then(
        &self,
        sku: &Sku,
        at: At,
        mut visit: impl FnMut(Line, &Levels),
    ) -> Result<(u64, u64, Levels), Missing> {
        let Some(blocks) = self.few_blocks(hash(sku))? else {
            let then = self.levels_at(sku, at)?;
            let after = match at {
                At::Sequence(seq) => seq,
                At::Time(_) => then.0,
            };
            self.walk(sku, after, |line, levels| {
                visit(line, levels);
                ControlFlow::Continue(())
            })?;
            return Ok(then);
        };
        let is_passed = |seq: u64, time: u64| match at {
            At::Sequence(at) => seq <= at,
            At::Time(at) => time <= at.ms(),
        };
        let mut then = None;
        for (first, bytes) in &blocks {
            let mut reader = BlockReader::open(*first, bytes).ok_or(Senseless)?;
            if is_passed(reader.seq, reader.at) {
                then = Some((reader.seq, reader.at, reader.levels.clone()));
            } else if then.is_none() {
                then = Some(self.before_the_first(hash(sku), at)?);
            }
            while let Some(line) = reader.next_line()? {
                if is_passed(line.seq, line.at) {
                    then = Some((line.seq, line.at, reader.levels.clone()));
                } else {
                    visit(line, &reader.levels);
                }
            }
        }
        then.map_or_else(|| self.before_the_first(hash(sku), at), Ok)
    }

    /// All blocks of a SKU, where these are few: looked up once, where a search does ten times.
    fn few_blocks(&self, sku: u128) -> Result<Option<Few>, Missing> {
        let mut few = Few::new();
        for row in self.blocks_in(sku, 0..=u64::MAX)?.take(FEW + 1) {
            let (key, bytes) = row.map_err(redb::Error::from)?;
            few.push((seq_of(key.value()), bytes.value().to_vec()));
        }
        Ok((few.len() <= FEW).then_some(few))
    }

    /// Before a SKU's first block nothing had happened, unless that is not known.
    fn before_the_first(&self, sku: u128, at: At) -> Result<(u64, u64, Levels), Missing> {
        if let Some((first, bytes)) = self.first_block(sku)? {
            let reader = BlockReader::open(first, &bytes).ok_or(Senseless)?;
            if reader.is_base() {
                return Err(Missing::Trimmed(first));
            }
        }
        match at {
            At::Sequence(seq) if seq < self.horizon => Err(Missing::Trimmed(self.horizon)),
            At::Time(_) if 0 < self.horizon => Err(Missing::Trimmed(self.horizon)),
            At::Sequence(seq) => Ok((seq, 0, Levels::new())),
            At::Time(time) => Ok((0, time.ms(), Levels::new())),
        }
    }

    fn blocks_in(&self, sku: u128, seqs: RangeInclusive<u64>) -> Result<Blocks, Missing> {
        let (from, to) = (key(sku, *seqs.start()), key(sku, *seqs.end()));
        let blocks = self.blocks.range::<&Key>(&from..=&to);
        Ok(blocks.map_err(redb::Error::from)?)
    }

    fn first_block(&self, sku: u128) -> Result<Option<(u64, Vec<u8>)>, Missing> {
        let first = self.blocks_in(sku, 0..=u64::MAX)?.next();
        let row = first.transpose().map_err(redb::Error::from)?;
        Ok(row.map(|(key, bytes)| (seq_of(key.value()), bytes.value().to_vec())))
    }

    /// The last block that begins at or before this sequence.
    fn block_at(&self, sku: u128, seq: u64) -> Result<Option<(u64, Vec<u8>)>, Missing> {
        let last = self.blocks_in(sku, 0..=seq)?.next_back();
        let row = last.transpose().map_err(redb::Error::from)?;
        Ok(row.map(|(key, bytes)| (seq_of(key.value()), bytes.value().to_vec())))
    }

    /// The last block that begins at or before this time: times rise with sequences, so the
    /// sequences are halved until it is found.
    fn block_by_time(&self, sku: u128, time: u64) -> Result<Option<(u64, Vec<u8>)>, Missing> {
        let begins = |first: u64, bytes: &[u8]| {
            let reader = BlockReader::open(first, bytes).ok_or(Senseless)?;
            Ok::<u64, Senseless>(reader.at)
        };
        let Some((first, bytes)) = self.first_block(sku)? else {
            return Ok(None);
        };
        if time < begins(first, &bytes)? {
            return Ok(None);
        }
        let last = self.block_at(sku, u64::MAX)?;
        let (mut low, mut high) = (first, last.map_or(first, |(last, _)| last));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let (found, bytes) = self.block_at(sku, middle)?.ok_or(Senseless)?;
            if begins(found, &bytes)? <= time {
                low = middle;
            } else {
                high = found - 1;
            }
        }
        self.block_at(sku, low)
    }
}

/// Appends entries to a SKU's last block, and begins new ones where it is full.
fn append(
    blocks: &mut Table<'_, &'static Key, &'static [u8]>,
    sku: u128,
    touches: &[Touch],
) -> Result<(), redb::Error> {
    let last = {
        let mut range = blocks.range::<&Key>(&key(sku, 0)..=&key(sku, u64::MAX))?;
        match range.next_back().transpose()? {
            Some((key, bytes)) => {
                let first = seq_of(key.value());
                let block = Block::resume(first, bytes.value());
                let damaged = || redb::Error::Corrupted("a block makes no sense".to_owned());
                Some((first, block.ok_or_else(damaged)?))
            }
            None => None,
        }
    };
    let mut open = last;
    for touch in touches {
        let (first, mut block) = match open {
            Some((first, block)) if block.is_full() => {
                blocks.insert(&key(sku, first), &*block.bytes)?;
                (touch.seq, Block::begin(touch.seq, touch.at, block.levels))
            }
            Some(open) => open,
            None => (touch.seq, Block::begin(touch.seq, touch.at, Levels::new())),
        };
        // A chunk may have seen more than the first events that follow it.
        if block.lacks(touch.seq) {
            block.push(touch);
        }
        open = Some((first, block));
    }
    if let Some((first, block)) = open {
        blocks.insert(&key(sku, first), &*block.bytes)?;
    }
    Ok(())
}

/// What an event changes of each SKU it touches.
pub(super) fn touches_of(event: &Event) -> SmallVec<[(&Sku, Touch); 1]> {
    let mut touched: SmallVec<[(&Sku, Touch); 1]> = SmallVec::new();
    let note = event.note.as_ref();
    let has_time = note.is_some_and(|note| note.occurred_at.is_some());
    let mut enter = |sku, change: Option<(Location, Values)>, is_of_past: bool| {
        let place = touched.iter().position(|(own, _)| *own == sku);
        let place = place.unwrap_or_else(|| {
            let touch = Touch {
                seq: event.seq,
                at: event.at.ms(),
                kind: event.kind as u8,
                is_of_past: has_time,
                changes: SmallVec::new(),
            };
            touched.push((sku, touch));
            touched.len() - 1
        });
        touched[place].1.is_of_past |= is_of_past;
        touched[place].1.changes.extend(change);
    };
    for effect in &event.effects {
        match effect {
            Effect::Reserved(new) => {
                let change = new.stock();
                enter(&new.sku, Some((change.location, change.counters)), false);
            }
            Effect::Stock(stock) => {
                let change = (stock.location.clone(), stock.counters.clone());
                enter(&stock.sku, Some(change), false);
            }
            Effect::Sku(change) => enter(&change.sku, None, false),
            Effect::Stream(stream) => enter(&stream.key.sku, None, false),
            Effect::Counted(counted) => enter(&counted.sku, None, true),
            Effect::Drift(drift) => enter(&drift.sku, None, false),
            Effect::Supply(supply) => enter(&supply.sku, None, false),
            Effect::HomeCreated(_)
            | Effect::HomeChanged(_)
            | Effect::HomeForgotten(_)
            | Effect::HoldCreated(_)
            | Effect::HoldChanged(_)
            | Effect::HoldForgotten(_)
            | Effect::Resumed(_)
            | Effect::KeysForgotten(_)
            | Effect::HoldAfter(_)
            | Effect::HomeLines(_)
            | Effect::Location(_)
            | Effect::StreamForgotten(_)
            | Effect::DriftForgotten(_)
            | Effect::Message(_)
            | Effect::MessagesForgotten(_) => {}
        }
    }
    touched
}

/// Ledger time of the last event: chunks were not made later.
fn now_of(start: &Start<'_>) -> Result<u64, Halt> {
    let one = ReadLimit {
        records: 1,
        bytes: 0,
    };
    let last = start.reader.read(start.reader.head(), one)?;
    Ok(last.first().map_or(0, |record| record.at))
}

fn hash(sku: &Sku) -> u128 {
    xxh3_128(sku.as_str().as_bytes())
}

fn key(sku: u128, seq: u64) -> Key {
    let mut key = [0; KEY_BYTES];
    key[..16].copy_from_slice(&sku.to_be_bytes());
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}

fn seq_of(key: &Key) -> u64 {
    u64::from_be_bytes(key[16..].try_into().expect("8 bytes are left of 24"))
}
