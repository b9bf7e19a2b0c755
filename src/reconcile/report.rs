//! What a reconciliation tells: how far it is, what it found, and what became of that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::finding::Finding;
use super::reader::Fault;
use super::when;
use holdfast_core::{DriftRecord, DriftState, Proposal, ReservationId};

/// Faults and differences told one by one; the counts go on.
const TOLD_MAX: usize = 1_000;

/// A reconciliation, as it stands or as it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How far it is.
    pub state: State,
    /// Why it is not, or was not, done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rows of the file.
    pub rows: Counts,
    /// The differences.
    pub drifts: Drifts,
    /// The first rows that were left out, by line.
    pub faults: Vec<Told>,
    /// The first differences.
    pub found: Vec<Difference>,
}

/// How far a reconciliation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its file is being sent.
    #[default]
    Receiving,
    /// It reads its file and compares.
    Running,
    /// It is done.
    Done,
    /// Its file was not compared.
    Refused,
    /// It was given up.
    Failed,
}

impl State {
    /// Whether it will change no more.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Failed)
    }
}

/// Rows, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RowCounts)]
pub struct Counts {
    /// In the file, good and bad.
    pub read: u64,
    /// Not usable: malformed, repeated, contradicting, or of something unknown.
    pub left_out: u64,
    /// Compared so far.
    pub compared: u64,
    /// Of reservations that ended so long ago that they are forgotten.
    pub forgotten: u64,
}

/// Differences, by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DriftCounts)]
pub struct Drifts {
    /// Found, by kind.
    pub found: BTreeMap<String, u64>,
    /// Opened by this reconciliation.
    pub opened: u64,
    /// Known before: found by the same file, and waiting or decided.
    pub known: u64,
    /// Of those opened, corrected by the policy.
    pub approved: u64,
    /// Waiting for a decision.
    pub waiting: u64,
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RowFault)]
pub struct Told {
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// A difference and its drift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The drift.
    pub drift: String,
    /// What kind.
    pub kind: String,
    /// Of what.
    pub sku: String,
    /// Where.
    pub location: String,
    /// Units by the ledger.
    pub expected: i64,
    /// Units by the file.
    pub found: i64,
    /// `found` less `expected`.
    pub difference: i64,
    /// What would put it right, such as `adjust -2`.
    pub proposal: String,
    /// Its evidence are the ledger entries after this one, a sequence of the SKU's shard …
    #[serde(default)]
    pub after: u64,
    /// … up to this one, the last that was compared.
    pub up_to: u64,
    /// The reservation concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// The line that says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// `open`, `corrected` or `dismissed`.
    pub state: String,
}

impl Report {
    /// Counts a row that was left out.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.rows.left_out += 1;
        if self.faults.len() < TOLD_MAX {
            let Fault { line, reason } = fault;
            self.faults.push(Told { line, reason });
        }
    }

    /// Counts a difference whose drift stands as it does; `is_new` if this reconciliation opened it.
    pub(super) fn found(&mut self, finding: &Finding, drift: &DriftRecord, is_new: bool) {
        let kind = finding.kind.as_str();
        *self.drifts.found.entry(kind.to_owned()).or_default() += 1;
        let state = match drift.state {
            DriftState::Open => "open",
            DriftState::Corrected { .. } => "corrected",
            DriftState::Dismissed { .. } => "dismissed",
        };
        if is_new {
            self.drifts.opened += 1;
        } else {
            self.drifts.known += 1;
        }
        match drift.state {
            DriftState::Open => self.drifts.waiting += 1,
            DriftState::Corrected { .. } if is_new => self.drifts.approved += 1,
            DriftState::Corrected { .. } | DriftState::Dismissed { .. } => {}
        }
        if self.found.len() < TOLD_MAX {
            self.found.push(Difference {
                drift: drift.id.to_string(),
                kind: kind.to_owned(),
                sku: finding.sku.as_str().to_owned(),
                location: finding.location.as_str().to_owned(),
                expected: finding.expected,
                found: finding.found,
                difference: finding.found - finding.expected,
                proposal: proposal(finding.proposal),
                after: drift.evidence.0,
                up_to: drift.evidence.1,
                reservation: finding.reservation.as_ref().map(ReservationId::to_string),
                line: (finding.line > 0).then_some(finding.line),
                state: state.to_owned(),
            });
        }
    }
}

fn proposal(proposal: Proposal) -> String {
    match proposal {
        Proposal::Look => "look".to_owned(),
        Proposal::Adjust(delta) => format!("adjust {delta:+}"),
        Proposal::Cancel(units) => format!("cancel {units}"),
        Proposal::Release => "release".to_owned(),
        Proposal::Confirm => "confirm".to_owned(),
        Proposal::Ship(units) => format!("ship {units}"),
    }
}

/// A time in a report.
pub(super) fn time(at: holdfast_core::Timestamp) -> String {
    when::text(at)
}
