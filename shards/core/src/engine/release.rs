//! Release: give back what is held.

use super::confirm::PerLine;
use super::draft::{Edit, keyed};
use super::homes::{Home, HomeRef, Line};
use super::{Decision, Engine};
use crate::command::Release;
use crate::event::{EventKind, KeyOutcome, KeyTag, Note};
use crate::refusal::{ExpiredReason, Refusal};
use crate::time::Timestamp;

impl Engine {
    pub(super) fn decide_release(
        &self,
        command: &Release,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let (place, home) = match self.find_home(command.id, now) {
            Ok(found) => found,
            Err(decision) => return *decision,
        };
        if !home.is_open() {
            return self.release_ended(command, place, home, key, now);
        }
        let units = match &command.lines {
            None => home.lines.iter().map(Line::open).collect(),
            Some(lines) => match self.per_line(home, lines, Line::open) {
                Ok(units) => units,
                Err(_) if self.per_line(home, lines, Line::released).is_ok() => {
                    return Decision::as_it_stands(command.id, home.seq);
                }
                Err(_) if self.per_line(home, lines, Line::confirmed).is_ok() => {
                    return Decision::refused(self.confirmed_refusal(place, home), home.seq);
                }
                Err(over) => return Decision::refused(Refusal::OverRelease(over), home.seq),
            },
        };
        self.give_back(command, (place, home), &units, key, now)
    }

    /// Nothing is open: it is as it stands, and can't be confirmed late any more.
    fn release_ended(
        &self,
        command: &Release,
        place: HomeRef,
        home: &Home,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let is_sold = match &command.lines {
            None => home.lines.iter().all(|line| line.confirmed() == line.units),
            Some(lines) => {
                self.per_line(home, lines, Line::confirmed).is_ok()
                    && self.per_line(home, lines, Line::released).is_err()
                    && self.per_line(home, lines, Line::expired).is_err()
            }
        };
        if is_sold {
            return Decision::refused(self.confirmed_refusal(place, home), home.seq);
        }
        let has_expired = home.lines.iter().any(|line| line.expired() > 0);
        if home.closed().is_some() || !has_expired {
            return Decision::as_it_stands(command.id, home.seq);
        }
        let key = keyed(key, KeyOutcome::Released, command.id);
        let event = self.closing(place, home, ExpiredReason::Closed, key, now);
        Decision::reservation(event, command.id, false)
    }

    fn give_back(
        &self,
        command: &Release,
        (place, home): (HomeRef, &Home),
        units: &PerLine,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let totals = home.lines.iter().zip(units).map(|(line, units)| {
            let [confirmed, released, expired] = line.totals;
            [confirmed, released + units, expired]
        });
        let edit = match &command.reason {
            Some(reason) => Edit::extra(home, |extra| extra.reason = Some(reason.clone())),
            None => Edit::default(),
        };
        let mut draft = self.draft(EventKind::ReservationReleased, now);
        draft.change_home(place, home, totals.collect(), edit);
        draft.note = command.reason.clone().map(|reason| {
            Box::new(Note {
                reason: Some(reason),
                ..Note::default()
            })
        });
        let event = draft.finish(keyed(key, KeyOutcome::Released, command.id));
        Decision::reservation(event, command.id, false)
    }

    pub(super) fn confirmed_refusal(&self, place: HomeRef, home: &Home) -> Refusal {
        let at = home.ended_at().unwrap_or(self.at);
        Refusal::ReservationConfirmed {
            id: home.id(place),
            at,
        }
    }
}
