//! `POST /v1/admin/clock`: moving the time of a server that was started for rehearsals.
//!
//! Deliberately absent: moving back, and any effect on a server that holds real stock: its clock
//! has no hands.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admin::Operator;
use super::call::Call;
use super::problem::{Code, Problem};
use super::render;
use super::wire::scalar::Time;
use crate::test_clock::{ADVANCE_MAX, NotMoved};

/// `POST /v1/admin/clock`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClockMove)]
pub(crate) struct ClockBody {
    /// By how much ledger time moves forward.
    #[schema(minimum = 1, maximum = 31_536_000_000_i64)]
    advance_ms: u64,
}

/// A clock that was moved.
#[derive(Serialize, ToSchema)]
#[schema(as = ClockMoved)]
pub(crate) struct ClockAnswer {
    /// Ledger time after the move; no command that is sent from now on sees an earlier one.
    time: Time,
    /// How far ledger time is ahead of the system's clock, over all moves.
    ahead_ms: u64,
    /// Whether every expiry that was due is recorded, so that counters show it. Where that would
    /// take too long it is `false`, and goes on; commands count what has lapsed as expired either
    /// way.
    caught_up: bool,
}

/// `POST /v1/admin/clock`
pub(crate) async fn advance(
    State(operator): State<Operator>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ClockBody = call.json()?;
    let by = Millis::new(body.advance_ms);
    if !(1..=ADVANCE_MAX.ms()).contains(&by.ms()) {
        let detail = format!("{} is not 1 to {} ms", by.ms(), ADVANCE_MAX.ms());
        return Err(Problem::invalid("advance_ms", detail));
    }
    let served = operator.served()?;
    let Some(clock) = served.clock() else {
        let detail = "this server's time is real and can't be moved; rehearse on one started with \
                      serve --test-clock";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let ahead = clock.advance(by).map_err(|error| match error {
        NotMoved::TooFar => Problem::invalid("advance_ms", error.to_string()),
        NotMoved::File { .. } => Problem::new(Code::Internal, error.to_string()),
    })?;
    let time = served.router().now();
    let within = served.api().bounds().wait_max;
    let left = served.router().catch_up(within).await;
    let answer = ClockAnswer {
        time: Time(time),
        ahead_ms: ahead.ms(),
        caught_up: left == 0,
    };
    Ok(render::ok(&answer))
}
