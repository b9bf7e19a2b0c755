//! Sourcing: which units cover the lines of a reserve, or why none do.
//!
//! The checks stand in the order in which refusals are given; each lists every line that
//! fails it. Best effort turns a closed location, a closed or paused sale, the limit and the
//! stock into shortages, nothing else.

use super::Engine;
use super::homes::{Home, HomeRef};
use super::skus::{LocationIndex, SkuIndex};
use crate::command::{Mode, ReserveLine};
use crate::name::Text;
use crate::refusal::{OverLimit, Refusal};
use crate::snapshot::{Shortage, ShortageReason};
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;

/// What is to be covered.
pub(super) struct Ask<'a> {
    pub(super) lines: SmallVec<[&'a ReserveLine; 1]>,
    pub(super) customer: Option<&'a Text>,
    pub(super) mode: Mode,
    /// A reservation whose units count as available, since it is released in the same step.
    pub(super) replaced: Option<&'a Home>,
    /// When a reservation was made that takes its units again. One that named no customer was made
    /// when it needed none, so no limit counts it.
    pub(super) late: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// Units taken of one SKU at one location.
pub(super) struct Take {
    pub(super) sku: SkuIndex,
    pub(super) location: LocationIndex,
    pub(super) requested: u32,
    pub(super) units: u32,
    /// The first line they cover, for the answer's order.
    pub(super) line: usize,
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
pub(super) struct Resolved<'a> {
    pub(super) sku: SkuIndex,
    pub(super) line: &'a ReserveLine,
    pub(super) at: usize,
    pub(super) location: Option<LocationIndex>,
    /// Why best effort grants none of it: its location is closed, or its sale paused or closed.
    pub(super) cut: Option<ShortageReason>,
}

pub(super) type Lines<'a> = SmallVec<[Resolved<'a>; 1]>;

/// What best effort turned into shortages, and would be refused for if nothing is granted.
#[derive(Default)]
pub(super) struct Cuts {
    /// Closed locations, or else paused sales, or else closed ones.
    pub(super) sale: Option<Refusal>,
    pub(super) over: Vec<OverLimit>,
    /// Units left of the customer's limit, where the lines ask for more.
    pub(super) left: SmallVec<[(SkuIndex, u64); 2]>,
}

impl Engine {
    pub(super) fn source(&self, ask: &Ask<'_>) -> Result<Sourced, Miss> {
        let mut lines = self.resolve(ask)?;
        let read = lines
            .iter()
            .map(|line| self.skus.get(line.sku).seq)
            .max()
            .unwrap_or(0);
        let mut cuts = Cuts::default();
        self.check_sale(ask, &mut lines, &mut cuts, read)?;
        self.check_limits(ask, &lines, &mut cuts, read)?;
        self.take(ask, &lines, cuts, read)
    }

    fn resolve<'a>(&self, ask: &Ask<'a>) -> Result<Lines<'a>, Miss> {
        let mut unknown = Vec::new();
        let mut lines = Lines::new();
        for (at, line) in ask.lines.iter().enumerate() {
            match self.skus.find_known(&line.sku) {
                Some((sku, _)) => {
                    let location = None;
                    lines.push(Resolved {
                        sku,
                        line,
                        at,
                        location,
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

    fn check_sale(
        &self,
        ask: &Ask<'_>,
        lines: &mut Lines<'_>,
        cuts: &mut Cuts,
        read: u64,
    ) -> Result<(), Miss> {
        let mut seen: SmallVec<[(SkuIndex, Option<LocationIndex>); 4]> = SmallVec::new();
        for line in lines.iter_mut() {
            let closed = self.closed_refusal(line);
            let place = closed.as_ref().and(line.location);
            let Some(refusal) = closed.or_else(|| self.sale_refusal(line.sku, ask.now)) else {
                continue;
            };
            line.cut = refusal.as_shortage();
            if !seen.contains(&(line.sku, place)) {
                seen.push((line.sku, place));
                cuts.sale = Some(match cuts.sale.take() {
                    Some(before) => before.join(refusal),
                    None => refusal,
                });
            }
        }
        let is_refused = match ask.mode {
            Mode::AllOrNothing => true,
            // Nothing is left to grant: the refusal says why.
            Mode::BestEffort => lines.iter().all(|line| line.cut.is_some()),
        };
        match cuts.sale.take_if(|_| is_refused) {
            Some(refusal) => Err(Miss::Refused(refusal, read)),
            None => Ok(()),
        }
    }

    /// Why a SKU does not sell now.
    pub(super) fn sale_refusal(&self, sku: SkuIndex, now: Timestamp) -> Option<Refusal> {
        let entry = self.skus.get(sku);
        let config = &entry.config;
        if config.is_on_sale(now) {
            return None;
        }
        let sku = entry.sku.clone();
        Some(if config.paused {
            Refusal::SalePaused(vec![sku])
        } else {
            Refusal::SaleClosed(vec![(sku, config.opens_at, config.closes_at)])
        })
    }

    fn check_limits(
        &self,
        ask: &Ask<'_>,
        lines: &Lines<'_>,
        cuts: &mut Cuts,
        read: u64,
    ) -> Result<(), Miss> {
        let mut limited: SmallVec<[SkuIndex; 4]> = SmallVec::new();
        for line in lines {
            let has_limit = self.skus.get(line.sku).config.customer_limit.is_some();
            if has_limit && !limited.contains(&line.sku) {
                limited.push(line.sku);
            }
        }
        if limited.is_empty() || (ask.late.is_some() && ask.customer.is_none()) {
            return Ok(());
        }
        let Some(customer) = ask.customer else {
            let names = limited
                .iter()
                .map(|sku| self.skus.get(*sku).sku.clone())
                .collect();
            return Err(Miss::Refused(Refusal::CustomerRequired(names), read));
        };
        for sku in limited {
            let mine = lines
                .iter()
                .filter(|line| line.sku == sku && line.cut.is_none());
            let requested: u64 = mine.map(|line| u64::from(line.line.units.get())).sum();
            let Some(excess) = self.over_limit(sku, customer, requested, ask) else {
                continue;
            };
            if let Some(lapsed) = self.lapsed_of(sku, customer, ask.now) {
                return Err(Miss::Lapsed(lapsed));
            }
            let left = u64::from(excess.limit).saturating_sub(excess.counted);
            cuts.left.push((sku, left));
            cuts.over.push(excess);
        }
        if ask.mode == Mode::AllOrNothing && !cuts.over.is_empty() {
            let over = std::mem::take(&mut cuts.over);
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
            let is_near = match ask.late {
                None => ask.now < at.after(limit.window),
                Some(made) => at < made.after(limit.window) && made < at.after(limit.window),
            };
            if is_near && units > 0 {
                counts.push((at, units));
            }
        }
        let counted = match ask.late {
            None => counts.iter().map(|(_, units)| units).sum(),
            Some(made) => most_within(limit.window, made, &counts),
        };
        if counted + requested <= u64::from(limit.units) {
            return None;
        }
        counts.sort_unstable();
        let mut left = counted;
        // No time frees what a reservation of the past would have too much.
        let mut leaving = counts.iter().filter(|_| ask.late.is_none());
        let frees_at = leaving.find_map(|(at, units)| {
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
                && hold.extra.as_ref().is_some_and(|extra| {
                    home.is_some_and(|home| Some(home.id(hold.home)) == extra.id)
                })
        });
        lapsed
            .min_by_key(|(number, hold, _)| (hold.deadline, *number))
            .map(|(_, hold, _)| hold.home)
    }
}

/// The most units that stand in one window together with a reservation made at `made`.
fn most_within(window: Millis, made: Timestamp, counts: &[(Timestamp, u64)]) -> u64 {
    let ends = counts.iter().map(|(at, _)| *at).filter(|at| made < *at);
    let units_at = |end: Timestamp| -> u64 {
        let within = counts
            .iter()
            .filter(|(at, _)| *at <= end && end < at.after(window));
        within.map(|(_, units)| units).sum()
    };
    ends.chain([made]).map(units_at).max().unwrap_or(0)
}
