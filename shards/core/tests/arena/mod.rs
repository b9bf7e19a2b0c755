//! Engine against model: one history, told to both, compared after every line.
//!
//! What must hold after each: the outcomes are the same, refusals with their values; every
//! reservation and every SKU stands the same in both; the invariants hold (INV-1 to 5, 8 by
//! the engine's own check, 3 by the model, 7 over the journal); nothing was done that only
//! time or retention would allow. At chosen moments the state is rebuilt from the journal
//! and from chunks of mixed age, and must be the same (INV-6).

mod moves;
mod recover;
mod steps;

#[allow(unused_imports, reason = "the stories play no random histories")]
pub(crate) use steps::{Step, Theme, history, opening_lines};

use crate::model::{Model, Told};
use crate::script::Line;
use crate::world::{Plain, Subject, Turn, World};
use holdfast_core::{
    DriftRecord, DriftState, Effect, Event, EventKind, Policy, Refusal, ReservationView, SkuView,
    StreamRecord, Timestamp,
};
use recover::Memory;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The engine's outcome or state is not the model's.
    Differs(String),
    /// An invariant does not hold.
    Broken(String),
    /// The state rebuilt from the journal is not the live one.
    Replay(String),
    /// The state rebuilt from chunks is not the live one.
    Snapshot(String),
    /// The engine panicked.
    Panicked(String),
}

/// Which of the properties are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// All of them.
    Everything,
    /// Outcomes and views.
    Outcomes,
    /// Invariants.
    Invariants,
    /// Replay from the start.
    Replay,
    /// Chunks of mixed age and replay from there.
    Snapshots,
}

/// One history under way.
pub(crate) struct Duel<S> {
    pub(crate) world: World<S>,
    model: Model,
    watch: Watch,
    memory: Memory,
    checked: usize,
    told: Vec<String>,
}

impl<S: Subject> Duel<S> {
    pub(crate) fn new(subject: S, watch: Watch) -> Self {
        let model = Model::new(subject.engine().policy().clone());
        let (world, memory) = (World::new(subject), Memory::default());
        Self {
            world,
            model,
            watch,
            memory,
            checked: 0,
            told: Vec::new(),
        }
    }

    /// The history so far, as it would stand in a story file.
    pub(crate) fn story(&self) -> String {
        self.told.join("\n")
    }

    /// Tells both the next line and compares what came of it; gives the outcome in words.
    pub(crate) fn run(&mut self, line: &Line) -> Result<String, Fault> {
        self.told.push(line.to_string());
        let run = catch_unwind(AssertUnwindSafe(|| self.world.run(line)));
        let (turn, words) = run.map_err(|panic| Fault::Panicked(message(&*panic)))?;
        if let Some(told) = self.told.last_mut() {
            *told = format!("{line:<54} -> {words}");
        }
        let compared = catch_unwind(AssertUnwindSafe(|| self.compare(&turn)));
        compared.map_err(|panic| Fault::Panicked(message(&*panic)))??;
        Ok(words)
    }

    fn is_watched(&self, watch: Watch) -> bool {
        self.watch == Watch::Everything || self.watch == watch
    }

    fn compare(&mut self, turn: &Turn) -> Result<(), Fault> {
        let (told, heard): (Vec<&Event>, Vec<&Event>) =
            turn.met.iter().partition(|event| is_crossing(event));
        for event in heard {
            self.model.hear(event, self.world.now);
        }
        for event in &turn.own {
            self.model.check_taken(event);
        }
        let asked = turn.request.as_ref().zip(turn.told.as_ref());
        if let Some((request, told)) = asked {
            self.model.seq = (self.world.journal.len() - turn.own.len()) as u64;
            let (expected, is_recorded) = self.model.ask(request, self.world.now);
            if let Told::Reservation {
                view,
                created: true,
                replayed: false,
            } = told
            {
                self.model.follow_order(view.id, view);
            }
            let expected = match &told {
                Told::Reservation { view, .. } => {
                    self.model.refresh(expected, view.id, self.world.now)
                }
                _ => expected,
            };
            let (expected, came) = (normal(expected), normal(told.clone()));
            if self.is_watched(Watch::Outcomes) {
                same("the outcome", &expected, &came)?;
                same(
                    "whether it was recorded",
                    &is_recorded,
                    &!turn.own.is_empty(),
                )?;
            }
        }
        if self.is_watched(Watch::Outcomes) {
            let own = turn.own.iter().filter(|event| is_crossing(event));
            let mut came: Vec<_> = told.into_iter().chain(own).map(crossing).collect();
            let mut expected = self.model.crossed();
            came.sort();
            expected.sort();
            same("what was crossed", &expected, &came)?;
            self.compare_views()?;
        }
        if self.is_watched(Watch::Invariants) {
            self.check_invariants()?;
        }
        self.model.complaints();
        Ok(())
    }

    fn compare_views(&self) -> Result<(), Fault> {
        let (engine, now) = (self.world.subject.engine(), self.world.now);
        let skus: Vec<SkuView> = {
            let mut views: Vec<SkuView> = engine.sku_views().collect();
            views.sort_by(|a, b| a.sku.cmp(&b.sku));
            views
                .into_iter()
                .map(|view| SkuView {
                    seq: 0,
                    at: Timestamp::ZERO,
                    ..view
                })
                .collect()
        };
        same("the SKUs", &self.model.skus(), &skus)?;
        let drifts: Vec<DriftRecord> = self.model.drifts().cloned().collect();
        let known = drifts.iter().filter_map(|drift| engine.drift(drift.id));
        let known: Vec<DriftRecord> = known.map(|view| view.drift).collect();
        same("the drifts", &drifts, &known)?;
        let open = drifts
            .iter()
            .filter(|drift| drift.state == DriftState::Open);
        same(
            "the open drifts",
            &open.collect(),
            &engine.drifts().collect::<Vec<_>>(),
        )?;
        let streams = engine.streams().map(|(sku, stream)| {
            let seen = Vec::new();
            (sku.clone(), StreamRecord { seen, ..stream })
        });
        let mut streams: Vec<_> = streams.collect();
        streams.sort_by(|(a, one), (b, other)| {
            (a, &one.location, &one.source).cmp(&(b, &other.location, &other.source))
        });
        same("the streams", &self.model.streams(), &streams)?;
        for id in self.model.reservations() {
            let expected: Result<ReservationView, Refusal> = self.model.reservation(id, now);
            let came = engine.reservation(id, now).ok_or_else(|| engine.absent(id));
            same("a reservation", &expected, &came)?;
        }
        Ok(())
    }

    fn check_invariants(&mut self) -> Result<(), Fault> {
        let engine = self.world.subject.engine();
        engine
            .check()
            .map_err(|broken| Fault::Broken(broken.to_string()))?;
        let complaints = self.model.complaints();
        if !complaints.is_empty() {
            return Err(Fault::Broken(complaints.join("; ")));
        }
        let journal = &self.world.journal;
        let mut last = self
            .checked
            .checked_sub(1)
            .map_or(Timestamp::ZERO, |at| journal[at].at);
        for (at, event) in journal.iter().enumerate().skip(self.checked) {
            if event.seq != at as u64 + 1 || event.at < last {
                let detail = format!("INV-7: event {} stands at place {}", event.seq, at + 1);
                return Err(Fault::Broken(detail));
            }
            last = event.at;
        }
        self.checked = journal.len();
        Ok(())
    }

    /// Rebuilds the state in every way that is watched.
    pub(crate) fn recover(&mut self, choices: &mut dyn FnMut(usize) -> usize) -> Result<(), Fault> {
        let run = catch_unwind(AssertUnwindSafe(|| {
            if self.is_watched(Watch::Replay) {
                recover::from_the_start(&self.world)?;
            }
            if self.is_watched(Watch::Snapshots) {
                self.memory.check(&self.world, choices)?;
            }
            Ok(())
        }));
        run.map_err(|panic| Fault::Panicked(message(&*panic)))?
    }

    /// Runs a whole history.
    pub(crate) fn play(&mut self, steps: &[Step]) -> Result<(), Fault> {
        for line in opening_lines() {
            self.run(&line)?;
        }
        for step in steps {
            match step {
                Step::Remember(dirty) => {
                    self.run(&Line::Chunks(u64::from(*dirty)))?;
                    self.memory.take(&self.world);
                }
                Step::Recover(choices) => {
                    let mut choices = choices.iter().cycle();
                    self.recover(&mut |count| {
                        choices.next().map_or(0, |choice| choice.index(count))
                    })?;
                }
                step => {
                    if let Some(line) = steps::line_of(step, &self.world) {
                        self.run(&line)?;
                    }
                }
            }
        }
        self.recover(&mut |count| count - 1)
    }
}

/// Whether an event tells that a threshold was crossed.
pub(crate) fn is_crossing(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::StockLow | EventKind::StockDepleted | EventKind::StockReplenished
    )
}

/// When which SKU crossed what.
fn crossing(event: &Event) -> (Timestamp, String, u8) {
    let sku = match &event.effects[..] {
        [Effect::Supply(supply)] => supply.sku.to_string(),
        other => format!("{other:?}"),
    };
    (event.at, sku, event.kind as u8)
}

/// Plays a history on a fresh engine.
pub(crate) fn play(policy: &Policy, steps: &[Step]) -> Result<(), String> {
    let mut duel = Duel::new(Plain::new(policy.clone()), Watch::Everything);
    duel.play(steps)
        .map_err(|fault| format!("{}\n\n{fault}", duel.story()))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

fn same<T: PartialEq + fmt::Debug>(what: &str, model: &T, engine: &T) -> Result<(), Fault> {
    if model == engine {
        return Ok(());
    }
    Err(Fault::Differs(format!(
        "{what}\nmodel:  {model:#?}\nengine: {engine:#?}"
    )))
}

/// Leaves out what the domain page leaves open: the order in which offending lines are
/// listed, and when a reservation that is still open in part was confirmed.
fn normal(told: Told) -> Told {
    let Told::Refused {
        mut refusal,
        replayed,
    } = told
    else {
        return told;
    };
    match &mut refusal {
        Refusal::UnknownSku(skus) | Refusal::SalePaused(skus) | Refusal::CustomerRequired(skus) => {
            skus.sort();
            skus.dedup();
        }
        Refusal::UnknownLocation(places) | Refusal::LocationClosed(places) => {
            places.sort();
            places.dedup();
        }
        Refusal::SaleClosed(skus) => {
            skus.sort();
            skus.dedup();
        }
        Refusal::CustomerLimit(over) => over.sort_by(|a, b| a.sku.cmp(&b.sku)),
        Refusal::InsufficientStock(lines) => {
            lines.sort_by(|a, b| (&a.sku, &a.location).cmp(&(&b.sku, &b.location)));
        }
        Refusal::ReservationConfirmed { at, .. } => *at = Timestamp::ZERO,
        _ => {}
    }
    Told::Refused { refusal, replayed }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(text) => write!(f, "engine and model differ in {text}"),
            Self::Broken(text) => write!(f, "broken: {text}"),
            Self::Replay(text) => write!(f, "replay from the start differs (INV-6): {text}"),
            Self::Snapshot(text) => write!(f, "recovery from chunks differs (INV-6): {text}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
        }
    }
}
