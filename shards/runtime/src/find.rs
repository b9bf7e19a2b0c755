//! Look-ups over all shards: the indexes say which reservations, the shards how they stand.

use crate::links::Link;
use crate::lookup::{LookupCursor, LookupFilter, LookupPage, Search};
use crate::message::{Input, ReadMany};
use crate::placement::ShardIndex;
use crate::reply::FindTo;
use crate::router::Router;
use crate::unavailable::Unavailable;
use holdfast_core::{ReservationId, ReservationView};
use std::collections::HashMap;

/// A page looks at this many times its limit before it goes on in the next one.
const ROUNDS: usize = 4;

impl Router {
    /// Reservations by order reference, customer, SKU or status, newest first. The list is as old
    /// as it says; each reservation is shown as it stands.
    pub async fn lookup(
        &self,
        filter: LookupFilter,
        cursor: Option<LookupCursor>,
        limit: usize,
    ) -> Result<LookupPage, Unavailable> {
        let mut page = LookupPage::default();
        let mut after = cursor.map(|cursor| cursor.0);
        for _ in 0..ROUNDS {
            let ids = self.search(&filter, after, limit, &mut page).await?;
            let is_last = ids.len() < limit;
            let mut views = self.resolve(&ids, &mut page).await?;
            for id in ids {
                after = Some(id);
                page.items
                    .extend(views.remove(&id).filter(|view| filter.matches(view)));
                if page.items.len() == limit {
                    page.next = after.map(LookupCursor);
                    return Ok(page);
                }
            }
            if is_last {
                return Ok(page);
            }
        }
        page.next = after.map(LookupCursor);
        Ok(page)
    }

    /// How these reservations stand, strongly; those that are not known are left out. Where a
    /// shard can't be asked, nothing is answered.
    pub async fn reservations(
        &self,
        ids: &[ReservationId],
    ) -> Result<HashMap<ReservationId, ReservationView>, Unavailable> {
        let mut page = LookupPage::default();
        let views = self.resolve(ids, &mut page).await?;
        match page.missing.first() {
            Some(shard) => Err(Unavailable::Recovering { shard: *shard }),
            None => Ok(views),
        }
    }

    /// The newest ids after `after` that the indexes have, up to `limit` over all shards.
    async fn search(
        &self,
        filter: &LookupFilter,
        after: Option<ReservationId>,
        limit: usize,
        page: &mut LookupPage,
    ) -> Result<Vec<ReservationId>, Unavailable> {
        let Some(lookup) = self.0.lookup.clone() else {
            return Err(Unavailable::Full("lookups"));
        };
        let (shards, wanted) = (self.0.placement.shards(), filter.wanted());
        let found = tokio::task::spawn_blocking(move || {
            let of = |shard| (shard, lookup.search(shard, wanted, after, limit));
            (0..shards)
                .map(of)
                .collect::<Vec<(ShardIndex, Option<Search>)>>()
        });
        let found = found.await.map_err(|_| Unavailable::Full("lookups"))?;
        let mut ids = Vec::new();
        page.as_of.clear();
        for (shard, search) in found {
            match search {
                Some(search) => {
                    page.as_of.push((shard, search.seq, search.at));
                    ids.extend(search.ids);
                }
                None => miss(page, shard),
            }
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(limit);
        Ok(ids)
    }

    /// How reservations stand, by their shards.
    async fn resolve(
        &self,
        ids: &[ReservationId],
        page: &mut LookupPage,
    ) -> Result<HashMap<ReservationId, ReservationView>, Unavailable> {
        let mut homes: HashMap<ShardIndex, Vec<ReservationId>> = HashMap::new();
        for id in ids {
            homes
                .entry(self.0.placement.home_of(*id))
                .or_default()
                .push(*id);
        }
        let mut asked = Vec::new();
        for (shard, ids) in homes {
            let link: &Link = self.link(shard);
            if self.is_draining() {
                return Err(Unavailable::Draining);
            }
            if link.refusal().is_some() {
                miss(page, shard);
                continue;
            }
            let (to, found) = FindTo::new(link.take_read()?);
            link.send(Input::ReadMany(ReadMany { ids, to }));
            asked.push((shard, found));
        }
        let mut views = HashMap::new();
        for (shard, found) in asked {
            match found.await {
                Ok(found) => views.extend(found.views.into_iter().map(|view| (view.id, view))),
                Err(_) => miss(page, shard),
            }
        }
        Ok(views)
    }
}

impl Router {
    /// How reservations stand, by id; those of shards that don't answer are left out.
    pub(crate) async fn stand(
        &self,
        ids: &[ReservationId],
    ) -> Result<HashMap<ReservationId, ReservationView>, Unavailable> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.resolve(ids, &mut LookupPage::default()).await
    }
}

fn miss(page: &mut LookupPage, shard: ShardIndex) {
    if !page.missing.contains(&shard) {
        page.missing.push(shard);
    }
}
