//! Setting units aside.

use super::{Model, Order, Outcome, What};
use holdfast_core::{
    Counter, KeyOutcome, Location, Mode, OverLimit, Refusal, Reserve, ShortLine, ShortageReason,
    Sku, Sourcing, StockThen, Text, Timestamp,
};
use std::collections::BTreeMap;

/// The lines of one SKU and location, or of one SKU and no location, summed.
pub(super) struct Ask {
    pub(super) sku: Sku,
    pub(super) location: Option<Location>,
    pub(super) units: u64,
}

/// What an ask got: units by location, and why not more.
pub(super) struct Got {
    pub(super) takes: Vec<(Location, u64)>,
    pub(super) shortage: Option<ShortageReason>,
}

/// Free units at a location.
#[derive(Clone, Copy)]
pub(super) struct Free {
    /// With lapsed holds that nobody has recorded still counted as reserved. Which places
    /// serve a line is decided by this: lapsed holds are met only where they are needed.
    pub(super) recorded: u64,
    /// With lapsed holds given back. Whether a line can be served is decided by this.
    pub(super) alive: u64,
}

pub(super) type Shelf = BTreeMap<(Sku, Location), Free>;

impl Model {
    pub(super) fn reserve(&mut self, command: &Reserve, now: Timestamp) -> Outcome {
        let asks = summed(command);
        let replaced = match self.check(command, &asks, now) {
            Ok(replaced) => replaced,
            Err(refusal) => return Outcome::refused(refusal),
        };
        let got = match self.grant(command, &asks, replaced.as_ref(), now) {
            Ok(got) => got,
            Err(refusal) => return Outcome::refused(refusal),
        };
        let kept = self
            .orders
            .values()
            .filter(|order| !order.forgotten)
            .count();
        if kept >= self.policy.reservations_max {
            return Outcome {
                what: What::Full("reservations"),
                recorded: None,
                is_noted: false,
            };
        }
        self.set_aside(command, &asks, &got, replaced, now);
        Outcome::reservation(command.id, KeyOutcome::Created)
    }

    /// Everything but limit and stock. Gives the reservation that is replaced, if one is.
    fn check(
        &self,
        command: &Reserve,
        asks: &[Ask],
        now: Timestamp,
    ) -> Result<Option<Order>, Refusal> {
        let named = command.replace.and_then(|id| self.orders.get(&id));
        let replaced = named.filter(|order| order.is_open(now));

        let requested = command.ttl.unwrap_or(self.policy.ttl_default);
        let mut max = self.policy.ttl_max;
        if let Some(order) = replaced {
            max = max.min(order.chain_start.after(self.policy.lifetime_max).since(now));
        }
        let min = self.policy.ttl_min;
        if requested < min || requested > max {
            return Err(Refusal::TtlLimit {
                min,
                max,
                requested,
            });
        }
        if let Some(order) = replaced {
            let same_order = order.order_ref.is_some() && order.order_ref == command.order_ref;
            if !same_order || order.customer != command.customer {
                return Err(Refusal::ReplaceMismatch(order.id));
            }
            if let Some(until) = order.pinned_until.filter(|until| now < *until) {
                return Err(Refusal::ReservationPinned {
                    id: order.id,
                    until,
                });
            }
        }

        let skus = distinct(asks);
        let is_unknown = |sku: &&Sku| !self.skus.contains_key(*sku);
        let unknown: Vec<Sku> = skus.iter().filter(is_unknown).cloned().collect();
        if !unknown.is_empty() {
            return Err(Refusal::UnknownSku(unknown));
        }
        let unknown: Vec<(Sku, Location)> = asks
            .iter()
            .filter_map(|ask| Some((ask.sku.clone(), ask.location.clone()?)))
            .filter(|(sku, location)| !self.skus[sku].levels.contains_key(location))
            .collect();
        if !unknown.is_empty() {
            return Err(Refusal::UnknownLocation(unknown));
        }
        let can_sell = |sku: &Sku| !self.skus[sku].config.paused && !self.is_closed(sku, now);
        let is_open = |ask: &Ask| !ask.location.as_ref().is_some_and(|at| self.has_shut(at));
        let all = command.mode == Mode::AllOrNothing;
        if all || !asks.iter().any(|ask| is_open(ask) && can_sell(&ask.sku)) {
            self.check_named(asks)?;
            self.check_sale(&skus, now)?;
        }
        self.check_customer(&skus, command.customer.as_ref())?;
        Ok(replaced.cloned())
    }

    /// Pauses and windows, which bind late confirms too.
    pub(super) fn check_sale(&self, skus: &[Sku], now: Timestamp) -> Result<(), Refusal> {
        let paused: Vec<Sku> = skus
            .iter()
            .filter(|sku| self.skus[*sku].config.paused)
            .cloned()
            .collect();
        if !paused.is_empty() {
            return Err(Refusal::SalePaused(paused));
        }
        let closed: Vec<_> = skus
            .iter()
            .filter(|sku| self.is_closed(sku, now))
            .map(|sku| (sku.clone(), &self.skus[sku].config))
            .map(|(sku, config)| (sku, config.opens_at, config.closes_at))
            .collect();
        if !closed.is_empty() {
            return Err(Refusal::SaleClosed(closed));
        }
        Ok(())
    }

    fn is_closed(&self, sku: &Sku, now: Timestamp) -> bool {
        let config = &self.skus[sku].config;
        config.opens_at.is_some_and(|opens| now < opens)
            || config.closes_at.is_some_and(|closes| closes <= now)
    }

    fn check_customer(&self, skus: &[Sku], customer: Option<&Text>) -> Result<(), Refusal> {
        let is_limited = |sku: &&Sku| self.skus[*sku].config.customer_limit.is_some();
        let limited: Vec<Sku> = skus.iter().filter(is_limited).cloned().collect();
        if customer.is_none() && !limited.is_empty() {
            return Err(Refusal::CustomerRequired(limited));
        }
        Ok(())
    }

    /// Who gets what from where, in the order of the asks; or the refusal.
    fn grant(
        &self,
        command: &Reserve,
        asks: &[Ask],
        replaced: Option<&Order>,
        now: Timestamp,
    ) -> Result<Vec<Got>, Refusal> {
        let all = command.mode == Mode::AllOrNothing;
        let over = self.over_limit(command, asks, replaced, now);
        if all && !over.is_empty() {
            return Err(Refusal::CustomerLimit(over));
        }

        let mut got: Vec<Option<Got>> = asks.iter().map(|_| None).collect();
        let mut short = Vec::new();
        let mut left: BTreeMap<Sku, u64> = self.limits_left(command, asks, replaced, now);
        let mut shelf = Shelf::new();
        for sku in distinct(asks) {
            for location in self.skus[&sku].levels.keys() {
                let free = self.free_for(&sku, location, replaced, now);
                shelf.insert((sku.clone(), location.clone()), free);
            }
        }
        // Named locations are served first.
        let named = (0..asks.len()).filter(|at| asks[*at].location.is_some());
        let unnamed = (0..asks.len()).filter(|at| asks[*at].location.is_none());
        let mut cart = None;
        for at in named.chain(unnamed) {
            let ask = &asks[at];
            if ask.location.is_none() && cart.is_none() {
                cart = Some(self.for_cart(asks, &left, &shelf, all, now));
            }
            let places = match &ask.location {
                Some(location) => vec![location.clone()],
                None => self.selling_order(&ask.sku),
            };
            let at_place = |place: &Location| shelf[&(ask.sku.clone(), place.clone())].alive;
            let here: u64 = places.iter().map(at_place).sum();
            if here < ask.units {
                short.push((at, here));
            }
            let limit = if all { u64::MAX } else { left[&ask.sku] };
            let (units, shortage) = self.granted(ask, here, limit, all, now);
            if let Some(left) = left.get_mut(&ask.sku) {
                *left = left.saturating_sub(units);
            }
            let place = cart.as_ref().and_then(Option::as_ref);
            let takes = self.spread((ask, units), place, &mut shelf);
            got[at] = Some(Got { takes, shortage });
        }

        let got: Vec<Got> = got
            .into_iter()
            .map(|got| got.expect("every ask was served"))
            .collect();
        let nothing = got.iter().all(|got| got.takes.is_empty());
        if (all && !short.is_empty()) || nothing {
            return Err(self.nothing(asks, &got, short, over, now));
        }
        Ok(got)
    }

    /// The place for all that is to come from one, once named locations were served.
    fn for_cart(
        &self,
        asks: &[Ask],
        left: &BTreeMap<Sku, u64>,
        shelf: &Shelf,
        all: bool,
        now: Timestamp,
    ) -> Option<Location> {
        let is_such = |ask: &&Ask| {
            let sourcing = self.skus[&ask.sku].config.sourcing;
            ask.location.is_none() && sourcing == Sourcing::WholeCart
        };
        let wants = asks.iter().filter(is_such).map(|ask| {
            let places = self.selling_order(&ask.sku).into_iter();
            let here = places.map(|at| shelf[&(ask.sku.clone(), at)].alive).sum();
            let limit = if all { u64::MAX } else { left[&ask.sku] };
            let (units, _) = self.granted(ask, here, limit, all, now);
            (ask.sku.clone(), units)
        });
        let wants: Vec<(Sku, u64)> = wants.filter(|(_, units)| *units > 0).collect();
        self.place_for_all(&wants, shelf)
    }

    /// How much of an ask is granted, and the first reason why not more.
    fn granted(
        &self,
        ask: &Ask,
        here: u64,
        limit: u64,
        all: bool,
        now: Timestamp,
    ) -> (u64, Option<ShortageReason>) {
        if !all && ask.location.as_ref().is_some_and(|at| self.has_shut(at)) {
            return (0, Some(ShortageReason::LocationClosed));
        }
        if !all && self.skus[&ask.sku].config.paused {
            return (0, Some(ShortageReason::SalePaused));
        }
        if !all && self.is_closed(&ask.sku, now) {
            return (0, Some(ShortageReason::SaleClosed));
        }
        let units = ask.units.min(here).min(limit);
        let reason = if units == ask.units {
            None
        } else if limit <= here {
            Some(ShortageReason::CustomerLimit)
        } else {
            Some(ShortageReason::InsufficientStock)
        };
        (units, reason)
    }

    /// Nothing was granted: the first class of refusal among the shortages.
    fn nothing(
        &self,
        asks: &[Ask],
        got: &[Got],
        mut short: Vec<(usize, u64)>,
        over: Vec<OverLimit>,
        now: Timestamp,
    ) -> Refusal {
        let skus = distinct(asks);
        if got.iter().all(|got| got.shortage.is_none()) || over.is_empty() {
            short.sort_unstable();
        }
        let is_short = |reason| got.iter().any(|got| got.shortage == Some(reason));
        if is_short(ShortageReason::LocationClosed) {
            return self.check_named(asks).expect_err("a location is closed");
        }
        if is_short(ShortageReason::SalePaused) || is_short(ShortageReason::SaleClosed) {
            return self
                .check_sale(&skus, now)
                .expect_err("a sale is paused or closed");
        }
        if is_short(ShortageReason::CustomerLimit) {
            return Refusal::CustomerLimit(over);
        }
        let lines = short.into_iter().map(|(at, available)| ShortLine {
            sku: asks[at].sku.clone(),
            location: asks[at].location.clone(),
            requested: asks[at].units,
            available,
            undecided: 0,
            stock: Some(self.stock_then(&asks[at], now)),
        });
        Refusal::InsufficientStock(lines.collect())
    }

    /// The counters behind a short line: lapsed holds have been given back by then.
    fn stock_then(&self, ask: &Ask, now: Timestamp) -> StockThen {
        let places = match &ask.location {
            Some(location) => vec![location.clone()],
            None => self.selling_order(&ask.sku),
        };
        let mut sum = StockThen::default();
        for place in &places {
            let level = &self.skus[&ask.sku].levels[place];
            sum.on_hand += level.get(Counter::OnHand);
            sum.safety_stock += level.get(Counter::SafetyStock);
            sum.reserved += self.reserved_alive(&ask.sku, place, now);
        }
        sum
    }

    fn over_limit(
        &self,
        command: &Reserve,
        asks: &[Ask],
        replaced: Option<&Order>,
        now: Timestamp,
    ) -> Vec<OverLimit> {
        let Some(customer) = &command.customer else {
            return Vec::new();
        };
        let instead_of = replaced.map(|order| order.id);
        let over = distinct(asks).into_iter().filter_map(|sku| {
            let requested = asks
                .iter()
                .filter(|ask| ask.sku == sku)
                .map(|ask| ask.units)
                .sum();
            self.tally(&sku, customer, instead_of, now)?
                .over(&sku, requested)
        });
        over.collect()
    }

    fn limits_left(
        &self,
        command: &Reserve,
        asks: &[Ask],
        replaced: Option<&Order>,
        now: Timestamp,
    ) -> BTreeMap<Sku, u64> {
        let instead_of = replaced.map(|order| order.id);
        let left = |sku: &Sku| {
            let customer = command.customer.as_ref()?;
            Some(self.tally(sku, customer, instead_of, now)?.left())
        };
        let skus = distinct(asks).into_iter();
        skus.map(|sku| (sku.clone(), left(&sku).unwrap_or(u64::MAX)))
            .collect()
    }

    /// What is available to this reserve, by what is recorded and by what the clock says:
    /// the units it replaces are its own.
    fn free_for(
        &self,
        sku: &Sku,
        location: &Location,
        replaced: Option<&Order>,
        now: Timestamp,
    ) -> Free {
        let own = replaced.map_or(0, |order| order.open_at(sku, location)) as i64;
        let units = |free: i64| (free + own).max(0) as u64;
        let recorded = units(self.free(sku, location));
        Free {
            recorded,
            alive: units(self.free_alive(sku, location, now)),
        }
    }

    /// Where a line that names no location is served from.
    pub(super) fn selling_order(&self, sku: &Sku) -> Vec<Location> {
        let shelf = &self.skus[sku];
        let order = &shelf.config.location_order;
        if !order.is_empty() {
            let known = |location: &&Location| shelf.levels.contains_key(*location);
            let known = order.iter().filter(known);
            return known.filter(|at| !self.has_shut(at)).cloned().collect();
        }
        let known = shelf.levels.keys();
        let mut order: Vec<Location> = known.filter(|at| !self.has_shut(at)).cloned().collect();
        order.sort_by_key(|location| *location != Location::main());
        order
    }
}

/// Lines on the same SKU and location, or on the same SKU and none, are one.
fn summed(command: &Reserve) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    for line in &command.lines {
        let units = u64::from(line.units.get());
        let same = |ask: &&mut Ask| ask.sku == line.sku && ask.location == line.location;
        match asks.iter_mut().find(same) {
            Some(ask) => ask.units += units,
            None => {
                asks.push(Ask {
                    sku: line.sku.clone(),
                    location: line.location.clone(),
                    units,
                });
            }
        }
    }
    asks
}

pub(super) fn distinct(asks: &[Ask]) -> Vec<Sku> {
    let mut skus: Vec<Sku> = Vec::new();
    for ask in asks {
        if !skus.contains(&ask.sku) {
            skus.push(ask.sku.clone());
        }
    }
    skus
}
