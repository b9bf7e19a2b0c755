//! Movements, feeds and drifts: from a story's words to commands, and back to words.

use super::translate::{location_of, moment, sku_of, text_of, units_of};
use super::{Subject, World};
use crate::model::Moved;
use crate::script::{Counted, Difference, Move, Said, What};
use holdfast_core::{
    Count, CountThen, Counter, Counters, DecideDrift, DriftKind, DriftRecord, DriftState, Effect,
    Event, EventKind, FeedMark, FromHome, LiftStream, Location, Movement, MovementKind, Note,
    OpenDrift, OpeningBalance, Proposal, ReservationId, Sku, Then, Timestamp, Verdict,
};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

impl<S: Subject> World<S> {
    pub(super) fn movement(&mut self, movement: &Move) -> Movement {
        let sku = sku_of(&movement.sku);
        let location = place_of(movement.location.as_ref());
        let kind = self.kind(&movement.what, (&sku, &location));
        let said = &movement.said;
        let plain = Move {
            said: Said::default(),
            ..movement.clone()
        };
        Movement {
            id: self.mint(&sku),
            location,
            feed: said.mark.map(|(epoch, sequence)| FeedMark {
                epoch,
                sequence,
                content: hash(&plain.to_string()) as u32,
            }),
            message: text_of(said.message.as_ref()),
            expected_version: movement.version,
            note: Note {
                source: text_of(said.source.as_ref()),
                occurred_at: said.occurred.map(moment),
                ..Note::default()
            },
            ..Movement::new(sku, kind)
        }
    }

    fn kind(&self, what: &What, place: (&Sku, &Location)) -> MovementKind {
        match what {
            What::Opening([on_hand, unshipped, returned, damaged]) => {
                MovementKind::Opening(OpeningBalance {
                    on_hand: *on_hand,
                    unshipped: *unshipped,
                    returned: *returned,
                    damaged: *damaged,
                })
            }
            What::Receive(units) => MovementKind::Receive(units_of(*units)),
            What::Ship(units) => MovementKind::Ship {
                units: units_of(*units),
                sale: None,
            },
            What::Return(units) => MovementKind::Return {
                units: units_of(*units),
                reservation: None,
            },
            What::Damage(units, from) => MovementKind::Damage {
                units: units_of(*units),
                from: *from,
            },
            What::Count(count) => MovementKind::Count(Box::new(self.count(count, place))),
            What::Restock(units) => MovementKind::Restock(units_of(*units)),
            What::WriteOff(units, from, force) => MovementKind::WriteOff {
                units: units_of(*units),
                from: *from,
                force: *force,
            },
            What::Adjust(delta, force) => MovementKind::Adjust {
                delta: *delta,
                force: *force,
            },
            What::Transfer(units, to, force) => MovementKind::Transfer {
                units: units_of(*units),
                to: location_of(to),
                force: *force,
            },
        }
    }

    fn count(&self, count: &Counted, place: (&Sku, &Location)) -> Count {
        let [excludes_returned, excludes_damaged] = count.without;
        Count {
            counted: u64::from(count.units),
            measure: count.measure,
            excludes_returned,
            excludes_damaged,
            then: count
                .taken
                .map(|ms| Then::Read(Box::new(self.then(place, moment(ms))))),
        }
    }

    /// The counters of a moment, as a reader of the journal finds them: what was recorded until
    /// then, what counts taken until then corrected later, and what happened before and was
    /// recorded later.
    fn then(&self, (sku, location): (&Sku, &Location), at: Timestamp) -> CountThen {
        let (mut then, mut now, mut seq) = (Counters::default(), Counters::default(), 0);
        for event in &self.journal {
            let before = now.clone();
            let mut is_of_then = event.at <= at;
            for effect in event.spelled_out().iter() {
                match effect {
                    Effect::Stock(effect) if effect.sku == *sku && effect.location == *location => {
                        for (counter, value) in &effect.counters {
                            now.set(*counter, *value);
                        }
                    }
                    Effect::Counted(count) if count.sku == *sku && count.location == *location => {
                        is_of_then |= count.taken_at <= at;
                    }
                    _ => {}
                }
            }
            let happened = event.note.as_ref().and_then(|note| note.occurred_at);
            is_of_then |= happened.is_some_and(|happened| happened <= at);
            if event.at <= at {
                seq = event.seq;
            }
            for counter in Counter::ALL.into_iter().filter(|_| is_of_then) {
                let moved = now.get(counter) - before.get(counter);
                then.set(counter, then.get(counter) + moved);
            }
        }
        let version = self.subject.engine().sku(sku);
        CountThen {
            seq,
            at,
            counters: then,
            stock_version: version.map_or(0, |view| view.versions.stock),
        }
    }

    pub(super) fn open_drift(&mut self, difference: &Difference) -> OpenDrift {
        let sku = sku_of(&difference.sku);
        let location = place_of(difference.location.as_ref());
        let (expected, found) = difference.numbers;
        let off = found - expected;
        let units = off.unsigned_abs() as u32;
        let proposal = match difference.about.as_ref().map(|(_, word)| word.as_str()) {
            Some("cancel") => Proposal::Cancel(units),
            Some("release") => Proposal::Release,
            Some("confirm") => Proposal::Confirm,
            Some(other) => panic!("propose={other} is none"),
            None if off == 0 => Proposal::Look,
            None => Proposal::Adjust(off),
        };
        let view = self.subject.engine().sku(&sku);
        let levels = view.map_or_else(Vec::new, |view| view.levels);
        let level = levels.iter().find(|(name, _)| *name == location);
        let about = difference.about.as_ref();
        let drift = DriftRecord {
            id: self.mint(&sku),
            kind: difference.kind,
            sku,
            location,
            expected,
            found,
            proposal,
            evidence: (0, self.subject.engine().seq()),
            adjusted: level.map_or(0, |(_, level)| level.get(Counter::Adjusted)),
            reservation: about.map(|(name, _)| self.id_or_none_such(name)),
            source: None,
            document: text_of(difference.document.as_ref()),
            opened_at: Timestamp::ZERO,
            state: DriftState::Open,
        };
        let note = Note::default();
        OpenDrift { drift, note }
    }

    pub(super) fn decide_on(
        &mut self,
        name: &str,
        verdict: Verdict,
        reason: Option<&String>,
    ) -> DecideDrift {
        let (id, sku) = match self.drift_named(name) {
            Some(known) => known,
            None => (self.id_or_none_such(name), sku_of("TEE")),
        };
        DecideDrift {
            id,
            movement: self.mint(&sku),
            sku,
            verdict,
            reason: text_of(reason),
            home: FromHome::Here,
        }
    }

    /// The drift that opened as the first, the second …: `d1`, `d2` …
    pub(crate) fn drift_named(&self, name: &str) -> Option<(ReservationId, Sku)> {
        let place: usize = name.strip_prefix('d')?.parse().ok()?;
        self.drifts.get(place.checked_sub(1)?).cloned()
    }

    pub(super) fn drift_name(&self, id: ReservationId) -> String {
        let place = self.drifts.iter().position(|(other, _)| *other == id);
        place.map_or_else(|| "d?".to_owned(), |place| format!("d{}", place + 1))
    }

    /// Notes the drifts that an event opens.
    pub(super) fn note_drifts(&mut self, event: &Event) {
        if event.kind != EventKind::DriftOpened {
            return;
        }
        for effect in &event.effects {
            if let Effect::Drift(drift) = effect {
                self.drifts.push((drift.id, drift.sku.clone()));
            }
        }
    }

    /// What a movement came to.
    pub(super) fn moved_words(&self, movement: &Move, moved: &Moved, own: &[Event]) -> String {
        let (word, units) = done(&movement.what);
        let location = place_of(movement.location.as_ref());
        let level = moved.view.levels.iter().find(|(name, _)| *name == location);
        let Some((_, level)) = level else {
            return format!("{word}, and nothing is known there");
        };
        let mut text = match moved.outcome.as_str() {
            "applied" | "partly" => word.to_owned(),
            other => format!("{word} {other}"),
        };
        if let (Some(applied), Some(id)) = (moved.applied, moved.drift) {
            let _ = write!(text, " {applied} of {units}, {}", self.drift_name(id));
        }
        for counter in told_of(&movement.what) {
            let _ = write!(text, " {}={}", counter.name(), level.get(*counter));
        }
        let short = own
            .iter()
            .filter(|event| event.kind == EventKind::StockShortfall);
        for event in short {
            for effect in &event.effects {
                let Effect::Stock(effect) = effect else {
                    continue;
                };
                let short = moved
                    .view
                    .levels
                    .iter()
                    .find(|(name, _)| *name == effect.location);
                let units = short.map_or(0, |(_, level)| level.shortfall());
                if effect.location == location {
                    let _ = write!(text, " shortfall={units}");
                } else {
                    let _ = write!(text, " shortfall@{}={units}", effect.location);
                }
            }
        }
        for event in own.iter().filter(|event| event.kind == EventKind::FeedGap) {
            let reason = event.note.as_ref().and_then(|note| note.reason.as_ref());
            let _ = write!(
                text,
                ", {}",
                reason.map_or("a gap", |reason| reason.as_str())
            );
        }
        text
    }
}

fn done(what: &What) -> (&'static str, i64) {
    match what {
        What::Opening(_) => ("opened", 0),
        What::Receive(units) => ("received", i64::from(*units)),
        What::Ship(units) => ("shipped", i64::from(*units)),
        What::Return(units) => ("returned", i64::from(*units)),
        What::Damage(units, _) => ("damaged", i64::from(*units)),
        What::Count(count) => ("counted", i64::from(count.units)),
        What::Restock(units) => ("restocked", i64::from(*units)),
        What::WriteOff(units, ..) => ("written off", i64::from(*units)),
        What::Adjust(delta, _) => ("adjusted", *delta),
        What::Transfer(units, ..) => ("transferred", i64::from(*units)),
    }
}

/// The counters that a story wants to hear of.
fn told_of(what: &What) -> &'static [Counter] {
    match what {
        What::Receive(_) | What::Adjust(..) | What::Transfer(..) => &[Counter::OnHand],
        What::Opening(_) => &[Counter::OnHand, Counter::Received],
        What::Count(_) => &[Counter::OnHand, Counter::Adjusted],
        What::Ship(_) => &[Counter::OnHand, Counter::Sold, Counter::Shipped],
        What::Return(_) => &[Counter::Returned, Counter::ReturnsReceived],
        What::Damage(..) => &[Counter::OnHand, Counter::Returned, Counter::Damaged],
        What::Restock(_) => &[Counter::OnHand, Counter::Returned],
        What::WriteOff(..) => &[Counter::WrittenOff],
    }
}

/// A drift as it stands, in words.
pub(super) fn drift_words(drift: &DriftRecord) -> String {
    let state = match &drift.state {
        DriftState::Open => "open".to_owned(),
        DriftState::Corrected { .. } => "corrected".to_owned(),
        DriftState::Dismissed { reason, .. } => {
            let reason = reason
                .as_ref()
                .map_or("nobody said why", |reason| reason.as_str());
            format!("dismissed: {reason}")
        }
    };
    let proposal = match drift.proposal {
        Proposal::Look => "look".to_owned(),
        Proposal::Adjust(delta) => format!("adjust {delta:+}"),
        Proposal::Cancel(units) => format!("cancel {units}"),
        Proposal::Release => "release".to_owned(),
        Proposal::Confirm => "confirm".to_owned(),
        Proposal::Ship(units) => format!("ship {units}"),
    };
    // Where somebody compared, and it is not the whole past.
    let is_compared = matches!(drift.kind, DriftKind::Warehouse | DriftKind::Seller);
    let since = match drift.evidence.0 {
        after if is_compared && after > 0 => format!(" since={after}"),
        _ => String::new(),
    };
    format!(
        "{} {}@{} expected={} found={}{since} propose: {proposal}; {state}",
        drift.kind.as_str(),
        drift.sku,
        drift.location,
        drift.expected,
        drift.found
    )
}

pub(super) fn lift(sku: &str, location: Option<&String>, source: &String) -> LiftStream {
    LiftStream {
        sku: sku_of(sku),
        location: place_of(location),
        source: text_of(Some(source)).expect("just given"),
        reason: None,
    }
}

fn place_of(location: Option<&String>) -> Location {
    location.map_or_else(Location::main, |name| location_of(name))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
