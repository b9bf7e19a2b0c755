//! The calls about a reservation that was sold, or whose units lie elsewhere: cancel and move.

use axum::extract::State;
use axum::response::Response;

use super::call::Call;
use super::json::Path;
use super::problem::Problem;
use super::reservations::id_of;
use super::state::Api;
use super::wire::aftersale::{CancelBody, MoveBody};

/// `POST /v1/reservations/{id}/cancel`
pub(crate) async fn cancel(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: CancelBody = call.json_or_default()?;
    let command = body.command(id_of(&id)?, api.bounds().lines_max)?;
    api.run(&call, command, api.bounds().keys).await
}

/// `POST /v1/reservations/{id}/move`
pub(crate) async fn move_hold(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: MoveBody = call.json()?;
    let command = body.command(id_of(&id)?)?;
    api.run(&call, command, api.bounds().keys).await
}
