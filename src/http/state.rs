//! What the data listener's handlers share: the way to the shards, and the bounds of a request.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use holdfast_core::{Command, Sku};
use holdfast_runtime::{Deadline, Operation, Router};

use super::call::Call;
use super::keys;
use super::problem::Problem;
use super::render;
use super::wire::operation::{Asked, OpWord};
use crate::config;
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
}

/// The handlers' state; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    router: Router,
    bounds: Bounds,
    operations: Arc<Operations>,
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
        }
    }
}

impl Api {
    /// Handlers that send to `router`.
    pub fn new(router: Router, bounds: Bounds) -> Self {
        let operations = Arc::new(Operations::new(OpWord::NAMES));
        Self(Arc::new(Shared {
            router,
            bounds,
            operations,
        }))
    }

    /// The counts of batch operations, for the metrics.
    pub fn operations(&self) -> &Arc<Operations> {
        &self.0.operations
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.router
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
        let told = self
            .0
            .router
            .execute(Operation { key, command }, self.deadline())
            .await;
        let position_of = |sku: &Sku, seq| self.position(sku, seq);
        Ok(render::told(&told, asked.as_ref(), &position_of).into_response())
    }
}
