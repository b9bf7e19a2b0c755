//! HTTP: two listeners on an accept loop of our own, and the shell around every call.
//!
//! A call goes through exactly one layer, the [`Edge`]: request id, route, body within its bounds,
//! a place in flight, the handler, its time and its panics, counts. Handlers are axum's, mounted
//! with [`Routes`]. Only this module's children know status codes.
//! Deliberately absent: TLS and HTTP/2 (the server takes loopback and Unix sockets only), and
//! middleware stacks: every layer of those is a box and a hop for each request.

mod admin;
mod admin_clock;
mod admin_refusals;
mod aftersale;
mod availability_stream;
mod batch;
mod call;
mod consumers;
mod drifts;
mod echo;
mod edge;
mod edge_body;
mod edge_ending;
mod edge_log;
mod edge_stream;
mod events;
mod events_stream;
mod feeds;
mod imports;
pub mod json;
mod keys;
mod limits;
mod listener;
mod listener_clock;
mod listener_guard;
mod listener_socket;
mod locations;
mod lookup;
mod mounts;
pub mod openapi;
mod openapi_admin;
mod openapi_calls;
mod openapi_consumers;
mod openapi_events;
mod openapi_imports;
mod openapi_locations;
mod openapi_reconcile;
mod openapi_statement;
mod openapi_stock;
mod openapi_webhooks;
mod pieces;
pub mod probes;
pub mod problem;
mod reconciliations;
mod refusals;
mod render;
mod render_fact;
mod render_lines;
mod render_refusal;
mod render_reservation;
mod render_shape;
mod request_id;
mod reservations;
mod results;
mod routes;
mod sinks;
mod skus;
mod snapshot;
mod state;
mod statement;
mod stock;
mod webhooks;
mod webhooks_shape;
mod wire;

pub use admin::{Operator, Shards};
pub use edge::Edge;
pub use imports::Imports;
pub use limits::Limits;
pub use listener::{Phase, serve};
pub use listener_socket::{BindError, Socket};
pub use mounts::{admin_routes, data_routes};
pub use request_id::RequestId;
pub use routes::{Lane, Mounted, Routes};
pub use state::{Api, Bounds, EventBounds, KeyRule};
