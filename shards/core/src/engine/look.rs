//! Lists of what lies with SKUs: drifts and streams, a bounded part at a time.
//!
//! Deliberately absent: pages, and what other shards have; the runtime puts them together.

use super::Engine;
use super::life::Stream;
use super::skus::SkuIndex;
use crate::drift::DriftRecord;
use crate::event::StreamKey;
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::time::Timestamp;
use crate::view::StreamView;
use std::ops::Bound;

/// Where a list of streams goes on: when the last one was heard of, and its place.
pub type StreamPlace = (Timestamp, Sku, Location);

impl Engine {
    /// Drifts after an id, by id, decided ones too while they are kept.
    pub fn drifts_after(
        &self,
        after: Option<ReservationId>,
    ) -> impl Iterator<Item = &DriftRecord> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.life.drifts.range((from, Bound::Unbounded));
        known.filter_map(|(id, sku)| self.skus.get(*sku).life.as_ref()?.drift(*id))
    }

    /// Streams after a place, by when they were last heard of: one that is heard of meanwhile is
    /// met again, and none is missed. Those of other sources are met as nothing.
    pub fn streams_after<'a>(
        &'a self,
        source: &'a Text,
        after: Option<&StreamPlace>,
    ) -> impl Iterator<Item = (StreamPlace, Option<StreamView>)> + 'a {
        let from = after.and_then(|(at, sku, location)| {
            let sku = self.skus.find(sku)?;
            let location = self.skus.find_location(location)?;
            Some((*at, sku, location, source.clone()))
        });
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.life.streams.range((from, Bound::Unbounded));
        entries.map(move |(at, sku, location, of)| {
            let name = self.skus.get(*sku).sku.clone();
            let place = (*at, name, self.skus.location(*location).clone());
            let stream = (of == source)
                .then(|| self.skus.get(*sku).life.as_ref()?.stream(*location, of))
                .flatten();
            (place, stream.map(|stream| self.stream_view(*sku, stream)))
        })
    }

    /// The streams of a source for one SKU, by location.
    pub fn streams_of(&self, source: &Text, sku: &Sku) -> Vec<StreamView> {
        let Some((index, entry)) = self.skus.find_known(sku) else {
            return Vec::new();
        };
        let streams = entry.life.iter().flat_map(|life| life.streams.iter());
        let own = streams.filter(|stream| stream.source == *source);
        let mut views: Vec<StreamView> =
            own.map(|stream| self.stream_view(index, stream)).collect();
        views.sort_by(|a, b| a.key.location.cmp(&b.key.location));
        views
    }

    fn stream_view(&self, sku: SkuIndex, stream: &Stream) -> StreamView {
        let is_gapless = self.policy.feeds_gapless.contains(&stream.source);
        StreamView {
            key: StreamKey {
                sku: self.skus.get(sku).sku.clone(),
                location: self.skus.location(stream.location).clone(),
                source: stream.source.clone(),
            },
            epoch: stream.epoch,
            floor: stream.floor(),
            highest: stream.highest(),
            gaps: if is_gapless {
                stream.gaps()
            } else {
                Vec::new()
            },
            is_gapless,
            late: stream.late,
            stale: stream.stale,
            quarantined: stream.quarantined,
            at: stream.at,
        }
    }
}
