//! What time brings: expiry, forgetting, and the start after downtime.
//!
//! Correctness does not depend on a sweep: a command that meets a lapsed reservation records
//! its expiry itself.

use super::draft::Edit;
use super::homes::{Home, HomeRef};
use super::skus::LevelKey;
use super::{Decision, Engine};
use crate::event::{Effect, Event, EventKind, EventList, Resumed, StreamKey};
use crate::time::{Millis, Timestamp};

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Reservations kept, open and ended.
    pub reservations: usize,
    /// Those that are open.
    pub open: usize,
    /// Keys kept.
    pub keys: usize,
    /// SKUs known.
    pub skus: usize,
    /// Open holds of carts whose home is another shard.
    pub foreign_holds: usize,
    /// Tries of carts that their homes have not decided.
    pub undecided: usize,
}

impl Engine {
    /// How full the tables are.
    pub fn fill(&self) -> Fill {
        Fill {
            reservations: self.homes.len(),
            open: self.homes.open,
            keys: self.keys.len(),
            skus: self.skus.len(),
            foreign_holds: self.holds.foreign.len(),
            undecided: self.holds.tries.len(),
        }
    }

    /// The earliest deadline of a reservation homed here.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let held = self.lapses.first().map(|(deadline, _)| deadline);
        let lone = self.homes.lone.first().map(|(deadline, _)| *deadline);
        held.into_iter().chain(lone).min()
    }

    /// The expiry of the earliest lapsed reservation, if one has lapsed, with what it crosses.
    /// Evolve all of it and ask again, a bounded number of times a turn.
    pub fn due(&self, now: Timestamp) -> Option<EventList> {
        let now = now.max(self.at);
        let held = self.lapses.first().filter(|(deadline, _)| *deadline <= now);
        let lone = self
            .homes
            .lone
            .first()
            .filter(|(deadline, _)| *deadline <= now);
        let place = match (held, lone) {
            (Some((first, _)), Some((other, place))) if *other < first => *place,
            (None, Some((_, place))) => *place,
            (Some((_, (sku, location))), _) => {
                let level = self
                    .skus
                    .get(sku)
                    .level(location)
                    .expect("lapses name levels");
                let (_, number) = level.lapses.first().expect("a listed level has a deadline");
                self.holds
                    .get(number)
                    .expect("lapses name stored holds")
                    .home
            }
            (None, None) => return None,
        };
        Some(self.crossed(self.expiry(place, now)))
    }

    /// How many levels hold lapsed units, of those that are due first: a lower bound of the expiry
    /// backlog.
    pub fn backlog(&self, now: Timestamp, most: usize) -> usize {
        let is_first = |(deadline, (sku, location)): &(Timestamp, LevelKey)| {
            let level = self.skus.get(*sku).level(*location);
            let first = level.and_then(|level| level.lapses.first());
            first.is_some_and(|(first, _)| first == *deadline)
        };
        let due = self.lapses.until(now).take(most);
        due.filter(is_first).count()
    }

    /// The event that records a reservation's expiry, whole.
    pub(super) fn expiry(&self, place: HomeRef, now: Timestamp) -> Event {
        let home = self.homes.at(place).expect("open holds have their home");
        let totals = home.lines.iter().map(|line| {
            let [confirmed, released, expired] = line.totals;
            [confirmed, released, expired + line.open()]
        });
        let mut draft = self.draft(EventKind::ReservationExpired, now);
        draft.change_home(place, home, totals.collect(), Edit::default());
        draft.finish(None)
    }

    /// Forgets, in one recorded batch of at most `limit` entries, what is past its retention.
    pub fn forget(&self, now: Timestamp, limit: usize) -> Option<Event> {
        let now = now.max(self.at);
        let mut draft = self.draft(EventKind::Forgotten, now);
        let mut left = limit;
        let first_key = self.keys_due(now, &mut left);
        if first_key > self.keys.first {
            draft.effect(Effect::KeysForgotten(first_key));
        }
        // A key names its reservation, so it goes first. Keys go in order, and one whose
        // reservation is still open keeps back those after it.
        let oldest_key = self.keys.get(first_key).map(|key| key.at);
        for place in self.homes_due(now, left, oldest_key) {
            let home = self.homes.at(place).expect("listed as due");
            draft.effect(Effect::HomeForgotten(home.id(place)));
            left -= 1;
        }
        let counting = self
            .holds
            .counting
            .iter()
            .take_while(|(due, _)| *due <= now);
        for (_, number) in counting.take(left) {
            draft.effect(Effect::HoldForgotten(*number));
            left -= 1;
        }
        for effect in self.life_due(now, oldest_key).take(left) {
            draft.effect(effect);
        }
        let event = draft.finish(None);
        (!event.effects.is_empty()).then_some(event)
    }

    /// When [`Engine::forget`] will next have something to do, at the earliest.
    pub fn next_forget(&self) -> Option<Timestamp> {
        let key = self
            .keys
            .get(self.keys.first)
            .map(|key| key.at.after(self.policy.key_retention));
        let home = |queue: Option<(Timestamp, HomeRef)>, retention: Millis| {
            queue.map(|(at, _)| at.after(retention))
        };
        let ended = home(self.homes.ended.front(), self.policy.retention);
        let ordered = home(self.homes.ordered.front(), self.policy.order_retention);
        let counting = self.holds.counting.first().map(|(due, _)| *due);
        let of_life = self.next_life_due();
        [key, ended, ordered, counting, of_life]
            .into_iter()
            .flatten()
            .min()
    }

    /// Decided drifts, messages and silent streams past their retention. A key names its drift, so
    /// it goes first.
    fn life_due(&self, now: Timestamp, key: Option<Timestamp>) -> impl Iterator<Item = Effect> {
        let policy = &self.policy;
        let decided = self.life.decided.iter().take_while(move |(at, _)| {
            at.after(policy.order_retention) <= now && key.is_none_or(|key| *at < key)
        });
        let drifts = decided.filter_map(|(_, id)| {
            let sku = self.skus.get(*self.life.drifts.get(id)?).sku.clone();
            Some(Effect::DriftForgotten(Box::new((sku, *id))))
        });
        let seen = self.life.messages.iter();
        let seen = seen.take_while(move |(at, _)| at.after(policy.message_retention) <= now);
        let kept = now.ms().saturating_sub(policy.message_retention.ms()) + 1;
        let messages = seen.map(move |(_, sku)| {
            let before = Timestamp::from_ms(kept);
            Effect::MessagesForgotten(Box::new((self.skus.get(*sku).sku.clone(), before)))
        });
        let silent = self.life.streams.iter();
        let silent = silent.take_while(move |(at, ..)| at.after(policy.stream_retention) <= now);
        let streams = silent.filter_map(|(_, sku, location, source)| {
            let entry = self.skus.get(*sku);
            let stream = entry.life.as_ref()?.stream(*location, source)?;
            stream.quarantined.is_none().then(|| {
                Effect::StreamForgotten(Box::new(StreamKey {
                    sku: entry.sku.clone(),
                    location: self.skus.location(*location).clone(),
                    source: source.clone(),
                }))
            })
        });
        drifts.chain(messages).chain(streams)
    }

    fn next_life_due(&self) -> Option<Timestamp> {
        let decided = self.life.decided.first();
        let decided = decided.map(|(at, _)| at.after(self.policy.order_retention));
        let message = self.life.messages.first();
        let message = message.map(|(at, _)| at.after(self.policy.message_retention));
        let stream = self.life.streams.iter().find(|(_, sku, location, source)| {
            let life = self.skus.get(*sku).life.as_ref();
            let stream = life.and_then(|life| life.stream(*location, source));
            stream.is_some_and(|stream| stream.quarantined.is_none())
        });
        let stream = stream.map(|(at, ..)| at.after(self.policy.stream_retention));
        [decided, message, stream].into_iter().flatten().min()
    }

    fn keys_due(&self, now: Timestamp, left: &mut usize) -> u64 {
        let mut index = self.keys.first;
        while *left > 0 && self.is_key_due(index, now) {
            index += 1;
            *left -= 1;
        }
        index
    }

    fn is_key_due(&self, index: u64, now: Timestamp) -> bool {
        let Some(key) = self.keys.get(index) else {
            return false;
        };
        let is_open = match self.keys.target(index, key) {
            super::keys::Target::Home(place) => self.homes.at(place).is_some_and(Home::is_open),
            super::keys::Target::Sku(_) | super::keys::Target::Movement(..) => false,
        };
        key.at.after(self.policy.key_retention) <= now && !is_open
    }

    /// Reservations past their retention that ended before the oldest key was recorded.
    fn homes_due(&self, now: Timestamp, limit: usize, key: Option<Timestamp>) -> Vec<HomeRef> {
        let due = |(at, _): &(Timestamp, HomeRef), retention| {
            at.after(retention) <= now && key.is_none_or(|key| *at < key)
        };
        let ended = self
            .homes
            .ended
            .iter()
            .take_while(|item| due(item, self.policy.retention));
        let ordered = self
            .homes
            .ordered
            .iter()
            .take_while(|item| due(item, self.policy.order_retention));
        let ended = ended.filter(|item| self.homes.is_current(*item, Home::is_done));
        let ordered = ordered.filter(|item| self.homes.is_current(*item, Home::is_order));
        let mut places: Vec<HomeRef> = ended
            .chain(ordered)
            .map(|(_, place)| place)
            .take(limit)
            .collect();
        // One that ended and was closed in the same millisecond is listed twice.
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Records the start after downtime: deadlines that fell into it become start + grace.
    pub fn resume(&self, now: Timestamp) -> Event {
        let start = now.max(self.at);
        let last = self.at;
        let grace = start.since(last).min(self.policy.resume_grace);
        let mut draft = self.draft(EventKind::ShardResumed, start);
        draft.effect(Effect::Resumed(Resumed { last, start, grace }));
        draft.finish(None)
    }
}

impl Decision {
    /// Whether the command must be decided again after its events.
    pub const fn is_again(&self) -> bool {
        matches!(self.outcome, super::Outcome::Again)
    }
}
