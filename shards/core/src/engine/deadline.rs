//! Extend and pin: move a deadline.

use super::draft::{Edit, keyed};
use super::homes::{Home, HomeRef};
use super::{Decision, Engine};
use crate::command::{Extend, Pin};
use crate::event::{EventKind, KeyOutcome, KeyTag};
use crate::id::ReservationId;
use crate::refusal::{ExpiredReason, Refusal};
use crate::time::{Millis, Timestamp};
use crate::view::Status;

impl Engine {
    pub(super) fn decide_extend(
        &self,
        command: &Extend,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let (place, home) = match self.find_open(command.id, now) {
            Ok(found) => found,
            Err(decision) => return *decision,
        };
        let (min, requested) = (self.policy.ttl_min, command.ttl);
        let max = self.policy.ttl_max.min(self.lifetime_left(home, now));
        if requested < min || max < requested {
            return Decision::refused(
                Refusal::TtlLimit {
                    min,
                    max,
                    requested,
                },
                home.seq,
            );
        }
        let expires_at = now.after(requested);
        if expires_at <= home.expires_at {
            return Decision::as_it_stands(command.id, home.seq);
        }
        let edit = Edit {
            expires_at: Some(expires_at),
            ..Edit::default()
        };
        self.move_deadline(
            EventKind::ReservationExtended,
            (place, home),
            edit,
            key,
            now,
        )
    }

    pub(super) fn decide_pin(
        &self,
        command: &Pin,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let (place, home) = match self.find_open(command.id, now) {
            Ok(found) => found,
            Err(decision) => return *decision,
        };
        let (min, max, requested) = (Millis::new(1), self.policy.pin_max, command.duration);
        if requested < min || max < requested {
            return Decision::refused(
                Refusal::TtlLimit {
                    min,
                    max,
                    requested,
                },
                home.seq,
            );
        }
        if let Some(until) = home.pinned_until() {
            let refusal = Refusal::AlreadyPinned {
                id: command.id,
                until,
            };
            return Decision::refused(refusal, home.seq);
        }
        let until = home.expires_at.max(now.after(requested));
        let mut edit = Edit::extra(home, |extra| extra.pinned_until = Some(until));
        edit.expires_at = Some(until);
        self.move_deadline(EventKind::ReservationPinned, (place, home), edit, key, now)
    }

    fn move_deadline(
        &self,
        kind: EventKind,
        (place, home): (HomeRef, &Home),
        edit: Edit,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let id = home.id(place);
        let totals = home.lines.iter().map(|line| line.totals).collect();
        let mut draft = self.draft(kind, now);
        draft.change_home(place, home, totals, edit);
        let outcome = if kind == EventKind::ReservationPinned {
            KeyOutcome::Pinned
        } else {
            KeyOutcome::Extended
        };
        Decision::reservation(draft.finish(keyed(key, outcome, id)), id, false)
    }

    /// The reservation if a unit is open, else the refusal that names the state that won.
    pub(super) fn find_open(
        &self,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<(HomeRef, &Home), Box<Decision>> {
        let (place, home) = self.find_home(id, now)?;
        let refusal = match home.status() {
            Status::Open => return Ok((place, home)),
            Status::Confirmed => self.confirmed_refusal(place, home),
            Status::Expired => {
                let reason = home.closed().unwrap_or(ExpiredReason::Lapsed);
                self.expired_refusal(id, reason)
            }
            Status::Released => self.released_refusal(place, home),
        };
        Err(Box::new(Decision::refused(refusal, home.seq)))
    }
}
