//! Statements and the past, held against a naive fold of the journal.

mod common;

use common::*;
use holdfast_core::{
    Command, Counter, Counters, Effect, Event, EventKind, Location, Millis, Movement, MovementKind,
    OpeningBalance, ReservationId, Sku, Timestamp, Units,
};
use holdfast_ledger::{Archive, DataDir, codec};
use holdfast_runtime::{
    ArchiveSettings, At, Clock, Entry, NoPast, Router, Runtime, Settings, StatementPage,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

type Levels = BTreeMap<Location, Counters>;

async fn caught_up(router: &Router) {
    eventually("the statements have caught up", || {
        (0..router.placement().shards()).all(|shard| router.statement_lag(shard) == Some(0))
    })
    .await;
}

/// A page, as soon as its shard can tell: one that was just rebuilt begins once more.
async fn page(router: &Router, sku: &Sku, after: u64, limit: usize) -> StatementPage {
    loop {
        match router.statement(sku, after, limit).await {
            Err(NoPast::Unavailable(_)) => tokio::task::yield_now().await,
            page => return page.expect("a page"),
        }
    }
}

/// Every page of a SKU's statement.
async fn whole(router: &Router, sku: &Sku, limit: usize) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let page = page(router, sku, after, limit).await;
        assert!(page.entries.len() <= limit);
        entries.extend(page.entries);
        match page.next {
            Some(next) => after = next,
            None => return entries,
        }
    }
}

/// All events in a stopped directory's first ledger.
fn journal(settings: &Settings) -> Vec<Event> {
    let dir = DataDir::open_read_only(&settings.data.dir).expect("it was made");
    let view = dir.view(0).expect("it is whole");
    let records = view.replay(1).expect("nothing was trimmed");
    let mut events = Vec::new();
    for record in records {
        let record = record.expect("it is whole");
        let read = codec::Events::new(record.first, record.events, &record.body);
        events.extend(read.expect("known").map(|event| event.expect("whole")));
    }
    events
}

/// The counters of a SKU after each of its events.
fn naive(events: &[Event], sku: &Sku) -> Vec<(u64, Timestamp, Levels)> {
    let mut levels = Levels::new();
    let mut told = Vec::new();
    for event in events {
        let mut is_own = false;
        for effect in event.spelled_out().iter() {
            match effect {
                Effect::Stock(stock) if stock.sku == *sku => {
                    is_own = true;
                    let counters = levels.entry(stock.location.clone()).or_default();
                    for (counter, value) in &stock.counters {
                        counters.set(*counter, *value);
                    }
                }
                Effect::Sku(change) if change.sku == *sku => is_own = true,
                _ => {}
            }
        }
        if is_own {
            told.push((event.seq, event.at, levels.clone()));
        }
    }
    told
}

fn sum(levels: &Levels) -> Counters {
    levels.values().fold(Counters::default(), |mut sum, one| {
        sum.add(one);
        sum
    })
}

fn receive_at(sku: &Sku, units: u32, place: &str) -> Movement {
    let units = Units::new(units).expect("a quantity");
    Movement {
        location: Location::parse(place).expect("a name"),
        ..Movement::new(sku.clone(), MovementKind::Receive(units))
    }
}

fn moved(movement: Movement) -> Command {
    Command::Movement(Box::new(movement))
}

/// A busy morning of two SKUs, long enough for several blocks: receipts at two places, reserves, confirms, releases, expiries.
async fn morning(router: &Router, hands: &holdfast_runtime::clock::Hands) -> [Sku; 2] {
    let (tee, mug) = (sku("TEE-RED-M"), sku("MUG"));
    stock(router, &tee, 5_000).await;
    stock(router, &mug, 5_000).await;
    let mut open: Vec<ReservationId> = Vec::new();
    for round in 0..900_u32 {
        hands.advance(Millis::new(u64::from(round % 3) * 700));
        let own = if round % 3 == 0 { &mug } else { &tee };
        let order = format!("order-{round}");
        match round % 7 {
            0 => drop(run(router, moved(receive_at(own, 1 + round % 5, "store-17"))).await),
            1 | 2 | 4 | 5 => {
                let told = run(router, reserve_for(own, 1 + round % 2, &order, "ann")).await;
                open.push(view(told).id);
            }
            3 => drop(run(router, confirm(open.swap_remove(0))).await),
            _ => drop(run(router, release(open.swap_remove(0))).await),
        }
    }
    let late = view(run(router, reserve_ttl(&tee, 3, Millis::from_secs(5))).await);
    hands.advance(Millis::from_secs(6));
    router.catch_up(std::time::Duration::from_secs(10)).await;
    assert_eq!(late.lines.len(), 1);
    [tee, mug]
}

async fn at_work(dir: &TempDir) -> (Settings, Runtime, holdfast_runtime::clock::Hands) {
    let mut settings = settings(dir, 1);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    (settings, runtime, hands)
}

#[tokio::test]
async fn a_statement_tells_the_journal_event_by_event_with_running_balances() {
    let dir = TempDir::new().expect("a directory");
    let (settings, runtime, hands) = at_work(&dir).await;
    let router = runtime.router();
    let skus = morning(&router, &hands).await;
    caught_up(&router).await;
    let mut told = Vec::new();
    for sku in &skus {
        told.push(whole(&router, sku, 7).await);
    }
    runtime.halt().await;
    let events = journal(&settings);
    for (sku, entries) in skus.iter().zip(&told) {
        let expected = naive(&events, sku);
        assert_eq!(entries.len(), expected.len());
        let mut before = Counters::default();
        for (entry, (seq, at, levels)) in entries.iter().zip(&expected) {
            assert_eq!((entry.seq, entry.at), (*seq, *at));
            assert_eq!(entry.before, before, "before event {seq}");
            assert_eq!(entry.after, sum(levels), "after event {seq}");
            for change in &entry.changes {
                assert_eq!(&change.after, &levels[&change.location]);
            }
            before = entry.after.clone();
        }
    }
    let made = told[0]
        .iter()
        .find(|entry| entry.details.order_ref.is_some());
    let made = made.expect("reserves name their orders");
    assert!(made.details.reservation.is_some() && made.units() > 0);
}

/// Three units that were sold at one place and left from another were told as six.
#[tokio::test]
async fn a_shipment_is_as_many_units_as_left_also_where_its_sale_moves() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, _) = at_work(&dir).await;
    let router = runtime.router();
    let tee = sku("MOVED");
    run(&router, Command::Configure(Box::new(configure(&tee))))
        .await
        .expect("made");
    let balance = OpeningBalance {
        on_hand: 1,
        unshipped: 4,
        ..OpeningBalance::default()
    };
    let opening = Movement::new(tee.clone(), MovementKind::Opening(balance));
    run(&router, moved(opening)).await.expect("opened");
    run(&router, moved(receive_at(&tee, 5, "store")))
        .await
        .expect("received");
    let units = Units::new(3).expect("a quantity");
    let ship = Movement {
        location: Location::parse("store").expect("a name"),
        ..Movement::new(tee.clone(), MovementKind::Ship { units, sale: None })
    };
    run(&router, moved(ship)).await.expect("shipped");
    caught_up(&router).await;
    let entries = whole(&router, &tee, 7).await;
    let shipped = entries.last().expect("it was shipped");
    assert_eq!(
        (shipped.kind, shipped.units()),
        (EventKind::StockShipped, 3)
    );
}

#[tokio::test]
async fn the_past_at_every_sequence_and_time_is_what_replay_gives() {
    let dir = TempDir::new().expect("a directory");
    let (settings, runtime, hands) = at_work(&dir).await;
    let router = runtime.router();
    let [tee, _] = morning(&router, &hands).await;
    caught_up(&router).await;
    let head = router.shards()[0].seq;
    let mut past = Vec::new();
    for seq in 1..=head {
        past.push(router.past(&tee, At::Sequence(seq)).await.expect("known"));
    }
    assert_eq!(
        router.past(&tee, At::Sequence(head + 1)).await,
        Err(NoPast::Future)
    );
    let later = router.now().after(Millis::new(1));
    assert_eq!(
        router.past(&tee, At::Time(later)).await,
        Err(NoPast::Future)
    );
    let mut by_time = Vec::new();
    for ms in (0..620_000).step_by(997) {
        let at = timestamp(ms);
        by_time.push((at, router.past(&tee, At::Time(at)).await.expect("known")));
    }
    runtime.halt().await;
    let expected = naive(&journal(&settings), &tee);
    let then = |is_before: &dyn Fn(u64, Timestamp) -> bool| {
        let last = expected.iter().rfind(|(seq, at, _)| is_before(*seq, *at));
        last.map_or_else(Levels::new, |(_, _, levels)| levels.clone())
    };
    for (seq, past) in (1..).zip(&past) {
        let levels: Levels = past.levels.iter().cloned().collect();
        assert_eq!(levels, then(&|own, _| own <= seq), "at {seq}");
        assert_eq!(past.seq, seq);
    }
    for (time, past) in &by_time {
        let levels: Levels = past.levels.iter().cloned().collect();
        assert_eq!(levels, then(&|_, at| at <= *time), "at {time:?}");
    }
}

#[tokio::test]
async fn a_statement_is_the_same_after_a_crash_and_after_its_file_was_lost_or_damaged() {
    let dir = TempDir::new().expect("a directory");
    let (settings, runtime, hands) = at_work(&dir).await;
    let router = runtime.router();
    let [tee, _] = morning(&router, &hands).await;
    caught_up(&router).await;
    let before = whole(&router, &tee, 100).await;
    router.crash(0);
    eventually("it was rebuilt", || router.shards()[0].restarts == 1).await;
    while router.statement(&tee, 0, 1).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    caught_up(&router).await;
    assert_eq!(whole(&router, &tee, 100).await, before);
    runtime.halt().await;
    let path = settings.data.dir.join("shard-00").join("statement.redb");
    for damage in ["lost", "garbage", "cut"] {
        harm(&path, damage);
        let runtime = start(&settings).await;
        let router = runtime.router();
        caught_up(&router).await;
        assert_eq!(whole(&router, &tee, 100).await, before, "{damage}");
        runtime.halt().await;
    }
}

fn harm(path: &PathBuf, damage: &str) {
    let whole = std::fs::read(path).expect("there was a file");
    match damage {
        "lost" => std::fs::remove_file(path).expect("removed"),
        "garbage" => std::fs::write(path, vec![7; 100_000]).expect("written"),
        _ => std::fs::write(path, &whole[..whole.len() / 2]).expect("written"),
    }
}

#[tokio::test]
async fn the_past_is_known_up_to_now_however_far_behind_the_statement_is() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.statement.events_per_s_max = 1;
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let [tee, _] = morning(&router, &hands).await;
    assert!(router.statement_lag(0) > Some(0));
    let now = router.sku(&tee).expect("it was made");
    for at in [At::Sequence(now.seq), At::Time(router.now())] {
        let past = router.past(&tee, at).await.expect("known");
        assert_eq!(past.levels, now.levels);
    }
    runtime.halt().await;
}

#[tokio::test]
async fn a_moment_that_was_counted_knows_what_was_recorded_of_it_later() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, hands) = at_work(&dir).await;
    let router = runtime.router();
    let (tee, main) = (sku("TEE-RED-M"), Location::main());
    hands.advance(Millis::from_secs(10));
    stock(&router, &tee, 10).await;
    hands.advance(Millis::from_secs(10));
    let counted_at = router.now();
    hands.advance(Millis::from_secs(10));
    for (units, place, occurred_s) in [(5, "main", 15), (7, "main", 25), (9, "store-17", 15)] {
        let mut late = receive_at(&tee, units, place);
        late.note.occurred_at = Some(timestamp(occurred_s * 1_000));
        run(&router, moved(late)).await.expect("it is recorded");
    }
    for is_indexed in [false, true] {
        if is_indexed {
            caught_up(&router).await;
        }
        let then = router
            .count_then(&tee, &main, At::Time(counted_at))
            .await
            .expect("known");
        assert_eq!(
            then.counters.get(Counter::OnHand),
            15,
            "10, and 5 told late"
        );
        assert_eq!(then.counters.physical(), 15);
        assert_eq!(then.at, counted_at);
        let now = router.sku(&tee).expect("it was made");
        assert_eq!(then.stock_version, now.versions.stock);
    }
    runtime.halt().await;
}

#[tokio::test]
async fn what_was_trimmed_is_named_as_such() {
    let dir = TempDir::new().expect("a directory");
    let (mut settings, runtime, hands) = at_work(&dir).await;
    runtime.halt().await;
    settings.snapshot_after_events = 20;
    settings.data.journal_kept = Some(Millis::from_secs(1));
    let runtime = start(&settings).await;
    let router = runtime.router();
    let [tee, _] = morning(&router, &hands).await;
    let now = router.sku(&tee).expect("it was made");
    caught_up(&router).await;
    assert!(matches!(
        router.statement(&tee, 0, 10).await,
        Err(NoPast::Trimmed { .. })
    ));
    // The index remembers counters that the journal has lost; a new one does not.
    let early = router.past(&tee, At::Sequence(5)).await.expect("known");
    assert!(!early.levels.is_empty());
    runtime.halt().await;
    harm(
        &settings.data.dir.join("shard-00").join("statement.redb"),
        "lost",
    );
    let runtime = start(&settings).await;
    let router = runtime.router();
    caught_up(&router).await;
    let early = router.past(&tee, At::Sequence(5)).await;
    assert!(matches!(early, Err(NoPast::Trimmed { .. })), "{early:?}");
    let head = At::Sequence(router.shards()[0].seq);
    let past = router.past(&tee, head).await.expect("known");
    assert_eq!(past.levels, now.levels);
    runtime.halt().await;
}

/// The events of an archive and of the journal after it, in a stopped directory of one shard.
fn whole_history(settings: &Settings) -> (Vec<Event>, u64) {
    let dir = DataDir::open_read_only(&settings.data.dir).expect("it was made");
    let archive = Archive::open_read_only(&dir.archive_path(0), &dir.identity(0));
    let archive = archive.expect("it can be listed");
    let view = dir.view(0).expect("it is whole");
    let oldest = view.oldest().expect("it is whole");
    let files = archive.files();
    let archived = files
        .iter()
        .flat_map(|file| archive.records(file).expect("it is whole"));
    let archived = archived.filter(|record| record.as_ref().is_ok_and(|r| r.first < oldest));
    let mut events = Vec::new();
    for record in archived.chain(view.replay(oldest).expect("it is there")) {
        let record = record.expect("it is whole");
        let read = codec::Events::new(record.first, record.events, &record.body);
        events.extend(read.expect("known").map(|event| event.expect("whole")));
    }
    (events, oldest)
}

#[tokio::test]
async fn a_statement_and_the_past_reach_back_into_the_archive_also_when_built_anew() {
    let dir = TempDir::new().expect("a directory");
    let (mut settings, runtime, hands) = at_work(&dir).await;
    runtime.halt().await;
    settings.snapshot_after_events = 20;
    settings.data.journal_kept = Some(Millis::from_secs(1));
    settings.archive = ArchiveSettings {
        enabled: true,
        file_bytes: 3_000,
        kept: None,
    };
    let runtime = start(&settings).await;
    let router = runtime.router();
    let [tee, _] = morning(&router, &hands).await;
    // Trimming follows the archive, so there must be something to commit.
    let is_trimmed = || {
        let files = std::fs::read_dir(settings.data.dir.join("shard-00/archive"));
        files.is_ok_and(|files| 2 < files.count())
    };
    eventually("files are sealed", is_trimmed).await;
    for _ in 0..20 {
        hands.advance(Millis::from_secs(1));
        run(&router, moved(receive_at(&tee, 1, "main")))
            .await
            .expect("it is recorded");
    }
    caught_up(&router).await;
    let told = whole(&router, &tee, 50).await;
    let early = router.past(&tee, At::Sequence(7)).await;
    runtime.halt().await;
    let (events, oldest) = whole_history(&settings);
    assert!(20 < oldest, "nothing was trimmed");
    let expected = naive(&events, &tee);
    let seqs: Vec<u64> = expected.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(told.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs);
    assert!(told.iter().any(|entry| entry.details.order_ref.is_some()));
    let levels: Vec<_> = early.expect("known").levels.into_iter().collect();
    let then = expected.iter().rfind(|(seq, ..)| *seq <= 7);
    let then = then.expect("it began before").2.clone();
    assert_eq!(levels, then.into_iter().collect::<Vec<_>>());
    harm(
        &settings.data.dir.join("shard-00").join("statement.redb"),
        "lost",
    );
    // A crash in the middle of a file, too.
    std::fs::write(settings.data.dir.join("shard-00/archive/7.new"), b"half").expect("written");
    let runtime = start(&settings).await;
    let router = runtime.router();
    caught_up(&router).await;
    assert_eq!(whole(&router, &tee, 50).await, told);
    assert!(!settings.data.dir.join("shard-00/archive/7.new").exists());
    runtime.halt().await;
}
