//! The other side of the counter: a lean client of the public HTTP contract, for the commands that
//! act as an order service (`replay`, `demo`).
//!
//! It speaks HTTP/1.1 over TCP or a Unix socket with kept-alive connections, sends every change
//! with its `Idempotency-Key`, and repeats an unanswered call with the same key and body until an
//! answer comes or its patience ends, so that it goes on over a restart of the server.
//!
//! Deliberately absent: anything of the server's code. The types in [`wire`] are written down from
//! the contract a second time, so that what the two sides agree on is an independent check. No TLS,
//! no redirects, no proxies: the server is on this machine.

mod api;
mod connection;
pub mod latency;
pub mod lines;
pub mod listen;
mod outage;
mod policy;
mod send;
mod target;
mod upload;
pub mod wire;

pub use api::{Failure, Receipt, Received, Said, confirm_call, read, reserve_call};
pub use connection::Broken;
pub use outage::Outages;
pub use policy::{Patience, Retries};
pub use send::{Answer, Call, Client, GaveUp, Reason};
pub use target::{BadTarget, Target};
pub use upload::{Upload, upload};
