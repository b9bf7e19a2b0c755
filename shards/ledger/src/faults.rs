//! A disk in memory that can fail and lose power: for tests and simulations only.
//!
//! A [`Disk`] keeps what a process sees of it, and the history of every write and sync. At any
//! sync a power loss can be imagined: each write that no sync has covered is kept, dropped or
//! torn at sector boundaries, by a seed. [`History`] makes such images by the thousand after the
//! run. A sync that fails leaves the writes before it in doubt for ever, as Linux does: they stay
//! readable, and a later sync no longer covers them.
//!
//! Deliberately absent: bits that rot, and reads that fail.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::backend::refuse_beyond;
use crate::store;

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A fault that was planted in a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th write from now on fails, the first being 1, and nothing of it is written.
    Write(u64),
    /// The n-th sync from now on fails, the first being 1.
    Sync(u64),
}

/// What the system says when a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
}

/// Whether a sync does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syncs {
    /// It covers every write before it.
    #[default]
    Honest,
    /// It reports success and covers nothing: the bug that power-loss tests must find.
    Missing,
}

/// A disk in memory. Clones are handles on the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    now: Vec<u8>,
    /// What was there before the history begins.
    start: Arc<[u8]>,
    history: Vec<Op>,
    syncs: u64,
    mode: Syncs,
    planted: Option<(Fault, Errno)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} bytes, {} operations, {} syncs",
            self.now.len(),
            self.history.len(),
            self.syncs
        )
    }
}

#[derive(Debug, Clone)]
enum Op {
    Write { offset: u64, data: Arc<[u8]> },
    SetLen(u64),
    Sync(Synced),
}

/// What a sync did to the writes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synced {
    Covered,
    Nothing,
    Failed,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds `image`, durably; its history begins here.
    pub fn with_image(image: Vec<u8>) -> Self {
        let state = State {
            start: image.as_slice().into(),
            now: image,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many syncs have returned success. What was acknowledged while this was `n` must be in
    /// every image of a power loss at sync `n + 1` or later.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Plants a fault; it strikes once. An earlier one is forgotten.
    pub fn plant(&self, fault: Fault, errno: Errno) {
        self.lock().planted = Some((fault, errno));
    }

    /// From now on syncs do what `mode` says.
    pub fn set_syncs(&self, mode: Syncs) {
        self.lock().mode = mode;
    }

    /// What a process sees of the disk now: every write, synced or not.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().now.clone()
    }

    /// The part of it that redb has, behind the write-ahead log of the ledger on it.
    pub fn tables(&self) -> io::Result<impl StorageBackend> {
        store::part(self.clone()).map(|(_, tables)| tables)
    }

    /// All that happened so far.
    pub fn history(&self) -> History {
        let state = self.lock();
        History {
            start: Arc::clone(&state.start),
            ops: state.history.clone().into(),
            syncs: state.syncs,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the fault planted for this kind of operation strikes now.
    fn strike(&mut self, sync: bool) -> io::Result<()> {
        let Some((fault, errno)) = &mut self.planted else {
            return Ok(());
        };
        let left = match fault {
            Fault::Write(left) if !sync => left,
            Fault::Sync(left) if sync => left,
            Fault::Write(_) | Fault::Sync(_) => return Ok(()),
        };
        *left = left.saturating_sub(1);
        if 0 < *left {
            return Ok(());
        }
        let errno = *errno;
        self.planted = None;
        Err(match errno {
            Errno::Io => io::Error::other("input/output error (planted)"),
            Errno::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "no space (planted)"),
        })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        refuse_beyond(state.now.len() as u64, offset, out.len())?;
        out.copy_from_slice(&state.now[offset as usize..offset as usize + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        state.strike(false)?;
        state.now.resize(len as usize, 0);
        state.history.push(Op::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.lock();
        if let Err(error) = state.strike(true) {
            state.history.push(Op::Sync(Synced::Failed));
            return Err(error);
        }
        let synced = match state.mode {
            Syncs::Honest => Synced::Covered,
            Syncs::Missing => Synced::Nothing,
        };
        state.history.push(Op::Sync(synced));
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        refuse_beyond(state.now.len() as u64, offset, data.len())?;
        state.strike(false)?;
        state.now[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        state.history.push(Op::Write {
            offset,
            data: data.into(),
        });
        Ok(())
    }
}

/// All that happened to a disk, from which power losses are made.
#[derive(Debug, Clone)]
pub struct History {
    start: Arc<[u8]>,
    ops: Arc<[Op]>,
    syncs: u64,
}

/// A disk after a power loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Power was lost just before this sync returned, the first being 1; one more than there
    /// were means after the last operation.
    pub sync: u64,
    /// What decided which writes survived.
    pub seed: u64,
    /// What is on the disk.
    pub bytes: Vec<u8>,
}

impl History {
    /// How many syncs returned success, so that power may be lost at `1..=syncs() + 1`.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// The image of a power loss at `sync` with `seed`.
    pub fn image(&self, sync: u64, seed: u64) -> Image {
        let mut durable = self.start.to_vec();
        let mut doubt = Random::new(seed);
        let mut pending = Vec::new();
        let mut syncs = 0;
        for op in self.ops.iter() {
            match op {
                Op::Write { .. } | Op::SetLen(_) => pending.push(op),
                Op::Sync(Synced::Failed) => survive(&mut durable, pending.drain(..), &mut doubt),
                Op::Sync(synced) => {
                    syncs += 1;
                    if sync == syncs {
                        break;
                    }
                    if *synced == Synced::Covered {
                        pending.drain(..).for_each(|op| apply(&mut durable, op));
                    }
                }
            }
        }
        survive(
            &mut durable,
            pending.drain(..),
            &mut Random::new(seed ^ sync.rotate_left(32)),
        );
        Image {
            sync,
            seed,
            bytes: durable,
        }
    }

    /// Images of power losses at every sync in `syncs`, `each` of them with seeds of its own:
    /// much faster than one at a time. With a failed sync in the history, the writes it left in
    /// doubt survive alike in all of them.
    pub fn images(
        &self,
        syncs: std::ops::RangeInclusive<u64>,
        each: u64,
        seed: u64,
        mut visit: impl FnMut(Image),
    ) {
        let mut durable = self.start.to_vec();
        let mut doubt = Random::new(seed);
        let mut pending: Vec<&Op> = Vec::new();
        let mut sync = 1;
        let mut lose = |sync: u64, durable: &[u8], pending: &[&Op]| {
            if !syncs.contains(&sync) {
                return;
            }
            for n in 0..each {
                let seed = seed.wrapping_add(n);
                let mut bytes = durable.to_vec();
                let mut random = Random::new(seed ^ sync.rotate_left(32));
                survive(&mut bytes, pending.iter().copied(), &mut random);
                visit(Image { sync, seed, bytes });
            }
        };
        for op in self.ops.iter() {
            match op {
                Op::Write { .. } | Op::SetLen(_) => pending.push(op),
                Op::Sync(Synced::Failed) => survive(&mut durable, pending.drain(..), &mut doubt),
                Op::Sync(synced) => {
                    lose(sync, &durable, &pending);
                    sync += 1;
                    if *synced == Synced::Covered {
                        pending.drain(..).for_each(|op| apply(&mut durable, op));
                    }
                }
            }
        }
        lose(sync, &durable, &pending);
    }
}

fn apply(disk: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, data } => put(disk, *offset as usize, data),
        Op::SetLen(len) => disk.resize(*len as usize, 0),
        Op::Sync(_) => {}
    }
}

/// Applies of each operation what survives a power loss: all, nothing, or some sectors.
fn survive<'a>(disk: &mut Vec<u8>, ops: impl Iterator<Item = &'a Op>, random: &mut Random) {
    // A share that survives, drawn anew each time: now nearly all, now nearly nothing.
    let share = random.below(101);
    for op in ops {
        let lot = random.below(100);
        let torn = random.below(8) == 0;
        match op {
            Op::Write { offset, data } if torn => {
                for (sector, part) in data.chunks(SECTOR_BYTES).enumerate() {
                    if random.below(2) == 0 {
                        put(disk, *offset as usize + sector * SECTOR_BYTES, part);
                    }
                }
            }
            op if lot < share => apply(disk, op),
            _ => {}
        }
    }
}

/// Writes what lies within the disk: where its growth was lost, so are writes beyond.
fn put(disk: &mut [u8], offset: usize, data: &[u8]) {
    let end = (offset + data.len()).min(disk.len());
    if offset < end {
        disk[offset..end].copy_from_slice(&data[..end - offset]);
    }
}

/// A small generator of numbers (splitmix64), so that a seed replays a run anywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The run of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the run.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }
}
