//! What happens to a run while its buyers come: phases begin, the hot SKUs are looked at, the server
//! is killed and comes back.

use std::time::{Duration, Instant};

use tokio::{
    sync::oneshot,
    time::{sleep, sleep_until, timeout},
};

use super::{
    record::Recorder,
    run::Ended,
    scenario::Scenario,
    targets::{Target, Trouble},
};

/// Between two looks at the hot SKUs.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What comes when nobody arrives any more: who is there pays, gives back, or lets go.
const AFTER: &str = "after the last arrival";
/// A look that takes longer is left out.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Something that is going to happen.
enum Event<'a> {
    Phase(&'a str, f64),
    Kill(Duration),
    Look,
}

/// Conducts a run until its buyers have ended; hands back what they came back with.
pub(super) async fn conduct(
    target: &mut Target,
    scenario: &Scenario,
    watched: &[String],
    start: Instant,
    recorder: &Recorder,
    ended: &mut oneshot::Receiver<Ended>,
) -> Result<Ended, Trouble> {
    let mut events = events(scenario).into_iter().peekable();
    let mut look_at = start;
    loop {
        let (at, event) = match events.peek() {
            Some((at, _)) if start + *at <= look_at => {
                let (at, event) = events.next().expect("one was seen there");
                (start + at, event)
            }
            _ => (look_at, Event::Look),
        };
        tokio::select! {
            biased;
            // A worker that panicked has said so.
            ended = &mut *ended => return Ok(ended.unwrap_or_default()),
            () = sleep_until(at.into()) => {}
        }
        match event {
            Event::Phase(name, rate) => recorder.phase(name, rate),
            Event::Look => {
                look(target, watched, recorder).await;
                look_at = Instant::now() + LOOK_EVERY;
            }
            Event::Kill(down) => {
                kill(target, down, recorder).await?;
                look_at = Instant::now();
            }
        }
    }
}

/// Phases and kills in the order of their times.
fn events(scenario: &Scenario) -> Vec<(Duration, Event<'_>)> {
    let mut events = Vec::new();
    let mut at = 0.0;
    for phase in &scenario.phases {
        let begins = Duration::from_secs_f64(at);
        events.push((begins, Event::Phase(phase.name(), phase.rate_max())));
        at += phase.seconds();
    }
    events.push((Duration::from_secs_f64(at), Event::Phase(AFTER, 0.0)));
    for kill in &scenario.kills {
        let down = Duration::from_millis(kill.down_ms);
        events.push((Duration::from_millis(kill.at_ms), Event::Kill(down)));
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

async fn look(target: &Target, watched: &[String], recorder: &Recorder) {
    for (place, sku) in watched.iter().enumerate() {
        if let Ok(Some(state)) = timeout(LOOK_MAX, target.state(sku)).await {
            let counters = state.counters;
            let (available, reserved, sold) = (state.available, counters.reserved, counters.sold);
            recorder.stock(Instant::now(), place, available, reserved, sold);
        }
    }
}

async fn kill(target: &mut Target, down: Duration, recorder: &Recorder) -> Result<(), Trouble> {
    recorder.mark(Instant::now(), "kill -9 of the server");
    target.kill().await?;
    sleep(down).await;
    let began = Instant::now();
    target.restart().await?;
    let took = began.elapsed().as_secs_f64();
    recorder.mark(
        Instant::now(),
        &format!("restarted, ready after {took:.2} s"),
    );
    Ok(())
}
