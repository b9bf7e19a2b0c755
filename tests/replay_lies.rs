//! The whole replay against a stand-in server: an honest one is proved, whatever happens on the
//! way, and each lie is caught by the statement that is there for it.

use std::time::Duration;

use holdfast::{
    client::Patience,
    progress::Show,
    replay::{
        Failed, Mode, Options, ReadBack, Report, RunId, Speed, plan::Shares, proof::Verdict,
        reader::Locations, run,
    },
    show::Paint,
};

use jiff::Timestamp;

mod replay_fake;
use replay_fake::{Fake, Lie};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/baskets-excerpt.csv"
);

fn options(fake: &Fake) -> Options {
    let now = Timestamp::UNIX_EPOCH;
    Options {
        now,
        file: FILE.into(),
        server: fake.url().parse().expect("a URL"),
        locations: Locations::One,
        stock_factor: 0.7,
        qty_max: 1000,
        mode: Mode::BestEffort,
        shares: Shares {
            confirm: 0.7,
            release: 0.15,
            abandon: 0.15,
        },
        abandon_ttl_ms: 1_000,
        ttl_ms: 600_000,
        speed: Speed::Max,
        connections: 8,
        run: RunId::generate(now),
        seed: 1,
        read_back: ReadBack::All,
        baseline: None,
        patience: Patience {
            attempt: Duration::from_secs(5),
            call: Duration::from_secs(20),
        },
        lag_max: Duration::from_millis(300),
        show: Show::Nothing,
    }
}

async fn replay(lie: Lie) -> Report {
    let fake = Fake::start(lie).await;
    run(options(&fake)).await.expect("the stand-in answers")
}

fn verdict(report: &Report, claim: &str) -> Verdict {
    let finding = report
        .proof
        .iter()
        .find(|finding| finding.claim.contains(claim));
    finding
        .unwrap_or_else(|| panic!("no statement about {claim:?}"))
        .verdict
}

#[tokio::test]
async fn an_honest_server_is_proved_and_the_figures_add_up() {
    let report = replay(Lie::None).await;
    assert!(report.proved, "{:#?}", report.proof);
    let (file, made) = (&report.file, &report.checkouts);
    assert_eq!(
        (file.rows, file.baskets, file.baskets_empty),
        (1_118, 107, 6)
    );
    assert_eq!(report.bad_rows.len(), 14);
    assert_eq!(
        made.reserves,
        made.reserved + made.refused.values().sum::<u64>()
    );
    assert_eq!(
        made.reserved,
        made.confirmed + made.released + made.abandoned
    );
    assert_eq!(made.units_asked, 1_400);
    assert!(made.units_sold > 0 && made.units_sold < made.units_granted);
    assert!(made.units_sold <= report.stock.units_received);
}

#[tokio::test]
async fn the_text_names_bad_rows_by_line_and_ends_with_the_verdict() {
    let text = replay(Lie::None).await.text(Paint::PLAIN);
    println!("{text}");
    assert!(
        text.contains("7  quantity is 0  line 60, 119, 324, 591, 713, …"),
        "{text}"
    );
    assert!(
        text.contains("14 left out; 6 baskets held nothing else"),
        "{text}"
    );
    let last = text.lines().last();
    assert_eq!(
        last,
        Some("proved: nothing was oversold and nothing was lost"),
        "{text}"
    );
}

#[tokio::test]
async fn all_or_nothing_at_stores_is_proved_too() {
    let fake = Fake::start(Lie::None).await;
    let options = Options {
        locations: Locations::Store,
        mode: Mode::AllOrNothing,
        ..options(&fake)
    };
    let report = run(options).await.expect("the stand-in answers");
    assert!(report.proved, "{:#?}", report.proof);
    assert!(report.checkouts.refused["insufficient-stock"] > 0);
    assert!(report.checkouts.reserved > 0);
}

#[tokio::test]
async fn a_second_run_on_the_same_server_is_proved_by_its_differences() {
    let fake = Fake::start(Lie::None).await;
    for _ in 0..2 {
        let report = run(options(&fake)).await.expect("the stand-in answers");
        assert!(report.proved, "{:#?}", report.proof);
    }
}

#[tokio::test]
async fn an_oversell_is_caught() {
    let report = replay(Lie::Oversell).await;
    assert_eq!(verdict(&report, "oversold"), Verdict::Fails);
    assert!(!report.proved);
}

#[tokio::test]
async fn a_lost_reservation_is_caught() {
    let report = replay(Lie::LoseReservations).await;
    assert_eq!(verdict(&report, "lost or changed"), Verdict::Fails);
}

#[tokio::test]
async fn a_sale_that_was_acknowledged_and_not_booked_is_caught() {
    let report = replay(Lie::LoseSales).await;
    assert_eq!(verdict(&report, "confirmed was sold"), Verdict::Fails);
    assert_eq!(verdict(&report, "shelves hold"), Verdict::Fails);
}

#[tokio::test]
async fn units_that_vanish_are_caught() {
    let report = replay(Lie::Vanish).await;
    assert_eq!(verdict(&report, "conserved"), Verdict::Fails);
}

#[tokio::test]
async fn stock_that_was_received_twice_is_caught() {
    let report = replay(Lie::ReceiveTwice).await;
    assert_eq!(verdict(&report, "received is there, once"), Verdict::Fails);
}

#[tokio::test]
async fn an_answer_of_less_than_asked_is_caught_where_all_or_nothing_was_asked() {
    let fake = Fake::start(Lie::Stingy).await;
    let options = Options {
        mode: Mode::AllOrNothing,
        stock_factor: 1.0,
        ..options(&fake)
    };
    let report = run(options).await.expect("the stand-in answers");
    assert_eq!(verdict(&report, "fits its question"), Verdict::Fails);
}

#[tokio::test]
async fn lost_answers_are_asked_for_again_and_change_nothing() {
    let report = replay(Lie::DropAnswers).await;
    assert!(report.server.retries.unavailable > 10);
    assert!(report.proved, "{:#?}", report.proof);
}

#[tokio::test]
async fn a_server_that_forgets_keys_is_caught_holding_twice() {
    let report = replay(Lie::DropAnswersAndKeys).await;
    assert_eq!(verdict(&report, "held unit"), Verdict::Fails);
}

#[tokio::test]
async fn counters_that_lag_behind_the_answers_are_waited_for_and_reported() {
    let fake = Fake::start(Lie::Lag).await;
    let patient = Options {
        lag_max: Duration::from_secs(10),
        ..options(&fake)
    };
    let report = run(patient).await.expect("the stand-in answers");
    assert!(report.proved, "{:#?}", report.proof);
    assert!(report.server.lagging.skus > 0);
    assert!(
        report
            .text(Paint::PLAIN)
            .contains("were behind the answers")
    );
}

#[tokio::test]
async fn another_client_makes_it_not_provable_rather_than_proved_or_failed() {
    let report = replay(Lie::Company).await;
    assert_eq!(verdict(&report, "held unit"), Verdict::NotProvable);
    assert!(report.server.others_seen_on_skus > 0);
    assert!(!report.proved);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_over_a_restart_of_the_server() {
    let mut fake = Fake::start(Lie::None).await;
    fake.get_stuck_at(40);
    let replaying = tokio::spawn(run(Options {
        connections: 2,
        ..options(&fake)
    }));
    while fake.changes() < 40 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    fake.stop().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    fake.restart().await;
    let report = replaying
        .await
        .expect("no panic")
        .expect("the stand-in came back");
    assert_eq!(report.server.outages, 1);
    assert!(report.proved, "{:#?}", report.proof);
}

#[tokio::test]
async fn a_rerun_under_the_same_id_answers_for_both_and_other_options_are_refused() {
    let fake = Fake::start(Lie::None).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let id = RunId::parse("rerun-1").expect("an id");
    let baseline = Some(folder.path().join("baseline.json"));
    let shares = Shares {
        confirm: 1.0,
        release: 0.0,
        abandon: 0.0,
    };
    let options = Options {
        run: id,
        baseline,
        shares,
        ..options(&fake)
    };
    let first = run(options.clone()).await.expect("the stand-in answers");
    assert!(first.proved && !first.resumed);
    let again = run(options.clone()).await.expect("the stand-in answers");
    assert!(again.proved && again.resumed, "{:#?}", again.proof);
    assert_eq!(again.stock.units_received, first.stock.units_received);
    assert!(again.checkouts.units_sold >= first.checkouts.units_sold);

    let refused = run(Options { seed: 2, ..options })
        .await
        .expect_err("another plan");
    assert!(matches!(refused, Failed::Baseline(_)), "{refused}");
}

#[tokio::test]
async fn no_server_is_said_at_once() {
    let mut fake = Fake::start(Lie::None).await;
    fake.stop().await;
    let failed = run(options(&fake)).await.expect_err("nobody is there");
    assert!(matches!(failed, Failed::NoServer { .. }));
    assert!(failed.to_string().contains("holdfast serve"), "{failed}");
}
