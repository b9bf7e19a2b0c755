//! The calls a checkout makes about one reservation.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use holdfast_core::{ReservationId, Sku};

use super::call::{Call, NoQuery};
use super::json::Path;
use super::problem::Problem;
use super::render;
use super::state::Api;
use super::wire::body::{ConfirmBody, ExtendBody, PinBody, ReleaseBody, ReserveBody};
use super::wire::plain;
use super::wire::scalar::parse_id;

/// `POST /v1/reservations`
pub(crate) async fn reserve(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let lines_max = api.bounds().lines_max;
    let command = match plain::reserve(call.bytes()?, lines_max) {
        Some(command) => command,
        None => call.json::<ReserveBody>()?.command(lines_max)?,
    };
    api.run(&call, command, api.bounds().keys).await
}

/// `GET /v1/reservations/{id}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let told = api.router().reservation(id_of(&id)?, api.deadline()).await;
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    Ok(render::told(&told, None, &position_of).into_response())
}

/// `POST /v1/reservations/{id}/confirm`
pub(crate) async fn confirm(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ConfirmBody = call.json_or_default()?;
    let command = body.command(id_of(&id)?, api.bounds().lines_max)?;
    api.run(&call, command, api.bounds().keys).await
}

/// `POST /v1/reservations/{id}/release`
pub(crate) async fn release(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ReleaseBody = call.json_or_default()?;
    let command = body.command(id_of(&id)?, api.bounds().lines_max)?;
    api.run(&call, command, api.bounds().keys).await
}

/// `POST /v1/reservations/{id}/extend`
pub(crate) async fn extend(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ExtendBody = call.json()?;
    let command = body.command(id_of(&id)?);
    api.run(&call, command, api.bounds().keys).await
}

/// `POST /v1/reservations/{id}/pin`
pub(crate) async fn pin(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: PinBody = call.json()?;
    let command = body.command(id_of(&id)?);
    api.run(&call, command, api.bounds().keys).await
}

pub(crate) fn id_of(text: &str) -> Result<ReservationId, Problem> {
    parse_id(text).map_err(|expected| Problem::invalid("id", format!("{text:?} is not {expected}")))
}
