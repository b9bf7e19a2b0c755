//! One run from its first call to its verdict: open the target, fill it, let the buyers come, look
//! back, stop what was started, judge.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::oneshot, time::sleep};

use super::{
    conduct::conduct,
    drive::{Book, Course, Model, Worker},
    plan::Plan,
    proof::{self, Evidence, Look},
    record::{Recorded, Recorder},
    results::{self, GeneratorFacts, Machine, RunFacts, Summary},
    scenario::Scenario,
    targets::{Carrier, Choice, Profile, Stocking, Target, Trouble},
    threshold::Threshold,
    view,
    wire::Names,
};
use crate::{
    progress::{self, Progress},
    replay::reader::Unusable,
    show::counted,
};

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// What comes.
    pub scenario: Scenario,
    /// The same as it was written.
    pub text: String,
    /// Who is loaded.
    pub target: Choice,
    /// Connections of the closed model; the open model if absent.
    pub closed: Option<usize>,
    /// Threads of the generator; a half of the cores if absent.
    pub threads: Option<usize>,
    /// What is judged, the scenario's own included.
    pub thresholds: Vec<Threshold>,
    /// Whether arrivals that could not be sent are let pass.
    pub drops_allowed: bool,
    /// When it begins: names the run's things, so that every run has its own.
    pub now: Timestamp,
    /// How long counters may lag behind the answers before a difference counts.
    pub lag_max: Duration,
    /// Whether the run is shown while it goes on, and how.
    pub show: view::Show,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// All of it in figures.
    pub summary: Summary,
    /// What was recorded.
    pub recorded: Recorded,
    /// Where the data lies that speaks against a claim.
    pub kept: Option<PathBuf>,
    /// Whether somebody ended it early.
    pub ended_early: bool,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The basket file.
    #[error(transparent)]
    Baskets(#[from] Unusable),
    /// The target.
    #[error(transparent)]
    Target(#[from] Trouble),
    /// A kill was asked of a server that isn't ours to kill.
    #[error(
        "{scenario} kills its server, which only --spawn can; use --spawn or leave [[kills]] out"
    )]
    Kills {
        /// The scenario.
        scenario: String,
    },
    /// Somebody ended it while its target was being made ready.
    #[error("ended before the first buyer came")]
    EndedBefore,
}

/// The interval in which figures are shown.
const INTERVAL: Duration = Duration::from_millis(250);
/// Hot SKUs that are watched.
const WATCHED_MAX: usize = 4;
/// The proof waits at most so long for holds to end.
const HOLDS_END_MAX: Duration = Duration::from_secs(30);
/// Calls under way at once while it looks back, and how long each may take.
const LOOK_PLACES: usize = 64;
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
const THREADS_MAX: usize = 4;
/// Between two looks at whether to end, while there are no buyers yet.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs; `stop`, once set, ends it early.
pub async fn run(options: &Options, stop: &Arc<AtomicBool>) -> Result<Ran, Failed> {
    let scenario = &options.scenario;
    if !scenario.kills.is_empty() && !matches!(options.target, Choice::Spawn { .. }) {
        let scenario = scenario.name.clone();
        return Err(Failed::Kills { scenario });
    }
    let plan = Arc::new(Plan::new(scenario, scenario.seed)?);
    let opening = Target::open(&options.target, profile(scenario));
    let mut target = unless(stop, opening).await?;
    let names = names(&plan, &target, options.now);
    let stocked = unless(stop, async {
        let before = target.states(&names).await?;
        target.stock(&names, stocking(scenario)).await?;
        Ok(before)
    });
    let before = match stocked.await {
        Err(ended @ Failed::EndedBefore) => {
            target.abandon().await;
            return Err(ended);
        }
        stocked => stocked?,
    };

    let load = Load::prepare(options, &plan, &names, &target)?;
    let mut played = play(load, options, &plan, &names, &mut target, stop).await?;
    let ended_early = stop.load(Ordering::Relaxed);
    played.facts.notes = notes(options, ended_early);
    let Played {
        book,
        recorded,
        facts,
    } = played;

    let nothing = Look::default();
    let Stocking {
        units,
        customer_limit,
    } = stocking(scenario);
    let evidence = Evidence {
        plan: &plan,
        names: &names,
        book: &book,
        units,
        customer_limit,
        before: &before,
        look: &nothing,
        ledgers: None,
        ran_ms: recorded.elapsed.as_millis() as u64,
    };
    let patience = proof::Patience {
        holds_end_in: holds_end_in(scenario),
        lag_max: options.lag_max,
    };
    let proving = Progress::spinner(progress(options.show), "the proof");
    proving.note("waiting for the last holds to end, then reading back");
    let carrier = target.carrier(&names, LOOK_PLACES, LOOK_TIMEOUT)?;
    let look = proof::look(&target, carrier, &evidence, patience).await?;
    let ledgers = target.close().await?;
    let evidence = Evidence {
        look: &look,
        ledgers: ledgers.as_ref(),
        ..evidence
    };
    let summary = Summary::new(&facts, &recorded, proof::judge(&evidence));
    let read_back = counted(evidence.book.entries.len() as u64, "reservation");
    proving.finish(&format!("{read_back} held against the server"));
    let kept = match ledgers {
        Some(ledgers) if summary.is_broken() => Some(ledgers.keep()),
        _ => None,
    };
    Ok(Ran {
        summary,
        recorded,
        kept,
        ended_early,
    })
}

/// Waits for `ready`, unless `stop` is set meanwhile.
async fn unless<T>(
    stop: &AtomicBool,
    ready: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Failed> {
    let stopped = async {
        while !stop.load(Ordering::Relaxed) {
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        () = stopped => Err(Failed::EndedBefore),
        ready = ready => Ok(ready?),
    }
}

/// Whoever sees the run sees that it is being proved.
fn progress(show: view::Show) -> progress::Show {
    match show {
        view::Show::Nothing => progress::Show::Nothing,
        view::Show::Lines | view::Show::Screen => progress::Show::Progress,
    }
}

/// The load itself, before it is proved.
struct Played {
    book: Book,
    recorded: Recorded,
    facts: RunFacts,
}

/// Lets the buyers come, shows how it goes, and gathers what they came back with.
async fn play(
    load: Load,
    options: &Options,
    plan: &Arc<Plan>,
    names: &Names,
    target: &mut Target,
    stop: &Arc<AtomicBool>,
) -> Result<Played, Failed> {
    let (recorder, threads, start) = (Arc::clone(&load.recorder), load.threads, load.start);
    let watched = &names.skus[..load.watched];
    let title = title(options, target);
    let view = view::start(Arc::clone(&recorder), title, options.show, Arc::clone(stop));
    let (told, mut ended) = oneshot::channel();
    load.begin(plan, stop, told);
    let scenario = plan.scenario();
    let conducted = conduct(target, scenario, watched, start, &recorder, &mut ended).await;
    view.stop();
    if conducted.is_err() {
        // Nobody hears the buyers any more.
        stop.store(true, Ordering::Relaxed);
    }
    let Ended { book, cpu } = conducted?;
    let is_apart = !matches!(options.target, Choice::InProcess { .. });
    let facts = RunFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server_version: target
            .is_own()
            .then(|| env!("CARGO_PKG_VERSION").to_owned()),
        seed: scenario.seed,
        machine: Machine::here(),
        started_at: options.now.to_string(),
        scenario_name: scenario.name.clone(),
        scenario: serde_json::to_value(scenario).unwrap_or_default(),
        scenario_text: options.text.clone(),
        arrivals_s: scenario.seconds(),
        target: target.words(),
        model: match options.closed {
            None => results::Model::Open,
            Some(connections) => results::Model::Closed { connections },
        },
        drops_allowed: options.drops_allowed,
        generator: GeneratorFacts {
            threads,
            cpu_s: is_apart.then_some(cpu),
        },
        counts: counts(&book, scenario),
        thresholds: options.thresholds.clone(),
        retention: retention(scenario, target.is_own()),
        notes: Vec::new(),
    };
    Ok(Played {
        book,
        recorded: recorder.finish(),
        facts,
    })
}

const fn stocking(scenario: &Scenario) -> Stocking {
    Stocking {
        units: scenario.stock.units,
        customer_limit: scenario.stock.customer_limit,
    }
}

fn title(options: &Options, target: &Target) -> view::Title {
    view::Title {
        scenario: options.scenario.name.clone(),
        target: target.words(),
        model: match options.closed {
            None => "open".to_owned(),
            Some(connections) => format!("closed, {}", counted(connections as u64, "connection")),
        },
        planned: Some(Duration::from_secs_f64(options.scenario.seconds())),
    }
}

/// The generator, ready to begin.
struct Load {
    carriers: Vec<Carrier>,
    recorder: Arc<Recorder>,
    model: Model,
    threads: usize,
    watched: usize,
    start: Instant,
}

/// What the generator came back with.
#[derive(Debug, Default)]
pub(super) struct Ended {
    book: Book,
    /// Seconds of processor time.
    cpu: f64,
}

impl Load {
    fn prepare(
        options: &Options,
        plan: &Plan,
        names: &Names,
        target: &Target,
    ) -> Result<Self, Failed> {
        let scenario = plan.scenario();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let places = options
            .closed
            .unwrap_or(scenario.arrivals.connections_max as usize);
        let wanted = options.threads.unwrap_or((cores / 2).min(THREADS_MAX));
        let threads = wanted.clamp(1, places.max(1));
        let timeout = Duration::from_millis(scenario.client.timeout_ms);
        let carriers: Result<Vec<Carrier>, Trouble> = (0..threads)
            .map(|at| {
                let share = places / threads + usize::from(at < places % threads);
                target.carrier(names, share, timeout)
            })
            .collect();
        let watched = names.skus.len().min(WATCHED_MAX);
        let start = Instant::now();
        let recorder = Recorder::new(start, INTERVAL, names.skus[..watched].to_vec());
        Ok(Self {
            carriers: carriers?,
            recorder: Arc::new(recorder),
            model: options.closed.map_or(Model::Open, |_| Model::Closed),
            threads,
            watched,
            start,
        })
    }

    /// Lets the buyers come, on threads of their own; `told` hears when the last has gone.
    fn begin(self, plan: &Arc<Plan>, stop: &Arc<AtomicBool>, told: oneshot::Sender<Ended>) {
        let of = self.carriers.len() as u32;
        let mut workers = Vec::new();
        for (own, carrier) in (0..of).zip(self.carriers) {
            let course = Course {
                plan: Arc::clone(plan),
                model: self.model,
                start: self.start,
                worker: (own, of),
                stop: Arc::clone(stop),
            };
            let worker = Worker::new(course, carrier, self.recorder.worker());
            workers.push(thread::spawn(move || {
                let (book, _carrier) = worker.run();
                (book, thread_seconds())
            }));
        }
        thread::spawn(move || {
            let mut ended = Ended::default();
            for worker in workers {
                match worker.join() {
                    Ok((book, cpu)) => {
                        ended.book.join(book);
                        ended.cpu += cpu;
                    }
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            // Where nobody waits any more, nobody has to know.
            let _ = told.send(ended);
        });
    }
}

/// Seconds of processor time this thread took.
fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

const fn profile(scenario: &Scenario) -> Profile {
    Profile {
        retention_ms: scenario.server.retention_ms,
        ttl_ms: scenario.buyers.ttl_ms,
        shards: scenario.server.shards,
    }
}

fn names(plan: &Plan, target: &Target, now: Timestamp) -> Names {
    let run = format!("load-{:x}-{:x}", now.as_microsecond(), std::process::id());
    let sku = |number| format!("{run}-{number}");
    Names {
        skus: (0..plan.skus()).map(sku).collect(),
        host: target.host(),
        ttl_ms: plan.scenario().buyers.ttl_ms,
        run,
    }
}

/// How long after the last buyer holds may still be open: one lifetime, and what an outage adds.
fn holds_end_in(scenario: &Scenario) -> Duration {
    let down: u64 = scenario.kills.iter().map(|kill| kill.down_ms + 2_000).sum();
    let longest = Duration::from_millis(scenario.buyers.ttl_ms + down + 2_000);
    longest.min(HOLDS_END_MAX)
}

fn counts(book: &Book, scenario: &Scenario) -> BTreeMap<String, u64> {
    let of = book.counts;
    let named = [
        ("reservations", book.entries.len() as u64),
        ("retries", of.retries),
        ("duplicates", of.duplicates),
        ("replays_compared", of.replays),
        ("confirms_after_final_refusal", of.probes),
        ("buyers_abandoned", of.abandoned),
        ("calls_given_up", of.gave_up),
        ("reserves_unanswered", book.unanswered.len() as u64),
        ("kills", scenario.kills.len() as u64),
    ];
    named.map(|(name, count)| (name.to_owned(), count)).into()
}

fn retention(scenario: &Scenario, is_own: bool) -> String {
    if !is_own {
        return "as the server is configured; the proof finds what it has forgotten gone"
            .to_owned();
    }
    let kept = counted(scenario.server.retention_ms / 1_000, "second");
    format!(
        "the load profile keeps ended reservations, orders and keys for {kept} only, in place of a \
         day and a week: a million reservations a second kept for a day fit no memory"
    )
}

fn notes(options: &Options, ended_early: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if options.closed.is_some() {
        notes.push(
            "closed model: a slow server is asked less often, so latencies leave out the wait of \
             buyers who could not even ask"
                .to_owned(),
        );
    }
    if matches!(options.target, Choice::InProcess { .. }) {
        notes.push(
            "in process: generator and engine share the processors, and nothing passes HTTP"
                .to_owned(),
        );
    }
    if ended_early {
        notes.push(
            "ended early by an interrupt: buyers under way were left where they stood".to_owned(),
        );
    }
    notes
}
