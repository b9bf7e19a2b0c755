//! The terminal: taken, drawn on, listened to, and given back.
//!
//! Deliberately absent: what is drawn; `draw` needs no terminal.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Title, draw};
use crate::load::record::Recorder;

const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Gives the terminal back however the thread ends.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the run until it is over.
pub(super) fn run(
    recorder: &Recorder,
    title: &Title,
    quit: &AtomicBool,
    is_over: &AtomicBool,
) -> io::Result<()> {
    // This also has every panic, of whatever thread, give the terminal back before it is told.
    let mut terminal = ratatui::try_init()?;
    let _taken = Taken;
    while !is_over.load(Ordering::Relaxed) {
        let live = recorder.live();
        let is_quitting = quit.load(Ordering::Relaxed);
        terminal.draw(|frame| draw::draw(frame, &live, title, is_quitting))?;
        if event::poll(DRAW_EVERY)?
            && let Event::Key(key) = event::read()?
            && asks_to_end(key)
        {
            quit.store(true, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// In a terminal of its own Ctrl-C is a key, and no signal.
pub(super) fn asks_to_end(key: KeyEvent) -> bool {
    let is_interrupt =
        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press && (is_interrupt || key.code == KeyCode::Char('q'))
}
