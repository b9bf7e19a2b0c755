//! Callers: what they ask, what they were told, and that it fits together.

use crate::account::{Fault, LIMIT_UNITS, LIMIT_WINDOW};
use crate::words;
use crate::world::World;
use holdfast_core::Request;
use holdfast_core::{
    Answer, Command, Configure, Confirm, CustomerLimit, Extend, KeyTag, Late, LineUnits, Location,
    Millis, Mode, Movement, MovementKind, OnShortfall, Patch, Pin, Refusal, Release, Remainder,
    ReservationId, ReservationView, Reserve, ReserveLine, Sku, Text, Units,
};
use holdfast_runtime::message::{Input, Job};
use holdfast_runtime::{Deadline, Fate, Placement, ReplyTo, Told, reserve_slot, slot_of};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

/// A command that a caller sends, and perhaps sends again.
pub(crate) struct Ask {
    pub(crate) key: Option<KeyTag>,
    pub(crate) command: Command,
    sent: u64,
    /// The reservation that it made, or was about.
    pub(crate) made: Option<ReservationId>,
    /// Whether every answer so far said that nothing happened.
    pub(crate) is_without_effect: bool,
}

/// All callers.
pub(crate) struct Clients {
    pub(crate) asks: Vec<Ask>,
    pub(crate) waiting: Vec<(usize, Receiver<Told>)>,
    /// All answers, in order.
    pub(crate) answers: Vec<(usize, Told)>,
    /// The newest state of each reservation that a caller was told.
    pub(crate) told: BTreeMap<ReservationId, ReservationView>,
    /// Three SKUs per shard: a plain one, a limited one, one with a thief.
    skus: Vec<[Sku; 3]>,
}

impl Clients {
    pub(crate) fn new(placement: &Placement) -> Self {
        let mut skus: Vec<Vec<Sku>> = vec![Vec::new(); usize::from(placement.shards())];
        for number in 0.. {
            let sku = Sku::parse(&format!("T{number}")).expect("a name");
            let own = &mut skus[usize::from(placement.shard_of_sku(&sku))];
            if own.len() < 3 {
                own.push(sku);
            }
            if skus.iter().all(|own| own.len() == 3) {
                break;
            }
        }
        let triple = |own: Vec<Sku>| own.try_into().expect("three each");
        Self {
            asks: Vec::new(),
            waiting: Vec::new(),
            answers: Vec::new(),
            told: BTreeMap::new(),
            skus: skus.into_iter().map(triple).collect(),
        }
    }

    pub(crate) fn sku(&self, shard: usize, which: usize) -> Sku {
        self.skus[shard][which].clone()
    }
}

impl World {
    /// Every shard has a few units of everything.
    pub(crate) fn stock(&mut self) -> Result<(), Fault> {
        let second = Location::parse("second").expect("a name");
        for shard in 0..self.nodes.len() {
            for which in 0..3 {
                let sku = self.clients.sku(shard, which);
                let limit = CustomerLimit {
                    units: LIMIT_UNITS,
                    window: LIMIT_WINDOW,
                };
                if which == 2 {
                    self.account.forced.insert(sku.clone());
                }
                let limit = (which == 1).then_some(limit);
                let mut settings = configure(&sku, limit);
                if which == 2 {
                    settings.on_shortfall = Patch::Set(OnShortfall::ReleaseNewest);
                }
                self.send(Command::Configure(Box::new(settings)), false)?;
                let units = self.rng.between(1, 7) as u32;
                self.send(receive(&sku, Location::main(), units), false)?;
                if self.rng.chance(50) {
                    let units = self.rng.between(1, 3) as u32;
                    self.send(receive(&sku, second.clone(), units), false)?;
                }
            }
            for _ in 0..2 {
                self.commit(shard as u16)?;
            }
        }
        self.collect()
    }

    /// A caller sends something new.
    pub(crate) fn call(&mut self) -> Result<(), Fault> {
        let about = self.somebodys();
        let most = if self.mood.is_selling { 38 } else { 26 };
        let command = match (self.rng.below(most), about) {
            (20..=37, Some(id)) => match self.aftersale() {
                Some(command) => command,
                // Nothing was sold: something is to be.
                None => self.confirm(id),
            },
            (0..=11, Some(id)) if self.has_lapsed(id) => self.confirm(id),
            (0..=6, _) | (_, None) => self.reserve(),
            (7..=13, Some(id)) => self.confirm(id),
            (14..=15, Some(id)) => self.release(id),
            (16, Some(id)) => Command::Extend(Extend {
                id,
                ttl: Millis::new(self.rng.between(1000, 20_000)),
            }),
            (17, Some(id)) => Command::Pin(Pin {
                id,
                duration: Millis::new(self.rng.between(1, 20_000)),
            }),
            (_, Some(_)) => self.movement(),
        };
        let keyed = self.rng.chance(80);
        self.send(command, keyed)
    }

    fn has_lapsed(&self, id: ReservationId) -> bool {
        let view = &self.clients.told[&id];
        let is_left = view.lines.iter().any(|line| line.open + line.expired > 0);
        view.expires_at.ms() <= self.clock && is_left
    }

    /// A reservation that was made lately, often one whose time has passed.
    pub(crate) fn somebodys(&mut self) -> Option<ReservationId> {
        let recent = self.clients.told.keys().rev().copied();
        let lapsed: Vec<_> = recent
            .clone()
            .filter(|id| self.has_lapsed(*id))
            .take(4)
            .collect();
        let recent: Vec<_> = recent.take(8).collect();
        let is_late = !lapsed.is_empty() && self.rng.chance(50);
        let from = if is_late { lapsed } else { recent };
        (!from.is_empty()).then(|| *self.rng.pick(&from))
    }

    /// A caller sends once more what it sent before.
    pub(crate) fn call_again(&mut self) -> Result<(), Fault> {
        let recent = self.clients.asks.len().saturating_sub(12);
        let count = self.clients.asks.len() - recent;
        let at = recent + self.rng.below(count);
        let ask = &self.clients.asks[at];
        // A key lives for its retention only.
        let age = Millis::new(self.clock - ask.sent);
        if ask.key.is_none() || self.common.policy.key_retention.ms() / 2 < age.ms() {
            return Ok(());
        }
        self.ask(at)
    }

    pub(crate) fn send(&mut self, command: Command, keyed: bool) -> Result<(), Fault> {
        let number = self.clients.asks.len() as u64 + 1;
        let hash = [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number];
        let made = subject(&command);
        self.clients.asks.push(Ask {
            key: keyed.then_some(KeyTag {
                hash,
                content: number,
            }),
            command,
            sent: self.clock,
            made,
            is_without_effect: true,
        });
        self.ask(number as usize - 1)
    }

    fn ask(&mut self, at: usize) -> Result<(), Fault> {
        let ask = &self.clients.asks[at];
        let slot = match &ask.command {
            Command::Reserve(reserve) => reserve_slot(reserve),
            other => slot_of(other),
        };
        let guard = match &ask.key {
            None => None,
            Some(tag) => match self.common.keys.enter(tag, slot) {
                Ok(guard) => Some(guard),
                Err(refused) => return Err(format!("key {at} was refused as {refused:?}")),
            },
        };
        let home = self.common.placement.shard_of(slot);
        if self.nodes[usize::from(home)].shard.is_none() {
            return Ok(());
        }
        let (reply, told) = ReplyTo::one(home, None, guard);
        let job = Job {
            request: Request::keyed(ask.key, ask.command.clone()),
            deadline: Deadline(self.common.instant + Duration::from_hours(1)),
            reply,
        };
        let asked = self.is_traced().then(|| format!("{:?}", ask.command));
        let what = || format!("is asked {at}: {}", asked.unwrap_or_default());
        self.clients.waiting.push((at, told));
        self.turn(home, what, |shard, now, out| {
            shard.handle(Input::One(job), now, out);
        })
    }

    /// Callers hear what they were answered.
    pub(crate) fn collect(&mut self) -> Result<(), Fault> {
        let mut at = 0;
        while at < self.clients.waiting.len() {
            let (ask, told) = &mut self.clients.waiting[at];
            match told.try_recv() {
                Err(TryRecvError::Empty) => at += 1,
                Err(TryRecvError::Closed) => return Err(format!("{ask} was never answered")),
                Ok(told) => {
                    let ask = *ask;
                    self.clients.waiting.swap_remove(at);
                    self.say(|| format!("    {ask} is told {}", words::told(&told)));
                    self.clients.answers.push((ask, told.clone()));
                    self.heard(ask, told)?;
                }
            }
        }
        Ok(())
    }

    fn heard(&mut self, at: usize, told: Told) -> Result<(), Fault> {
        let ask = &mut self.clients.asks[at];
        match told.map(Answer::whole) {
            Ok(Answer::Reservation { view, .. }) => {
                ask.is_without_effect = false;
                if ask.made.is_some_and(|made| made != view.id) {
                    return Err(format!("{at} made {:?} and then {}", ask.made, view.id));
                }
                ask.made = Some(view.id);
                if let Command::Reserve(reserve) = &ask.command {
                    has_all_lines(reserve, &view)?;
                }
                self.acknowledged(*view)
            }
            Ok(Answer::Refused { refusal, .. }) => self.refused(at, &refusal),
            Ok(
                Answer::Sku { .. }
                | Answer::Movement { .. }
                | Answer::Drift { .. }
                | Answer::Location { .. }
                | Answer::Made { .. },
            ) => {
                ask.is_without_effect = false;
                Ok(())
            }
            Ok(Answer::Full(_) | Answer::Part(_)) => Ok(()),
            Err(unavailable) => {
                ask.is_without_effect &= unavailable.fate() == Fate::NotApplied;
                Ok(())
            }
        }
    }

    fn acknowledged(&mut self, view: ReservationView) -> Result<(), Fault> {
        if self.account.is_strict {
            self.is_on_disk(&view)?;
        }
        match self.clients.told.get(&view.id) {
            Some(before) if view.version <= before.version => {}
            _ => {
                self.clients.told.insert(view.id, view);
            }
        }
        Ok(())
    }

    /// What a caller was told is in the journal, and nothing of it was taken back.
    pub(crate) fn is_on_disk(&self, view: &ReservationView) -> Result<(), Fault> {
        let Some(told) = self.account.homes.get(&view.id) else {
            return Err(format!("{} was acknowledged and is not there", view.id));
        };
        if told.record.version < view.version {
            let (seen, had) = (view.version, told.record.version);
            return Err(format!(
                "{} was acknowledged at version {seen}, the ledger has {had}",
                view.id
            ));
        }
        crate::aftersale::is_kept(view, &told.record)
    }

    fn refused(&mut self, at: usize, refusal: &Refusal) -> Result<(), Fault> {
        let ask = &mut self.clients.asks[at];
        match refusal {
            Refusal::ReservationExpired { id, .. }
                if matches!(ask.command, Command::Confirm(_)) =>
            {
                // It may be recorded with the key.
                ask.is_without_effect = false;
                self.account.refused_for_good(*id);
                Ok(())
            }
            Refusal::UnknownReservation(id) => Err(format!("{id} was acknowledged, now unknown")),
            Refusal::ReservationForgotten(id) => {
                ask.is_without_effect = false;
                let told = self.account.homes.get(id);
                match told.filter(|told| !told.is_forgotten) {
                    Some(_) if self.account.is_strict => Err(format!("{id} is not forgotten")),
                    _ => Ok(()),
                }
            }
            Refusal::InsufficientStock(lines) if lines.is_empty() => Err(format!(
                "{at} was told that stock is short, and not of what"
            )),
            Refusal::KeyReused => Err(format!("{at} was taken for another's key")),
            _ => Ok(()),
        }
    }

    fn reserve(&mut self) -> Command {
        let shards = self.nodes.len();
        let first = self.rng.below(shards);
        let count = self.rng.between(1, 3) as usize;
        let mut lines = Vec::new();
        for step in 0..count {
            let shard = if self.rng.chance(85) {
                (first + step) % shards
            } else {
                self.rng.below(shards)
            };
            let which = if self.rng.chance(70) {
                0
            } else {
                self.rng.below(3)
            };
            let sku = self.clients.sku(shard, which);
            let units = Units::new(self.rng.between(1, 2) as u32).expect("a quantity");
            lines.push(ReserveLine {
                sku,
                units,
                location: None,
            });
        }
        let order = format!("order-{}", self.clients.asks.len());
        let customer = format!("customer-{}", self.rng.below(3));
        let is_best_effort = self.rng.chance(30);
        Command::Reserve(Box::new(Reserve {
            id: ReservationId::UNMINTED,
            order_ref: Some(Text::parse(&order).expect("a text")),
            customer: Some(Text::parse(&customer).expect("a text")),
            ttl: Some(Millis::new(self.rng.between(1000, 8000))),
            mode: if is_best_effort {
                Mode::BestEffort
            } else {
                Mode::AllOrNothing
            },
            replace: None,
            lines: lines.into(),
        }))
    }

    /// Some of the lines of a reservation, some of their units.
    pub(crate) fn some_lines(&mut self, id: ReservationId) -> Vec<LineUnits> {
        let view = &self.clients.told[&id];
        let mut some = Vec::new();
        for line in &view.lines {
            if self.rng.chance(60) {
                let units = self.rng.between(1, u64::from(line.units)) as u32;
                some.push(LineUnits {
                    sku: line.sku.clone(),
                    location: self.rng.chance(50).then(|| line.location.clone()),
                    units: Units::new(units).expect("a quantity"),
                });
            }
        }
        some
    }

    fn confirm(&mut self, id: ReservationId) -> Command {
        let some = if self.rng.chance(40) {
            self.some_lines(id)
        } else {
            Vec::new()
        };
        let remainder = *self
            .rng
            .pick(&[Remainder::Keep, Remainder::Keep, Remainder::Release]);
        let payment = self
            .rng
            .chance(30)
            .then(|| format!("pay-{}", self.rng.below(2)));
        Command::Confirm(Box::new(Confirm {
            id,
            lines: (!some.is_empty()).then_some((some, remainder)),
            late: if self.rng.chance(if self.mood.is_tardy { 75 } else { 90 }) {
                Late::Reacquire
            } else {
                Late::Refuse
            },
            payment_ref: payment.map(|payment| Text::parse(&payment).expect("a text")),
        }))
    }

    fn release(&mut self, id: ReservationId) -> Command {
        let some = if self.rng.chance(50) {
            self.some_lines(id)
        } else {
            Vec::new()
        };
        Command::Release(Box::new(Release {
            id,
            lines: (!some.is_empty()).then_some(some),
            reason: None,
        }))
    }

    fn movement(&mut self) -> Command {
        let shard = self.rng.below(self.nodes.len());
        if self.rng.chance(30) {
            let sku = self.clients.sku(shard, self.rng.clone().below(3));
            return receive(&sku, Location::main(), 1);
        }
        Command::Movement(Box::new(Movement::new(
            self.clients.sku(shard, 2),
            MovementKind::Adjust {
                delta: if self.rng.chance(70) { -1 } else { 1 },
                force: true,
            },
        )))
    }
}

/// The reservation that a command is about.
fn subject(command: &Command) -> Option<ReservationId> {
    match command {
        Command::Confirm(confirm) => Some(confirm.id),
        Command::Release(release) => Some(release.id),
        Command::Extend(extend) => Some(extend.id),
        Command::Pin(pin) => Some(pin.id),
        Command::Cancel(cancel) => Some(cancel.id),
        Command::MoveHold(moved) => Some(moved.id),
        _ => None,
    }
}

/// Every unit asked for is held, or best effort says why it is not.
fn has_all_lines(reserve: &Reserve, view: &ReservationView) -> Result<(), Fault> {
    for line in &reserve.lines {
        let same = reserve.lines.iter().filter(|other| other.sku == line.sku);
        let asked: u32 = same.map(|line| line.units.get()).sum();
        let held = view.lines.iter().filter(|held| held.sku == line.sku);
        let held: u32 = held.map(|held| held.units).sum();
        let says = |held: u32| {
            view.shortages.iter().any(|short| {
                short.sku == line.sku && (short.requested, short.granted) == (asked, held)
            })
        };
        if held != asked && (reserve.mode == Mode::AllOrNothing || !says(held)) {
            return Err(format!(
                "{} holds {held} of {asked} units of {}, says {:?}",
                view.id, line.sku, view.shortages
            ));
        }
    }
    Ok(())
}

pub(crate) fn configure(sku: &Sku, limit: Option<CustomerLimit>) -> Configure {
    Configure {
        customer_limit: limit.map_or(Patch::Keep, Patch::Set),
        ..Configure::new(sku.clone())
    }
}

pub(crate) fn receive(sku: &Sku, location: Location, units: u32) -> Command {
    Command::Movement(Box::new(Movement {
        location,
        ..Movement::new(
            sku.clone(),
            MovementKind::Receive(Units::new(units).expect("a quantity")),
        )
    }))
}
