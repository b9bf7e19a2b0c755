//! The call that books movements of stock.

use axum::extract::State;
use axum::response::Response;

use super::call::Call;
use super::json::Path;
use super::problem::Problem;
use super::skus::sku_of;
use super::state::Api;
use super::wire::body::MovementBody;

/// `POST /v1/skus/{sku}/movements`
pub(crate) async fn movement(
    State(api): State<Api>,
    Path(sku): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let sku = sku_of(&sku)?;
    let body: MovementBody = call.json()?;
    api.run(&call, body.command(sku)?, api.bounds().keys).await
}
