//! Locations as such: declared or not, open for selling or not.

use super::reserve::Ask;
use super::{Model, Outcome, Told};
use holdfast_core::{
    ConfigureLocation, Location, LocationRecord, Movement, MovementKind, Patch, Refusal, Sku,
    Timestamp,
};

impl Model {
    /// Answers, and says whether anything was recorded.
    pub(super) fn location(&mut self, command: &ConfigureLocation, now: Timestamp) -> (Told, bool) {
        let fresh = LocationRecord {
            location: command.location.clone(),
            selling: true,
            version: 0,
        };
        let before = self.locations.get(&command.location).cloned();
        let mut record = before.clone().unwrap_or(fresh);
        if command.selling != Patch::Keep {
            record.selling = command.selling != Patch::Set(false);
        }
        if before.as_ref() == Some(&record) {
            return (Told::Location(record), false);
        }
        record.version += 1;
        self.locations
            .insert(command.location.clone(), record.clone());
        self.clock = now;
        (Told::Location(record), true)
    }

    /// Whether a location was closed for selling.
    pub(super) fn has_shut(&self, location: &Location) -> bool {
        let known = self.locations.get(location);
        known.is_some_and(|location| !location.selling)
    }

    /// Places that lines name and that were closed.
    pub(super) fn check_places(
        &self,
        places: impl Iterator<Item = (Sku, Location)>,
    ) -> Result<(), Refusal> {
        let shut: Vec<(Sku, Location)> = places
            .filter(|(_, location)| self.has_shut(location))
            .collect();
        if shut.is_empty() {
            return Ok(());
        }
        Err(Refusal::LocationClosed(shut))
    }

    pub(super) fn check_named(&self, asks: &[Ask]) -> Result<(), Refusal> {
        let named = asks
            .iter()
            .filter_map(|ask| Some((ask.sku.clone(), ask.location.clone()?)));
        self.check_places(named)
    }

    /// Where nobody declared a location, stock may be kept from coming in.
    pub(super) fn check_declared(&self, command: &Movement) -> Option<Outcome> {
        let into = match &command.kind {
            MovementKind::Opening(_)
            | MovementKind::Receive(_)
            | MovementKind::Return { .. }
            | MovementKind::Count(_) => &command.location,
            MovementKind::Transfer { to, .. } => to,
            _ => return None,
        };
        let is_wanted = self.policy.locations_declared && !self.locations.contains_key(into);
        is_wanted.then(|| Outcome::refused(Refusal::UndeclaredLocation(into.clone())))
    }
}
