//! Sourcing: which units cover the lines of a reserve, or why none do.
//!
//! The checks stand in the order in which refusals are given; each lists every line that
//! fails it. Best effort turns a closed or paused sale, the limit and the stock into
//! shortages, nothing else.

use super::Engine;
use super::homes::{Home, HomeRef};
use super::skus::{Level, LocationIndex, SkuEntry, SkuIndex};
use crate::command::{Mode, ReserveLine};
use crate::name::Text;
use crate::refusal::{OverLimit, Refusal, ShortLine};
use crate::snapshot::{Shortage, ShortageReason};
use crate::time::Timestamp;
use crate::units::UNITS_MAX;
use smallvec::SmallVec;

/// What is to be covered.
pub(super) struct Ask<'a> {
    pub(super) lines: SmallVec<[&'a ReserveLine; 1]>,
    pub(super) customer: Option<&'a Text>,
    pub(super) mode: Mode,
    /// A reservation whose units count as available, since it is released in the same step.
    pub(super) replaced: Option<&'a Home>,
    pub(super) now: Timestamp,
}

/// Units taken of one SKU at one location.
pub(super) struct Take {
    pub(super) sku: SkuIndex,
    pub(super) location: LocationIndex,
    pub(super) requested: u32,
    pub(super) units: u32,
    /// The first line they cover, for the answer's order.
    line: usize,
}

pub(super) struct Sourced {
    pub(super) takes: SmallVec<[Take; 1]>,
    pub(super) shortages: Vec<Shortage>,
}

pub(super) enum Miss {
    /// No, leaning on the state up to this sequence.
    Refused(Refusal, u64),
    /// A lapsed reservation stands in the way.
    Lapsed(HomeRef),
}

/// A line with its SKU looked up.
struct Resolved<'a> {
    sku: SkuIndex,
    line: &'a ReserveLine,
    at: usize,
    location: Option<LocationIndex>,
    /// Units still wanted; best effort may lower it.
    wanted: u32,
    cut: Option<ShortageReason>,
}

type Lines<'a> = SmallVec<[Resolved<'a>; 1]>;

/// Free units per location of one SKU while its lines take from them.
type Shelf = SmallVec<[(LocationIndex, i64); 2]>;

impl Engine {
    pub(super) fn source(&self, ask: &Ask<'_>) -> Result<Sourced, Miss> {
        if let Some(sourced) = self.source_plain(ask) {
            return Ok(sourced);
        }
        let mut lines = self.resolve(ask)?;
        let read = lines
            .iter()
            .map(|line| self.skus.get(line.sku).seq)
            .max()
            .unwrap_or(0);
        self.check_sale(ask, &mut lines, read)?;
        self.check_limits(ask, &mut lines, read)?;
        self.take(ask, &lines, read)
    }

    /// Most carts: one line, no limit, an open sale, and a first location that has enough. What
    /// is not so plain, or is to be refused, goes the long way.
    fn source_plain(&self, ask: &Ask<'_>) -> Option<Sourced> {
        let [line] = &ask.lines[..] else { return None };
        let (sku, entry) = self.skus.find_known(&line.sku)?;
        let config = &entry.config;
        let is_plain = line.location.is_none()
            && ask.replaced.is_none()
            && config.customer_limit.is_none()
            && config.location_order.is_empty()
            && self.sale_refusal(sku, ask.now).is_none();
        let level = entry.levels.first().filter(|_| is_plain)?;
        let units = line.units.get();
        if level.counters.free() < i64::from(units) {
            return None;
        }
        let mut takes = SmallVec::new();
        takes.push(Take {
            sku,
            location: level.location,
            requested: units,
            units,
            line: 0,
        });
        Some(Sourced {
            takes,
            shortages: Vec::new(),
        })
    }

    fn resolve<'a>(&self, ask: &Ask<'a>) -> Result<Lines<'a>, Miss> {
        let mut unknown = Vec::new();
        let mut lines = Lines::new();
        for (at, line) in ask.lines.iter().enumerate() {
            match self.skus.find_known(&line.sku) {
                Some((sku, _)) => {
                    let location = None;
                    let wanted = line.units.get();
                    lines.push(Resolved {
                        sku,
                        line,
                        at,
                        location,
                        wanted,
                        cut: None,
                    });
                }
                None if unknown.contains(&line.sku) => {}
                None => unknown.push(line.sku.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(Miss::Refused(Refusal::UnknownSku(unknown), self.seq));
        }
        let mut nowhere = Vec::new();
        for line in &mut lines {
            let Some(name) = &line.line.location else {
                continue;
            };
            let entry = self.skus.get(line.sku);
            line.location = self
                .skus
                .find_location(name)
                .filter(|at| entry.level(*at).is_some());
            if line.location.is_none() {
                nowhere.push((line.line.sku.clone(), name.clone()));
            }
        }
        if !nowhere.is_empty() {
            return Err(Miss::Refused(Refusal::UnknownLocation(nowhere), self.seq));
        }
        Ok(lines)
    }

    fn check_sale(&self, ask: &Ask<'_>, lines: &mut Lines<'_>, read: u64) -> Result<(), Miss> {
        let (mut paused, mut closed) = (Vec::new(), Vec::new());
        for line in lines.iter_mut() {
            let config = &self.skus.get(line.sku).config;
            let is_open = config.opens_at.is_none_or(|opens| opens <= ask.now)
                && config.closes_at.is_none_or(|closes| ask.now < closes);
            if is_open && !config.paused {
                continue;
            }
            let sku = line.line.sku.clone();
            let reason = if config.paused {
                if !paused.contains(&sku) {
                    paused.push(sku);
                }
                ShortageReason::SalePaused
            } else {
                let entry = (sku, config.opens_at, config.closes_at);
                if !closed.contains(&entry) {
                    closed.push(entry);
                }
                ShortageReason::SaleClosed
            };
            line.wanted = 0;
            line.cut = Some(reason);
        }
        let is_refused = match ask.mode {
            Mode::AllOrNothing => !paused.is_empty() || !closed.is_empty(),
            // Nothing is left to grant: the refusal says why.
            Mode::BestEffort => lines.iter().all(|line| line.wanted == 0),
        };
        if is_refused && !paused.is_empty() {
            return Err(Miss::Refused(Refusal::SalePaused(paused), read));
        }
        if is_refused {
            return Err(Miss::Refused(Refusal::SaleClosed(closed), read));
        }
        Ok(())
    }

    /// Why a SKU does not sell now, for a late reacquire.
    pub(super) fn sale_refusal(&self, sku: SkuIndex, now: Timestamp) -> Option<Refusal> {
        let entry = self.skus.get(sku);
        let config = &entry.config;
        if config.paused {
            return Some(Refusal::SalePaused(vec![entry.sku.clone()]));
        }
        let opens_later = config.opens_at.is_some_and(|opens| now < opens);
        let has_closed = config.closes_at.is_some_and(|closes| closes <= now);
        let window = (entry.sku.clone(), config.opens_at, config.closes_at);
        (opens_later || has_closed).then(|| Refusal::SaleClosed(vec![window]))
    }

    fn check_limits(&self, ask: &Ask<'_>, lines: &mut Lines<'_>, read: u64) -> Result<(), Miss> {
        let mut limited: SmallVec<[SkuIndex; 4]> = SmallVec::new();
        for line in lines.iter() {
            let has_limit = self.skus.get(line.sku).config.customer_limit.is_some();
            if has_limit && !limited.contains(&line.sku) {
                limited.push(line.sku);
            }
        }
        if limited.is_empty() {
            return Ok(());
        }
        let Some(customer) = ask.customer else {
            let names = limited
                .iter()
                .map(|sku| self.skus.get(*sku).sku.clone())
                .collect();
            return Err(Miss::Refused(Refusal::CustomerRequired(names), read));
        };
        let mut over = Vec::new();
        for sku in limited {
            let mine = |line: &&mut Resolved<'_>| line.sku == sku;
            let requested: u64 = lines
                .iter_mut()
                .filter(mine)
                .map(|line| u64::from(line.wanted))
                .sum();
            let Some(excess) = self.over_limit(sku, customer, requested, ask) else {
                continue;
            };
            if let Some(lapsed) = self.lapsed_of(sku, customer, ask.now) {
                return Err(Miss::Lapsed(lapsed));
            }
            let mut left = u64::from(excess.limit).saturating_sub(excess.counted);
            for line in lines.iter_mut().filter(mine) {
                let granted = left.min(u64::from(line.wanted));
                if granted < u64::from(line.wanted) {
                    line.cut = Some(ShortageReason::CustomerLimit);
                }
                line.wanted = granted as u32;
                left -= granted;
            }
            over.push(excess);
        }
        let is_refused = match ask.mode {
            Mode::AllOrNothing => !over.is_empty(),
            Mode::BestEffort => !over.is_empty() && lines.iter().all(|line| line.wanted == 0),
        };
        if is_refused {
            return Err(Miss::Refused(Refusal::CustomerLimit(over), read));
        }
        Ok(())
    }

    /// How far `requested` more units would take a customer over a SKU's limit.
    pub(super) fn over_limit(
        &self,
        sku: SkuIndex,
        customer: &Text,
        requested: u64,
        ask: &Ask<'_>,
    ) -> Option<OverLimit> {
        let entry = self.skus.get(sku);
        let limit = entry.config.customer_limit?;
        let mut counts: Vec<(Timestamp, u64)> = Vec::new();
        for (number, hold, at) in self.holds.counted_for(sku, customer) {
            let mut units = u64::from(hold.counts());
            let is_replaced = |home: &Home| home.lines.iter().any(|line| line.hold == number);
            if ask.replaced.is_some_and(is_replaced) {
                units -= u64::from(hold.open());
            }
            if ask.now < at.after(limit.window) && units > 0 {
                counts.push((at, units));
            }
        }
        let counted: u64 = counts.iter().map(|(_, units)| units).sum();
        if counted + requested <= u64::from(limit.units) {
            return None;
        }
        counts.sort_unstable();
        let mut left = counted;
        let frees_at = counts.iter().find_map(|(at, units)| {
            left -= units;
            (left + requested <= u64::from(limit.units)).then(|| at.after(limit.window))
        });
        let sku = entry.sku.clone();
        Some(OverLimit {
            sku,
            limit: limit.units,
            counted,
            requested,
            frees_at,
        })
    }

    /// A customer's own lapsed reservation that counts for a SKU's limit, earliest first.
    pub(super) fn lapsed_of(
        &self,
        sku: SkuIndex,
        customer: &Text,
        now: Timestamp,
    ) -> Option<HomeRef> {
        let counted = self.holds.counted_for(sku, customer);
        let lapsed = counted.filter(|(_, hold, _)| {
            let home = self.homes.at(hold.home).filter(|home| home.is_lapsed(now));
            hold.open() > 0
                && hold
                    .extra
                    .as_ref()
                    .is_some_and(|extra| home.is_some_and(|home| home.id(hold.home) == extra.id))
        });
        lapsed
            .min_by_key(|(number, hold, _)| (hold.deadline, *number))
            .map(|(_, hold, _)| hold.home)
    }

    fn take(&self, ask: &Ask<'_>, lines: &Lines<'_>, read: u64) -> Result<Sourced, Miss> {
        let mut sourced = Sourced {
            takes: SmallVec::new(),
            shortages: Vec::new(),
        };
        let mut short: Vec<ShortLine> = Vec::new();
        for (at, first) in lines.iter().enumerate() {
            if lines[..at].iter().any(|line| line.sku == first.sku) {
                continue;
            }
            let same = || lines.iter().filter(|line| line.sku == first.sku);
            let entry = self.skus.get(first.sku);
            let mut shelf = Self::shelf(first.sku, entry, ask.replaced);
            let missing_from = short.len();
            short.extend(self.check_sum(first.sku, same()));
            let taken_from = sourced.takes.len();
            self.take_named(same(), entry, &mut shelf, &mut sourced.takes, &mut short);
            self.take_unnamed(same(), entry, &mut shelf, &mut sourced.takes, &mut short);
            if short.len() > missing_from
                && let Some(lapsed) = self.lapsed_at(entry, &short[missing_from..], ask.now)
            {
                return Err(Miss::Lapsed(lapsed));
            }
            if ask.mode == Mode::BestEffort {
                let granted: u32 = sourced.takes[taken_from..]
                    .iter()
                    .map(|take| take.units)
                    .sum();
                let requested: u32 = same()
                    .map(|line| line.line.units.get())
                    .fold(0, u32::saturating_add);
                let cut = same().find_map(|line| line.cut);
                let reason = cut.filter(|_| short.len() == missing_from);
                let reason = reason.unwrap_or(ShortageReason::InsufficientStock);
                if granted < requested {
                    let sku = entry.sku.clone();
                    sourced.shortages.push(Shortage {
                        sku,
                        requested,
                        granted,
                        reason,
                    });
                }
            }
        }
        let is_refused = match ask.mode {
            Mode::AllOrNothing => !short.is_empty(),
            Mode::BestEffort => sourced.takes.is_empty(),
        };
        if is_refused {
            return Err(Miss::Refused(Refusal::InsufficientStock(short), read));
        }
        sourced.takes.sort_by_key(|take| take.line);
        Ok(sourced)
    }

    /// A hold counts at most [`UNITS_MAX`] units; more than that can't be had at once.
    fn check_sum<'a>(
        &self,
        sku: SkuIndex,
        lines: impl Iterator<Item = &'a Resolved<'a>>,
    ) -> Option<ShortLine> {
        let requested: u64 = lines.map(|line| u64::from(line.wanted)).sum();
        let entry = self.skus.get(sku);
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
        entry: &SkuEntry,
        shelf: &mut Shelf,
        takes: &mut SmallVec<[Take; 1]>,
        short: &mut Vec<ShortLine>,
    ) {
        let mut wants: SmallVec<[(LocationIndex, u32, usize); 2]> = SmallVec::new();
        let mut skus = None;
        for line in lines {
            let Some(location) = line.location else {
                continue;
            };
            skus = Some(line.sku);
            match wants.iter_mut().find(|(other, ..)| *other == location) {
                Some((_, wanted, _)) => *wanted = wanted.saturating_add(line.wanted),
                None => wants.push((location, line.wanted, line.at)),
            }
        }
        let Some(sku) = skus else { return };
        for (location, wanted, line) in wants {
            let place = shelf.iter_mut().find(|(other, _)| *other == location);
            let (_, free) = place.expect("resolved locations are on the shelf");
            let units = i64::from(wanted).min((*free).max(0)) as u32;
            if units < wanted {
                let undecided = entry
                    .level(location)
                    .map_or(0, |level| u64::from(level.undecided));
                short.push(ShortLine {
                    sku: entry.sku.clone(),
                    location: Some(self.skus.location(location).clone()),
                    requested: u64::from(wanted),
                    available: (*free).max(0) as u64,
                    undecided,
                });
            }
            *free -= i64::from(units);
            add_take(
                takes,
                Take {
                    sku,
                    location,
                    requested: wanted,
                    units,
                    line,
                },
            );
        }
    }

    /// What no line places: from the first location that covers it whole, else from several.
    fn take_unnamed<'a>(
        &self,
        lines: impl Iterator<Item = &'a Resolved<'a>>,
        entry: &SkuEntry,
        shelf: &mut Shelf,
        takes: &mut SmallVec<[Take; 1]>,
        short: &mut Vec<ShortLine>,
    ) {
        let mut wanted = 0_u32;
        let mut first: Option<&Resolved<'_>> = None;
        for line in lines.filter(|line| line.location.is_none()) {
            wanted = wanted.saturating_add(line.wanted);
            first = first.or(Some(line));
        }
        let Some(first) = first.filter(|_| wanted > 0) else {
            return;
        };
        let order = self.selling_order(entry, shelf);
        let covers = |at: &&usize| i64::from(wanted) <= shelf[**at].1;
        if let Some(at) = order.iter().find(covers) {
            shelf[*at].1 -= i64::from(wanted);
            let location = shelf[*at].0;
            let take = Take {
                sku: first.sku,
                location,
                requested: wanted,
                units: wanted,
                line: first.at,
            };
            add_take(takes, take);
            return;
        }
        let free: i64 = order.iter().map(|at| shelf[*at].1.max(0)).sum();
        let contributors = order.iter().filter(|at| shelf[**at].1 > 0).count();
        let mut left = i64::from(wanted);
        for at in &order {
            let units = left.min(shelf[*at].1.max(0));
            if units == 0 {
                continue;
            }
            shelf[*at].1 -= units;
            left -= units;
            let units = units as u32;
            let requested = if contributors == 1 { wanted } else { units };
            add_take(
                takes,
                Take {
                    sku: first.sku,
                    location: shelf[*at].0,
                    requested,
                    units,
                    line: first.at,
                },
            );
        }
        if left > 0 {
            let levels = order.iter().filter_map(|at| entry.level(shelf[*at].0));
            short.push(ShortLine {
                sku: entry.sku.clone(),
                location: None,
                requested: u64::from(wanted),
                available: free as u64,
                undecided: levels.map(|level| u64::from(level.undecided)).sum(),
            });
        }
    }

    /// Places on the shelf in the order in which unnamed lines take from them.
    fn selling_order(&self, entry: &SkuEntry, shelf: &Shelf) -> SmallVec<[usize; 4]> {
        if entry.config.location_order.is_empty() {
            return (0..shelf.len()).collect();
        }
        let place = |name| {
            let location = self.skus.find_location(name)?;
            shelf.iter().position(|(other, _)| *other == location)
        };
        entry
            .config
            .location_order
            .iter()
            .filter_map(place)
            .collect()
    }

    /// The earliest lapsed reservation that holds units where they are short.
    fn lapsed_at(&self, entry: &SkuEntry, short: &[ShortLine], now: Timestamp) -> Option<HomeRef> {
        let order = &entry.config.location_order;
        let is_wanted = |level: &&Level| {
            let name = self.skus.location(level.location);
            short.iter().any(|line| match &line.location {
                Some(location) => location == name,
                None => order.is_empty() || order.contains(name),
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

fn add_take(takes: &mut SmallVec<[Take; 1]>, take: Take) {
    if take.units == 0 {
        return;
    }
    let same = |other: &&mut Take| other.sku == take.sku && other.location == take.location;
    match takes.iter_mut().find(same) {
        Some(other) => {
            other.requested = other.requested.saturating_add(take.requested);
            other.units += take.units;
        }
        None => takes.push(take),
    }
}
