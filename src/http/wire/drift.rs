//! Drifts and the streams of sources as callers read them, and the bodies that decide on them.

use holdfast_core::{
    Command, DecideDrift, DriftKind, DriftRecord, DriftState, LiftStream, Proposal, ReservationId,
    StreamView, Text, Verdict,
};
use holdfast_runtime::DriftStateWord as State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scalar::{FreeText, Id, LocationName, SkuName, Time};

/// A difference between the ledger and another truth.
#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
pub(crate) struct DriftShape<'a> {
    /// That of the movement that opened it, if one did.
    id: Id,
    #[schema(value_type = DriftKindWord)]
    kind: &'static str,
    #[schema(value_type = StateWord)]
    state: &'static str,
    #[schema(value_type = SkuName)]
    sku: &'a str,
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// Units by the ledger.
    expected: i64,
    /// Units by the other truth.
    found: i64,
    /// What was found, less what was expected.
    difference: i64,
    #[schema(value_type = ProposalShape)]
    proposal: ProposalShape,
    /// The ledger entries it rests on.
    evidence: EvidenceShape,
    /// The reservation concerned.
    #[schema(required)]
    reservation: Option<Id>,
    /// Who reported the other truth.
    #[schema(value_type = Option<FreeText>, required)]
    source: Option<&'a str>,
    /// The paper it stands on.
    #[schema(value_type = Option<FreeText>, required)]
    document: Option<&'a str>,
    opened_at: Time,
    /// When it was corrected or dismissed.
    #[schema(required)]
    decided_at: Option<Time>,
    /// The correcting movement, or the reservation that was corrected.
    #[schema(required)]
    corrected_by: Option<Id>,
    /// Why it was decided so.
    #[schema(value_type = Option<FreeText>, required)]
    reason: Option<&'a str>,
}

/// The ledger entries of a drift: after the first position, up to the second.
#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
struct EvidenceShape {
    /// `null` for the beginning of the ledger.
    #[schema(required)]
    after: Option<String>,
    up_to: String,
}

/// What would put a drift right.
#[derive(Serialize, ToSchema)]
#[schema(as = Proposal)]
struct ProposalShape {
    /// `look`: nothing that the ledger could record, so people must look.
    #[schema(value_type = ActionWord)]
    action: &'static str,
    /// Units; signed for `adjust`, absent where the whole reservation is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    qty: Option<i64>,
}

/// What a drift's correction does.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Action)]
pub(crate) enum ActionWord {
    /// Nothing: people must look.
    Look,
    /// Corrects `on_hand`.
    Adjust,
    /// Cancels units of the reservation.
    Cancel,
    /// Releases the reservation.
    Release,
    /// Confirms the reservation, late if need be.
    Confirm,
    /// Books units of the reservation as shipped.
    Ship,
}

/// A kind of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = DriftKind)]
pub(crate) enum DriftKindWord {
    /// More left than was sold.
    ShippedUnsold,
    /// More came back than had left.
    ReturnedUnshipped,
    /// More was damaged than was there.
    DamagedMissing,
    /// A count would have taken `on_hand` below 0.
    CountedBelowZero,
    /// A decided confirm met missing units.
    ConfirmedMissing,
    /// A decided cancel met units that had left.
    CancelledShipped,
    /// A warehouse counted something else.
    Warehouse,
    /// A seller believes something else.
    Seller,
    /// An order is paid, and its reservation has expired.
    PaidExpired,
    /// An order is cancelled, and its reservation is confirmed.
    CancelledConfirmed,
    /// A reservation is held or sold, and there is no such order.
    NoOrder,
    /// One order has two confirmed reservations.
    ConfirmedTwice,
    /// An order and its reservation disagree on quantities.
    OrderQuantity,
    /// An order names a reservation that is not known.
    UnknownReservation,
    /// An order is paid, and its reservation is still open or was released.
    PaidUnconfirmed,
}

/// What became of a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DriftState)]
pub(crate) enum StateWord {
    /// It waits for a decision.
    Open,
    /// Its correction was recorded.
    Corrected,
    /// The ledger was left as it is.
    Dismissed,
}

/// A source's stream of messages about a SKU at a location.
#[derive(Serialize, ToSchema)]
#[schema(as = Stream)]
pub(crate) struct StreamShape<'a> {
    #[schema(value_type = SkuName)]
    sku: &'a str,
    #[schema(value_type = LocationName)]
    location: &'a str,
    /// The source's numbering.
    epoch: u64,
    /// Sequences up to this one are too old to be told from seen ones: they are stale.
    floor: u64,
    /// The highest sequence seen.
    #[schema(required)]
    highest: Option<u64>,
    /// Whether the source leaves no gaps, as configured (`feeds.gapless`).
    gapless: bool,
    /// Sequences that have not come, the oldest first; empty where the source may leave some. The
    /// first may begin below the floor: what lies there can't come any more.
    gaps: Vec<GapShape>,
    /// Messages that came after later ones, and were booked.
    late: u64,
    /// Messages that were too old, and changed nothing.
    stale: u64,
    /// Why it waits for somebody to look; `null` while it goes on.
    #[schema(required)]
    quarantined: Option<QuarantineShape>,
    /// When it was last heard of.
    heard_at: Time,
}

/// Sequences that were left out.
#[derive(Serialize, ToSchema)]
#[schema(as = Gap)]
struct GapShape {
    first: u64,
    last: u64,
}

/// Why a stream waits, and how it goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamQuarantine)]
struct QuarantineShape {
    /// `contradiction`: a sequence came again with other content; `fell-back`: an epoch came that
    /// was over.
    #[schema(value_type = CauseWord)]
    cause: &'static str,
    /// The epoch of the message that showed it.
    epoch: u64,
    /// Its sequence.
    sequence: u64,
    /// How to let the stream go on once somebody has looked.
    lift: String,
}

/// What a source did to have its stream stopped.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = QuarantineCause)]
pub(crate) enum CauseWord {
    Contradiction,
    FellBack,
}

/// `POST /v1/drifts/{id}/approve` and `…/dismiss`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DriftDecision)]
pub(crate) struct DecisionBody {
    /// Why, for the record.
    reason: Option<FreeText>,
}

/// `POST /v1/feeds/{source}/lift`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Lift)]
pub(crate) struct LiftBody {
    sku: SkuName,
    location: LocationName,
    /// Why, for the record.
    reason: Option<FreeText>,
}

impl From<DriftKindWord> for DriftKind {
    fn from(word: DriftKindWord) -> Self {
        match word {
            DriftKindWord::ShippedUnsold => Self::ShippedUnsold,
            DriftKindWord::ReturnedUnshipped => Self::ReturnedUnshipped,
            DriftKindWord::DamagedMissing => Self::DamagedMissing,
            DriftKindWord::CountedBelowZero => Self::CountedBelowZero,
            DriftKindWord::ConfirmedMissing => Self::ConfirmedMissing,
            DriftKindWord::CancelledShipped => Self::CancelledShipped,
            DriftKindWord::Warehouse => Self::Warehouse,
            DriftKindWord::Seller => Self::Seller,
            DriftKindWord::PaidExpired => Self::PaidExpired,
            DriftKindWord::CancelledConfirmed => Self::CancelledConfirmed,
            DriftKindWord::NoOrder => Self::NoOrder,
            DriftKindWord::ConfirmedTwice => Self::ConfirmedTwice,
            DriftKindWord::OrderQuantity => Self::OrderQuantity,
            DriftKindWord::UnknownReservation => Self::UnknownReservation,
            DriftKindWord::PaidUnconfirmed => Self::PaidUnconfirmed,
        }
    }
}

impl From<StateWord> for State {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Open => Self::Open,
            StateWord::Corrected => Self::Corrected,
            StateWord::Dismissed => Self::Dismissed,
        }
    }
}

impl<'a> DriftShape<'a> {
    /// Of a drift; `position` turns a sequence of its shard into a position.
    pub(crate) fn of(drift: &'a DriftRecord, position: impl Fn(u64) -> String) -> Self {
        let (decided_at, corrected_by, reason) = match &drift.state {
            DriftState::Open => (None, None, None),
            DriftState::Corrected {
                at,
                movement,
                reason,
            } => (Some(*at), Some(*movement), reason.as_ref()),
            DriftState::Dismissed { at, reason } => (Some(*at), None, reason.as_ref()),
        };
        let state = match State::of(&drift.state) {
            State::Open => "open",
            State::Corrected => "corrected",
            State::Dismissed => "dismissed",
        };
        let (after, up_to) = drift.evidence;
        Self {
            id: Id(drift.id),
            kind: drift.kind.as_str(),
            state,
            sku: drift.sku.as_str(),
            location: drift.location.as_str(),
            expected: drift.expected,
            found: drift.found,
            difference: drift.found.saturating_sub(drift.expected),
            proposal: ProposalShape::of(drift.proposal),
            evidence: EvidenceShape {
                after: (0 < after).then(|| position(after)),
                up_to: position(up_to),
            },
            reservation: drift.reservation.map(Id),
            source: drift.source.as_ref().map(Text::as_str),
            document: drift.document.as_ref().map(Text::as_str),
            opened_at: Time(drift.opened_at),
            decided_at: decided_at.map(Time),
            corrected_by: corrected_by.map(Id),
            reason: reason.map(Text::as_str),
        }
    }
}

impl ProposalShape {
    fn of(proposal: Proposal) -> Self {
        let (action, qty) = match proposal {
            Proposal::Look => ("look", None),
            Proposal::Adjust(delta) => ("adjust", Some(delta)),
            Proposal::Cancel(units) => ("cancel", Some(i64::from(units))),
            Proposal::Release => ("release", None),
            Proposal::Confirm => ("confirm", None),
            Proposal::Ship(units) => ("ship", Some(i64::from(units))),
        };
        Self { action, qty }
    }
}

impl<'a> StreamShape<'a> {
    /// Of a stream.
    pub(crate) fn of(stream: &'a StreamView) -> Self {
        let (sku, location) = (stream.key.sku.as_str(), stream.key.location.as_str());
        let source = stream.key.source.as_str();
        let quarantined = stream.quarantined.map(|quarantine| QuarantineShape {
            cause: quarantine.cause.as_str(),
            epoch: quarantine.epoch,
            sequence: quarantine.sequence,
            lift: format!(
                "POST /v1/feeds/{source}/lift {{\"sku\":\"{sku}\",\"location\":\"{location}\"}}"
            ),
        });
        let gaps = stream.gaps.iter();
        Self {
            sku,
            location,
            epoch: stream.epoch,
            floor: stream.floor,
            highest: stream.highest,
            gapless: stream.is_gapless,
            gaps: gaps
                .map(|&(first, last)| GapShape { first, last })
                .collect(),
            late: stream.late,
            stale: stream.stale,
            quarantined,
            heard_at: Time(stream.at),
        }
    }
}

impl DecisionBody {
    /// The command it asks for.
    pub(crate) fn command(self, drift: &DriftRecord, verdict: Verdict) -> Command {
        Command::DecideDrift(Box::new(DecideDrift {
            home: holdfast_core::FromHome::Here,
            id: drift.id,
            sku: drift.sku.clone(),
            movement: ReservationId::UNMINTED,
            verdict,
            reason: self.reason.map(|text| text.0),
        }))
    }
}

impl LiftBody {
    /// The command it asks for.
    pub(crate) fn command(self, source: Text) -> Command {
        Command::LiftStream(Box::new(LiftStream {
            sku: self.sku.0,
            location: self.location.0,
            source,
            reason: self.reason.map(|text| text.0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_drift_is_a_word_and_is_shown_as_it() {
        for kind in DriftKind::ALL {
            let word = format!("\"{}\"", kind.as_str());
            let read: DriftKindWord = serde_json::from_str(&word).expect("the word is known");
            assert_eq!(DriftKind::from(read), kind);
        }
    }
}
