//! Which handler answers which path, for both listeners. A test compares this with the contract.

use axum::routing::{MethodRouter, get, post, put};

use super::admin::{self, Operator};
use super::routes::{Mounted, Routes};
use super::state::Api;
use super::{
    admin_clock, admin_refusals, aftersale, availability_stream, batch, consumers, drifts, events,
    feeds, imports, locations, lookup, probes, reconciliations, reservations, sinks, skus,
    snapshot, statement, stock, webhooks,
};

/// The data listener's calls.
pub fn data_routes(api: Api) -> Mounted {
    Routes::new()
        .direct_route("/v1/reservations", reservations::reserve, get(lookup::find))
        .route("/v1/reservations/{id}", get(reservations::read))
        .route("/v1/reservations/{id}/confirm", post(reservations::confirm))
        .route("/v1/reservations/{id}/release", post(reservations::release))
        .route("/v1/reservations/{id}/extend", post(reservations::extend))
        .route("/v1/reservations/{id}/pin", post(reservations::pin))
        .route("/v1/reservations/{id}/cancel", post(aftersale::cancel))
        .route("/v1/reservations/{id}/move", post(aftersale::move_hold))
        .direct_route("/v1/batch", batch::batch, MethodRouter::new())
        .direct_route("/v1/availability", skus::availability, MethodRouter::new())
        .route("/v1/skus", get(skus::list))
        .config_route("/v1/skus/{sku}", put(skus::configure).get(skus::read))
        .config_route("/v1/skus/{sku}/movements", post(stock::movement))
        .config_route("/v1/skus/{sku}/transfers", post(stock::transfer))
        .route("/v1/feeds/{source}", get(feeds::read))
        .config_route("/v1/feeds/{source}/lift", post(feeds::lift))
        .route("/v1/locations", get(locations::list))
        .config_route(
            "/v1/locations/{name}",
            put(locations::configure).get(locations::read),
        )
        .route("/v1/shortfalls", get(locations::shortfalls))
        .route("/v1/drifts", get(drifts::list))
        .route("/v1/drifts/{id}", get(drifts::read))
        .config_route("/v1/drifts/{id}/approve", post(drifts::approve))
        .config_route("/v1/drifts/{id}/dismiss", post(drifts::dismiss))
        .route("/v1/skus/{sku}/ledger", get(statement::ledger))
        .route("/v1/events", get(events::read))
        .route("/v1/events/schemas", get(snapshot::schemas))
        .route("/v1/events/schemas/{type}", get(snapshot::schema))
        .route("/v1/snapshot", get(snapshot::read))
        .route("/v1/availability/stream", get(availability_stream::read))
        .route("/v1/consumers", get(consumers::list))
        .config_route(
            "/v1/consumers/{name}",
            put(consumers::set)
                .get(consumers::read)
                .delete(consumers::delete),
        )
        .config_route("/v1/webhooks", post(webhooks::create).get(webhooks::list))
        .config_route(
            "/v1/webhooks/{id}",
            put(webhooks::change)
                .get(webhooks::read)
                .delete(webhooks::delete),
        )
        .config_route("/v1/webhooks/{id}/test", post(webhooks::test))
        .config_route("/v1/webhooks/{id}/rotate", post(webhooks::rotate))
        .config_route("/v1/webhooks/{id}/redeliver", post(webhooks::redeliver))
        .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route(
            "/v1/webhooks/{id}/dead-letters",
            get(webhooks::dead_letters),
        )
        .config_route("/v1/reconciliations", post(reconciliations::begin))
        .route("/v1/reconciliations/{id}", get(reconciliations::read))
        .config_route(
            "/v1/reconciliations/{id}/rows",
            post(reconciliations::go_on),
        )
        .streamed_route("/v1/imports", imports::import)
        .route("/v1/imports/{identity}", get(imports::read))
        .with_state(api)
}

/// The admin listener's calls.
pub fn admin_routes(operator: Operator) -> Mounted {
    probes::add(Routes::new())
        .route("/openapi.json", get(admin::document))
        .route("/v1/admin/shards", get(admin::shards))
        .route("/v1/admin/sinks", get(sinks::list))
        .route("/v1/admin/clock", post(admin_clock::advance))
        .route("/v1/admin/refusals", get(admin_refusals::find))
        .with_state(operator)
}
