//! How long reconciliations are kept: the folder of one that has ended is removed when it is older
//! than configured, unless drifts of its file still wait for a decision; it is what they rest on.
//!
//! Deliberately absent: drifts themselves, which the ledger keeps, and files that were dropped
//! into the watched folder, which are their owner's.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use holdfast_core::{Millis, Text};
use holdfast_runtime::{DriftFilter, DriftStateWord, Router, Unavailable};
use tokio::time::sleep;
use tracing::{info, warn};

use super::desk::Desk;
use super::job::Folder;
use super::run::{Ended, blocking};

/// How often is looked, and how soon again where it did not go well.
const EVERY: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_secs(10);

/// Drifts asked for at a time.
const PAGE: usize = 1_000;

/// Whose a file was, and what it was called.
type Named = (Option<Text>, Option<Text>);

/// Removes what need not be kept, now and then, for ever.
pub(super) async fn keep_house(desk: Desk, router: Router, kept: Millis) {
    loop {
        let pause = match sweep(&desk, &router, kept).await {
            Ok(removed) => {
                if removed > 0 {
                    info!(removed, "reconciliations of long ago were removed");
                }
                EVERY
            }
            Err(why) => {
                warn!(%why, "reconciliations of long ago can't be removed; tried again");
                SOON
            }
        };
        sleep(pause).await;
    }
}

/// Why nothing more was removed.
#[derive(Debug, thiserror::Error)]
enum Kept {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Shard(#[from] Unavailable),
    #[error(transparent)]
    Step(#[from] Ended),
}

async fn sweep(desk: &Desk, router: &Router, kept: Millis) -> Result<usize, Kept> {
    let until = router.now().ms().saturating_sub(kept.ms());
    let own = desk.clone();
    let old = blocking(move || own.ended_before(until)).await??;
    let mut waiting: Option<HashSet<Named>> = None;
    let mut removed = 0;
    for folder in old {
        let own = folder.clone();
        let named = match blocking(move || may_wait(&own)).await? {
            Ok(named) => named,
            Err(error) => {
                let reconciliation = folder.id();
                warn!(reconciliation, %error, "a reconciliation can't be read, and stays");
                continue;
            }
        };
        if let Some(named) = named {
            let all = match waiting.take() {
                Some(all) => all,
                None => open_drifts(router).await?,
            };
            let is_waiting = waiting.insert(all).contains(&named);
            if is_waiting {
                continue;
            }
        }
        blocking(move || folder.remove()).await??;
        removed += 1;
    }
    Ok(removed)
}

/// The names under which drifts of a reconciliation were filed, where some waited at its end.
fn may_wait(folder: &Folder) -> io::Result<Option<Named>> {
    if !folder.has_order() {
        return Ok(None);
    }
    if folder.report()?.drifts.waiting == 0 {
        return Ok(None);
    }
    let paper = folder.paper(&folder.order()?)?;
    Ok(Some((paper.by, Some(paper.document))))
}

/// What the files are called whose drifts wait for a decision.
async fn open_drifts(router: &Router) -> Result<HashSet<Named>, Unavailable> {
    let (mut named, mut after) = (HashSet::new(), None);
    loop {
        let filter = DriftFilter {
            sku: None,
            kind: None,
            state: Some(DriftStateWord::Open),
        };
        let page = router.drifts(filter, after, PAGE).await?;
        let own = page.items.into_iter();
        named.extend(own.map(|drift| (drift.source, drift.document)));
        if page.next.is_none() {
            return Ok(named);
        }
        after = page.next;
    }
}
