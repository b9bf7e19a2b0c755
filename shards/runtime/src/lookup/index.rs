//! The index of one shard: text → ids newest first, id → texts, and how far it is.
//!
//! Texts are kept as hashes; whoever reads compares the real ones. Keys are fixed bytes that sort
//! as the answer does: kind, hash, inverted id.

use super::Search;
use crate::clock;
use crate::projection::{
    Cursor, Halt, META, META_CURSOR, Projection, Start, cursor, cursor_in, make, name, reopen,
};
use holdfast_core::{ChunkId, ChunkState, Effect, HomeRecord, ReservationId, Timestamp};
use holdfast_ledger::{Identity, Record, codec};
use redb::{Database, ReadableDatabase, Table, TableDefinition};
use std::collections::BTreeSet;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The layout; another one is built anew.
const FORMAT: u64 = 1;

const TERM_BYTES: usize = 9;
const ENTRY_BYTES: usize = TERM_BYTES + 16;

const ENTRIES: TableDefinition<&Entry, ()> = TableDefinition::new("entries");
const IDS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("ids");

/// Changes of one transaction while it is built from chunks.
const CHANGES_MAX: usize = 10_000;

type Term = [u8; TERM_BYTES];
type Entry = [u8; ENTRY_BYTES];

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Everything.
    All,
    /// What is entered under this term.
    Term(Term),
}

impl Wanted {
    pub(crate) fn order_ref(text: &str) -> Self {
        Self::Term(term(0, text))
    }
    pub(crate) fn customer(text: &str) -> Self {
        Self::Term(term(1, text))
    }
    pub(crate) fn sku(text: &str) -> Self {
        Self::Term(term(2, text))
    }
}

/// A change of the index.
pub(super) enum Change {
    Enter { id: ReservationId, terms: Vec<u8> },
    Forget(ReservationId),
}

pub(crate) struct Index {
    db: Database,
}

impl Change {
    pub(super) fn enter(home: &HomeRecord) -> Self {
        let mut terms = Vec::with_capacity(TERM_BYTES * (2 + home.lines.len()));
        if let Some(order_ref) = &home.order_ref {
            terms.extend_from_slice(&term(0, order_ref.as_str()));
        }
        if let Some(customer) = &home.customer {
            terms.extend_from_slice(&term(1, customer.as_str()));
        }
        for (at, line) in home.lines.iter().enumerate() {
            if home.lines[..at]
                .iter()
                .all(|earlier| earlier.sku != line.sku)
            {
                terms.extend_from_slice(&term(2, line.sku.as_str()));
            }
        }
        Self::Enter { id: home.id, terms }
    }
}

impl Projection for Index {
    const NAME: &'static str = "lookup";

    fn open(path: &Path, identity: &Identity, cache: usize) -> Option<(Self, Cursor)> {
        let meant = name(identity, FORMAT);
        let opened = reopen(path, &meant, cache, |txn| {
            txn.open_table(ENTRIES)?;
            txn.open_table(IDS)?;
            Ok(())
        });
        opened.map(|(db, cursor)| (Self { db }, cursor))
    }

    /// From the chunks.
    fn begin(start: &mut Start<'_>) -> Result<(Self, Cursor), Halt> {
        let from = start.reader.replay_from()?;
        let index = Self::create(start.path, start.identity, start.cache)?;
        let mut changes = Vec::new();
        for chunk in start.reader.chunks()? {
            let chunk = chunk?;
            let Some(id @ ChunkId::Homes(..)) = ChunkId::from_u64(chunk.id) else {
                continue;
            };
            if let ChunkState::Homes(homes) = codec::chunk::decode(id, &chunk.body)? {
                changes.extend(homes.iter().map(Change::enter));
            }
            if CHANGES_MAX <= changes.len() {
                let begun = clock::instant();
                index.apply(&changes, None)?;
                start.rest(changes.len() as u64, begun.elapsed())?;
                changes.clear();
            }
        }
        let cursor = Cursor {
            seq: from.saturating_sub(1),
            ..Cursor::default()
        };
        index.apply(&changes, Some(cursor))?;
        Ok((index, cursor))
    }

    fn cursor(&self) -> Result<Option<Cursor>, redb::Error> {
        cursor(&self.db)
    }

    fn take(&self, records: &[Record], seen: u64, next: Cursor) -> Result<(), Halt> {
        Ok(self.apply(&changes(records, seen)?, Some(next))?)
    }
}

impl Index {
    /// Makes an empty index at `path`, in place of what is there.
    pub(super) fn create(
        path: &Path,
        identity: &Identity,
        cache: usize,
    ) -> Result<Self, redb::Error> {
        let db = make(path, &name(identity, FORMAT), cache, |txn| {
            txn.open_table(ENTRIES)?;
            txn.open_table(IDS)?;
            Ok(())
        })?;
        Ok(Self { db })
    }

    /// Applies changes and moves the cursor, in one transaction. What is entered already stays
    /// entered once, what is not there is forgotten already. Without a cursor the index stays
    /// one that is being built.
    pub(super) fn apply(
        &self,
        changes: &[Change],
        cursor: Option<Cursor>,
    ) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        {
            let mut entries = txn.open_table(ENTRIES)?;
            let mut ids = txn.open_table(IDS)?;
            let mut entered: BTreeSet<Entry> = BTreeSet::new();
            for change in changes {
                match change {
                    Change::Enter { id, terms } => {
                        ids.insert(&id.as_u128().to_be_bytes(), terms.as_slice())?;
                        let terms = terms.as_chunks::<TERM_BYTES>().0.iter();
                        entered.extend(terms.map(|term| entry(term, !id.as_u128())));
                    }
                    Change::Forget(id) => forget(&mut entries, &mut ids, &mut entered, *id)?,
                }
            }
            // Sorted, so that neighbours share a page while it is at hand.
            for entry in &entered {
                entries.insert(entry, ())?;
            }
            if let Some(cursor) = cursor {
                txn.open_table(META)?
                    .insert(META_CURSOR, &*cursor.encode())?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    pub(super) fn search(
        &self,
        wanted: Wanted,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Result<Search, redb::Error> {
        let txn = self.db.begin_read()?;
        let meta = txn.open_table(META)?;
        let cursor = cursor_in(&meta)?;
        let mut ids = Vec::new();
        match wanted {
            Wanted::Term(term) => {
                // Inverted, so that the newest comes first.
                let from = after.map_or(0, |after| (!after.as_u128()).saturating_add(1));
                let (from, to) = (entry(&term, from), entry(&term, u128::MAX));
                for found in txn
                    .open_table(ENTRIES)?
                    .range::<&Entry>(&from..=&to)?
                    .take(limit)
                {
                    ids.extend(id_of(&found?.0.value()[TERM_BYTES..], |bits| !bits));
                }
            }
            Wanted::All => {
                let to = after
                    .map_or(u128::MAX, ReservationId::as_u128)
                    .to_be_bytes();
                for found in txn
                    .open_table(IDS)?
                    .range::<&[u8; 16]>(..&to)?
                    .rev()
                    .take(limit)
                {
                    ids.extend(id_of(found?.0.value(), |bits| bits));
                }
            }
        }
        let cursor = cursor.unwrap_or_default();
        Ok(Search {
            ids,
            seq: cursor.seq,
            at: Timestamp::from_ms(cursor.at),
        })
    }
}

/// What the events after `seen` change.
fn changes(records: &[Record], seen: u64) -> Result<Vec<Change>, codec::CodecError> {
    let mut changes = Vec::new();
    for record in records {
        for event in codec::Events::new(record.first, record.events, &record.body)? {
            let event = event?;
            if event.seq <= seen {
                continue;
            }
            for effect in &event.effects {
                match effect {
                    Effect::Reserved(new) => changes.push(Change::enter(&new.home())),
                    Effect::HomeCreated(home) => changes.push(Change::enter(home)),
                    Effect::HomeForgotten(id) => changes.push(Change::Forget(*id)),
                    Effect::HomeChanged(_)
                    | Effect::HoldCreated(_)
                    | Effect::HoldChanged(_)
                    | Effect::HoldForgotten(_)
                    | Effect::Stock(_)
                    | Effect::Sku(_)
                    | Effect::Resumed(_)
                    | Effect::KeysForgotten(_)
                    | Effect::HoldAfter(_)
                    | Effect::HomeLines(_)
                    | Effect::Location(_)
                    | Effect::Stream(_)
                    | Effect::StreamForgotten(_)
                    | Effect::Counted(_)
                    | Effect::Drift(_)
                    | Effect::DriftForgotten(_)
                    | Effect::Message(_)
                    | Effect::MessagesForgotten(_)
                    | Effect::Supply(_) => {}
                }
            }
        }
    }
    Ok(changes)
}

fn forget(
    entries: &mut Table<'_, &'static Entry, ()>,
    ids: &mut Table<'_, &'static [u8; 16], &'static [u8]>,
    entered: &mut BTreeSet<Entry>,
    id: ReservationId,
) -> Result<(), redb::Error> {
    let Some(terms) = ids
        .remove(&id.as_u128().to_be_bytes())?
        .map(|terms| terms.value().to_vec())
    else {
        return Ok(());
    };
    for term in terms.as_chunks::<TERM_BYTES>().0 {
        let entry = entry(term, !id.as_u128());
        entered.remove(&entry);
        entries.remove(&entry)?;
    }
    Ok(())
}

fn term(kind: u8, text: &str) -> Term {
    let mut term = [kind; TERM_BYTES];
    term[1..].copy_from_slice(&xxh3_64(text.as_bytes()).to_be_bytes());
    term
}

fn entry(term: &Term, id: u128) -> Entry {
    let mut entry = [0; ENTRY_BYTES];
    entry[..TERM_BYTES].copy_from_slice(term);
    entry[TERM_BYTES..].copy_from_slice(&id.to_be_bytes());
    entry
}

fn id_of(bytes: &[u8], turn: impl Fn(u128) -> u128) -> Option<ReservationId> {
    ReservationId::from_u128(turn(u128::from_be_bytes(bytes.try_into().ok()?)))
}
