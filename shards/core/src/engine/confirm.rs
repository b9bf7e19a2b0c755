//! Confirm: sell what is held, or find that it was sold before.

use super::draft::{Edit, keyed};
use super::homes::{Home, HomeRef, Line};
use super::late::LatePlan;
use super::{Decision, Engine};
use crate::command::{Confirm, LineUnits, Remainder};
use crate::event::{EventKind, KeyOutcome, KeyTag, Note};
use crate::id::ReservationId;
use crate::name::Text;
use crate::refusal::{ExpiredReason, LineAt, Refusal};
use crate::time::Timestamp;
use crate::view::Status;
use smallvec::SmallVec;

/// Units per line of a reservation, in the order of its lines.
pub(super) type PerLine = SmallVec<[u32; 1]>;

impl Engine {
    pub(super) fn decide_confirm(
        &self,
        command: &Confirm,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let (place, home) = match self.find_home(command.id, now) {
            Ok(found) => found,
            Err(decision) => return *decision,
        };
        let Some((lines, remainder)) = &command.lines else {
            return self.confirm_all(command, place, home, key, now);
        };
        if let Ok(units) = self.per_line(home, lines, Line::open) {
            return self.sell(command, (place, home), &units, *remainder, key, now);
        }
        if self.per_line(home, lines, Line::confirmed).is_ok() {
            return Self::confirmed_before(command, place, home);
        }
        if home.is_open() {
            let over = self
                .per_line(home, lines, Line::open)
                .expect_err("checked above");
            return Decision::refused(Refusal::OverConfirm(over), home.seq);
        }
        match self.per_line(home, lines, Line::expired) {
            Ok(units) => self.decide_late(command, &LatePlan { place, home, units }, key, now),
            Err(_) if home.status() == Status::Released => {
                Decision::refused(self.released_refusal(place, home), home.seq)
            }
            Err(over) => Decision::refused(Refusal::OverConfirm(over), home.seq),
        }
    }

    fn confirm_all(
        &self,
        command: &Confirm,
        place: HomeRef,
        home: &Home,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        if home.is_open() {
            let units: PerLine = home.lines.iter().map(Line::open).collect();
            return self.sell(command, (place, home), &units, Remainder::Keep, key, now);
        }
        let expired: PerLine = home.lines.iter().map(Line::expired).collect();
        let has_confirmed = home.lines.iter().any(|line| line.confirmed() > 0);
        let is_settled_late = home.extra.as_ref().is_some_and(|extra| extra.late);
        if expired.iter().any(|units| *units > 0) && !is_settled_late {
            return self.decide_late(
                command,
                &LatePlan {
                    place,
                    home,
                    units: expired,
                },
                key,
                now,
            );
        }
        if has_confirmed {
            return Self::confirmed_before(command, place, home);
        }
        Decision::refused(self.released_refusal(place, home), home.seq)
    }

    /// Every unit named was confirmed before: as it stands, unless another payment is named.
    fn confirmed_before(command: &Confirm, place: HomeRef, home: &Home) -> Decision {
        if let Some(refusal) = other_payment(command, place, home) {
            return Decision::refused(refusal, home.seq);
        }
        Decision::as_it_stands(command.id, home.seq)
    }

    fn sell(
        &self,
        command: &Confirm,
        (place, home): (HomeRef, &Home),
        units: &PerLine,
        remainder: Remainder,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        if let Some((refusal, read)) = self.shortfall(home, units) {
            return Decision::refused(refusal, read.max(home.seq));
        }
        // Nothing below can refuse.
        let totals = home.lines.iter().zip(units).map(|(line, units)| {
            let [confirmed, released, expired] = line.totals;
            let left = line.open() - units;
            let given_back = if remainder == Remainder::Release {
                left
            } else {
                0
            };
            [confirmed + units, released + given_back, expired]
        });
        let edit = payment_edit(home, command.payment_ref.as_ref());
        let mut draft = self.draft(EventKind::ReservationConfirmed, now);
        draft.change_home(place, home, totals.collect(), edit);
        draft.note = payment_note(command.payment_ref.as_ref());
        let event = draft.finish(keyed(key, KeyOutcome::Confirmed, command.id));
        Decision::reservation(event, command.id, false)
    }

    /// Whether fewer units are on hand than this confirm needs, at any location of this shard.
    fn shortfall(&self, home: &Home, units: &PerLine) -> Option<(Refusal, u64)> {
        let mut short = Vec::new();
        let mut read = 0;
        for (line, units) in home
            .lines
            .iter()
            .zip(units)
            .filter(|(line, _)| !line.foreign)
        {
            let entry = self.skus.get(line.sku);
            let level = entry.level(line.location).expect("held levels stay");
            let on_hand = level.counters.get(crate::stock::Counter::OnHand);
            read = read.max(entry.seq);
            if on_hand < i64::from(*units) {
                short.push(LineAt {
                    sku: entry.sku.clone(),
                    location: Some(self.skus.location(line.location).clone()),
                    requested: u64::from(*units),
                    possible: on_hand as u64,
                });
            }
        }
        (!short.is_empty()).then_some((Refusal::Shortfall(short), read))
    }

    /// Distributes named units over the lines of a reservation, as far as `room` allows. A
    /// line without a location acts on its holds in the answer's order.
    pub(super) fn per_line(
        &self,
        home: &Home,
        named: &[LineUnits],
        room: fn(&Line) -> u32,
    ) -> Result<PerLine, Vec<LineAt>> {
        self.per_line_at(home, named, |_, line| room(line))
    }

    /// The same, where the room of a line depends on its place too.
    pub(super) fn per_line_at(
        &self,
        home: &Home,
        named: &[LineUnits],
        room: impl Fn(usize, &Line) -> u32,
    ) -> Result<PerLine, Vec<LineAt>> {
        let mut units: PerLine = home.lines.iter().map(|_| 0).collect();
        let mut over = Vec::new();
        // Named locations first, so that a line without one does not take their room.
        let (placed, open): (Vec<_>, Vec<_>) =
            named.iter().partition(|line| line.location.is_some());
        for wanted in placed.into_iter().chain(open) {
            let mut left = wanted.units.get();
            let mut possible = 0;
            for (at, (line, taken)) in home.lines.iter().zip(&mut units).enumerate() {
                let location = self.skus.location(line.location);
                let is_meant = self.skus.get(line.sku).sku == wanted.sku
                    && wanted.location.as_ref().is_none_or(|name| name == location);
                if is_meant {
                    let free = room(at, line) - *taken;
                    let more = left.min(free);
                    *taken += more;
                    left -= more;
                    possible += u64::from(free);
                }
            }
            if left > 0 {
                over.push(LineAt {
                    sku: wanted.sku.clone(),
                    location: wanted.location.clone(),
                    requested: u64::from(wanted.units.get()),
                    possible,
                });
            }
        }
        if over.is_empty() {
            Ok(units)
        } else {
            Err(over)
        }
    }

    /// The reservation, its expiry recorded first if it has lapsed.
    pub(super) fn find_home(
        &self,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<(HomeRef, &Home), Box<Decision>> {
        let place = HomeRef::of(id);
        match self.homes.get(id) {
            None => Err(Box::new(Decision::refused(self.absent(id), self.seq))),
            Some(home) if home.is_lapsed(now) => Err(Box::new(self.again(place, now))),
            Some(home) => Ok((place, home)),
        }
    }

    /// Why a reservation is not here: its retention is over, or it never was.
    pub fn absent(&self, id: ReservationId) -> Refusal {
        if self.has_minted(id) {
            Refusal::ReservationForgotten(id)
        } else {
            Refusal::UnknownReservation(id)
        }
    }

    pub(super) fn released_refusal(&self, place: HomeRef, home: &Home) -> Refusal {
        let extra = home.extra.as_deref();
        Refusal::ReservationReleased {
            id: home.id(place),
            at: home.ended_at().unwrap_or(self.at),
            reason: extra.and_then(|extra| extra.reason.clone()),
            replaced_by: extra.and_then(|extra| extra.replaced_by),
        }
    }

    pub(super) fn expired_refusal(&self, id: ReservationId, reason: ExpiredReason) -> Refusal {
        let expired_at = self.homes.get(id).map_or(self.at, |home| home.expires_at);
        Refusal::ReservationExpired {
            id,
            reason,
            expired_at,
        }
    }
}

pub(super) fn payment_edit(home: &Home, payment: Option<&Text>) -> Edit {
    match payment {
        Some(payment) => Edit::extra(home, |extra| {
            if !extra.payments.contains(payment) {
                extra.payments.push(payment.clone());
            }
        }),
        None => Edit::default(),
    }
}

pub(super) fn payment_note(payment: Option<&Text>) -> Option<Box<Note>> {
    let payment = payment?.clone();
    Some(Box::new(Note {
        payment: Some(payment),
        ..Note::default()
    }))
}

fn other_payment(command: &Confirm, place: HomeRef, home: &Home) -> Option<Refusal> {
    let payments = &home.extra.as_ref()?.payments;
    let named = command.payment_ref.as_ref()?;
    let first = payments.first()?;
    (!payments.contains(named)).then(|| Refusal::ConfirmedByOtherPayment {
        id: home.id(place),
        first: first.clone(),
    })
}
