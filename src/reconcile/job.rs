//! A reconciliation on disk: a folder of its own beside the data, with what was asked, the file,
//! and the report. Whatever a server that died had begun is found there and begun anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use holdfast_core::{DriftKind, Location, Text, Timestamp, TraceParent};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::finding::Paper;
use super::report::{Report, State, time};
use super::when;

/// Whose truth the ledger is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A warehouse's count.
    Warehouse,
    /// The states of orders.
    Orders,
    /// What a seller believes.
    Seller,
}

impl Source {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warehouse => "warehouse",
            Self::Orders => "orders",
            Self::Seller => "seller",
        }
    }

    /// The kind of drift that a number of units opens.
    pub(super) const fn kind(self) -> DriftKind {
        match self {
            Self::Warehouse => DriftKind::Warehouse,
            Self::Orders => DriftKind::OrderQuantity,
            Self::Seller => DriftKind::Seller,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Whose truth.
    pub source: Source,
    /// Who reports it; two files of one reporter are not compared at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the file is called; its content's hash where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The moment of which the file tells: RFC 3339.
    pub as_of: String,
    /// Whether whoever asked named that moment; it is the arrival if not.
    pub names_moment: bool,
    /// The same as a position in one shard's ledger: shard and sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(u16, u64)>,
    /// Reservations made before this are not asked for in an order export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The rows there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// When it arrived.
    pub arrived: String,
    /// Where the request that brought it stood in its caller's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Order {
    /// The moment of which the file tells.
    pub fn as_of(&self) -> Timestamp {
        when::parse(&self.as_of).unwrap_or_default()
    }

    /// When it arrived.
    pub fn arrived(&self) -> Timestamp {
        when::parse(&self.arrived).unwrap_or_default()
    }

    /// Where the request that brought it stood in its caller's trace.
    pub(super) fn trace(&self) -> Option<TraceParent> {
        TraceParent::parse(self.traceparent.as_ref()?.as_bytes())
    }

    /// From when on reservations are asked for.
    pub fn since(&self) -> Timestamp {
        let since = self.since.as_deref().and_then(when::parse);
        since.unwrap_or_default()
    }

    /// Whether the two speak of the same things.
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_one = self.by == other.by || self.by.is_none() || other.by.is_none();
        self.source == other.source && is_one
    }
}

/// The folder of a reconciliation.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folders that are there, in the order of their ids.
    pub(super) fn all(root: &Path) -> io::Result<Vec<Self>> {
        if !root.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(root)?;
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths?;
        paths.sort_unstable();
        let folders = paths.into_iter().map(Self);
        Ok(folders.filter(Self::has_order).collect())
    }

    /// The folders of what arrived before a time, by their names, those included of which only
    /// a part is left.
    pub(super) fn older_than(root: &Path, until: u64) -> io::Result<Vec<Self>> {
        if !root.exists() {
            return Ok(Vec::new());
        }
        let mut old = Vec::new();
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            let arrived = path.file_name().and_then(|name| arrival_of(name.to_str()?));
            if arrived.is_some_and(|arrived| arrived < until) {
                old.push(path);
            }
        }
        old.sort_unstable();
        Ok(old.into_iter().map(Self).collect())
    }

    /// Its name.
    pub(super) fn id(&self) -> Option<&str> {
        self.0.file_name()?.to_str()
    }

    /// Whether it is one: its order comes last when it is made, and goes first.
    pub(super) fn has_order(&self) -> bool {
        self.0.join(ORDER).exists()
    }

    /// Removes it. What is left of it after a crash is none, and is removed the next time.
    pub(super) fn remove(&self) -> io::Result<()> {
        if self.has_order() {
            fs::remove_file(self.0.join(ORDER))?;
            File::open(&self.0)?.sync_all()?;
        }
        fs::remove_dir_all(&self.0)
    }

    /// A new folder for what was asked; its id is free for ever. Fills in the id.
    pub(super) fn create(root: &Path, order: &mut Order, at: Timestamp) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        for number in 0_u32.. {
            let id = format!("{:0ARRIVAL$x}{number:04x}", at.ms());
            let path = root.join(&id);
            match fs::create_dir(&path) {
                Ok(()) => {
                    order.id = id;
                    let folder = Self(path);
                    File::create(folder.input())?.sync_all()?;
                    folder.write_report(&Report::default())?;
                    write(&folder.0.join(ORDER), order)?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no id is free"))
    }

    /// The file.
    pub(super) fn input(&self) -> PathBuf {
        self.0.join("input")
    }

    /// What was asked for.
    pub(super) fn order(&self) -> io::Result<Order> {
        read(&self.0.join(ORDER))
    }

    /// The report as last written.
    pub(super) fn report(&self) -> io::Result<Report> {
        read(&self.0.join(REPORT))
    }

    /// Writes the report.
    pub(super) fn write_report(&self, report: &Report) -> io::Result<()> {
        write(&self.0.join(REPORT), report)
    }

    /// Puts a piece of the file at its place; the length then. A piece that came before changes
    /// nothing; one that leaves a hole is not taken.
    pub(super) fn append(&self, offset: u64, piece: &[u8]) -> io::Result<u64> {
        let mut file = OpenOptions::new().write(true).open(self.input())?;
        let length = file.metadata()?.len();
        let end = offset + piece.len() as u64;
        if offset <= length && length < end {
            let from = (length - offset) as usize;
            file.seek(SeekFrom::Start(length))?;
            file.write_all(&piece[from..])?;
            file.sync_data()?;
            return Ok(end);
        }
        Ok(length)
    }

    /// What its drifts are filed under: the file has the same name whenever it comes again.
    pub(super) fn paper(&self, order: &Order) -> io::Result<Paper> {
        let by = order.by.as_deref().and_then(|by| Text::parse(by).ok());
        let named = order.document.as_deref();
        let document = if let Some(name) = named.and_then(|name| Text::parse(name).ok()) {
            name
        } else {
            let hash = hash_of(&self.input())?;
            let name = format!("{} {hash:032x}", order.source.as_str());
            Text::parse(&name).map_err(io::Error::other)?
        };
        Ok(Paper { by, document })
    }
}

/// Digits of an id that tell when it arrived.
const ARRIVAL: usize = 12;

fn arrival_of(id: &str) -> Option<u64> {
    let (arrival, number) = id.split_at_checked(ARRIVAL)?;
    u16::from_str_radix(number, 16).ok()?;
    u64::from_str_radix(arrival, 16).ok()
}

const ORDER: &str = "order.json";
const REPORT: &str = "report.json";

fn hash_of(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (Xxh3::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.digest128()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
}

/// In one step, so that nobody ever reads half of it.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// What a caller asks for, before it has an id.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose truth.
    pub source: Source,
    /// Who reports it.
    pub by: Option<Text>,
    /// What the file is called.
    pub document: Option<Text>,
    /// The moment of which it tells; now if absent.
    pub as_of: Option<AsOf>,
    /// From when on reservations are asked for.
    pub since: Option<Timestamp>,
    /// The rows there should be.
    pub rows: Option<u64>,
    /// Where the request stands in its caller's trace.
    pub trace: Option<TraceParent>,
}

/// A moment, as callers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Ledger time.
    Time(Timestamp),
    /// A point in one shard's ledger.
    Position(u16, u64),
}

impl Wanted {
    /// The order, without its id; `then` is the moment of which the file tells.
    pub(super) fn order(&self, then: Timestamp, now: Timestamp) -> Order {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
        let position = match self.as_of {
            Some(AsOf::Position(shard, seq)) => Some((shard, seq)),
            Some(AsOf::Time(_)) | None => None,
        };
        Order {
            id: String::new(),
            source: self.source,
            by: text(&self.by),
            document: text(&self.document),
            as_of: time(then),
            names_moment: self.as_of.is_some(),
            position,
            since: self.since.map(time),
            rows: self.rows,
            arrived: time(now),
            traceparent: self.trace.map(|trace| trace.to_string()),
        }
    }
}

/// A location and SKU seen in a file, as a number.
pub(super) fn place_hash(sku: &str, location: &Location) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(sku.as_bytes());
    hasher.update(&[0]);
    hasher.update(location.as_str().as_bytes());
    hasher.digest128()
}

impl Report {
    /// One that runs.
    pub(super) fn running() -> Self {
        Self {
            state: State::Running,
            ..Self::default()
        }
    }
}
