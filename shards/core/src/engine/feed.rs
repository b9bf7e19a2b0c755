//! Feeds: what a source's stream, and the counts taken here, say of a movement before it is decided.
//!
//! A stream is what one source says of one SKU at one location. What it was heard to say is a window
//! of sequences below the highest, with a hash of each content; what lies below the window counts
//! as seen. Deliberately absent: waiting for what is missing. A delta that comes late is booked when
//! it comes, and a gap is only reported.

use super::chain::Chain;
use super::life::{CountMark, Life, Stream};
use super::movement::{Asked, movement, note_of};
use super::skus::SkuEntry;
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{LiftStream, Movement, MovementKind};
use crate::count::{Basis, Then};
use crate::event::{
    Effect, Effects, EventKind, FeedMark, KeyOutcome, KeyTag, KeyTarget, MessageEffect, Note,
    Quarantine, QuarantineCause, StreamEffect, StreamKey, Versions,
};
use crate::name::Text;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::view::Outcome as Came;
use xxhash_rust::xxh3::Xxh3;

/// Streams that one SKU may have.
const STREAMS_MAX: usize = 1_024;

/// How a movement stands in its stream, and to the counts taken where it happened.
#[derive(Default)]
pub(super) struct Standing {
    stream: Option<Box<StreamEffect>>,
    message: Option<Box<MessageEffect>>,
    is_late: bool,
    /// The first and the last sequence that has not come.
    gap: Option<(u64, u64)>,
    /// Whether a count was taken after it happened.
    pub(super) is_superseded: bool,
    /// What that count compared.
    pub(super) basis: Basis,
}

/// Where a message stands in its stream.
enum Place {
    Next,
    AfterGap(u64, u64),
    Late,
    BelowWindow,
    Seen,
    Contradicts(QuarantineCause),
}

impl Standing {
    pub(super) fn effects(&self) -> impl Iterator<Item = Effect> + use<> {
        let stream = self.stream.clone().map(Effect::Stream);
        let message = self.message.clone().map(Effect::Message);
        stream.into_iter().chain(message)
    }

    pub(super) const fn outcome(&self, is_partly: bool) -> Came {
        if self.is_superseded {
            Came::Superseded
        } else if is_partly {
            Came::Partly
        } else if self.is_late {
            Came::Late
        } else {
            Came::Applied
        }
    }

    /// Whether there is something to report after the movement's own event.
    pub(super) const fn reports(&self) -> bool {
        self.is_late || self.gap.is_some()
    }

    pub(super) fn report(&self, asked: &Asked<'_>, chain: &mut Chain<'_>) {
        let command = asked.command;
        let note = || Note {
            movement: Some(command.id),
            source: command.note.source.clone(),
            feed: command.feed,
            ..Note::default()
        };
        if self.is_late {
            let kind = EventKind::FeedLate;
            chain.push(kind, &command.location, Effects::new(), note());
        }
        if let Some((first, last)) = self.gap {
            let missing = format!("sequences {first} to {last} have not come");
            let note = Note {
                reason: Text::parse(&missing).ok(),
                ..note()
            };
            chain.push(EventKind::FeedGap, &command.location, Effects::new(), note);
        }
    }
}

impl Engine {
    /// What is said of a movement before its counters are looked at; an error is its answer.
    pub(super) fn screen(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Result<Standing, Box<Decision>> {
        let is_plain = command.feed.is_none() && command.message.is_none();
        if is_plain && entry.life.is_none() {
            return Ok(Standing::default());
        }
        let mut standing = Standing::default();
        if let Some(source) = &command.note.source {
            if let Some(message) = &command.message {
                let (sku, hash, at) = (command.sku.clone(), hash_of(source, message), now);
                if self.has_seen(entry, hash, now) {
                    return Err(Box::new(duplicate(command, entry)));
                }
                standing.message = Some(Box::new(MessageEffect { sku, hash, at }));
            }
            if let Some(mark) = command.feed
                && let Some(answer) =
                    self.screen_stream(&mut standing, command, (entry, source, mark), key, now)
            {
                return Err(Box::new(answer));
            }
        }
        let newest = self.newest_count(command, entry);
        if let (Some(taken), Some(newest)) = (self.taken(command, now), newest)
            && is_older(taken, newest)
        {
            let stale = self.stale(command, entry, standing, key, now);
            return Err(Box::new(stale));
        }
        if is_delta(&command.kind) && self.is_superseded(command, entry, newest) {
            standing.is_superseded = true;
            standing.basis = newest.map_or_else(Basis::default, |(_, _, basis)| basis);
        }
        Ok(standing)
    }

    /// What the stream says: nothing if the message goes on.
    fn screen_stream(
        &self,
        standing: &mut Standing,
        command: &Movement,
        (entry, source, mark): (&SkuEntry, &Text, FeedMark),
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Option<Decision> {
        let stream = self.stream_of(command, entry);
        let streams = entry.life.as_ref().map_or(0, |life| life.streams.len());
        if stream.is_none() && STREAMS_MAX <= streams {
            return Some(Decision::outcome(Outcome::Full("streams"), self.seq));
        }
        let name = StreamKey {
            sku: command.sku.clone(),
            location: command.location.clone(),
            source: source.clone(),
        };
        if let Some(quarantine) = stream.and_then(|stream| stream.quarantined) {
            let stream = Box::new(name);
            let refusal = Refusal::StreamQuarantined { stream, quarantine };
            return Some(Decision::refused(refusal, entry.seq));
        }
        let mut effect = standing_of(name, stream, now);
        let place = place_of(stream, mark);
        if let Place::Contradicts(cause) = place {
            return Some(self.quarantine(command, entry, (effect, mark, cause), now));
        }
        if matches!(place, Place::Seen) {
            return Some(duplicate(command, entry));
        }
        if !matches!(place, Place::BelowWindow) {
            effect.mark = Some(mark);
        }
        if stream.is_some_and(|stream| stream.epoch < mark.epoch) {
            effect.absolute = None;
        }
        let is_stale = match (&place, self.taken(command, now)) {
            (Place::BelowWindow, _) | (Place::Late, Some(_)) => true,
            (_, Some((at, _))) => effect.absolute.is_some_and(|(_, newest)| at < newest),
            (_, None) => false,
        };
        if !is_stale && let Some((at, _)) = self.taken(command, now) {
            effect.absolute = Some((mark.sequence, at));
        }
        standing.is_late = matches!(place, Place::Late) && !is_stale;
        effect.late += u64::from(standing.is_late);
        if let Place::AfterGap(first, last) = place
            && self.policy.feeds_gapless.contains(source)
        {
            standing.gap = Some((first, last));
        }
        standing.stream = Some(Box::new(effect));
        is_stale.then(|| self.stale(command, entry, std::mem::take(standing), key, now))
    }

    /// Records that a message is too old to change anything.
    fn stale(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        mut standing: Standing,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        if let Some(stream) = &mut standing.stream {
            stream.stale += 1;
            let before = self.stream_of(command, entry);
            let has_new_epoch = before
                .is_some_and(|before| stream.mark.is_some_and(|mark| before.epoch < mark.epoch));
            stream.absolute = before
                .filter(|_| !has_new_epoch)
                .and_then(|before| before.absolute);
        }
        let mut draft = self.draft(EventKind::FeedStale, now);
        draft.effect(self.touch(entry, &command.location, one_more(entry)));
        standing.effects().for_each(|effect| draft.effect(effect));
        draft.note = Some(Box::new(note_of(command, None)));
        let (id, sku, outcome) = (command.id, command.sku.clone(), Came::Stale);
        let target = KeyTarget::Movement(id, sku.clone());
        let event = draft.finish(key.map(|tag| (tag, outcome.to_key(), target)));
        Decision::with(event, Outcome::Done(movement(id, sku, outcome)))
    }

    /// Records that a source contradicted itself, and refuses what it sent.
    fn quarantine(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        (mut effect, mark, cause): (StreamEffect, FeedMark, QuarantineCause),
        now: Timestamp,
    ) -> Decision {
        let quarantine = Quarantine {
            cause,
            epoch: mark.epoch,
            sequence: mark.sequence,
        };
        effect.quarantined = Some(quarantine);
        let stream = Box::new(effect.key.clone());
        let mut draft = self.draft(EventKind::FeedQuarantined, now);
        draft.effect(self.touch(entry, &command.location, one_more(entry)));
        draft.effect(Effect::Stream(Box::new(effect)));
        draft.note = Some(Box::new(note_of(command, None)));
        let refusal = Refusal::StreamQuarantined { stream, quarantine };
        let replayed = false;
        Decision::with(draft.finish(None), Outcome::Refused { refusal, replayed })
    }

    /// Somebody has looked: the stream goes on where it was. What was refused stays refused; a
    /// source that has fallen back raises its epoch.
    pub(super) fn decide_lift_stream(
        &self,
        command: &LiftStream,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let name = StreamKey {
            sku: command.sku.clone(),
            location: command.location.clone(),
            source: command.source.clone(),
        };
        let Some((_, entry)) = self.skus.find_known(&command.sku) else {
            let refusal = Refusal::UnknownSku(vec![command.sku.clone()]);
            return Decision::refused(refusal, self.seq);
        };
        let stream = self.find_stream(entry, &name);
        let Some(stream) = stream.filter(|stream| stream.quarantined.is_some()) else {
            return Decision::refused(Refusal::UnknownStream(Box::new(name)), entry.seq);
        };
        // Nothing below can refuse.
        let mut effect = standing_of(name, Some(stream), now);
        effect.quarantined = None;
        let mut draft = self.draft(EventKind::FeedLifted, now);
        draft.effect(self.touch(entry, &command.location, one_more(entry)));
        draft.effect(Effect::Stream(Box::new(effect)));
        draft.note = Some(Box::new(Note {
            reason: command.reason.clone(),
            source: Some(command.source.clone()),
            ..Note::default()
        }));
        let sku = command.sku.clone();
        let target = KeyTarget::Sku(sku.clone());
        let event = draft.finish(key.map(|tag| (tag, KeyOutcome::StreamLifted, target)));
        let (created, replayed) = (false, false);
        let reply = Reply::Sku {
            sku,
            created,
            replayed,
        };
        Decision::with(event, Outcome::Done(reply))
    }

    fn has_seen(&self, entry: &SkuEntry, hash: u64, now: Timestamp) -> bool {
        let seen = entry
            .life
            .as_ref()
            .and_then(|life| life.messages.get(&hash));
        seen.is_some_and(|at| now < at.after(self.policy.message_retention))
    }

    fn stream_of<'a>(&self, command: &Movement, entry: &'a SkuEntry) -> Option<&'a Stream> {
        let location = self.skus.find_location(&command.location)?;
        let source = command.note.source.as_ref()?;
        entry.life.as_ref()?.stream(location, source)
    }

    fn find_stream<'a>(&self, entry: &'a SkuEntry, key: &StreamKey) -> Option<&'a Stream> {
        let location = self.skus.find_location(&key.location)?;
        entry.life.as_ref()?.stream(location, &key.source)
    }

    fn newest_count(&self, command: &Movement, entry: &SkuEntry) -> Option<CountMark> {
        let location = self.skus.find_location(&command.location)?;
        Life::counted(entry.life.as_ref()?, location)
    }

    /// When a count was taken, and the last event before it; nothing for other movements, and where
    /// the past it speaks of was not read.
    pub(super) fn taken(&self, command: &Movement, now: Timestamp) -> Option<(Timestamp, u64)> {
        let MovementKind::Count(count) = &command.kind else {
            return None;
        };
        match &count.then {
            None => Some((now, self.seq)),
            Some(Then::Read(then)) => Some((then.at.min(now), then.seq)),
            Some(Then::At(_)) => None,
        }
    }

    /// Whether a count was taken after a delta: by sequence within its stream where that has an
    /// absolute, by when it happened otherwise.
    fn is_superseded(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        newest: Option<CountMark>,
    ) -> bool {
        let stream = self.stream_of(command, entry).zip(command.feed);
        let absolute = stream
            .filter(|(stream, mark)| stream.epoch == mark.epoch)
            .and_then(|(stream, mark)| Some((stream.absolute?, mark)));
        if let Some(((sequence, at), mark)) = absolute {
            let is_newest = newest.is_some_and(|(taken, ..)| taken == at);
            if mark.sequence < sequence || is_newest {
                return mark.sequence < sequence;
            }
        }
        let happened = command.note.occurred_at;
        newest.is_some_and(|(taken, ..)| happened.is_some_and(|at| at < taken))
    }
}

/// Whether a count speaks of a past before the newest one.
fn is_older((at, seq): (Timestamp, u64), (newest, newest_seq, _): CountMark) -> bool {
    at < newest || (at == newest && seq < newest_seq)
}

/// Facts that move units; counts and decisions speak of what is there when they come.
const fn is_delta(kind: &MovementKind) -> bool {
    match kind {
        MovementKind::Receive(_)
        | MovementKind::Ship { .. }
        | MovementKind::Return { .. }
        | MovementKind::Damage { .. } => true,
        MovementKind::Opening(_)
        | MovementKind::Count(_)
        | MovementKind::Restock(_)
        | MovementKind::WriteOff { .. }
        | MovementKind::Adjust { .. }
        | MovementKind::Transfer { .. } => false,
    }
}

fn place_of(stream: Option<&Stream>, mark: FeedMark) -> Place {
    let Some(stream) = stream.filter(|stream| mark.epoch <= stream.epoch) else {
        return Place::Next;
    };
    if mark.epoch < stream.epoch {
        return Place::Contradicts(QuarantineCause::FellBack);
    }
    if stream.is_below(Some(mark.sequence)) {
        return Place::BelowWindow;
    }
    match (stream.seen.get(&mark.sequence), stream.highest()) {
        (Some(content), _) if *content == mark.content => Place::Seen,
        (Some(_), _) => Place::Contradicts(QuarantineCause::Contradiction),
        (None, None) => Place::Next,
        (None, Some(highest)) if highest < mark.sequence => {
            if highest + 1 == mark.sequence {
                Place::Next
            } else {
                Place::AfterGap(highest + 1, mark.sequence - 1)
            }
        }
        (None, Some(_)) => Place::Late,
    }
}

fn standing_of(key: StreamKey, stream: Option<&Stream>, at: Timestamp) -> StreamEffect {
    StreamEffect {
        key,
        mark: None,
        absolute: stream.and_then(|stream| stream.absolute),
        late: stream.map_or(0, |stream| stream.late),
        stale: stream.map_or(0, |stream| stream.stale),
        quarantined: stream.and_then(|stream| stream.quarantined),
        at,
    }
}

/// It was heard before: nothing is recorded.
fn duplicate(command: &Movement, entry: &SkuEntry) -> Decision {
    let reply = movement(command.id, command.sku.clone(), Came::Duplicate);
    Decision::outcome(Outcome::Done(reply), entry.seq)
}

fn hash_of(source: &Text, message: &Text) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(source.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(message.as_str().as_bytes());
    hash.digest()
}

pub(super) const fn one_more(entry: &SkuEntry) -> Versions {
    let mut versions = entry.versions;
    versions.all += 1;
    versions
}
