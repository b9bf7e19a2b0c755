//! Shortfalls: locations with fewer units of a SKU on hand than are held, and whom they leave
//! without.
//!
//! The first that were held are served first: the holds beyond what is on hand are those affected,
//! the newest last. Which levels fall short is listed as they change; whom that affects is found
//! when somebody asks. Where a SKU's policy wants it, the newest holds are released, some at a time.

use super::draft::{Draft, Edit};
use super::holds::Hold;
use super::homes::{Home, HomeRef, Line};
use super::skus::{Level, LevelKey};
use super::{Decision, Engine, Outcome, PartHold, Reply};
use crate::command::ReleaseShort;
use crate::event::{Event, EventKind, EventList, Note, Shorted};
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::refusal::Refusal;
use crate::snapshot::HoldPhase;
use crate::stock::{Counter, OnShortfall};
use crate::time::Timestamp;
use crate::view::{AffectedView, ShortfallView};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Holds of one shortfall that a list names at most, the newest.
const AFFECTED_MAX: usize = 1_000;

/// Reservations that the record of a shortfall names at most, the newest.
const NAMED_MAX: usize = 32;

/// Why a hold was released, for the record.
const REASON: &str = "shortfall";

/// A hold that a shortfall leaves without units, or with fewer.
struct Affected {
    id: ReservationId,
    number: u64,
    open: u32,
    without: u32,
}

impl Engine {
    /// Lists a level where its counters belong.
    pub(super) fn list_short(&mut self, key: LevelKey) {
        let entry = self.skus.get(key.0);
        let level = entry.level(key.1).filter(|level| level.is_short());
        let releases = entry.config.on_shortfall == OnShortfall::ReleaseNewest;
        if level.is_some() {
            self.short.insert(key, releases);
        } else if !self.short.is_empty() {
            self.short.remove(&key);
        }
    }

    /// Lists all levels of a SKU anew: its policy changed.
    pub(super) fn list_all_short(&mut self, sku: super::skus::SkuIndex) {
        let levels = self.skus.get(sku).levels.iter();
        let places: SmallVec<[_; 4]> = levels.map(|level| level.location).collect();
        for place in places {
            self.list_short((sku, place));
        }
    }

    /// Shortfalls by SKU and location, up to `limit` of those that come after `after`.
    pub fn shortfalls(&self, after: Option<&(Sku, Location)>, limit: usize) -> Vec<ShortfallView> {
        let mut named: BTreeMap<(&Sku, &Location), LevelKey> = BTreeMap::new();
        let last = after.map(|(sku, location)| (sku, location));
        for key in self.short.keys() {
            let name = (&self.skus.get(key.0).sku, self.skus.location(key.1));
            if last.is_none_or(|last| last < name) {
                named.insert(name, *key);
            }
        }
        let keys = named.into_values().take(limit);
        keys.map(|key| self.shortfall_view(key)).collect()
    }

    fn shortfall_view(&self, key: LevelKey) -> ShortfallView {
        let entry = self.skus.get(key.0);
        let level = entry.level(key.1).expect("short levels stay");
        let affected = self.affected(key, level, level.counters.get(Counter::OnHand));
        let (reservations, units) = (affected.len(), level.shortfall() as u64);
        let newest = affected
            .iter()
            .skip(reservations.saturating_sub(AFFECTED_MAX));
        ShortfallView {
            sku: entry.sku.clone(),
            location: self.skus.location(key.1).clone(),
            on_hand: level.counters.get(Counter::OnHand),
            reserved: level.counters.get(Counter::Reserved),
            units,
            reservations,
            affected: newest.map(|hold| self.affected_view(hold)).collect(),
            seq: entry.seq,
            at: self.at,
        }
    }

    fn affected_view(&self, affected: &Affected) -> AffectedView {
        let hold = self.holds.get(affected.number).expect("just listed");
        let is_foreign = hold.phase != HoldPhase::Local;
        let own = self.homes.at(hold.home).filter(|_| !is_foreign);
        let order_ref = own.and_then(|_| self.homes.texts(hold.home).0);
        AffectedView {
            id: affected.id,
            is_foreign,
            order_ref: order_ref.and_then(|text| Text::parse(text).ok()),
            open: affected.open,
            without: affected.without,
            expires_at: hold.deadline,
            pinned_until: own.and_then(Home::pinned_until),
        }
    }

    /// The open holds at a level by number, in the order in which their reservations were made.
    fn held_at(&self, (sku, location): LevelKey, level: &Level) -> Vec<(ReservationId, u64)> {
        let local = level.lapses.iter().map(|(_, number)| number);
        let foreign = self.holds.foreign.iter().copied();
        let mut holds: Vec<(ReservationId, u64)> = local
            .chain(foreign)
            .filter_map(|number| {
                let hold = self.holds.get(number).filter(|hold| hold.open() > 0)?;
                let own = self.homes.at(hold.home).map(|home| home.id(hold.home));
                let named = hold.extra.as_ref().and_then(|extra| extra.id);
                let is_here = (hold.sku, hold.location) == (sku, location);
                is_here.then_some((named.or(own)?, number))
            })
            .collect();
        // By when they were made; an id alone begins with that, and goes on with its slot.
        holds.sort_unstable_by_key(|(id, number)| {
            (id.at(), id.opening().number(), id.counter(), *number)
        });
        holds.dedup();
        holds
    }

    /// Those of them that get less than they hold.
    fn affected(&self, key: LevelKey, level: &Level, on_hand: i64) -> Vec<Affected> {
        let mut left = on_hand;
        let mut affected = Vec::new();
        for (id, number) in self.held_at(key, level) {
            let open = self.holds.get(number).map_or(0, Hold::open);
            let served = left.clamp(0, i64::from(open));
            left -= served;
            let without = open - served as u32;
            if without > 0 {
                affected.push(Affected {
                    id,
                    number,
                    open,
                    without,
                });
            }
        }
        affected
    }

    /// Whether a SKU whose policy says so has holds without units.
    pub fn wants_release(&self) -> bool {
        self.short.values().any(|releases| *releases)
    }

    /// What is to be done about the newest holds that a shortfall leaves without units, each whole:
    /// those that are homed here, and not pinned, are released, up to `limit` of one SKU and location
    /// in one event; of carts homed elsewhere home is to be asked. What home is known to keep is
    /// passed over.
    pub fn release_short(
        &self,
        now: Timestamp,
        limit: usize,
        is_kept: impl Fn(u64) -> bool,
    ) -> ShortRelease {
        let now = now.max(self.at);
        let mut release = ShortRelease::default();
        for (key, _) in self.short.iter().filter(|(_, releases)| **releases) {
            let event = self.release_at(*key, now, limit, (&is_kept, &mut release.ask));
            release.events = event.map(|event| self.crossed(event)).unwrap_or_default();
            if !release.events.is_empty() || limit <= release.ask.len() {
                break;
            }
        }
        release
    }

    fn release_at(
        &self,
        key: LevelKey,
        now: Timestamp,
        limit: usize,
        (is_kept, ask): (&impl Fn(u64) -> bool, &mut Vec<u64>),
    ) -> Option<Event> {
        let level = self.skus.get(key.0).level(key.1)?;
        let mut missing = level.shortfall();
        let mut draft = self.draft(EventKind::ReservationReleased, now);
        let mut released = 0;
        for (_, number) in self.held_at(key, level).into_iter().rev() {
            if missing <= 0 || released == limit || limit <= ask.len() {
                break;
            }
            let hold = self.holds.get(number).expect("just listed");
            let place = hold.home;
            let open = i64::from(hold.open());
            if hold.phase != HoldPhase::Local {
                // One that its home has not decided may yet go by itself.
                if hold.phase == HoldPhase::Bound && !is_kept(number) {
                    missing -= open;
                    ask.push(number);
                }
                continue;
            }
            let Some(home) = self.homes.at(place).filter(|home| {
                let is_pinned = home.pinned_until().is_some_and(|until| now < until);
                !is_pinned && !home.is_lapsed(now)
            }) else {
                continue;
            };
            missing -= open;
            released += 1;
            let is_meant = |line: &Line| !line.foreign && line.hold == number;
            Self::release_line(&mut draft, (place, home), is_meant);
        }
        draft.note = short_note();
        (released > 0).then(|| draft.finish(None))
    }

    /// Home releases a hold that has no units left on another shard, whole, unless it is pinned.
    pub(super) fn decide_release_short(&self, command: &ReleaseShort, now: Timestamp) -> Decision {
        let done = || Outcome::Done(Reply::Part(PartHold::default()));
        let (place, id) = (HomeRef::of(command.id), command.id);
        let Some(home) = self.homes.get(id) else {
            return Decision::outcome(done(), self.seq);
        };
        if home.is_lapsed(now) {
            return self.again(place, now);
        }
        let is_meant = |line: &Line| {
            line.foreign
                && line.hold == command.hold
                && self.skus.get(line.sku).sku == command.sku
                && line.open() > 0
        };
        if !home.lines.iter().any(is_meant) {
            return Decision::outcome(done(), home.seq);
        }
        if let Some(until) = home.pinned_until().filter(|until| now < *until) {
            let refusal = Refusal::ReservationPinned { id, until };
            return Decision::refused(refusal, home.seq);
        }
        // Nothing below can refuse.
        let mut draft = self.draft(EventKind::ReservationReleased, now);
        Self::release_line(&mut draft, (place, home), is_meant);
        draft.note = short_note();
        Decision::with(draft.finish(None), done())
    }

    fn release_line(
        draft: &mut Draft<'_>,
        (place, home): (HomeRef, &Home),
        is_meant: impl Fn(&Line) -> bool,
    ) {
        let totals = home.lines.iter().map(|line| {
            let [confirmed, released, expired] = line.totals;
            let given = if is_meant(line) { line.open() } else { 0 };
            [confirmed, released + given, expired]
        });
        let edit = Edit::extra(home, |extra| extra.reason = Text::parse(REASON).ok());
        draft.change_home(place, home, totals.collect(), edit);
    }

    /// Whom so few units at a location leave without, for the record.
    pub(super) fn shorted(
        &self,
        sku: &Sku,
        location: &Location,
        on_hand: i64,
    ) -> Option<Box<Shorted>> {
        let (index, entry) = self.skus.find_known(sku)?;
        let place = self.skus.find_location(location)?;
        let affected = self.affected((index, place), entry.level(place)?, on_hand);
        let more = affected.len().saturating_sub(NAMED_MAX);
        let newest = affected.iter().skip(more);
        Some(Box::new(Shorted {
            named: newest.map(|hold| (hold.id, hold.without)).collect(),
            more: more as u64,
        }))
    }
}

fn short_note() -> Option<Box<Note>> {
    let reason = Text::parse(REASON).ok();
    reason.map(|reason| {
        Box::new(Note {
            reason: Some(reason),
            ..Note::default()
        })
    })
}

/// What is to be done about holds without units.
#[derive(Debug, Default)]
pub struct ShortRelease {
    /// The release of those that are homed here, with what it crosses; empty where there is none.
    pub events: EventList,
    /// Holds of carts homed elsewhere, whose homes are to be asked to release them.
    pub ask: Vec<u64>,
}

impl Level {
    fn shortfall(&self) -> i64 {
        let held = self.counters.get(Counter::Reserved);
        (held - self.counters.get(Counter::OnHand)).max(0)
    }

    fn is_short(&self) -> bool {
        self.shortfall() > 0
    }
}
