//! What was shipped here of carts homed elsewhere: home is told until it has heard. A hold is kept
//! until then, and until nothing it sold is left to come, or home has forgotten it.

use super::part::Question;
use super::timers::Timer;
use super::{Carts, step};
use crate::peer::PeerMessage;
use crate::placement::ShardIndex;
use crate::shard::{Applied, Turn};
use holdfast_core::{Command, Millis, NoteShipped, NoteTold, Timestamp};

/// Home is asked this often whether it has forgotten what it may have forgotten.
const KEPT_LOOK: Millis = Millis::from_secs(3600);

impl Carts {
    /// Tells home what was shipped under a hold, if it has not heard it.
    pub fn report(&mut self, turn: &mut Turn<'_>, number: u64) {
        if turn.engine().untold(number).is_none() {
            self.forget_report(number);
            return;
        }
        let pause = self.settings.resend;
        self.reports.insert(number, pause);
        self.timers
            .set(Timer::Report(number), turn.now().after(pause));
        Self::send_report(turn, number);
    }

    /// Home has not said that it heard.
    pub(super) fn report_again(&mut self, turn: &mut Turn<'_>, number: u64) {
        let Some(pause) = self.reports.get_mut(&number) else {
            return;
        };
        if turn.engine().untold(number).is_none() {
            self.forget_report(number);
            return;
        }
        *pause = pause.doubled(self.settings.resend_max);
        let next = turn.now().after(*pause);
        self.timers.set(Timer::Report(number), next);
        Self::send_report(turn, number);
    }

    fn send_report(turn: &mut Turn<'_>, number: u64) {
        if let Some(note) = turn.engine().untold(number) {
            let home = turn.placement().home_of(note.id);
            // What is told may not be durable yet.
            let after = turn.seq();
            turn.send(home, PeerMessage::Shipped(Box::new(note)), after);
        }
    }

    /// A home was rebuilt: what it was told may be lost.
    pub(super) fn send_reports(&self, turn: &mut Turn<'_>, shard: ShardIndex) {
        for number in self.reports.keys() {
            let note = turn.engine().untold(*number);
            if note.is_some_and(|note| turn.placement().home_of(note.id) == shard) {
                Self::send_report(turn, *number);
            }
        }
    }

    /// This shard was rebuilt: homes are told again, and asked in time what they have forgotten.
    pub(super) fn reports_reopened(&mut self, turn: &mut Turn<'_>) {
        let engine = turn.engine();
        let open = engine.foreign_holds().map(|hold| hold.number);
        let holds: Vec<u64> = engine.kept_holds().chain(open).collect();
        for number in holds {
            self.report(turn, number);
            self.ask_when_forgotten(turn, number);
        }
    }

    pub(super) fn forget_report(&mut self, number: u64) {
        if self.reports.remove(&number).is_some() {
            self.timers.clear(Timer::Report(number));
        }
    }

    /// A part says what has left. Home hears it at its own version only: a report that has crossed
    /// a decision is answered with that, and comes again.
    pub(super) fn on_shipped(&self, turn: &mut Turn<'_>, from: ShardIndex, note: &NoteShipped) {
        let decided = turn.engine().decided(note.id);
        let is_named = decided
            .iter()
            .any(|(sku, settle)| settle.hold == note.hold && turn.shard_of(sku) == from);
        let version = turn.engine().home_version(note.id);
        if !is_named || version != Some(note.version) {
            self.tell_fate(turn, from, note.id, &[note.hold], false);
            return;
        }
        let command = Command::NoteShipped(Box::new(note.clone()));
        let Applied { wait, .. } = turn.apply(&step(command));
        let (id, hold, shipped) = (note.id, note.hold, note.shipped);
        turn.send(
            from,
            PeerMessage::Told(NoteTold { id, hold, shipped }),
            wait,
        );
    }

    /// Home has heard.
    pub(super) fn on_told(&mut self, turn: &mut Turn<'_>, note: NoteTold) {
        let hold = note.hold;
        turn.apply(&step(Command::NoteTold(note)));
        if turn.engine().untold(hold).is_none() {
            self.forget_report(hold);
        }
        if turn.engine().foreign_hold(hold).is_none() && turn.engine().kept_hold(hold).is_none() {
            self.forget_question(hold);
        }
    }

    /// A hold with nothing open: where it is kept for its home, that is asked once it may have
    /// forgotten it.
    pub(super) fn ask_when_forgotten(&mut self, turn: &Turn<'_>, number: u64) {
        if turn.engine().foreign_hold(number).is_some() {
            return;
        }
        match turn.engine().kept_hold(number) {
            None => self.forget_question(number),
            Some((_, due)) if turn.now() < due => self.ask_at(number, due),
            Some(_) => self.ask_at(number, turn.now().after(KEPT_LOOK)),
        }
    }

    /// Asks home about a hold that is kept for it.
    pub(super) fn ask_whether_kept(&mut self, turn: &mut Turn<'_>, number: u64) {
        let Some((id, _)) = turn.engine().kept_hold(number) else {
            self.forget_question(number);
            return;
        };
        let Some(Question { pause }) = self.questions.get_mut(&number) else {
            return;
        };
        *pause = pause.doubled(self.settings.resend_max);
        let next: Timestamp = turn.now().after(*pause);
        self.timers.set(Timer::Question(number), next);
        let home = turn.placement().home_of(id);
        let holds = vec![number];
        let after = turn.seq();
        turn.send(home, PeerMessage::Ask { id, holds }, after);
    }
}
