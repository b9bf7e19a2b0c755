//! `holdfast import`: a file of rows to a running server, over restarts and breaks.
//!
//! The server says where an import stands, the sender seeks there and sends the rest, as often as
//! it takes. What the file is called is a hash of its content, so the same rows are never done
//! twice by accident, whatever the file's name.
//! Deliberately absent: reading rows. What a row means is the server's to say.

mod file;
mod send;

use serde::Deserialize;

pub use file::{Format, Source, SourceError};
pub use send::{Options, Outcome, run};

/// What the server says of an import, as far as the command looks at it. Written from the
/// contract.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Report {
    /// Whether the file has been read to its end.
    pub complete: bool,
    /// Whether another call is at it.
    #[serde(default)]
    pub running: bool,
    /// Rows reported.
    pub rows: u64,
    /// Movements booked whole.
    pub applied: u64,
    /// Rows that were done before.
    pub replayed: u64,
    /// Facts that fitted in part.
    pub partly: u64,
    /// Booked after later messages.
    pub late: u64,
    /// Booked, and known to a later count.
    pub superseded: u64,
    /// Too old.
    pub stale: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Settings of SKUs.
    pub configured: u64,
    /// SKUs that are new.
    pub created: u64,
    /// The first bad rows.
    pub bad: Vec<BadRow>,
    /// Bad rows beyond those.
    pub bad_more: u64,
    /// The line to go on with.
    pub next_line: u64,
    /// Bytes before it.
    pub next_offset: u64,
    /// Why it has not come to its end.
    #[serde(default)]
    pub stopped: Option<String>,
    /// When its first row came.
    #[serde(default)]
    pub began_at: Option<String>,
}

/// A row that changed nothing.
#[derive(Clone, Debug, Deserialize)]
pub struct BadRow {
    /// Its line.
    pub line: u64,
    /// The field, where one is to blame.
    #[serde(default)]
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Report {
    /// Bad rows in all.
    pub fn bad_rows(&self) -> u64 {
        self.bad.len() as u64 + self.bad_more
    }
}
