//! A small stand-in for the server, written from the contract alone: correct unless it is told to
//! lie, so that the tests can show a lie being caught. It keeps its state when its listener is
//! taken away and put back, as the real one does over a restart.

mod store;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

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

use store::{Hold, Store};

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Grants units that aren't there.
    Oversell,
    /// Forgets every 10th acknowledged reservation.
    LoseReservations,
    /// Doesn't book every 10th confirm as sold.
    LoseSales,
    /// Books every 10th sale's units as gone, too.
    Vanish,
    /// Receives every batch twice.
    ReceiveTwice,
    /// Applies and answers 500 without a word, every 5th change; remembers the key.
    DropAnswers,
    /// The same, but forgets the key.
    DropAnswersAndKeys,
    /// Holds one unit less than asked, and says so.
    Stingy,
    /// No lie: books every 10th sale a little after its answer, as other shards may.
    Lag,
    /// Another client reserves, too.
    Company,
}

/// The stand-in. Dropping it ends its listener.
pub(crate) struct Fake {
    shared: Shared,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    store: Arc<Mutex<Store>>,
    lie: Lie,
}

impl Fake {
    pub(crate) async fn start(lie: Lie) -> Self {
        let shared = Shared {
            store: Arc::default(),
            lie,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut fake = Self {
            shared,
            address,
            serving: None,
        };
        fake.serve(listener);
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reservations made, confirmed and released so far.
    pub(crate) fn changes(&self) -> u64 {
        self.shared.store().changes
    }

    /// Answers no further reserve, confirm or release once there were so many changes.
    pub(crate) fn get_stuck_at(&self, changes: u64) {
        self.shared.store().stuck_at = Some(changes);
    }

    /// Takes the listener and every connection away.
    pub(crate) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            serving.await.ok();
        }
    }

    /// Puts the listener back on the same port, with the state as it was.
    pub(crate) async fn restart(&mut self) {
        self.shared.store().stuck_at = None;
        self.serve(
            TcpListener::bind(self.address)
                .await
                .expect("the port was ours"),
        );
    }

    fn serve(&mut self, listener: TcpListener) {
        let router = Router::new()
            .route("/v1/skus", get(list_skus))
            .route("/v1/skus/{sku}", get(read_sku).put(configure))
            .route("/v1/batch", post(batch))
            .route("/v1/reservations", post(reserve).get(list))
            .route("/v1/reservations/{id}", get(read_reservation))
            .route("/v1/reservations/{id}/{settle}", post(settle))
            .with_state(self.shared.clone());
        // Connections are served by tasks of this one's own, so that its end breaks them all.
        self.serving = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    let stream = hyper_util::rt::TokioIo::new(stream);
                    let server = hyper::server::conn::http1::Builder::new();
                    server.serve_connection(stream, service).await.ok();
                });
            }
        }));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().expect("no handler panics");
        store.lapse();
        store
    }
}

impl Shared {
    async fn pass_or_get_stuck(&self) {
        let stuck = {
            let store = self.store();
            store
                .stuck_at
                .is_some_and(|changes| changes <= store.changes)
        };
        if stuck {
            std::future::pending::<()>().await;
        }
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (
        status,
        [("content-type", "application/json")],
        body.to_string(),
    )
        .into_response()
}

fn problem(status: u16, code: &str) -> Response {
    answer(
        status,
        &json!({ "status": status, "code": code, "detail": code }),
    )
}

async fn list_skus() -> Response {
    answer(200, &json!({ "items": [], "next_cursor": null }))
}

async fn read_sku(State(shared): State<Shared>, Path(sku): Path<String>) -> Response {
    let found = shared.store().sku(&sku);
    found.map_or_else(|| problem(404, "unknown-sku"), |sku| answer(200, &sku))
}

async fn configure(State(shared): State<Shared>, Path(sku): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("the client sends JSON");
    let mut store = shared.store();
    for location in body["locations"].as_object().expect("locations").keys() {
        store
            .shelves
            .entry((sku.clone(), location.clone()))
            .or_default();
    }
    answer(200, &store.sku(&sku).expect("it has a location"))
}

async fn batch(State(shared): State<Shared>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("the client sends JSON");
    let mut store = shared.store();
    let mut results = Vec::new();
    for op in body["operations"].as_array().expect("operations") {
        assert_eq!(
            (&op["op"], &op["kind"]),
            (&json!("movement"), &json!("receive"))
        );
        let text = |name: &str| op[name].as_str().expect(name).to_owned();
        let key = text("key");
        if !store.keys.contains_key(&key) {
            let units = op["qty"].as_i64().expect("qty");
            let units = if shared.lie == Lie::ReceiveTwice {
                2 * units
            } else {
                units
            };
            let shelf = store
                .shelves
                .entry((text("sku"), text("location")))
                .or_default();
            shelf.received += units;
            shelf.on_hand += units;
            store.keys.insert(key, (201, String::new()));
        }
        results.push(json!({ "status": 201, "outcome": "applied" }));
    }
    answer(200, &json!({ "results": results }))
}

fn key(headers: &HeaderMap) -> String {
    headers["idempotency-key"]
        .to_str()
        .expect("visible ASCII")
        .to_owned()
}

/// Answers a change, or loses the answer where that is the lie.
fn changed(shared: &Shared, store: &mut Store, key: String, status: u16, id: usize) -> Response {
    store.changes += 1;
    let lost = store.changes.is_multiple_of(5);
    if !(lost && shared.lie == Lie::DropAnswersAndKeys) {
        store.keys.insert(key, (status, id.to_string()));
    }
    if lost && matches!(shared.lie, Lie::DropAnswers | Lie::DropAnswersAndKeys) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    answer(status, &store.reservation(id).expect("it was just changed"))
}

fn replay(store: &Store, key: &str) -> Option<Response> {
    let (status, id) = store.keys.get(key)?;
    let id = id.parse().expect("ids are numbers");
    let mut answer = answer(
        *status,
        &store.reservation(id).expect("it was acknowledged"),
    );
    answer
        .headers_mut()
        .insert("idempotent-replayed", "true".parse().expect("a value"));
    Some(answer)
}

async fn reserve(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    shared.pass_or_get_stuck().await;
    let body: Value = serde_json::from_slice(&body).expect("the client sends JSON");
    let mut store = shared.store();
    let key = key(&headers);
    if let Some(first) = replay(&store, &key) {
        return first;
    }
    let mut lines = Vec::new();
    let mut short = Vec::new();
    for line in body["lines"].as_array().expect("lines") {
        let text = |name: &str| line[name].as_str().expect(name).to_owned();
        let asked = line["qty"].as_i64().expect("qty");
        let place = (text("sku"), text("location"));
        let Some(shelf) = store.shelves.get(&place) else {
            return problem(404, "unknown-location");
        };
        let free = shelf.on_hand - shelf.reserved;
        let mut granted = if shared.lie == Lie::Oversell {
            asked
        } else {
            asked.min(free)
        };
        if shared.lie == Lie::Stingy {
            granted -= 1;
        }
        if granted < asked && shared.lie != Lie::Stingy {
            short.push(json!({ "sku": place.0, "requested": asked, "available": free }));
        }
        lines.push((place.0, place.1, granted));
    }
    if !short.is_empty() && body["mode"] == "all_or_nothing" {
        let code = "insufficient-stock";
        return answer(409, &json!({ "status": 409, "code": code, "lines": short }));
    }
    lines.retain(|(_, _, granted)| *granted > 0);
    if lines.is_empty() {
        return answer(
            409,
            &json!({ "status": 409, "code": "insufficient-stock", "lines": short }),
        );
    }
    let ttl = Duration::from_millis(body["ttl_ms"].as_u64().expect("ttl_ms"));
    let id = store.hold(lines, body["order_ref"].clone(), ttl);
    if shared.lie == Lie::Company && id.is_multiple_of(7) {
        store.visit(id);
    }
    changed(&shared, &mut store, key, 201, id)
}

async fn settle(
    State(shared): State<Shared>,
    Path((id, settle)): Path<(usize, String)>,
    headers: HeaderMap,
) -> Response {
    shared.pass_or_get_stuck().await;
    let mut store = shared.store();
    let key = key(&headers);
    if let Some(first) = replay(&store, &key) {
        return first;
    }
    let Some(hold) = store.holds.get_mut(id) else {
        return problem(404, "unknown-reservation");
    };
    let confirm = settle == "confirm";
    match (hold.status, confirm) {
        ("open", true) => hold.status = "confirmed",
        ("open", false) => hold.status = "released",
        ("expired", true) => return problem(410, "reservation-expired"),
        _ => return changed(&shared, &mut store, key, 200, id),
    }
    let lines = hold.lines.clone();
    let tenth = id.is_multiple_of(10);
    if tenth && shared.lie == Lie::Lag {
        let shared = shared.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(900)).await;
            shared.store().book(lines, confirm, Lie::None);
        });
    } else {
        store.book(lines, confirm, if tenth { shared.lie } else { Lie::None });
    }
    changed(&shared, &mut store, key, 200, id)
}

async fn read_reservation(State(shared): State<Shared>, Path(id): Path<usize>) -> Response {
    let store = shared.store();
    if id.is_multiple_of(10) && shared.lie == Lie::LoseReservations {
        return problem(404, "unknown-reservation");
    }
    let found = store.reservation(id);
    found.map_or_else(
        || problem(404, "unknown-reservation"),
        |found| answer(200, &found),
    )
}

async fn list(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let store = shared.store();
    let sku = &query["sku"];
    let touches = |hold: &Hold| hold.lines.iter().any(|(name, _, _)| name == sku);
    let items: Vec<Value> = (0..store.holds.len())
        .filter(|&id| touches(&store.holds[id]))
        .filter_map(|id| store.reservation(id))
        .collect();
    answer(200, &json!({ "items": items, "next_cursor": null }))
}
