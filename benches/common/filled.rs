//! A directory that is filled beforehand, by this bench as a child, so that what that took is not
//! the measured server's.
//!
//! Deliberately absent: what it is filled with.

use super::play;
use holdfast_runtime::{LookupFilter, Router, Runtime, Settings};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

const DATA: &str = "BENCH_DATA";

/// A shard per core, which takes as much of configuration as of reserves.
pub(crate) fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir);
    settings.default_shards = std::thread::available_parallelism()
        .ok()
        .and_then(|cores| u16::try_from(cores.get()).ok())
        .unwrap_or(1);
    settings.config_permits = settings.permits;
    settings
}

/// The same, with indexes that keep up with whatever is filled in.
fn indexed(dir: &Path) -> Settings {
    let mut settings = settings(dir);
    settings.statement.events_per_s_max = u64::MAX;
    settings.statement.busy_percent_max = 100;
    settings.lookup.events_per_s_max = u64::MAX;
    settings.lookup.busy_percent_max = 100;
    settings
}

/// Has a child that plays `fill` fill a directory.
pub(crate) fn aside(data: &Path) {
    let mut filler = child(play("fill").env(DATA, data));
    assert!(filler.wait().expect("it ends").success());
}

/// Starts a child that fills, and waits until it says that it has.
pub(crate) fn child(command: &mut Command) -> Child {
    let mut filler = command.spawn().expect("this bench starts again");
    let mut line = String::new();
    BufReader::new(filler.stdout.take().expect("it is a pipe"))
        .read_line(&mut line)
        .expect("it speaks");
    assert!(line.starts_with("filled"), "the directory was not filled");
    filler
}

/// What the child does: fills, waits until the indexes have all of it, and says so.
pub(crate) fn fill(work: impl AsyncFnOnce(&Router)) {
    let dir = PathBuf::from(std::env::var_os(DATA).expect("the parent names it"));
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    tokio.block_on(async {
        let runtime = Runtime::start(indexed(&dir)).await;
        let runtime = runtime.expect("the runtime starts");
        let router = runtime.router();
        work(&router).await;
        while !is_indexed(&router).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        runtime.halt().await;
    });
    println!("filled");
}

/// Whether statements and look-ups have all that is recorded.
async fn is_indexed(router: &Router) -> bool {
    let page = router.lookup(LookupFilter::default(), None, 1).await;
    let looked_up = page
        .expect("it is asked for while nothing else goes on")
        .as_of;
    router.shards().iter().all(|shard| {
        router.statement_lag(shard.index) == Some(0)
            && looked_up
                .iter()
                .any(|(index, seq, _)| *index == shard.index && shard.seq <= *seq)
    })
}
