//! States put together again, which must be the live one.

use super::Fault;
use crate::world::{Snapshots, Subject, World, restore};
use holdfast_core::{ChunkId, ChunkState, Engine};
use std::collections::BTreeMap;

/// The whole state at some moments in the past.
#[derive(Default)]
pub(crate) struct Memory {
    moments: Vec<(u64, BTreeMap<ChunkId, ChunkState>)>,
}

impl Memory {
    /// Keeps the state of this moment.
    pub(crate) fn take<S: Subject>(&mut self, world: &World<S>) {
        let engine = world.subject.engine();
        self.moments
            .push((engine.seq(), engine.all_chunks().into_iter().collect()));
    }

    /// Recovers as a ledger would, and from chunks whose moments are chosen one by one.
    pub(crate) fn check<S: Subject>(
        &mut self,
        world: &World<S>,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<(), Fault> {
        let live = world.subject.engine();
        difference(live, &world.recovered())
            .map_err(|text| Fault::Snapshot(format!("from chunks as written: {text}")))?;
        if self.moments.is_empty() {
            return Ok(());
        }
        let first = choose(self.moments.len());
        let moments = &self.moments[first..];
        let ids = moments.iter().flat_map(|(_, chunks)| chunks.keys());
        let mut mixed = Snapshots::new();
        for id in ids {
            if mixed.contains_key(id) {
                continue;
            }
            let (seq, chunks) = &moments[choose(moments.len())];
            // A chunk that was empty then is a tombstone: it has seen that its records went.
            let state = chunks.get(id).cloned().unwrap_or_else(|| empty(*id));
            mixed.insert(*id, (*seq, state));
        }
        let (from, _) = moments[0];
        let recovered = restore(live.policy().clone(), &mixed, &world.journal, from);
        difference(live, &recovered).map_err(|text| {
            let ages: Vec<String> = mixed
                .iter()
                .map(|(id, (seq, _))| format!("{id:?} at {seq}"))
                .collect();
            Fault::Snapshot(format!("replay after {from}, {}: {text}", ages.join(", ")))
        })
    }
}

/// Replays everything recorded into an empty engine.
pub(crate) fn from_the_start<S: Subject>(world: &World<S>) -> Result<(), Fault> {
    let live = world.subject.engine();
    let replayed = restore(live.policy().clone(), &Snapshots::new(), &world.journal, 0);
    difference(live, &replayed).map_err(Fault::Replay)?;
    replayed
        .check()
        .map_err(|broken| Fault::Replay(broken.to_string()))
}

/// The first chunk in which two states differ; also position, time and what is due next.
fn difference(live: &Engine, other: &Engine) -> Result<(), String> {
    let (mine, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) = (
        live.all_chunks().into_iter().collect(),
        other.all_chunks().into_iter().collect(),
    );
    for id in mine.keys().chain(theirs.keys()) {
        let (mine, theirs) = (mine.get(id), theirs.get(id));
        if mine != theirs {
            return Err(format!("{id:?}\nlive:    {mine:#?}\nrebuilt: {theirs:#?}"));
        }
    }
    let at = |engine: &Engine| {
        (
            engine.seq(),
            engine.at(),
            engine.next_deadline(),
            engine.fill(),
        )
    };
    if at(live) != at(other) {
        return Err(format!("live {:?}, rebuilt {:?}", at(live), at(other)));
    }
    other.check().map_err(|broken| broken.to_string())
}

fn empty(id: ChunkId) -> ChunkState {
    match id {
        ChunkId::Shard => ChunkState::Shard(holdfast_core::ShardRecord::default()),
        ChunkId::Skus(_) => ChunkState::Skus(Vec::new()),
        ChunkId::Homes(..) => ChunkState::Homes(Vec::new()),
        ChunkId::Holds(_) => ChunkState::Holds(Vec::new()),
        ChunkId::Keys(_) => ChunkState::Keys(Vec::new()),
    }
}
