//! Lists over all shards, read strongly: drifts and the streams of a source.
//!
//! Every shard is asked through its mailbox for a bounded part, and what it says is on disk. A
//! page may hold less than was asked for and still have one after it. Deliberately absent: lists
//! that a projection answers (`find`), and SKUs (the board has them).

use crate::links::Link;
use crate::message::{Input, ListRead};
use crate::permits::Permit;
use crate::placement::ShardIndex;
use crate::reply::Told;
use crate::router::Router;
use crate::unavailable::Unavailable;
use holdfast_core::{
    Answer, DriftKind, DriftRecord, DriftState, DriftView, Engine, Location, LocationRecord,
    Refusal, ReservationId, SaleLine, ShortfallView, Sku, StreamPlace, StreamView, Text,
};
use tokio::sync::oneshot;

/// Entries that a shard looks at for one message.
const LOOK_MAX: usize = 4_096;

/// A page asks the shards this often before it goes on in the next one.
const ROUNDS: usize = 8;

/// Which drifts are looked for: those that match all that is given.
#[derive(Clone, Debug, Default)]
pub struct DriftFilter {
    /// Of this SKU.
    pub sku: Option<Sku>,
    /// Of this kind.
    pub kind: Option<DriftKind>,
    /// In this state.
    pub state: Option<DriftStateWord>,
}

/// What became of a drift, without particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftStateWord {
    /// It waits for a decision.
    Open,
    /// Its correction was recorded.
    Corrected,
    /// The ledger was left as it is.
    Dismissed,
}

/// Which streams of a source are looked for.
#[derive(Clone, Debug)]
pub struct StreamFilter {
    /// Whose.
    pub source: Text,
    /// Of this SKU.
    pub sku: Option<Sku>,
    /// Only those that wait for somebody to look.
    pub quarantined: bool,
}

/// A page of drifts, the oldest first.
#[derive(Debug, Default)]
pub struct DriftPage {
    /// The drifts.
    pub items: Vec<DriftRecord>,
    /// Where the next page begins, if there is one.
    pub next: Option<ReservationId>,
}

/// A page of a source's streams, shard by shard, each shard's by when they were last heard of.
#[derive(Debug, Default)]
pub struct StreamPage {
    /// The streams.
    pub items: Vec<StreamView>,
    /// Where the next page begins, if there is one.
    pub next: Option<StreamCursor>,
}

/// Where a list of streams goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCursor {
    /// On this shard.
    pub shard: ShardIndex,
    /// After this place.
    pub after: Option<StreamPlace>,
}

/// What a shard is asked to list.
#[derive(Clone, Debug)]
pub enum Query {
    /// One drift.
    Drift(ReservationId),
    /// Drifts that match, after an id.
    Drifts(DriftFilter, Option<ReservationId>, usize),
    /// Streams that match, after a place.
    Streams(StreamFilter, Option<StreamPlace>, usize),
    /// Locations that were declared.
    Locations,
    /// Where fewer units are on hand than are held, after a SKU and location.
    Shortfalls(Option<(Sku, Location)>, usize),
    /// What reservations homed there have sold of SKUs of another shard.
    Sales(Vec<(ReservationId, Sku)>),
}

/// What a shard has of it.
#[derive(Debug)]
pub(crate) enum Listed {
    /// A drift, if it is known.
    Drift(Option<Box<DriftView>>),
    /// Drifts, and the last one looked at if there may be more.
    Drifts(Vec<DriftRecord>, Option<ReservationId>),
    /// Streams, and the last one looked at if there may be more.
    Streams(Vec<StreamView>, Option<StreamPlace>),
    /// All locations, by name.
    Locations(Vec<LocationRecord>),
    /// Shortfalls by SKU and location.
    Shortfalls(Vec<ShortfallView>),
    /// The lines of each sale asked for; none where it is not recorded.
    Sales(Vec<Option<Vec<SaleLine>>>),
}

/// Where a shard's part of a list goes. Dropped, the shard has none.
#[derive(Debug)]
pub struct ListTo {
    to: oneshot::Sender<Listed>,
    _permit: Permit,
}

impl ListTo {
    fn new(permit: Permit) -> (Self, oneshot::Receiver<Listed>) {
        let (to, from) = oneshot::channel();
        let own = Self {
            to,
            _permit: permit,
        };
        (own, from)
    }

    pub(crate) fn send(self, listed: Listed) {
        // A caller that has gone hears nothing.
        let _ = self.to.send(listed);
    }
}

impl DriftFilter {
    fn matches(&self, drift: &DriftRecord) -> bool {
        self.sku.as_ref().is_none_or(|sku| *sku == drift.sku)
            && self.kind.is_none_or(|kind| kind == drift.kind)
            && self
                .state
                .is_none_or(|state| state == DriftStateWord::of(&drift.state))
    }
}

impl DriftStateWord {
    /// Of a state.
    pub const fn of(state: &DriftState) -> Self {
        match state {
            DriftState::Open => Self::Open,
            DriftState::Corrected { .. } => Self::Corrected,
            DriftState::Dismissed { .. } => Self::Dismissed,
        }
    }
}

impl Query {
    /// What an engine has of it, looking at a bounded number of entries.
    pub(crate) fn answer(&self, engine: &Engine) -> Listed {
        match self {
            Self::Drift(id) => Listed::Drift(engine.drift(*id).map(Box::new)),
            Self::Drifts(filter, after, limit) => drifts(engine, filter, *after, *limit),
            Self::Streams(filter, after, limit) => streams(engine, filter, after.as_ref(), *limit),
            Self::Locations => Listed::Locations(engine.locations().cloned().collect()),
            Self::Shortfalls(after, limit) => {
                Listed::Shortfalls(engine.shortfalls(after.as_ref(), *limit))
            }
            Self::Sales(sales) => {
                let lines = sales.iter().map(|(id, sku)| engine.sale_lines(*id, sku));
                Listed::Sales(lines.collect())
            }
        }
    }
}

fn drifts(
    engine: &Engine,
    filter: &DriftFilter,
    after: Option<ReservationId>,
    limit: usize,
) -> Listed {
    let mut items = Vec::new();
    for (looked, drift) in engine.drifts_after(after).enumerate() {
        if filter.matches(drift) {
            items.push(drift.clone());
        }
        if items.len() == limit || looked + 1 == LOOK_MAX {
            return Listed::Drifts(items, Some(drift.id));
        }
    }
    Listed::Drifts(items, None)
}

fn streams(
    engine: &Engine,
    filter: &StreamFilter,
    after: Option<&StreamPlace>,
    limit: usize,
) -> Listed {
    let is_wanted = |stream: &StreamView| !filter.quarantined || stream.quarantined.is_some();
    if let Some(sku) = &filter.sku {
        // One SKU's streams are few, and come at once.
        let own = match after {
            None => engine.streams_of(&filter.source, sku),
            Some(_) => Vec::new(),
        };
        return Listed::Streams(own.into_iter().filter(is_wanted).collect(), None);
    }
    let mut items = Vec::new();
    for (looked, (place, stream)) in engine.streams_after(&filter.source, after).enumerate() {
        items.extend(stream.filter(is_wanted));
        if items.len() == limit || looked + 1 == LOOK_MAX {
            return Listed::Streams(items, Some(place));
        }
    }
    Listed::Streams(items, None)
}

impl Router {
    /// A drift by id, strongly.
    pub async fn drift(&self, id: ReservationId) -> Told {
        let home = self.0.placement.home_of(id);
        match self.list(home, Query::Drift(id)).await? {
            Listed::Drift(Some(view)) => Ok(Answer::Drift {
                view,
                replayed: false,
            }),
            _ => Ok(Answer::Refused {
                refusal: Box::new(Refusal::UnknownDrift(id)),
                at: self.now(),
                seq: 0,
                replayed: false,
            }),
        }
    }

    /// Drifts that match, the oldest first.
    pub async fn drifts(
        &self,
        filter: DriftFilter,
        mut after: Option<ReservationId>,
        limit: usize,
    ) -> Result<DriftPage, Unavailable> {
        let mut page = DriftPage::default();
        for _ in 0..ROUNDS {
            let wanted = limit - page.items.len();
            let (items, next) = self.more_drifts(&filter, after, wanted).await?;
            page.items.extend(items);
            page.next = next;
            after = next;
            if next.is_none() || page.items.len() == limit {
                break;
            }
        }
        Ok(page)
    }

    /// What all shards have after an id, up to where each of them has looked.
    async fn more_drifts(
        &self,
        filter: &DriftFilter,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Result<(Vec<DriftRecord>, Option<ReservationId>), Unavailable> {
        let shards = match &filter.sku {
            Some(sku) => vec![self.0.placement.shard_of_sku(sku)],
            None => (0..self.0.placement.shards()).collect(),
        };
        let query = Query::Drifts(filter.clone(), after, limit);
        let asked: Result<Vec<_>, _> = shards
            .into_iter()
            .map(|shard| Ok((shard, self.ask(shard, query.clone())?)))
            .collect();
        let mut found = Vec::new();
        let mut looked: Option<ReservationId> = None;
        for (shard, listed) in asked? {
            let listed = listed.await;
            if let Listed::Drifts(items, last) =
                listed.map_err(|_| Unavailable::Recovering { shard })?
            {
                found.extend(items);
                looked = match (looked, last) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        // Beyond where the first of them has stopped, others may have had more.
        found.retain(|drift| looked.is_none_or(|last| drift.id <= last));
        found.sort_unstable_by_key(|drift| drift.id);
        if limit < found.len() {
            found.truncate(limit);
            looked = found.last().map(|drift| drift.id);
        }
        Ok((found, looked))
    }

    /// A source's streams that match.
    pub async fn streams(
        &self,
        filter: StreamFilter,
        cursor: Option<StreamCursor>,
        limit: usize,
    ) -> Result<StreamPage, Unavailable> {
        let mut page = StreamPage::default();
        let first = match &filter.sku {
            Some(sku) => self.0.placement.shard_of_sku(sku),
            None => 0,
        };
        let mut at = cursor.unwrap_or(StreamCursor {
            shard: first,
            after: None,
        });
        let mut rounds = 0;
        while at.shard < self.0.placement.shards() {
            let left = limit - page.items.len();
            if left == 0 || rounds == ROUNDS.max(usize::from(self.0.placement.shards())) {
                page.next = Some(at);
                return Ok(page);
            }
            rounds += 1;
            let query = Query::Streams(filter.clone(), at.after.take(), left);
            let Listed::Streams(items, last) = self.list(at.shard, query).await? else {
                unreachable!("a shard lists what it is asked for");
            };
            page.items.extend(items);
            match last {
                Some(place) => at.after = Some(place),
                None if filter.sku.is_some() => return Ok(page),
                None => at.shard += 1,
            }
        }
        Ok(page)
    }

    pub(crate) async fn list(
        &self,
        shard: ShardIndex,
        query: Query,
    ) -> Result<Listed, Unavailable> {
        let listed = self.ask(shard, query)?.await;
        listed.map_err(|_| Unavailable::Recovering { shard })
    }

    pub(crate) fn ask(
        &self,
        shard: ShardIndex,
        query: Query,
    ) -> Result<oneshot::Receiver<Listed>, Unavailable> {
        let link: &Link = self.link(shard);
        self.refuse_if_closed(link)?;
        let (to, listed) = ListTo::new(link.take_read()?);
        link.send(Input::List(ListRead { query, to }));
        Ok(listed)
    }
}
