//! holdfast beside what one would pick instead, doing the same work on the same machine in the same
//! run: one unit of one hot SKU, a hold with an expiry, acknowledged after the sync.
//!
//! `cargo run --release --manifest-path benches/compare/Cargo.toml` runs all of it and writes the
//! table of `docs/comparison.md` and the plot beside it. Rounds take turns, and each begins with a
//! new server on a new directory. `--help` lists the flags.
//! Deliberately absent: anything tuned for holdfast alone, and anything of holdfast but its binary.

mod drive;
mod figures;
mod machine;
mod page;
mod plot;
mod process;
mod targets;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use figures::{Case, Figures};
use targets::{Load, Places, empty};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELP: &str = "\
Compares holdfast with PostgreSQL, Redis, an empty handler and redb alone.

  --rounds N      rounds, at least 5 for a figure (5)
  --seconds S     seconds of each round (3)
  --server FILE   the holdfast binary (HOLDFAST_BIN, or target/release/holdfast, built if absent)
  --disk DIR      where data directories are made (the system's temporary directory)
  --only WORD     only cases whose names have this word; writes no page
  --no-page       print, and write no page
";

/// What was asked for.
struct Asked {
    rounds: usize,
    seconds: f64,
    server: Option<PathBuf>,
    disk: PathBuf,
    only: Option<String>,
    has_page: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let (Some(empty::ARGUMENT), Some(port)) = (arguments.next().as_deref(), arguments.next()) {
        empty::serve(port.parse().expect("a port"));
        return ExitCode::SUCCESS;
    }
    let asked = match Asked::of(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(text) => {
            eprint!("{text}");
            return ExitCode::from(2);
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = Places {
        holdfast: asked.server.clone().unwrap_or_else(|| built(&root)),
        disk: asked.disk.clone(),
    };
    if !places.holdfast.is_file() {
        eprintln!(
            "{}: there is no server; see --server",
            places.holdfast.display()
        );
        return ExitCode::from(2);
    }
    let load = machine::load();
    let mut figures = Figures::new(asked.only.as_deref());
    let generator = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let generator = generator.expect("one thread");
    tokio::task::LocalSet::new().block_on(&generator, measure(&asked, &places, &mut figures));
    let text = figures.to_markdown();
    println!("\n{text}");
    if asked.has_page && asked.only.is_none() {
        let about = machine::about(load, asked.rounds, asked.seconds, &places.disk);
        let written =
            page::write(&root, &about, &text).and_then(|()| plot::write(&root, &figures.bars()));
        if let Err(error) = written {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// All rounds; each begins with another case, so that none is always first.
async fn measure(asked: &Asked, places: &Places, figures: &mut Figures) {
    let time = Duration::from_secs_f64(asked.seconds);
    let cases: Vec<Case> = figures.cases();
    for round in 0..asked.rounds {
        for at in 0..cases.len() {
            let case = cases[(at + round) % cases.len()];
            if let Some(why) = case.target.absent() {
                if round == 0 {
                    println!("{}: skipped, {why}", case.name);
                }
                figures.skip(case, why);
                continue;
            }
            let load = Load {
                connections: case.connections,
                depth: case.depth,
                time,
            };
            let done = case.target.round(places, load).await;
            println!(
                "round {}, {}: {:.0}/s, p99 {:.2} ms; checked: {}",
                round + 1,
                case.name,
                done.run.rate(),
                done.run.millis(99.0),
                done.checked
            );
            figures.add(case, &done);
        }
    }
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self {
            rounds: 5,
            seconds: 3.0,
            server: std::env::var_os("HOLDFAST_BIN").map(PathBuf::from),
            disk: std::env::temp_dir(),
            only: None,
            has_page: true,
        };
        while let Some(flag) = arguments.next() {
            if flag == "--no-page" {
                asked.has_page = false;
                continue;
            }
            let value = arguments.next();
            let wrong = || format!("{flag} {}?\n\n{HELP}", value.as_deref().unwrap_or_default());
            let text = value.clone().ok_or_else(wrong)?;
            match flag.as_str() {
                "--rounds" => asked.rounds = text.parse().map_err(|_| wrong())?,
                "--seconds" => asked.seconds = text.parse().map_err(|_| wrong())?,
                "--server" => asked.server = Some(PathBuf::from(text)),
                "--disk" => asked.disk = PathBuf::from(text),
                "--only" => asked.only = Some(text),
                _ => return Err(wrong()),
            }
        }
        if asked.rounds == 0 || !(0.1..=600.0).contains(&asked.seconds) {
            return Err(format!(
                "at least one round of 0.1 to 600 seconds\n\n{HELP}"
            ));
        }
        Ok(asked)
    }
}

/// The release binary of the tree, built if it is not there.
fn built(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| root.join("target"));
    let binary = target.join("release/holdfast");
    if !binary.is_file() {
        println!("building holdfast");
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--bin", "holdfast"]);
        // Where it fails there is no binary, which the caller says.
        let _ = cargo.current_dir(root).status();
    }
    binary
}
