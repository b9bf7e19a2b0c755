//! Holds here whose units are gone, of carts homed elsewhere: home is asked to release them.
//!
//! Home alone decides: it releases what is open, keeps what is pinned, and says what became of the
//! rest. A message that is lost is sent again for as long as the shortfall stays. What is remembered
//! here saves messages, and is lost in a crash.
//! Deliberately absent: ending a hold here before home has.

use super::{Carts, step};
use crate::peer::PeerMessage;
use crate::placement::ShardIndex;
use crate::shard::{Applied, Turn};
use holdfast_core::{Command, Millis, Outcome, Refusal, ReleaseShort, Timestamp};

/// A home that has not answered is asked again after this.
const ASK_EVERY: Millis = Millis::from_secs(1);

/// What is known of a hold without units.
pub(super) struct Short {
    /// Home is not asked again before this.
    ask_at: Timestamp,
    /// Home keeps it until then.
    kept_until: Timestamp,
}

impl Carts {
    /// Whether home is known to keep a hold.
    pub fn is_kept(&self, number: u64, now: Timestamp) -> bool {
        let short = self.short.get(&number);
        short.is_some_and(|short| now < short.kept_until)
    }

    /// Asks the homes of these holds to release them, where they were not asked just now.
    pub fn ask_to_release(&mut self, turn: &mut Turn<'_>, numbers: &[u64]) {
        let now = turn.now();
        self.short
            .retain(|number, _| turn.engine().foreign_hold(*number).is_some());
        for number in numbers {
            let Some(hold) = turn.engine().foreign_hold(*number) else {
                continue;
            };
            let short = self.short.entry(*number).or_insert(Short {
                ask_at: now,
                kept_until: Timestamp::ZERO,
            });
            if now < short.ask_at {
                continue;
            }
            short.ask_at = now.after(ASK_EVERY);
            let home = turn.placement().home_of(hold.id);
            let message = PeerMessage::Shortfall {
                id: hold.id,
                sku: hold.sku,
                hold: *number,
            };
            // What took the units may not be durable yet.
            let after = turn.seq();
            turn.send(home, message, after);
        }
    }

    /// A part has no units for a hold.
    pub(super) fn on_shortfall(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        release: ReleaseShort,
    ) {
        if turn.shard_of(&release.sku) != from {
            return;
        }
        let (id, hold) = (release.id, release.hold);
        let version = turn.engine().home_version(id);
        let command = Command::ReleaseShort(Box::new(release));
        let Applied { outcome, wait, .. } = turn.apply(&step(command));
        if let Outcome::Refused {
            refusal: Refusal::ReservationPinned { until, .. },
            ..
        } = outcome
        {
            turn.send(from, PeerMessage::Kept { hold, until }, wait);
        } else if turn.engine().home_version(id) == version {
            // It was decided before: the part has yet to hear of it.
            let is_trying = self.tries.contains_key(&id);
            self.tell_fate(turn, from, id, &[hold], is_trying);
        }
    }

    /// Home keeps a hold for now.
    pub(super) fn on_kept(&mut self, turn: &Turn<'_>, hold: u64, until: Timestamp) {
        if turn.engine().foreign_hold(hold).is_some() {
            let ask_at = until;
            let kept_until = until;
            self.short.insert(hold, Short { ask_at, kept_until });
        }
    }
}
