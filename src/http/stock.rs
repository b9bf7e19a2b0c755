//! The calls that book movements of stock, and transfers.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{Command, Timestamp};

use super::call::Call;
use super::json::Path;
use super::problem::{Code, Problem};
use super::skus::sku_of;
use super::state::{Api, KeyRule};
use super::wire::booking::Past;
use super::wire::movement::{MovementBody, TransferBody};

/// `POST /v1/skus/{sku}/movements`
pub(crate) async fn movement(
    State(api): State<Api>,
    Path(sku): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    let body: MovementBody = call.json()?;
    let booking = body.booking(sku)?;
    if let Some(past) = booking.past {
        return Err(unread(&past, api.router().now()));
    }
    let rule = key_rule(&booking.command, api.bounds().keys);
    api.run(&call, booking.command, rule).await
}

/// `POST /v1/skus/{sku}/transfers`
pub(crate) async fn transfer(
    State(api): State<Api>,
    Path(sku): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    let body: TransferBody = call.json()?;
    api.run(&call, body.command(sku)?, api.bounds().keys).await
}

/// Whether a movement must carry a key: what its source has numbered is told apart by that.
pub(crate) fn key_rule(command: &Command, rule: KeyRule) -> KeyRule {
    match command {
        Command::Movement(movement) if movement.feed.is_some() => KeyRule::Optional,
        _ => rule,
    }
}

/// Why a count of then is not booked.
pub(crate) fn unread(past: &Past, now: Timestamp) -> Problem {
    let detail = "the counters of the past can't be read here; count as of now, without position \
                  and occurred_at";
    past.check(now)
        .err()
        .unwrap_or_else(|| Problem::new(Code::HistoryUnavailable, detail))
}
