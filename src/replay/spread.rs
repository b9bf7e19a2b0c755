//! Many calls at once, so many and no more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::task::JoinSet;

/// Runs `work(0)` to `work(total - 1)`, begun in that order, at most `workers` at once, and returns
/// their results in that order. The first failure ends it all.
pub(super) async fn spread<T, E, F>(
    workers: usize,
    total: usize,
    work: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Result<Vec<T>, E>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send,
{
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..workers.min(total) {
        let (work, next) = (Arc::clone(&work), Arc::clone(&next));
        tasks.spawn(async move {
            let mut results = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= total {
                    return Ok(results);
                }
                results.push((place, work(place).await?));
            }
        });
    }
    let mut results = Vec::with_capacity(total);
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(done) => results.append(&mut done?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    results.sort_unstable_by_key(|(place, _)| *place);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_no_more_run_at_once_than_were_allowed() {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
        let results = spread(4, 100, move |place| {
            let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, ()>(place)
            }
        })
        .await;
        assert_eq!(results, Ok((0..100).collect()));
        assert!((1..=4).contains(&most.load(Ordering::Relaxed)));
    }

    #[tokio::test]
    async fn the_first_failure_ends_it() {
        let result = spread(2, 10, |place| async move {
            if place == 5 { Err(place) } else { Ok(()) }
        });
        assert_eq!(result.await, Err(5));
    }
}
