//! What time brings a shard: holds that lapse, what is past its retention, carts that wait.
//!
//! A sweep is bounded by the turn and by the commit it goes into. Deliberately absent: when to sweep;
//! the owner is told a deadline and comes back.

use super::short::SHORT_EVERY;
use super::{Outbox, Shard};
use crate::clock::Now;
use holdfast_core::{Millis, Timestamp};
use std::sync::atomic::Ordering;

/// Expiries that one commit takes along where nobody waits for it.
const EXPIRIES_ALONE: usize = 1_000;

/// The same where somebody does: who reserves while a million holds lapse waits for a commit or two,
/// and must not wait for all of them.
const EXPIRIES_BESIDE: usize = 64;

/// What is past its retention is looked for this often.
const FORGET_EVERY: Millis = Millis::from_secs(1);

/// While expiry is paused, the clock is looked at this often.
const PAUSED_LOOK: Millis = Millis::from_secs(1);

impl Shard {
    /// Sweeps what time has brought, a bounded number. True if it stopped at a bound, so that more
    /// may be due.
    pub fn tick(&mut self, now: Now, out: &mut Outbox) -> bool {
        let limit = self.core.engine.policy().expire_per_turn;
        self.core.expiries_left = limit;
        let room = limit.min(self.expiries_per_commit().saturating_sub(self.swept));
        let mut swept = 0;
        while !now.paused && !self.core.is_full() && swept < room {
            let Some(events) = self.core.engine.due(now.time) else {
                break;
            };
            self.core.record_all(&events);
            swept += 1;
        }
        self.swept += swept;
        self.release_short(now, limit, out);
        let mut forgot = false;
        if self.forgot.after(FORGET_EVERY) <= now.time && !self.core.is_full() {
            let event = self.core.engine.forget(now.time, limit);
            forgot = event.is_some();
            match event {
                Some(event) => self.core.record(&event),
                None => self.forgot = now.time,
            }
        }
        let backlog = self.core.engine.backlog(now.time, limit);
        self.core
            .setting
            .stats
            .backlog
            .store(backlog, Ordering::Relaxed);
        self.carts.tick(&mut self.core.turn(now, out));
        self.drive(now, out);
        (0 < room && room <= swept) || forgot
    }

    fn expiries_per_commit(&self) -> usize {
        if self.core.is_waited_for() {
            EXPIRIES_BESIDE
        } else {
            EXPIRIES_ALONE
        }
    }

    /// When [`Self::tick`] has something to do, at the earliest.
    pub fn next_deadline(&self, now: Now) -> Option<Timestamp> {
        let engine = &self.core.engine;
        // While expiry is paused, the clock is looked at again and again.
        let earliest = if now.paused {
            now.time.after(PAUSED_LOOK)
        } else {
            Timestamp::ZERO
        };
        // A batch that has its share of expiries is on its way; the next one takes more.
        let may_sweep = self.swept < self.expiries_per_commit();
        let expiry = engine.next_deadline().filter(|_| may_sweep);
        let expiry = expiry.map(|due| due.max(earliest));
        let forget = engine
            .next_forget()
            .map(|due| due.max(self.forgot.after(FORGET_EVERY)));
        let short = engine.wants_release();
        let short = short.then(|| self.looked_short.after(SHORT_EVERY).max(earliest));
        [expiry, forget, short, self.carts.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}
