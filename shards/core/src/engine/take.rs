//! Taking: which locations serve the lines of a reserve, and what is short.

use super::Engine;
use super::homes::{Home, HomeRef};
use super::skus::{Level, LocationIndex, SkuEntry, SkuIndex};
use super::source::{Ask, Cuts, Lines, Miss, Resolved, Sourced, Take};
use crate::command::Mode;
use crate::refusal::{Refusal, ShortLine, StockThen};
use crate::snapshot::{Shortage, ShortageReason};
use crate::stock::{Counter, Sourcing};
use crate::time::Timestamp;
use crate::units::UNITS_MAX;
use smallvec::SmallVec;

/// Free units per location of one SKU while its lines take from them.
type Shelf = SmallVec<[(LocationIndex, i64); 2]>;

/// The lines of one SKU on their way.
struct Taking<'e> {
    sku: SkuIndex,
    entry: &'e SkuEntry,
    shelf: Shelf,
    /// Units left of the customer's limit.
    left: u64,
    /// Whether that was less than asked for and not more than what was there.
    is_limited: bool,
    /// Whether nothing more is to be taken: more is asked for than any hold can count.
    is_refused: bool,
    takes: SmallVec<[Take; 1]>,
    short: Vec<ShortLine>,
}

impl Engine {
    pub(super) fn take(
        &self,
        ask: &Ask<'_>,
        lines: &Lines<'_>,
        cuts: Cuts,
        read: u64,
    ) -> Result<Sourced, Miss> {
        let mut sourced = Sourced {
            takes: SmallVec::new(),
            shortages: Vec::new(),
        };
        let mut short: Vec<ShortLine> = Vec::new();
        let mut is_limited = false;
        let together = self.place_for_cart(ask, lines, &cuts);
        for (at, first) in lines.iter().enumerate() {
            if lines[..at].iter().any(|line| line.sku == first.sku) {
                continue;
            }
            let same = || lines.iter().filter(|line| line.sku == first.sku);
            let mut taking = self.begin_sku(ask, first.sku, &cuts, same);
            if !taking.is_refused {
                self.take_unnamed(
                    same().filter(|line| line.cut.is_none()),
                    together,
                    &mut taking,
                );
            }
            if !taking.short.is_empty()
                && let Some(lapsed) = self.lapsed_at(taking.entry, &taking.short, ask.now)
            {
                return Err(Miss::Lapsed(lapsed));
            }
            if ask.mode == Mode::BestEffort {
                sourced.shortages.extend(taking.shortage(same()));
            }
            is_limited |= taking.is_limited;
            sourced.takes.extend(taking.takes);
            short.extend(taking.short);
        }
        let is_refused = match ask.mode {
            Mode::AllOrNothing => !short.is_empty(),
            Mode::BestEffort => sourced.takes.is_empty(),
        };
        if is_refused {
            let over = is_limited.then_some(Refusal::CustomerLimit(cuts.over));
            let refusal = cuts.sale.or(over);
            let refusal = refusal.unwrap_or(Refusal::InsufficientStock(short));
            return Err(Miss::Refused(refusal, read));
        }
        sourced.takes.sort_by_key(|take| take.line);
        Ok(sourced)
    }

    /// Serves what names a location.
    fn begin_sku<'a, I: Iterator<Item = &'a Resolved<'a>>>(
        &self,
        ask: &Ask<'_>,
        sku: SkuIndex,
        cuts: &Cuts,
        same: impl Fn() -> I,
    ) -> Taking<'_> {
        let entry = self.skus.get(sku);
        let left = cuts.left.iter().find(|(other, _)| *other == sku);
        let mut taking = Taking {
            sku,
            entry,
            shelf: Self::shelf(sku, entry, ask.replaced),
            left: left.map_or(u64::MAX, |(_, left)| *left),
            is_limited: false,
            is_refused: false,
            takes: SmallVec::new(),
            short: Vec::new(),
        };
        // A sale is paused or closed for all lines of a SKU, a location for those that name it.
        let same = || same().filter(|line| line.cut.is_none());
        if same().next().is_some() {
            if let Some(over) = Self::check_sum(entry, same()) {
                taking.short.push(over);
                taking.left = taking.left.min(u64::from(UNITS_MAX));
                if ask.mode == Mode::AllOrNothing {
                    taking.is_refused = true;
                    return taking;
                }
            }
            self.take_named(same(), &mut taking);
        }
        taking
    }

    /// The location that serves every unnamed line of the SKUs that want one for the whole cart: the
    /// first, in the order of the first of these lines, that has enough for all of them.
    fn place_for_cart(
        &self,
        ask: &Ask<'_>,
        lines: &Lines<'_>,
        cuts: &Cuts,
    ) -> Option<LocationIndex> {
        let wants = |line: &&Resolved<'_>| {
            let config = &self.skus.get(line.sku).config;
            line.location.is_none() && line.cut.is_none() && config.sourcing == Sourcing::WholeCart
        };
        if lines.len() < 2 || lines.iter().filter(wants).nth(1).is_none() {
            return None;
        }
        let mut wanted: Vec<(Taking<'_>, SmallVec<[usize; 4]>, i64)> = Vec::new();
        for line in lines.iter().filter(wants) {
            if wanted.iter().any(|(taking, ..)| taking.sku == line.sku) {
                continue;
            }
            let same = || lines.iter().filter(|other| other.sku == line.sku);
            let mut taking = self.begin_sku(ask, line.sku, cuts, same);
            let order = self.selling_order(taking.entry, &taking.shelf);
            let free = order.iter().map(|at| taking.shelf[*at].1.max(0)).sum();
            let asked = same().filter(wants).map(|line| line.line.units.get());
            let asked = asked.fold(0, u32::saturating_add);
            let (units, _) = taking.granted(asked, free);
            if units > 0 {
                wanted.push((taking, order, i64::from(units)));
            }
        }
        let (first, order, _) = wanted.first()?;
        let mut places = order.iter().map(|at| first.shelf[*at].0);
        places.find(|place| {
            wanted.iter().all(|(taking, order, units)| {
                let here = order.iter().map(|at| taking.shelf[*at]);
                here.into_iter()
                    .any(|(other, free)| other == *place && *units <= free)
            })
        })
    }

    /// A hold counts at most [`UNITS_MAX`] units; more than that can't be had at once.
    fn check_sum<'a>(
        entry: &SkuEntry,
        lines: impl Iterator<Item = &'a Resolved<'a>>,
    ) -> Option<ShortLine> {
        let requested: u64 = lines.map(|line| u64::from(line.line.units.get())).sum();
        let available = entry
            .levels
            .iter()
            .map(|level| level.counters.available() as u64)
            .sum();
        (u64::from(UNITS_MAX) < requested).then(|| ShortLine {
            sku: entry.sku.clone(),
            location: None,
            requested,
            available,
            undecided: 0,
            stock: Some(StockThen::of(entry.levels.iter().map(reader))),
        })
    }

    /// Free units per location, those of a replaced reservation included.
    fn shelf(sku: SkuIndex, entry: &SkuEntry, replaced: Option<&Home>) -> Shelf {
        let credit = |location: LocationIndex| -> i64 {
            let lines = replaced.into_iter().flat_map(|home| home.lines.iter());
            let here =
                lines.filter(|line| !line.foreign && (line.sku, line.location) == (sku, location));
            here.map(|line| i64::from(line.open())).sum()
        };
        let free = |level: &Level| {
            (
                level.location,
                level.counters.free() + credit(level.location),
            )
        };
        entry.levels.iter().map(free).collect()
    }

    /// Named locations are served first; lines naming the same one are summed.
    fn take_named<'a>(
        &self,
        lines: impl Iterator<Item = &'a Resolved<'a>>,
        taking: &mut Taking<'_>,
    ) {
        let mut asks: SmallVec<[(LocationIndex, u32, usize); 2]> = SmallVec::new();
        for line in lines {
            let Some(location) = line.location else {
                continue;
            };
            let units = line.line.units.get();
            match asks.iter_mut().find(|(other, ..)| *other == location) {
                Some((_, asked, _)) => *asked = asked.saturating_add(units),
                None => asks.push((location, units, line.at)),
            }
        }
        for (location, asked, line) in asks {
            let place = taking
                .shelf
                .iter()
                .position(|(other, _)| *other == location);
            let place = place.expect("resolved locations are on the shelf");
            let free = taking.shelf[place].1.max(0);
            let (units, is_short) = taking.granted(asked, free);
            if is_short {
                let level = taking.entry.level(location);
                taking.short.push(ShortLine {
                    sku: taking.entry.sku.clone(),
                    location: Some(self.skus.location(location).clone()),
                    requested: u64::from(asked),
                    available: free as u64,
                    undecided: level.map_or(0, |level| u64::from(level.undecided)),
                    stock: Some(StockThen::of(level.map(reader))),
                });
            }
            taking.put(place, asked, units, line);
        }
    }

    /// What no line places: from one location where it is to come from one and one covers it whole,
    /// else from several.
    fn take_unnamed<'a>(
        &self,
        lines: impl Iterator<Item = &'a Resolved<'a>>,
        together: Option<LocationIndex>,
        taking: &mut Taking<'_>,
    ) {
        let mut asked = 0_u32;
        let mut first: Option<usize> = None;
        for line in lines.filter(|line| line.location.is_none()) {
            asked = asked.saturating_add(line.line.units.get());
            first = first.or(Some(line.at));
        }
        let Some(line) = first else { return };
        let mut order = self.selling_order(taking.entry, &taking.shelf);
        let free: i64 = order.iter().map(|at| taking.shelf[*at].1.max(0)).sum();
        let (units, is_short) = taking.granted(asked, free);
        if is_short {
            let levels = order
                .iter()
                .filter_map(|at| taking.entry.level(taking.shelf[*at].0));
            let stock = StockThen::of(levels.clone().map(reader));
            let undecided = levels.map(|level| u64::from(level.undecided)).sum();
            taking.short.push(ShortLine {
                sku: taking.entry.sku.clone(),
                location: None,
                requested: u64::from(asked),
                available: free as u64,
                undecided,
                stock: Some(stock),
            });
        }
        if let Some(at) = taking.whole(&mut order, together, i64::from(units)) {
            taking.put(at, asked, units, line);
            return;
        }
        let mut wanted = i64::from(units);
        for at in order {
            let here = wanted.min(taking.shelf[at].1.max(0));
            wanted -= here;
            // Split lines at locations the service chose have `requested` = `qty`.
            taking.put(at, here as u32, here as u32, line);
        }
    }

    /// Places on the shelf in the order in which unnamed lines take from them; closed ones don't sell.
    fn selling_order(&self, entry: &SkuEntry, shelf: &Shelf) -> SmallVec<[usize; 4]> {
        let sells = |at: &usize| self.skus.is_selling(shelf[*at].0);
        if entry.config.location_order.is_empty() {
            return (0..shelf.len()).filter(sells).collect();
        }
        let place = |name| {
            let location = self.skus.find_location(name)?;
            shelf.iter().position(|(other, _)| *other == location)
        };
        let order = entry.config.location_order.iter();
        order.filter_map(place).filter(sells).collect()
    }

    /// The earliest lapsed reservation that holds units where they are short.
    fn lapsed_at(&self, entry: &SkuEntry, short: &[ShortLine], now: Timestamp) -> Option<HomeRef> {
        let order = &entry.config.location_order;
        let is_wanted = |level: &&Level| {
            let name = self.skus.location(level.location);
            short.iter().any(|line| match &line.location {
                Some(location) => location == name,
                None => {
                    self.skus.is_selling(level.location)
                        && (order.is_empty() || order.contains(name))
                }
            })
        };
        let fronts = entry
            .levels
            .iter()
            .filter(is_wanted)
            .filter_map(|level| level.lapses.first());
        let (_, number) = fronts.filter(|(deadline, _)| *deadline <= now).min()?;
        Some(
            self.holds
                .get(number)
                .expect("lapses name stored holds")
                .home,
        )
    }
}

impl Taking<'_> {
    /// What is granted of what is asked for, and whether stock alone keeps it from more.
    fn granted(&mut self, asked: u32, free: i64) -> (u32, bool) {
        let (wanted, free) = (u64::from(asked), free as u64);
        let units = wanted.min(free).min(self.left);
        let is_short = free < wanted && free < self.left;
        self.is_limited |= units < wanted && !is_short;
        self.left -= units;
        (units as u32, is_short)
    }

    /// The place that unnamed lines get all their units from, if the SKU's way of sourcing finds one.
    /// Brings the places into the order in which several give.
    fn whole(
        &self,
        order: &mut SmallVec<[usize; 4]>,
        together: Option<LocationIndex>,
        units: i64,
    ) -> Option<usize> {
        let shelf = &self.shelf;
        let covers = |at: &usize| units <= shelf[*at].1;
        let is_meant = |at: &usize| Some(shelf[*at].0) == together && covers(at);
        let mut places = order.iter().copied();
        match self.entry.config.sourcing {
            Sourcing::WholeLine => return places.find(covers),
            Sourcing::WholeCart => {
                let meant = places.clone().find(is_meant);
                return meant.or_else(|| places.find(covers));
            }
            Sourcing::Priority => {}
            Sourcing::MostAvailable => order.sort_by_key(|at| std::cmp::Reverse(shelf[*at].1)),
        }
        let mut places = order.iter().copied();
        places.find(|at| shelf[*at].1 > 0).filter(covers)
    }

    /// Takes units at a place of the shelf; those of one location are one hold.
    fn put(&mut self, place: usize, requested: u32, units: u32, line: usize) {
        if units == 0 {
            return;
        }
        let (location, free) = &mut self.shelf[place];
        *free -= i64::from(units);
        match self
            .takes
            .iter_mut()
            .find(|take| take.location == *location)
        {
            Some(take) => {
                take.requested = take.requested.saturating_add(requested);
                take.units += units;
            }
            None => self.takes.push(Take {
                sku: self.sku,
                location: *location,
                requested,
                units,
                line,
            }),
        }
    }

    /// The SKU's lines as one shortage, if they were not granted whole.
    fn shortage<'a>(&self, lines: impl Iterator<Item = &'a Resolved<'a>>) -> Option<Shortage> {
        let (mut requested, mut cut) = (0_u32, None);
        for line in lines {
            requested = requested.saturating_add(line.line.units.get());
            // The first class of refusal says why.
            let is_closed = line.cut == Some(ShortageReason::LocationClosed);
            cut = if is_closed {
                line.cut
            } else {
                cut.or(line.cut)
            };
        }
        let granted = self.takes.iter().map(|take| take.units).sum();
        let by_what = if self.short.is_empty() {
            ShortageReason::CustomerLimit
        } else {
            ShortageReason::InsufficientStock
        };
        (granted < requested).then(|| Shortage {
            sku: self.entry.sku.clone(),
            requested,
            granted,
            reason: cut.unwrap_or(by_what),
        })
    }
}

/// What reads the counters of a location.
fn reader(level: &Level) -> impl Fn(Counter) -> i64 {
    move |counter| level.counters.get(counter)
}
