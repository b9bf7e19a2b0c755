//! The HTTP contract over a real service: every call and every refusal, as transcripts.
//!
//! A story talks over one connection, so each answer also shows that the connection was usable
//! after the one before. Every answer is checked against the `OpenAPI` document as well.

mod admin;
mod aftersale;
mod bad_input;
mod batch;
mod confirm;
mod contract;
mod drifts;
mod events;
mod events_bounds;
mod events_trimmed;
mod facts;
mod feeds;
mod harness;
mod holds;
mod import_files;
mod imports;
mod keys;
mod locations;
mod lookup;
mod overload;
mod past;
mod refusals;
mod reserve;
mod schema;
mod skus;
mod statement;
mod stock;
mod talk;
mod thresholds;
mod traces;
