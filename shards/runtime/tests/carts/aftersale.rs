//! After the reserve: callers who move, cancel and ship, and what must come of it.

use crate::account::{Account, Fault, Level};
use crate::world::World;
use holdfast_core::{
    Cancel, Command, Counter, DriftKind, DriftRecord, Effect, Event, EventKind, HomeLines,
    HomeRecord, LineView, Location, MoveHold, Movement, MovementKind, ReservationId,
    ReservationView, Sale, SaleLines, Sku, Units,
};
use std::collections::BTreeMap;

impl World {
    /// So many things happen before all comes to rest: a sale has to be over before anything can
    /// come of it.
    pub(crate) const fn steps(&self) -> usize {
        if self.mood.is_selling {
            2 * crate::STEPS
        } else {
            crate::STEPS
        }
    }

    /// A cancel, a shipment or a move, of a reservation for which it makes sense.
    pub(crate) fn aftersale(&mut self) -> Option<Command> {
        let kind = self.rng.below(18);
        let is_move = 11 <= kind;
        let has_units = |line: &LineView| {
            if is_move {
                line.open > 0
            } else {
                line.cancelled + line.shipped < line.confirmed
            }
        };
        let told = self.clients.told.iter().rev();
        let such = told.filter(|(_, view)| view.lines.iter().any(has_units));
        let such: Vec<_> = such.map(|(id, _)| *id).take(6).collect();
        // Now and then of one for which it does not.
        let id = if self.rng.chance(10) {
            self.somebodys()?
        } else if such.is_empty() {
            return None;
        } else {
            *self.rng.pick(&such)
        };
        match kind {
            0..=4 => Some(self.cancel(id)),
            5..=10 => self.ship(id),
            _ => self.move_hold(id),
        }
    }

    fn cancel(&mut self, id: ReservationId) -> Command {
        let some = if self.rng.chance(60) {
            self.some_lines(id)
        } else {
            Vec::new()
        };
        Command::Cancel(Box::new(Cancel {
            id,
            lines: (!some.is_empty()).then_some(some),
            reason: None,
        }))
    }

    /// A shipment of a line; nothing if its home can't be asked what it sold, or has not sold it.
    fn ship(&mut self, id: ReservationId) -> Option<Command> {
        let view = self.clients.told[&id].clone();
        let sold: Vec<_> = view.lines.iter().filter(|l| l.confirmed > 0).collect();
        if sold.is_empty() {
            return None;
        }
        let line = self.rather_elsewhere(id, sold);
        let sku = line.sku.clone();
        let home = self.common.placement.home_of(id);
        let mut lines = SaleLines::Here;
        if home != self.common.placement.shard_of_sku(&sku) {
            let node = &self.nodes[usize::from(home)];
            let engine = node.engine()?;
            // A strong read waits for what it read.
            if node.head() < engine.reservation_seq(id)? {
                return None;
            }
            lines = SaleLines::Told(engine.sale_lines(id, &sku)?);
        }
        let units = self.rng.between(1, u64::from(line.confirmed) + 1) as u32;
        let kind = MovementKind::Ship {
            units: Units::new(units).expect("a quantity"),
            sale: Some(Box::new(Sale { id, lines })),
        };
        // Where others hold what leaves, it falls short.
        let is_elsewhere = self.account.forced.contains(&sku) && self.rng.chance(30);
        let location = if is_elsewhere {
            other(&line.location)
        } else {
            line.location.clone()
        };
        Some(Command::Movement(Box::new(Movement {
            location,
            ..Movement::new(sku, kind)
        })))
    }

    /// One of some lines, of another shard than home if there is one, mostly.
    fn rather_elsewhere<'a>(
        &mut self,
        id: ReservationId,
        lines: Vec<&'a LineView>,
    ) -> &'a LineView {
        let placement = &self.common.placement;
        let home = placement.home_of(id);
        let is_elsewhere = |line: &&LineView| placement.shard_of_sku(&line.sku) != home;
        let elsewhere: Vec<_> = lines.iter().copied().filter(is_elsewhere).collect();
        let is_taken = !elsewhere.is_empty() && self.rng.chance(70);
        let from = if is_taken { elsewhere } else { lines };
        from[self.rng.below(from.len())]
    }

    fn move_hold(&mut self, id: ReservationId) -> Option<Command> {
        let view = self.clients.told[&id].clone();
        let open: Vec<_> = view.lines.iter().filter(|line| line.open > 0).collect();
        if open.is_empty() {
            return None;
        }
        let line = self.rather_elsewhere(id, open);
        Some(Command::MoveHold(Box::new(MoveHold {
            id,
            sku: line.sku.clone(),
            from: line.location.clone(),
            to: other(&line.location),
            units: self
                .rng
                .chance(50)
                .then_some(Units::new(1).expect("a quantity")),
        })))
    }

    /// Sold is what was confirmed and not taken back, and all that left is known at home.
    pub(crate) fn aftersale_adds_up(
        &self,
        confirmed: &mut BTreeMap<Level, i64>,
    ) -> Result<(), Fault> {
        let mut shipped: BTreeMap<Sku, i64> = BTreeMap::new();
        for told in self.account.homes.values() {
            let lines = told.record.lines.iter().enumerate();
            for (at, line) in lines {
                let [back, gone] = after(&told.record, at);
                let level = (line.sku.clone(), line.location.clone());
                *confirmed.entry(level).or_default() -= i64::from(back);
                *shipped.entry(line.sku.clone()).or_default() += i64::from(gone);
            }
        }
        for (level, units) in &self.account.elsewhere {
            *confirmed.entry(level.clone()).or_default() += units;
        }
        for (sku, units) in &self.account.gone {
            *shipped.entry(sku.clone()).or_default() += units;
        }
        for ((sku, _), counters) in &self.account.levels {
            *shipped.entry(sku.clone()).or_default() -= counters.get(Counter::Shipped);
        }
        match shipped.into_iter().find(|(_, units)| *units != 0) {
            Some((sku, units)) => Err(format!("homes know of {units} too many {sku} shipped")),
            None => Ok(()),
        }
    }
}

impl Account {
    pub(crate) fn home_lines(&mut self, change: &HomeLines) -> Result<(), Fault> {
        let id = change.id;
        let told = self.homes.get_mut(&id);
        let told = told.ok_or_else(|| format!("{id} moved and was never made"))?;
        let record = &mut told.record;
        if change.version != record.version + 1 {
            return Err(format!("{id} moved from version {}", record.version));
        }
        let held = |lines: &[holdfast_core::LineRecord]| -> u32 {
            lines.iter().map(|line| line.units).sum()
        };
        if held(&record.lines) != held(&change.lines) {
            return Err(format!(
                "{id} moved to {:?} from {:?}",
                change.lines, record.lines
            ));
        }
        for (lines, sign) in [(&record.lines, -1), (&change.lines, 1)] {
            for line in lines {
                let level = (line.sku.clone(), line.location.clone());
                *self.promised.entry(level).or_default() += sign * i64::from(line.units);
            }
        }
        record.version = change.version;
        record.lines.clone_from(&change.lines);
        Ok(())
    }

    /// Whether units leave for a reservation that is forgotten: as if none had been named.
    pub(crate) fn is_nobodys(&self, event: &Event) -> bool {
        let named = event.note.as_ref().and_then(|note| note.reservation);
        let is_told =
            |effect: &Effect| matches!(effect, Effect::HomeChanged(_) | Effect::HoldAfter(_));
        event.kind == EventKind::StockShipped
            && named.is_some_and(|id| self.homes.get(&id).is_some_and(|told| told.is_forgotten))
            && !event.effects.iter().any(is_told)
    }

    pub(crate) fn drift(&mut self, drift: &DriftRecord) {
        if drift.kind == DriftKind::CancelledShipped {
            let units = drift.found - drift.expected;
            let level = (drift.sku.clone(), drift.location.clone());
            *self.elsewhere.entry(level).or_default() += units;
            *self.gone.entry(drift.sku.clone()).or_default() += units;
        }
    }
}

/// What a caller was told of a reservation's units is in the ledger, or came after.
pub(crate) fn is_kept(view: &ReservationView, record: &HomeRecord) -> Result<(), Fault> {
    for line in &view.lines {
        let is_same = |kept: &&holdfast_core::LineRecord| {
            kept.sku == line.sku && kept.location == line.location && kept.units > 0
        };
        let found = record.lines.iter().find(is_same);
        let at = record.lines.iter().position(|kept| is_same(&kept));
        let is_kept = match found.zip(at) {
            Some((kept, at)) => {
                let [back, gone] = after(record, at);
                (record.version != view.version || line.units == kept.units)
                    && line.confirmed <= kept.totals[0]
                    && line.released <= kept.totals[1]
                    && line.cancelled <= back
                    && line.shipped <= gone
            }
            // What was open may have moved.
            None => line.units == line.open && view.version < record.version,
        };
        if !is_kept {
            return Err(format!("{} was told {line:?}, has {record:?}", view.id));
        }
    }
    Ok(())
}

/// Cancelled and shipped units of a line.
fn after(record: &HomeRecord, at: usize) -> [u32; 2] {
    let extra = record.extra.as_ref();
    let after = extra.and_then(|extra| extra.after.get(at));
    after.map_or([0; 2], |after| *after)
}

/// Units of a reservation that have left.
pub(crate) fn shipped(record: &HomeRecord) -> u32 {
    let lines = 0..record.lines.len();
    lines.map(|at| after(record, at)[1]).sum()
}

fn other(location: &Location) -> Location {
    if *location == Location::main() {
        Location::parse("second").expect("a name")
    } else {
        Location::main()
    }
}
