//! The account: a second opinion on the shards, kept from their journals and answers alone.
//!
//! It reads every event when it becomes durable, and knows nothing of how the carts came to it.

use holdfast_core::{
    Counter, Counters, Effect, Event, EventKind, HoldPhase, HoldRecord, HomeChange, HomeExtra,
    HomeRecord, LateHold, Location, Millis, ReservationId, Sku, StockEffect, Text, Timestamp,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What went wrong, in words.
pub(crate) type Fault = String;

/// How many units of a limited SKU a customer may have.
pub(crate) const LIMIT_UNITS: u32 = 3;

/// Within which time.
pub(crate) const LIMIT_WINDOW: Millis = Millis::from_secs(20);

/// A place where units lie.
pub(crate) type Level = (Sku, Location);

/// A reservation, as its home's journal tells it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) record: HomeRecord,
    pub(crate) is_forgotten: bool,
}

/// A hold, as its shard's journal tells it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) record: HoldRecord,
    /// Dropped, or forgotten after its end.
    pub(crate) is_gone: bool,
}

/// What the journals of all shards say.
#[derive(Default)]
pub(crate) struct Account {
    /// Whether rules are checked too, not only what follows from breaking them.
    pub(crate) is_strict: bool,
    pub(crate) homes: BTreeMap<ReservationId, Told>,
    pub(crate) holds: BTreeMap<(u16, u64), Held>,
    pub(crate) levels: BTreeMap<Level, Counters>,
    pub(crate) keys: HashSet<[u64; 2]>,
    /// Units of each level under reservations that are open or confirmed.
    pub(crate) promised: BTreeMap<Level, i64>,
    orders: HashMap<Text, ReservationId>,
    /// Reservations whose confirm was refused for good.
    pub(crate) finals: HashSet<ReservationId>,
    /// SKUs whose stock is adjusted below what is held.
    pub(crate) forced: HashSet<Sku>,
    /// Holds that took units in the event under way.
    taken: Vec<u64>,
    /// Units sold at a level beyond what the lines there have, or short of it: their sale moved, or
    /// they left though their sale was cancelled.
    pub(crate) elsewhere: BTreeMap<Level, i64>,
    /// Units that left though their sale was cancelled.
    pub(crate) gone: BTreeMap<Sku, i64>,
}

impl Account {
    pub(crate) fn take(&mut self, shard: u16, event: &Event) -> Result<(), Fault> {
        self.taken.clear();
        if let Some(key) = &event.key
            && !self.keys.insert(key.tag.hash)
        {
            return Err(format!("key {:?} had two effects", key.tag.hash[1]));
        }
        for effect in event.spelled_out().iter() {
            match effect {
                Effect::HomeLines(change) => self.home_lines(change)?,
                Effect::Drift(drift) => self.drift(drift),
                Effect::Reserved(_) => return Err("it was not spelled out".to_owned()),
                Effect::HomeCreated(record) => self.home_created(record)?,
                Effect::HomeChanged(change) => self.home_changed(event, change)?,
                Effect::HomeForgotten(id) => self.home_forgotten(*id)?,
                Effect::HoldCreated(record) => self.hold_created(shard, record)?,
                Effect::HoldChanged(change) => {
                    let held = self.holds.get_mut(&(shard, change.number));
                    let held = held.ok_or("a hold changed that was never made")?;
                    held.record.version = change.version;
                    held.record.deadline = change.deadline;
                    held.record.phase = change.phase;
                    held.record.totals = change.totals;
                }
                Effect::HoldForgotten(number) => {
                    let held = self.holds.get_mut(&(shard, *number));
                    held.ok_or("a hold was forgotten that was never made")?
                        .is_gone = true;
                }
                Effect::Stock(stock) => self.stock(event, stock),
                Effect::HoldAfter(change) => {
                    let held = self.holds.get_mut(&(shard, change.number));
                    let held = held.ok_or("a hold shipped or cancelled that was never made")?;
                    (held.record.after, held.record.told) = (change.after, change.told);
                }
                // No client here counts, sends feeds or declares locations.
                Effect::Location(_)
                | Effect::Stream(_)
                | Effect::StreamForgotten(_)
                | Effect::Counted(_)
                | Effect::DriftForgotten(_)
                | Effect::Message(_)
                | Effect::MessagesForgotten(_)
                | Effect::Supply(_)
                | Effect::Sku(_)
                | Effect::Resumed(_)
                | Effect::KeysForgotten(_) => {}
            }
        }
        self.check_stock(event)?;
        self.check_limits(shard, event)
    }

    fn home_created(&mut self, record: &HomeRecord) -> Result<(), Fault> {
        let id = record.id;
        if let Some(order) = &record.order_ref
            && let Some(other) = self.orders.insert(order.clone(), id)
        {
            return Err(format!("{order} was made twice, as {other} and {id}"));
        }
        for line in &record.lines {
            let level = (line.sku.clone(), line.location.clone());
            *self.promised.entry(level).or_default() += i64::from(line.units);
        }
        let told = Told {
            record: record.clone(),
            is_forgotten: false,
        };
        match self.homes.insert(id, told) {
            Some(_) => Err(format!("{id} was given twice")),
            None => self.check_promised(id),
        }
    }

    fn home_changed(&mut self, event: &Event, change: &HomeChange) -> Result<(), Fault> {
        let id = change.id;
        let told = self.homes.get_mut(&id);
        let told = told.ok_or_else(|| format!("{id} changed and was never made"))?;
        let sells = event.kind == EventKind::ReservationConfirmed;
        if sells && self.finals.contains(&id) {
            return Err(format!("{id} was confirmed after a final refusal"));
        }
        let record = &mut told.record;
        let is_decision = !matches!(
            event.kind,
            EventKind::CartClosed | EventKind::ReservationShipped | EventKind::StockShipped
        );
        // A move has raised it with the lines.
        let raised = u32::from(is_decision && event.kind != EventKind::ReservationMoved);
        if change.version != record.version + raised {
            return Err(format!(
                "{id} went from version {} to {}",
                record.version, change.version
            ));
        }
        for (line, totals) in record.lines.iter_mut().zip(&change.totals) {
            let falls = (0..3).any(|at| totals[at] < line.totals[at] && (at != 2 || !sells));
            if falls || line.units < totals.iter().sum() {
                return Err(format!("INV-5: {id} went from {line:?} to {totals:?}"));
            }
            let gone = |totals: [u32; 3]| i64::from(totals[1]) + i64::from(totals[2]);
            let level = (line.sku.clone(), line.location.clone());
            *self.promised.entry(level).or_default() += gone(line.totals) - gone(*totals);
            line.totals = *totals;
        }
        record.version = change.version;
        record.expires_at = change.expires_at;
        record.ended_at = change.ended_at;
        if change.extra.is_some() {
            let before = std::mem::replace(&mut record.extra, change.extra.clone());
            let after = |extra: &Option<Box<HomeExtra>>, at: usize| {
                let after = extra.as_ref().and_then(|extra| extra.after.get(at));
                after.map_or([0; 2], |after| *after)
            };
            // A move brings what became of lines to their new places.
            let is_move = event.kind == EventKind::ReservationMoved;
            for (at, line) in record.lines.iter().enumerate().filter(|_| !is_move) {
                let ([back, gone], [was, left]) = (after(&record.extra, at), after(&before, at));
                if back < was || gone < left || line.totals[0] < back + gone {
                    return Err(format!(
                        "INV-5: {id} has {back} back and {gone} gone of {line:?}"
                    ));
                }
                let level = (line.sku.clone(), line.location.clone());
                *self.promised.entry(level).or_default() -= i64::from(back - was);
            }
        }
        self.check_promised(id)
    }

    fn home_forgotten(&mut self, id: ReservationId) -> Result<(), Fault> {
        let told = self.homes.get_mut(&id);
        let told = told.ok_or_else(|| format!("{id} was forgotten and never made"))?;
        told.is_forgotten = true;
        let is_open = told.record.lines.iter().any(|line| line.open() > 0);
        if self.is_strict && (is_open || !is_settled(&told.record)) {
            return Err(format!("{id} was forgotten before it was closed"));
        }
        Ok(())
    }

    fn hold_created(&mut self, shard: u16, record: &HoldRecord) -> Result<(), Fault> {
        let held = Held {
            record: record.clone(),
            is_gone: false,
        };
        let number = record.number;
        let grows = |before: &HoldRecord| before.open() < record.open();
        match self.holds.insert((shard, number), held) {
            // It is over, or was forgotten in this event, and enters anew: as what became of it, or
            // with units that moved to it.
            Some(before)
                if before.record.id == record.id && before.record.location == record.location =>
            {
                if grows(&before.record) {
                    self.taken.push(number);
                }
                Ok(())
            }
            Some(_) => Err(format!("hold {number} of shard {shard} was given twice")),
            None => {
                self.taken.push(number);
                Ok(())
            }
        }
    }

    fn stock(&mut self, event: &Event, stock: &StockEffect) {
        let level = (stock.sku.clone(), stock.location.clone());
        let counters = self.levels.entry(level.clone()).or_default();
        let [sold, shipped] = [Counter::Sold, Counter::Shipped].map(|each| counters.get(each));
        for (counter, value) in &stock.counters {
            counters.set(*counter, *value);
        }
        let moved = counters.get(Counter::Sold) - sold;
        let left = counters.get(Counter::Shipped) - shipped;
        if self.is_nobodys(event) {
            *self.gone.entry(stock.sku.clone()).or_default() += left;
        }
        if event.kind == EventKind::StockShipped && moved != 0 {
            *self.elsewhere.entry(level.clone()).or_default() += moved;
            *self.promised.entry(level).or_default() += moved;
            // What leaves from elsewhere than it was sold may be what others hold there: a shortfall.
            self.forced.insert(stock.sku.clone());
        }
    }

    /// INV-3: nothing is taken that was not free.
    fn check_stock(&self, event: &Event) -> Result<(), Fault> {
        for effect in event.spelled_out().iter() {
            let Effect::HoldCreated(hold) = effect else {
                continue;
            };
            if !self.taken.contains(&hold.number) {
                continue;
            }
            let level = (hold.sku.clone(), hold.location.clone());
            let free = self.levels.get(&level).map_or(0, Counters::free);
            if free < 0 {
                return Err(format!(
                    "INV-3: hold {} of {} took {} units of {} that were not free ({free})",
                    hold.number, hold.id, hold.units, hold.sku
                ));
            }
        }
        Ok(())
    }

    /// No customer has more of a limited SKU within its window than allowed.
    fn check_limits(&self, shard: u16, event: &Event) -> Result<(), Fault> {
        for effect in event.spelled_out().iter() {
            let Effect::HoldCreated(hold) = effect else {
                continue;
            };
            let Some((customer, _)) = &hold.counted else {
                continue;
            };
            let own = self.holds.range((shard, 0)..=(shard, u64::MAX));
            // While units move, they are held at both places.
            let moves = |held: &Held| {
                let (other, is_other) = (&held.record, held.record.attempt != hold.attempt);
                is_other && other.id == hold.id && other.sku == hold.sku && other.open() > 0
            };
            if hold.phase == HoldPhase::Tentative && own.clone().any(|(_, held)| moves(held)) {
                continue;
            }
            let counted = own.filter(|(_, held)| {
                let is_meant = |(name, at): &(Text, Timestamp)| {
                    name == customer && event.at < at.after(LIMIT_WINDOW)
                };
                let record = &held.record;
                !held.is_gone
                    && record.sku == hold.sku
                    && record.counted.as_ref().is_some_and(is_meant)
            });
            let units: u32 = counted
                .map(|(_, held)| &held.record)
                .map(|record| record.units - record.totals[1] - record.totals[2] - record.after[0])
                .sum();
            if LIMIT_UNITS < units {
                return Err(format!("{customer} has {units} units of {}", hold.sku));
            }
        }
        Ok(())
    }

    /// Never more is promised of a level than ever came in.
    fn check_promised(&self, id: ReservationId) -> Result<(), Fault> {
        let told = self.homes.get(&id).expect("the caller has it");
        for line in &told.record.lines {
            let level = (line.sku.clone(), line.location.clone());
            if self.forced.contains(&line.sku) {
                continue;
            }
            let supply = self.supply(&level);
            let promised = self.promised.get(&level).copied().unwrap_or_default();
            if supply < promised {
                return Err(format!(
                    "oversold: {promised} units of {} at {} are open or confirmed, {supply} came in",
                    line.sku, line.location
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn supply(&self, level: &Level) -> i64 {
        let counters = self.levels.get(level).cloned().unwrap_or_default();
        counters.get(Counter::Received) + counters.get(Counter::Adjusted)
    }

    /// A caller was told that this can never be confirmed.
    pub(crate) fn refused_for_good(&mut self, id: ReservationId) {
        self.finals.insert(id);
    }

    /// The reservation of an order, if one was made.
    pub(crate) fn of_order(&self, order: &Text) -> Option<ReservationId> {
        self.orders.get(order).copied()
    }
}

/// Whether every part has settled the end.
pub(crate) fn is_settled(record: &HomeRecord) -> bool {
    let is_spread = record.lines.iter().any(|line| line.foreign);
    !is_spread || record.extra.as_ref().is_some_and(|extra| extra.settled)
}

/// What the home says of each of its holds on other shards: hold, units, totals.
pub(crate) fn decided(record: &HomeRecord) -> Vec<(Sku, u64, u32, [u32; 3])> {
    let late = late_holds(record);
    let mut all = Vec::new();
    for (at, line) in record.lines.iter().enumerate().filter(|(_, l)| l.foreign) {
        let anew = late.iter().filter(|late| late.line as usize == at);
        let again: u32 = anew.clone().map(|late| late.units).sum();
        let [confirmed, released, expired] = line.totals;
        let first = [confirmed - again, released, expired + again];
        all.push((line.sku.clone(), line.hold, line.units, first));
        all.extend(anew.map(|late| (line.sku.clone(), late.hold, late.units, [late.units, 0, 0])));
    }
    all
}

/// Whether a hold is one that its own shard's reservation made.
pub(crate) fn is_local(hold: &HoldRecord) -> bool {
    hold.phase == HoldPhase::Local
}

/// Units that a late confirm took again on other shards.
pub(crate) fn late_holds(record: &HomeRecord) -> &[LateHold] {
    let extra = record.extra.as_ref();
    extra.map_or(&[], |extra| &extra.late_holds)
}
