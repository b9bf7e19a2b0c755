//! A small stand-in for the server, written from the contract alone: correct unless it is told to
//! lie, so that the tests can see each claim of the load laboratory broken by the lie it is there
//! for.

mod store;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use store::Store;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Grants units that aren't there.
    Oversell,
    /// Books every 10th sale's units as gone, too.
    Vanish,
    /// Doesn't book every 10th confirm as sold.
    LoseSales,
    /// Refuses every 10th reserve for want of units that its own numbers have.
    Deny,
    /// Forgets every 10th acknowledged reservation.
    Forget,
    /// Shows who asks later that what was confirmed is released.
    TwoEnds,
    /// Holds one unit less than asked.
    Stingy,
    /// Gives a repeated key another reservation.
    RepeatAnew,
    /// Doesn't mark repeats as such.
    Unmarked,
    /// Sells after it has refused for good.
    AfterFinal,
    /// Refuses every 10th reserve with what no reserve can have.
    Strange,
    /// Forgets customers' limits.
    NoLimit,
    /// Receives all stock twice.
    ReceiveTwice,
}

/// The stand-in. Dropping it ends it.
pub(crate) struct Fake {
    url: String,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    store: Arc<Mutex<Store>>,
}

impl Fake {
    pub(crate) async fn start(lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let store = Arc::new(Mutex::new(Store::new(lie)));
        let router = Router::new()
            .route("/v1/skus", get(list_skus))
            .route("/v1/skus/{sku}", get(read_sku).put(configure))
            .route("/v1/availability", post(availability))
            .route("/v1/batch", post(batch))
            .route("/v1/reservations", post(reserve))
            .route("/v1/reservations/{id}", get(read_reservation))
            .route("/v1/reservations/{id}/{settle}", post(settle))
            .with_state(Shared { store });
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self { url, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer: status, body, whether it repeats an earlier one.
pub(crate) type Said = (u16, Value, bool);

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().expect("no handler panics");
        store.lapse();
        store
    }
}

fn answer((status, body, replayed): Said) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, body.to_string()).into_response();
    if replayed {
        let yes = "true".parse().expect("a header");
        response.headers_mut().insert("idempotent-replayed", yes);
    }
    response
}

fn parsed(body: &Bytes) -> Value {
    serde_json::from_slice(body).expect("the client sends JSON")
}

fn key(headers: &HeaderMap) -> String {
    let key = headers.get("idempotency-key").expect("changes have keys");
    key.to_str().expect("it is text").to_owned()
}

async fn list_skus(
    State(shared): State<Shared>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let prefix = query.into_iter().find(|(name, _)| name == "prefix");
    let prefix = prefix.map(|(_, prefix)| prefix).unwrap_or_default();
    let items = shared.store().skus(&prefix);
    answer((200, json!({ "items": items, "next_cursor": null }), false))
}

async fn read_sku(State(shared): State<Shared>, Path(sku): Path<String>) -> Response {
    let found = shared.store().skus(&sku).into_iter().next();
    answer(found.map_or((404, Value::Null, false), |sku| (200, sku, false)))
}

async fn configure(State(shared): State<Shared>, Path(sku): Path<String>, body: Bytes) -> Response {
    let limit = parsed(&body)["customer_limit"]["units"].as_u64();
    shared.store().make(&sku, limit);
    answer((201, json!({ "sku": sku }), false))
}

async fn availability(body: Bytes) -> Response {
    answer((200, json!({ "items": parsed(&body)["skus"] }), false))
}

async fn batch(State(shared): State<Shared>, body: Bytes) -> Response {
    let body = parsed(&body);
    let operations = body["operations"].as_array().expect("operations").iter();
    let mut store = shared.store();
    let results: Vec<Value> = operations
        .map(|operation| {
            let sku = operation["sku"].as_str().expect("a SKU");
            store.receive(sku, operation["qty"].as_u64().expect("units"));
            json!({ "status": 201 })
        })
        .collect();
    answer((200, json!({ "results": results }), false))
}

async fn reserve(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    answer(shared.store().reserve(&key(&headers), &parsed(&body)))
}

async fn read_reservation(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    answer(shared.store().read(&id))
}

async fn settle(
    State(shared): State<Shared>,
    Path((id, settle)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let key = key(&headers);
    let mut store = shared.store();
    answer(match settle.as_str() {
        "confirm" => store.confirm(&id, &key),
        _ => store.release(&id),
    })
}
