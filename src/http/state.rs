//! What the data listener's handlers share: the way to the shards, and the bounds of a request.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use holdfast_core::{Answer, Command, Refusal, ReservationId, Sku};
use holdfast_runtime::{Deadline, Operation, Router, ShardIndex, Told};

use super::call::Call;
use super::echo::Echo;
use super::imports::Imports;
use super::keys;
use super::problem::Problem;
use super::refusals::{Asker, Refusals, Refused};
use super::render;
use super::wire::movement::Asked;
use super::wire::operation::OpWord;
use crate::config;
use crate::events::sinks::Sinks;
use crate::events::{Deliveries, Events};
use crate::reconcile::Desk;
use crate::telemetry::Operations;

/// Whether a call that changes something must carry a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// It is refused without one.
    Required,
    /// It may come without.
    Optional,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lines of a reservation.
    pub lines_max: usize,
    /// Operations of a batch.
    pub batch_max: usize,
    /// Items of a page.
    pub page_max: usize,
    /// About keys.
    pub keys: KeyRule,
    /// How long an operation may wait for its turn.
    pub wait_max: Duration,
    /// Refusals kept of each shard.
    pub refusals_per_shard: usize,
}

/// Bounds of streams of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventBounds {
    /// Events of one message.
    pub batch_max: usize,
    /// Events that a page looks at.
    pub scan_max: u64,
    /// How often a stream that has nothing to say says so.
    pub heartbeat: Duration,
}

/// The handlers' state; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    router: Router,
    bounds: Bounds,
    operations: Arc<Operations>,
    refusals: Refusals,
    echo: Echo,
    reconciliations: OnceLock<Desk>,
    events: OnceLock<(Events, EventBounds)>,
    deliveries: OnceLock<Deliveries>,
    sinks: OnceLock<Sinks>,
    imports: Imports,
}

impl Bounds {
    /// Those of the configuration.
    pub fn of(http: &config::Http) -> Self {
        // A little less than the edge waits, so that what was not begun is answered as such.
        let wait_max = http.request_timeout_ms.duration().mul_f64(0.9);
        Self {
            lines_max: http.lines_max as usize,
            batch_max: http.batch_max as usize,
            page_max: http.page_max as usize,
            keys: if http.keys_required {
                KeyRule::Required
            } else {
                KeyRule::Optional
            },
            wait_max,
            refusals_per_shard: http.refusals_per_shard as usize,
        }
    }
}

impl Default for EventBounds {
    fn default() -> Self {
        Self::of(&config::Events::default())
    }
}

impl EventBounds {
    /// Those of the configuration.
    pub fn of(events: &config::Events) -> Self {
        Self {
            batch_max: events.batch_max as usize,
            scan_max: events.scan_max,
            heartbeat: events.heartbeat_ms.duration(),
        }
    }
}

impl Api {
    /// Handlers that send to `router`.
    pub fn new(router: Router, bounds: Bounds, imports: Imports) -> Self {
        let operations = Arc::new(Operations::new(OpWord::NAMES));
        let shards = router.placement().shards();
        Self(Arc::new(Shared {
            router,
            bounds,
            operations,
            refusals: Refusals::new(shards, bounds.refusals_per_shard),
            echo: Echo::new(),
            reconciliations: OnceLock::new(),
            events: OnceLock::new(),
            deliveries: OnceLock::new(),
            sinks: OnceLock::new(),
            imports,
        }))
    }

    /// The counts of batch operations, for the metrics.
    pub fn operations(&self) -> &Arc<Operations> {
        &self.0.operations
    }

    /// Where reconciliations are handed in, from now on; there is one desk.
    pub fn set_reconciliations(&self, desk: Desk) {
        // A second one would not know what the first has taken.
        let _ = self.0.reconciliations.set(desk);
    }

    pub(crate) fn reconciliations(&self) -> Option<&Desk> {
        self.0.reconciliations.get()
    }

    /// What is told of events, from now on, and within which bounds.
    pub fn set_events(&self, events: Events, bounds: EventBounds) {
        // A second one would tell the same.
        let _ = self.0.events.set((events, bounds));
    }

    pub(crate) fn events(&self) -> Option<&Events> {
        self.0.events.get().map(|(events, _)| events)
    }

    /// Who carries events out, from now on.
    pub fn set_deliveries(&self, deliveries: Deliveries) {
        // A second one would not know what the first has delivered.
        let _ = self.0.deliveries.set(deliveries);
    }

    pub(crate) fn deliveries(&self) -> Option<&Deliveries> {
        self.0.deliveries.get()
    }

    /// Where events are carried, from now on.
    pub fn set_sinks(&self, sinks: Sinks) {
        // A second one would carry the same again.
        let _ = self.0.sinks.set(sinks);
    }

    pub(crate) fn sinks(&self) -> Option<&Sinks> {
        self.0.sinks.get()
    }

    pub(crate) fn event_bounds(&self) -> EventBounds {
        let bounds = self.0.events.get().map(|(_, bounds)| *bounds);
        bounds.unwrap_or_default()
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.router
    }

    /// The last refusals.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The imports, running and past.
    pub(crate) fn imports(&self) -> &Imports {
        &self.0.imports
    }

    /// Keeps what was told to `asker` if it is a refusal, once it is answered.
    pub(crate) fn keep_refusal(&self, call: &Call, asker: Option<Asker>, told: Told) {
        let (
            Some(asker),
            Ok(Answer::Refused {
                refusal, at, seq, ..
            }),
        ) = (asker, told)
        else {
            return;
        };
        let placement = self.0.router.placement();
        let shard = match asker.about.reservation() {
            Some(id) => placement.home_of(id),
            None => asker
                .about
                .skus()
                .first()
                .map_or(0, |sku| placement.shard_of_sku(sku)),
        };
        let refused = Refused { refusal, at, seq };
        let about = asker.about.reservation();
        let has_none = matches!(
            *refused.refusal,
            Refusal::UnknownReservation(_) | Refusal::ReservationForgotten(_)
        );
        let request_id = call.request_id();
        let number = self.0.refusals.keep(shard, request_id, asker, refused);
        if let (Some(id), Some(number), false) = (about, number, has_none) {
            self.tell_refusal(shard, number, id);
        }
    }

    /// Has the reservation read that a refusal is about, behind its answer, so that the refusal is
    /// found by SKU and customer too.
    fn tell_refusal(&self, shard: ShardIndex, number: u64, id: ReservationId) {
        let Some(place) = self.0.refusals.reader() else {
            return;
        };
        let api = self.clone();
        tokio::spawn(async move {
            let told = api.router().reservation(id, api.deadline()).await;
            if let Ok(Answer::Reservation { view, .. }) = told {
                api.refusals().tell(shard, number, &view);
            }
            drop(place);
        });
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    /// Until when an operation that arrives now may be begun.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::within(self.0.bounds.wait_max)
    }

    /// A position as callers see it.
    pub(crate) fn position(&self, sku: &Sku, seq: u64) -> String {
        self.0.router.position(sku, seq)
    }

    /// Does what a call asks for, and answers it.
    pub(crate) async fn run(
        &self,
        call: &Call,
        command: Command,
        rule: KeyRule,
    ) -> Result<Response, Problem> {
        let asked = Asked::of(&command);
        let key = call.key(rule)?.map(|key| keys::tag(key, &command));
        let asker = self.0.refusals.notice(&command);
        let told = self
            .0
            .router
            .execute(
                Operation {
                    key,
                    command,
                    trace: call.trace().map(Box::new),
                },
                self.deadline(),
            )
            .await;
        let position_of = |sku: &Sku, seq| self.position(sku, seq);
        let common = self.0.echo.answer(&told, &position_of);
        let response = common
            .unwrap_or_else(|| render::told(&told, asked.as_ref(), &position_of).into_response());
        self.keep_refusal(call, asker, told);
        Ok(response)
    }
}
