//! What callers ask: every command, with and without keys, again and again.

use crate::plan::Plan;
use holdfast_core::{
    Command, Configure, Confirm, CustomerLimit, Extend, KeyTag, Late, LineUnits, Location, Millis,
    Mode, Movement, MovementKind, Note, Patch, Pin, Release, Remainder, ReservationId,
    ReservationView, Reserve, ReserveLine, Sku, Text, Timestamp, Units,
};
use holdfast_ledger::faults::Random;
use holdfast_runtime::Operation;

/// Draws operations.
pub(crate) struct Clerk {
    pub(crate) random: Random,
    plan: Plan,
    keys: u64,
    orders: u64,
    /// Reservations as last seen, the newest last.
    seen: Vec<ReservationView>,
    /// Operations that had a key.
    sent: Vec<Operation>,
}

fn text(text: &str) -> Text {
    Text::parse(text).expect("a text")
}

/// A key with other content than its own.
pub(crate) const fn misused(tag: KeyTag) -> KeyTag {
    KeyTag {
        content: tag.content.wrapping_add(1),
        ..tag
    }
}

impl Clerk {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            random: Random::new(plan.seed),
            plan: plan.clone(),
            keys: 0,
            orders: 0,
            seen: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Notes a reservation that an answer showed.
    pub(crate) fn saw(&mut self, view: &ReservationView) {
        self.seen.retain(|seen| seen.id != view.id);
        self.seen.push(view.clone());
        if self.seen.len() > 40 {
            self.seen.remove(0);
        }
    }

    /// A reservation to be read, now and then.
    pub(crate) fn looks_at(&mut self) -> Option<ReservationId> {
        let view = self.earlier()?;
        (self.random.below(4) == 0).then_some(view.id)
    }

    /// The stock that a history begins with.
    pub(crate) fn opening(&mut self) -> Vec<Operation> {
        let skus: Vec<Sku> = self.plan.skus.concat();
        let mut operations = Vec::new();
        for sku in skus {
            operations.push(self.operation(Command::Configure(Box::new(self.bare(&sku)))));
            for location in self.plan.locations.clone() {
                let receive = self.receive(sku.clone(), location, 8);
                operations.push(self.operation(receive));
            }
        }
        operations
    }

    /// The next operation of a history.
    pub(crate) fn next(&mut self, now: Timestamp) -> Operation {
        let command = match self.random.below(100) {
            0..6 => self.configure(now),
            6..14 => {
                let (sku, location) = (self.sku(), self.location());
                let units = 1 + self.random.below(15) as u32;
                self.receive(sku, location, units)
            }
            14..18 => self.adjust(),
            18..46 => self.reserve(),
            46..58 => self.confirm(),
            58..63 => self.release(),
            63..67 => self.extend(),
            67..71 => self.pin(),
            71..75 => self.cancel(),
            75..81 => self.ship(),
            81..88 => self.stock_fact(),
            _ => return self.again(),
        };
        self.operation(command)
    }

    fn operation(&mut self, command: Command) -> Operation {
        let key = (self.random.below(10) < 7).then(|| {
            self.keys += 1;
            let mut hash = Random::new(self.keys);
            KeyTag {
                hash: [hash.draw(), hash.draw()],
                content: hash.draw(),
            }
        });
        let operation = Operation::keyed(key, command);
        if key.is_some() {
            self.sent.push(operation.clone());
            if self.sent.len() > 60 {
                self.sent.remove(0);
            }
        }
        operation
    }

    /// An earlier operation as it was, or its key with other content.
    fn again(&mut self) -> Operation {
        let at = self.random.below(self.sent.len() as u64) as usize;
        let operation = self.sent[at].clone();
        if self.random.below(4) > 0 {
            return operation;
        }
        let key = operation.key.map(misused);
        Operation::keyed(key, self.reserve())
    }

    /// A reservation of which units were sold and are still here, as last seen.
    pub(crate) fn sold(&mut self) -> Option<ReservationView> {
        let is_sold = |view: &&ReservationView| {
            let mut lines = view.lines.iter();
            lines.any(|line| line.cancelled + line.shipped < line.confirmed)
        };
        let count = self.seen.iter().filter(is_sold).count() as u64;
        let which = (count > 0).then(|| self.random.below(count) as usize)?;
        self.seen.iter().filter(is_sold).nth(which).cloned()
    }

    /// Who sends messages.
    pub(crate) fn source(&mut self) -> Text {
        text(if self.random.below(2) == 0 {
            "w1"
        } else {
            "w2"
        })
    }

    pub(crate) fn sku(&mut self) -> Sku {
        let shard = self.random.below(2) as usize;
        self.sku_of(shard)
    }

    fn sku_of(&mut self, shard: usize) -> Sku {
        let skus = &self.plan.skus[shard];
        skus[self.random.below(skus.len() as u64) as usize].clone()
    }

    pub(crate) fn location(&mut self) -> Location {
        let locations = &self.plan.locations;
        locations[self.random.below(locations.len() as u64) as usize].clone()
    }

    fn is_limited(&self, sku: &Sku) -> bool {
        self.plan.skus.iter().any(|skus| skus[0] == *sku)
    }

    /// The first SKU of each shard is limited, the second has an order of locations.
    fn bare(&self, sku: &Sku) -> Configure {
        let limit = CustomerLimit {
            units: 9,
            window: Millis::from_secs(30),
        };
        let customer_limit = if self.is_limited(sku) {
            Patch::Set(limit)
        } else {
            Patch::Keep
        };
        let is_ordered = self.plan.skus.iter().any(|skus| skus[1] == *sku);
        let order = || self.plan.locations[..2].iter().rev().cloned().collect();
        Configure {
            safety_stock: vec![],
            customer_limit,
            location_order: if is_ordered {
                Patch::Set(order())
            } else {
                Patch::Keep
            },
            ..Configure::new(sku.clone())
        }
    }

    fn configure(&mut self, now: Timestamp) -> Command {
        let sku = self.sku();
        let mut configure = self.bare(&sku);
        match self.random.below(6) {
            0 => configure.paused = Patch::Set(true),
            1 => {
                let units = self.random.below(3) as u32;
                configure.safety_stock = vec![(self.location(), Patch::Set(units))];
                configure.reason = Some(text("a cautious buyer"));
            }
            2 => configure.closes_at = Patch::Set(now.after(Millis::from_secs(5))),
            3 => {
                configure.low_at = Patch::Set(3);
                configure.replenished_at = Patch::Set(5);
            }
            _ => {
                configure.paused = Patch::Set(false);
                configure.closes_at = Patch::Clear;
            }
        }
        Command::Configure(Box::new(configure))
    }

    pub(crate) fn note(&mut self) -> Note {
        let mut note = Note::default();
        if self.random.below(2) == 0 {
            note.reason = Some(text("a delivery"));
            note.document = Some(text("D-7"));
        }
        note
    }

    fn receive(&mut self, sku: Sku, location: Location, units: u32) -> Command {
        Command::Movement(Box::new(Movement {
            location,
            note: self.note(),
            ..Movement::new(
                sku,
                MovementKind::Receive(Units::new(units).expect("a few units")),
            )
        }))
    }

    /// A correction; a large one, by preference, where units are held.
    fn adjust(&mut self) -> Command {
        let mut at = (self.sku(), self.location());
        let mut delta = 1 + self.random.below(2) as i64;
        if self.random.below(3) > 0 {
            delta *= -4;
            if let Some(line) = self
                .earlier()
                .and_then(|view| view.lines.into_iter().next())
            {
                at = (line.sku, line.location);
            }
        }
        let (sku, location) = at;
        Command::Movement(Box::new(Movement {
            location,
            note: self.note(),
            ..Movement::new(
                sku,
                MovementKind::Adjust {
                    delta,
                    force: self.random.below(3) > 0,
                },
            )
        }))
    }

    fn line(&mut self, shard: usize) -> ReserveLine {
        let units = 1 + self.random.below(4) as u32;
        ReserveLine {
            sku: self.sku_of(shard),
            units: Units::new(units).expect("a few units"),
            location: (self.random.below(3) == 0).then(|| self.location()),
        }
    }

    pub(crate) fn reserve(&mut self) -> Command {
        let home = self.random.below(2) as usize;
        let mut lines = vec![self.line(home)];
        let is_spread = self.random.below(2) == 0;
        for _ in 0..self.random.below(3) {
            let shard = if is_spread { 1 - home } else { home };
            let line = self.line(shard);
            lines.push(line);
        }
        self.orders += 1;
        let mut reserve = Reserve {
            id: ReservationId::UNMINTED,
            order_ref: Some(text(&format!("order-{}", self.orders))),
            customer: None,
            ttl: None,
            mode: if self.random.below(3) == 0 {
                Mode::BestEffort
            } else {
                Mode::AllOrNothing
            },
            replace: None,
            lines: lines.into(),
        };
        if self.random.below(5) > 0 {
            let at = self.random.below(self.plan.customers.len() as u64) as usize;
            reserve.customer = Some(self.plan.customers[at].clone());
        }
        if self.random.below(2) == 0 {
            reserve.ttl = Some(Millis::new(1000 + self.random.below(25_000)));
        }
        if self.random.below(6) == 0
            && let Some(earlier) = self.earlier()
        {
            reserve.order_ref = earlier.order_ref;
            reserve.customer = earlier.customer;
            reserve.replace = Some(earlier.id);
        }
        Command::Reserve(Box::new(reserve))
    }

    /// A reservation seen before, rather a new one.
    fn earlier(&mut self) -> Option<ReservationView> {
        let back = self.random.below(self.seen.len() as u64);
        let back = self.random.below(back + 1) as usize;
        self.seen.iter().rev().nth(back).cloned()
    }

    fn earlier_id(&mut self) -> ReservationId {
        self.earlier()
            .map_or(ReservationId::UNMINTED, |view| view.id)
    }

    /// Some units of some lines.
    pub(crate) fn some_of(&mut self, view: &ReservationView) -> Vec<LineUnits> {
        let mut some = Vec::new();
        for line in &view.lines {
            if !some.is_empty() && self.random.below(2) == 0 {
                continue;
            }
            let most = u64::from(line.open + line.expired).max(1);
            let units = 1 + self.random.below(most) as u32;
            some.push(LineUnits {
                sku: line.sku.clone(),
                location: (self.random.below(2) == 0).then(|| line.location.clone()),
                units: Units::new(units).expect("at least one"),
            });
        }
        some
    }

    fn confirm(&mut self) -> Command {
        let Some(view) = self.earlier() else {
            return self.reserve();
        };
        let lines = match self.random.below(6) {
            0 => Some((self.some_of(&view), Remainder::Release)),
            1 => Some((self.some_of(&view), Remainder::Keep)),
            _ => None,
        };
        let late = if self.random.below(5) == 0 {
            Late::Refuse
        } else {
            Late::Reacquire
        };
        let payment = self.random.below(3);
        Command::Confirm(Box::new(Confirm {
            id: view.id,
            lines,
            late,
            payment_ref: (payment > 0).then(|| text(&format!("payment-{payment}"))),
        }))
    }

    fn release(&mut self) -> Command {
        let Some(view) = self.earlier() else {
            return self.reserve();
        };
        let lines = (self.random.below(3) == 0).then(|| self.some_of(&view));
        Command::Release(Box::new(Release {
            id: view.id,
            lines,
            reason: (self.random.below(2) == 0).then(|| text("changed their mind")),
        }))
    }

    fn extend(&mut self) -> Command {
        Command::Extend(Extend {
            id: self.earlier_id(),
            ttl: Millis::new(1000 + self.random.below(25_000)),
        })
    }

    fn pin(&mut self) -> Command {
        Command::Pin(Pin {
            id: self.earlier_id(),
            duration: Millis::new(1000 + self.random.below(19_000)),
        })
    }
}
