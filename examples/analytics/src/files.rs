//! Files of rows, numbered, each of which is there as a whole or not at all.
//!
//! ```text
//! events/00000041.ndjson   an event a line; the last one has the cursor behind it, too
//! events/next.part         what is being written; it does not count
//! events/lock              held while somebody writes
//! ```
//! All but the newest may be moved away.

use serde_json::Value;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The folder.
pub(crate) struct Files {
    folder: PathBuf,
    /// Two who write would take each other's numbers. The kernel lets go of it, whatever the end.
    _lock: File,
}

/// The newest file.
pub(crate) struct Newest {
    pub(crate) number: u64,
    /// Where to go on.
    pub(crate) cursor: String,
}

/// A file that is being written.
pub(crate) struct NextFile {
    rows: BufWriter<File>,
    part: PathBuf,
    name: PathBuf,
}

impl Files {
    pub(crate) fn open(folder: &str) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(folder)?;
        let lock = File::create(Path::new(folder).join("lock"))?;
        lock.try_lock()
            .map_err(|error| format!("{folder} is written to by another process: {error}"))?;
        Ok(Self {
            folder: folder.into(),
            _lock: lock,
        })
    }

    pub(crate) fn newest(&self) -> Result<Option<Newest>, Box<dyn Error>> {
        let mut number = None;
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".ndjson"));
            number = number.max(stem.and_then(|stem| stem.parse::<u64>().ok()));
        }
        let Some(number) = number else {
            return Ok(None);
        };
        let rows = BufReader::new(File::open(self.name(number))?).lines();
        let last = rows.last().ok_or("the newest file is empty")??;
        let last: Value = serde_json::from_str(&last)?;
        let cursor = last["cursor"].as_str();
        let cursor = cursor.ok_or("the newest file has no cursor")?.to_owned();
        Ok(Some(Newest { number, cursor }))
    }

    pub(crate) fn create(&self, number: u64) -> io::Result<NextFile> {
        let part = self.folder.join("next.part");
        Ok(NextFile {
            rows: BufWriter::new(File::create(&part)?),
            part,
            name: self.name(number),
        })
    }

    fn name(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.ndjson"))
    }
}

impl NextFile {
    pub(crate) fn row(&mut self, row: &Value) -> io::Result<()> {
        writeln!(self.rows, "{row}")
    }

    /// Gives it its name once every row is on disk; with that it counts.
    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self.rows.into_inner()?;
        file.sync_all()?;
        fs::rename(&self.part, &self.name)?;
        let folder = self.name.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}
