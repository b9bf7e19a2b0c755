//! Reserve: set units aside, on this shard alone.

use super::draft::{Draft, Edit, keyed};
use super::homes::{Home, HomeRef};
use super::source::{Ask, Miss, Sourced, Take};
use super::{Decision, Engine, Outcome};
use crate::command::{HeldLine, Mode, Reserve};
use crate::event::{
    Effect, Effects, Event, EventKind, HomeExtra, KeyEffect, KeyOutcome, KeyTag, KeyTarget,
    Reserved, Versions,
};
use crate::name::Text;
use crate::refusal::Refusal;
use crate::snapshot::{HoldPhase, HoldRecord, HomeRecord, LineRecord, Shortage};
use crate::stock::Counter;
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;

/// A reserve whose own terms are good: when it would end, and what it takes the place of.
pub(super) struct Terms<'a> {
    pub(super) expires_at: Timestamp,
    pub(super) replaced: Option<(HomeRef, &'a Home)>,
}

/// A plain reserve, and whether it is worth a look at its SKU's thresholds.
struct Plain {
    event: Event,
    may_cross: bool,
}

/// A hold on its way into a draft.
pub(super) struct NewHold<'a> {
    pub(super) id: crate::id::ReservationId,
    pub(super) attempt: u32,
    pub(super) phase: HoldPhase,
    pub(super) deadline: Timestamp,
    pub(super) customer: Option<&'a Text>,
}

impl Engine {
    pub(super) fn decide_reserve(
        &self,
        command: &Reserve,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let mut decision = match self.reserve_plain(command, key, now) {
            Some(plain) if !plain.may_cross => {
                return Decision::reservation(plain.event, command.id, true);
            }
            Some(plain) => Decision::reservation(plain.event, command.id, true),
            None => self.reserve_whole(command, key, now),
        };
        self.add_crossings(&mut decision);
        decision
    }

    fn reserve_whole(&self, command: &Reserve, key: Option<&KeyTag>, now: Timestamp) -> Decision {
        let terms = match self.reserve_terms(command, now) {
            Ok(terms) => terms,
            Err(decision) => return *decision,
        };
        let ask = Ask {
            lines: command.lines.iter().collect(),
            customer: command.customer.as_ref(),
            mode: command.mode,
            replaced: terms.replaced.map(|(_, home)| home),
            late: None,
            now,
        };
        let sourced = match self.source(&ask) {
            Ok(sourced) => sourced,
            Err(miss) => return self.miss(miss, now),
        };
        if self.homes.len() >= self.policy.reservations_max {
            return Decision::outcome(Outcome::Full("reservations"), self.seq);
        }
        // Nothing below can refuse.
        let event = self.create(command, &terms, sourced, &[], &[], key, now);
        Decision::reservation(event, command.id, true)
    }

    /// Most carts: one line that names no location, no limit, an open sale, and a first location
    /// that has enough. What is not so plain, or is to be refused, goes the long way.
    fn reserve_plain(
        &self,
        command: &Reserve,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Option<Plain> {
        let [line] = &command.lines[..] else {
            return None;
        };
        let ttl = command.ttl.unwrap_or(self.policy.ttl_default);
        let (_, entry) = self.skus.find_known(&line.sku)?;
        let is_plain = line.location.is_none()
            && command.replace.is_none()
            && self.policy.ttl_min <= ttl
            && ttl <= self.policy.ttl_max
            && entry.sells_plainly(now)
            && self.homes.len() < self.policy.reservations_max;
        let level = entry.levels.first().filter(|_| is_plain)?;
        let units = line.units.get();
        let left = level.counters.free() - i64::from(units);
        if left < 0 || !self.skus.is_selling(level.location) {
            return None;
        }
        let reserved = Reserved {
            id: command.id,
            order_ref: command.order_ref.clone(),
            customer: command.customer.clone(),
            expires_at: now.after(ttl),
            sku: entry.sku.clone(),
            location: self.skus.location(level.location).clone(),
            hold: self.holds.next,
            units,
            reserved: level.counters.get(Counter::Reserved) + i64::from(units),
            versions: Versions {
                all: entry.versions.all + 1,
                ..entry.versions
            },
        };
        let key = key.map(|tag| KeyEffect {
            index: self.keys.next,
            tag: *tag,
            outcome: KeyOutcome::Created,
            target: KeyTarget::Reservation(command.id),
        });
        let mut effects = Effects::new();
        effects.push(Effect::Reserved(Box::new(reserved)));
        let event = Event {
            seq: self.seq + 1,
            at: now,
            kind: EventKind::ReservationCreated,
            key,
            effects,
            note: None,
        };
        let may_cross = entry.may_cross(left);
        Some(Plain { event, may_cross })
    }

    /// Checks what a reserve asks of its own life and of the reservation it replaces.
    pub(super) fn reserve_terms(
        &self,
        command: &Reserve,
        now: Timestamp,
    ) -> Result<Terms<'_>, Box<Decision>> {
        let policy = &self.policy;
        let ttl = command.ttl.unwrap_or(policy.ttl_default);
        let replaced = command.replace.and_then(|id| {
            let place = HomeRef::of(id);
            self.homes
                .get(id)
                .map(|home| (place, home))
                .filter(|(_, home)| home.is_open())
        });
        if let Some((place, _)) = replaced.filter(|(_, home)| home.is_lapsed(now)) {
            return Err(Box::new(self.again(place, now)));
        }
        let longest = replaced.map_or(policy.ttl_max, |(_, home)| {
            let left = home.chain_start().after(policy.lifetime_max).since(now);
            left.min(policy.ttl_max)
        });
        if ttl < policy.ttl_min || longest < ttl {
            let (min, max, requested) = (policy.ttl_min, longest, ttl);
            let read = replaced.map_or(0, |(_, home)| home.seq);
            return Err(Box::new(Decision::refused(
                Refusal::TtlLimit {
                    min,
                    max,
                    requested,
                },
                read,
            )));
        }
        let expires_at = now.after(ttl);
        let Some((place, home)) = replaced else {
            return Ok(Terms {
                expires_at,
                replaced: None,
            });
        };
        let id = home.id(place);
        let (order_ref, customer) = self.homes.texts(place);
        let is_same = order_ref.is_some()
            && order_ref == command.order_ref.as_ref().map(Text::as_str)
            && customer == command.customer.as_ref().map(Text::as_str);
        if !is_same {
            return Err(Box::new(Decision::refused(
                Refusal::ReplaceMismatch(id),
                home.seq,
            )));
        }
        if home.is_spread() {
            return Err(Box::new(Decision::refused(
                Refusal::ReplaceAcrossShards(id),
                home.seq,
            )));
        }
        if let Some(until) = home.pinned_until().filter(|until| now < *until) {
            return Err(Box::new(Decision::refused(
                Refusal::ReservationPinned { id, until },
                home.seq,
            )));
        }
        Ok(Terms {
            expires_at,
            replaced,
        })
    }

    pub(super) fn miss(&self, miss: Miss, now: Timestamp) -> Decision {
        match miss {
            Miss::Refused(refusal, read) => Decision::refused(refusal, read),
            Miss::Lapsed(place) => self.again(place, now),
        }
    }

    /// Records a lapsed reservation's expiry; the command decides again after it.
    pub(super) fn again(&self, place: HomeRef, now: Timestamp) -> Decision {
        Decision::with(self.expiry(place, now), Outcome::Again)
    }

    /// The event that creates a reservation from what was sourced here and held elsewhere.
    #[allow(
        clippy::too_many_arguments,
        reason = "one caller for a cart here, one for a cart over shards"
    )]
    pub(super) fn create(
        &self,
        command: &Reserve,
        terms: &Terms<'_>,
        sourced: Sourced,
        held: &[HeldLine],
        shortages: &[Shortage],
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Event {
        let mut draft = self.draft(EventKind::ReservationCreated, now);
        let mut lines: SmallVec<[LineRecord; 1]> = SmallVec::new();
        let hold = NewHold {
            id: command.id,
            attempt: 0,
            phase: HoldPhase::Local,
            deadline: terms.expires_at,
            customer: command.customer.as_ref(),
        };
        let mut holds: SmallVec<[Box<HoldRecord>; 2]> = SmallVec::new();
        for take in &sourced.takes {
            let record = Box::new(self.hold(&mut draft, take, &hold));
            lines.push(LineRecord {
                sku: record.sku.clone(),
                location: record.location.clone(),
                hold: record.number,
                foreign: false,
                requested: take.requested,
                units: take.units,
                totals: [0; 3],
            });
            holds.push(record);
        }
        lines.extend(held.iter().map(foreign_line));
        sort_as_asked(&mut lines, command);
        let mut all_shortages = sourced.shortages;
        all_shortages.extend_from_slice(shortages);
        let extra = creation_extra(command, terms, all_shortages);
        draft.effect(Effect::HomeCreated(Box::new(HomeRecord {
            id: command.id,
            order_ref: command.order_ref.clone(),
            customer: command.customer.clone(),
            version: 1,
            expires_at: terms.expires_at,
            ended_at: None,
            lines,
            extra,
        })));
        for record in holds {
            draft.effect(Effect::HoldCreated(record));
        }
        if let Some((place, home)) = terms.replaced {
            replace(&mut draft, place, home, command);
        }
        draft.finish(keyed(key, KeyOutcome::Created, command.id))
    }

    /// Takes the units in the draft and returns the hold's record.
    pub(super) fn hold(&self, draft: &mut Draft<'_>, take: &Take, new: &NewHold<'_>) -> HoldRecord {
        let entry = self.skus.get(take.sku);
        draft.stock(
            (take.sku, take.location),
            Counter::Reserved,
            i64::from(take.units),
        );
        let is_limited = entry.config.customer_limit.is_some();
        HoldRecord {
            number: draft.next_hold(),
            id: new.id,
            attempt: new.attempt,
            phase: new.phase,
            sku: entry.sku.clone(),
            location: self.skus.location(take.location).clone(),
            requested: take.requested,
            units: take.units,
            version: u32::from(new.phase == HoldPhase::Local),
            deadline: new.deadline,
            totals: [0; 3],
            counted: new
                .customer
                .filter(|_| is_limited)
                .map(|name| (name.clone(), new.id.at())),
            graced: false,
            after: [0; 2],
            told: 0,
        }
    }

    /// The longest a deadline may lie from now on, counted from the start of the chain.
    pub(super) fn lifetime_left(&self, home: &Home, now: Timestamp) -> Millis {
        home.chain_start()
            .after(self.policy.lifetime_max)
            .since(now)
    }
}

/// The earlier reservation gives its units to the new one in the same event.
fn replace(draft: &mut Draft<'_>, place: HomeRef, home: &Home, command: &Reserve) {
    let totals = home.lines.iter().map(|line| {
        let [confirmed, released, expired] = line.totals;
        [confirmed, released + line.open(), expired]
    });
    let by = command.id;
    let edit = Edit::extra(home, |extra| extra.replaced_by = Some(by));
    draft.change_home(place, home, totals.collect(), edit);
}

fn foreign_line(held: &HeldLine) -> LineRecord {
    LineRecord {
        sku: held.sku.clone(),
        location: held.location.clone(),
        hold: held.hold,
        foreign: true,
        requested: held.requested,
        units: held.units,
        totals: [0; 3],
    }
}

/// Lines come in the order in which the command named their SKUs.
fn sort_as_asked(lines: &mut SmallVec<[LineRecord; 1]>, command: &Reserve) {
    if lines.len() > 1 && lines.iter().any(|line| line.foreign) {
        let place =
            |line: &LineRecord| command.lines.iter().position(|asked| asked.sku == line.sku);
        lines.sort_by_key(place);
    }
}

fn creation_extra(
    command: &Reserve,
    terms: &Terms<'_>,
    shortages: Vec<Shortage>,
) -> Option<Box<HomeExtra>> {
    if terms.replaced.is_none() && (command.mode == Mode::AllOrNothing || shortages.is_empty()) {
        return None;
    }
    let chain_start = terms.replaced.map(|(_, home)| home.chain_start());
    let replaces = terms.replaced.map(|(place, home)| home.id(place));
    Some(Box::new(HomeExtra {
        chain_start,
        replaces,
        shortages,
        ..HomeExtra::default()
    }))
}
