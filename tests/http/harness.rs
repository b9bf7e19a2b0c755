//! A whole service in this process: a runtime on a temporary directory, both listeners on free
//! ports and a Unix socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast::backend::{Stock, settings};
use holdfast::config::{Config, FileMode, OrAuto};
use holdfast::events::{Deliveries, EventSettings, Events};
use holdfast::http::probes::{Health, Stage};
use holdfast::http::{
    Api, Bounds, Edge, EventBounds, Imports, Limits, Operator, Phase, Shards, Socket, admin_routes,
    data_routes, serve,
};
use holdfast::reconcile::Reconciler;
use holdfast_core::{Millis, Timestamp};
use holdfast_runtime::clock::Hands;
use holdfast_runtime::{Clock, Runtime};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::talk::Talk;

/// 2026-11-22T15:30:00Z, where every story begins.
pub(crate) const START_MS: u64 = 1_795_361_400_000;

/// A running service; dropping it leaves the tasks to the end of the test's runtime.
pub(crate) struct Service {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) health: Arc<Health>,
    pub(crate) runtime: Runtime,
    hands: Hands,
    templates: Vec<&'static str>,
    phase: watch::Sender<Phase>,
    listening: Vec<JoinHandle<()>>,
    events: Events,
    deliveries: Deliveries,
    reconciler: Reconciler,
    pub(crate) directory: TempDir,
}

/// The defaults, but small, on free ports and without waiting for a disk.
pub(crate) fn config(directory: &TempDir) -> Config {
    let mut config = Config::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.http.admin_listen = config.http.listen;
    config.http.uds = Some(directory.path().join("socket"));
    config.data.dir = directory.path().join("data");
    config.data.durability = holdfast::config::Durability::Os;
    config.data.cache_bytes = holdfast::config::Bytes(1 << 20);
    config.shards.count = OrAuto::Set(2);
    config.shards.permits_per_shard = 8_192;
    config.shards.permits_config_per_shard = 256;
    config.reservations.reservations_max = OrAuto::Set(10_000);
    config
}

impl Service {
    /// Starts with the defaults.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with other bounds.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self::start_in(directory, change).await
    }

    /// Starts in a directory that an earlier service has left.
    pub(crate) async fn start_in(directory: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&directory);
        change(&mut config);
        let health = Health::new();
        let shards = Shards::default();
        let operator = Operator::new(Arc::clone(&health), shards.clone());
        let phase = watch::Sender::new(Phase::Serving);
        let mut listening = Vec::new();

        let admin = Socket::tcp(config.http.admin_listen).expect("a free port");
        let admin_address = admin.address().expect("a TCP socket");
        let mounted = admin_routes(operator);
        let mut templates = mounted.templates().to_vec();
        let edge = Edge::new("admin", mounted, Limits::of_admin(&config.http));
        health.add_listener(Arc::clone(edge.metrics()));
        listening.push(tokio::spawn(serve(admin, edge, phase.subscribe())));

        let (clock, hands) = Clock::manual(Timestamp::from_ms(START_MS));
        let mut settings = settings(&config);
        settings.clock = Some(clock);
        let runtime = Runtime::start(settings.clone())
            .await
            .expect("the ledgers open");
        let stock = Arc::new(Stock::new(runtime.router(), &settings));
        let api = Api::new(
            runtime.router(),
            Bounds::of(&config.http),
            Imports::new(&config),
        );
        let events = EventSettings::of(&config.events);
        let events = Events::start(runtime.router(), &events).await;
        let events = events.expect("threads can be started");
        api.set_events(events.clone(), EventBounds::of(&config.events));
        let deliveries = Deliveries::start(&events, &config.data.dir, &config.events);
        let deliveries = deliveries.expect("the directory is ours");
        api.set_deliveries(deliveries.clone());
        let reconciler = Reconciler::open(&config, &runtime.router()).expect("its folder");
        api.set_reconciliations(reconciler.desk());
        health.set_backend(stock);
        health.set_operations(Arc::clone(api.operations()));
        shards.set(api.clone(), None);

        let data = Socket::tcp(config.http.listen).expect("a free port");
        let data_address = data.address().expect("a TCP socket");
        let mounted = data_routes(api);
        templates.extend(mounted.templates());
        let edge = Edge::new("data", mounted, Limits::of_data(&config.http));
        health.add_listener(Arc::clone(edge.metrics()));
        let socket = config.http.uds.clone().expect("set above");
        let unix = Socket::unix(&socket, FileMode(0o600)).expect("the directory is ours");
        listening.push(tokio::spawn(serve(
            data,
            Arc::clone(&edge),
            phase.subscribe(),
        )));
        listening.push(tokio::spawn(serve(unix, edge, phase.subscribe())));
        health.enter(Stage::Serving);
        Self {
            data: data_address,
            admin: admin_address,
            socket,
            health,
            runtime,
            hands,
            templates,
            phase,
            listening,
            events,
            deliveries,
            reconciler,
            directory,
        }
    }

    /// Time goes on; it does so in no other way.
    pub(crate) fn advance(&self, ms: u64) {
        self.hands.advance(Millis::new(ms));
    }

    /// The paths of both listeners.
    pub(crate) fn templates(&self) -> Vec<&'static str> {
        self.templates.clone()
    }

    /// Two SKUs that live on different shards.
    pub(crate) fn skus_of_two_shards(&self) -> [String; 2] {
        let mut names = (1..).map(|number| format!("SKU-{number}"));
        let first = "SKU-0".to_owned();
        let other = names
            .find(|name| self.shard_of(name) != self.shard_of(&first))
            .expect("there are two shards");
        [first, other]
    }

    /// Where a SKU lives.
    pub(crate) fn shard_of(&self, sku: &str) -> u16 {
        let sku = holdfast_core::Sku::parse(sku).expect("a good name");
        self.runtime.router().placement().shard_of_sku(&sku)
    }

    /// A connection to the data listener.
    pub(crate) async fn talk(&self) -> Talk {
        Talk::tcp(self.data).await
    }

    /// Ends as the service does: listeners first, then the stock. Gives back the directory.
    pub(crate) async fn stop(self) -> TempDir {
        self.phase.send_replace(Phase::Closed);
        for task in self.listening {
            task.await.expect("a listener ends by itself");
        }
        self.reconciler.stop();
        self.deliveries.stop().await;
        self.events.stop();
        self.runtime.drain(Duration::from_secs(10)).await;
        self.directory
    }

    /// Ends, and leaves no byte of the ledger that has `sku` as it was. Gives back the directory and
    /// the shard.
    pub(crate) async fn stop_and_damage(self, sku: &str) -> (TempDir, u16) {
        let damaged = self.shard_of(sku);
        let directory = self.stop().await;
        let ledger = format!("data/shard-{damaged:02}/ledger.redb");
        let ledger = directory.path().join(ledger);
        let length = std::fs::metadata(&ledger)
            .expect("the shard has a ledger")
            .len();
        std::fs::write(&ledger, vec![0x5a; length as usize]).expect("the directory is ours");
        (directory, damaged)
    }
}
