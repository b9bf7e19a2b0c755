//! Progress on stderr: a bar where somebody watches, a plain line now and then where stderr is a
//! file or a pipe, nothing where it was asked to be quiet.
//!
//! Deliberately absent: results. What a command found goes to stdout, when it is done.

use std::{
    io::IsTerminal,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::show::{Paint, count, seconds, share};

/// How much to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As stderr allows.
    Progress,
    /// Nothing.
    Nothing,
}

/// One step that takes long. Shared by reference between the tasks that do the work.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: Option<u64>,
    done: AtomicU64,
    started: Instant,
    finished: AtomicBool,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
    Nothing,
}

#[derive(Debug)]
struct Lines {
    last: Instant,
    note: String,
}

/// Columns of what was done, before how it went.
const WHAT_WIDTH: usize = 26;
const LINE_EVERY: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(120);

impl Progress {
    /// A step of `total` parts.
    pub fn bar(show: Show, what: impl Into<String>, total: u64) -> Self {
        Self::new(show, what.into(), Some(total))
    }

    /// A step whose length nobody knows.
    pub fn spinner(show: Show, what: impl Into<String>) -> Self {
        Self::new(show, what.into(), None)
    }

    fn new(show: Show, what: String, total: Option<u64>) -> Self {
        let started = Instant::now();
        let form = match show {
            Show::Nothing => Form::Nothing,
            Show::Progress if std::io::stderr().is_terminal() => {
                let bar =
                    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(12))
                        .with_style(style(total))
                        .with_prefix(what.clone());
                bar.enable_steady_tick(TICK);
                Form::Bar(bar)
            }
            Show::Progress => Form::Lines(Mutex::new(Lines {
                last: started,
                note: String::new(),
            })),
        };
        let (done, finished) = (AtomicU64::new(0), AtomicBool::new(false));
        Self {
            what,
            total,
            done,
            started,
            finished,
            form,
        }
    }

    /// `parts` more are done.
    pub fn inc(&self, parts: u64) {
        self.set(self.done.fetch_add(parts, Ordering::Relaxed) + parts);
    }

    /// `done` parts are done.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        match &self.form {
            Form::Bar(bar) => bar.set_position(done),
            Form::Lines(lines) => self.line_if_due(lines),
            Form::Nothing => {}
        }
    }

    /// A short remark beside the step that replaces the last one.
    pub fn note(&self, note: impl Into<String>) {
        match &self.form {
            Form::Bar(bar) => bar.set_message(note.into()),
            Form::Lines(lines) => {
                lines.lock().expect("no holder of this lock can panic").note = note.into();
                self.line_if_due(lines);
            }
            Form::Nothing => {}
        }
    }

    /// A line that stays, above the step.
    pub fn line(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Form::Lines(_) => eprintln!("{text}"),
            Form::Nothing => {}
        }
    }

    /// Ends the step with one line that says what came of it.
    pub fn finish(&self, outcome: &str) {
        self.end(outcome, ticked);
    }

    /// Ends a step that came to nothing, with one line that says so.
    pub fn fail(&self, outcome: &str) {
        self.end(outcome, struck);
    }

    fn end(&self, outcome: &str, form: fn(Paint, &str, &str) -> String) {
        if self.finished.swap(true, Ordering::Relaxed) {
            return;
        }
        let how = format!("{outcome}  {}", seconds(self.started.elapsed()));
        let line = form(Paint::stderr(), &self.what, &how);
        match &self.form {
            Form::Bar(bar) => {
                bar.finish_and_clear();
                eprintln!("{line}");
            }
            Form::Lines(_) => eprintln!("{line}"),
            Form::Nothing => {}
        }
    }

    fn line_if_due(&self, lines: &Mutex<Lines>) {
        let mut lines = lines.lock().expect("no holder of this lock can panic");
        if lines.last.elapsed() < LINE_EVERY {
            return;
        }
        lines.last = Instant::now();
        let done = self.done.load(Ordering::Relaxed);
        let counted = match self.total {
            Some(total) => format!("{}/{} ({})", count(done), count(total), share(done, total)),
            None => String::new(),
        };
        eprintln!("  {} {counted} {}", self.what, lines.note);
    }
}

/// The line of a step that went well.
pub fn ticked(paint: Paint, what: &str, how: &str) -> String {
    format!("{} {what:<WHAT_WIDTH$} {}", paint.good("✓"), paint.dim(how))
}

/// The line of a step that was brought down.
pub fn struck(paint: Paint, what: &str, how: &str) -> String {
    let what = paint.bad(format!("{what:<WHAT_WIDTH$}"));
    format!("{} {what} {}", paint.bad("✗"), paint.dim(how))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => {
            "{spinner:.cyan} {prefix} {bar:20.cyan/blue.dim} {human_pos}/{human_len} {wide_msg:.dim}"
        }
        None => "{spinner:.cyan} {prefix} {wide_msg:.dim}",
    };
    ProgressStyle::with_template(template)
        .expect("the template is constant and good")
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
