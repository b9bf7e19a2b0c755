//! From what was read back to the verdict.
//!
//! A confirm or release of a cart over several shards is answered when its home shard has decided;
//! the others follow within moments, and the contract lets their counters lag by that message. So a
//! difference is looked at again, for a bounded time, before it counts, and the report says how
//! long it took. What still differs then is either another client's doing or a lie.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    account::Account,
    baseline::Baseline,
    basket::{Contents, Pair},
    foreign,
    proof::{Deviation, Evidence, Finding, ReadBackAnswers, deviations, judge},
    reads::by_pair,
    run::Replay,
};
use crate::client::{Failure, wire::Place};

/// Between two looks at those that do.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The verdict, statement by statement.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) findings: Vec<Finding>,
    /// SKUs on which another client was seen at work.
    pub(super) others: u64,
    pub(super) lagging: Lagging,
}

/// Counters that were behind the answers when first read, and caught up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lagging {
    /// So many SKUs.
    pub skus: u64,
    /// The last of them had caught up after so many seconds.
    pub seconds: f64,
}

/// Reads the server's side and weighs it against the account.
pub(super) async fn reach(
    replay: &Replay,
    account: &Account,
    baseline: &Baseline,
) -> Result<Judgement, Failure> {
    let skus = replay.skus("reading the counters back").await?;
    let read_back = replay.read_back(account).await?;
    let mut contents = Contents::clone(&replay.contents);
    let before = baseline.by_pair(&mut contents);
    let (after, sums_wrong) = by_pair(&skus, &mut contents);
    let mut weighing = Weighing {
        contents,
        account,
        before,
        after,
        sums_wrong,
        read_back,
        others: 0,
    };
    let lagging = weighing.await_laggards(replay).await?;
    let search = foreign::Search {
        contents: &weighing.contents,
        account,
        before: &weighing.before,
        after: &weighing.after,
        run: replay.options.run.as_str(),
        since: replay.options.now,
    };
    weighing.others = foreign::find(&replay.client, &search, &weighing.deviations()).await?;
    Ok(Judgement {
        findings: judge(&weighing.evidence()),
        others: weighing.others,
        lagging,
    })
}

#[derive(Debug)]
struct Weighing<'a> {
    contents: Contents,
    account: &'a Account,
    before: HashMap<Pair, Place>,
    after: HashMap<Pair, Place>,
    sums_wrong: Vec<String>,
    read_back: ReadBackAnswers,
    others: u64,
}

impl Weighing<'_> {
    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            contents: &self.contents,
            account: self.account,
            before: &self.before,
            after: &self.after,
            sums_wrong: &self.sums_wrong,
            read_back: &self.read_back,
            others: self.others,
        }
    }

    fn deviations(&self) -> Vec<Deviation> {
        deviations(&self.evidence())
    }

    /// Looks again at the SKUs that differ, until they don't or time is up.
    async fn await_laggards(&mut self, replay: &Replay) -> Result<Lagging, Failure> {
        let began = Instant::now();
        let mut behind = self.differing();
        let at_first = behind.len();
        while !behind.is_empty() && began.elapsed() < replay.options.lag_max {
            sleep(LOOK_EVERY).await;
            let names = behind
                .iter()
                .map(|&sku| self.contents.skus.name(sku).to_owned());
            let (places, _sums) = by_pair(
                &replay.look_again(names.collect()).await?,
                &mut self.contents,
            );
            self.after.extend(places);
            behind = self.differing();
        }
        let caught_up = at_first - behind.len().min(at_first);
        Ok(match caught_up {
            0 => Lagging::default(),
            skus => Lagging {
                skus: skus as u64,
                seconds: began.elapsed().as_secs_f64(),
            },
        })
    }

    fn differing(&self) -> BTreeSet<u32> {
        self.deviations()
            .iter()
            .map(|deviation| deviation.pair.sku)
            .collect()
    }
}
