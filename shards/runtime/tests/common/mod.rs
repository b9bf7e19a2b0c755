//! A runtime in a directory of its own, commands for it, and a disk that waits or fails.

#![allow(dead_code, reason = "no test needs all of it")]

use holdfast_core::{
    Answer, Command, Configure, Confirm, KeyTag, Late, Millis, Mode, Movement, MovementKind,
    MovementView, Patch, Refusal, Release, ReservationId, ReservationView, Reserve, ReserveLine,
    Sku, Text, Timestamp, Units,
};
use holdfast_ledger::{DataDir, Ledger, LedgerError, Options};
use holdfast_runtime::{
    Deadline, LedgerSource, Ledgers, Operation, Router, Runtime, Settings, ShardIndex, ShardState,
    Told,
};
use redb::StorageBackend;
use redb::backends::FileBackend;
use smallvec::smallvec;
use std::fs::OpenOptions;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// Settings for a directory of one shard.
pub(crate) fn settings(dir: &TempDir, shards: u16) -> Settings {
    let mut settings = Settings::new(dir.path().join("data"));
    settings.default_shards = shards;
    settings.data.cache_bytes = 4 << 20;
    settings.restart.pause_min = Duration::from_millis(1);
    settings.restart.pause_max = Duration::from_millis(20);
    settings
}

pub(crate) async fn start(settings: &Settings) -> Runtime {
    Runtime::start(settings.clone())
        .await
        .expect("the runtime starts")
}

pub(crate) fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(10))
}

pub(crate) fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a name")
}

pub(crate) fn text(text: &str) -> Text {
    Text::parse(text).expect("a text")
}

/// A SKU's name that lives on this shard.
pub(crate) fn sku_on(router: &Router, shard: ShardIndex) -> Sku {
    let names = (0..).map(|n| sku(&format!("SKU-{n}")));
    let mut own = names.filter(|sku| router.placement().shard_of_sku(sku) == shard);
    own.next().expect("hashes reach every shard")
}

pub(crate) fn key(number: u64) -> KeyTag {
    KeyTag {
        hash: [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number],
        content: 1,
    }
}

pub(crate) const fn plain(command: Command) -> Operation {
    Operation::of(command)
}

pub(crate) const fn keyed(number: u64, command: Command) -> Operation {
    let hash = [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number];
    Operation::keyed(Some(KeyTag { hash, content: 1 }), command)
}

pub(crate) fn reserve(sku: &Sku, units: u32) -> Command {
    Command::Reserve(Box::new(Reserve {
        id: ReservationId::UNMINTED,
        order_ref: None,
        customer: None,
        ttl: None,
        mode: Mode::AllOrNothing,
        replace: None,
        lines: smallvec![line(sku, units)],
    }))
}

pub(crate) fn reserve_for(sku: &Sku, units: u32, order: &str, customer: &str) -> Command {
    let Command::Reserve(mut made) = reserve(sku, units) else {
        unreachable!("it is a reserve")
    };
    made.order_ref = Some(text(order));
    made.customer = Some(text(customer));
    Command::Reserve(made)
}

pub(crate) fn reserve_ttl(sku: &Sku, units: u32, ttl: Millis) -> Command {
    let Command::Reserve(mut made) = reserve(sku, units) else {
        unreachable!("it is a reserve")
    };
    made.ttl = Some(ttl);
    Command::Reserve(made)
}

pub(crate) fn line(sku: &Sku, units: u32) -> ReserveLine {
    let units = Units::new(units).expect("a quantity");
    ReserveLine {
        sku: sku.clone(),
        units,
        location: None,
    }
}

pub(crate) fn confirm(id: ReservationId) -> Command {
    Command::Confirm(Box::new(Confirm {
        id,
        lines: None,
        late: Late::Refuse,
        payment_ref: None,
    }))
}

pub(crate) fn release(id: ReservationId) -> Command {
    Command::Release(Box::new(Release {
        id,
        lines: None,
        reason: None,
    }))
}

pub(crate) fn receive(sku: &Sku, units: u32) -> Command {
    Command::Movement(Box::new(Movement::new(
        sku.clone(),
        MovementKind::Receive(Units::new(units).expect("a quantity")),
    )))
}

pub(crate) fn configure(sku: &Sku) -> Configure {
    Configure::new(sku.clone())
}

pub(crate) fn pause(sku: &Sku) -> Command {
    let configure = Configure {
        paused: Patch::Set(true),
        ..configure(sku)
    };
    Command::Configure(Box::new(configure))
}

/// Makes a SKU with stock.
pub(crate) async fn stock(router: &Router, sku: &Sku, units: u32) {
    let made = Command::Configure(Box::new(configure(sku)));
    router
        .execute(plain(made), soon())
        .await
        .expect("the SKU is made");
    router
        .execute(plain(receive(sku, units)), soon())
        .await
        .expect("the stock is received");
}

/// A movement at `main`.
pub(crate) fn moved(sku: &Sku, kind: MovementKind) -> Command {
    Command::Movement(Box::new(Movement::new(sku.clone(), kind)))
}

/// The movement that was answered.
pub(crate) fn movement(told: Told) -> MovementView {
    match told {
        Ok(Answer::Movement { view, .. }) => *view,
        other => panic!("expected a movement, was told {other:?}"),
    }
}

/// Three shards with a SKU of 10 each.
pub(crate) async fn three(dir: &TempDir) -> (Settings, Runtime, [Sku; 3]) {
    let settings = settings(dir, 3);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let skus = [0, 1, 2].map(|shard| sku_on(&router, shard));
    for sku in &skus {
        stock(&router, sku, 10).await;
    }
    (settings, runtime, skus)
}

/// A cart of these lines; the first one's shard is its home.
pub(crate) async fn cart(router: &Router, lines: &[(&Sku, u32)]) -> ReservationView {
    let reserve = Reserve {
        id: ReservationId::UNMINTED,
        order_ref: Some(text("order")),
        customer: None,
        ttl: None,
        mode: Mode::AllOrNothing,
        replace: None,
        lines: lines.iter().map(|(sku, units)| line(sku, *units)).collect(),
    };
    view(run(router, Command::Reserve(Box::new(reserve))).await)
}

pub(crate) async fn run(router: &Router, command: Command) -> Told {
    router.execute(plain(command), soon()).await
}

/// The reservation that was answered.
pub(crate) fn view(told: Told) -> ReservationView {
    match told {
        Ok(Answer::Reservation { view, .. }) => *view,
        other => panic!("expected a reservation, was told {other:?}"),
    }
}

/// The refusal that was answered.
pub(crate) fn refusal(told: Told) -> Refusal {
    match told {
        Ok(Answer::Refused { refusal, .. }) => *refusal,
        other => panic!("expected a refusal, was told {other:?}"),
    }
}

pub(crate) fn is_replayed(told: &Told) -> bool {
    matches!(told, Ok(Answer::Reservation { replayed: true, .. }))
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came true: {what}");
}

pub(crate) async fn until_state(router: &Router, shard: ShardIndex, state: ShardState) {
    let is_so = || router.shards()[usize::from(shard)].state == state;
    eventually(state.as_str(), is_so).await;
}

pub(crate) fn timestamp(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + ms)
}

/// What the disk of one shard is told to do.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    held: Mutex<bool>,
    moved: Condvar,
    /// Syncs fail while set.
    fails: AtomicBool,
    /// Rescues fail while set.
    rescue_fails: AtomicBool,
    pub(crate) rescues: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

impl Disk {
    /// From now on syncs wait.
    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Syncs go on.
    pub(crate) fn let_go(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.moved.notify_all();
    }

    pub(crate) fn fail(&self) {
        self.fails.store(true, Ordering::SeqCst);
        self.rescue_fails.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.fails.store(false, Ordering::SeqCst);
        self.rescue_fails.store(false, Ordering::SeqCst);
    }

    fn sync(&self) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            held = self
                .moved
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error (planted)"));
        }
        Ok(())
    }
}

/// Ledgers whose shard 0 lies on such a disk.
pub(crate) struct OnDisk(pub(crate) Arc<Disk>);

impl OnDisk {
    pub(crate) fn put_into(settings: &mut Settings) -> Arc<Disk> {
        let disk = Arc::new(Disk::default());
        settings.ledgers = LedgerSource(Arc::new(Self(Arc::clone(&disk))));
        disk
    }
}

impl Ledgers for OnDisk {
    fn open(
        &self,
        dir: &DataDir,
        shard: ShardIndex,
        options: Options,
    ) -> Result<Ledger, LedgerError> {
        let whole = dir.open_ledger(shard, options)?;
        if shard != 0 {
            return Ok(whole);
        }
        whole.close()?;
        let path = dir.ledger_path(shard);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("it was just open");
        let file = FileBackend::new(file).expect("nobody else has it");
        let backend = Watched {
            file,
            disk: Arc::clone(&self.0),
        };
        Ledger::open_with_backend(backend, &dir.identity(shard), options)
    }

    fn rescue(&self, dir: &DataDir, shard: ShardIndex) -> Result<(), LedgerError> {
        if self.0.rescue_fails.load(Ordering::SeqCst) {
            let source = io::Error::other("input/output error (planted)");
            return Err(LedgerError::Io {
                shard,
                action: "writing the rescue copy",
                source,
            });
        }
        dir.rescue(shard)?;
        self.0.rescues.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Debug)]
struct Watched {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
