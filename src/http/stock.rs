//! The calls that book movements of stock, and transfers.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::{At, Command, MovementKind, Then};
use holdfast_runtime::Router;

use super::call::Call;
use super::json::Path;
use super::problem::Problem;
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
    let mut booking = body.booking(sku)?;
    dated(&mut booking.command, booking.past.as_ref(), api.router())?;
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

/// Has a count speak of the moment that its caller named; the runtime reads what was then.
pub(crate) fn dated(
    command: &mut Command,
    past: Option<&Past>,
    router: &Router,
) -> Result<(), Problem> {
    let (Some(past), Command::Movement(movement)) = (past, command) else {
        return Ok(());
    };
    past.check(router.now())?;
    let at = match (&past.position, past.at) {
        (Some(position), _) => {
            let position = position.as_str();
            let sequence = router.sequence_of(&movement.sku, position);
            let unknown = || {
                let detail = format!("{position:?} is no position of this SKU's ledger");
                Problem::invalid("position", detail)
            };
            At::Sequence(sequence.ok_or_else(unknown)?)
        }
        (None, Some(time)) => At::Time(time),
        (None, None) => return Ok(()),
    };
    if let MovementKind::Count(count) = &mut movement.kind {
        count.then = Some(Then::At(at));
    }
    Ok(())
}
