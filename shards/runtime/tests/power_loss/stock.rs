//! What callers ask after the sale, and of stock that nobody reserves: cancels, shipments, returns,
//! transfers and counts.

use crate::clerk::Clerk;
use holdfast_core::{
    Cancel, Command, Count, FeedMark, Location, Measure, Movement, MovementKind, Place, Sale,
    SaleLines, Sku, Units,
};

fn units(units: u64) -> Units {
    Units::new(units as u32).expect("a few units")
}

impl Clerk {
    /// Takes back what was confirmed, all or some of it.
    pub(crate) fn cancel(&mut self) -> Command {
        let Some(view) = self.sold() else {
            return self.reserve();
        };
        let lines = (self.random.below(2) == 0).then(|| self.some_of(&view));
        Command::Cancel(Box::new(Cancel {
            id: view.id,
            lines,
            reason: None,
        }))
    }

    /// Units leave: of a sale, mostly; sometimes one too many, or from elsewhere.
    pub(crate) fn ship(&mut self) -> Command {
        let sold = self.sold().filter(|_| self.random.below(4) > 0);
        let Some(view) = sold else {
            let (sku, location) = (self.sku(), self.location());
            let few = units(1 + self.random.below(2));
            let (units, sale) = (few, None);
            return self.movement(sku, location, MovementKind::Ship { units, sale });
        };
        let lines: Vec<_> = view
            .lines
            .iter()
            .filter(|line| line.confirmed > 0)
            .collect();
        let line = lines[self.random.below(lines.len() as u64) as usize];
        let units = units(1 + self.random.below(u64::from(line.confirmed) + 1));
        let location = if self.random.below(4) == 0 {
            self.location()
        } else {
            line.location.clone()
        };
        // What its home says of it is added where it is sent.
        let sale = Some(Box::new(Sale {
            id: view.id,
            lines: SaleLines::Here,
        }));
        self.movement(
            line.sku.clone(),
            location,
            MovementKind::Ship { units, sale },
        )
    }

    /// What happens to stock besides sales.
    pub(crate) fn stock_fact(&mut self) -> Command {
        let (sku, location) = (self.sku(), self.location());
        let few = units(1 + self.random.below(3));
        let kind = match self.random.below(12) {
            0..3 => MovementKind::Return {
                units: few,
                reservation: None,
            },
            3..6 => MovementKind::Transfer {
                units: few,
                to: self.other(&location),
                force: self.random.below(4) == 0,
            },
            6..9 => MovementKind::Count(Box::new(Count {
                counted: self.random.below(25),
                measure: Measure::Physical,
                excludes_returned: self.random.below(3) == 0,
                excludes_damaged: false,
                then: None,
            })),
            9 => MovementKind::Damage {
                units: few,
                from: Place::OnHand,
            },
            10 => MovementKind::Restock(few),
            _ => MovementKind::WriteOff {
                units: few,
                from: Place::Damaged,
                force: false,
            },
        };
        self.movement(sku, location, kind)
    }

    /// Sometimes as a source's message, which may be a late or a repeated one.
    fn movement(&mut self, sku: Sku, location: Location, kind: MovementKind) -> Command {
        let mut movement = Movement {
            location,
            note: self.note(),
            ..Movement::new(sku, kind)
        };
        let is_fact = matches!(
            movement.kind,
            MovementKind::Return { .. } | MovementKind::Count(_) | MovementKind::Damage { .. }
        );
        if is_fact && self.random.below(2) == 0 {
            movement.note.source = Some(self.source());
            // What a sequence says is always the same, else its stream would stop for good.
            let sequence = 1 + self.random.below(200) as u32;
            movement.feed = Some(FeedMark {
                epoch: 1,
                sequence: u64::from(sequence),
                content: sequence,
            });
        }
        Command::Movement(Box::new(movement))
    }

    fn other(&mut self, location: &Location) -> Location {
        loop {
            let other = self.location();
            if other != *location {
                return other;
            }
        }
    }
}
