//! A chain: the events of one decision about a SKU, each following the last.
//!
//! The first one changes counters; those after it report: what fell short, which drift opened,
//! what a source's stream did.

use super::Engine;
use super::skus::SkuEntry;
use crate::drift::DriftRecord;
use crate::event::{Effect, Effects, Event, EventKind, Note, SkuEffect, StockEffect, Versions};
use crate::name::Location;
use crate::stock::SkuConfig;
use crate::time::Timestamp;
use smallvec::SmallVec;

pub(super) struct Chain<'a> {
    engine: &'a Engine,
    entry: &'a SkuEntry,
    now: Timestamp,
    /// The SKU's, after the events so far.
    versions: Versions,
    pub(super) events: SmallVec<[Event; 1]>,
}

impl<'a> Chain<'a> {
    /// Goes on after events that were drafted from the state as it is; the SKU's versions are those
    /// that the last of them left.
    pub(super) fn after(
        engine: &'a Engine,
        entry: &'a SkuEntry,
        (events, versions): (SmallVec<[Event; 1]>, Versions),
        now: Timestamp,
    ) -> Self {
        Self {
            engine,
            entry,
            now,
            versions,
            events,
        }
    }

    /// Adds an event that changes no counter. The SKU's versions count it.
    pub(super) fn push(
        &mut self,
        kind: EventKind,
        location: &Location,
        effects: Effects,
        note: Note,
    ) {
        self.versions.all += 1;
        self.versions.stock += u64::from(kind == EventKind::StockShortfall);
        let mut draft = self.engine.draft(kind, self.now);
        draft.effect(self.engine.touch(self.entry, location, self.versions));
        effects.into_iter().for_each(|effect| draft.effect(effect));
        draft.note = (note != Note::default()).then(|| Box::new(note));
        let mut event = draft.finish(None);
        event.seq += self.events.len() as u64;
        self.events.push(event);
    }

    /// Tells that a drift opened or was decided: the whole of it, for those who listen.
    pub(super) fn drift(&mut self, kind: EventKind, drift: &DriftRecord, note: Note) {
        let note = Note {
            drift: Some(drift.id),
            ..note
        };
        let mut effects = Effects::new();
        effects.push(Effect::Drift(Box::new(drift.clone())));
        self.push(kind, &drift.location, effects, note);
    }
}

impl Engine {
    /// The effect by which an event counts for a SKU whose counters it leaves alone. It makes no
    /// location known.
    pub(super) fn touch(
        &self,
        entry: &SkuEntry,
        location: &Location,
        versions: Versions,
    ) -> Effect {
        let sku = entry.sku.clone();
        if self.counters_at(entry, location).is_none() {
            let config = SkuConfig::clone(&entry.config);
            return Effect::Sku(Box::new(SkuEffect {
                sku,
                config,
                versions,
            }));
        }
        Effect::Stock(Box::new(StockEffect {
            sku,
            location: location.clone(),
            counters: SmallVec::new(),
            versions,
        }))
    }
}
