//! The folder where files are dropped: looked at now and then, each file taken once it has stopped
//! growing, and moved to `done/` with its report when it was compared.
//!
//! A name says what a file is: `warehouse.NAME.csv`, `orders.NAME.ndjson`. The moment of which it
//! tells is that of its last change.
//! Deliberately absent: other folders, and sending reports anywhere.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use holdfast_core::{Millis, Text, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};
use tracing::{info, warn};

use super::desk::{Desk, Rejected};
use super::job::{AsOf, Source, Wanted};
use super::retention::keep_house;
use super::run::Limits;
use crate::config::Config;
use holdfast_runtime::Router;

/// Reconciliations of a server: the desk, the folder that is looked at, and who clears up.
pub struct Reconciler {
    desk: Desk,
    watch: Option<JoinHandle<()>>,
    house: JoinHandle<()>,
}

/// How a file looked the last time.
type Looks = HashMap<PathBuf, (u64, SystemTime)>;

/// Read of a file at a time.
const PIECE: usize = 1 << 20;

/// How often a comparison under way is asked how it stands.
const ASK_EVERY: Duration = Duration::from_millis(200);

impl Reconciler {
    /// As the configuration says.
    pub fn open(config: &Config, router: &Router) -> io::Result<Self> {
        let own = &config.reconcile;
        let limits = Limits {
            rows_per_s_max: own.rows_per_second,
            rows_max: own.rows_max,
            approve_units_max: own.approve_units_max,
            approve_share_max: own.approve_share_max,
            lead: Millis::new(config.carts.try_timeout_ms.0),
        };
        let root = config.data.dir.join("reconciliations");
        let desk = Desk::open(router.clone(), &root, limits)?;
        let watch = own.folder.clone().map(|folder| {
            let (desk, router) = (desk.clone(), router.clone());
            let every = own.interval_ms.duration();
            tokio::spawn(async move { watch(&desk, &router, &folder, every).await })
        });
        let kept = Millis::new(own.retention_ms.0);
        let house = tokio::spawn(keep_house(desk.clone(), router.clone(), kept));
        Ok(Self { desk, watch, house })
    }

    /// Where they are handed in.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Ends what runs; it goes on at the next start.
    pub fn stop(&self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        self.house.abort();
        self.desk.stop();
    }
}

async fn watch(desk: &Desk, router: &Router, folder: &Path, every: Duration) {
    let mut looks = Looks::new();
    let mut every = interval(every);
    loop {
        every.tick().await;
        let ready = match look(folder, &mut looks) {
            Ok(ready) => ready,
            Err(error) => {
                let folder = folder.display();
                warn!(%folder, %error, "the folder of reconciliations can't be read");
                continue;
            }
        };
        for path in ready {
            let file = path.display().to_string();
            match take(desk, router, &path).await {
                Ok(id) => info!(file, reconciliation = id, "a dropped file was compared"),
                // It stays, and is tried again.
                Err(error) => warn!(file, %error, "a dropped file was not taken"),
            }
        }
    }
}

/// The files that have not changed since the last look, in the order of their names.
fn look(folder: &Path, looks: &mut Looks) -> io::Result<Vec<PathBuf>> {
    let mut seen = Looks::new();
    let mut ready = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, meta) = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !meta.is_file() || source_of(&path).is_none() {
            continue;
        }
        let own = (meta.len(), meta.modified()?);
        if looks.get(&path) == Some(&own) {
            ready.push(path.clone());
        }
        seen.insert(path, own);
    }
    *looks = seen;
    ready.sort_unstable();
    Ok(ready)
}

fn source_of(path: &Path) -> Option<Source> {
    let name = path.file_name()?.to_str()?;
    let (word, rest) = name.split_once('.')?;
    let is_whole = [".csv", ".ndjson"]
        .iter()
        .any(|ending| format!(".{rest}").ends_with(ending));
    Source::from_str(word, false).ok().filter(|_| is_whole)
}

/// Compares a file, and moves it away with its report.
async fn take(desk: &Desk, router: &Router, path: &Path) -> Result<String, Rejected> {
    let source = source_of(path).ok_or(Rejected::Unknown)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let changed = fs::metadata(path)?.modified()?;
    let since_epoch = changed.duration_since(SystemTime::UNIX_EPOCH);
    let changed = since_epoch.map_or(0, |since| since.as_millis() as u64);
    // A clock beside ours may be a little ahead.
    let at = Timestamp::from_ms(changed).min(router.now());
    let wanted = Wanted {
        source,
        by: None,
        document: name.and_then(|name| Text::parse(name).ok()),
        as_of: Some(AsOf::Time(at)),
        since: None,
        rows: None,
        trace: None,
    };
    let id = desk.take(&wanted).await?.id;
    let (own, from, to) = (desk.clone(), path.to_owned(), id.clone());
    let sent = tokio::task::spawn_blocking(move || send(&own, &from, &to)).await;
    sent.map_err(io::Error::other)??;
    desk.start(&id)?;
    loop {
        sleep(ASK_EVERY).await;
        let (_, report) = desk.report(&id)?;
        if report.state.has_ended() {
            put_away(
                path,
                &serde_json::to_vec_pretty(&report).map_err(io::Error::other)?,
            )?;
            return Ok(id);
        }
    }
}

fn send(desk: &Desk, path: &Path, id: &str) -> Result<(), Rejected> {
    let mut file = File::open(path)?;
    let (mut offset, mut piece) = (0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(desk.seal(id)?);
        }
        offset = desk.append(id, offset, &piece[..read])?;
    }
}

fn put_away(path: &Path, report: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("the file has no name"));
    };
    let done = folder.join("done");
    fs::create_dir_all(&done)?;
    let mut beside = name.to_owned();
    beside.push(".report.json");
    fs::write(done.join(beside), report)?;
    fs::rename(path, done.join(name))
}
