//! Locations as such: declaring one, closing one for selling, and where stock may come in.
//!
//! A location is the same for all SKUs, so every shard keeps it. Shards are told one after the
//! other; the version says which of two decisions is the newer one, whichever came first.

use super::movement::Asked;
use super::skus::LocationIndex;
use super::source::Resolved;
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{ConfigureLocation, MovementKind, Patch};
use crate::event::{Effect, EventKind, Note};
use crate::name::{Location, Sku};
use crate::refusal::Refusal;
use crate::snapshot::LocationRecord;
use crate::time::Timestamp;

impl Engine {
    /// Declares a location or changes how it sells; what changes nothing records nothing.
    pub(super) fn decide_location(&self, command: &ConfigureLocation, now: Timestamp) -> Decision {
        let name = &command.location;
        let before = self.skus.declared(name);
        if before.is_none() && !self.skus.has_room_for(name) {
            return Decision::outcome(Outcome::Full("locations"), self.seq);
        }
        // Nothing below can refuse.
        let reply = Outcome::Done(Reply::Location(name.clone()));
        let (sold, last) = before.map_or((true, 0), |before| (before.selling, before.version));
        let selling = match command.selling {
            Patch::Keep => sold,
            Patch::Clear => true,
            Patch::Set(selling) => selling,
        };
        let is_news = match command.version {
            // A decision for all shards: the newest is kept, even one that changes nothing here.
            Some(version) => last < version,
            None => before.is_none() || selling != sold,
        };
        if !is_news {
            return Decision::outcome(reply, self.seq);
        }
        let version = command.version.unwrap_or(last + 1);
        let mut draft = self.draft(EventKind::LocationConfigured, now);
        let location = name.clone();
        draft.effect(Effect::Location(LocationRecord {
            location,
            selling,
            version,
        }));
        draft.note = command.reason.clone().map(|reason| {
            Box::new(Note {
                reason: Some(reason),
                ..Note::default()
            })
        });
        Decision::with(draft.finish(None), reply)
    }

    /// Locations that were declared, by name.
    pub fn locations(&self) -> impl Iterator<Item = &LocationRecord> {
        self.skus.locations_declared()
    }

    /// Why nothing is sold from where a line names.
    pub(super) fn closed_refusal(&self, line: &Resolved<'_>) -> Option<Refusal> {
        let sku = &line.line.sku;
        self.closed_at(sku, line.location?)
    }

    /// Why nothing is sold from a location.
    pub(super) fn closed_at(&self, sku: &Sku, location: LocationIndex) -> Option<Refusal> {
        let name = || self.skus.location(location).clone();
        let is_closed = !self.skus.is_selling(location);
        is_closed.then(|| Refusal::LocationClosed(vec![(sku.clone(), name())]))
    }

    /// The refusal of stock that comes in where nobody declared a location, where that is demanded.
    pub(super) fn undeclared(&self, asked: &Asked<'_>) -> Option<Decision> {
        let location = comes_in(&asked.command.kind, &asked.command.location)
            .filter(|_| self.policy.locations_declared)?;
        let is_known = self.skus.declared(location).is_some();
        let refusal = || Refusal::UndeclaredLocation(location.clone());
        (!is_known).then(|| Decision::refused(refusal(), self.seq))
    }
}

/// Where a movement brings stock in.
const fn comes_in<'a>(kind: &'a MovementKind, at: &'a Location) -> Option<&'a Location> {
    match kind {
        MovementKind::Opening(_)
        | MovementKind::Receive(_)
        | MovementKind::Return { .. }
        | MovementKind::Count(_) => Some(at),
        MovementKind::Transfer { to, .. } => Some(to),
        MovementKind::Ship { .. }
        | MovementKind::Damage { .. }
        | MovementKind::Restock(_)
        | MovementKind::WriteOff { .. }
        | MovementKind::Adjust { .. } => None,
    }
}
