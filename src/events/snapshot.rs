//! The state of every SKU at one cursor, as lines of JSON: where a new consumer begins, and what
//! follows the cursor then adds up to the state.
//!
//! The board shows the newest state, which may be of after the cursor; such a SKU's counters are
//! folded from the journal up to the cursor. Its configuration is that of now, and comes again with
//! the event that set it. Deliberately absent: reservations, which are nobody's but the order
//! service's.

use super::Events;
use super::cursor::Cursor;
use super::envelope::{config, stock};
use super::json::{Object, object};
use crate::rfc3339::TimeText;
use holdfast_core::{Counters, Location, Sku, SkuView};
use holdfast_runtime::{Follower, NoFollowing, Router, ShardIndex, Unavailable};
use hyper::body::Bytes;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Lines are handed over in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;

/// SKUs taken from the board at a time.
const PAGE: usize = 1_000;

/// How often what is committed is looked for in the journal, and the pause between.
const LOOKS: usize = 500;
const PAUSE: Duration = Duration::from_millis(2);

/// The state at a cursor, not written yet.
pub struct Snapshot {
    router: Router,
    cursor: Cursor,
    shards: Vec<Follower>,
}

/// Whoever took the lines takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

/// Why a snapshot was not written to its end.
enum Stop {
    Cut,
    No(NoFollowing),
}

impl Events {
    /// Chooses a cursor, and reads what lies before it. Blocks.
    pub fn snapshot(&self) -> Result<Snapshot, NoFollowing> {
        let router = self.0.router.clone();
        let shards = 0..router.placement().shards();
        let mut followers = Vec::with_capacity(usize::from(shards.end));
        let mut seqs = Vec::with_capacity(usize::from(shards.end));
        for shard in shards {
            // The board has everything up to here.
            let seq = router.stats()[usize::from(shard)]
                .committed
                .load(Ordering::Acquire);
            await_readable(&router, shard, seq)?;
            let mut follower = router.follow(shard, seq)?;
            follower.next_until(seq, PAGE, |_| {})?;
            followers.push(follower);
            seqs.push(seq);
        }
        Ok(Snapshot {
            cursor: Cursor::new(router.cluster(), seqs),
            shards: followers,
            router,
        })
    }
}

fn await_readable(router: &Router, shard: ShardIndex, seq: u64) -> Result<(), NoFollowing> {
    for _ in 0..LOOKS {
        if router.head_of(shard).is_some_and(|head| seq <= head) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(Unavailable::Recovering { shard }.into())
}

impl Snapshot {
    /// Everything after this follows on the state.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Writes a line with the cursor, one for every SKU whose name begins with `prefix`, by name,
    /// and a last one that says how many they were. Blocks.
    pub fn write(
        mut self,
        prefix: &str,
        hand_over: impl FnMut(Bytes) -> Result<(), Cut>,
    ) -> Result<u64, NoFollowing> {
        let mut lines = Lines {
            piece: Vec::with_capacity(PIECE_BYTES),
            hand_over,
        };
        match self.lines(prefix, &mut lines) {
            Ok(count) => Ok(count),
            Err(Stop::Cut) => Ok(0),
            Err(Stop::No(no)) => Err(no),
        }
    }

    fn lines(
        &mut self,
        prefix: &str,
        lines: &mut Lines<impl FnMut(Bytes) -> Result<(), Cut>>,
    ) -> Result<u64, Stop> {
        let time = TimeText::of(self.router.now());
        let cursor = self.cursor.to_string();
        lines.push(|json| {
            json.plain("cursor", &cursor);
            json.value("time", &time);
            json.value("prefix", &prefix);
        })?;
        let (mut count, mut after) = (0, None::<Sku>);
        loop {
            let page = self.router.skus(prefix, after.as_ref(), PAGE);
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.sku.clone());
            for view in page {
                if let Some(levels) = self.levels(&view)? {
                    lines.push(|json| line(json, &view, &levels))?;
                    count += 1;
                }
            }
        }
        lines.push(|json| {
            json.value("end", &true);
            json.number("skus", count);
        })?;
        lines.flush()?;
        Ok(count)
    }

    /// A SKU's counters at the cursor; nothing where it came later.
    fn levels(&mut self, view: &SkuView) -> Result<Option<Vec<(Location, Counters)>>, Stop> {
        let shard = self.router.placement().shard_of_sku(&view.sku);
        if view.seq <= self.cursor.seq(shard) {
            return Ok(Some(view.levels.clone()));
        }
        let levels = self.shards[usize::from(shard)].levels(&view.sku);
        let levels = levels.map_err(Stop::No)?;
        Ok((!levels.is_empty()).then_some(levels))
    }
}

impl From<Cut> for Stop {
    fn from(Cut: Cut) -> Self {
        Self::Cut
    }
}

struct Lines<F> {
    piece: Vec<u8>,
    hand_over: F,
}

impl<F: FnMut(Bytes) -> Result<(), Cut>> Lines<F> {
    fn push(&mut self, fill: impl FnOnce(&mut Object<'_>)) -> Result<(), Cut> {
        object(&mut self.piece, fill);
        self.piece.push(b'\n');
        if PIECE_BYTES <= self.piece.len() {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Cut> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        (self.hand_over)(piece.into())
    }
}

/// A SKU as it stood.
fn line(json: &mut Object<'_>, view: &SkuView, levels: &[(Location, Counters)]) {
    let mut sum = Counters::default();
    let (mut available, mut shortfall) = (0, 0);
    for (_, counters) in levels {
        sum.add(counters);
        available += counters.available();
        shortfall += counters.shortfall();
    }
    json.plain("sku", view.sku.as_str());
    json.number("shortfall", shortfall);
    json.object("stock", |json| stock(json, &sum, available));
    json.object("locations", |json| {
        for (location, counters) in levels {
            json.object(location.as_str(), |json| {
                stock(json, counters, counters.available());
            });
        }
    });
    json.object("config", |json| config(json, &view.config));
}
