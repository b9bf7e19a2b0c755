//! The demo's course: open, kill, restart, close, prove.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Failed, Options, SKU,
    book::Told,
    buyer::Sale,
    crowd::draw_crowd,
    proof::{Seen, prove},
    report::{Crash, Report, Times},
    server::{Place, Server},
};
use crate::{
    client::{
        Call, Client, Failure, Patience,
        wire::{Problem, Sku},
    },
    progress::{Progress, Show, struck, ticked},
    show::{Paint, count, counted, seconds},
};

/// Buyers at the counter at once; as many connections.
const COUNTERS: usize = 128;
/// Buyers at the tills at once: who pays doesn't queue behind those who come.
const TILLS: usize = 64;
/// How far into the rush the server is killed.
const KILL_AT: f64 = 0.2;
/// How long nobody notices.
const DEAD_FOR: Duration = Duration::from_millis(500);
/// Between two looks at the counters.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Plays the demo.
pub async fn run(options: Options) -> Result<Report, Failed> {
    tokio::select! {
        ended = play(&options) => ended,
        () = interrupted() => Err(Failed::Interrupted),
    }
}

async fn play(options: &Options) -> Result<Report, Failed> {
    let began = Instant::now();
    let say = Narrator {
        show: options.show,
        paint: Paint::stderr(),
    };
    say.title(options);
    let place = Place::new(&options.binary, options.afterwards)?;
    let server = place.start(None).await?;
    let (pid, data) = (server.ready.pid, &server.ready.data);
    let (took, path) = (seconds(server.took), place.data().display().to_string());
    say.done(
        "server started",
        &format!("pid {pid} on http://{data}, data in {path}  {took}"),
    );

    let target = server
        .ready
        .data
        .parse()
        .expect("a socket address is a target");
    let client = Arc::new(Client::new(target, Patience::default()));
    set_up(&client, options.units).await?;
    say.done(
        "shelf filled",
        &format!("{} of {SKU}", counted(options.units, "unit")),
    );

    let sale = Sale {
        client: Arc::clone(&client),
        book: Arc::default(),
        latencies: Arc::default(),
        counters: Arc::new(Semaphore::new(COUNTERS)),
        tills: Arc::new(Semaphore::new(TILLS)),
        opens: Instant::now(),
    };
    let watch = Arc::new(Watch::new(options));
    let (server, crash) = sell(options, &sale, &watch, &place, server, say).await?;
    let sale_took = sale.opens.elapsed();
    let told = sale.book.close();

    let seen = look_back(options, &sale, &told, &watch).await?;
    let stopped = server.stop(&place).await?;
    let verified = place.verify().await?;
    say.done("server stopped", "holdfast verify has read its directory");
    let findings = prove(options, &told, &seen, stopped.code(), verified);
    let times = Times {
        sale: sale_took,
        all: began.elapsed(),
    };
    let kept = place.kept().map(|path| path.display().to_string());
    Ok(Report::new(
        options,
        &told,
        &seen,
        crash,
        &client,
        &sale.latencies,
        findings,
        times,
        kept,
    ))
}

/// The sale with the crash in its middle; returns the second server.
async fn sell(
    options: &Options,
    sale: &Sale,
    watch: &Arc<Watch>,
    place: &Place,
    server: Server,
    say: Narrator,
) -> Result<(Server, Crash), Failed> {
    let progress = Progress::bar(options.show, "buyers", options.buyers as u64);
    let progress = Arc::new(progress);
    let mut buyers = JoinSet::new();
    for buyer in draw_crowd(options.buyers, options.rush, options.seed) {
        let (sale, progress) = (sale.clone(), Arc::clone(&progress));
        buyers.spawn(async move {
            let ended = sale.play(&buyer).await;
            progress.inc(1);
            ended
        });
    }
    let mut watching = JoinSet::new();
    watching.spawn(Arc::clone(watch).look_on(Arc::clone(&sale.client), Arc::clone(&progress)));

    sleep_until(sale.opens + options.rush.mul_f64(KILL_AT)).await;
    let (acknowledged, at_the_counter) = sale.book.kill();
    let first_pid = server.ready.pid;
    let dead_since = Instant::now();
    let ready = server.kill().await?;
    progress.line(&struck(
        say.paint,
        &format!("kill -9 {first_pid}"),
        &format!(
            "{} reservations acknowledged, {} buyers waiting for an answer",
            count(acknowledged),
            count(at_the_counter)
        ),
    ));
    sleep(DEAD_FOR).await;
    let server = place.start(Some(&ready)).await?;
    let away = dead_since.elapsed();
    let crash = Crash {
        acknowledged,
        at_the_counter,
        away_seconds: away.as_secs_f64(),
        recovery_seconds: server.took.as_secs_f64(),
    };
    progress.line(&ticked(
        say.paint,
        "server restarted",
        &format!(
            "pid {} on the same directory and port after {}",
            server.ready.pid,
            seconds(away)
        ),
    ));
    while let Some(ended) = buyers.join_next().await {
        ended.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
    }
    watching.shutdown().await;
    progress.finish(&format!("{} have gone home", count(options.buyers as u64)));
    Ok((server, crash))
}

async fn set_up(client: &Client, units: u64) -> Result<(), Failed> {
    let made = client.configure(SKU, &json!({})).await?;
    made.result.map_err(|problem| refused(&problem))?;
    let movement = json!({ "kind": "receive", "qty": units, "reason": "the drop" });
    let path = format!("/v1/skus/{SKU}/movements");
    let received = client
        .say::<serde_json::Value>(&Call::post(path, "the-drop".to_owned(), &movement))
        .await?;
    received
        .result
        .map_err(|problem| refused(&problem))
        .map(drop)
}

fn refused(problem: &Problem) -> Failed {
    let Problem {
        status,
        code,
        detail,
        ..
    } = problem;
    Failed::SetUp {
        status: *status,
        code: code.clone(),
        detail: detail.clone(),
    }
}

/// After the sale: the counters, every acknowledged reservation, and every reserve once more.
async fn look_back(
    options: &Options,
    sale: &Sale,
    told: &Told,
    watch: &Watch,
) -> Result<Seen, Failed> {
    let total = 2 * told.account.held.len();
    let progress = Progress::bar(options.show, "reading back, repeating", total as u64);
    let said = sale.client.sku(SKU).await?;
    let sku: Sku = said.result.map_err(|problem| refused(&problem))?;
    let progress = Arc::new(progress);
    let mut reading = JoinSet::new();
    for (place, (held, call)) in told.account.held.iter().zip(&told.reserves).enumerate() {
        let (sale, progress) = (sale.clone(), Arc::clone(&progress));
        let (id, call) = (held.id.clone(), call.clone());
        reading.spawn(async move {
            let counter = sale
                .counters
                .acquire()
                .await
                .expect("the semaphore is never closed");
            let answer = sale.client.reservation(&id).await?.result;
            drop(counter);
            let repeated = sale.repeat(&call, &id).await?;
            progress.inc(2);
            Ok::<_, Failure>((place, answer, repeated))
        });
    }
    let mut read_back = Vec::new();
    let mut repeated_otherwise = Vec::new();
    while let Some(read) = reading.join_next().await {
        let (place, answer, repeated) =
            read.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        read_back.push((place, answer));
        repeated_otherwise.extend(repeated);
    }
    read_back.sort_unstable_by_key(|(place, _)| *place);
    let after = sale
        .client
        .sku(SKU)
        .await?
        .result
        .map_err(|problem| refused(&problem))?;
    progress.finish(&counted(read_back.len() as u64, "reservation"));
    let (looks, oversold) = watch.result();
    Ok(Seen {
        sku,
        after,
        read_back,
        repeated_otherwise,
        looks,
        oversold,
    })
}

/// Looks at the counters while the sale runs.
#[derive(Debug)]
struct Watch {
    units: u64,
    looks: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Watch {
    fn new(options: &Options) -> Self {
        Self {
            units: options.units,
            looks: AtomicU64::new(0),
            wrong: Mutex::default(),
        }
    }

    async fn look_on(self: Arc<Self>, client: Arc<Client>, progress: Arc<Progress>) {
        let call = Call {
            method: Method::GET,
            ..Call::get(format!("/v1/skus/{SKU}"))
        };
        loop {
            sleep(LOOK_EVERY).await;
            let answer = client.walk_away(&call, Duration::from_secs(2)).await.ok();
            match answer.and_then(|answer| answer.parse::<Sku>().ok()) {
                Some(sku) => {
                    self.look(&sku);
                    let counters = sku.counters;
                    progress.note(format!(
                        "sold {} · in carts {} · free {}",
                        counters.sold, counters.reserved, sku.available
                    ));
                }
                None => progress.note("the server is away; everybody keeps trying"),
            }
        }
    }

    fn look(&self, sku: &Sku) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let (sold, held, free) = (sku.counters.sold, sku.counters.reserved, sku.available);
        if sold + held + free != self.units as i64 || free < 0 || held < 0 {
            let wrong = format!("{sold} sold + {held} held + {free} free");
            self.wrong
                .lock()
                .expect("no holder of this lock can panic")
                .push(wrong);
        }
    }

    fn result(&self) -> (u64, Vec<String>) {
        let wrong = self
            .wrong
            .lock()
            .expect("no holder of this lock can panic")
            .clone();
        (self.looks.load(Ordering::Relaxed), wrong)
    }
}

/// Tells what happens, on stderr.
#[derive(Clone, Copy, Debug)]
struct Narrator {
    show: Show,
    paint: Paint,
}

impl Narrator {
    fn title(self, options: &Options) {
        if self.show == Show::Progress {
            let title = self.paint.bold("holdfast demo");
            let (units, buyers) = (count(options.units), count(options.buyers as u64));
            eprintln!("{title}: {units} sneakers, {buyers} buyers, and one kill -9\n");
        }
    }

    fn done(self, what: &str, how: &str) {
        if self.show == Show::Progress {
            eprintln!("{}", ticked(self.paint, what, how));
        }
    }
}

/// Ctrl-C, or somebody's `kill`.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
