//! Filling and reading a server, beside the load: few calls, so with the ordinary client.

use std::{collections::HashMap, sync::Arc};

use hyper::Method;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{State, Stocking, Trouble};
use crate::{
    client::{
        Call, Client, Failure, Patience, Receipt, Said, Target,
        wire::{Page, Problem, Sku},
    },
    load::wire::Names,
};

/// What fills and reads a server.
#[derive(Clone)]
pub struct Desk {
    client: Arc<Client>,
    target: Target,
}

/// Calls at once while SKUs are made.
const AT_ONCE: usize = 32;
/// Receipts in one call, SKUs on one page.
const BATCH: usize = 1_000;

impl Desk {
    pub(super) fn new(target: Target) -> Self {
        let client = Arc::new(Client::new(target.clone(), Patience::default()));
        Self { client, target }
    }

    /// Sees that somebody answers.
    pub(super) async fn greet(&self) -> Result<(), Trouble> {
        let hasty = Patience {
            attempt: std::time::Duration::from_secs(5),
            call: std::time::Duration::ZERO,
        };
        let client = Client::new(self.target.clone(), hasty);
        let said: Result<Said<Value>, Failure> = client.say(&Call::get("/v1/skus?limit=1")).await;
        match said {
            Ok(_) => Ok(()),
            Err(failure) => Err(Trouble::NoServer {
                target: self.target.to_string(),
                why: failure.to_string(),
            }),
        }
    }

    pub(super) async fn stock(&self, names: &Names, stocking: Stocking) -> Result<(), Trouble> {
        let config = match stocking.customer_limit {
            Some(limit) => json!({
                "customer_limit": { "units": limit.units, "window_ms": limit.window_ms }
            }),
            None => json!({}),
        };
        let (config, places) = (Arc::new(config), Arc::new(Semaphore::new(AT_ONCE)));
        let mut making = JoinSet::new();
        for sku in &names.skus {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            let (client, config, sku) =
                (Arc::clone(&self.client), Arc::clone(&config), sku.clone());
            making.spawn(async move {
                let _place = place;
                let path = format!("/v1/skus/{sku}");
                let call = Call::keyless(Method::PUT, path, &*config);
                let said: Said<Value> = client.say(&call).await.map_err(failed("make a SKU"))?;
                said.result.map(drop).map_err(refused("make a SKU"))
            });
        }
        while let Some(made) = making.join_next().await {
            made.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        }
        if stocking.units == 0 {
            return Ok(());
        }
        let receipt = |sku: &String| Receipt {
            key: format!("{sku}-stock"),
            sku: sku.clone(),
            location: "main".to_owned(),
            qty: stocking.units,
        };
        for skus in names.skus.chunks(BATCH) {
            let receipts: Vec<Receipt> = skus.iter().map(receipt).collect();
            let patience = Patience::default().call;
            let received = self.client.receive(&receipts, patience).await;
            for answer in received.map_err(failed("stock a SKU"))?.answers {
                answer.map_err(|problem| refused("stock a SKU")(*problem))?;
            }
        }
        Ok(())
    }

    pub(super) async fn states(&self, run: &str) -> Result<HashMap<String, State>, Trouble> {
        let mut found = HashMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/skus?prefix={run}-&limit={BATCH}{cursor}");
            let said: Result<Said<Page<Sku>>, Failure> = self.client.say(&Call::get(path)).await;
            let page = said.map_err(failed("read the counters"))?.result;
            let page = page.map_err(refused("read the counters"))?;
            for sku in page.items {
                let state = state_of(&sku);
                found.insert(sku.sku, state);
            }
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(found),
            }
        }
    }

    pub(super) async fn state(&self, sku: &str) -> Option<State> {
        let said = self.client.sku(sku).await.ok()?;
        said.result.ok().map(|sku| state_of(&sku))
    }
}

const fn state_of(sku: &Sku) -> State {
    State {
        counters: sku.counters,
        available: sku.available,
    }
}

fn failed(what: &'static str) -> impl Fn(Failure) -> Trouble {
    move |failure| Trouble::Refused {
        what,
        why: failure.to_string(),
    }
}

fn refused(what: &'static str) -> impl Fn(Problem) -> Trouble {
    move |problem| {
        let Problem {
            status,
            code,
            detail,
            ..
        } = problem;
        Trouble::Refused {
            what,
            why: format!("{status} {code}: {detail}"),
        }
    }
}
