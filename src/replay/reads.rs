//! Reading the server's side: counters and reservations.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    basket::{Contents, Pair},
    spread::spread,
};
use crate::{
    client::{
        Client, Failure,
        latency::{Call, Latencies},
        wire::{Counters, Place, Problem, Reservation, Sku},
    },
    progress::Progress,
};

/// What all reads need.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) client: Arc<Client>,
    pub(super) latencies: Arc<Latencies>,
    pub(super) progress: Arc<Progress>,
    pub(super) connections: usize,
}

impl Reader {
    /// The SKUs of these names; those the server doesn't know are left out.
    pub(super) async fn skus(&self, names: Vec<String>) -> Result<Vec<Sku>, Failure> {
        let (reader, total) = (self.clone(), names.len());
        let found = spread(self.connections, total, move |place| {
            let (reader, name) = (reader.clone(), names[place].clone());
            async move {
                let said = reader.client.sku(&name).await?;
                reader.note(said.took);
                match said.result {
                    Ok(sku) => Ok(Some(sku)),
                    Err(problem) if problem.status == 404 => Ok(None),
                    Err(problem) => Err(unexpected(&format!("GET /v1/skus/{name}"), &problem)),
                }
            }
        })
        .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The reservations of these ids, each as it reads back.
    pub(super) async fn reservations(
        &self,
        ids: Vec<(usize, String)>,
    ) -> Result<Vec<(usize, Result<Reservation, Problem>)>, Failure> {
        let (reader, total) = (self.clone(), ids.len());
        spread(self.connections, total, move |place| {
            let (reader, (held, id)) = (reader.clone(), ids[place].clone());
            async move {
                let said = reader.client.reservation(&id).await?;
                reader.note(said.took);
                Ok((held, said.result))
            }
        })
        .await
    }

    fn note(&self, took: std::time::Duration) {
        self.latencies.record(Call::Read, took);
        self.progress.inc(1);
    }
}

/// The locations of each SKU, by name.
pub(super) fn by_name(skus: &[Sku]) -> BTreeMap<String, BTreeMap<String, Place>> {
    skus.iter()
        .map(|sku| (sku.sku.clone(), sku.locations.clone()))
        .collect()
}

/// The counters by place, and the SKUs whose summed counters are not the sums of their places.
pub(super) fn by_pair(
    skus: &[Sku],
    contents: &mut Contents,
) -> (HashMap<Pair, Place>, Vec<String>) {
    let mut places = HashMap::new();
    let mut sums_wrong = Vec::new();
    for sku in skus {
        let mut sum = Sums::default();
        for (location, place) in &sku.locations {
            let number = contents.skus.intern(&sku.sku);
            let location = contents.locations.intern(location);
            places.insert(
                Pair {
                    sku: number,
                    location,
                },
                *place,
            );
            sum.add(place);
        }
        if sum != Sums::of(&sku.counters, sku.available) {
            sums_wrong.push(sku.sku.clone());
        }
    }
    (places, sums_wrong)
}

/// The counters that are checked as sums.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums([i64; 7]);

impl Sums {
    fn of(counters: &Counters, available: i64) -> Self {
        let Counters {
            on_hand,
            reserved,
            sold,
            received,
            released,
            expired,
            ..
        } = *counters;
        Self([
            on_hand, reserved, sold, received, released, expired, available,
        ])
    }

    fn add(&mut self, place: &Place) {
        let Self(more) = Self::of(&place.counters, place.available);
        for (sum, more) in self.0.iter_mut().zip(more) {
            *sum += more;
        }
    }
}

fn unexpected(call: &str, problem: &Problem) -> Failure {
    Failure::Strange {
        call: call.to_owned(),
        why: format!("{} {}", problem.status, problem.code),
        excerpt: problem.detail.clone(),
    }
}
