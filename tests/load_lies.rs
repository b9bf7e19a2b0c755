//! The load laboratory against a stand-in server: an honest one is proved, and each lie is caught by
//! the claim that is there for it.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use holdfast::load::{
    results::{Claim, Verdict},
    run::{Options, Ran, run},
    scenario::read,
    targets::Choice,
    view::Show,
};
use jiff::Timestamp;

mod load_fake;
use load_fake::{Fake, Lie};

/// Everything a buyer can do, in little more than a second.
const SCENARIO: &str = r#"
name = "everything"
stock = { skus = 3, units = 40, customer_limit = { units = 4, window_ms = 600000 } }
popularity = { kind = "uniform" }
basket = { lines_max = 2, units_min = 1, units_max = 2 }
buyers = { abandon = 0.1, release = 0.1, late = 0.3, late_by_ms = 100, ttl_ms = 300 }
payment = { kind = "uniform", min_ms = 0, max_ms = 50 }
client = { timeout_ms = 1000, patience_ms = 3000 }
bots = { share = 0.3, customers = 2 }
looks = { share = 0.1 }

[duplicates]
reserve_after = 0.2
reserve_at_once = 0.2
confirm_after = 0.2
confirm_at_once = 0.2

[[phases]]
kind = "constant"
seconds = 1.0
rate = 300
"#;

async fn load(lie: Lie) -> Ran {
    let text = match lie {
        // Buyers must want far more than is there, or nothing is promised twice.
        Lie::Oversell => SCENARIO.replace("units = 40,", "units = 8,"),
        _ => SCENARIO.to_owned(),
    };
    let fake = Fake::start(lie).await;
    let options = Options {
        scenario: read(&text, "everything").expect("it is a scenario"),
        text,
        target: Choice::Server(fake.url().parse().expect("a URL")),
        closed: None,
        threads: Some(2),
        thresholds: Vec::new(),
        drops_allowed: false,
        now: Timestamp::UNIX_EPOCH,
        lag_max: Duration::from_secs(1),
        show: Show::Nothing,
    };
    let stop = Arc::new(AtomicBool::new(false));
    run(&options, &stop).await.expect("the stand-in answers")
}

fn claim<'a>(ran: &'a Ran, part: &str) -> &'a Claim {
    let all = &ran.summary.invariants;
    all.iter()
        .find(|claim| claim.name.contains(part))
        .unwrap_or_else(|| panic!("no claim about {part:?}"))
}

/// Runs with a lie, and wants this claim broken with this word in its detail.
async fn caught(lie: Lie, part: &str, word: &str) {
    let ran = load(lie).await;
    let claim = claim(&ran, part);
    assert_eq!(claim.verdict, Verdict::Broken, "{lie:?}: {claim:?}");
    assert!(claim.detail.contains(word), "{lie:?}: {claim:?}");
    assert!(ran.summary.is_broken());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_server_breaks_no_claim_and_every_claim_is_checked() {
    let ran = load(Lie::None).await;
    for claim in &ran.summary.invariants {
        assert_eq!(claim.verdict, Verdict::Held, "{claim:?}");
    }
    assert_eq!(ran.summary.invariants.len(), 8);
    let counts = &ran.summary.counts;
    assert!(counts["replays_compared"] > 20 && counts["confirms_after_final_refusal"] > 0);
    assert_eq!(ran.summary.dropped, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn units_promised_twice_are_an_oversell() {
    caught(Lie::Oversell, "no oversell", "were promised of 8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_that_vanish_are_an_undersell() {
    caught(Lie::Vanish, "no undersell", "have vanished").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirm_that_was_not_booked_is_an_undersell() {
    caught(Lie::LoseSales, "no undersell", "the counters say").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_its_own_numbers_deny_is_an_undersell() {
    caught(Lie::Deny, "no undersell", "the refusal says are there").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_was_received_twice_is_not_explained() {
    caught(Lie::ReceiveTwice, "no undersell", "were received of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_was_acknowledged_and_is_gone_is_not_in_the_ledger() {
    caught(Lie::Forget, "in the ledger", "is gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_is_shown_as_released_has_two_ends() {
    caught(Lie::TwoEnds, "one end", "and is released").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_less_than_was_asked_for_is_noticed() {
    caught(Lie::Stingy, "one end", "not those asked for").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_makes_another_reservation_is_noticed() {
    caught(Lie::RepeatAnew, "repeats have one outcome", "made").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_is_not_marked_is_noticed() {
    caught(Lie::Unmarked, "repeats have one outcome", "not marked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_after_a_refusal_that_was_final_is_noticed() {
    caught(Lie::AfterFinal, "after a final refusal", "was final").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outside_the_contract_is_noticed() {
    caught(Lie::Strange, "fits its question", "422 ttl-limit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_with_more_than_the_limit_is_noticed() {
    caught(Lie::NoLimit, "than the limit", "allowed are 4").await;
}
