//! `GET /v1/availability/stream`: the latest availability of a few SKUs, for product pages.
//!
//! Not every event: the board is looked at now and then, and a SKU is told again only if what a
//! page shows has changed. So a hot SKU costs a listener one message an interval at most, and a
//! listener costs the shards nothing.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{Sku, SkuView, Timestamp};
use serde::Deserialize;

use super::events::{events_of, skus_of, streaming};
use super::events_stream::{Piped, crowded};
use super::json::Query;
use super::problem::Problem;
use super::state::Api;
use super::wire::view::AvailabilityShape;
use crate::events::Place;

/// How often the board is looked at where the listener does not say.
const INTERVAL_MS: u64 = 250;

/// How often at most, and at least.
const INTERVAL_MS_RANGE: (u64, u64) = (50, 60_000);

/// `GET /v1/availability/stream`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    skus: String,
    interval_ms: Option<u64>,
}

/// What a page shows of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Unknown,
    Known {
        available: i64,
        depleted_at: Option<u64>,
        sold_out_at: Option<u64>,
        paused: bool,
        opens_at: Option<u64>,
        closes_at: Option<u64>,
    },
}

/// `GET /v1/availability/stream`
pub(crate) async fn read(
    State(api): State<Api>,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    let events = events_of(&api)?;
    let skus = skus_of(&query.skus, "skus")?;
    let interval = interval_of(query.interval_ms)?;
    let place = events.place().map_err(|no| crowded(&events, no))?;
    let (to, body) = Piped::body();
    let heartbeat = api.event_bounds().heartbeat;
    let page = Page {
        shown: vec![None; skus.len()],
        skus,
        api,
        _place: place,
    };
    tokio::spawn(async move {
        let mut page = page;
        let mut looks = tokio::time::interval(interval);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut quiet = tokio::time::Instant::now();
        loop {
            tokio::select! {
                biased;
                () = to.closed() => return,
                _ = looks.tick() => {}
            }
            let mut text = page.news();
            if text.is_empty() {
                if quiet.elapsed() < heartbeat {
                    continue;
                }
                text.push_str(": heartbeat\n\n");
            }
            quiet = tokio::time::Instant::now();
            if to.send(text.into()).await.is_err() {
                return;
            }
        }
    });
    Ok(streaming(body))
}

fn interval_of(ms: Option<u64>) -> Result<Duration, Problem> {
    let (low, high) = INTERVAL_MS_RANGE;
    let ms = ms.unwrap_or(INTERVAL_MS);
    if (low..=high).contains(&ms) {
        return Ok(Duration::from_millis(ms));
    }
    let detail = format!("{ms} is not {low} to {high} milliseconds");
    Err(Problem::invalid("interval_ms", detail))
}

/// What one listener looks at.
struct Page {
    api: Api,
    skus: Vec<Sku>,
    shown: Vec<Option<Shown>>,
    _place: Place,
}

impl Page {
    /// Messages for what has changed since the last look.
    fn news(&mut self) -> String {
        let mut text = String::new();
        for (sku, shown) in self.skus.iter().zip(&mut self.shown) {
            let view = self.api.router().sku(sku);
            let now = Shown::of(view.as_ref());
            if shown.as_ref() == Some(&now) {
                continue;
            }
            *shown = Some(now);
            text.push_str(&message(&self.api, sku, view.as_ref()));
        }
        text
    }
}

fn message(api: &Api, sku: &Sku, view: Option<&SkuView>) -> String {
    let Some(view) = view else {
        let told = serde_json::json!({"sku": sku.as_str()});
        return format!("event: unknown\ndata: {told}\n\n");
    };
    let position = api.position(sku, view.seq);
    let told = serde_json::to_string(&AvailabilityShape::of(view, position));
    let told = told.expect("numbers and texts in memory can be written");
    format!("event: availability\ndata: {told}\n\n")
}

impl Shown {
    fn of(view: Option<&SkuView>) -> Self {
        match view {
            None => Self::Unknown,
            Some(view) => Self::Known {
                available: view.available(),
                depleted_at: view.supply.depleted_at.map(Timestamp::ms),
                sold_out_at: view.supply.sold_out_at.map(Timestamp::ms),
                paused: view.config.paused,
                opens_at: view.config.opens_at.map(Timestamp::ms),
                closes_at: view.config.closes_at.map(Timestamp::ms),
            },
        }
    }
}
