//! What sources send: everything heard is kept, and looked through.

use super::stock::movement_told;
use super::{Model, Outcome, What};
use holdfast_core::{
    Count, FeedMark, KeyOutcome, KeyTarget, LiftStream, Location, Movement, MovementKind,
    MovementOutcome, Quarantine, QuarantineCause, Refusal, STREAM_WINDOW, Sku, StreamKey,
    StreamRecord, Text, Timestamp,
};
use std::collections::BTreeMap;

/// What a source has said of a SKU at a location.
#[derive(Clone, Default)]
pub(super) struct Stream {
    epoch: u64,
    /// Everything of this epoch: sequence and content.
    seen: BTreeMap<u64, u32>,
    /// The newest count that applied: its sequence, and when it was taken.
    count: Option<(u64, Timestamp)>,
    /// Messages that came late, and that were too old.
    late: u64,
    stale: u64,
    pub(super) quarantined: Option<Quarantine>,
    pub(super) last: Timestamp,
}

/// A movement's standing.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) is_late: bool,
    pub(super) has_gap: bool,
    /// The count that has seen it.
    pub(super) superseded: Option<Count>,
}

impl Model {
    /// What is said of a movement before it is looked at; an error is its answer.
    pub(super) fn hear_of(
        &mut self,
        command: &Movement,
        now: Timestamp,
    ) -> Result<Heard, Box<Outcome>> {
        let mut heard = Heard::default();
        let taken = taken(command, now, self.seq);
        if let Some(source) = &command.note.source {
            if let Some(message) = &command.message {
                let shelf = &self.skus[&command.sku];
                let seen = shelf.messages.get(&(source.clone(), message.clone()));
                if seen.is_some_and(|at| now < at.after(self.policy.message_retention)) {
                    return Err(Box::new(without_record(
                        command,
                        MovementOutcome::Duplicate,
                    )));
                }
            }
            if let Some(mark) = command.feed {
                self.hear_stream(&mut heard, command, (source, mark), taken, now)?;
            }
        }
        let shelf = &self.skus[&command.sku];
        let newest = shelf.counts.get(&command.location);
        if let (Some(taken), Some((at, seq, _))) = (taken, newest)
            && taken < (*at, *seq)
        {
            return Err(Box::new(self.stale(command, now)));
        }
        let moves_units = matches!(
            command.kind,
            MovementKind::Receive(_)
                | MovementKind::Ship { .. }
                | MovementKind::Return { .. }
                | MovementKind::Damage { .. }
        );
        if moves_units && self.is_seen_by_a_count(command) {
            let newest = shelf.counts.get(&command.location);
            let nothing = || Count {
                counted: 0,
                measure: holdfast_core::Measure::Physical,
                excludes_returned: false,
                excludes_damaged: false,
                then: None,
            };
            heard.superseded = Some(newest.map_or_else(nothing, |(_, _, count)| count.clone()));
        }
        Ok(heard)
    }

    fn hear_stream(
        &mut self,
        heard: &mut Heard,
        command: &Movement,
        (source, mark): (&Text, FeedMark),
        taken: Option<(Timestamp, u64)>,
        now: Timestamp,
    ) -> Result<(), Box<Outcome>> {
        let key = (command.location.clone(), source.clone());
        let stream = self.skus[&command.sku].streams.get(&key).cloned();
        let stream = stream.unwrap_or_default();
        if let Some(quarantine) = stream.quarantined {
            return Err(Box::new(held_up(command, source, quarantine)));
        }
        let is_known = self.skus[&command.sku].streams.contains_key(&key);
        let cause = match stream.seen.get(&mark.sequence) {
            _ if is_known && mark.epoch < stream.epoch => Some(QuarantineCause::FellBack),
            Some(content) if mark.epoch == stream.epoch && *content != mark.content => {
                let top = *stream.seen.keys().max().expect("it is seen");
                (!is_below(top, mark.sequence)).then_some(QuarantineCause::Contradiction)
            }
            _ => None,
        };
        if let Some(cause) = cause {
            let quarantine = Quarantine {
                cause,
                epoch: mark.epoch,
                sequence: mark.sequence,
            };
            let shelf = self.skus.get_mut(&command.sku).expect("looked up");
            shelf.noted();
            let stream = shelf.streams.get_mut(&key).expect("contradicted");
            stream.quarantined = Some(quarantine);
            stream.last = now;
            self.clock = now;
            let mut refused = held_up(command, source, quarantine);
            refused.is_noted = true;
            return Err(Box::new(refused));
        }
        if stream.epoch < mark.epoch || stream.seen.is_empty() {
            return Ok(());
        }
        let top = *stream.seen.keys().max().expect("not empty");
        if is_below(top, mark.sequence) {
            return Err(Box::new(self.stale(command, now)));
        }
        if stream.seen.contains_key(&mark.sequence) {
            return Err(Box::new(without_record(
                command,
                MovementOutcome::Duplicate,
            )));
        }
        let is_late = mark.sequence < top;
        let is_old = |(at, _)| stream.count.is_some_and(|(_, newest)| at < newest);
        if taken.is_some_and(|taken| is_late || is_old(taken)) {
            return Err(Box::new(self.stale(command, now)));
        }
        heard.is_late = is_late;
        heard.has_gap = top + 1 < mark.sequence && self.policy.feeds_gapless.contains(source);
        Ok(())
    }

    /// Whether a count was taken after it happened: by sequence where its stream counts, by time
    /// otherwise.
    fn is_seen_by_a_count(&self, command: &Movement) -> bool {
        let shelf = &self.skus[&command.sku];
        let newest = shelf.counts.get(&command.location).map(|(at, ..)| *at);
        let source = command.note.source.clone();
        let key = source.map(|source| (command.location.clone(), source));
        let stream = key.and_then(|key| shelf.streams.get(&key));
        if let (Some(stream), Some(mark)) = (stream, command.feed)
            && stream.epoch == mark.epoch
            && let Some((sequence, at)) = stream.count
        {
            if mark.sequence < sequence {
                return true;
            }
            if newest == Some(at) {
                return false;
            }
        }
        let happened = command.note.occurred_at;
        newest.is_some_and(|newest| happened.is_some_and(|at| at < newest))
    }

    /// What a movement that was booked leaves: its stream, its message, its count.
    pub(super) fn heard(&mut self, command: &Movement, heard: &Heard, now: Timestamp) {
        let taken = taken(command, now, self.seq);
        self.note_message(command, taken, now);
        if let Some(stream) = self.stream_mut(command) {
            stream.late += u64::from(heard.is_late);
        }
        if let (MovementKind::Count(count), Some((at, seq))) = (&command.kind, taken) {
            let shelf = self.skus.get_mut(&command.sku).expect("looked up");
            let mark = (at, seq, Count::clone(count));
            shelf.counts.insert(command.location.clone(), mark);
        }
    }

    /// The stream that a message with a mark belongs to.
    fn stream_mut(&mut self, command: &Movement) -> Option<&mut Stream> {
        command.feed?;
        let source = command.note.source.clone()?;
        let shelf = self.skus.get_mut(&command.sku)?;
        shelf.streams.get_mut(&(command.location.clone(), source))
    }

    /// How all streams stand, without what was seen.
    pub(crate) fn streams(&self) -> Vec<(Sku, StreamRecord)> {
        let mut records = Vec::new();
        for (sku, shelf) in &self.skus {
            for ((location, source), stream) in &shelf.streams {
                let record = StreamRecord {
                    location: location.clone(),
                    source: source.clone(),
                    epoch: stream.epoch,
                    seen: Vec::new(),
                    absolute: stream.count,
                    late: stream.late,
                    stale: stream.stale,
                    quarantined: stream.quarantined,
                    at: stream.last,
                };
                records.push((sku.clone(), record));
            }
        }
        records
    }

    fn note_message(
        &mut self,
        command: &Movement,
        applied: Option<(Timestamp, u64)>,
        now: Timestamp,
    ) {
        let Some(source) = &command.note.source else {
            return;
        };
        let shelf = self.skus.get_mut(&command.sku).expect("looked up");
        if let Some(message) = &command.message {
            shelf
                .messages
                .insert((source.clone(), message.clone()), now);
        }
        if let Some(mark) = command.feed {
            let key = (command.location.clone(), source.clone());
            let stream = shelf.streams.entry(key).or_default();
            if stream.epoch < mark.epoch {
                (stream.epoch, stream.count) = (mark.epoch, None);
                stream.seen.clear();
            }
            stream.seen.entry(mark.sequence).or_insert(mark.content);
            if let Some((at, _)) = applied {
                stream.count = Some((mark.sequence, at));
            }
            stream.last = now;
        }
    }

    /// Too old: only that is recorded.
    fn stale(&mut self, command: &Movement, now: Timestamp) -> Outcome {
        self.skus.get_mut(&command.sku).expect("looked up").noted();
        self.note_message(command, None, now);
        if let Some(stream) = self.stream_mut(command) {
            stream.stale += 1;
        }
        let outcome = MovementOutcome::Stale;
        let target = KeyTarget::Movement(command.id, command.sku.clone());
        Outcome {
            what: movement_told(command, outcome),
            recorded: Some((KeyOutcome::MovedStale, target)),
            is_noted: false,
        }
    }

    pub(super) fn lift(&mut self, command: &LiftStream, now: Timestamp) -> Outcome {
        let Some(shelf) = self.skus.get_mut(&command.sku) else {
            return Outcome::refused(Refusal::UnknownSku(vec![command.sku.clone()]));
        };
        let key = (command.location.clone(), command.source.clone());
        let stream = shelf.streams.get_mut(&key);
        let Some(stream) = stream.filter(|stream| stream.quarantined.is_some()) else {
            let key = key_of(&command.sku, &command.location, &command.source);
            return Outcome::refused(Refusal::UnknownStream(Box::new(key)));
        };
        stream.quarantined = None;
        stream.last = now;
        shelf.noted();
        let (sku, created) = (command.sku.clone(), false);
        let target = KeyTarget::Sku(sku.clone());
        Outcome {
            what: What::Sku { sku, created },
            recorded: Some((KeyOutcome::StreamLifted, target)),
            is_noted: false,
        }
    }
}

/// When a count was taken, and the last record before it.
fn taken(command: &Movement, now: Timestamp, seq: u64) -> Option<(Timestamp, u64)> {
    let MovementKind::Count(count) = &command.kind else {
        return None;
    };
    match count.read() {
        Some(then) => Some((then.at.min(now), then.seq)),
        None => Some((now, seq)),
    }
}

/// Whether a sequence is too old to be told from what was seen.
const fn is_below(top: u64, sequence: u64) -> bool {
    STREAM_WINDOW < top && sequence + STREAM_WINDOW <= top
}

fn key_of(sku: &Sku, location: &Location, source: &Text) -> StreamKey {
    StreamKey {
        sku: sku.clone(),
        location: location.clone(),
        source: source.clone(),
    }
}

fn held_up(command: &Movement, source: &Text, quarantine: Quarantine) -> Outcome {
    let key = key_of(&command.sku, &command.location, source);
    Outcome::refused(Refusal::StreamQuarantined {
        stream: Box::new(key),
        quarantine,
    })
}

fn without_record(command: &Movement, outcome: MovementOutcome) -> Outcome {
    Outcome {
        what: movement_told(command, outcome),
        recorded: None,
        is_noted: false,
    }
}
