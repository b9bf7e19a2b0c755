//! `holdfast load`: its flags, and what they mean.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;

use super::{Exit, fail, print};
use crate::{
    client,
    load::{
        compare,
        results::{self, Repeated, Summary},
        run::{self, Failed, Options, Ran},
        scenario::{self, BUILTINS, Scenario, Unusable},
        targets::{Choice, Trouble},
        text,
        threshold::{self, Threshold},
        view,
    },
    show::Paint,
};

/// The flags of `holdfast load`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    run: Run,
}

/// What is no run.
#[derive(Debug, Subcommand)]
enum Other {
    /// List the built-in scenarios
    List,
    /// Print a built-in scenario's file, every key explained, to copy and change
    Show {
        /// Its name
        scenario: String,
    },
    /// Say what changed between two sets of runs, beside what chance does; at least three a side
    Compare {
        /// `summary.json` of a repeated run, or several of single ones with commas between
        #[arg(value_name = "A.json", value_delimiter = ',', required = true)]
        a: Vec<PathBuf>,
        /// The other side
        #[arg(
            value_name = "B.json",
            value_delimiter = ',',
            required = true,
            num_args = 1
        )]
        b: Vec<PathBuf>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A run.
#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "these are flags")]
struct Run {
    /// A built-in scenario, or a file
    #[arg(value_name = "SCENARIO|FILE", required = true)]
    scenario: Option<String>,
    /// Load a server that is started for the run, on data of its own (the default)
    #[arg(long, group = "target")]
    spawn: bool,
    /// Load a server that is there: `http://HOST:PORT` or `unix:/PATH`
    #[arg(long, group = "target", value_name = "URL")]
    server: Option<client::Target>,
    /// Load a server at its Unix socket
    #[arg(long, group = "target", value_name = "PATH")]
    uds: Option<PathBuf>,
    /// Load the engine in this process, without HTTP
    #[arg(long, group = "target")]
    in_process: bool,
    /// The closed model: so many connections, each asks again as soon as it is answered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16_384))]
    connections: Option<u16>,
    /// Arrivals a second at the scenario's highest; all other rates in proportion
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// How long buyers arrive; all phases in proportion
    #[arg(long, value_name = "SECONDS", value_parser = positive, allow_negative_numbers = true)]
    duration: Option<f64>,
    /// Another number is another crowd
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads of the generator [default: half of the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// Run it so many times, each on stock of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: u16,
    /// Write summary.json, report.html, .hgrm files and the interval log into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where data of --spawn and --in-process goes [default: among the temporary files]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What must hold, such as `response.p99 < 20ms`, beside what the scenario says; else exit 99
    #[arg(long, value_name = "EXPR", value_parser = threshold)]
    threshold: Vec<Threshold>,
    /// Let arrivals pass that could not be sent in time
    #[arg(long)]
    allow_dropped: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Show nothing while it runs
    #[arg(long, short)]
    quiet: bool,
}

/// Parts of carts on other shards, and expiries under way, follow their answers within moments.
const LAG_MAX: Duration = Duration::from_secs(15);

const AFTER_HELP: &str = "\
Examples:
  holdfast load flash-sale
  holdfast load retry-storm --spawn --out ./results
  holdfast load hot-and-cold --server http://127.0.0.1:7070 --threshold 'response.p99 < 20ms'
  holdfast load flash-sale --repeat 5 --out ./before
  holdfast load compare before/summary.json after/summary.json

Exit codes: 98 an invariant is broken, 99 a threshold is missed; `holdfast --help` lists the others.";

/// Runs it.
pub async fn run(args: Args) -> Exit {
    match args.other {
        Some(Other::List) => list(),
        Some(Other::Show { scenario }) => show(&scenario),
        Some(Other::Compare { a, b, json }) => compare(&a, &b, json),
        None => load(args.run).await,
    }
}

fn list() -> Exit {
    let lines = BUILTINS.iter().map(|builtin| {
        let scenario = builtin.scenario();
        let (seconds, rate) = (scenario.seconds(), scenario.rate_max());
        format!(
            "{:<16} {seconds:>3.0} s, up to {rate:>5.0}/s  {}\n",
            builtin.name, scenario.about
        )
    });
    print(Exit::Success, lines.collect::<String>())
}

fn show(name: &str) -> Exit {
    match BUILTINS.iter().find(|builtin| builtin.name == name) {
        Some(builtin) => print(Exit::Success, builtin.text),
        None => fail(
            Exit::Usage,
            format!("no built-in scenario is called {name:?}; `holdfast load list` lists them"),
        ),
    }
}

fn compare(a: &[PathBuf], b: &[PathBuf], json: bool) -> Exit {
    match compare::run(a, b) {
        Err(error) => fail(Exit::Usage, error),
        Ok(comparison) if json => print_json(Exit::Success, &comparison),
        Ok(comparison) => print(Exit::Success, comparison.text(Paint::stdout())),
    }
}

fn print_json(exit: Exit, value: &impl serde::Serialize) -> Exit {
    let text = serde_json::to_string_pretty(value).expect("it has string keys and no failures");
    print(exit, format!("{text}\n"))
}

async fn load(args: Run) -> Exit {
    let name = args.scenario.clone().expect("clap requires it");
    let (scenario, text) = match scenario::find(&name) {
        Ok(found) => found,
        Err(error) => return fail(Exit::Usage, error),
    };
    let scenario = match args.adapt(scenario, &name) {
        Ok(scenario) => scenario,
        Err(error) => return fail(Exit::Usage, error),
    };
    let target = match args.choice() {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    // After the run it would be too late to learn that its results can't be kept.
    if let Some(out) = &args.out
        && let Err(error) = std::fs::create_dir_all(out)
    {
        let words = format!("can't write into {}: {error}", out.display());
        return fail(Exit::Failure, words);
    }
    let of_scenario = scenario.thresholds.iter();
    let of_scenario = of_scenario.map(|text| threshold::parse(text).expect("it was checked"));
    let thresholds = of_scenario.chain(args.threshold.iter().cloned()).collect();
    let options = Options {
        scenario,
        text,
        target,
        closed: args.connections.map(usize::from),
        threads: args.threads.map(usize::from),
        thresholds,
        drops_allowed: args.allow_dropped,
        now: started(),
        lag_max: LAG_MAX,
        show: args.show(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    // Dropped, a run kills the server that it started.
    tokio::select! {
        exit = repeat(&args, options, &stop) => exit,
        () = second_signal(&stop) => Exit::Interrupted,
    }
}

/// Runs as often as asked, writes what came of it, and judges.
async fn repeat(args: &Run, mut options: Options, stop: &Arc<AtomicBool>) -> Exit {
    let mut summaries: Vec<Summary> = Vec::new();
    let mut ended_early = false;
    for turn in 1..=args.repeat {
        options.now = started();
        let ran = match run::run(&options, stop).await {
            Ok(ran) => ran,
            Err(Failed::EndedBefore) if turn > 1 => {
                ended_early = true;
                break;
            }
            Err(failed) => return fail(exit_of(&failed), &failed),
        };
        let directory = args.out.as_ref().map(|out| match args.repeat {
            1 => out.clone(),
            _ => out.join(format!("run-{turn}")),
        });
        if let Err(exit) = finish(&ran, args, directory.as_deref()) {
            return exit;
        }
        summaries.push(ran.summary);
        ended_early |= ran.ended_early;
        if ended_early {
            break;
        }
    }
    if args.repeat > 1
        && let Some(out) = &args.out
        && let Err(error) = results::write_repeated(out, &summaries)
    {
        return fail(
            Exit::Failure,
            format!("can't write into {}: {error}", out.display()),
        );
    }
    let exit = if summaries.iter().any(Summary::is_broken) {
        Exit::InvariantBroken
    } else if ended_early {
        Exit::Interrupted
    } else if summaries.iter().any(Summary::has_missed) {
        Exit::ThresholdMissed
    } else {
        Exit::Success
    };
    match &summaries[..] {
        _ if !args.json => exit,
        [one] => print_json(exit, one),
        all => print_json(exit, &Repeated::new(all)),
    }
}

/// Writes and prints what came of one run.
fn finish(ran: &Ran, args: &Run, directory: Option<&Path>) -> Result<(), Exit> {
    if let Some(directory) = directory {
        results::write(directory, &ran.summary, &ran.recorded).map_err(|error| {
            let directory = directory.display();
            fail(
                Exit::Failure,
                format!("can't write into {directory}: {error}"),
            )
        })?;
    }
    if !args.json {
        let kept = match directory {
            Some(directory) => format!("written to {}", directory.display()),
            None => "--out DIR keeps summary.json and report.html".to_owned(),
        };
        let summary = text::summary(&ran.summary, Paint::stdout());
        match print(Exit::Success, format!("{summary}\n{kept}\n")) {
            Exit::Success => {}
            exit => return Err(exit),
        }
    }
    if let Some(kept) = &ran.kept {
        eprintln!(
            "the data that speaks against it is kept in {}",
            kept.display()
        );
    }
    Ok(())
}

impl Run {
    /// The scenario with what the flags say in place of its own.
    fn adapt(&self, mut scenario: Scenario, name: &str) -> Result<Scenario, Unusable> {
        if let Some(rate) = self.rate {
            scenario = scenario.at_rate(rate);
        }
        if let Some(seconds) = self.duration {
            scenario = scenario.lasting(seconds);
        }
        if let Some(seed) = self.seed {
            scenario.seed = seed;
        }
        scenario::checked(scenario, &format!("{name} at this rate and duration"))
    }

    fn choice(&self) -> Result<Choice, Exit> {
        if let Some(server) = &self.server {
            return Ok(Choice::Server(server.clone()));
        }
        if let Some(path) = &self.uds {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            return Ok(Choice::Server(client::Target::Unix(path)));
        }
        let below = self.data_dir.clone();
        if self.in_process {
            return Ok(Choice::InProcess { below });
        }
        match std::env::current_exe() {
            Ok(binary) => Ok(Choice::Spawn { binary, below }),
            Err(error) => Err(fail(
                Exit::Failure,
                format!("can't find this program: {error}"),
            )),
        }
    }

    fn show(&self) -> view::Show {
        match view::Show::fitting() {
            _ if self.quiet => view::Show::Nothing,
            // Stdout is for the summary.
            _ if self.json => view::Show::Lines,
            fitting => fitting,
        }
    }
}

/// The first signal ends the run early, with its results; this returns at the second. A terminal
/// that is closed is one, too: unheard, it would leave the run's server behind.
async fn second_signal(stop: &AtomicBool) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupts), Ok(mut terminations), Ok(mut hangups)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    for turn in 0..2 {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
            _ = hangups.recv() => {}
        }
        if turn == 0 {
            stop.store(true, Ordering::Relaxed);
            let words = "ending early: hearing what is under way, then proving what there is";
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "{words}");
        }
    }
}

/// What names the run, and stands in its results.
#[expect(
    clippy::disallowed_methods,
    reason = "a command begins here; below, now is a parameter"
)]
fn started() -> Timestamp {
    Timestamp::now()
}

const fn exit_of(failed: &Failed) -> Exit {
    match failed {
        Failed::Baskets(_) | Failed::Kills { .. } | Failed::Target(Trouble::Address(_)) => {
            Exit::Usage
        }
        Failed::EndedBefore => Exit::Interrupted,
        Failed::Target(Trouble::NoServer { .. }) => Exit::Unreachable,
        Failed::Target(Trouble::Io { .. } | Trouble::Server { .. } | Trouble::Refused { .. }) => {
            Exit::Failure
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("use a number above 0".to_owned()),
    }
}

fn threshold(text: &str) -> Result<Threshold, String> {
    threshold::parse(text).map_err(|error| error.to_string())
}
