//! Reservations at their home, in slabs: one per opening of the ledger, indexed by the
//! counter in the id, so that a look-up hashes nothing and nothing ever moves.

use super::queue::Queue;
use super::skus::{LocationIndex, SkuIndex};
use super::slab::{Block, Slab};
use crate::event::HomeExtra;
use crate::id::{Opening, ReservationId};
use crate::name::Slot;
use crate::refusal::ExpiredReason;
use crate::snapshot::CHUNK_ENTRIES;
use crate::time::{Millis, Timestamp};
use crate::view::Status;
use std::collections::{BTreeMap, BTreeSet};

/// A reservation's place: opening and counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HomeRef(u64);

impl HomeRef {
    pub(super) fn of(id: ReservationId) -> Self {
        Self((u64::from(id.opening().number()) << 34) | id.counter())
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    const fn opening(self) -> u32 {
        (self.0 >> 34) as u32
    }

    const fn counter(self) -> u64 {
        self.0 & (ReservationId::COUNTER_COUNT - 1)
    }
}

#[derive(Default)]
pub(super) struct Homes {
    openings: BTreeMap<u32, Slab<Home>>,
    len: usize,
    pub(super) open: usize,
    /// Ended reservations of which nothing is left to do: never confirmed, or cancelled or shipped
    /// whole; by when they ended. An entry is stale once its reservation has ended anew, for a late
    /// confirm, or is gone.
    pub(super) ended: Queue<(Timestamp, HomeRef)>,
    /// Ended reservations with confirmed units that are still here, likewise.
    pub(super) ordered: Queue<(Timestamp, HomeRef)>,
    /// Deadlines of open reservations that have no hold on this shard.
    pub(super) lone: BTreeSet<(Timestamp, HomeRef)>,
    /// Reservations with lines on other shards whose end those have not all settled.
    pub(super) spread: BTreeSet<HomeRef>,
}

pub(super) struct Home {
    /// 44 bits of time, 12 of slot, 8 random: with the place, the whole id.
    stamp: u64,
    pub(super) expires_at: Timestamp,
    /// Sequence of the last event that touched it.
    pub(super) seq: u64,
    pub(super) text: TextRef,
    pub(super) version: u32,
    /// Milliseconds from creation to the end, plus one; 0 while it is open.
    ended: u32,
    pub(super) lines: Lines,
    pub(super) extra: Option<Box<HomeExtra>>,
}

/// Where order reference and customer lie in the texts of the block; length 0 is absent.
#[derive(Clone, Copy, Default)]
pub(super) struct TextRef {
    pub(super) at: u32,
    pub(super) order_len: u8,
    pub(super) customer_len: u8,
}

pub(super) enum Lines {
    /// One line that was granted whole.
    One(Line),
    Many(Box<Many>),
}

/// Several lines, or one that was granted in part.
pub(super) struct Many {
    lines: Box<[Line]>,
    /// Units asked for, per line.
    requested: Box<[u32]>,
}

pub(super) struct Line {
    pub(super) hold: u64,
    pub(super) sku: SkuIndex,
    pub(super) units: u32,
    /// Confirmed, released, expired.
    pub(super) totals: [u32; 3],
    pub(super) location: LocationIndex,
    pub(super) foreign: bool,
}

impl Line {
    pub(super) const fn open(&self) -> u32 {
        self.units - self.totals[0] - self.totals[1] - self.totals[2]
    }

    pub(super) const fn confirmed(&self) -> u32 {
        self.totals[0]
    }

    pub(super) const fn released(&self) -> u32 {
        self.totals[1]
    }

    pub(super) const fn expired(&self) -> u32 {
        self.totals[2]
    }
}

impl Lines {
    /// Lines with what was asked for of each.
    pub(super) fn new(mut lines: impl ExactSizeIterator<Item = (Line, u32)>) -> Self {
        if lines.len() > 1 {
            return Self::many(lines);
        }
        match lines.next() {
            Some((line, requested)) if line.units == requested => Self::One(line),
            other => Self::many(other.into_iter()),
        }
    }

    fn many(lines: impl Iterator<Item = (Line, u32)>) -> Self {
        let (lines, requested): (Vec<Line>, Vec<u32>) = lines.unzip();
        let (lines, requested) = (lines.into_boxed_slice(), requested.into_boxed_slice());
        Self::Many(Box::new(Many { lines, requested }))
    }

    /// Units asked for of a line, by its place.
    pub(super) fn requested(&self, at: usize) -> u32 {
        match self {
            Self::One(line) => line.units,
            Self::Many(many) => many.requested[at],
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Line> {
        self.as_slice().iter()
    }

    pub(super) fn as_slice(&self) -> &[Line] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(many) => &many.lines,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Line] {
        match self {
            Self::One(line) => std::slice::from_mut(line),
            Self::Many(many) => &mut many.lines,
        }
    }
}

impl Home {
    pub(super) fn new(id: ReservationId, lines: Lines, expires_at: Timestamp) -> Self {
        let stamp =
            (id.at().ms() << 20) | (u64::from(id.slot().index()) << 8) | u64::from(id.random());
        Self {
            stamp,
            expires_at,
            seq: 0,
            text: TextRef::default(),
            version: 1,
            ended: 0,
            lines,
            extra: None,
        }
    }

    pub(super) const fn created_at(&self) -> Timestamp {
        Timestamp::from_ms(self.stamp >> 20)
    }

    pub(super) fn id(&self, place: HomeRef) -> ReservationId {
        let slot = Slot::new(((self.stamp >> 8) & 0xfff) as u16).expect("12 bits are below 4,096");
        let opening = Opening::new(place.opening()).expect("it came from an id");
        ReservationId::mint(
            self.created_at(),
            slot,
            opening,
            place.counter(),
            self.stamp as u8,
        )
    }

    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        let after = Millis::new(u64::from(self.ended.checked_sub(1)?));
        Some(self.created_at().after(after))
    }

    pub(super) fn set_ended(&mut self, at: Option<Timestamp>) {
        self.ended = at.map_or(0, |at| {
            let after = at.since(self.created_at()).ms();
            u32::try_from(after)
                .unwrap_or(u32::MAX - 1)
                .saturating_add(1)
        });
    }

    pub(super) fn is_open(&self) -> bool {
        self.lines.iter().any(|line| line.open() > 0)
    }

    /// Whether its deadline has passed and nothing has recorded that yet.
    pub(super) fn is_lapsed(&self, now: Timestamp) -> bool {
        self.expires_at <= now && self.is_open()
    }

    pub(super) fn is_spread(&self) -> bool {
        self.lines.iter().any(|line| line.foreign)
    }

    pub(super) fn has_local_hold(&self) -> bool {
        self.lines
            .iter()
            .any(|line| !line.foreign && line.open() > 0)
    }

    pub(super) fn status(&self) -> Status {
        if self.is_open() {
            Status::Open
        } else if self.lines.iter().any(|line| line.confirmed() > 0) {
            Status::Confirmed
        } else if self.lines.iter().any(|line| line.expired() > 0) {
            Status::Expired
        } else {
            Status::Released
        }
    }

    pub(super) fn closed(&self) -> Option<ExpiredReason> {
        self.extra.as_ref()?.closed
    }

    pub(super) fn pinned_until(&self) -> Option<Timestamp> {
        self.extra.as_ref()?.pinned_until
    }

    /// Of a line's confirmed units, cancelled and shipped ones.
    pub(super) fn after(&self, line: usize) -> [u32; 2] {
        let extra = self.extra.as_ref();
        let after = extra.and_then(|extra| extra.after.get(line));
        after.copied().unwrap_or_default()
    }

    /// Confirmed units per line that were neither cancelled nor have left.
    pub(super) fn unshipped(&self) -> super::confirm::PerLine {
        let lines = self.lines.iter().enumerate();
        let left = lines.map(|(at, line)| {
            let [cancelled, shipped] = self.after(at);
            let gone = cancelled + shipped;
            line.confirmed()
                .checked_sub(gone)
                .expect("INV-5: no more came back and left than was confirmed")
        });
        left.collect()
    }

    /// Ended with sold units of which some are still here: kept longer than others.
    pub(super) fn is_order(&self) -> bool {
        let is_confirmed = self.status() == Status::Confirmed;
        is_confirmed && self.unshipped().iter().any(|units| *units > 0)
    }

    /// Ended with nothing sold, or nothing of it left to do.
    pub(super) fn is_done(&self) -> bool {
        !self.is_open() && !self.is_order()
    }

    /// Where its longest lifetime is counted from.
    pub(super) fn chain_start(&self) -> Timestamp {
        let first = self.extra.as_ref().and_then(|extra| extra.chain_start);
        first.unwrap_or_else(|| self.created_at())
    }
}

impl Homes {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: ReservationId) -> Option<&Home> {
        let place = HomeRef::of(id);
        // The place alone is not the id: time, slot and random bits must agree.
        self.at(place).filter(|home| home.id(place) == id)
    }

    pub(super) fn at(&self, place: HomeRef) -> Option<&Home> {
        self.openings.get(&place.opening())?.get(place.counter())
    }

    pub(super) fn at_mut(&mut self, place: HomeRef) -> Option<&mut Home> {
        self.openings
            .get_mut(&place.opening())?
            .get_mut(place.counter())
    }

    /// Order reference and customer.
    pub(super) fn texts(&self, place: HomeRef) -> (Option<&str>, Option<&str>) {
        let slab = self.openings.get(&place.opening());
        let found = slab.and_then(|slab| slab.get_with_text(place.counter()));
        found.map_or((None, None), |(home, text)| home.text.read(text))
    }

    /// Stores a reservation; true if its block was clean.
    pub(super) fn insert(
        &mut self,
        place: HomeRef,
        order_ref: Option<&str>,
        customer: Option<&str>,
        make: impl FnOnce(TextRef) -> Home,
    ) -> bool {
        let slab = self.openings.entry(place.opening()).or_default();
        self.len += 1;
        slab.insert(place.counter(), |text| {
            make(TextRef::write(order_ref, customer, text))
        })
    }

    pub(super) fn remove(&mut self, place: HomeRef) -> Option<Home> {
        let slab = self.openings.get_mut(&place.opening())?;
        let home = slab.remove(place.counter())?;
        if slab.len() == 0 {
            self.openings.remove(&place.opening());
        }
        self.len -= 1;
        Some(home)
    }

    /// Lists a reservation that has ended, to be forgotten in time.
    pub(super) fn list_ended(&mut self, place: HomeRef) {
        let Some(home) = self.at(place) else { return };
        let Some(at) = home.ended_at() else { return };
        if home.is_order() {
            self.ordered.push((at, place));
        } else {
            self.ended.push((at, place));
        }
        self.drop_stale();
    }

    /// Whether an entry of a queue still says when its reservation may be forgotten.
    pub(super) fn is_current(
        &self,
        (at, place): (Timestamp, HomeRef),
        belongs: fn(&Home) -> bool,
    ) -> bool {
        self.at(place).is_some_and(|home| {
            let is_settled = home.extra.as_ref().is_some_and(|extra| extra.settled);
            home.ended_at() == Some(at) && belongs(home) && (is_settled || !home.is_spread())
        })
    }

    /// Orders the queues by time, after the reservations came in another order.
    pub(super) fn sort_ended(&mut self) {
        self.ended.sort();
        self.ordered.sort();
        self.drop_stale();
    }

    /// Drops stale entries from the heads of the queues.
    pub(super) fn drop_stale(&mut self) {
        while self
            .ended
            .front()
            .is_some_and(|i| !self.is_current(i, Home::is_done))
        {
            self.ended.pop();
        }
        while self
            .ordered
            .front()
            .is_some_and(|i| !self.is_current(i, Home::is_order))
        {
            self.ordered.pop();
        }
    }

    pub(super) fn block(&self, opening: Opening, block: u32) -> Option<&Block<Home>> {
        self.openings
            .get(&opening.number())?
            .block(u64::from(block))
    }

    pub(super) fn mark_dirty(&mut self, place: HomeRef) -> bool {
        let slab = self.openings.get_mut(&place.opening());
        slab.is_none_or(|slab| slab.mark_dirty(place.counter()))
    }

    pub(super) fn mark_clean(&mut self, opening: Opening, block: u32) {
        if let Some(slab) = self.openings.get_mut(&opening.number()) {
            slab.mark_clean(u64::from(block));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (HomeRef, &Home)> {
        self.openings.iter().flat_map(|(opening, slab)| {
            let base = u64::from(*opening) << 34;
            slab.iter()
                .map(move |(counter, home, _)| (HomeRef(base | counter), home))
        })
    }

    /// The first place of a block.
    pub(super) fn place(opening: Opening, block: u32, at: usize) -> HomeRef {
        let counter = u64::from(block) * CHUNK_ENTRIES + at as u64;
        HomeRef((u64::from(opening.number()) << 34) | counter)
    }

    /// The block of a place.
    pub(super) fn block_of(place: HomeRef) -> (Opening, u32) {
        let opening = Opening::new(place.opening()).expect("it came from an id");
        (opening, (place.counter() / CHUNK_ENTRIES) as u32)
    }
}

impl TextRef {
    fn write(order_ref: Option<&str>, customer: Option<&str>, text: &mut Vec<u8>) -> Self {
        let (order, customer) = (order_ref.unwrap_or_default(), customer.unwrap_or_default());
        let at = u32::try_from(text.len()).expect("512 entries of 256 bytes fit");
        text.extend_from_slice(order.as_bytes());
        text.extend_from_slice(customer.as_bytes());
        Self {
            at,
            order_len: order.len() as u8,
            customer_len: customer.len() as u8,
        }
    }

    fn read(self, text: &[u8]) -> (Option<&str>, Option<&str>) {
        let from = self.at as usize;
        let middle = from + usize::from(self.order_len);
        let to = middle + usize::from(self.customer_len);
        let part = |bytes| {
            let text = std::str::from_utf8(bytes).expect("it was written from a str");
            (!text.is_empty()).then_some(text)
        };
        (part(&text[from..middle]), part(&text[middle..to]))
    }
}
