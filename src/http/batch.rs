//! `POST /v1/batch`: many operations in one call, each on its own.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use holdfast_core::{Answer, Sku, TraceParent};
use holdfast_runtime::Operation;

use super::call::{Call, checked, missing};
use super::keys::Tagger;
use super::problem::{Code, Problem};
use super::render::{self, Rendered};
use super::results::Results;
use super::state::{Api, KeyRule};
use super::stock;
use super::wire::movement::Asked;
use super::wire::operation::{self, OpWord, Parsed};

/// What becomes of one operation.
struct Slot {
    op: Option<OpWord>,
    state: Fate,
}

enum Fate {
    /// Sent; its movement, if it is one.
    Sent(Option<Asked>),
    /// Refused before it was sent.
    Malformed(Problem),
}

/// `POST /v1/batch`
pub(crate) async fn batch(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let bounds = *api.bounds();
    let parsed = operation::parse_batch(call.bytes()?, bounds.batch_max, bounds.lines_max)?;
    let mut operations = Vec::with_capacity(parsed.len());
    let (mut tagger, trace) = (Tagger::default(), call.trace());
    let slots: Vec<Slot> = parsed
        .into_iter()
        .map(|parsed| {
            let marks = (&mut tagger, trace.as_ref());
            slot(&api, parsed, marks, &mut operations)
        })
        .collect();
    let refusals = api.refusals();
    let commands = operations.iter().map(|operation| &operation.command);
    let askers: Vec<_> = commands.map(|command| refusals.notice(command)).collect();
    let told = if operations.is_empty() {
        Vec::new()
    } else {
        api.router()
            .batch_in_short(operations, api.deadline())
            .await
    };
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    let mut next = told.iter();
    let mut results = Results::new(slots.len());
    let mut tally = Tally::new(&api);
    for slot in &slots {
        let rendered = match &slot.state {
            Fate::Malformed(problem) => Rendered::problem(problem.clone()),
            Fate::Sent(asked) => {
                let told = next.next().expect("the runtime answers every operation");
                if let Ok(Answer::Made { made, now }) = told {
                    tally.success(slot.op, results.made(made, *now));
                    continue;
                }
                if let Some(held) = render::held(told) {
                    tally.success(slot.op, held.status);
                    results.held(&held);
                    continue;
                }
                render::told(told, asked.as_ref(), &position_of)
            }
        };
        match rendered.code() {
            Some(code) => tally.problem(slot.op, code),
            None => tally.success(slot.op, rendered.status()),
        }
        results.push(&rendered);
    }
    drop(tally);
    let response = results.into_response();
    for (asker, told) in askers.into_iter().zip(told) {
        api.keep_refusal(&call, asker, told);
    }
    Ok(response)
}

/// Puts an operation among those to be sent, unless it is malformed.
fn slot(
    api: &Api,
    parsed: Parsed<'_>,
    (tagger, trace): (&mut Tagger, Option<&TraceParent>),
    operations: &mut Vec<Operation>,
) -> Slot {
    let mut operation = match parsed {
        Ok(operation) => operation,
        Err((op, problem)) => {
            return Slot {
                op,
                state: Fate::Malformed(problem),
            };
        }
    };
    let op = Some(operation.op);
    let past = operation.past.as_deref();
    if let Err(problem) = stock::dated(&mut operation.command, past, api.router()) {
        let state = Fate::Malformed(problem);
        return Slot { op, state };
    }
    let rule = stock::key_rule(&operation.command, api.bounds().keys);
    let key = match (&operation.key, rule) {
        (Some(key), _) => match checked("key", key.as_bytes()) {
            Ok(key) => Some(tagger.tag(key, &operation.command)),
            Err(problem) => {
                return Slot {
                    op,
                    state: Fate::Malformed(problem),
                };
            }
        },
        (None, KeyRule::Required) => {
            return Slot {
                op,
                state: Fate::Malformed(missing("key")),
            };
        }
        (None, KeyRule::Optional) => None,
    };
    let asked = Asked::of(&operation.command);
    operations.push(Operation {
        key,
        command: operation.command,
        trace: trace.map(|trace| Box::new(*trace)),
    });
    Slot {
        op,
        state: Fate::Sent(asked),
    }
}

/// Counts operations by kind and answer; one whose kind is unknown counts nowhere.
struct Tally<'a> {
    api: &'a Api,
    /// Successes alike that are not counted yet: threads would take turns at the counter.
    run: Option<(OpWord, StatusCode)>,
    length: u64,
}

impl<'a> Tally<'a> {
    const fn new(api: &'a Api) -> Self {
        Self {
            api,
            run: None,
            length: 0,
        }
    }

    fn problem(&self, op: Option<OpWord>, code: Code) {
        if let Some(op) = op {
            self.api.operations().of(op as usize).problem(code);
        }
    }

    fn success(&mut self, op: Option<OpWord>, status: StatusCode) {
        let run = op.map(|op| (op, status));
        if run != self.run {
            self.end_run();
            self.run = run;
        }
        self.length += 1;
    }

    fn end_run(&mut self) {
        if let Some((op, status)) = self.run.take() {
            let answers = self.api.operations().of(op as usize);
            answers.successes(status, self.length);
        }
        self.length = 0;
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.end_run();
    }
}
