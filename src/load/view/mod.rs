//! The run while it runs: a screen on a terminal, a line a second where there is none.
//!
//! The view reads [`Recorder::live`] a few times a second and asks nothing of the generator's
//! threads. Deliberately absent: the result; the command prints it when the view is gone.

mod draw;
mod lines;
mod panels;
mod screen;

#[cfg(test)]
mod tests;

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::record::Recorder;

/// What the view says besides figures.
#[derive(Clone, Debug, Default)]
pub struct Title {
    /// The scenario's name.
    pub scenario: String,
    /// Who is loaded.
    pub target: String,
    /// `open`, or `closed, 64 connections`.
    pub model: String,
    /// How long the run is planned to take; none where it has no plan.
    pub planned: Option<Duration>,
}

/// How to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A screen of its own.
    Screen,
    /// A plain line on stderr now and then.
    Lines,
    /// Nothing.
    Nothing,
}

impl Show {
    /// A screen if stdout is a terminal, else lines.
    pub fn fitting() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !is_dumb {
            Self::Screen
        } else {
            Self::Lines
        }
    }
}

/// A view under way. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Handle {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const LINE_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Begins to show a run. `quit` is set when whoever watches asks for its end, by `q` or Ctrl-C.
pub fn start(recorder: Arc<Recorder>, title: Title, show: Show, quit: Arc<AtomicBool>) -> Handle {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let run = move || match show {
        // A terminal that can't be had is no reason not to run.
        Show::Screen => {
            if screen::run(&recorder, &title, &quit, &is_over).is_err() {
                lines(&recorder, &title, &is_over);
            }
        }
        Show::Lines => lines(&recorder, &title, &is_over),
        Show::Nothing => {}
    };
    let thread = thread::Builder::new()
        .name("view".to_owned())
        .spawn(run)
        .ok();
    Handle { over, thread }
}

fn lines(recorder: &Recorder, title: &Title, is_over: &AtomicBool) {
    let mut next = Instant::now() + LINE_EVERY;
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(LOOK_EVERY);
        if Instant::now() >= next {
            eprintln!("{}", lines::line(&recorder.live(), title));
            next += LINE_EVERY;
        }
    }
}

impl Handle {
    /// Ends the view and gives the terminal back.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has given the terminal back even if it panicked; the run goes on without it.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
