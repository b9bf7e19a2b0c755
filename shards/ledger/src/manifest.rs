//! The manifest of a data directory: which cluster it is and how it is cut into shards.
//!
//! Written whole through a temporary file. Deliberately absent: anything that changes while
//! serving, but for which shards were created.

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::LedgerError;
use crate::fsutil;
use crate::identity::{Identity, SHARDS_MAX, SLOT_COUNT, SLOT_HASH};

pub(crate) const NAME: &str = "manifest.json";

/// The layout of the directory that this version reads and writes.
const FORMAT: u32 = 1;

/// What the directory says of itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) cluster: Uuid,
    pub(crate) times: Times,
    pub(crate) shards: Vec<Shard>,
}

/// Whose times a directory's records carry; settled when it is made, for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Times {
    /// Those of the system's clock.
    #[default]
    Real,
    /// Those of a clock that was moved by hand: for rehearsals.
    Test,
}

/// One shard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) slots: Range<u16>,
    pub(crate) created: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    cluster: String,
    slot_hash: String,
    /// Absent where times are real, so that nothing changes for directories that hold real stock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    test_clock: bool,
    shards: Vec<FileShard>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileShard {
    slots_from: u16,
    slots_until: u16,
    created: bool,
}

impl Manifest {
    /// A new cluster of `shards` shards with even parts of the slots.
    pub(crate) fn draw(dir: &Path, shards: u16, times: Times) -> Result<Self, LedgerError> {
        let cluster = draw_uuid()?;
        if shards == 0 || SHARDS_MAX < shards {
            let detail = format!("{shards} shards; set a number from 1 to {SHARDS_MAX}");
            return Err(LedgerError::Manifest {
                path: dir.join(NAME),
                detail,
            });
        }
        let shards = (0..shards)
            .map(|shard| Shard {
                slots: Identity::even(cluster, shard, shards).slots,
                created: false,
            })
            .collect();
        Ok(Self {
            cluster,
            times,
            shards,
        })
    }

    /// Refuses to serve a directory with another clock than the one it was made with.
    pub(crate) fn check_times(&self, dir: &Path, times: Times) -> Result<(), LedgerError> {
        let detail = match (self.times, times) {
            (Times::Real, Times::Real) | (Times::Test, Times::Test) => return Ok(()),
            (Times::Real, Times::Test) => {
                "it was made without a test clock, and moving time would ruin it; name a new \
                 directory"
            }
            (Times::Test, Times::Real) => {
                "test_clock is true: its times were moved by hand; serve it with --test-clock, or \
                 name another directory"
            }
        };
        Err(LedgerError::Manifest {
            path: dir.join(NAME),
            detail: detail.to_owned(),
        })
    }

    /// Reads the directory's manifest; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, LedgerError> {
        let path = dir.join(NAME);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(LedgerError::file("reading", &path))?,
        };
        let refuse = |detail: String| LedgerError::Manifest {
            path: path.clone(),
            detail,
        };
        // The format first: a later one may have fields unknown here.
        let loose: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| refuse(format!("{error}; restore it from a copy")))?;
        let format = loose.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            let found = format.map_or_else(|| "missing".to_owned(), |format| format.to_string());
            return Err(refuse(format!(
                "format is {found}, this version reads {FORMAT}; use the version that wrote it"
            )));
        }
        let file: File = serde_json::from_value(loose)
            .map_err(|error| refuse(format!("{error}; restore it from a copy")))?;
        Self::checked(file).map(Some).map_err(refuse)
    }

    /// Replaces the directory's manifest, durably.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), LedgerError> {
        let shards = self.shards.iter().map(|shard| FileShard {
            slots_from: shard.slots.start,
            slots_until: shard.slots.end,
            created: shard.created,
        });
        let file = File {
            format: FORMAT,
            cluster: self.cluster.to_string(),
            slot_hash: SLOT_HASH.to_owned(),
            test_clock: self.times == Times::Test,
            shards: shards.collect(),
        };
        let mut text = serde_json::to_vec_pretty(&file).expect("a manifest is plain data");
        text.push(b'\n');
        fsutil::replace(&dir.join(NAME), &text)
    }

    /// The identity that the ledger of shard `shard` must have.
    pub(crate) fn identity(&self, shard: u16) -> Option<Identity> {
        Some(Identity {
            cluster: self.cluster,
            shard,
            shards: self.count(),
            slots: self.shards.get(usize::from(shard))?.slots.clone(),
            hash: SLOT_HASH.to_owned(),
        })
    }

    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.shards.len()).expect("a manifest has at most SHARDS_MAX shards")
    }

    fn checked(file: File) -> Result<Self, String> {
        let cluster = Uuid::parse_str(&file.cluster)
            .map_err(|error| format!("cluster is {:?}: {error}", file.cluster))?;
        if file.slot_hash != SLOT_HASH {
            return Err(format!(
                "slot_hash is {:?}, this version has {SLOT_HASH:?}; use the version that wrote it",
                file.slot_hash
            ));
        }
        if file.shards.is_empty() || usize::from(SHARDS_MAX) < file.shards.len() {
            return Err(format!(
                "{} shards; 1 to {SHARDS_MAX} are possible",
                file.shards.len()
            ));
        }
        let mut next = 0;
        for (index, shard) in file.shards.iter().enumerate() {
            if shard.slots_from != next || shard.slots_until <= shard.slots_from {
                let (from, until) = (shard.slots_from, shard.slots_until);
                return Err(format!(
                    "shard {index} has slots {from} to {until}, expected {next}"
                ));
            }
            next = shard.slots_until;
        }
        if next != SLOT_COUNT {
            return Err(format!(
                "the shards end at slot {next}, expected {SLOT_COUNT}"
            ));
        }
        let shards = file.shards.into_iter().map(|shard| Shard {
            slots: shard.slots_from..shard.slots_until,
            created: shard.created,
        });
        let times = if file.test_clock {
            Times::Test
        } else {
            Times::Real
        };
        Ok(Self {
            cluster,
            times,
            shards: shards.collect(),
        })
    }
}

/// A random (version 4) uuid from the system's generator.
fn draw_uuid() -> Result<Uuid, LedgerError> {
    let path = PathBuf::from("/dev/urandom");
    let mut bytes = [0; 16];
    fs::File::open(&path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(LedgerError::file("reading", &path))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
