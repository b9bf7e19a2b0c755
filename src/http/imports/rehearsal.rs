//! A dry run: rows are held against what is on the board, and nothing is sent.
//!
//! What rows before have made known counts as known. Deliberately absent: counters. Whether a
//! decision would be refused for want of units is known when it is made.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use holdfast_core::{Command, Location, MovementKind, Sku};
use holdfast_runtime::Router;

use super::super::problem::Code;
use super::report::Done;
use super::row::Fault;

/// What rows have made known, at most: 8 bytes each.
const MADE_MAX: usize = 4_000_000;

/// What a dry run remembers of the rows before.
pub(super) struct Rehearsal {
    creates: bool,
    hasher: RandomState,
    /// Hashes of SKUs, and of SKUs with a location.
    made: HashSet<u64>,
}

impl Rehearsal {
    /// With `creates` a row makes its SKU known.
    pub(super) fn new(creates: bool) -> Self {
        Self {
            creates,
            hasher: RandomState::new(),
            made: HashSet::new(),
        }
    }

    /// What would come of a row, as far as that can be said, and whether it would make its SKU.
    pub(super) fn check(&mut self, sku: &Sku, command: &Command, router: &Router) -> (Done, bool) {
        let view = router.sku(sku);
        let movement = match command {
            Command::Configure(configure) => {
                let is_new = self.make(&(sku, None::<&Location>)) && view.is_none();
                for (location, _) in &configure.safety_stock {
                    self.make(&(sku, Some(location)));
                }
                return (Done::Configured, is_new);
            }
            Command::Movement(movement) => movement,
            other => unreachable!("{other:?} is no row"),
        };
        if !self.creates && view.is_none() && !self.is_made(&(sku, None::<&Location>)) {
            let fault = bad(Code::UnknownSku, "sku", format!("{sku} is unknown"));
            return (fault, false);
        }
        let is_new = self.make(&(sku, None::<&Location>)) && view.is_none();
        let location = &movement.location;
        let is_known = self.is_made(&(sku, Some(location)))
            || view.is_some_and(|view| view.levels.iter().any(|(known, _)| known == location));
        if needs_location(&movement.kind) && !is_known {
            let reason = format!("{sku} is not known at {location}");
            return (bad(Code::UnknownLocation, "location", reason), is_new);
        }
        self.make(&(sku, Some(location)));
        if let MovementKind::Transfer { to, .. } = &movement.kind {
            self.make(&(sku, Some(to)));
        }
        (Done::Applied, is_new)
    }

    /// Makes it known; whether no row before has.
    fn make(&mut self, what: &(&Sku, Option<&Location>)) -> bool {
        self.made.len() < MADE_MAX && self.made.insert(self.hasher.hash_one(what))
    }

    fn is_made(&self, what: &(&Sku, Option<&Location>)) -> bool {
        self.made.len() >= MADE_MAX || self.made.contains(&self.hasher.hash_one(what))
    }
}

/// Whether a movement is refused where the SKU has never been: decisions are, and facts come as
/// they come.
fn needs_location(kind: &MovementKind) -> bool {
    match kind {
        MovementKind::Opening(_)
        | MovementKind::Receive(_)
        | MovementKind::Ship { .. }
        | MovementKind::Return { .. }
        | MovementKind::Damage { .. }
        | MovementKind::Count(_) => false,
        MovementKind::Restock(_)
        | MovementKind::WriteOff { .. }
        | MovementKind::Adjust { .. }
        | MovementKind::Transfer { .. } => true,
    }
}

fn bad(code: Code, field: &str, reason: String) -> Done {
    Done::Bad(Box::new(Fault {
        code: code.name().into(),
        field: Some(field.to_owned()),
        reason,
    }))
}
