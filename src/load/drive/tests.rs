//! The buyers' life against a server that is a script, and latency that counts from when a call was
//! due.
//!
//! The script has a clock of its own, which goes on only where somebody waits: what is measured here
//! does not depend on who else uses the machine.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::*;
use crate::load::{
    plan::Plan,
    record::{Recorded, Recorder},
    scenario::{Scenario, read},
};

/// What a script says to a question, the so many-th, in place of the truth.
type Says = Box<dyn FnMut(&Ask<'_>, u32) -> Option<Reply>>;

/// A server in a thread's own memory: answers after `delay`, stands still for a while, loses
/// answers, or says what it is told to say.
struct Script {
    now: Instant,
    /// When the run is to be stopped, and by what.
    stop: Option<(Instant, Arc<AtomicBool>)>,
    free: usize,
    delay: Duration,
    /// From when to when nothing is answered.
    stall: Option<(Instant, Instant)>,
    under_way: VecDeque<(Instant, Heard)>,
    made: HashMap<u32, u128>,
    says: Says,
    calls: u32,
}

impl Script {
    fn honest(start: Instant, places: usize) -> Self {
        Self {
            now: start,
            stop: None,
            free: places,
            delay: Duration::from_micros(200),
            stall: None,
            under_way: VecDeque::new(),
            made: HashMap::new(),
            says: Box::new(|_, _| None),
            calls: 0,
        }
    }

    fn saying(start: Instant, says: impl FnMut(&Ask<'_>, u32) -> Option<Reply> + 'static) -> Self {
        Self {
            says: Box::new(says),
            ..Self::honest(start, 64)
        }
    }

    fn answer(&mut self, ask: &Ask<'_>) -> Reply {
        self.calls += 1;
        if let Some(reply) = (self.says)(ask, self.calls) {
            return reply;
        }
        let (outcome, standing) = match ask.call {
            Call::Reserve if self.made.contains_key(&ask.number) => {
                (Outcome::Replayed, Standing::Open)
            }
            Call::Reserve => (Outcome::Reserved, Standing::Open),
            Call::Confirm => (Outcome::Confirmed, Standing::Confirmed),
            Call::Release => (Outcome::Released, Standing::Released),
            Call::Read | Call::Availability => (Outcome::Read, Standing::Open),
        };
        let mut reply = Reply::of(outcome);
        reply.replayed = outcome == Outcome::Replayed;
        reply.id = *self
            .made
            .entry(ask.number)
            .or_insert(u128::from(ask.number) + 1);
        reply.standing = Some(standing);
        reply
    }
}

impl Transport for Script {
    fn now(&self) -> Instant {
        self.now
    }

    fn free(&self) -> usize {
        self.free
    }

    fn send(&mut self, ticket: u32, ask: &Ask<'_>) {
        self.free -= 1;
        let sent = self.now;
        let reply = self.answer(ask);
        let mut done = sent + self.delay;
        if let Some((from, to)) = self.stall
            && from < done
            && done < to
        {
            done = to;
        }
        let heard = Heard {
            ticket,
            sent,
            done,
            reply,
        };
        self.under_way.push_back((done, heard));
    }

    fn wait(&mut self, until: Instant, heard: &mut Vec<Heard>) {
        let next = self.under_way.front().map_or(until, |(at, _)| *at);
        self.now = self.now.max(next.min(until));
        if let Some((at, stop)) = &self.stop {
            stop.store(*at <= self.now, Ordering::Relaxed);
        }
        while let Some((at, _)) = self.under_way.front()
            && *at <= self.now
        {
            let (_, answered) = self.under_way.pop_front().expect("one was seen there");
            heard.push(answered);
            self.free += 1;
        }
    }
}

fn scenario(more: &str) -> Scenario {
    let text = format!(
        "name = \"x\"\nstock.units = 100000\narrivals.process = \"even\"\n{more}\n\
         [[phases]]\nkind = \"constant\"\nseconds = 1\nrate = 500\n"
    );
    read(&text, "x").unwrap_or_else(|error| panic!("{error}"))
}

fn play(more: &str, model: Model, script: impl FnOnce(Instant) -> Script) -> (Book, Recorded) {
    let plan = Plan::new(&scenario(more), 1).expect("it names no file");
    let start = Instant::now();
    let recorder = Arc::new(Recorder::new(start, Duration::from_millis(100), Vec::new()));
    let course = Course {
        plan: Arc::new(plan),
        model,
        start,
        worker: (0, 1),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let worker = Worker::new(course, script(start), recorder.worker());
    let (book, _script) = worker.run();
    (book, recorder.finish())
}

fn stalled(start: Instant) -> Script {
    let (from, to) = (
        start + Duration::from_millis(300),
        start + Duration::from_millis(700),
    );
    Script {
        stall: Some((from, to)),
        ..Script::honest(start, 4)
    }
}

const ONLY_RESERVES: &str = "buyers.abandon = 1.0";

#[test]
fn a_stall_is_felt_by_all_who_were_due_in_it_and_not_by_those_alone_who_were_sent() {
    // 500 buyers a second, 400 ms of silence, 4 connections: 4 calls stall, but 200 buyers wait.
    let (_, recorded) = play(ONLY_RESERVES, Model::Open, stalled);
    let tally = recorded.whole.call(Call::Reserve);
    let response = tally.response.quantile_ms(0.75);
    let service = tally.service.quantile_ms(0.75);
    assert!(response > 50.0, "a quarter waited for long: {response} ms");
    assert!(service < 20.0, "though hardly any was sent: {service} ms");
    assert_eq!((recorded.whole.arrived, recorded.whole.dropped), (500, 0));
}

#[test]
fn the_closed_model_asks_less_while_the_server_stands_still() {
    let script = |start| Script {
        delay: Duration::from_millis(5),
        ..stalled(start)
    };
    let (_, recorded) = play(ONLY_RESERVES, Model::Closed, script);
    // Four at a time, 5 ms each, for the 600 ms in which anything is answered.
    let arrived = recorded.whole.arrived;
    assert!((200..=500).contains(&arrived), "{arrived}");
    let response = recorded.whole.call(Call::Reserve).response.quantile_ms(0.9);
    assert!(response < 50.0, "the stall hides: {response} ms");
}

#[test]
fn who_cannot_be_sent_within_the_bound_is_dropped_and_counted() {
    let more = format!("{ONLY_RESERVES}\narrivals.drop_after_ms = 100");
    let (book, recorded) = play(&more, Model::Open, stalled);
    let (arrived, dropped) = (recorded.whole.arrived, recorded.whole.dropped);
    assert_eq!(arrived, 500);
    // 400 ms of silence less the 100 ms that they would have waited: 150 of them.
    assert!((120..=170).contains(&dropped), "{dropped}");
    assert_eq!(book.entries.len() as u64, arrived - dropped);
    let slowest = recorded
        .whole
        .call(Call::Reserve)
        .response
        .quantile_ms(0.95);
    assert!(slowest < 150.0, "{slowest}");
}

#[test]
fn a_buyer_without_an_answer_asks_again_with_the_same_key_until_there_is_one() {
    let mut asked: HashMap<(u32, u8), u32> = HashMap::new();
    let (book, recorded) = play("client.backoff_ms = 1", Model::Open, move |start| {
        Script::saying(start, move |ask, _| {
            let tries = asked.entry((ask.number, ask.key.letter())).or_default();
            *tries += 1;
            // Every third buyer loses the first two answers to each call.
            (ask.number.is_multiple_of(3) && *tries <= 2).then(|| Reply::lost(Outcome::TimedOut))
        })
    });
    let all = recorded.whole.all();
    assert_eq!(all.outcomes[Outcome::TimedOut as usize], 167 * 4);
    assert_eq!(book.counts.retries, 167 * 4);
    assert_eq!(book.entries.len(), 500);
    assert!(
        book.entries
            .iter()
            .all(|entry| entry.told == Told::Confirmed)
    );
}

#[test]
fn what_is_never_answered_is_no_reservation_and_no_refusal() {
    let more = "client.backoff_ms = 20\nclient.patience_ms = 50";
    let (book, _) = play(more, Model::Open, |start| {
        Script::saying(start, |ask, _| {
            let lost = match ask.call {
                Call::Reserve => ask.number < 10,
                _ => ask.number < 20,
            };
            lost.then(|| Reply::lost(Outcome::Broken))
        })
    });
    assert_eq!(book.unanswered.len(), 10);
    let unsure = book
        .entries
        .iter()
        .filter(|entry| entry.told == Told::Unsure);
    assert_eq!(unsure.count(), 10);
    assert_eq!(book.counts.gave_up, 20);
}

#[test]
fn presses_at_once_and_repeats_are_one_reservation_each() {
    let more = "[duplicates]\nreserve_at_once = 1.0\nreserve_after = 1.0\nconfirm_after = 1.0";
    let (book, _) = play(more, Model::Open, |start| {
        Script::saying(start, |ask, _| {
            (ask.call == Call::Confirm).then(|| {
                let mut reply = Reply::of(Outcome::Replayed);
                reply.id = u128::from(ask.number) + 1;
                (reply.replayed, reply.standing) = (true, Some(Standing::Confirmed));
                reply
            })
        })
    });
    assert_eq!(book.entries.len(), 500);
    assert_eq!(book.counts.replays, 3 * 500);
    assert_eq!(book.misfits.of(Misfit::Replay), None);
}

#[test]
fn a_second_id_for_one_key_is_noticed() {
    let more = "duplicates.reserve_after = 1.0";
    let (book, _) = play(more, Model::Open, |start| {
        Script::saying(start, |ask, call| {
            (ask.call == Call::Reserve && ask.number == 7).then(|| {
                let mut reply = Reply::of(Outcome::Reserved);
                reply.id = 1_000_000 + u128::from(call);
                reply
            })
        })
    });
    let (count, examples) = book.misfits.of(Misfit::Replay).expect("one is noticed");
    assert_eq!(count, 1);
    assert!(examples[0].contains("buyer 7 made"), "{examples:?}");
}

#[test]
fn a_confirm_refused_for_good_is_tried_again_and_a_success_then_is_noticed() {
    let (book, _) = play("", Model::Open, |start| {
        Script::saying(start, |ask, _| {
            let refused = ask.number < 5 && ask.key == Key::Confirm
                || ask.number < 4 && ask.key == Key::Probe;
            refused.then(|| Reply::of(Outcome::Expired))
        })
    });
    assert_eq!(book.counts.probes, 5);
    assert_eq!(
        book.misfits.of(Misfit::AfterFinal).map(|(count, _)| count),
        Some(1)
    );
    let lapsed = book
        .entries
        .iter()
        .filter(|entry| entry.told == Told::Lapsed);
    assert_eq!(lapsed.count(), 5);
}

#[test]
fn a_run_that_is_stopped_leaves_its_buyers_where_they_stand() {
    let plan = Plan::new(&scenario("payment = { kind = \"fixed\", ms = 60000 }"), 1);
    let start = Instant::now();
    let recorder = Arc::new(Recorder::new(start, Duration::from_millis(100), Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let course = Course {
        plan: Arc::new(plan.expect("it names no file")),
        model: Model::Open,
        start,
        worker: (0, 1),
        stop: Arc::clone(&stop),
    };
    let script = Script {
        stop: Some((start + Duration::from_millis(300), stop)),
        ..Script::honest(start, 8)
    };
    let (book, script) = Worker::new(course, script, recorder.worker()).run();
    assert!(script.now < start + Duration::from_secs(1));
    // Those due up to that moment, the first and the last included.
    assert_eq!(book.entries.len(), 151);
    assert!(book.entries.iter().all(|entry| entry.told == Told::Open));
}
