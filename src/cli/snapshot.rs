//! `holdfast snapshot`: the state of a running server in a file, with the cursor to go on from.
//!
//! A file gets its name when it is whole, so a break leaves what was there before.
//! Deliberately absent: doing it every night; the server does (`export.dir`).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::ask::At;
use super::sku::escaped;
use super::{Exit, fail, print};
use crate::client::lines::Lines;
use crate::client::listen::Silent;

/// The flags of `holdfast snapshot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The first line has the cursor: `holdfast events tail --after CURSOR` goes on from exactly there. The
last line says how many SKUs there were.")]
pub struct Args {
    /// Where to write it; packed if its name ends with `.gz`; standard output without
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only SKUs whose name begins with this
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    #[command(flatten)]
    at: At,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Silent(#[from] Silent),
    #[error("can't be written: {0}")]
    NotWritten(#[from] io::Error),
    #[error("the answer was cut off; take it again")]
    CutOff,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let taken = match &args.file {
        Some(file) => args.save(file).await,
        None => args.take(&mut stdout().lock()).await.map(drop),
    };
    let Err(error) = taken else {
        return Exit::Success;
    };
    let exit = match &error {
        NotTaken::Silent(Silent::Broken(_)) => Exit::Unreachable,
        NotTaken::NotWritten(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Exit::Success;
        }
        NotTaken::Silent(_) | NotTaken::NotWritten(_) | NotTaken::CutOff => Exit::Failure,
    };
    let server = &args.at.server;
    let text = match (&error, &args.file) {
        (NotTaken::NotWritten(_), Some(file)) => format!("{}: {error}", file.display()),
        (NotTaken::NotWritten(_), None) => format!("stdout {error}"),
        (NotTaken::Silent(Silent::Broken(_)), _) => {
            format!("{server}: {error}; is the server running there? --server names another")
        }
        (NotTaken::Silent(_) | NotTaken::CutOff, _) => format!("{server}: {error}"),
    };
    fail(exit, text)
}

impl Args {
    /// Into a file that has its name when it is whole.
    async fn save(&self, name: &Path) -> Result<(), NotTaken> {
        let mut part = name.as_os_str().to_owned();
        part.push(".part");
        let saved = self.write(name, &part).await;
        let named = saved.and_then(|end| {
            fs::rename(&part, name)?;
            Ok(end)
        });
        match named {
            Ok(end) => {
                let text = format!("{} SKUs in {}\n", end["skus"], name.display());
                print(Exit::Success, text);
                Ok(())
            }
            Err(error) => {
                // What is left of it is of no use.
                let _ = fs::remove_file(&part);
                Err(error)
            }
        }
    }

    /// Writes and syncs what will be called `name`; its last line.
    async fn write(&self, name: &Path, part: &OsStr) -> Result<Value, NotTaken> {
        let mut file = BufWriter::new(File::create(part)?);
        let end = if name.extension() == Some(OsStr::new("gz")) {
            let mut packed = GzEncoder::new(file, Compression::fast());
            let end = self.take(&mut packed).await?;
            file = packed.finish()?;
            end
        } else {
            self.take(&mut file).await?
        };
        file.into_inner().map_err(io::Error::from)?.sync_all()?;
        Ok(end)
    }

    /// Writes it line by line; its last line.
    async fn take(&self, to: &mut impl Write) -> Result<Value, NotTaken> {
        let path = format!("/v1/snapshot?prefix={}", escaped(&self.prefix));
        let mut lines = Lines::begin(&self.at.server, &path).await?;
        let mut last = String::new();
        while let Some(line) = lines.next().await? {
            writeln!(to, "{line}")?;
            last = line;
        }
        to.flush()?;
        let end: Value = serde_json::from_str(&last).unwrap_or_default();
        if end["end"] == true {
            Ok(end)
        } else {
            Err(NotTaken::CutOff)
        }
    }
}
