//! Movements of stock: what they all have in common.
//!
//! Facts are in `facts.rs`, counts in `count.rs`, decisions in `decisions.rs`, shipments of a sale
//! in `ship_sale.rs`, and what a source's stream says of a movement in `feed.rs`. Each fills a
//! sheet; here it becomes events and an answer.

use super::chain::Chain;
use super::feed::Standing;
use super::homes::HomeRef;
use super::sheet::Sheet;
use super::skus::SkuEntry;
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{Movement, MovementKind};
use crate::drift::{DriftKind, DriftRecord, DriftState, Proposal};
use crate::event::{Effect, Effects, EventKind, KeyTag, KeyTarget, Note, Versions};
use crate::id::ReservationId;
use crate::name::{Location, Sku};
use crate::refusal::Refusal;
use crate::stock::{Counter, Counters};
use crate::time::Timestamp;
use crate::view::Outcome as Came;

/// A movement to be decided, past what all have in common.
pub(super) struct Asked<'a> {
    pub(super) command: &'a Movement,
    pub(super) entry: &'a SkuEntry,
    pub(super) key: Option<&'a KeyTag>,
    pub(super) now: Timestamp,
    /// What its source's stream, and the counts taken here, say of it.
    pub(super) standing: Standing,
}

/// What a movement books.
pub(super) struct Booking<'a> {
    pub(super) kind: EventKind,
    pub(super) sheet: Sheet<'a>,
    /// What it changes beside counters.
    pub(super) effects: Effects,
    /// What did not fit.
    pub(super) rest: Option<Rest>,
}

/// What did not fit of a fact.
pub(super) struct Rest {
    pub(super) kind: DriftKind,
    /// Units that fitted.
    pub(super) fitted: i64,
    /// Units that were reported.
    pub(super) reported: i64,
    pub(super) proposal: Proposal,
}

impl Rest {
    /// A count was taken since, and has corrected for it: nothing is left to put right on the shelf,
    /// only to look at.
    fn was_counted(self) -> Self {
        let proposal = Proposal::Look;
        Self { proposal, ..self }
    }
}

impl<'a> Booking<'a> {
    pub(super) fn new(kind: EventKind, sheet: Sheet<'a>) -> Self {
        Self {
            kind,
            sheet,
            effects: Effects::new(),
            rest: None,
        }
    }
}

impl Engine {
    pub(super) fn decide_movement(
        &self,
        command: &Movement,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let Some((_, entry)) = self.skus.find_known(&command.sku) else {
            let refusal = Refusal::UnknownSku(vec![command.sku.clone()]);
            return Decision::refused(refusal, self.seq);
        };
        let standing = match self.screen(command, entry, key, now) {
            Ok(standing) => standing,
            Err(decision) => return *decision,
        };
        let actual = entry.versions.stock;
        if let Some(expected) = command.expected_version.filter(|seen| *seen != actual) {
            let refusal = Refusal::VersionChanged { expected, actual };
            return Decision::refused(refusal, entry.seq);
        }
        let asked = Asked {
            command,
            entry,
            key,
            now,
            standing,
        };
        if let Some(decision) = self.undeclared(&asked) {
            return decision;
        }
        match &command.kind {
            MovementKind::Opening(balance) => self.decide_opening(&asked, *balance),
            MovementKind::Receive(units) => self.decide_receive(&asked, *units),
            MovementKind::Ship { units, sale: None } => self.decide_ship(&asked, *units),
            MovementKind::Ship {
                units,
                sale: Some(sale),
            } => self.decide_ship_sale(&asked, *units, sale),
            MovementKind::Return { units, .. } => self.decide_return(&asked, *units),
            MovementKind::Damage { units, from } => self.decide_damage(&asked, *units, *from),
            MovementKind::Count(count) => self.decide_count(&asked, count),
            MovementKind::Restock(units) => self.decide_restock(&asked, *units),
            MovementKind::WriteOff { units, from, force } => {
                self.decide_write_off(&asked, *units, (*from, *force))
            }
            MovementKind::Adjust { delta, force } => self.decide_adjust(&asked, *delta, *force),
            MovementKind::Transfer { units, to, force } => {
                self.decide_transfer(&asked, *units, to, *force)
            }
        }
    }

    /// The refusal of a fact at a location that can't become known.
    pub(super) fn no_room_for(&self, location: &Location) -> Option<Decision> {
        let is_full = !self.skus.has_room_for(location);
        is_full.then(|| Decision::outcome(Outcome::Full("locations"), self.seq))
    }

    /// The events of a movement that fits, and the answer to it. Holds that have lapsed where units
    /// went away expire first.
    pub(super) fn record(&self, asked: &Asked<'_>, mut booking: Booking<'_>) -> Decision {
        let mut rest = booking.rest.take();
        if asked.standing.is_superseded {
            let seen = supersede(asked, &mut booking);
            rest = rest.map(Rest::was_counted).or(seen);
        }
        let sheet = booking.sheet;
        for page in sheet.pages().iter().filter(|page| page.is_below_reserved()) {
            if let Some(place) = self.lapsed_where(sheet.entry, &page.location, asked.now) {
                return self.again(place, asked.now);
            }
        }
        let before = sheet.entry.versions;
        let versions = Versions {
            all: before.all + 1,
            stock: before.stock + 1,
            ..before
        };
        let mut draft = self.draft(booking.kind, asked.now);
        sheet
            .effects(versions)
            .for_each(|effect| draft.effect(effect));
        booking
            .effects
            .into_iter()
            .for_each(|effect| draft.effect(effect));
        asked
            .standing
            .effects()
            .for_each(|effect| draft.effect(effect));
        let drift = rest.map(|rest| self.drift_of(asked, &sheet, &rest));
        if let Some(drift) = &drift {
            draft.effect(Effect::Drift(Box::new(drift.clone())));
        }
        let outcome = asked.standing.outcome(drift.is_some());
        let note = note_of(asked.command, drift.as_ref().map(|drift| drift.id));
        draft.note = Some(Box::new(note));
        let (id, sku) = (asked.command.id, asked.command.sku.clone());
        let target = KeyTarget::Movement(id, sku.clone());
        let event = draft.finish(asked.key.map(|tag| (tag, outcome.to_key(), target)));
        let mut decision = Decision::with(event, Outcome::Done(movement(id, sku, outcome)));
        let falls_short = sheet.pages().iter().any(super::sheet::Page::falls_short);
        if drift.is_some() || falls_short || asked.standing.reports() {
            let events = std::mem::take(&mut decision.events);
            let mut chain = Chain::after(self, sheet.entry, (events, versions), asked.now);
            if let Some(drift) = &drift {
                chain.drift(EventKind::DriftOpened, drift, Note::default());
            }
            for page in sheet.pages().iter().filter(|page| page.falls_short()) {
                let (kind, location) = (EventKind::StockShortfall, &page.location);
                let on_hand = page.after.get(Counter::OnHand);
                let note = Note {
                    shorted: self.shorted(&asked.command.sku, location, on_hand),
                    ..Note::default()
                };
                chain.push(kind, location, Effects::new(), note);
            }
            asked.standing.report(asked, &mut chain);
            decision.read += chain.events.len() as u64 - 1;
            decision.events = chain.events;
        }
        decision
    }

    fn drift_of(&self, asked: &Asked<'_>, sheet: &Sheet<'_>, rest: &Rest) -> DriftRecord {
        let command = asked.command;
        let mut pages = sheet.pages().iter();
        let page = pages.find(|page| page.location == command.location);
        DriftRecord {
            id: command.id,
            kind: rest.kind,
            sku: command.sku.clone(),
            location: command.location.clone(),
            expected: rest.fitted,
            found: rest.reported,
            proposal: rest.proposal,
            evidence: (self.seq, self.seq + 1),
            adjusted: page.map_or(0, |page| page.after.get(Counter::Adjusted)),
            reservation: command.kind.reservation(),
            source: command.note.source.clone(),
            document: command.note.document.clone(),
            opened_at: asked.now,
            state: DriftState::Open,
        }
    }

    /// The earliest lapsed reservation that holds units there.
    pub(super) fn lapsed_where(
        &self,
        entry: &SkuEntry,
        location: &Location,
        now: Timestamp,
    ) -> Option<HomeRef> {
        let level = entry.level(self.skus.find_location(location)?)?;
        let (deadline, number) = level.lapses.first()?;
        let hold = self.holds.get(number).expect("lapses name stored holds");
        (deadline <= now).then_some(hold.home)
    }

    pub(super) fn counters_at(&self, entry: &SkuEntry, location: &Location) -> Option<Counters> {
        let location = self.skus.find_location(location)?;
        Some(entry.level(location)?.counters.all())
    }
}

/// A count was taken after this happened, and has seen it: what it moved among the units counted is
/// taken out of `on_hand` again, as far as there is any.
fn supersede(asked: &Asked<'_>, booking: &mut Booking<'_>) -> Option<Rest> {
    let page = booking.sheet.page(&asked.command.location);
    let basis = asked.standing.basis;
    let flow = basis.of(&page.after) - basis.of(&page.before);
    let there = page.after.get(Counter::OnHand);
    let taken = flow.min(there);
    let location = page.location.clone();
    booking.sheet.add(&location, Counter::OnHand, -taken);
    booking.sheet.add(&location, Counter::Adjusted, -taken);
    (taken < flow).then_some(Rest {
        kind: DriftKind::CountedBelowZero,
        fitted: taken,
        reported: flow,
        proposal: Proposal::Look,
    })
}

/// What the record of a movement says about it.
pub(super) fn note_of(command: &Movement, drift: Option<ReservationId>) -> Note {
    Note {
        movement: Some(command.id),
        reservation: command.kind.reservation(),
        drift: drift.or(command.note.drift),
        feed: command.feed,
        message: command.message.clone(),
        ..command.note.clone()
    }
}

pub(super) const fn movement(id: ReservationId, sku: Sku, outcome: Came) -> Reply {
    Reply::Movement {
        id,
        sku,
        outcome,
        replayed: false,
    }
}
