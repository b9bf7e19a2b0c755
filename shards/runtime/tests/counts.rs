//! What counts of the past are compared with, many together: the counters then, with what was
//! recorded later about the time before, and each event that statements lack read once.

mod common;

use common::*;
use holdfast_core::{
    Command, Counter, Location, Millis, Movement, MovementKind, Sku, Timestamp, Units,
};
use holdfast_runtime::clock::Hands;
use holdfast_runtime::{At, Clock, NoPast, Router, Settings, Taken};
use std::sync::atomic::Ordering;
use tempfile::TempDir;

fn taken(sku: &Sku, at: At) -> Taken {
    Taken {
        sku: sku.clone(),
        location: Location::main(),
        at,
    }
}

fn told_late(sku: &Sku, units: u32, occurred: Timestamp) -> Command {
    let kind = MovementKind::Receive(Units::new(units).expect("a quantity"));
    let mut late = Movement::new(sku.clone(), kind);
    late.note.occurred_at = Some(occurred);
    Command::Movement(Box::new(late))
}

/// One SKU with many events, over several blocks of its statement, and one with a few.
async fn moved_on(router: &Router, hands: &Hands) -> [Sku; 2] {
    let (busy, calm) = (sku("BUSY"), sku("CALM"));
    for own in [&busy, &calm] {
        stock(router, own, 10).await;
    }
    for _ in 0..60 {
        hands.advance(Millis::new(700));
        let receipts = (0..20).map(|_| plain(receive(&busy, 1)));
        let operations = receipts.chain([plain(receive(&calm, 2))]).collect();
        let told = router.batch(operations, soon()).await;
        assert!(told.iter().all(Result::is_ok), "{told:?}");
    }
    [busy, calm]
}

/// A clock that stands still until it is moved.
fn by_hand(settings: &mut Settings) -> Hands {
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    hands
}

#[tokio::test]
async fn counts_of_many_skus_read_what_their_statements_lack_once() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.statement.events_per_s_max = 1;
    let hands = by_hand(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let names: Vec<Sku> = (0..30).map(|n| sku(&format!("SKU-{n}"))).collect();
    // At one event a second it rests for half a minute after these, which it takes in one go.
    let made = names
        .iter()
        .map(|name| Command::Configure(Box::new(configure(name))));
    let told = router.batch(made.map(plain).collect(), soon()).await;
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    eventually("they are indexed", || router.statement_lag(0) == Some(0)).await;
    for name in &names {
        run(&router, receive(name, 10))
            .await
            .expect("it is recorded");
    }
    let (moment, position) = (router.now(), router.shards()[0].seq);
    hands.advance(Millis::from_secs(10));
    for name in &names {
        let late = run(&router, told_late(name, 5, moment)).await;
        late.expect("it is recorded");
        run(&router, receive(name, 7)).await.expect("the same");
    }
    let moments = [At::Time(moment), At::Sequence(position)];
    let asked = names
        .iter()
        .flat_map(|name| moments.map(|at| taken(name, at)));
    let asked: Vec<Taken> = asked.collect();
    let mut all = asked.clone();
    all.push(taken(&sku("NOBODY"), moments[0]));
    all.push(taken(&names[0], At::Time(timestamp(u64::MAX / 2))));
    all.push(taken(&names[0], At::Sequence(1_000_000)));
    let read = || router.stats()[0].lag_read.load(Ordering::Relaxed);
    let then = router.counts_then(all).await;
    let (lag, events) = (read(), router.shards()[0].seq);
    assert!(0 < lag && lag <= events, "{lag} of {events} events read");
    let (then, refused) = then.split_at(asked.len());
    let future = || Err(NoPast::Future);
    assert_eq!(refused, [Err(NoPast::UnknownSku), future(), future()]);
    for (asked, then) in asked.iter().zip(then) {
        let alone = router.count_then(&asked.sku, &asked.location, asked.at);
        assert_eq!(then, &alone.await, "{asked:?}");
        let then = then.as_ref().expect("known");
        let on_hand = then.counters.get(Counter::OnHand);
        assert_eq!(on_hand, 15, "10, and 5 told late: {asked:?}");
    }
    assert!(10 * lag < read(), "each alone reads it again");
    runtime.halt().await;
}

#[tokio::test]
async fn counts_are_compared_with_the_past_however_much_of_it_is_indexed() {
    for is_indexed in [true, false] {
        let dir = TempDir::new().expect("a directory");
        let mut settings = settings(&dir, 1);
        if !is_indexed {
            settings.statement.events_per_s_max = 1;
        }
        let hands = by_hand(&mut settings);
        let runtime = start(&settings).await;
        let router = runtime.router();
        let skus = moved_on(&router, &hands).await;
        if is_indexed {
            eventually("the statements have caught up", || {
                router.statement_lag(0) == Some(0)
            })
            .await;
        }
        let head = router.shards()[0].seq;
        let seqs = (1..=head).step_by(7).chain([head]).map(At::Sequence);
        let times = (0..60 * 700).step_by(331);
        let times = times.map(|ms| At::Time(timestamp(ms)));
        let each = seqs.chain(times);
        let asked: Vec<Taken> = each
            .flat_map(|at| skus.iter().map(move |sku| taken(sku, at)))
            .collect();
        let then = router.counts_then(asked.clone()).await;
        for (asked, then) in asked.iter().zip(then) {
            let (then, past) = (then, router.past(&asked.sku, asked.at).await);
            let (then, past) = (then.expect("known"), past.expect("known"));
            let here = past.levels.iter().find(|(own, _)| *own == asked.location);
            let here = here.map(|(_, counters)| counters.clone());
            assert_eq!(then.counters, here.unwrap_or_default(), "{asked:?}");
            assert_eq!(then.seq, past.seq, "{asked:?}");
            match asked.at {
                At::Time(at) => assert_eq!(then.at, at),
                At::Sequence(_) => assert_eq!(then.at, past.at, "{asked:?}"),
            }
        }
        runtime.halt().await;
    }
}
