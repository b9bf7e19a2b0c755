//! Events as files of lines, each line a CloudEvent: `events-00000001.ndjson` and so on.
//!
//! A delivery is written and synced before its place moves. What a crash left half written is cut
//! off when the file is gone on with; what was whole and is given again stands there twice, with
//! the same id. After a failed write the file is left as it was before, and another is begun:
//! nobody knows what a failed sync left behind.
//!
//! Deliberately absent: removing files. Whoever has taken them does that, but for the newest.

use super::runner::off_the_tasks;
use super::{Delivering, Sink, Undelivered};
use crate::events::stream::Batch;
use serde::de::IgnoredAny;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The sink.
pub(super) struct Ndjson(Arc<Mutex<Files>>);

/// The files of a folder.
struct Files {
    folder: PathBuf,
    rotate_bytes: u64,
    next: Next,
}

/// Where lines go.
enum Next {
    /// Behind what is there, once that has been looked at.
    Find,
    /// Into a new file.
    Begin(u64),
    /// Behind what is in this one.
    GoOn(Open),
}

struct Open {
    file: File,
    number: u64,
    /// What of it is durable: whole lines.
    len: u64,
}

impl Ndjson {
    /// In a folder, with a new file from so many bytes on.
    pub(super) fn new(folder: &Path, rotate_bytes: u64) -> Self {
        Self(Arc::new(Mutex::new(Files {
            folder: folder.to_owned(),
            rotate_bytes,
            next: Next::Find,
        })))
    }
}

impl Sink for Ndjson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn deliver<'a>(&'a mut self, batches: &'a [Batch]) -> Delivering<'a> {
        let (files, batches) = (Arc::clone(&self.0), batches.to_vec());
        Box::pin(async move {
            let write = move || {
                let mut lines = Vec::new();
                for batch in &batches {
                    for event in batch.events() {
                        lines.extend_from_slice(&batch.json(event));
                        lines.push(b'\n');
                    }
                }
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.append(&lines).map_err(|error| {
                    let folder = files.folder.display();
                    io::Error::other(format!("{folder}: {error}"))
                })
            };
            off_the_tasks(write).await.map_err(Undelivered::new)
        })
    }
}

impl Files {
    /// Writes whole lines; durable when this returns.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match std::mem::replace(&mut self.next, Next::Find) {
            Next::Find => self.find()?,
            Next::Begin(number) => self.begin_next(number)?,
            Next::GoOn(open) if open.len < self.rotate_bytes => open,
            Next::GoOn(open) => self.begin_next(open.number + 1)?,
        };
        let written = open.file.write_all(lines);
        match written.and_then(|()| open.file.sync_data()) {
            Ok(()) => {
                open.len += lines.len() as u64;
                self.next = Next::GoOn(open);
                Ok(())
            }
            Err(error) => {
                let path = self.path(open.number);
                // If not even this works, whoever reads the file meets half a line in it.
                let undone = match open.len {
                    0 => fs::remove_file(path),
                    len => open.file.set_len(len),
                };
                let is_gone = open.len == 0 && undone.is_ok();
                self.next = Next::Begin(open.number + u64::from(!is_gone));
                Err(error)
            }
        }
    }

    /// The newest file, without what a crash left half written in it.
    fn find(&self) -> io::Result<Open> {
        fs::create_dir_all(&self.folder)?;
        let mut newest = None;
        for entry in fs::read_dir(&self.folder)? {
            newest = newest.max(number_of(&entry?.file_name().to_string_lossy()));
        }
        let Some(number) = newest else {
            return self.begin(1);
        };
        let path = self.path(number);
        let len = whole_lines(&path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        if len < file.metadata()?.len() {
            file.set_len(len)?;
            file.sync_all()?;
        }
        Ok(Open { file, number, len })
    }

    /// A new file, now or when it is tried again: those before it are not gone on with.
    fn begin_next(&mut self, number: u64) -> io::Result<Open> {
        self.next = Next::Begin(number);
        self.begin(number)
    }

    fn begin(&self, number: u64) -> io::Result<Open> {
        let path = self.path(number);
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(0)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(Open {
            file,
            number,
            len: 0,
        })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("events-{number:08}.ndjson"))
    }
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("events-")?.strip_suffix(".ndjson")?;
    number.parse().ok()
}

/// Up to where a file has nothing but whole lines of JSON.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut line, mut len) = (Vec::new(), 0);
    loop {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        let is_whole = line.last() == Some(&b'\n');
        if !is_whole || serde_json::from_slice::<IgnoredAny>(&line).is_err() {
            return Ok(len);
        }
        len += line.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, rotate_bytes: u64) -> Files {
        Files {
            folder: folder.to_owned(),
            rotate_bytes,
            next: Next::Find,
        }
    }

    fn content(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).expect("it is there");
        let mut all: Vec<_> = entries
            .map(|entry| {
                let entry = entry.expect("it is there");
                let text = fs::read_to_string(entry.path()).expect("it is text");
                (entry.file_name().to_string_lossy().into_owned(), text)
            })
            .collect();
        all.sort();
        all
    }

    fn one(number: u64, text: &str) -> (String, String) {
        (format!("events-{number:08}.ndjson"), text.to_owned())
    }

    #[test]
    fn a_new_file_is_begun_once_one_is_large_enough() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let folder = directory.path().join("out");
        let mut sink = files(&folder, 8);
        for lines in ["{\"a\":1}\n", "{\"a\":2}\n{\"a\":3}\n", "{}\n", "{}\n"] {
            sink.append(lines.as_bytes()).expect("there is room");
        }
        let expected = [
            one(1, "{\"a\":1}\n"),
            one(2, "{\"a\":2}\n{\"a\":3}\n"),
            one(3, "{}\n{}\n"),
        ];
        assert_eq!(content(&folder), expected);
        // Started again it goes on where it was.
        files(&folder, 8).append(b"{}\n").expect("there is room");
        assert_eq!(content(&folder)[2], one(3, "{}\n{}\n{}\n"));
    }

    #[test]
    fn what_a_crash_left_half_written_is_cut_off() {
        for torn in ["{\"b\":", "{\"b\":2}", "\0\0\0\0\n{\"c\":3}\n", "\0\0"] {
            let directory = tempfile::tempdir().expect("a temporary directory can be made");
            let path = directory.path().join("events-00000007.ndjson");
            fs::write(&path, format!("{{\"a\":1}}\n{torn}")).expect("it is ours");
            let mut sink = files(directory.path(), 1_000);
            sink.append(b"{\"d\":4}\n").expect("there is room");
            let expected = [one(7, "{\"a\":1}\n{\"d\":4}\n")];
            assert_eq!(content(directory.path()), expected, "{torn:?}");
        }
    }

    #[test]
    fn after_a_failed_write_the_file_is_as_before_and_another_is_begun() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut sink = files(directory.path(), 1_000);
        sink.append(b"{\"a\":1}\n").expect("there is room");
        let Next::GoOn(open) = &mut sink.next else {
            panic!("a file is open");
        };
        // A file that takes no writes, as one on a disk that failed.
        let read_only = File::open(directory.path().join("events-00000001.ndjson"));
        open.file = read_only.expect("it is there");
        sink.append(b"{\"b\":2}\n").expect_err("it takes no writes");
        sink.append(b"{\"b\":2}\n").expect("another takes them");
        let expected = [one(1, "{\"a\":1}\n"), one(2, "{\"b\":2}\n")];
        assert_eq!(content(directory.path()), expected);
    }

    #[test]
    fn what_cannot_be_synced_was_not_taken() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut sink = files(directory.path(), 1_000);
        sink.append(b"{\"a\":1}\n").expect("there is room");
        let Next::GoOn(open) = &mut sink.next else {
            panic!("a file is open");
        };
        // It takes every write, and knows no syncing.
        let null = OpenOptions::new().write(true).open("/dev/null");
        open.file = null.expect("every system has it");
        sink.append(b"{\"b\":2}\n")
            .expect_err("nothing of it is durable");
        sink.append(b"{\"b\":2}\n").expect("another is durable");
        let expected = [one(1, "{\"a\":1}\n"), one(2, "{\"b\":2}\n")];
        assert_eq!(content(directory.path()), expected);
    }

    /// Set to a folder where this test plays a process whose files stay small.
    const SMALL: &str = "TEST_OF_SMALL_FILES";

    #[test]
    fn a_write_that_fitted_in_part_leaves_no_half_line() {
        if let Some(folder) = std::env::var_os(SMALL) {
            let mut sink = files(Path::new(&folder), 1_000_000);
            sink.append(b"{\"a\":1}\n").expect("there is room");
            let long = format!("\"{}\"\n", "x".repeat(5_000));
            sink.append(long.as_bytes())
                .expect_err("there is no room for it");
            sink.append(b"{\"b\":2}\n").expect("there is room");
            return;
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        // A block for each file, and an error instead of a signal.
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact \"$1\"";
        let name = "events::sinks::ndjson::tests::a_write_that_fitted_in_part_leaves_no_half_line";
        let played = std::process::Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().expect("a test is a file"))
            .arg(name)
            .env(SMALL, directory.path())
            .stdout(std::process::Stdio::null())
            .status();
        assert!(played.expect("there is a shell").success());
        let expected = [one(1, "{\"a\":1}\n"), one(2, "{\"b\":2}\n")];
        assert_eq!(content(directory.path()), expected);
    }
}
