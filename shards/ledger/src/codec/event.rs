//! Events: a record's body is written with a [`RecordEncoder`] and read with [`Events`].
//!
//! An event is its kind, a byte of flags, its time as the distance from the last event's, its key,
//! its effects and its note. An effect begins with a head: its tag in the lower half, flags of its
//! own in the upper. Sequences are not written.

use holdfast_core::{
    Effect, Effects, Event, EventKind, Millis, Note, Resumed, Shorted, Timestamp, TraceParent,
};

use super::hold::Basis;
use super::key::Key;
use super::wire::{Decoder, Encoder, Read, flag};
use super::{CodecError, Fault};

const EVENT_KEY: u8 = 1;
const EVENT_NOTE: u8 = 1 << 1;
const EVENT_TIME: u8 = 1 << 2;
const EVENT_EFFECTS_SHIFT: u8 = 3;
/// In place of the number of effects: that many, and the number that follows.
const EVENT_EFFECTS_MANY: usize = 31;

const TAG: u8 = 0b1111;
const TAG_HOME_CREATED: u8 = 0;
const TAG_HOME_CHANGED: u8 = 1;
const TAG_HOME_FORGOTTEN: u8 = 2;
const TAG_HOLD_CREATED: u8 = 3;
const TAG_HOLD_CHANGED: u8 = 4;
const TAG_HOLD_FORGOTTEN: u8 = 5;
const TAG_STOCK: u8 = 6;
const TAG_SKU: u8 = 7;
const TAG_RESUMED: u8 = 8;
const TAG_KEYS_FORGOTTEN: u8 = 9;
const TAG_RESERVED: u8 = 10;
/// A rare effect, whose own tag follows.
const TAG_MORE: u8 = 15;

const NOTE_REASON: u64 = 1;
const NOTE_DOCUMENT: u64 = 1 << 1;
const NOTE_SOURCE: u64 = 1 << 2;
const NOTE_OCCURRED: u64 = 1 << 3;
const NOTE_MOVEMENT: u64 = 1 << 4;
const NOTE_PAYMENT: u64 = 1 << 5;
const NOTE_FEED: u64 = 1 << 6;
const NOTE_RESERVATION: u64 = 1 << 7;
const NOTE_DRIFT: u64 = 1 << 8;
const NOTE_MESSAGE: u64 = 1 << 9;
const NOTE_SHORTED: u64 = 1 << 10;
const NOTE_TRACE: u64 = 1 << 11;
const NOTE_ALL: u64 = (1 << 12) - 1;

/// Writes the bodies of records, one after the other. Keeping it keeps its small tables.
#[derive(Debug)]
pub struct RecordEncoder {
    encoder: Encoder,
    first: u64,
    events: u32,
}

impl RecordEncoder {
    /// An encoder for a record that begins with sequence 1; see [`Self::start`].
    pub fn new() -> Self {
        Self {
            encoder: Encoder::new(),
            first: 1,
            events: 0,
        }
    }

    /// Begins a record whose first event is to have the sequence `first`. What was begun before is
    /// dropped. The body is written into `buffer`, whose content goes and whose memory is used.
    pub fn start(&mut self, first: u64, buffer: Vec<u8>) {
        self.first = first;
        self.events = 0;
        self.encoder.begin(buffer);
    }

    /// Writes the next event.
    ///
    /// # Panics
    /// Where the event breaks INV-7 (a gap, or time that runs backwards) or INV-5: it could never
    /// be replayed, so it must not be written.
    pub fn push(&mut self, event: &Event) {
        assert!(
            event.seq == self.first + u64::from(self.events),
            "INV-7: sequences have no gap"
        );
        if self.events == 0 {
            self.encoder.version();
        }
        self.events += 1;
        self.encoder.event(event);
    }

    /// How many events the record has so far.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// How many bytes the body has so far.
    pub fn body_bytes(&self) -> usize {
        self.encoder.out.len()
    }

    /// The body, empty where nothing was pushed. The next record follows on this one, unless
    /// [`Self::start`] says otherwise.
    pub fn finish(&mut self) -> Vec<u8> {
        let body = std::mem::take(&mut self.encoder.out);
        self.start(self.first + u64::from(self.events), Vec::new());
        body
    }
}

impl Default for RecordEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the events of a record's body, in order. It ends at the first error, and a body that has
/// more or fewer events than it should is one.
#[derive(Debug)]
pub struct Events<'a> {
    decoder: Decoder<'a>,
    next: u64,
    left: u32,
}

impl<'a> Events<'a> {
    /// The `count` events of `body`, the first of which has the sequence `first`.
    pub fn new(first: u64, count: u32, body: &'a [u8]) -> Result<Self, CodecError> {
        let decoder = Decoder::begin(body)?;
        if first.checked_add(u64::from(count)).is_none() {
            return Err(decoder.error(Fault::Overflow));
        }
        if count == 0 && !decoder.is_at_end() {
            return Err(decoder.error(Fault::Trailing));
        }
        Ok(Self {
            decoder,
            next: first,
            left: count,
        })
    }

    fn read(&mut self) -> Read<Event> {
        let event = self.decoder.event(self.next)?;
        if self.left == 1 && !self.decoder.is_at_end() {
            return Err(Fault::Trailing);
        }
        Ok(event)
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        match self.read() {
            Ok(event) => {
                self.next += 1;
                self.left -= 1;
                Some(Ok(event))
            }
            Err(fault) => {
                self.left = 0;
                Some(Err(self.decoder.error(fault)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

impl Encoder {
    fn event(&mut self, event: &Event) {
        let at = event.at.ms();
        let step = at
            .checked_sub(self.recent.at)
            .expect("INV-7: time never runs backwards");
        self.recent.at = at;
        let count = event.effects.len();
        let flags = flag(event.key.is_some(), EVENT_KEY)
            | flag(event.note.is_some(), EVENT_NOTE)
            | flag(step != 0, EVENT_TIME)
            | (count.min(EVENT_EFFECTS_MANY) as u8) << EVENT_EFFECTS_SHIFT;
        self.array([event.kind as u8, flags]);
        if step != 0 {
            self.varint(step);
        }
        if let Some(key) = &event.key {
            let (index, tag, outcome) = (key.index, key.tag, key.outcome);
            self.key(Key {
                index,
                tag,
                outcome,
                target: &key.target,
            });
        }
        if let Some(rest) = count.checked_sub(EVENT_EFFECTS_MANY) {
            self.varint(rest as u64);
        }
        let mut basis = Basis::default();
        for (place, effect) in event.effects.iter().enumerate() {
            self.effect(effect, &mut basis, &event.effects[..place]);
            basis.note(place, effect);
        }
        if let Some(note) = &event.note {
            self.note(note);
        }
    }

    #[inline]
    fn effect(&mut self, effect: &Effect, basis: &mut Basis, before: &[Effect]) {
        match effect {
            Effect::Reserved(new) => self.reserved(TAG_RESERVED, new),
            Effect::HomeCreated(home) => {
                self.byte(TAG_HOME_CREATED);
                self.home(home);
            }
            Effect::HomeChanged(change) => {
                let flags = self.home_change_flags(change);
                self.byte(TAG_HOME_CHANGED | flags);
                self.home_change(flags, change);
            }
            Effect::HomeForgotten(id) => {
                self.byte(TAG_HOME_FORGOTTEN);
                self.id(*id);
            }
            Effect::HoldCreated(hold) => self.hold_created(TAG_HOLD_CREATED, hold, basis, before),
            Effect::HoldChanged(hold) => self.hold_changed(TAG_HOLD_CHANGED, hold, basis, before),
            Effect::HoldForgotten(number) => {
                self.byte(TAG_HOLD_FORGOTTEN);
                self.hold_number(*number);
            }
            Effect::Stock(stock) => self.stock(TAG_STOCK, stock),
            Effect::Sku(sku) => {
                self.byte(TAG_SKU);
                self.sku_effect(sku);
            }
            Effect::Resumed(resumed) => {
                self.byte(TAG_RESUMED);
                self.time(resumed.last);
                self.time(resumed.start);
                self.varint(resumed.grace.ms());
            }
            Effect::KeysForgotten(below) => {
                self.byte(TAG_KEYS_FORGOTTEN);
                self.varint(*below);
            }
            rare => {
                let is_rare = self.more(TAG_MORE, rare);
                debug_assert!(is_rare, "the others are matched above");
            }
        }
    }

    fn note(&mut self, note: &Note) {
        let presence = [
            (note.reason.is_some(), NOTE_REASON),
            (note.document.is_some(), NOTE_DOCUMENT),
            (note.source.is_some(), NOTE_SOURCE),
            (note.occurred_at.is_some(), NOTE_OCCURRED),
            (note.movement.is_some(), NOTE_MOVEMENT),
            (note.payment.is_some(), NOTE_PAYMENT),
            (note.feed.is_some(), NOTE_FEED),
            (note.reservation.is_some(), NOTE_RESERVATION),
            (note.drift.is_some(), NOTE_DRIFT),
            (note.message.is_some(), NOTE_MESSAGE),
            (note.shorted.is_some(), NOTE_SHORTED),
            (note.trace.is_some(), NOTE_TRACE),
        ];
        let set = presence.iter().filter(|(set, _)| *set);
        self.varint(set.map(|(_, bit)| bit).sum());
        let texts = [
            &note.reason,
            &note.document,
            &note.source,
            &note.payment,
            &note.message,
        ];
        texts.into_iter().flatten().for_each(|text| self.text(text));
        if let Some(occurred_at) = note.occurred_at {
            self.time(occurred_at);
        }
        for id in [note.movement, note.reservation, note.drift]
            .into_iter()
            .flatten()
        {
            self.id(id);
        }
        if let Some(mark) = note.feed {
            self.feed_mark(mark);
        }
        if let Some(shorted) = &note.shorted {
            self.varint(shorted.named.len() as u64);
            for (id, without) in &shorted.named {
                self.id(*id);
                self.varint(u64::from(*without));
            }
            self.varint(shorted.more);
        }
        if let Some(trace) = note.trace {
            self.array(trace.bytes());
        }
    }
}

impl Decoder<'_> {
    fn event(&mut self, seq: u64) -> Read<Event> {
        let kind = EventKind::from_number(self.byte()?).ok_or(Fault::Unknown)?;
        let flags = self.byte()?;
        if flags & EVENT_TIME != 0 {
            let step = self.varint()?;
            self.recent.at = self.recent.at.checked_add(step).ok_or(Fault::Overflow)?;
        }
        let key = if flags & EVENT_KEY == 0 {
            None
        } else {
            Some(self.key()?)
        };
        let mut count = usize::from(flags >> EVENT_EFFECTS_SHIFT);
        if count == EVENT_EFFECTS_MANY {
            count += self.count()?;
        }
        let mut effects = Effects::new();
        let mut basis = Basis::default();
        for place in 0..count {
            let effect = self.effect(&mut basis, &effects)?;
            basis.note(place, &effect);
            effects.push(effect);
        }
        let note = if flags & EVENT_NOTE == 0 {
            None
        } else {
            Some(Box::new(self.note()?))
        };
        Ok(Event {
            seq,
            at: Timestamp::from_ms(self.recent.at),
            kind,
            key,
            effects,
            note,
        })
    }

    #[inline]
    fn effect(&mut self, basis: &mut Basis, before: &[Effect]) -> Read<Effect> {
        let head = self.byte()?;
        let flags = head & !TAG;
        Ok(match head & TAG {
            TAG_RESERVED => Effect::Reserved(Box::new(self.reserved(flags)?)),
            TAG_HOME_CHANGED => Effect::HomeChanged(Box::new(self.home_change(flags)?)),
            TAG_HOLD_CREATED => {
                Effect::HoldCreated(Box::new(self.hold_created(flags, basis, before)?))
            }
            TAG_HOLD_CHANGED => Effect::HoldChanged(self.hold_changed(flags, basis, before)?),
            TAG_STOCK => Effect::Stock(Box::new(self.stock(flags)?)),
            _ if flags != 0 => return Err(Fault::Unknown),
            TAG_HOME_CREATED => Effect::HomeCreated(Box::new(self.home()?)),
            TAG_HOME_FORGOTTEN => Effect::HomeForgotten(self.id()?),
            TAG_HOLD_FORGOTTEN => Effect::HoldForgotten(self.hold_number()?),
            TAG_SKU => Effect::Sku(Box::new(self.sku_effect()?)),
            TAG_RESUMED => Effect::Resumed(Resumed {
                last: self.time()?,
                start: self.time()?,
                grace: Millis::new(self.varint()?),
            }),
            TAG_KEYS_FORGOTTEN => Effect::KeysForgotten(self.varint()?),
            TAG_MORE => self.more()?,
            _ => return Err(Fault::Unknown),
        })
    }

    fn note(&mut self) -> Read<Note> {
        let flags = self.varint()?;
        if flags & !NOTE_ALL != 0 {
            return Err(Fault::Unknown);
        }
        let mut note = Note::default();
        for (bit, text) in [
            (NOTE_REASON, &mut note.reason),
            (NOTE_DOCUMENT, &mut note.document),
            (NOTE_SOURCE, &mut note.source),
            (NOTE_PAYMENT, &mut note.payment),
            (NOTE_MESSAGE, &mut note.message),
        ] {
            if flags & bit != 0 {
                *text = Some(self.text()?);
            }
        }
        if flags & NOTE_OCCURRED != 0 {
            note.occurred_at = Some(self.time()?);
        }
        for (bit, id) in [
            (NOTE_MOVEMENT, &mut note.movement),
            (NOTE_RESERVATION, &mut note.reservation),
            (NOTE_DRIFT, &mut note.drift),
        ] {
            if flags & bit != 0 {
                *id = Some(self.id()?);
            }
        }
        if flags & NOTE_FEED != 0 {
            note.feed = Some(self.feed_mark()?);
        }
        if flags & NOTE_SHORTED != 0 {
            note.shorted = Some(Box::new(self.shorted()?));
        }
        if flags & NOTE_TRACE != 0 {
            let trace = TraceParent::from_bytes(self.array()?);
            note.trace = Some(trace.ok_or(Fault::Unknown)?);
        }
        Ok(note)
    }

    fn shorted(&mut self) -> Read<Shorted> {
        let count = self.count()?;
        let mut named = Vec::with_capacity(count);
        for _ in 0..count {
            let id = self.id()?;
            let without = u32::try_from(self.varint()?).map_err(|_| Fault::Unknown)?;
            named.push((id, without));
        }
        let more = self.varint()?;
        Ok(Shorted { named, more })
    }
}
