//! holdfast: the service around the engine.
//!
//! The binary is a thin shell over this library, so that tests can start the pieces one by one.

pub mod backend;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod events;
pub mod http;
pub mod import;
pub mod load;
mod opaque;
pub mod progress;
pub mod reconcile;
pub mod replay;
pub mod rfc3339;
pub mod service;
pub mod show;
pub mod telemetry;
pub mod test_clock;
pub mod verify;
