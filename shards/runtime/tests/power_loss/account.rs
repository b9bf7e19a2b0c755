//! The account: what callers were told, kept from the answers alone, and held against what is
//! found after a loss.

use crate::clerk::misused;
use crate::follow::{follows, sku_follows};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::state::Fault;
use holdfast_core::{
    Answer, Command, Confirm, Engine, ExpiredReason, KeyTag, Late, MovementOutcome, Outcome,
    Refusal, Reply, Request, ReservationId, ReservationView, Sku, SkuView, Slot, Timestamp,
};
use holdfast_runtime::{Operation, Told, slot_of};
use std::collections::{BTreeMap, BTreeSet};

/// What callers were told.
#[derive(Clone, Default)]
pub(crate) struct Account {
    reservations: BTreeMap<ReservationId, Acknowledged>,
    keys: BTreeMap<[u64; 2], KeptKey>,
    skus: BTreeMap<Sku, SkuView>,
    /// When each key was first sent.
    sent: BTreeMap<[u64; 2], Timestamp>,
    /// Confirms that were refused for good.
    finals: BTreeSet<ReservationId>,
    pub(crate) answers: Answers,
}

/// Answers that were taken, by what they show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) all: u64,
    /// Carts over both shards.
    pub(crate) carts: u64,
    pub(crate) repeats: u64,
    pub(crate) lates: u64,
    /// Confirms refused for good.
    pub(crate) finals: u64,
    /// Strong reads.
    pub(crate) reads: u64,
    /// Units of carts over both shards that were seen to be cancelled, or to have left.
    pub(crate) cancels: u64,
    pub(crate) shipments: u64,
}

impl Answers {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.carts += other.carts;
        self.repeats += other.repeats;
        self.lates += other.lates;
        self.finals += other.finals;
        self.reads += other.reads;
        self.cancels += other.cancels;
        self.shipments += other.shipments;
    }

    /// A reservation was shown, by an answer or a read.
    fn shows(&mut self, view: &ReservationView, is_cart: bool) {
        for line in view.lines.iter().filter(|_| is_cart) {
            self.cancels += u64::from(line.cancelled);
            self.shipments += u64::from(line.shipped);
        }
    }
}

#[derive(Clone)]
struct Acknowledged {
    view: ReservationView,
    /// Its retention had not begun then.
    alive_at: Timestamp,
}

#[derive(Clone)]
struct KeptKey {
    operation: Operation,
    tag: KeyTag,
    /// It was recorded then, or later.
    since: Timestamp,
    effect: Effect,
}

/// What a key had as its one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Reservation(ReservationId),
    Sku(Sku),
    Movement(ReservationId),
    Final(ReservationId),
}

impl Account {
    /// An operation is on its way.
    pub(crate) fn sends(&mut self, operation: &Operation, now: Timestamp) {
        if let Some(tag) = operation.key {
            self.sent.entry(tag.hash).or_insert(now);
        }
    }

    /// An answer has come to an operation that was sent at `sent`.
    pub(crate) fn take(
        &mut self,
        operation: &Operation,
        sent: Timestamp,
        told: &Told,
        machine: &Machine,
    ) -> Result<(), Fault> {
        let Ok(answer) = told else { return Ok(()) };
        self.answers.all += 1;
        let (effect, is_repeat) = match answer {
            Answer::Reservation {
                view,
                created,
                replayed,
            } => {
                let is_cart = is_spread(view, &machine.plan);
                self.answers.repeats += u64::from(*replayed);
                self.answers.carts += u64::from(*created && !replayed && is_cart);
                self.answers.lates += u64::from(view.late && !replayed);
                self.answers.shows(view, is_cart);
                self.saw(view)?;
                (Effect::Reservation(view.id), *replayed)
            }
            Answer::Sku { view, replayed, .. } => {
                self.saw_sku(view)?;
                (Effect::Sku(view.sku.clone()), *replayed)
            }
            Answer::Movement { view, replayed } => {
                self.saw_sku(&view.sku)?;
                // A message seen before records nothing, so it keeps no key.
                if view.outcome == MovementOutcome::Duplicate {
                    return Ok(());
                }
                (Effect::Movement(view.id), *replayed)
            }
            Answer::Refused {
                refusal, replayed, ..
            } => match &**refusal {
                Refusal::ReservationExpired { id, reason, .. } if is_final(*reason) => {
                    self.refused_for_good(operation, *id);
                    (Effect::Final(*id), *replayed)
                }
                _ => return Ok(()),
            },
            // The clerk asks for no drift and no location.
            Answer::Drift { .. }
            | Answer::Location { .. }
            | Answer::Made { .. }
            | Answer::Full(_)
            | Answer::Part(_) => {
                return Ok(());
            }
        };
        let is_made = matches!(
            answer,
            Answer::Movement { .. } | Answer::Reservation { created: true, .. }
        );
        match operation.key {
            Some(tag) => self.keep(operation, tag, sent, effect, [is_repeat, is_made], machine),
            None => Ok(()),
        }
    }

    /// A strong read was answered.
    pub(crate) fn read(&mut self, told: &Told, machine: &Machine) -> Result<(), Fault> {
        let Ok(Answer::Reservation { view, .. }) = told else {
            return Ok(());
        };
        self.answers.reads += 1;
        self.answers.shows(view, is_spread(view, &machine.plan));
        self.saw(view)
    }

    /// A key had an effect: no other may follow.
    fn keep(
        &mut self,
        operation: &Operation,
        tag: KeyTag,
        sent: Timestamp,
        effect: Effect,
        [is_repeat, is_made]: [bool; 2],
        machine: &Machine,
    ) -> Result<(), Fault> {
        let shard = shard_of(operation, machine);
        let engine = machine.nodes[usize::from(shard)].shard.engine();
        // A repeat's effect may be as old as the first of its kind.
        let since = match self.sent.get(&tag.hash) {
            Some(first) if is_repeat => *first,
            _ => sent,
        };
        let found = engine.repeat(&tag).map(|decision| decision.outcome);
        let is_free = match found {
            None => true,
            // It was free, and a misuse that recorded something has taken it since.
            Some(Outcome::Refused { refusal, .. }) => refusal == Refusal::KeyReused,
            Some(_) => false,
        };
        if is_free {
            // What recorded nothing keeps no key; an answer may come when its key is past its time.
            let is_young = engine.at() < since.after(engine.policy().key_retention);
            return if is_made && is_young {
                Err(format!("{tag:?} was told {effect:?} and is not kept"))
            } else {
                Ok(())
            };
        }
        if let Some(kept) = self.keys.get(&tag.hash)
            && kept.is_young(engine)
        {
            return if kept.effect == effect {
                Ok(())
            } else {
                Err(format!("{tag:?} had {:?} and then {effect:?}", kept.effect))
            };
        }
        let kept = KeptKey {
            operation: operation.clone(),
            tag,
            since,
            effect,
        };
        self.keys.insert(tag.hash, kept);
        Ok(())
    }

    fn refused_for_good(&mut self, operation: &Operation, id: ReservationId) {
        if matches!(&operation.command, Command::Confirm(confirm) if confirm.lines.is_none()) {
            self.finals.insert(id);
            self.answers.finals += 1;
        }
    }

    /// A reservation never goes back, whoever shows it.
    fn saw(&mut self, view: &ReservationView) -> Result<(), Fault> {
        let was = self.reservations.get(&view.id);
        if let Some(was) = was {
            follows(&was.view, view)?;
        }
        let alive_at = if view.lines.iter().any(|line| line.open > 0) {
            view.now
        } else {
            was.map_or(view.created_at, |was| was.alive_at)
        };
        let acknowledged = Acknowledged {
            view: view.clone(),
            alive_at,
        };
        self.reservations.insert(view.id, acknowledged);
        Ok(())
    }

    fn saw_sku(&mut self, view: &SkuView) -> Result<(), Fault> {
        if let Some(was) = self.skus.get(&view.sku) {
            sku_follows(was, view)?;
        }
        self.skus.insert(view.sku.clone(), view.clone());
        Ok(())
    }

    /// Every acknowledged effect is there, or a later one is.
    pub(crate) fn check(&self, machine: &Machine) -> Result<(), Fault> {
        for acknowledged in self.reservations.values() {
            let engine = machine.home_of(acknowledged.view.id).shard.engine();
            acknowledged.check(engine)?;
        }
        for kept in self.keys.values() {
            kept.check(machine)?;
        }
        for (sku, told) in &self.skus {
            let shard = machine.plan.placement.shard_of_sku(sku);
            let engine = machine.nodes[usize::from(shard)].shard.engine();
            let found = engine.sku(sku).ok_or_else(|| format!("{sku} is gone"))?;
            sku_follows(told, &found)?;
            let shown = machine.shared.board.sku(sku);
            let shown = shown.ok_or_else(|| format!("{sku} is not on the board"))?;
            sku_follows(told, &shown)?;
        }
        for id in &self.finals {
            let confirm = Confirm {
                id: *id,
                lines: None,
                late: Late::Reacquire,
                payment_ref: None,
            };
            let command = Command::Confirm(Box::new(confirm));
            let engine = machine.home_of(*id).shard.engine();
            let outcome = engine.decide(&Request::of(command), engine.at()).outcome;
            if !matches!(outcome, Outcome::Refused { .. }) {
                return Err(format!("{id} was refused for good, and now: {outcome:?}"));
            }
        }
        Ok(())
    }

    /// Keys work after the loss as before it: some commands are repeated as they were.
    pub(crate) fn repeat_some(&self, machine: &mut Machine) -> Result<(), Fault> {
        let young =
            |kept: &&KeptKey| machine.time < kept.since.after(machine.plan.policy.key_retention);
        let mut newest: Vec<KeptKey> = self.keys.values().filter(young).cloned().collect();
        newest.sort_by_key(|kept| std::cmp::Reverse(kept.since));
        for kept in newest.iter().take(2) {
            let told = machine.ask(&kept.operation)?;
            let is_kept = match (&kept.effect, &told) {
                (
                    Effect::Reservation(id),
                    Some(Ok(Answer::Reservation {
                        view,
                        replayed: true,
                        ..
                    })),
                ) => *id == view.id,
                (
                    Effect::Sku(sku),
                    Some(Ok(Answer::Sku {
                        view,
                        replayed: true,
                        ..
                    })),
                ) => *sku == view.sku,
                (
                    Effect::Movement(id),
                    Some(Ok(Answer::Movement {
                        view,
                        replayed: true,
                    })),
                ) => *id == view.id,
                (Effect::Final(_), Some(Ok(Answer::Refused { replayed, .. }))) => *replayed,
                _ => false,
            };
            if !is_kept {
                return Err(format!(
                    "{:?} was told {:?}, and again: {told:?}",
                    kept.tag, kept.effect
                ));
            }
        }
        Ok(())
    }
}

impl Acknowledged {
    fn check(&self, engine: &Engine) -> Result<(), Fault> {
        let id = self.view.id;
        let policy = engine.policy();
        let Some(found) = engine.reservation(id, engine.at()) else {
            let is_due = self.alive_at.after(policy.retention) <= engine.at();
            return is_due.then_some(()).ok_or_else(|| {
                let (told, at) = (&self.view, engine.at());
                format!("{id} is gone at {at:?}, having been told as {told:?}")
            });
        };
        follows(&self.view, &found)
    }
}

impl KeptKey {
    fn is_young(&self, engine: &Engine) -> bool {
        engine.at() < self.since.after(engine.policy().key_retention)
    }

    fn check(&self, machine: &Machine) -> Result<(), Fault> {
        let (tag, shard) = (self.tag, shard_of(&self.operation, machine));
        let engine = machine.nodes[usize::from(shard)].shard.engine();
        if !self.is_young(engine) {
            return Ok(());
        }
        let outcome = engine.repeat(&tag).map(|decision| decision.outcome);
        let is_kept = match (&self.effect, &outcome) {
            (
                Effect::Reservation(id),
                Some(Outcome::Done(Reply::Reservation { id: found, .. })),
            )
            | (Effect::Movement(id), Some(Outcome::Done(Reply::Movement { id: found, .. }))) => {
                id == found
            }
            (Effect::Sku(sku), Some(Outcome::Done(Reply::Sku { sku: found, .. }))) => sku == found,
            (Effect::Final(_), Some(Outcome::Refused { replayed, .. })) => *replayed,
            _ => false,
        };
        if !is_kept {
            return Err(format!(
                "{tag:?} had {:?}, and now {outcome:?}",
                self.effect
            ));
        }
        let other = KeyTag {
            content: !tag.content,
            ..tag
        };
        let misuse = engine.repeat(&other).map(|decision| decision.outcome);
        let is_refused = matches!(
            misuse,
            Some(Outcome::Refused {
                refusal: Refusal::KeyReused,
                ..
            })
        );
        let foreign = Slot::new((slot_of(&self.operation.command).index() + 1) % Slot::COUNT);
        let foreign = foreign.expect("a slot");
        // While a repeat or a misuse of it is in flight, the directory refuses any third content;
        // where the key was kept is then said to the content in flight.
        let contents = [other.content, tag.content, misused(tag).content];
        let mut contents = contents.into_iter();
        let entered = contents.find_map(|content| {
            let tag = KeyTag { content, ..tag };
            machine.shared.keys.enter(&tag, foreign).ok()
        });
        let leads_home = entered.is_some_and(|guard| {
            let mut homes = guard.elsewhere().iter();
            homes.any(|slot| machine.plan.placement.shard_of(*slot) == shard)
        });
        if !is_refused || !leads_home {
            return Err(format!("{tag:?} is free for other content: {misuse:?}"));
        }
        Ok(())
    }
}

fn shard_of(operation: &Operation, machine: &Machine) -> u16 {
    machine.plan.placement.shard_of(slot_of(&operation.command))
}

fn is_spread(view: &ReservationView, plan: &Plan) -> bool {
    let mut shards = view
        .lines
        .iter()
        .map(|line| plan.placement.shard_of_sku(&line.sku));
    let first = shards.next();
    shards.any(|shard| Some(shard) != first)
}

/// What a confirm hears that may never be confirmed any more.
const fn is_final(reason: ExpiredReason) -> bool {
    match reason {
        ExpiredReason::SoldOut
        | ExpiredReason::CustomerLimit
        | ExpiredReason::LateWindow
        | ExpiredReason::LateRefused
        | ExpiredReason::Closed => true,
        ExpiredReason::Lapsed => false,
    }
}
