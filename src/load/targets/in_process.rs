//! The engine in process: the runtime's router in place of HTTP, everything else as with a server.
//!
//! It alone of the load laboratory knows the engine. What it measures is what the engine can do
//! when nothing stands before it; generator and engine share the processors.

use std::{
    collections::HashMap,
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use holdfast_core::{
    Answer, Command, Configure, Confirm, Counter, CustomerLimit, KeyTag, Late, Millis, Mode,
    Movement, MovementKind, Patch, Refusal, Release, ReservationId, ReservationView, Reserve,
    ReserveLine, Sku, SkuView, Status, Text, Units as Qty,
};
use holdfast_runtime::{Deadline, Fate, Operation, Router, Runtime, Told};
use tempfile::TempDir;
use tokio::runtime::Handle;
use xxhash_rust::xxh3::xxh3_128;

use super::{Ledgers, Profile, State, Stocking, Trouble, directory, ledger};
use crate::{
    client::wire::Counters,
    config::{self, Config, OrAuto},
    load::{
        drive::{Ask, Call, Heard, Outcome, Reply, Standing, Transport, Units},
        plan::Customer,
        wire::Names,
    },
};

/// The engine, running.
pub struct Engine {
    runtime: Runtime,
    router: Router,
    directory: TempDir,
}

/// Carries calls to the engine.
pub(super) struct Direct {
    router: Router,
    runtime: Handle,
    run: String,
    skus: Vec<Sku>,
    ttl: Millis,
    timeout: Duration,
    free: usize,
    tell: Sender<Heard>,
    told: Receiver<Heard>,
}

/// Operations in one message while SKUs are made and stocked.
const BATCH: usize = 200;
const SET_UP: Duration = Duration::from_mins(1);
const DRAIN: Duration = Duration::from_secs(30);

impl Engine {
    pub(super) async fn open(below: Option<&Path>, profile: Profile) -> Result<Self, Trouble> {
        let directory = directory(below)?;
        let mut config = Config::default();
        config.data.dir = directory.path().join(ledger::DATA);
        let lives = &mut config.reservations;
        let kept = config::Millis(profile.retention_ms);
        (
            lives.retention_ms,
            lives.order_retention_ms,
            lives.key_retention_ms,
        ) = (kept, kept, kept);
        lives.ttl_min_ms.0 = lives.ttl_min_ms.0.min(profile.ttl_ms);
        lives.ttl_max_ms.0 = lives.ttl_max_ms.0.max(profile.ttl_ms);
        lives.lifetime_max_ms.0 = lives.lifetime_max_ms.0.max(profile.ttl_ms);
        if profile.shards > 0 {
            config.shards.count = OrAuto::Set(u64::from(profile.shards));
        }
        let started = Runtime::start(crate::backend::settings(&config)).await;
        let runtime = started.map_err(|error| Trouble::Refused {
            what: "start the engine",
            why: error.to_string(),
        })?;
        let router = runtime.router();
        Ok(Self {
            runtime,
            router,
            directory,
        })
    }

    pub(super) async fn stock(&self, names: &Names, stocking: Stocking) -> Result<(), Trouble> {
        for names in names.skus.chunks(BATCH) {
            let make = names.iter().map(|name| configure(name, stocking));
            self.all_done(make.collect()).await?;
            if let Some(units) = Qty::new(stocking.units as u32) {
                let receive = names.iter().map(|name| receive(name, units));
                self.all_done(receive.collect()).await?;
            }
        }
        Ok(())
    }

    async fn all_done(&self, commands: Vec<Command>) -> Result<(), Trouble> {
        let operations = commands.into_iter().map(Operation::of).collect();
        let failed = |why: String| Trouble::Refused {
            what: "stock a SKU",
            why,
        };
        for told in self
            .router
            .batch(operations, Deadline::within(SET_UP))
            .await
        {
            match told {
                Ok(Answer::Sku { .. } | Answer::Movement { .. }) => {}
                Ok(other) => return Err(failed(format!("{other:?}"))),
                Err(unavailable) => return Err(failed(unavailable.to_string())),
            }
        }
        Ok(())
    }

    pub(super) fn states(&self, run: &str) -> HashMap<String, State> {
        let mut found = HashMap::new();
        let mut after = None;
        loop {
            let page = self.router.skus(&format!("{run}-"), after.as_ref(), 1_000);
            let Some(last) = page.last() else {
                return found;
            };
            after = Some(last.sku.clone());
            let state = |view: &SkuView| (view.sku.to_string(), state_of(view));
            found.extend(page.iter().map(state));
        }
    }

    pub(super) fn state(&self, sku: &str) -> Option<State> {
        let view = self.router.sku(&Sku::parse(sku).ok()?)?;
        Some(state_of(&view))
    }

    pub(super) fn carrier(&self, names: &Names, places: usize, timeout: Duration) -> Direct {
        let (tell, told) = channel();
        Direct {
            router: self.router.clone(),
            runtime: Handle::current(),
            run: names.run.clone(),
            skus: names.skus.iter().map(|name| sku(name)).collect(),
            ttl: Millis::new(names.ttl_ms),
            timeout,
            free: places,
            tell,
            told,
        }
    }

    pub(super) async fn close(self) -> Ledgers {
        drop(self.router);
        self.runtime.drain(DRAIN).await;
        ledger::verify(self.directory, None).await
    }
}

impl Direct {
    fn operation(&self, ask: &Ask<'_>, id: ReservationId) -> Option<Operation> {
        let command = match ask.call {
            Call::Reserve => self.reserve(ask),
            Call::Confirm => Command::Confirm(Box::new(Confirm {
                id,
                lines: None,
                late: Late::Reacquire,
                payment_ref: Text::parse(&format!("pay-{}", ask.number)).ok(),
            })),
            Call::Release => Command::Release(Box::new(Release {
                id,
                lines: None,
                reason: None,
            })),
            Call::Read | Call::Availability => return None,
        };
        let key = [ask.key.letter()];
        let name = [self.run.as_bytes(), &ask.number.to_le_bytes(), &key].concat();
        let hash = xxh3_128(&name);
        let key = KeyTag {
            hash: [(hash >> 64) as u64, hash as u64],
            content: u64::from(ask.number),
        };
        Some(Operation::keyed(Some(key), command))
    }

    fn reserve(&self, ask: &Ask<'_>) -> Command {
        let run = &self.run;
        let customer = match ask.customer {
            Customer::Own => format!("{run}-buyer-{}", ask.number),
            Customer::Bot(bot) => format!("{run}-bot-{bot}"),
        };
        let lines = ask.lines.iter().map(|line| ReserveLine {
            sku: self.skus[line.sku as usize].clone(),
            units: Qty::new(line.qty).expect("a plan's quantities are at least 1"),
            location: None,
        });
        Command::Reserve(Box::new(Reserve {
            id: ReservationId::UNMINTED,
            order_ref: Text::parse(&format!("{run}-{}", ask.number)).ok(),
            customer: Text::parse(&customer).ok(),
            ttl: Some(self.ttl),
            mode: Mode::AllOrNothing,
            replace: None,
            lines: lines.collect(),
        }))
    }
}

impl Transport for Direct {
    fn free(&self) -> usize {
        self.free
    }

    fn send(&mut self, ticket: u32, ask: &Ask<'_>) {
        self.free -= 1;
        let sent = Instant::now();
        let (call, tell, router) = (ask.call, self.tell.clone(), self.router.clone());
        let deadline = Deadline::within(self.timeout);
        let done = move |reply| {
            let done = Instant::now();
            // Whoever has stopped listening hears nothing.
            let _ = tell.send(Heard {
                ticket,
                sent,
                done,
                reply,
            });
        };
        if call == Call::Availability {
            let wanted = ask.lines.iter().map(|line| &self.skus[line.sku as usize]);
            let all_there = wanted.map(|sku| router.sku(sku)).all(|view| view.is_some());
            let outcome = if all_there {
                Outcome::Read
            } else {
                Outcome::Refused
            };
            return done(Reply::of(outcome));
        }
        let id = ReservationId::from_u128(ask.id).unwrap_or(ReservationId::UNMINTED);
        let operation = self.operation(ask, id);
        self.runtime.spawn(async move {
            let told = match operation {
                Some(operation) => router.execute(operation, deadline).await,
                None => router.reservation(id, deadline).await,
            };
            done(reply(call, &told));
        });
    }

    fn wait(&mut self, until: Instant, heard: &mut Vec<Heard>) {
        let left = until.saturating_duration_since(Instant::now());
        if let Ok(first) = self.told.recv_timeout(left) {
            heard.push(first);
            heard.extend(self.told.try_iter());
            self.free += heard.len();
        }
    }
}

fn reply(call: Call, told: &Told) -> Reply {
    match told {
        Ok(Answer::Reservation { view, replayed, .. }) => success(call, view, *replayed),
        Ok(Answer::Refused {
            refusal, replayed, ..
        }) => {
            let mut reply = refused(refusal);
            reply.replayed = *replayed;
            reply
        }
        Ok(Answer::Full(_)) => {
            let mut reply = Reply::lost(Outcome::Overloaded);
            reply.unknown = false;
            reply
        }
        Ok(_) => Reply::lost(Outcome::Error),
        Err(unavailable) => {
            let mut reply = Reply::lost(Outcome::Overloaded);
            reply.unknown = unavailable.fate() == Fate::Unknown;
            reply.retry_after = Duration::from_millis(unavailable.retry_after().ms());
            reply
        }
    }
}

fn success(call: Call, view: &ReservationView, replayed: bool) -> Reply {
    let mut reply = Reply::of(match call {
        Call::Read | Call::Availability => Outcome::Read,
        _ if replayed => Outcome::Replayed,
        Call::Reserve => Outcome::Reserved,
        Call::Confirm if view.late => Outcome::ConfirmedLate,
        Call::Confirm => Outcome::Confirmed,
        Call::Release => Outcome::Released,
    });
    reply.id = view.id.as_u128();
    reply.replayed = replayed;
    reply.standing = Some(match view.status {
        Status::Open => Standing::Open,
        Status::Confirmed => Standing::Confirmed,
        Status::Released => Standing::Released,
        Status::Expired => Standing::Expired,
    });
    if call == Call::Read {
        let mut units = Units::default();
        for line in &view.lines {
            units.qty += u64::from(line.units);
            units.open += u64::from(line.open);
            units.confirmed += u64::from(line.confirmed);
            units.released += u64::from(line.released);
            units.expired += u64::from(line.expired);
        }
        reply.units = Some(units);
    }
    reply
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::InsufficientStock(lines) => {
            let mut reply = Reply::of(Outcome::SoldOut);
            let denied = |line: &holdfast_core::ShortLine| line.requested <= line.available;
            reply.denies_itself = lines.iter().any(denied);
            reply
        }
        Refusal::CustomerLimit(_) => Reply::of(Outcome::Limited),
        Refusal::SaleClosed(_) | Refusal::SalePaused(_) => Reply::of(Outcome::Closed),
        Refusal::ReservationExpired { .. } => Reply::of(Outcome::Expired),
        other => {
            let mut reply = Reply::of(Outcome::Refused);
            let words = format!("{other:?}");
            let name = words.split(['(', ' ', '{']).next().unwrap_or_default();
            reply.code = Some(name.into());
            reply
        }
    }
}

fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a run's names are made of letters, digits and hyphens")
}

fn configure(name: &str, stocking: Stocking) -> Command {
    let limit = stocking.customer_limit.map(|limit| CustomerLimit {
        units: limit.units,
        window: Millis::new(limit.window_ms),
    });
    Command::Configure(Box::new(Configure {
        sku: sku(name),
        safety_stock: Vec::new(),
        customer_limit: limit.map_or(Patch::Keep, Patch::Set),
        opens_at: Patch::Keep,
        closes_at: Patch::Keep,
        paused: Patch::Keep,
        low_at: Patch::Keep,
        replenished_at: Patch::Keep,
        location_order: Patch::Keep,
        sourcing: Patch::Keep,
        on_shortfall: Patch::Keep,
        reason: None,
        expected_version: None,
    }))
}

fn receive(name: &str, units: Qty) -> Command {
    Command::Movement(Box::new(Movement::new(
        sku(name),
        MovementKind::Receive(units),
    )))
}

fn state_of(view: &SkuView) -> State {
    let total = |counter| view.total(counter);
    State {
        counters: Counters {
            on_hand: total(Counter::OnHand),
            reserved: total(Counter::Reserved),
            safety_stock: total(Counter::SafetyStock),
            sold: total(Counter::Sold),
            shipped: total(Counter::Shipped),
            returned: total(Counter::Returned),
            damaged: total(Counter::Damaged),
            received: total(Counter::Received),
            returns_received: total(Counter::ReturnsReceived),
            adjusted: total(Counter::Adjusted),
            transferred: total(Counter::Transferred),
            written_off: total(Counter::WrittenOff),
            released: total(Counter::Released),
            expired: total(Counter::Expired),
        },
        available: view.available(),
    }
}
