//! Where reservations and holds are listed: by deadline, by cart, by what is left to settle.
//!
//! An entry leaves its lists before it changes and enters them again after. The lists follow from
//! the entries alone, so recovery builds them again.

use super::Engine;
use super::homes::HomeRef;
use super::lapses::Lapse;
use super::skus::LevelKey;
use crate::snapshot::HoldPhase;
use crate::time::Timestamp;

impl Engine {
    /// Lists a reservation where its state belongs.
    pub(super) fn home_enters(&mut self, place: HomeRef) {
        let Some(home) = self.homes.at(place) else {
            return;
        };
        let (is_open, expires_at) = (home.is_open(), home.expires_at);
        let is_lone = is_open && !home.has_local_hold();
        let is_settled = home.extra.as_ref().is_some_and(|extra| extra.settled);
        let is_spread = home.is_spread() && !is_settled;
        self.homes.open += usize::from(is_open);
        if is_lone {
            self.homes.lone.insert((expires_at, place));
        }
        if is_spread {
            self.homes.spread.insert(place);
        }
        if !is_open {
            self.homes.list_ended(place);
        }
    }

    pub(super) fn home_leaves(&mut self, place: HomeRef) {
        let Some(home) = self.homes.at(place) else {
            return;
        };
        let (is_open, expires_at) = (home.is_open(), home.expires_at);
        self.homes.open -= usize::from(is_open);
        if is_open {
            self.homes.lone.remove(&(expires_at, place));
        }
        if !self.homes.spread.is_empty() {
            self.homes.spread.remove(&place);
        }
    }

    /// Lists a hold where its state belongs.
    pub(super) fn hold_enters(&mut self, number: u64) {
        let hold = self.holds.get(number).expect("it was just stored");
        let (deadline, key, open) = (hold.deadline, (hold.sku, hold.location), hold.open());
        if open == 0 {
            // What is kept may still be cancelled, or leave: home says when it no longer can.
            if hold.is_kept() {
                self.holds.kept.insert(number);
            } else if let Some(due) = hold.counts_until() {
                self.holds.counting.insert((due, number));
            }
            return;
        }
        match hold.phase {
            HoldPhase::Local => {
                let level = self.skus.level_mut(key.0, key.1);
                let before = level.lapses.first();
                level.lapses.insert((deadline, number));
                self.first_lapse_changed(key, before);
            }
            HoldPhase::Tentative => {
                let extra = hold.extra.as_ref().expect("holds of other homes name them");
                let attempt = (extra.id.expect("they name it"), extra.attempt);
                self.holds.tries.entry(attempt).or_default().push(number);
                self.holds.foreign.insert(number);
                self.skus.level_mut(key.0, key.1).undecided += open;
            }
            HoldPhase::Bound => {
                self.holds.foreign.insert(number);
            }
        }
    }

    pub(super) fn hold_leaves(&mut self, number: u64) {
        let Some(hold) = self.holds.get(number) else {
            return;
        };
        let (deadline, key, open) = (hold.deadline, (hold.sku, hold.location), hold.open());
        if open == 0 {
            if let Some(due) = hold.counts_until() {
                self.holds.counting.remove(&(due, number));
            }
            self.holds.kept.remove(&number);
            return;
        }
        match hold.phase {
            HoldPhase::Local => self.lapse_removed(key, deadline, number),
            HoldPhase::Tentative => {
                let extra = hold.extra.as_ref().expect("holds of other homes name them");
                let attempt = (extra.id.expect("they name it"), extra.attempt);
                if let Some(numbers) = self.holds.tries.get_mut(&attempt) {
                    numbers.retain(|other| *other != number);
                    if numbers.is_empty() {
                        self.holds.tries.remove(&attempt);
                    }
                }
                self.holds.foreign.remove(&number);
                self.skus.level_mut(key.0, key.1).undecided -= open;
            }
            HoldPhase::Bound => {
                self.holds.foreign.remove(&number);
            }
        }
    }

    fn lapse_removed(&mut self, key: LevelKey, deadline: Timestamp, number: u64) {
        let holds = &self.holds;
        let counts = |(deadline, number): (Timestamp, u64)| {
            let hold = holds
                .get(number)
                .filter(|hold| hold.phase == HoldPhase::Local);
            hold.is_some_and(|hold| hold.open() > 0 && hold.deadline == deadline)
        };
        let lapses = &mut self.skus.level_mut(key.0, key.1).lapses;
        let before = lapses.first();
        lapses.remove((deadline, number), counts);
        self.first_lapse_changed(key, before);
    }

    /// Lists a level under its first deadline, where that is not what it was before.
    pub(super) fn first_lapse_changed(&mut self, key: LevelKey, before: Option<Lapse>) {
        let first = |key: LevelKey| {
            let level = self.skus.get(key.0).level(key.1)?;
            level.lapses.first().map(|(first, _)| first)
        };
        let (before, after) = (before.map(|(first, _)| first), first(key));
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.lapses
                .remove((before, key), |(at, key)| first(key) == Some(at));
        }
        if let Some(after) = after {
            self.lapses.insert((after, key));
        }
    }
}
