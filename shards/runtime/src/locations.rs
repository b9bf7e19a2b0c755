//! Locations and shortfalls over all shards: what every shard keeps, and what each has its part of.
//!
//! A location is the same for all SKUs, so a decision on one goes to every shard, with one version
//! for all: a shard that was told later than another ends up with the same. What a shard missed it
//! gets when the call is repeated, or when the service starts the next time.
//!
//! Deliberately absent: deciding anything. Each shard records what it is told, or that it knew.

use crate::lists::{Listed, Query};
use crate::message::{Deadline, Input, Job};
use crate::peer::Trace;
use crate::placement::ShardIndex;
use crate::reply::{ReplyTo, Told};
use crate::router::Router;
use crate::unavailable::Unavailable;
use holdfast_core::{
    Command, ConfigureLocation, Location, LocationRecord, Patch, Request, ReservationId,
    ShortfallView, Sku, Text,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The pause before a shard that did not answer is told again.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between comparisons after a start.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// How long one comparison after a start may take.
const START: Duration = Duration::from_secs(10);

/// Why a location is configured, for the record.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// In words.
    pub reason: Option<Text>,
    /// Where the request stands in its caller's trace.
    pub trace: Trace,
}

impl Router {
    /// `PUT /v1/locations/{name}`: declares a location, or opens or closes it for selling, on every
    /// shard. Shards that don't answer are told again until the deadline. Answers once all have it
    /// on disk; else with the first shard that has not, in which case others may have: repeat it.
    pub async fn configure_location(
        &self,
        location: Location,
        selling: Patch<bool>,
        cause: Cause,
        deadline: Deadline,
    ) -> Result<LocationRecord, Unavailable> {
        // One decision at a time, so that of two the later one has the higher version everywhere.
        let _turn = self.0.locations.lock().await;
        let (known, missing) = self.known_locations().await;
        let lagging = |record: &LocationRecord| {
            known
                .iter()
                .any(|(_, records)| records.get(&location) != Some(record))
        };
        let newest = newest_of(&known).remove(&location);
        let (before, last) = newest
            .as_ref()
            .map_or((true, 0), |r| (r.selling, r.version));
        let selling = match selling {
            Patch::Keep => before,
            Patch::Clear => true,
            Patch::Set(selling) => selling,
        };
        if let Some(record) = newest.filter(|record| record.selling == selling)
            && missing.is_none()
            && !lagging(&record)
        {
            return Ok(record);
        }
        let version = self.now().ms().max(last + 1);
        let record = LocationRecord {
            location,
            selling,
            version,
        };
        let shards: Vec<ShardIndex> = (0..self.0.placement.shards()).collect();
        self.tell_location(shards, &record, &cause, deadline)
            .await?;
        Ok(record)
    }

    /// Locations that were declared, by name, up to `limit` of those after `after`. Where shards
    /// differ, since one missed a decision, the newest one is told.
    pub async fn locations(
        &self,
        after: Option<&Location>,
        limit: usize,
    ) -> Result<Vec<LocationRecord>, Unavailable> {
        let (known, missing) = self.known_locations().await;
        // One shard is enough to know them all.
        if let Some(missing) = missing.filter(|_| known.is_empty()) {
            return Err(missing);
        }
        let all = newest_of(&known).into_values();
        let later = all.filter(|record| after.is_none_or(|after| *after < record.location));
        Ok(later.take(limit).collect())
    }

    /// SKUs and locations with fewer units on hand than are held, by name, with the reservations
    /// that this leaves without: up to `limit` of those after `after`. Fails where a shard does not
    /// answer: a list that leaves out a shortfall is worse than none.
    pub async fn shortfalls(
        &self,
        after: Option<(Sku, Location)>,
        limit: usize,
    ) -> Result<Vec<ShortfallView>, Unavailable> {
        let query = Query::Shortfalls(after, limit);
        let mut views = Vec::new();
        for (_, listed) in self.ask_all(&query).await {
            if let Listed::Shortfalls(found) = listed? {
                views.extend(found);
            }
        }
        views.sort_by(|a, b| (&a.sku, &a.location).cmp(&(&b.sku, &b.location)));
        views.truncate(limit);
        self.name_orders(&mut views).await?;
        Ok(views)
    }

    /// Fills in what only the homes of affected reservations know.
    async fn name_orders(&self, views: &mut [ShortfallView]) -> Result<(), Unavailable> {
        let affected = views.iter().flat_map(|view| &view.affected);
        let mut ids: Vec<ReservationId> = affected
            .filter(|affected| affected.is_foreign)
            .map(|affected| affected.id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let homes = self.stand(&ids).await?;
        for affected in views.iter_mut().flat_map(|view| &mut view.affected) {
            if let Some(home) = homes.get(&affected.id).filter(|_| affected.is_foreign) {
                affected.order_ref.clone_from(&home.order_ref);
                affected.expires_at = home.expires_at;
                affected.pinned_until = home.pinned_until;
            }
        }
        Ok(())
    }

    /// Compares what the shards know and tells the newest to those that lag: they missed it while
    /// they were down. Called after the start; what it tells is recorded as any decision.
    async fn repair_locations(&self) -> Result<usize, Unavailable> {
        let deadline = Deadline::within(START);
        let _turn = self.0.locations.lock().await;
        let (known, missing) = self.known_locations().await;
        let newest = newest_of(&known);
        let mut told = 0;
        for record in newest.values() {
            let lags = known
                .iter()
                .filter(|(_, records)| records.get(&record.location) != Some(record));
            let lagging: Vec<ShardIndex> = lags.map(|(shard, _)| *shard).collect();
            told += lagging.len();
            self.tell_location(lagging, record, &Cause::default(), deadline)
                .await?;
        }
        missing.map_or(Ok(told), Err)
    }

    /// What each shard that answers knows, and why one did not.
    async fn known_locations(
        &self,
    ) -> (
        Vec<(ShardIndex, BTreeMap<Location, LocationRecord>)>,
        Option<Unavailable>,
    ) {
        let (mut known, mut missing) = (Vec::new(), None);
        for (shard, listed) in self.ask_all(&Query::Locations).await {
            match listed {
                Ok(Listed::Locations(records)) => {
                    let named = records
                        .into_iter()
                        .map(|record| (record.location.clone(), record));
                    known.push((shard, named.collect()));
                }
                Ok(_) => {}
                Err(why) => missing = missing.or(Some(why)),
            }
        }
        (known, missing)
    }

    /// Asks every shard for its part of a list.
    async fn ask_all(&self, query: &Query) -> Vec<(ShardIndex, Result<Listed, Unavailable>)> {
        let shards = 0..self.0.placement.shards();
        let sent: Vec<_> = shards
            .map(|shard| (shard, self.ask(shard, query.clone())))
            .collect();
        let mut all = Vec::new();
        for (shard, sent) in sent {
            let listed = match sent {
                Ok(listed) => listed.await.map_err(|_| Unavailable::Recovering { shard }),
                Err(why) => Err(why),
            };
            all.push((shard, listed));
        }
        all
    }

    /// Tells shards a decision; those that don't answer again and again until the deadline.
    async fn tell_location(
        &self,
        mut shards: Vec<ShardIndex>,
        record: &LocationRecord,
        cause: &Cause,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        loop {
            let sent: Vec<_> = shards
                .iter()
                .map(|shard| (*shard, self.send_location(*shard, record, cause, deadline)))
                .collect();
            let mut missed = None;
            shards.clear();
            for (shard, sent) in sent {
                let told = match sent {
                    Ok(told) => told.await.unwrap_or(Err(Unavailable::Lost { shard })),
                    Err(why) => Err(why),
                };
                if let Err(why) = told {
                    shards.push(shard);
                    missed = missed.or(Some(why));
                }
            }
            let Some(why) = missed else { return Ok(()) };
            let is_for_good = matches!(why, Unavailable::Draining | Unavailable::Full(_));
            if is_for_good || deadline.0 < crate::clock::instant() + PAUSE {
                return Err(why);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn send_location(
        &self,
        shard: ShardIndex,
        record: &LocationRecord,
        cause: &Cause,
        deadline: Deadline,
    ) -> Result<oneshot::Receiver<Told>, Unavailable> {
        let link = self.link(shard);
        self.refuse_if_closed(link)?;
        let permit = link.take_config()?;
        let (reply, told) = ReplyTo::one(shard, Some(permit), None);
        let command = ConfigureLocation {
            location: record.location.clone(),
            selling: Patch::Set(record.selling),
            version: Some(record.version),
            reason: cause.reason.clone(),
        };
        let request = Request {
            trace: cause.trace.clone(),
            ..Request::of(Command::Location(Box::new(command)))
        };
        link.send(Input::One(Job {
            request,
            deadline,
            reply,
        }));
        Ok(told)
    }
}

/// Repairs what shards missed, after a start: tried until every shard answers, or the service ends.
pub(crate) fn repair(router: &Router) {
    if router.0.placement.shards() == 1 {
        return;
    }
    let inner = Arc::downgrade(&router.0);
    tokio::spawn(async move {
        let mut pause = PAUSE;
        while let Some(inner) = inner.upgrade() {
            let router = Router(inner);
            if router.is_draining() || router.repair_locations().await.is_ok() {
                return;
            }
            drop(router);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    });
}

/// Of each location the newest decision that any shard knows.
fn newest_of(
    known: &[(ShardIndex, BTreeMap<Location, LocationRecord>)],
) -> BTreeMap<Location, LocationRecord> {
    let mut newest: BTreeMap<Location, LocationRecord> = BTreeMap::new();
    for record in known.iter().flat_map(|(_, records)| records.values()) {
        let before = newest.get(&record.location);
        if before.is_none_or(|before| before.version < record.version) {
            newest.insert(record.location.clone(), record.clone());
        }
    }
    newest
}
