//! What all workers share: the sum of their tallies, the intervals, the stock and the marks.
//!
//! Deliberately absent: a lock that an answer would wait for. Workers come by once an interval.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{
    CallTally, Interval, Last, Live, SkuNow, StockPoint, Tally, Worker, live::Quantiles,
    stock::Series,
};

/// How many intervals are kept; beyond that neighbours are joined, and intervals are twice as long.
pub const INTERVALS_MAX: usize = 512;
const MARKS_MAX: usize = 200;
const RATES_SHOWN: usize = 240;

/// Something that happened at a moment of the run: a phase, a `kill -9`, a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From the start of the run.
    pub at: Duration,
    /// In a few words.
    pub what: String,
}

/// A phase that has begun.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseBegun {
    /// From the start of the run.
    pub at: Duration,
    /// Its name.
    pub name: String,
    /// Arrivals a second it wants; 0 where it wants no certain rate.
    pub target_rate: f64,
}

/// Gathers what the workers note. Shared by `Arc`.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    interval: Duration,
    skus: Vec<String>,
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    whole: Tally,
    intervals: Intervals,
    stock: Vec<Series>,
    marks: Vec<Mark>,
    phases: Vec<PhaseBegun>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How long it took.
    pub elapsed: Duration,
    /// All of it.
    pub whole: Tally,
    /// In pieces, without a gap, each as long as `interval`.
    pub intervals: Vec<Interval>,
    /// How long a piece is.
    pub interval: Duration,
    /// The hot SKUs.
    pub skus: Vec<String>,
    /// Their stock, SKU by SKU, in order of time.
    pub stock: Vec<StockPoint>,
    /// What happened, in order of time.
    pub marks: Vec<Mark>,
    /// The phases, in order of time.
    pub phases: Vec<PhaseBegun>,
}

impl Recorder {
    /// A recorder of a run that starts at `start`; `skus` are those whose stock is shown. An
    /// interval is at least a millisecond long.
    pub fn new(start: Instant, interval: Duration, skus: Vec<String>) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        let stock = skus.iter().map(|_| Series::default()).collect();
        Self {
            start,
            interval,
            skus,
            shared: Mutex::new(Shared {
                whole: Tally::default(),
                intervals: Intervals::new(interval),
                stock,
                marks: Vec::new(),
                phases: Vec::new(),
            }),
        }
    }

    /// A recorder for one thread or task of the generator.
    pub fn worker(self: &Arc<Self>) -> Worker {
        Worker::new(Arc::clone(self), self.start, self.interval)
    }

    /// Notes the stock of the SKU at this place of the list.
    pub fn stock(&self, at: Instant, sku: usize, available: i64, reserved: i64, sold: i64) {
        let at = self.since(at);
        if let Some(series) = self.shared().stock.get_mut(sku) {
            series.push(StockPoint {
                at,
                sku,
                available,
                reserved,
                sold,
            });
        }
    }

    /// Notes that something happened. Beyond 200 of them no more are kept.
    pub fn mark(&self, at: Instant, what: &str) {
        let at = self.since(at);
        let mut shared = self.shared();
        if shared.marks.len() < MARKS_MAX {
            let place = shared.marks.partition_point(|mark| mark.at <= at);
            shared.marks.insert(
                place,
                Mark {
                    at,
                    what: what.to_owned(),
                },
            );
        }
    }

    /// Notes that a phase begins now.
    pub fn phase(&self, name: &str, target_rate: f64) {
        let at = self.since(Instant::now());
        let name = name.to_owned();
        self.shared().phases.push(PhaseBegun {
            at,
            name,
            target_rate,
        });
    }

    /// The run as it stands.
    pub fn live(&self) -> Live {
        let elapsed = self.since(Instant::now());
        let shared = self.shared();
        let mut live = Live {
            elapsed,
            phase: shared.phases.last().cloned(),
            arrived: shared.whole.arrived,
            dropped: shared.whole.dropped,
            marks: shared.marks.clone(),
            skus: self.skus_now(&shared),
            ..Live::default()
        };
        shared.intervals.show(&mut live, elapsed);
        let all: CallTally = shared.whole.all();
        drop(shared);
        live.count(&all);
        live
    }

    /// All that was noted. Workers have to be gone, or to have flushed, before.
    pub fn finish(&self) -> Recorded {
        let now = self.since(Instant::now());
        let shared = self.shared();
        // It may be asked for when the load is long over.
        let elapsed = shared.intervals.end().map_or(now, |end| end.min(now));
        let (intervals, interval) = shared.intervals.cut(elapsed);
        Recorded {
            elapsed,
            whole: shared.whole.clone(),
            intervals,
            interval,
            skus: self.skus.clone(),
            stock: shared.stock.iter().flat_map(Series::points).collect(),
            marks: shared.marks.clone(),
            phases: shared.phases.clone(),
        }
    }

    /// Takes what a worker noted in one interval, the `index`th of those it began with.
    pub(super) fn take(&self, index: u64, tally: &Tally) {
        let mut shared = self.shared();
        shared.whole.add(tally);
        shared.intervals.take(index, tally);
    }

    fn skus_now(&self, shared: &Shared) -> Vec<SkuNow> {
        let now = |(sku, series): (&String, &Series)| {
            let last = series.last();
            SkuNow {
                sku: sku.clone(),
                available: last.map_or(0, |point| point.available),
                reserved: last.map_or(0, |point| point.reserved),
                sold: last.map_or(0, |point| point.sold),
                top: series.top(),
            }
        };
        self.skus.iter().zip(&shared.stock).map(now).collect()
    }

    fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared
            .lock()
            .expect("no holder of this lock can panic")
    }
}

/// The pieces of the run's time, without a gap from its start.
#[derive(Debug)]
struct Intervals {
    length: Duration,
    /// How many of the intervals that workers count make one of these.
    joined: u64,
    all: VecDeque<Interval>,
}

impl Intervals {
    fn new(length: Duration) -> Self {
        Self {
            length,
            joined: 1,
            all: VecDeque::new(),
        }
    }

    fn take(&mut self, index: u64, tally: &Tally) {
        while index / self.joined >= INTERVALS_MAX as u64 {
            self.halve();
        }
        let place = (index / self.joined) as usize;
        self.fill(place + 1);
        self.all[place].take(tally);
    }

    fn fill(&mut self, count: usize) {
        while self.all.len() < count {
            let begins = self.length * self.all.len() as u32;
            let length = self.length;
            self.all.push_back(Interval {
                begins,
                length,
                ..Interval::default()
            });
        }
    }

    fn halve(&mut self) {
        self.joined *= 2;
        self.length *= 2;
        let mut pairs = VecDeque::with_capacity(INTERVALS_MAX);
        while let Some(mut first) = self.all.pop_front() {
            if let Some(second) = self.all.pop_front() {
                first.join(&second);
            }
            first.length = self.length;
            pairs.push_back(first);
        }
        self.all = pairs;
    }

    /// Workers give an interval away a moment after its end. One that is over by then and is not
    /// there had neither arrivals nor answers.
    fn show(&self, live: &mut Live, elapsed: Duration) {
        let over = elapsed.saturating_sub(self.length / 2).as_nanos() / self.length.as_nanos();
        let silent = Interval {
            length: self.length,
            ..Interval::default()
        };
        let all = self.all.iter().chain(std::iter::repeat(&silent));
        let whole: Vec<&Interval> = all.take(over.min(INTERVALS_MAX as u128) as usize).collect();
        let first = whole.len().saturating_sub(RATES_SHOWN);
        let rate = |count: u64, of: &Interval| count as f64 / of.length.as_secs_f64();
        live.rates = whole[first..]
            .iter()
            .map(|of| rate(of.answered(), of) as u64)
            .collect();
        if let Some(of) = whole.last() {
            live.last = Last {
                arrived_rate: rate(of.arrived, of),
                rate: rate(of.answered(), of),
                response: Quantiles::of(&of.response),
            };
        }
    }

    /// Where the last one ends.
    fn end(&self) -> Option<Duration> {
        self.all.back().map(|last| last.begins + last.length)
    }

    /// All of them up to the end of the run, the last one cut there.
    fn cut(&self, end: Duration) -> (Vec<Interval>, Duration) {
        let mut all: Vec<Interval> = self.all.iter().cloned().collect();
        if let Some(last) = all.last_mut()
            && last.begins < end
        {
            last.length = last.length.min(end.saturating_sub(last.begins));
        }
        (all, self.length)
    }
}
