//! The end of a run: all is well again, time goes on until nothing is left to do, and then every
//! unit, hold and answer must be accounted for.

use crate::account::{self, Fault};
use crate::world::World;
use holdfast_core::{Command, Counter, HoldPhase};
use holdfast_runtime::shard::{Outbox, Shard};
use std::collections::{BTreeMap, HashSet};

/// More rounds than any run needs.
const ROUNDS_MAX: usize = 3000;

impl World {
    /// Lets everything come to rest and checks what is left.
    pub(crate) fn rest(&mut self, deep: bool) -> Result<(), Fault> {
        self.heal();
        for node in self.down() {
            self.recover(node)?;
        }
        self.until_nothing_is_due(false)?;
        self.everything_fits()?;
        if deep {
            self.states_are_replayable()?;
        }
        let sent = self.sent;
        self.until_nothing_is_due(true)?;
        if self.sent != sent {
            return Err("carts were still talking after all had ended".to_owned());
        }
        self.nothing_is_left()
    }

    /// Delivers, commits and goes on until nobody has anything to do at this moment.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        for _ in 0..ROUNDS_MAX {
            while !self.net.is_empty() {
                self.deliver()?;
            }
            let mut is_busy = false;
            for node in 0..self.nodes.len() as u16 {
                let at = usize::from(node);
                let has_work = self.nodes[at].shard.as_ref().is_some_and(Shard::has_work);
                if has_work {
                    is_busy = true;
                    self.turn(node, || "goes on".into(), Shard::run)?;
                }
                let mut out = Outbox::default();
                if self.nodes[at].has_flight() || self.nodes[at].hand_over(&self.common, &mut out) {
                    is_busy = true;
                    self.post(node, out)?;
                    self.commit(node)?;
                }
            }
            self.collect()?;
            if !is_busy && self.net.is_empty() {
                return Ok(());
            }
        }
        Err("the shards never fall silent".to_owned())
    }

    fn until_nothing_is_due(&mut self, with_forgetting: bool) -> Result<(), Fault> {
        for _ in 0..ROUNDS_MAX {
            self.flush()?;
            let due = self.nodes.iter().filter_map(|node| {
                let (at, is_work) = node.due(&self.common)?;
                (is_work || with_forgetting).then_some(at.ms().saturating_sub(node.time()))
            });
            let Some(wait) = due.min() else { return Ok(()) };
            self.advance(wait.max(1));
            for node in 0..self.nodes.len() as u16 {
                self.tick(node)?;
            }
        }
        Err("something is due for ever".to_owned())
    }

    fn everything_fits(&self) -> Result<(), Fault> {
        if let Some((ask, _)) = self.clients.waiting.first() {
            return Err(format!("{ask} waits for ever"));
        }
        for view in self.clients.told.values() {
            self.is_on_disk(view)?;
        }
        self.carts_are_whole()?;
        self.units_add_up()?;
        self.answers_were_true()?;
        for node in &self.nodes {
            let engine = node.engine().expect("all are back");
            let fill = engine.fill();
            if fill.undecided != 0 || fill.foreign_holds != 0 {
                return Err(format!("shard {} still has {fill:?}", node.index));
            }
        }
        Ok(())
    }

    /// What a home says of its holds is what their shards did with them.
    fn carts_are_whole(&self) -> Result<(), Fault> {
        let mut named = HashSet::new();
        for (id, told) in &self.account.homes {
            let record = &told.record;
            if record.lines.iter().any(|line| line.open() > 0) {
                return Err(format!("{id} is still open"));
            }
            if !account::is_settled(record) {
                return Err(format!("{id} has ended and was never closed"));
            }
            for (sku, hold, units, totals) in account::decided(record) {
                let shard = self.common.placement.shard_of_sku(&sku);
                let held = self.account.holds.get(&(shard, hold));
                let held = held.ok_or_else(|| format!("{id} names hold {hold}, never made"))?;
                let there = &held.record;
                let fits = there.id == *id && there.units == units && there.totals == totals;
                let is_told = there.told == there.after[1];
                if !fits
                    || !is_told
                    || there.phase != HoldPhase::Bound
                    || !named.insert((shard, hold))
                {
                    return Err(format!(
                        "{id} has {units} units of {sku} as {totals:?}, its part {there:?}"
                    ));
                }
            }
        }
        for ((shard, number), held) in &self.account.holds {
            let is_named = named.contains(&(*shard, *number)) || account::is_local(&held.record);
            let is_dropped = held.is_gone && held.record.phase == HoldPhase::Tentative;
            if !is_named && !is_dropped {
                return Err(format!(
                    "hold {number} of shard {shard} belongs to no reservation: {:?}",
                    held.record
                ));
            }
        }
        Ok(())
    }

    /// Nothing is reserved, and what was sold is what was confirmed.
    fn units_add_up(&self) -> Result<(), Fault> {
        let mut confirmed: BTreeMap<account::Level, i64> = BTreeMap::new();
        for told in self.account.homes.values() {
            for line in &told.record.lines {
                let level = (line.sku.clone(), line.location.clone());
                *confirmed.entry(level).or_default() += i64::from(line.totals[0]);
            }
        }
        self.aftersale_adds_up(&mut confirmed)?;
        for (level, counters) in &self.account.levels {
            let sold = confirmed.get(level).copied().unwrap_or_default();
            let is_right = counters.get(Counter::Reserved) == 0
                && counters.get(Counter::Sold) == sold
                && counters.is_conserved()
                && (self.account.forced.contains(&level.0) || sold <= self.account.supply(level));
            if !is_right {
                return Err(format!("{level:?}: {sold} confirmed, but {counters:?}"));
            }
        }
        Ok(())
    }

    /// What was answered as not applied had no effect.
    fn answers_were_true(&self) -> Result<(), Fault> {
        for (at, ask) in self.clients.asks.iter().enumerate() {
            let Some(key) = ask.key.filter(|_| ask.is_without_effect) else {
                continue;
            };
            if self.account.keys.contains(&key.hash) {
                return Err(format!("{at} was told that nothing happened, and it did"));
            }
        }
        for ask in &self.clients.asks {
            let (Command::Reserve(reserve), Some(made)) = (&ask.command, ask.made) else {
                continue;
            };
            let order = reserve.order_ref.as_ref().expect("every reserve has one");
            if self.account.of_order(order) != Some(made) {
                return Err(format!(
                    "{order} was told {made}, the ledger says otherwise"
                ));
            }
        }
        Ok(())
    }

    /// INV-6: the state rebuilt from the disk is the live one.
    fn states_are_replayable(&self) -> Result<(), Fault> {
        for node in &self.nodes {
            let live = node.engine().expect("all are back");
            let rebuilt = node.replay(&self.common.policy);
            if live.all_chunks() != rebuilt.all_chunks() {
                return Err(format!(
                    "INV-6: shard {} is not what its disk says",
                    node.index
                ));
            }
        }
        Ok(())
    }

    /// After every retention only stock is left.
    fn nothing_is_left(&self) -> Result<(), Fault> {
        for node in &self.nodes {
            let engine = node.engine().expect("all are back");
            let fill = engine.fill();
            let kept = engine.kept_holds().count();
            if fill.reservations != 0 || fill.keys != 0 || kept != 0 {
                return Err(format!(
                    "shard {} never forgot {fill:?}, kept {kept}",
                    node.index
                ));
            }
        }
        Ok(())
    }
}
