//! A difference that was found, and the command that opens its drift.

use holdfast_core::{
    Command, DriftKind, DriftRecord, DriftState, Location, Note, OpenDrift, Proposal,
    ReservationId, Sku, Text, Timestamp,
};

/// A difference between the ledger and a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What kind of difference.
    pub(super) kind: DriftKind,
    /// Of what.
    pub(super) sku: Sku,
    /// Where.
    pub(super) location: Location,
    /// Units by the ledger.
    pub(super) expected: i64,
    /// Units by the file.
    pub(super) found: i64,
    /// What would put it right.
    pub(super) proposal: Proposal,
    /// The ledger entries it rests on: after the first sequence, up to the second.
    pub(super) evidence: (u64, u64),
    /// The location's `adjusted` after these.
    pub(super) adjusted: i64,
    /// The reservation concerned.
    pub(super) reservation: Option<ReservationId>,
    /// When that was made.
    pub(super) made: Option<Timestamp>,
    /// The line of the file that says otherwise; 0 where none does.
    pub(super) line: u64,
}

/// Whose file it is, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paper {
    /// Who reported it.
    pub(super) by: Option<Text>,
    /// What it is called: the same file has the same name whenever it comes.
    pub(super) document: Text,
}

impl Finding {
    /// The command that opens its drift.
    pub(super) fn open(&self, paper: &Paper) -> Command {
        let drift = DriftRecord {
            id: ReservationId::UNMINTED,
            kind: self.kind,
            sku: self.sku.clone(),
            location: self.location.clone(),
            expected: self.expected,
            found: self.found,
            proposal: self.proposal,
            evidence: self.evidence,
            adjusted: self.adjusted,
            reservation: self.reservation,
            source: paper.by.clone(),
            document: Some(paper.document.clone()),
            opened_at: Timestamp::ZERO,
            state: DriftState::Open,
        };
        let note = Note {
            source: paper.by.clone(),
            document: Some(paper.document.clone()),
            ..Note::default()
        };
        Command::OpenDrift(Box::new(OpenDrift { drift, note }))
    }
}
