//! `holdfast replay`: its flags, and what they mean.

use std::{fs, io, path::PathBuf, time::Duration};

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::ask::At;
use super::{Exit, fail, print};
use crate::{
    client::{Failure, Patience, Reason},
    progress::Show,
    replay::{
        self, Failed, Mode, Options, ReadBack, Report, RunId, Speed, Unfit, basket::BadRow,
        continuation, plan::Shares, reader::Locations,
    },
    show::Paint,
};

/// The flags of `holdfast replay`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The basket file, plain or gzipped, with the columns
    /// `basket_id,household_id,store_id,product_id,quantity,transaction_timestamp`
    #[arg(value_name = "FILE.csv[.gz]")]
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// Check out each basket at its store, or all at `main`
    #[arg(long, value_enum, default_value_t = Locations::Store)]
    locations: Locations,
    /// Units stocked per unit the file asks for, rounded up or down at random by the seed
    #[arg(long, value_name = "FACTOR", default_value_t = 0.7, value_parser = factor)]
    stock_factor: f64,
    /// The largest quantity that is believed; rows over it are left out and reported
    #[arg(long, value_name = "UNITS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    qty_max: u64,
    /// Whether a basket wants every line whole, or what is there
    #[arg(long, value_enum, default_value_t = Mode::AllOrNothing)]
    mode: Mode,
    /// Share of the held baskets that are paid
    #[arg(long, value_name = "SHARE", default_value_t = 0.85)]
    confirm: f64,
    /// Share of the held baskets that are given back
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    release: f64,
    /// Share of the held baskets that nobody comes back for
    #[arg(long, value_name = "SHARE", default_value_t = 0.10)]
    abandon: f64,
    /// How long an abandoned basket holds its units
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1_000..=1_800_000))]
    abandon_ttl_ms: u64,
    /// How long any other basket holds its units at most
    #[arg(long, value_name = "MS", default_value_t = 600_000, value_parser = clap::value_parser!(u64).range(1_000..=1_800_000))]
    ttl_ms: u64,
    /// `max`, or so many times as fast as in the file
    #[arg(long, value_name = "max|N", default_value = "max", value_parser = speed)]
    speed: Speed,
    /// Calls under way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// What stands in every key; give a cut-off run's id to go on with it
    #[arg(long, value_name = "ID", value_parser = RunId::parse)]
    run_id: Option<RunId>,
    /// For the rounding of stock and the fates of baskets
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many acknowledged reservations are read back: `all`, or a sample of N
    #[arg(long, value_name = "all|N", default_value = "all", value_parser = read_back)]
    read_back: ReadBack,
    /// Where the counters from before the run are kept until it is proved
    /// [default: holdfast-replay-ID.json in the temporary directory]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write every row that was left out to this file, as CSV
    #[arg(long, value_name = "FILE")]
    bad_rows: Option<PathBuf>,
    /// How long to go on asking a server that went away
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// How long to wait for one answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// How long the counters of baskets over several shards may lag behind their answers
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    lag: u64,
    /// Print the report as JSON, with every bad row
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Replays the file and prints the report.
pub async fn run(args: Args) -> Exit {
    let (json, bad_rows) = (args.json, args.bad_rows.clone());
    let options = args.options();
    let run = options.run.clone();
    match replay::run(options).await {
        Ok(report) => finish(&report, json, bad_rows),
        Err(failed) => {
            let exit = exit_of(&failed);
            let exit = fail(exit, &failed);
            if matches!(failed, Failed::Call(_)) {
                eprintln!("{}", continuation(&run));
            }
            exit
        }
    }
}

impl Args {
    fn options(self) -> Options {
        let now = started();
        Options {
            now,
            file: self.file,
            server: self.at.server,
            locations: self.locations,
            stock_factor: self.stock_factor,
            qty_max: self.qty_max,
            mode: self.mode,
            shares: Shares {
                confirm: self.confirm,
                release: self.release,
                abandon: self.abandon,
            },
            abandon_ttl_ms: self.abandon_ttl_ms,
            ttl_ms: self.ttl_ms,
            speed: self.speed,
            connections: usize::from(self.connections),
            run: self.run_id.unwrap_or_else(|| RunId::generate(now)),
            seed: self.seed,
            read_back: self.read_back,
            baseline: self.baseline,
            patience: Patience {
                attempt: Duration::from_secs(self.timeout),
                call: Duration::from_secs(self.patience),
            },
            lag_max: Duration::from_secs(self.lag),
            show: if self.quiet {
                Show::Nothing
            } else {
                Show::Progress
            },
        }
    }
}

/// The time that the run's id begins with, and that tells its reservations from older ones.
#[expect(
    clippy::disallowed_methods,
    reason = "a command begins here; below, now is a parameter"
)]
fn started() -> Timestamp {
    Timestamp::now()
}

fn finish(report: &Report, json: bool, bad_rows: Option<PathBuf>) -> Exit {
    let exit = if report.proved {
        Exit::Success
    } else {
        Exit::ProofFailed
    };
    let exit = if json {
        let text =
            serde_json::to_string_pretty(report).expect("a report has string keys and no failures");
        print(exit, format!("{text}\n"))
    } else {
        print(exit, report.text(Paint::stdout()))
    };
    if let Some(path) = bad_rows
        && let Err(error) = write_bad_rows(&path, &report.bad_rows)
    {
        return fail(
            Exit::Failure,
            format!("can't write {}: {error}", path.display()),
        );
    }
    exit
}

fn write_bad_rows(path: &std::path::Path, rows: &[BadRow]) -> io::Result<()> {
    let mut file = csv::Writer::from_writer(fs::File::create(path)?);
    for row in rows {
        file.serialize(row)?;
    }
    file.flush()
}

fn exit_of(failed: &Failed) -> Exit {
    match failed {
        Failed::File(_) | Failed::Shares(_) | Failed::Baseline(Unfit::Other { .. }) => Exit::Usage,
        Failed::NoServer { .. } => Exit::Unreachable,
        Failed::Call(Failure::GaveUp { gave_up, .. }) => match gave_up.reason {
            Reason::Broken(_) => Exit::Unreachable,
            Reason::Problem(_) => Exit::Failure,
        },
        Failed::Baseline(Unfit::Io { .. })
        | Failed::Call(Failure::Strange { .. })
        | Failed::Stocking(_) => Exit::Failure,
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.0..=1_000.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("use 0 to 1000".to_owned())
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Speed::Max),
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("use max, or a number above 0".to_owned()),
    }
}

fn read_back(text: &str) -> Result<ReadBack, String> {
    match text.parse() {
        _ if text == "all" => Ok(ReadBack::All),
        Ok(sample) => Ok(ReadBack::Sample(sample)),
        Err(_) => Err("use all, or a whole number".to_owned()),
    }
}
