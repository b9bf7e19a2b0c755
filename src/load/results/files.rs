//! The files of a run, and of several, in their directory.
//!
//! Deliberately absent: anything half written. A file appears under its name when it is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{SCHEMA, Summary, hdr, report};
use crate::load::record::{Call, CallTally, Recorded};

/// Several runs of one scenario, as `summary.json` of a repeated run holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeated {
    /// [`SCHEMA`].
    pub schema: String,
    /// The runs, in order of time.
    pub runs: Vec<Summary>,
}

impl Repeated {
    /// These runs.
    pub fn new(runs: &[Summary]) -> Self {
        let schema = SCHEMA.to_owned();
        Self {
            schema,
            runs: runs.to_vec(),
        }
    }
}

/// Why a summary can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is no such file, or it can't be read.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        why: io::Error,
    },
    /// It is no summary, or one that this program does not know.
    #[error("{path} is no summary of `holdfast load` ({SCHEMA}): {why}")]
    Content {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a run's files into `dir`, which is made if it is not there: `summary.json`,
/// `report.html`, `intervals.hlog`, and `CALL.response.hgrm` and `CALL.service.hgrm` of each call
/// that was made and of `all`.
pub fn write(dir: &Path, summary: &Summary, recorded: &Recorded) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let all: CallTally = recorded.whole.all();
    let made = |call: &Call| recorded.whole.call(*call).response.count() > 0;
    let calls = Call::ALL.into_iter().filter(made);
    let named = calls.map(|call| (call.name(), recorded.whole.call(call)));
    for (name, tally) in named.chain(std::iter::once(("all", &all))) {
        put(
            dir,
            &format!("{name}.response.hgrm"),
            hdr::hgrm(&tally.response).as_bytes(),
        )?;
        put(
            dir,
            &format!("{name}.service.hgrm"),
            hdr::hgrm(&tally.service).as_bytes(),
        )?;
    }
    put(
        dir,
        "intervals.hlog",
        &hdr::interval_log(recorded, &summary.started_at)?,
    )?;
    put(
        dir,
        "report.html",
        report::render(std::slice::from_ref(summary)).as_bytes(),
    )?;
    put(dir, "summary.json", &json(summary)?)
}

/// Writes what several runs have in common into `dir`: `summary.json` with all of them, and
/// `report.html`. Each run's own files are in a directory of its own.
pub fn write_repeated(dir: &Path, runs: &[Summary]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    put(dir, "report.html", report::render(runs).as_bytes())?;
    put(dir, "summary.json", &json(&Repeated::new(runs))?)
}

/// Reads the runs of a `summary.json`, be it of one run or of several; of a directory, the one in
/// it.
pub fn read(path: &Path) -> Result<Vec<Summary>, Unreadable> {
    let file = if path.is_dir() {
        path.join("summary.json")
    } else {
        path.to_owned()
    };
    let shown = file.display().to_string();
    let text = fs::read(&file).map_err(|why| Unreadable::File {
        path: shown.clone(),
        why,
    })?;
    let content = |why: String| Unreadable::Content {
        path: shown.clone(),
        why,
    };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|why| content(why.to_string()))?;
    match value["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(other) => return Err(content(format!("its schema is {other}"))),
        None => return Err(content("it names no schema".to_owned())),
    }
    let runs = if value.get("runs").is_some() {
        serde_path_to_error::deserialize(value).map(|repeated: Repeated| repeated.runs)
    } else {
        serde_path_to_error::deserialize(value).map(|run: Summary| vec![run])
    };
    runs.map_err(|why| content(why.to_string()))
}

fn json(of: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(of)?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a file beside its place and moves it there.
fn put(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let beside: PathBuf = dir.join(format!(".{name}.part"));
    fs::write(&beside, content)?;
    fs::rename(&beside, dir.join(name))
}
