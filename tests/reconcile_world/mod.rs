//! A whole runtime with its reconciliations, on a temporary directory and with a clock of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast::backend::settings;
use holdfast::config::{Bytes, Config, Durability, OrAuto};
use holdfast::reconcile::{AsOf, Desk, Reconciler, Report, Source, Wanted};
use holdfast_core::{
    Answer, Command, Configure, Confirm, DecideDrift, FromHome, Late, Location, Millis, Movement,
    MovementKind, ReservationId, Reserve, ReserveLine, Sale, SaleLines, Sku, Text, Timestamp,
    Units, Verdict,
};
use holdfast_runtime::clock::Hands;
use holdfast_runtime::{Clock, Deadline, Operation, Router, Runtime};
use tempfile::TempDir;
use tokio::time::sleep;

/// 2026-11-22T15:30:00Z.
pub(crate) const START_MS: u64 = 1_795_361_400_000;

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) config: Config,
    pub(crate) runtime: Runtime,
    pub(crate) hands: Hands,
    pub(crate) reconciler: Reconciler,
}

pub(crate) fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a name")
}

pub(crate) fn text(text: &str) -> Text {
    Text::parse(text).expect("a text")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config::default();
        config.data.dir = directory.path().join("data");
        config.data.durability = Durability::Os;
        config.data.cache_bytes = Bytes(1 << 20);
        config.shards.count = OrAuto::Set(1);
        config.reservations.reservations_max = OrAuto::Set(10_000);
        change(&mut config);
        Self::over(directory, config, START_MS).await
    }

    pub(crate) async fn over(directory: TempDir, config: Config, at: u64) -> Self {
        let (clock, hands) = Clock::manual(Timestamp::from_ms(at));
        let mut settings = settings(&config);
        settings.clock = Some(clock);
        let runtime = Runtime::start(settings).await.expect("the ledgers open");
        let reconciler = Reconciler::open(&config, &runtime.router()).expect("the folders");
        Self {
            directory,
            config,
            runtime,
            hands,
            reconciler,
        }
    }

    /// The server ends, as a stop of the machine would have it, and starts again.
    pub(crate) async fn again(self) -> Self {
        self.reconciler.stop();
        let now = self.router().now().ms();
        self.runtime.drain(Duration::from_secs(5)).await;
        Self::over(self.directory, self.config, now).await
    }

    pub(crate) fn router(&self) -> Router {
        self.runtime.router()
    }

    pub(crate) fn desk(&self) -> Desk {
        self.reconciler.desk()
    }

    pub(crate) async fn does(&self, command: Command) -> Answer {
        self.hands.advance(Millis::new(10));
        let deadline = Deadline::within(Duration::from_secs(10));
        let operation = Operation::of(command);
        let told = self.router().execute(operation, deadline).await;
        told.expect("the runtime answers")
    }

    pub(crate) async fn moves(&self, name: &str, location: &str, kind: MovementKind) {
        let movement = Movement {
            location: Location::parse(location).expect("a name"),
            ..Movement::new(sku(name), kind)
        };
        let answer = self.does(Command::Movement(Box::new(movement))).await;
        assert!(matches!(answer, Answer::Movement { .. }), "{answer:?}");
    }

    pub(crate) async fn stocks(&self, name: &str, location: &str, units: u32) {
        self.does(Command::Configure(Box::new(plain(name)))).await;
        let units = Units::new(units).expect("some");
        self.moves(name, location, MovementKind::Receive(units))
            .await;
    }

    /// The same for many, each on its own.
    pub(crate) async fn stocks_all(&self, names: &[String], units: u32) {
        let units = Units::new(units).expect("some");
        let deadline = Deadline::within(Duration::from_secs(30));
        for command in [0, 1] {
            let operations = names.iter().map(|name| {
                let receive = Movement::new(sku(name), MovementKind::Receive(units));
                let command = match command {
                    0 => Command::Configure(Box::new(plain(name))),
                    _ => Command::Movement(Box::new(receive)),
                };
                Operation::of(command)
            });
            let told = self.router().batch(operations.collect(), deadline).await;
            assert!(told.iter().all(Result::is_ok), "a shard is busy");
        }
    }

    /// Goods of a reservation leave.
    pub(crate) async fn ships_for(&self, id: ReservationId, name: &str, units: u32) {
        let kind = MovementKind::Ship {
            units: Units::new(units).expect("some"),
            sale: Some(Box::new(Sale {
                id,
                lines: SaleLines::Here,
            })),
        };
        self.moves(name, "main", kind).await;
    }

    pub(crate) async fn holds(&self, order: &str, name: &str, units: u32) -> ReservationId {
        let reserve = Reserve {
            id: ReservationId::UNMINTED,
            order_ref: Some(text(order)),
            customer: None,
            ttl: Some(Millis::from_secs(600)),
            mode: holdfast_core::Mode::AllOrNothing,
            replace: None,
            lines: std::iter::once(ReserveLine {
                sku: sku(name),
                units: Units::new(units).expect("some"),
                location: None,
            })
            .collect(),
        };
        match self.does(Command::Reserve(Box::new(reserve))).await {
            Answer::Reservation { view, .. } => view.id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn sells(&self, order: &str, name: &str, units: u32) -> ReservationId {
        let id = self.holds(order, name, units).await;
        let confirm = Confirm {
            id,
            lines: None,
            late: Late::Refuse,
            payment_ref: None,
        };
        let answer = self.does(Command::Confirm(Box::new(confirm))).await;
        assert!(matches!(answer, Answer::Reservation { .. }), "{answer:?}");
        id
    }

    /// Hands a file in and waits for its end.
    pub(crate) async fn compares(&self, source: Source, as_of: Option<AsOf>, file: &str) -> Report {
        self.hands.advance(Millis::new(10));
        let wanted = Wanted {
            as_of,
            ..wanted(source)
        };
        let order = self.desk().take(&wanted).await.expect("it is taken");
        let length = self.desk().append(&order.id, 0, file.as_bytes());
        assert_eq!(length.expect("it is kept"), file.len() as u64);
        self.desk().seal(&order.id).expect("it is kept");
        self.desk().start(&order.id).expect("it starts");
        self.ended(&order.id).await
    }

    pub(crate) async fn ended(&self, id: &str) -> Report {
        self.until(id, |report| report.state.has_ended()).await
    }

    /// Its report, once it is so.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Report) -> bool) -> Report {
        for _ in 0..3_000 {
            let (_, report) = self.desk().report(id).expect("it is known");
            if is_so(&report) {
                return report;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the reconciliation did not come so far");
    }

    pub(crate) async fn decides(&self, drift: &str, name: &str, verdict: Verdict) -> Answer {
        let decide = DecideDrift {
            id: ReservationId::parse(drift).expect("an id"),
            sku: sku(name),
            movement: ReservationId::UNMINTED,
            verdict,
            reason: Some(text("looked at")),
            home: FromHome::Here,
        };
        self.does(Command::DecideDrift(Box::new(decide))).await
    }

    /// Approves all that was found and can be.
    pub(crate) async fn approves(&self, report: &Report) {
        for found in &report.found {
            let answer = self
                .decides(&found.drift, &found.sku, Verdict::Approve)
                .await;
            assert!(
                matches!(answer, Answer::Drift { .. }),
                "{found:?}: {answer:?}"
            );
        }
    }
}

/// A SKU with nothing set.
fn plain(name: &str) -> Configure {
    Configure::new(sku(name))
}

pub(crate) fn wanted(source: Source) -> Wanted {
    Wanted {
        source,
        by: None,
        document: None,
        as_of: None,
        since: None,
        rows: None,
        trace: None,
    }
}

/// Kind, SKU, expected, found and proposal of everything found.
pub(crate) fn told(report: &Report) -> BTreeSet<String> {
    let found = report.found.iter();
    let line = |found: &holdfast::reconcile::Difference| {
        let (kind, sku, proposal) = (&found.kind, &found.sku, &found.proposal);
        format!("{kind} {sku} {}→{} {proposal}", found.expected, found.found)
    };
    found.map(line).collect()
}

pub(crate) fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
