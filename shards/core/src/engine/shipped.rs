//! What was shipped of a cart on another shard: that shard tells home, until home has heard.
//!
//! Deliberately absent: booking it, which is the part's (`ship_sale.rs`).

use super::homes::{Home, HomeRef};
use super::{Decision, Engine, Outcome, PartHold, Reply};
use crate::command::{NoteShipped, NoteTold, SaleLine};
use crate::event::{Effect, EventKind, HoldAfter, HomeChange, HomeExtra};
use crate::id::ReservationId;
use crate::name::Sku;
use crate::snapshot::HoldPhase;
use crate::time::Timestamp;

impl Engine {
    /// Home hears of it: what was told before changes nothing.
    pub(super) fn decide_note_shipped(&self, command: &NoteShipped, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        let home = self.homes.get(command.id);
        let Some(home) = home.filter(|home| home.version == command.version) else {
            return Decision::outcome(done, self.seq);
        };
        let Some(extra) = self.with_shipped(home, command) else {
            return Decision::outcome(done, home.seq);
        };
        let mut draft = self.draft(EventKind::ReservationShipped, now);
        let place = HomeRef::of(command.id);
        draft.effect(after_sale(place, home, extra, now));
        Decision::with(draft.finish(None), done)
    }

    /// What few reservations have, with what was shipped under a hold on another shard; none if
    /// that is no news.
    fn with_shipped(&self, home: &Home, command: &NoteShipped) -> Option<HomeExtra> {
        let mut extra = home.extra.as_deref().cloned().unwrap_or_default();
        let is_of = |at: usize| {
            let line = home.lines.as_slice().get(at);
            line.filter(|line| line.foreign && self.skus.get(line.sku).sku == command.sku)
        };
        let late = extra
            .late_holds
            .iter_mut()
            .find(|late| late.hold == command.hold && is_of(late.line as usize).is_some());
        let (at, news) = if let Some(late) = late {
            let news = command.shipped.checked_sub(late.shipped)?;
            late.shipped += news;
            (late.line as usize, news)
        } else {
            let mut places = 0..home.lines.as_slice().len();
            let at = places.find(|at| is_of(*at).is_some_and(|line| line.hold == command.hold))?;
            let late = extra.late_holds.iter();
            let late = late.filter(|late| late.line as usize == at);
            let before = home.after(at)[1] - late.map(|late| late.shipped).sum::<u32>();
            (at, command.shipped.checked_sub(before)?)
        };
        if news == 0 {
            return None;
        }
        extra.after.resize(home.lines.as_slice().len(), [0; 2]);
        extra.after[at][1] += news;
        Some(extra)
    }

    /// A part knows that home has heard.
    pub(super) fn decide_note_told(&self, command: &NoteTold, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        let hold = self.holds.get(command.hold).filter(|hold| {
            let extra = hold.extra.as_ref();
            hold.phase == HoldPhase::Bound
                && extra.is_some_and(|extra| extra.id == Some(command.id))
        });
        let Some(hold) = hold else {
            return Decision::outcome(done, self.seq);
        };
        let [_, shipped] = hold.after();
        let told = command.shipped.min(shipped);
        if told <= hold.told() {
            return Decision::outcome(done, self.seq);
        }
        let mut draft = self.draft(EventKind::CartTold, now);
        draft.effect(Effect::HoldAfter(HoldAfter {
            number: command.hold,
            after: hold.after(),
            told,
        }));
        Decision::with(draft.finish(None), done)
    }

    /// What a part has to tell home about a hold: nothing if home has heard it all.
    pub fn untold(&self, number: u64) -> Option<NoteShipped> {
        let hold = self.holds.get(number)?;
        let [_, shipped] = hold.after();
        if hold.phase != HoldPhase::Bound || shipped <= hold.told() {
            return None;
        }
        Some(NoteShipped {
            id: hold.extra.as_ref()?.id?,
            version: hold.version(),
            sku: self.skus.get(hold.sku).sku.clone(),
            hold: number,
            shipped,
        })
    }

    /// What a shipment of a sale needs to know of its lines of a SKU on another shard; none if the
    /// reservation is not recorded here.
    pub fn sale_lines(&self, id: ReservationId, sku: &Sku) -> Option<Vec<SaleLine>> {
        let home = self.homes.get(id)?;
        let late = home.extra.iter().flat_map(|extra| &extra.late_holds);
        let late: Vec<(u64, usize)> = late.map(|late| (late.hold, late.line as usize)).collect();
        let is_of = |at: usize| {
            let line = home.lines.as_slice().get(at);
            line.is_some_and(|line| line.foreign && self.skus.get(line.sku).sku == *sku)
        };
        let place_of = |hold: u64| {
            let mut again = late
                .iter()
                .filter(|(other, at)| *other == hold && is_of(*at));
            let mut lines = home.lines.iter().enumerate();
            let first = lines.find(|(at, line)| line.hold == hold && is_of(*at));
            first
                .map(|(at, _)| at)
                .or_else(|| again.next().map(|(_, at)| *at))
        };
        let settles = self
            .decided(id)
            .into_iter()
            .filter(|(other, _)| other == sku);
        let lines = settles.filter_map(|(_, settle)| {
            let at = place_of(settle.hold)?;
            let location = home.lines.as_slice()[at].location;
            Some(SaleLine {
                location: self.skus.location(location).clone(),
                after: home.after(at),
                settle,
            })
        });
        Some(lines.collect())
    }

    /// The cart of a hold that has sold all it held for a home on another shard, and when home may
    /// have forgotten it: until then the hold is kept, so that a cancel finds it. One that counts for
    /// a limit is kept for that until then anyhow.
    pub fn kept_hold(&self, number: u64) -> Option<(ReservationId, Timestamp)> {
        let hold = self.holds.get(number).filter(|hold| hold.is_kept())?;
        let id = hold.extra.as_ref()?.id?;
        let after = [self.policy.late_window, self.policy.order_retention];
        let due = after.into_iter().fold(hold.deadline, Timestamp::after);
        let counts_until = hold.counts_until().filter(|_| hold.counts() > 0);
        Some((id, counts_until.map_or(due, |until| until.max(due))))
    }

    /// Holds here that are kept for carts of other shards, though nothing is open under them.
    pub fn kept_holds(&self) -> impl Iterator<Item = u64> + '_ {
        self.holds.kept.iter().copied()
    }
}

/// What became of a reservation's confirmed units. It is no decision, so the version stays; once
/// nothing of an order is left, it has ended.
pub(super) fn after_sale(place: HomeRef, home: &Home, extra: HomeExtra, now: Timestamp) -> Effect {
    let left = home.lines.iter().zip(&extra.after);
    let is_done = left.clone().count() == home.lines.as_slice().len()
        && left
            .clone()
            .all(|(line, [cancelled, shipped])| line.confirmed() == cancelled + shipped);
    let ended_at = home.ended_at();
    Effect::HomeChanged(Box::new(HomeChange {
        id: home.id(place),
        version: home.version,
        expires_at: home.expires_at,
        totals: home.lines.iter().map(|line| line.totals).collect(),
        ended_at: ended_at.map(|at| if is_done { now } else { at }),
        extra: Some(Box::new(extra)),
    }))
}
