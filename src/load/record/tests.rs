//! What workers note arrives, in its interval, and memory stays bounded.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A recorder of a run that began so long ago.
fn began(ago: Duration, interval: Duration) -> (Arc<Recorder>, Instant) {
    let start = Instant::now()
        .checked_sub(ago)
        .expect("the machine runs that long");
    (
        Arc::new(Recorder::new(start, interval, vec!["TEE".to_owned()])),
        start,
    )
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn response_is_from_the_intended_time_and_service_from_the_actual_one() {
    let (recorder, start) = began(10 * SECOND, SECOND);
    let mut worker = recorder.worker();
    worker.answered(
        Call::Reserve,
        Outcome::Reserved,
        start,
        start + ms(40),
        start + ms(50),
    );
    drop(worker);
    let reserve = &recorder.finish().whole.calls[Call::Reserve as usize];
    assert!(
        (reserve.response.max_ms() - 50.0).abs() < 0.1,
        "{}",
        reserve.response.max_ms()
    );
    assert!(
        (reserve.service.max_ms() - 10.0).abs() < 0.1,
        "{}",
        reserve.service.max_ms()
    );
}

#[test]
fn an_answer_is_counted_in_the_interval_in_which_it_came() {
    let (recorder, start) = began(10 * SECOND, SECOND);
    let mut worker = recorder.worker();
    worker.arrived(2);
    worker.answered(
        Call::Reserve,
        Outcome::Reserved,
        start,
        start,
        start + ms(10),
    );
    worker.answered(
        Call::Confirm,
        Outcome::Confirmed,
        start,
        start,
        start + ms(3_500),
    );
    worker.dropped(start + ms(3_700));
    worker.flush();
    let recorded = recorder.finish();
    let answered: Vec<u64> = recorded.intervals.iter().map(Interval::answered).collect();
    assert_eq!(answered, [1, 0, 0, 1]);
    let dropped: Vec<u64> = recorded.intervals.iter().map(|of| of.dropped).collect();
    assert_eq!(
        (recorded.intervals[0].arrived, dropped),
        (2, vec![0, 0, 0, 1])
    );
    assert_eq!(recorded.intervals[3].of(Outcome::Confirmed), 1);
    assert_eq!(
        recorded.elapsed,
        4 * SECOND,
        "the load was over then, whenever it is asked for"
    );
}

#[test]
fn what_many_workers_note_is_all_there() {
    let (recorder, start) = began(10 * SECOND, ms(100));
    let note = |recorder: &Arc<Recorder>, from: u64| {
        let mut worker = recorder.worker();
        for step in 0..5_000 {
            let done = start + Duration::from_micros(from + step * 100);
            worker.arrived(1);
            worker.late_send(Duration::from_micros(3));
            worker.answered(
                Call::Reserve,
                Outcome::ALL[step as usize % 15],
                start,
                start,
                done,
            );
        }
    };
    thread::scope(|scope| {
        for from in 1..=4 {
            scope.spawn({
                let recorder = &recorder;
                move || note(recorder, from)
            });
        }
    });
    let recorded = recorder.finish();
    let all = recorded.whole.all();
    assert_eq!(all.outcomes.iter().sum::<u64>(), 20_000);
    let broken = all.outcomes[Outcome::Broken as usize];
    assert_eq!(
        (broken, all.response.count()),
        (1_332, 20_000 - broken),
        "4 x 5,000 / 15"
    );
    assert_eq!(
        (recorded.whole.arrived, recorded.whole.lag.count()),
        (20_000, 20_000)
    );
    let pieces: u64 = recorded
        .intervals
        .iter()
        .map(|of| of.response.count())
        .sum();
    assert_eq!(pieces, 20_000 - broken);
}

#[test]
fn a_server_that_has_fallen_silent_is_not_shown_as_it_was() {
    let (recorder, start) = began(5 * SECOND, SECOND);
    let mut worker = recorder.worker();
    worker.answered(
        Call::Reserve,
        Outcome::Reserved,
        start,
        start,
        start + ms(1_100),
    );
    worker.flush();
    let live = recorder.live();
    assert_eq!(live.rates, [0, 1, 0, 0]);
    assert!(
        live.last.rate < 1e-9 && live.last.response.max < 1e-9,
        "{:?}",
        live.last
    );
}

#[test]
fn a_server_that_is_gone_neither_answers_nor_looks_fast() {
    let (recorder, start) = began(10 * SECOND, SECOND);
    let mut worker = recorder.worker();
    for _ in 0..100 {
        worker.answered(Call::Reserve, Outcome::Broken, start, start, start + ms(1));
    }
    worker.answered(
        Call::Reserve,
        Outcome::TimedOut,
        start,
        start,
        start + ms(700),
    );
    worker.answered(
        Call::Reserve,
        Outcome::Reserved,
        start,
        start,
        start + ms(300),
    );
    worker.flush();
    let recorded = recorder.finish();
    assert_eq!(recorded.intervals[0].answered(), 1);
    assert_eq!(recorder.live().answered(), 1);
    let reserve = recorded.whole.call(Call::Reserve);
    assert_eq!(
        reserve.outcomes.iter().sum::<u64>(),
        102,
        "they are counted"
    );
    assert!(
        reserve.response.quantile_ms(0.1) > 299.0,
        "and take no part in the latency"
    );
    assert!(
        reserve.response.max_ms() > 699.0,
        "but what was waited for does"
    );
}

#[test]
fn a_long_run_keeps_few_intervals_and_loses_no_count() {
    let (recorder, start) = began(20 * SECOND, ms(10));
    let mut worker = recorder.worker();
    for step in 0..2_000 {
        let done = start + ms(step * 10);
        worker.answered(Call::Read, Outcome::Read, done, done, done);
    }
    worker.flush();
    let recorded = recorder.finish();
    assert_eq!(recorded.interval, ms(40), "it doubled twice");
    assert_eq!(recorded.intervals.len(), 500);
    assert!(recorded.intervals.iter().all(|of| of.answered() == 4));
    for (place, of) in recorded.intervals.iter().enumerate() {
        assert_eq!(of.begins, ms(40) * place as u32, "no gap and no overlap");
    }
    assert!(recorded.intervals.len() <= INTERVALS_MAX);
}

#[test]
fn a_late_worker_finds_its_interval_after_others_were_joined() {
    let (recorder, start) = began(20 * SECOND, ms(10));
    let (mut slow, mut fast) = (recorder.worker(), recorder.worker());
    slow.answered(Call::Read, Outcome::Read, start, start, start + ms(205));
    fast.answered(Call::Read, Outcome::Read, start, start, start + ms(15_000));
    fast.flush();
    slow.flush();
    let recorded = recorder.finish();
    let place = (205 / recorded.interval.as_millis()) as usize;
    assert_eq!(recorded.intervals[place].answered(), 1);
}

#[test]
fn an_odd_interval_that_is_joined_with_none_is_as_long_as_the_others() {
    let (recorder, start) = began(20 * SECOND, ms(10));
    let mut worker = recorder.worker();
    // 21 intervals, then one so far away that all have to be joined twice.
    for done in [205, 15_000] {
        worker.answered(Call::Read, Outcome::Read, start, start, start + ms(done));
    }
    worker.flush();
    let recorded = recorder.finish();
    assert_eq!(recorded.interval, ms(40));
    assert!(recorded.intervals.iter().all(|of| of.length == ms(40)));
}

#[test]
fn stock_is_thinned_out_but_first_and_last_stay() {
    let (recorder, start) = began(20 * SECOND, SECOND);
    for step in 0..10_000_i64 {
        recorder.stock(start + ms(step as u64), 0, 10_000 - step, 0, step);
    }
    recorder.stock(start, 7, 1, 1, 1);
    let stock = recorder.finish().stock;
    assert!(stock.len() <= STOCK_POINTS_MAX + 1, "{}", stock.len());
    assert_eq!(stock[0].available, 10_000);
    assert_eq!(stock[stock.len() - 1].available, 1);
    assert!(stock.is_sorted_by_key(|point| point.at));
}

#[test]
fn what_took_longer_than_five_minutes_counts_as_that() {
    let mut hist = Hist::default();
    hist.note(Duration::from_hours(1));
    hist.note(Duration::ZERO);
    assert!((hist.max_ms() - 300_000.0).abs() < 300.0);
    assert_eq!(hist.count(), 2);
}

#[test]
fn the_live_view_shows_the_last_whole_interval_and_the_stock() {
    let (recorder, start) = began(5 * SECOND / 2, SECOND);
    let mut worker = recorder.worker();
    for step in 0..10 {
        let intended = start + ms(1_000 + step * 20);
        worker.answered(
            Call::Reserve,
            Outcome::SoldOut,
            intended,
            intended + ms(6),
            intended + ms(8),
        );
    }
    worker.flush();
    recorder.stock(start + SECOND, 0, 3, 2, 5);
    recorder.phase("rush", 40.0);
    recorder.mark(start + ms(900), "restart");
    recorder.mark(start + ms(500), "kill -9");
    let live = recorder.live();
    assert_eq!(live.rates, [0, 10], "nothing came in the first second");
    assert_eq!(live.answered(), 10);
    assert!((live.last.rate - 10.0).abs() < 1e-9, "{}", live.last.rate);
    assert!((live.last.response.p50 - 8.0).abs() < 0.1);
    assert!((live.service.p50 - 2.0).abs() < 0.1);
    assert_eq!(live.phase.map(|phase| phase.name).as_deref(), Some("rush"));
    assert_eq!(
        (live.skus[0].available, live.skus[0].sold, live.skus[0].top),
        (3, 5, 3)
    );
    let marks: Vec<&str> = live.marks.iter().map(|mark| mark.what.as_str()).collect();
    assert_eq!(
        marks,
        ["kill -9", "restart"],
        "in order of time, not of telling"
    );
}
