//! The two parts of a reservation's text that the answers to one message mostly share.
//!
//! Deliberately absent: what the fields mean (`view`, which writes the same in one go), and what
//! is around a reservation in a batch's answer, and what each has for itself (`results`).

use holdfast_core::{LineView, ReservationView, Shortage};
use serde::Serialize;

use super::scalar::{Id, Time};
use super::view::{Each, text};

/// What those made at one time for as long have in common.
#[derive(PartialEq, Serialize)]
pub(crate) struct Terms<'a> {
    created_at: Time,
    expires_at: Time,
    expires_in_ms: u64,
    pinned_until: Option<Time>,
    late: bool,
    payment_ref: Option<&'a str>,
    replaces: Option<Id>,
    replaced_by: Option<Id>,
}

/// What those of the same goods have in common.
#[derive(PartialEq, Serialize)]
pub(crate) struct Goods<'a> {
    lines: Each<'a, LineView>,
    #[serde(skip_serializing_if = "Each::is_empty")]
    shortages: Each<'a, Shortage>,
}

impl<'a> Terms<'a> {
    /// Of a view.
    pub(crate) fn of(view: &'a ReservationView) -> Self {
        Self {
            created_at: Time(view.created_at),
            expires_at: Time(view.expires_at),
            expires_in_ms: view.expires_at.since(view.now).ms(),
            pinned_until: view.pinned_until.map(Time),
            late: view.late,
            payment_ref: text(view.payment_ref.as_ref()),
            replaces: view.replaces.map(Id),
            replaced_by: view.replaced_by.map(Id),
        }
    }
}

impl<'a> Goods<'a> {
    /// Of a view.
    pub(crate) fn of(view: &'a ReservationView) -> Self {
        Self {
            lines: Each(&view.lines),
            shortages: Each(&view.shortages),
        }
    }
}
