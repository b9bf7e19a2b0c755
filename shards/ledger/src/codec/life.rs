//! What few SKUs have (streams of sources, counts, drifts, messages), locations, and what becomes
//! of holds that were confirmed.
//!
//! These are rare beside reserves, so they are written plainly: numbers as varints, an absent value
//! as a byte of 0.

use holdfast_core::{
    Basis, CountedEffect, DriftKind, DriftRecord, DriftState, Effect, FeedMark, HoldAfter,
    HomeLines, LocationRecord, Measure, MessageEffect, Proposal, Quarantine, QuarantineCause,
    StreamEffect, StreamKey, StreamRecord, Timestamp,
};
use smallvec::SmallVec;

use super::Fault;
use super::wire::{Decoder, Encoder, Read};

/// The second byte of the head of a rare effect.
const MORE_HOLD_AFTER: u8 = 0;
const MORE_HOME_LINES: u8 = 1;
const MORE_LOCATION: u8 = 2;
const MORE_STREAM: u8 = 3;
const MORE_STREAM_FORGOTTEN: u8 = 4;
const MORE_COUNTED: u8 = 5;
const MORE_DRIFT: u8 = 6;
const MORE_DRIFT_FORGOTTEN: u8 = 7;
const MORE_MESSAGE: u8 = 8;
const MORE_MESSAGES_FORGOTTEN: u8 = 9;
const MORE_SUPPLY: u8 = 10;

const STATE_OPEN: u8 = 0;
const STATE_CORRECTED: u8 = 1;
const STATE_DISMISSED: u8 = 2;

const PROPOSAL_LOOK: u8 = 0;
const PROPOSAL_ADJUST: u8 = 1;
const PROPOSAL_CANCEL: u8 = 2;
const PROPOSAL_RELEASE: u8 = 3;
const PROPOSAL_CONFIRM: u8 = 4;
const PROPOSAL_SHIP: u8 = 5;

/// Its place in this list is a cause's number.
const CAUSES: [QuarantineCause; 2] = [QuarantineCause::Contradiction, QuarantineCause::FellBack];

/// Its place in this list is a measure's number.
const MEASURES: [Measure; 3] = [Measure::Physical, Measure::Sellable, Measure::Available];

/// The newest absolute that applied, and how many messages were late and stale.
type Standing = (Option<(u64, Timestamp)>, u64, u64);

impl Encoder {
    /// Writes a rare effect, after the `tag` that says that it is one. False, and nothing written, if
    /// it has a tag of its own.
    pub(super) fn more(&mut self, tag: u8, effect: &Effect) -> bool {
        match effect {
            Effect::HoldAfter(change) => {
                self.array([tag, MORE_HOLD_AFTER]);
                self.hold_number(change.number);
                self.after(change.after);
                self.varint(u64::from(change.told));
            }
            Effect::HomeLines(change) => {
                self.array([tag, MORE_HOME_LINES]);
                self.id(change.id);
                self.varint(u64::from(change.version));
                self.varint(change.lines.len() as u64);
                change.lines.iter().for_each(|line| self.line(line));
            }
            Effect::Location(record) => {
                self.array([tag, MORE_LOCATION]);
                self.location_record(record);
            }
            Effect::Stream(effect) => {
                self.array([tag, MORE_STREAM]);
                self.stream_effect(effect);
            }
            Effect::StreamForgotten(key) => {
                self.array([tag, MORE_STREAM_FORGOTTEN]);
                self.stream_key(key);
            }
            Effect::Counted(effect) => {
                self.array([tag, MORE_COUNTED]);
                self.sku(&effect.sku);
                self.location(&effect.location);
                self.time(effect.taken_at);
                self.varint(effect.taken_seq);
                self.basis(effect.basis);
            }
            Effect::Drift(drift) => {
                self.array([tag, MORE_DRIFT]);
                self.drift(drift);
            }
            Effect::DriftForgotten(which) => {
                self.array([tag, MORE_DRIFT_FORGOTTEN]);
                self.sku(&which.0);
                self.id(which.1);
            }
            Effect::Message(effect) => {
                self.array([tag, MORE_MESSAGE]);
                self.sku(&effect.sku);
                self.array(effect.hash.to_le_bytes());
                self.time(effect.at);
            }
            Effect::MessagesForgotten(which) => {
                self.array([tag, MORE_MESSAGES_FORGOTTEN]);
                self.sku(&which.0);
                self.time(which.1);
            }
            Effect::Supply(effect) => {
                self.array([tag, MORE_SUPPLY]);
                self.supply_effect(effect);
            }
            Effect::Reserved(_)
            | Effect::HomeCreated(_)
            | Effect::HomeChanged(_)
            | Effect::HomeForgotten(_)
            | Effect::HoldCreated(_)
            | Effect::HoldChanged(_)
            | Effect::HoldForgotten(_)
            | Effect::Stock(_)
            | Effect::Sku(_)
            | Effect::Resumed(_)
            | Effect::KeysForgotten(_) => return false,
        }
        true
    }

    /// Units cancelled, and units shipped.
    pub(super) fn after(&mut self, after: [u32; 2]) {
        for units in after {
            self.varint(u64::from(units));
        }
    }

    /// What a count compared: its measure in two bits, and what it left out.
    pub(super) fn basis(&mut self, basis: Basis) {
        let returned = u8::from(basis.excludes_returned) << 2;
        let damaged = u8::from(basis.excludes_damaged) << 3;
        self.byte(basis.measure as u8 | returned | damaged);
    }

    pub(super) fn location_record(&mut self, record: &LocationRecord) {
        self.location(&record.location);
        self.byte(u8::from(record.selling));
        self.varint(record.version);
    }

    pub(super) fn feed_mark(&mut self, mark: FeedMark) {
        self.varint(mark.epoch);
        self.varint(mark.sequence);
        self.array(mark.content.to_le_bytes());
    }

    fn stream_key(&mut self, key: &StreamKey) {
        self.sku(&key.sku);
        self.location(&key.location);
        self.text(&key.source);
    }

    fn stream_effect(&mut self, effect: &StreamEffect) {
        self.stream_key(&effect.key);
        self.optional(effect.mark, Self::feed_mark);
        self.standing(effect.absolute, effect.late, effect.stale);
        self.optional(effect.quarantined, Self::quarantine);
        self.time(effect.at);
    }

    pub(super) fn stream_record(&mut self, record: &StreamRecord) {
        self.location(&record.location);
        self.text(&record.source);
        self.varint(record.epoch);
        self.varint(record.seen.len() as u64);
        let mut last = 0;
        for (sequence, content) in &record.seen {
            self.delta(*sequence, last);
            last = *sequence;
            self.array(content.to_le_bytes());
        }
        self.standing(record.absolute, record.late, record.stale);
        self.optional(record.quarantined, Self::quarantine);
        self.time(record.at);
    }

    fn standing(&mut self, absolute: Option<(u64, Timestamp)>, late: u64, stale: u64) {
        self.optional(absolute, |encoder, (sequence, at)| {
            encoder.varint(sequence);
            encoder.time(at);
        });
        self.varint(late);
        self.varint(stale);
    }

    fn quarantine(&mut self, quarantine: Quarantine) {
        self.byte(quarantine.cause as u8);
        self.varint(quarantine.epoch);
        self.varint(quarantine.sequence);
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn drift(&mut self, drift: &DriftRecord) {
        self.id(drift.id);
        self.byte(drift.kind as u8);
        self.sku(&drift.sku);
        self.location(&drift.location);
        self.signed(drift.expected);
        self.signed(drift.found);
        self.proposal(drift.proposal);
        self.varint(drift.evidence.0);
        self.varint(drift.evidence.1);
        self.signed(drift.adjusted);
        self.optional(drift.reservation, Self::id);
        self.optional(drift.source.as_ref(), Self::text);
        self.optional(drift.document.as_ref(), Self::text);
        self.time(drift.opened_at);
        match &drift.state {
            DriftState::Open => self.byte(STATE_OPEN),
            DriftState::Corrected {
                at,
                movement,
                reason,
            } => {
                self.byte(STATE_CORRECTED);
                self.time(*at);
                self.id(*movement);
                self.optional(reason.as_ref(), Self::text);
            }
            DriftState::Dismissed { at, reason } => {
                self.byte(STATE_DISMISSED);
                self.time(*at);
                self.optional(reason.as_ref(), Self::text);
            }
        }
    }

    fn proposal(&mut self, proposal: Proposal) {
        match proposal {
            Proposal::Look => self.byte(PROPOSAL_LOOK),
            Proposal::Adjust(delta) => {
                self.byte(PROPOSAL_ADJUST);
                self.signed(delta);
            }
            Proposal::Cancel(units) => {
                self.byte(PROPOSAL_CANCEL);
                self.varint(u64::from(units));
            }
            Proposal::Release => self.byte(PROPOSAL_RELEASE),
            Proposal::Confirm => self.byte(PROPOSAL_CONFIRM),
            Proposal::Ship(units) => {
                self.byte(PROPOSAL_SHIP);
                self.varint(u64::from(units));
            }
        }
    }
}

impl Decoder<'_> {
    pub(super) fn more(&mut self) -> Read<Effect> {
        Ok(match self.byte()? {
            MORE_HOLD_AFTER => Effect::HoldAfter(HoldAfter {
                number: self.hold_number()?,
                after: self.after()?,
                told: self.varint_u32()?,
            }),
            MORE_HOME_LINES => {
                let (id, version) = (self.id()?, self.varint_u32()?);
                let mut lines = SmallVec::new();
                for _ in 0..self.count()? {
                    lines.push(self.line()?);
                }
                Effect::HomeLines(Box::new(HomeLines { id, version, lines }))
            }
            MORE_LOCATION => Effect::Location(self.location_record()?),
            MORE_STREAM => Effect::Stream(Box::new(self.stream_effect()?)),
            MORE_STREAM_FORGOTTEN => Effect::StreamForgotten(Box::new(self.stream_key()?)),
            MORE_COUNTED => Effect::Counted(Box::new(CountedEffect {
                sku: self.sku()?,
                location: self.location()?,
                taken_at: self.time()?,
                taken_seq: self.varint()?,
                basis: self.basis()?,
            })),
            MORE_DRIFT => Effect::Drift(Box::new(self.drift()?)),
            MORE_DRIFT_FORGOTTEN => Effect::DriftForgotten(Box::new((self.sku()?, self.id()?))),
            MORE_MESSAGE => Effect::Message(Box::new(MessageEffect {
                sku: self.sku()?,
                hash: u64::from_le_bytes(self.array()?),
                at: self.time()?,
            })),
            MORE_MESSAGES_FORGOTTEN => {
                Effect::MessagesForgotten(Box::new((self.sku()?, self.time()?)))
            }
            MORE_SUPPLY => Effect::Supply(Box::new(self.supply_effect()?)),
            _ => return Err(Fault::Unknown),
        })
    }

    /// Units cancelled, and units shipped.
    pub(super) fn after(&mut self) -> Read<[u32; 2]> {
        Ok([self.varint_u32()?, self.varint_u32()?])
    }

    pub(super) fn basis(&mut self) -> Read<Basis> {
        let byte = self.byte()?;
        let measure = *MEASURES
            .get(usize::from(byte & 0b11))
            .ok_or(Fault::Unknown)?;
        if 0b1111 < byte {
            return Err(Fault::Unknown);
        }
        Ok(Basis {
            measure,
            excludes_returned: byte & 0b100 != 0,
            excludes_damaged: byte & 0b1000 != 0,
        })
    }

    pub(super) fn location_record(&mut self) -> Read<LocationRecord> {
        Ok(LocationRecord {
            location: self.location()?,
            selling: self.yes()?,
            version: self.varint()?,
        })
    }

    pub(super) fn feed_mark(&mut self) -> Read<FeedMark> {
        Ok(FeedMark {
            epoch: self.varint()?,
            sequence: self.varint()?,
            content: u32::from_le_bytes(self.array()?),
        })
    }

    fn stream_key(&mut self) -> Read<StreamKey> {
        Ok(StreamKey {
            sku: self.sku()?,
            location: self.location()?,
            source: self.text()?,
        })
    }

    fn stream_effect(&mut self) -> Read<StreamEffect> {
        let key = self.stream_key()?;
        let mark = self.optional(Self::feed_mark)?;
        let (absolute, late, stale) = self.standing()?;
        Ok(StreamEffect {
            key,
            mark,
            absolute,
            late,
            stale,
            quarantined: self.optional(Self::quarantine)?,
            at: self.time()?,
        })
    }

    pub(super) fn stream_record(&mut self) -> Read<StreamRecord> {
        let (location, source, epoch) = (self.location()?, self.text()?, self.varint()?);
        let mut seen = Vec::new();
        let mut last = 0;
        for _ in 0..self.count()? {
            last = self.delta(last)?;
            seen.push((last, u32::from_le_bytes(self.array()?)));
        }
        if !seen.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Fault::Order);
        }
        let (absolute, late, stale) = self.standing()?;
        Ok(StreamRecord {
            location,
            source,
            epoch,
            seen,
            absolute,
            late,
            stale,
            quarantined: self.optional(Self::quarantine)?,
            at: self.time()?,
        })
    }

    fn standing(&mut self) -> Read<Standing> {
        let absolute = self.optional(|decoder| Ok((decoder.varint()?, decoder.time()?)))?;
        Ok((absolute, self.varint()?, self.varint()?))
    }

    fn quarantine(&mut self) -> Read<Quarantine> {
        let cause = usize::from(self.byte()?);
        Ok(Quarantine {
            cause: *CAUSES.get(cause).ok_or(Fault::Unknown)?,
            epoch: self.varint()?,
            sequence: self.varint()?,
        })
    }

    fn yes(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::Unknown),
        }
    }

    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        self.yes()?.then(|| read(self)).transpose()
    }

    pub(super) fn drift(&mut self) -> Read<DriftRecord> {
        Ok(DriftRecord {
            id: self.id()?,
            kind: DriftKind::from_number(self.byte()?).ok_or(Fault::Unknown)?,
            sku: self.sku()?,
            location: self.location()?,
            expected: self.signed()?,
            found: self.signed()?,
            proposal: self.proposal()?,
            evidence: (self.varint()?, self.varint()?),
            adjusted: self.signed()?,
            reservation: self.optional(Self::id)?,
            source: self.optional(Self::text)?,
            document: self.optional(Self::text)?,
            opened_at: self.time()?,
            state: self.drift_state()?,
        })
    }

    fn drift_state(&mut self) -> Read<DriftState> {
        Ok(match self.byte()? {
            STATE_OPEN => DriftState::Open,
            STATE_CORRECTED => DriftState::Corrected {
                at: self.time()?,
                movement: self.id()?,
                reason: self.optional(Self::text)?,
            },
            STATE_DISMISSED => DriftState::Dismissed {
                at: self.time()?,
                reason: self.optional(Self::text)?,
            },
            _ => return Err(Fault::Unknown),
        })
    }

    fn proposal(&mut self) -> Read<Proposal> {
        Ok(match self.byte()? {
            PROPOSAL_LOOK => Proposal::Look,
            PROPOSAL_ADJUST => Proposal::Adjust(self.signed()?),
            PROPOSAL_CANCEL => Proposal::Cancel(self.varint_u32()?),
            PROPOSAL_RELEASE => Proposal::Release,
            PROPOSAL_CONFIRM => Proposal::Confirm,
            PROPOSAL_SHIP => Proposal::Ship(self.varint_u32()?),
            _ => return Err(Fault::Unknown),
        })
    }
}
