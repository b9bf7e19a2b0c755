//! The screen and the lines, drawn without a terminal.

use std::time::Duration;

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use super::{Title, draw::draw, lines::line, screen::asks_to_end};
use crate::load::record::{Last, Live, Mark, Outcome, PhaseBegun, Quantiles, SkuNow};

#[test]
fn a_line_after_the_last_arrival_says_so_and_gives_no_times_of_no_answers() {
    let mut live = live();
    live.elapsed = Duration::from_millis(64_400);
    live.last.rate = 0.0;
    let said = line(&live, &title());
    assert!(said.starts_with("  60 s and 4 s | "), "{said}");
    assert!(!said.contains("p50"), "{said}");
}

fn title() -> Title {
    Title {
        scenario: "flash-sale".to_owned(),
        target: "a server of its own".to_owned(),
        model: "open".to_owned(),
        planned: Some(Duration::from_mins(1)),
    }
}

fn live() -> Live {
    let mut outcomes = [0; Outcome::ALL.len()];
    outcomes[Outcome::Reserved as usize] = 9_000;
    outcomes[Outcome::SoldOut as usize] = 27_000;
    outcomes[Outcome::TimedOut as usize] = 12;
    let sku = |sku: &str, available, reserved, sold| SkuNow {
        sku: sku.to_owned(),
        available,
        reserved,
        sold,
        top: 500,
    };
    Live {
        elapsed: Duration::from_millis(24_400),
        phase: Some(PhaseBegun {
            at: Duration::from_secs(15),
            name: "rush".to_owned(),
            target_rate: 4_000.0,
        }),
        arrived: 36_030,
        dropped: 18,
        outcomes,
        whole: Quantiles {
            p50: 0.81,
            p99: 3.4,
            p999: 12.0,
            max: 48.2,
        },
        service: Quantiles {
            p50: 0.4,
            p99: 2.1,
            p999: 8.0,
            max: 21.0,
        },
        last: Last {
            arrived_rate: 3_981.0,
            rate: 4_012.0,
            response: Quantiles {
                p50: 0.9,
                p99: 4.2,
                p999: 9.9,
                max: 10.3,
            },
        },
        rates: (0..120).map(|step| 1_000 + step * 25).collect(),
        skus: vec![
            sku("SNEAKER-42", 0, 30, 470),
            sku("SNEAKER-43", 120, 80, 300),
        ],
        marks: vec![Mark {
            at: Duration::from_secs(20),
            what: "kill -9".to_owned(),
        }],
    }
}

fn screen(width: u16, height: u16, live: &Live) -> String {
    let mut terminal =
        Terminal::new(TestBackend::new(width, height)).expect("it needs no terminal");
    let drawn = terminal.draw(|frame| draw(frame, live, &title(), false));
    drawn.expect("it needs no terminal");
    terminal.backend().to_string()
}

#[test]
fn the_screen_shows_rate_latency_outcomes_and_stock() {
    insta::assert_snapshot!(screen(100, 26, &live()));
}

#[test]
fn a_run_that_has_just_begun_is_shown_as_well() {
    insta::assert_snapshot!(screen(80, 24, &Live::default()));
}

#[test]
fn no_screen_is_too_small() {
    for (width, height) in [(1, 1), (10, 3), (40, 10), (300, 100)] {
        screen(width, height, &live());
    }
}

#[test]
fn errors_come_before_what_is_frequent() {
    let screen = screen(100, 26, &live());
    let place = |word: &str| screen.find(word).expect("it is shown");
    assert!(place("timed out") < place("sold out  "));
}

#[test]
fn a_line_says_the_same_without_a_terminal() {
    assert_eq!(
        line(&live(), &title()),
        "  24 of 60 s | rush | 3,981/s arrive | 4,012/s answered | p50 900 µs p99 4.20 ms max 10.3 ms \
         | reserved 9,000, sold out 27,000, timed out 12 | DROPPED 18 | SNEAKER-42: 0 left | SNEAKER-43: 120 left"
    );
}

#[test]
fn q_and_control_c_end_the_run_and_c_does_not() {
    let key = |code, modifiers| KeyEvent::new(KeyCode::Char(code), modifiers);
    assert!(asks_to_end(key('q', KeyModifiers::NONE)));
    assert!(asks_to_end(key('c', KeyModifiers::CONTROL)));
    assert!(!asks_to_end(key('c', KeyModifiers::NONE)));
}
