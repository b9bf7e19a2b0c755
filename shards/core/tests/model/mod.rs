//! A second opinion on the domain: slow, obvious, and written from the domain page alone.
//!
//! It shares only the vocabulary with the engine (commands in, views and refusals out). It
//! keeps every reservation for ever in plain maps and finds everything by walking over all
//! of them: what is reserved is a sum, what a customer has counted is a sum, what has lapsed
//! is a comparison with the clock.
//!
//! Deliberately absent: sweeping and forgetting on its own. When lapsed holds are recorded
//! and when the past is dropped is the engine's choice within bounds; the model is told, says
//! whether that was allowed, and answers every command as if nobody had to be swept.

mod aftersale;
mod configure;
mod confirm;
mod drifts;
mod feeds;
mod forget;
mod limit;
mod location;
mod release;
mod reserve;
mod set_aside;
mod shortfall;
mod sourcing;
mod stock;
mod supply;
mod told;
mod views;

pub(crate) use forget::expired_in;
pub(crate) use told::{Moved, Told};

use holdfast_core::{
    Command, Count, Counter, Counters, CustomerLimit, DriftRecord, ExpiredReason, KeyOutcome,
    KeyTag, KeyTarget, Location, LocationRecord, MovementOutcome, Patch, Policy, Refusal, Request,
    ReservationId, Shortage, Sku, SkuConfig, Text, Timestamp, Versions,
};
use std::collections::BTreeMap;

/// The naive state of a shard.
pub(crate) struct Model {
    policy: Policy,
    /// Ledger time of the last record.
    clock: Timestamp,
    /// Records so far.
    pub(crate) seq: u64,
    drifts: BTreeMap<ReservationId, DriftRecord>,
    skus: BTreeMap<Sku, Shelf>,
    /// Those that were declared.
    locations: BTreeMap<Location, LocationRecord>,
    orders: BTreeMap<ReservationId, Order>,
    keys: BTreeMap<[u64; 2], Remembered>,
    next_key: u64,
    complaints: Vec<String>,
    /// When which SKU crossed what, since that was last asked.
    crossed: Vec<(Timestamp, String, u8)>,
}

/// A SKU.
#[derive(Clone, Default)]
struct Shelf {
    config: SkuConfig,
    versions: Versions,
    levels: BTreeMap<Location, Counters>,
    /// By location and source.
    streams: BTreeMap<(Location, Text), feeds::Stream>,
    /// By source and id, with when it came.
    messages: BTreeMap<(Text, Text), Timestamp>,
    /// The newest count: when it was taken, and the last record before.
    counts: BTreeMap<Location, (Timestamp, u64, Count)>,
    supply: supply::Known,
}

/// A reservation.
#[derive(Clone)]
#[allow(
    clippy::struct_field_names,
    reason = "`order_ref` is the word of the domain"
)]
struct Order {
    id: ReservationId,
    order_ref: Option<Text>,
    customer: Option<Text>,
    created_at: Timestamp,
    chain_start: Timestamp,
    expires_at: Timestamp,
    pinned_until: Option<Timestamp>,
    late: bool,
    payments: Vec<Text>,
    replaces: Option<ReservationId>,
    replaced_by: Option<ReservationId>,
    reason: Option<Text>,
    holds: Vec<Hold>,
    shortages: Vec<Shortage>,
    version: u32,
    graced: bool,
    closed: Option<ExpiredReason>,
    /// When the last open unit ended.
    ended_at: Option<Timestamp>,
    forgotten: bool,
}

/// The units of a reservation on one SKU at one location.
#[derive(Clone)]
struct Hold {
    sku: Sku,
    location: Location,
    requested: u32,
    units: u32,
    confirmed: u32,
    released: u32,
    expired: u32,
    /// Of the confirmed units.
    cancelled: u32,
    /// Of the confirmed units.
    shipped: u32,
    /// Whether the SKU was limited when they were reserved.
    counts: bool,
    /// Units of those confirmed that were taken again, and whether the SKU was limited.
    late: Option<Late>,
}

/// Units taken again by a late confirm: they count from the time of their reservation.
#[derive(Clone)]
struct Late {
    units: u32,
    counts: bool,
}

/// A key and what came of it.
struct Remembered {
    index: u64,
    content: u64,
    outcome: KeyOutcome,
    target: KeyTarget,
    at: Timestamp,
}

/// What a command came to.
struct Outcome {
    what: What,
    /// Set if something was recorded: what a repeat of its key will be told.
    recorded: Option<(KeyOutcome, KeyTarget)>,
    /// Set if something was recorded that no key remembers.
    is_noted: bool,
}

enum What {
    Reservation {
        id: ReservationId,
        created: bool,
    },
    Sku {
        sku: Sku,
        created: bool,
    },
    Movement {
        id: ReservationId,
        sku: Sku,
        outcome: MovementOutcome,
    },
    Drift(ReservationId),
    Refused(Refusal),
    Full(&'static str),
}

impl Model {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            clock: Timestamp::ZERO,
            seq: 0,
            drifts: BTreeMap::new(),
            skus: BTreeMap::new(),
            locations: BTreeMap::new(),
            orders: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_key: 0,
            complaints: Vec::new(),
            crossed: Vec::new(),
        }
    }

    /// Answers a request, and whether it recorded anything.
    pub(crate) fn ask(&mut self, request: &Request, wall: Timestamp) -> (Told, bool) {
        let now = wall.max(self.clock);
        if let Some(told) = request.key.and_then(|tag| self.repeat(tag, now)) {
            return (told, false);
        }
        if request.key.is_some() && self.keys.len() >= self.room_for_keys(&request.command) {
            return (Told::Full("keys"), false);
        }
        if let Command::Location(command) = &request.command {
            return self.location(command, now);
        }
        let outcome = self.act(&request.command, now);
        let is_recorded = outcome.recorded.is_some() || outcome.is_noted;
        if is_recorded {
            self.cross(now);
        }
        if let Some((kind, target)) = outcome.recorded {
            self.clock = now;
            if let Some(tag) = request.key {
                let index = self.next_key;
                let (content, at) = (tag.content, now);
                self.next_key += 1;
                let key = Remembered {
                    index,
                    content,
                    outcome: kind,
                    target,
                    at,
                };
                self.keys.insert(tag.hash, key);
            }
        }
        (self.tell(outcome.what, false, now), is_recorded)
    }

    /// Of ten places eight are anybody's, the ninth an extend's as well, the tenth for the rest.
    fn room_for_keys(&self, command: &Command) -> usize {
        let all = self.policy.keys_max;
        let fifth = all / 5;
        match command {
            Command::Confirm(_) | Command::Release(_) | Command::Cancel(_) | Command::Pin(_) => all,
            Command::Configure(change) if !matches!(change.paused, Patch::Keep) => all,
            Command::Extend(_) => all - fifth / 2,
            _ => all - fifth,
        }
    }

    fn act(&mut self, command: &Command, now: Timestamp) -> Outcome {
        match command {
            Command::Configure(command) => self.configure(command),
            Command::LiftStream(command) => self.lift(command, now),
            Command::OpenDrift(command) => self.open_drift(command, now),
            Command::DecideDrift(command) => self.decide_drift(command, now),
            Command::Movement(command) => self.movement(command, now),
            Command::Reserve(command) => self.reserve(command, now),
            Command::Confirm(command) => self.confirm(command, now),
            Command::Release(command) => self.release(command, now),
            Command::Cancel(command) => self.cancel(command, now),
            Command::MoveHold(command) => self.move_hold(command, now),
            Command::Extend(command) => self.extend(command, now),
            Command::Pin(command) => self.pin(command, now),
            other => panic!("the model knows no carts over several shards: {other:?}"),
        }
    }

    /// What a key that was seen before is told.
    fn repeat(&self, tag: KeyTag, now: Timestamp) -> Option<Told> {
        let key = self.keys.get(&tag.hash)?;
        if key.content != tag.content {
            return Some(Told::Refused {
                refusal: Refusal::KeyReused,
                replayed: false,
            });
        }
        let what = match &key.target {
            KeyTarget::Reservation(id) => match self.find(*id) {
                Err(refusal) => What::Refused(refusal),
                Ok(order) => {
                    let created = key.outcome == KeyOutcome::Created;
                    let stands = What::Reservation { id: *id, created };
                    let refused = |reason| What::Refused(order.expired_for(reason));
                    ExpiredReason::of_outcome(key.outcome).map_or(stands, refused)
                }
            },
            KeyTarget::Sku(sku) => What::Sku {
                sku: sku.clone(),
                created: key.outcome == KeyOutcome::SkuCreated,
            },
            KeyTarget::Movement(id, sku) => match MovementOutcome::of_key(key.outcome) {
                None => What::Drift(*id),
                Some(outcome) => What::Movement {
                    id: *id,
                    sku: sku.clone(),
                    outcome,
                },
            },
        };
        Some(self.tell(what, true, now))
    }

    fn tell(&self, what: What, replayed: bool, now: Timestamp) -> Told {
        match what {
            What::Reservation { id, created } => {
                let view = Box::new(self.orders[&id].view(now));
                Told::Reservation {
                    view,
                    created,
                    replayed,
                }
            }
            What::Sku { sku, created } => {
                let view = Box::new(self.sku(&sku).expect("it was answered, so it is known"));
                Told::Sku {
                    view,
                    created,
                    replayed,
                }
            }
            What::Movement { id, sku, outcome } => {
                Told::Movement(self.moved_view(id, &sku, outcome, replayed))
            }
            What::Drift(id) => Told::Drift {
                drift: Box::new(self.drifts[&id].clone()),
                replayed,
            },
            What::Refused(refusal) => Told::Refused { refusal, replayed },
            What::Full(table) => Told::Full(table),
        }
    }

    fn find(&self, id: ReservationId) -> Result<&Order, Refusal> {
        match self.orders.get(&id) {
            None => Err(Refusal::UnknownReservation(id)),
            Some(order) if order.forgotten => Err(Refusal::ReservationForgotten(id)),
            Some(order) => Ok(order),
        }
    }

    fn order_mut(&mut self, id: ReservationId) -> &mut Order {
        self.orders.get_mut(&id).expect("found before")
    }

    fn level_mut(&mut self, sku: &Sku, location: &Location) -> &mut Counters {
        let shelf = self.skus.get_mut(sku).expect("a hold's SKU is known");
        shelf
            .levels
            .get_mut(location)
            .expect("a hold's location is known")
    }

    /// Units that recorded holds keep there, lapsed ones too: the counter `reserved`.
    fn reserved(&self, sku: &Sku, location: &Location) -> i64 {
        self.held(sku, location, |_| true)
    }

    /// Units under holds whose deadline has not passed.
    fn reserved_alive(&self, sku: &Sku, location: &Location, now: Timestamp) -> i64 {
        self.held(sku, location, |order| !order.lapsed(now))
    }

    fn held(&self, sku: &Sku, location: &Location, of: impl Fn(&Order) -> bool) -> i64 {
        let holds = self
            .orders
            .values()
            .filter(|order| of(order))
            .flat_map(|order| &order.holds);
        let here = holds.filter(|hold| hold.sku == *sku && hold.location == *location);
        here.map(|hold| i64::from(hold.open())).sum()
    }

    /// `on_hand − reserved − safety_stock` by what is recorded.
    fn free(&self, sku: &Sku, location: &Location) -> i64 {
        let level = &self.skus[sku].levels[location];
        let reserved = self.reserved(sku, location);
        level.get(Counter::OnHand) - level.get(Counter::SafetyStock) - reserved
    }

    /// The same, with lapsed holds given back: the deadline is a fact, whoever recorded it.
    fn free_alive(&self, sku: &Sku, location: &Location, now: Timestamp) -> i64 {
        let lapsed = self.reserved(sku, location) - self.reserved_alive(sku, location, now);
        self.free(sku, location) + lapsed
    }

    /// Notes what the engine may not have done.
    fn complain(&mut self, text: String) {
        self.complaints.push(text);
    }

    /// What the engine did since the last call that it may not have done.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// One event of reservations touched these SKUs.
    fn touch(&mut self, skus: impl IntoIterator<Item = Sku>) {
        let distinct: std::collections::BTreeSet<Sku> = skus.into_iter().collect();
        for sku in distinct {
            self.skus
                .get_mut(&sku)
                .expect("a touched SKU is known")
                .versions
                .all += 1;
        }
    }
}

impl Order {
    fn open(&self) -> u32 {
        self.holds.iter().map(Hold::open).sum()
    }

    fn lapsed(&self, now: Timestamp) -> bool {
        self.open() > 0 && now >= self.expires_at
    }

    /// Whether units are held and the deadline has not passed.
    fn is_open(&self, now: Timestamp) -> bool {
        self.open() > 0 && now < self.expires_at
    }

    fn confirmed(&self) -> u32 {
        self.holds.iter().map(|hold| hold.confirmed).sum()
    }

    /// Units that expired, recorded or not.
    fn expired(&self, now: Timestamp) -> u32 {
        self.holds
            .iter()
            .map(|hold| hold.expired_by(self.lapsed(now)))
            .sum()
    }

    fn expired_for(&self, reason: ExpiredReason) -> Refusal {
        Refusal::ReservationExpired {
            id: self.id,
            reason,
            expired_at: self.expires_at,
        }
    }

    fn skus(&self) -> Vec<Sku> {
        self.holds.iter().map(|hold| hold.sku.clone()).collect()
    }
}

impl Hold {
    fn open(&self) -> u32 {
        self.units - self.confirmed - self.released - self.expired
    }

    fn expired_by(&self, lapsed: bool) -> u32 {
        self.expired + if lapsed { self.open() } else { 0 }
    }
}

impl Outcome {
    fn refused(refusal: Refusal) -> Self {
        Self {
            what: What::Refused(refusal),
            recorded: None,
            is_noted: false,
        }
    }

    fn reservation(id: ReservationId, kind: KeyOutcome) -> Self {
        let created = kind == KeyOutcome::Created;
        let recorded = Some((kind, KeyTarget::Reservation(id)));
        Self {
            what: What::Reservation { id, created },
            recorded,
            is_noted: false,
        }
    }

    /// Nothing to do: the reservation answers for itself.
    fn as_it_stands(id: ReservationId) -> Self {
        Self {
            what: What::Reservation { id, created: false },
            recorded: None,
            is_noted: false,
        }
    }
}

/// Adds to a counter.
fn add(level: &mut Counters, counter: Counter, units: i64) {
    level.set(counter, level.get(counter) + units);
}
