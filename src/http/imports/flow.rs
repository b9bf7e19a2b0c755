//! The way of rows: from pieces of a body to the shards, and from their answers to the report.
//!
//! One message per shard is under way at a time, of the rows that have gathered meanwhile. So rows
//! of one SKU are done in the file's order, also where a shard is overloaded and takes only the
//! first of them; a slow shard fills the window, and a full window stops the reading.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use holdfast_core::{Answer, Command, Configure, MovementOutcome, Refusal, Sku, TraceParent};
use holdfast_runtime::{Operation, Router, Unavailable};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::super::keys;
use super::super::pieces::{Cause, Piece, Pieces};
use super::super::problem::{Code, Problem};
use super::super::render;
use super::super::state::Api;
use super::super::stock::dated;
use super::super::wire::scalar::{Id, Time};
use super::lane::{Op, Sent, send};
use super::lines::{Line, Lines, Place};
use super::records::{Running, Sync};
use super::rehearsal::Rehearsal;
use super::report::{Done, Report, Window};
use super::row::{Fault, Format, Reader, Row};

/// Rows in the window, in groups.
const WINDOW_GROUPS: usize = 16;
/// How often a running import writes down where it stands.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// A running import.
pub(super) struct Flow {
    api: Api,
    running: Running,
    lines: Lines,
    reader: Reader,
    books: Books,
    /// What the header is refused for.
    refused: Option<Problem>,
    /// What the shards can't do.
    stopped: Option<Unavailable>,
    sending: JoinSet<Sent>,
    keep_at: Instant,
}

/// What is asked of an import.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) identity: Option<String>,
    pub(super) format: Format,
    pub(super) creates: bool,
    pub(super) is_resumed: bool,
    pub(super) dry_run: bool,
    /// Where the request that brings rows stands in its caller's trace.
    pub(super) trace: Option<TraceParent>,
}

/// Rows on their way.
struct Books {
    identity: Vec<u8>,
    trace: Option<TraceParent>,
    creates: bool,
    /// In a dry run.
    rehearsal: Option<Rehearsal>,
    router: Router,
    window: Window,
    lanes: Vec<Lane>,
}

/// What waits for one shard.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Op>,
    is_busy: bool,
    /// SKUs that are created by what waits or is under way.
    creating: HashSet<Sku>,
}

/// How the body stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Open,
    Whole,
    Cut(Cause),
}

impl Flow {
    pub(super) fn new(api: Api, running: Running, asked: Asked) -> Self {
        let bounds = *running.bounds();
        let from = running.report().place();
        let is_apart = asked.is_resumed && asked.format == Format::Csv;
        let router = api.router().clone();
        let shards = usize::from(router.placement().shards());
        let books = Books {
            identity: asked.identity.unwrap_or_default().into_bytes(),
            trace: asked.trace,
            creates: asked.creates,
            rehearsal: asked.dry_run.then(|| Rehearsal::new(asked.creates)),
            router,
            window: Window::default(),
            lanes: (0..shards).map(|_| Lane::default()).collect(),
        };
        Self {
            api,
            running,
            lines: Lines::new(from, is_apart, bounds.row_bytes_max),
            reader: Reader::new(asked.format, bounds.row_bytes_max),
            books,
            refused: None,
            stopped: None,
            sending: JoinSet::new(),
            keep_at: Instant::now(),
        }
    }

    /// Imports what comes; the report, or why there is an end before the end.
    pub(super) async fn run(mut self, mut pieces: Pieces) -> Result<Report, Problem> {
        let mut body = Body::Open;
        while self.refused.is_none() {
            self.launch();
            let is_full = self.books.window.len() >= self.window_max();
            if self.stopped.is_some() || body != Body::Open || is_full {
                match self.sending.join_next().await {
                    Some(sent) => self.settle(sent.expect("sending does not panic")),
                    None => break,
                }
            } else {
                tokio::select! {
                    Some(sent) = self.sending.join_next() => {
                        self.settle(sent.expect("sending does not panic"));
                    }
                    piece = pieces.next() => body = self.take(piece),
                    () = sleep_until(self.keep_at), if self.lines.place() != Place::START => {}
                }
            }
            self.keep_if_due().await;
        }
        // Where the header is refused nothing was sent.
        self.end(body).await
    }

    fn window_max(&self) -> usize {
        self.running.bounds().group_rows * WINDOW_GROUPS
    }

    fn take(&mut self, piece: Piece) -> Body {
        match piece {
            Piece::Data(bytes) => {
                self.read(|lines, each| lines.feed(&bytes, each));
                Body::Open
            }
            Piece::End => {
                self.last_line();
                self.refuse_nothing();
                Body::Whole
            }
            // What has come of the last line may be any part of it.
            Piece::Cut(cause) => Body::Cut(cause),
        }
    }

    /// Reads lines; each is put on its way, or found bad.
    fn read(&mut self, feed: impl FnOnce(&mut Lines, &mut dyn FnMut(Place, Line<'_>))) {
        let Self {
            lines,
            reader,
            books,
            refused,
            ..
        } = self;
        feed(lines, &mut |at, line| {
            if refused.is_some() {
                return;
            }
            match line {
                Line::Whole(line) if line.trim_ascii().is_empty() => {}
                Line::Whole(line) if reader.wants_header() => {
                    *refused = reader.header(line).err();
                }
                Line::TooLong if reader.wants_header() => {
                    *refused = Some(Problem::invalid("header", "the first line is too long"));
                }
                Line::Whole(line) => match reader.row(line) {
                    Ok(row) => books.send(at, row),
                    Err(fault) => books.refuse(at, fault),
                },
                Line::TooLong => {
                    let reason = "the line is longer than imports.row_bytes_max";
                    books.refuse(at, Fault::malformed(None, reason.to_owned()));
                }
            }
        });
        self.report();
    }

    /// The last line without a line end is a row if it can be read as one. If not, the file is cut
    /// off there, and may be sent again when it is whole.
    fn last_line(&mut self) {
        if !self.lines.is_within() || self.reader.wants_header() {
            return self.read(|lines, each| lines.finish(each));
        }
        let begins = self.lines.place();
        let mut is_good = false;
        let Self {
            lines,
            reader,
            books,
            ..
        } = self;
        lines.finish(|at, line| match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => is_good = true,
            Line::Whole(line) => {
                if let Ok(row) = reader.row(line) {
                    is_good = true;
                    books.send(at, row);
                }
            }
            Line::TooLong => {}
        });
        if !is_good {
            self.lines = Lines::new(begins, false, 0);
            let line = begins.line;
            self.running.report().stopped = Some(format!(
                "line {line} has no end and is no row: the file seems to be cut off there"
            ));
        }
        self.report();
    }

    /// An export that failed leaves an empty file; taken for the whole it would keep the real one
    /// from coming under this identity.
    fn refuse_nothing(&mut self) {
        if self.reader.wants_header() && self.refused.is_none() {
            let detail = "missing, the file is empty; its first line must name the columns";
            self.refused = Some(Problem::invalid("header", detail));
        } else if self.lines.place() == Place::START && self.running.report().stopped.is_none() {
            self.refused = Some(Problem::invalid("", "the file is empty"));
        }
    }

    /// Sends what waits to every shard that has nothing under way.
    fn launch(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        let bounds = self.running.bounds();
        for (at, lane) in self.books.lanes.iter_mut().enumerate() {
            if lane.is_busy || lane.waiting.is_empty() {
                continue;
            }
            let count = lane.waiting.len().min(bounds.group_rows);
            let ops: Vec<Op> = lane.waiting.drain(..count).collect();
            lane.is_busy = true;
            let (api, patience) = (self.api.clone(), bounds.patience);
            self.sending.spawn(send(api, at, ops, patience));
        }
    }

    /// Books what a shard has said.
    fn settle(&mut self, sent: Sent) {
        let lane = &mut self.books.lanes[sent.lane];
        lane.is_busy = false;
        lane.creating.clear();
        for (row, creates, told) in sent.told {
            match told {
                Ok(Answer::Full(table)) => self.stop(Unavailable::Full(table)),
                Err(unavailable) => self.stop(unavailable),
                Ok(answer) => {
                    let (done, is_first) = (done(&answer, &self.api), is_new(&answer));
                    if is_first {
                        self.books.window.created(row);
                    }
                    // A SKU that is there now says nothing of the row it was made for.
                    if !(creates && matches!(answer, Answer::Sku { .. })) {
                        self.books.window.close(row, done);
                    }
                }
            }
        }
        if let Some(unavailable) = sent.stopped {
            self.stop(unavailable);
        }
        self.report();
    }

    fn stop(&mut self, why: Unavailable) {
        self.stopped.get_or_insert(why);
    }

    /// Brings the report up to date.
    fn report(&mut self) {
        let rows_max = self.running.bounds().bad_rows_max;
        let mut report = self.running.report();
        let next = self.lines.place();
        self.books.window.drain(&mut report, next, rows_max);
        report.updated_at = Some(Time(self.api.router().now()));
    }

    async fn keep_if_due(&mut self) {
        let now = Instant::now();
        // A file that is refused was never begun, and may come again under this identity.
        let has_begun = self.refused.is_none() && self.lines.place() != Place::START;
        if has_begun && self.keep_at <= now {
            self.keep_at = now + KEEP_EVERY;
            self.running.keep(Sync::Later).await;
        }
    }

    /// Writes down how it ended.
    async fn end(self, body: Body) -> Result<Report, Problem> {
        if let Some(problem) = self.refused {
            return Err(problem);
        }
        let ended = {
            let mut report = self.running.report();
            report.running = false;
            let problem = match (self.stopped, body) {
                (Some(unavailable), _) => Some(render::unavailable(&unavailable)),
                (None, Body::Cut(cause)) => Some(cut(cause)),
                (None, Body::Whole | Body::Open) => None,
            };
            if let Some(problem) = &problem {
                report.stopped = Some(problem.detail().to_owned());
            }
            report.complete = report.stopped.is_none();
            match problem {
                None => Ok(report.clone()),
                Some(problem) => Err(problem
                    .with("next_line", report.next_line)
                    .with("next_offset", report.next_offset)),
            }
        };
        self.running.keep(Sync::Now).await;
        ended
    }
}

impl Books {
    /// Puts a row on its way.
    fn send(&mut self, at: Place, row: Row) {
        let Row {
            sku,
            mut command,
            past,
        } = row;
        if let Err(problem) = dated(&mut command, past.as_ref(), &self.router) {
            return self.refuse(at, problem.into());
        }
        let row = self.window.open(at);
        if let Some(rehearsal) = &mut self.rehearsal {
            let (done, is_new) = rehearsal.check(&sku, &command, &self.router);
            if is_new {
                self.window.created(row);
            }
            return self.window.close(row, done);
        }
        let lane = &mut self.lanes[usize::from(self.router.placement().shard_of_sku(&sku))];
        let is_setting = matches!(command, Command::Configure(_));
        let is_new = self.creates
            && !is_setting
            && self.router.sku(&sku).is_none()
            && lane.creating.insert(sku.clone());
        if is_new {
            let mut operation = operation(&self.identity, at, b"create", create(sku));
            operation.trace = self.trace.map(Box::new);
            lane.waiting.push_back(Op {
                row,
                creates: true,
                operation,
            });
        }
        let mut operation = operation(&self.identity, at, b"", command);
        operation.trace = self.trace.map(Box::new);
        lane.waiting.push_back(Op {
            row,
            creates: false,
            operation,
        });
    }

    fn refuse(&mut self, at: Place, fault: Fault) {
        let row = self.window.open(at);
        self.window.close(row, Done::Bad(Box::new(fault)));
    }
}

/// A row's key: the file, its line and what is done. No caller's key can have a zero in it.
fn operation(identity: &[u8], at: Place, what: &[u8], command: Command) -> Operation {
    let line = at.line.to_string();
    let key = [b"import", identity, line.as_bytes(), what].join(&0);
    let key = Some(keys::tag(&key, &command));
    Operation::keyed(key, command)
}

/// Makes a SKU known, with nothing set.
fn create(sku: Sku) -> Command {
    Command::Configure(Box::new(Configure::new(sku)))
}

/// Whether an answer says that there was no such SKU before.
fn is_new(answer: &Answer) -> bool {
    match answer {
        Answer::Sku {
            created, replayed, ..
        } => *created && !*replayed,
        _ => false,
    }
}

/// What an answer says of its row.
fn done(answer: &Answer, api: &Api) -> Done {
    match answer {
        Answer::Movement { replayed: true, .. } | Answer::Sku { replayed: true, .. } => {
            Done::Replayed
        }
        Answer::Movement { view, .. } => match view.outcome {
            MovementOutcome::Applied => Done::Applied,
            MovementOutcome::Partly => {
                Done::Partly(view.drift.map(|drift| (Id(drift), view.applied)))
            }
            MovementOutcome::Late => Done::Late,
            MovementOutcome::Superseded => Done::Superseded,
            MovementOutcome::Stale => Done::Stale,
            MovementOutcome::Duplicate => Done::Duplicate,
        },
        Answer::Sku { .. } => Done::Configured,
        Answer::Refused {
            refusal, at, seq, ..
        } => Done::Bad(Box::new(refused(refusal, (*at, *seq), api))),
        Answer::Full(_)
        | Answer::Reservation { .. }
        | Answer::Made { .. }
        | Answer::Drift { .. }
        | Answer::Location { .. }
        | Answer::Part(_) => unreachable!("movements and settings are answered otherwise"),
    }
}

/// A refusal in the words of the single call.
fn refused(refusal: &Refusal, (at, seq): (holdfast_core::Timestamp, u64), api: &Api) -> Fault {
    let position_of = |sku: &Sku, seq| api.position(sku, seq);
    let rendered = render::refusal(refusal, at, seq, &position_of);
    let code = rendered.code().map_or("refused", Code::name);
    let told = serde_json::to_value(&rendered).unwrap_or_default();
    let detail = told["problem"]["detail"]
        .as_str()
        .unwrap_or(code)
        .to_owned();
    Fault {
        code: code.into(),
        field: None,
        reason: detail,
    }
}

fn cut(cause: Cause) -> Problem {
    match cause {
        Cause::Late => {
            let detail = "no more of the body came for too long; go on at next_line";
            Problem::new(Code::RequestTimeout, detail)
        }
        Cause::Broken => {
            let detail = "the body ended before its end; go on at next_line";
            Problem::invalid("", detail)
        }
    }
}
