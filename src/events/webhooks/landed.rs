//! What becomes of deliveries when they have landed: taken, to be tried again, or given up.

use super::deliver::{AWAY_AT, Landed, PROBES, Probe, Worker};
use super::detour::{Detour, Step, Trip};
use super::log::Delivery;
use super::parcel::{Item, Lane, message};
use super::record::DeadLetter;
use super::send::{Attempt, Message};
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// A lane that has nothing to send, but is not where the others are yet, looks again after this.
const AGAIN_MS: u64 = 20;

impl Worker {
    pub(super) fn landed(&mut self, landed: Landed) {
        self.is_changed = true;
        if let Landed::Letter(..) = landed {
            self.letter_flies = false;
        }
        match landed {
            Landed::Parcel(items, message, attempt) => {
                self.parcel_landed(&items, &message, &attempt);
            }
            Landed::Step(lane, trip, step, probe) => self.step_landed(lane, trip, step, probe),
            Landed::Letter(id, Some((letter, attempt))) => {
                self.letter_landed(&id, letter, &attempt);
            }
            Landed::Letter(_, None) => {}
        }
    }

    fn parcel_landed(&mut self, items: &[Item], message: &Message, attempt: &Attempt) {
        let mut next_at = None;
        for item in items {
            self.busy.remove(&item.lane);
        }
        if attempt.is_taken() {
            self.taken(items.len());
        } else {
            next_at = Some(self.now().ms() + self.common.limits.pause_ms(1, attempt));
            for item in items {
                if !self.detours.contains_key(&item.lane) {
                    let error = attempt.error.clone().unwrap_or_default();
                    let detour = Detour::new(item.seq - 1, 1, next_at.unwrap_or(0), error);
                    self.park(&item.lane, detour);
                }
            }
            let lanes: Vec<Lane> = items.iter().map(|item| item.lane.clone()).collect();
            self.not_taken(&lanes, attempt);
        }
        for item in items {
            self.done(item);
        }
        let delivery = Delivery::of(self.now(), &message.id, items.len(), 1, attempt, next_at);
        self.hook.log(delivery);
    }

    /// A lane waits from now on, with what was read of it.
    fn park(&mut self, lane: &Lane, detour: Detour) {
        self.detours.insert(lane.clone(), detour);
        let items = std::mem::take(&mut self.items);
        let (parked, others) = items.into_iter().partition(|item| item.lane == *lane);
        self.items = others;
        let parked: VecDeque<Item> = parked;
        for item in &parked {
            self.done(item);
        }
    }

    fn step_landed(&mut self, lane: Lane, trip: Option<Trip>, step: Step, probe: Probe) {
        let now = self.now().ms();
        let Some(mut detour) = self.detours.remove(&lane) else {
            return;
        };
        detour.is_flying = false;
        match step {
            Step::Nothing { reached } => {
                let read_to = self.read_to.seq(lane.shard);
                if detour.after <= read_to && read_to <= reached {
                    // It is where the others are, neither behind nor ahead of what was read.
                    return;
                }
                detour.trip = trip;
                detour.next_at = now + AGAIN_MS;
            }
            Step::Stuck => detour.next_at = now + PROBES.0.as_millis() as u64,
            Step::Lost { after } => {
                self.lost();
                (detour.after, detour.attempts) = (detour.after.max(after), 0);
            }
            Step::Sent { items, attempt } if attempt.is_taken() => {
                let message = message(&items, self.form);
                let tried = detour.attempts + 1;
                (detour.after, detour.attempts) = (last_of(&items, detour.after), 0);
                (detour.trip, detour.next_at) = (trip, now);
                let count = items.len();
                self.taken(count);
                let delivery = Delivery::of(self.now(), &message.id, count, tried, &attempt, None);
                self.hook.log(delivery);
            }
            Step::Sent { items, attempt } => {
                self.step_failed(&lane, &mut detour, &items, &attempt, probe);
            }
        }
        self.detours.insert(lane, detour);
    }

    fn step_failed(
        &mut self,
        lane: &Lane,
        detour: &mut Detour,
        items: &[Item],
        attempt: &Attempt,
        probe: Probe,
    ) {
        let now = self.now();
        let message = message(items, self.form);
        detour.error = attempt.error.clone().unwrap_or_default();
        detour.attempts += u32::from(probe == Probe::No);
        let (tried, first) = (detour.attempts.max(1), items.first());
        let mut next_at = Some(detour.next_at);
        if self.common.limits.attempts_max() < tried
            && let Some(first) = first
        {
            // Given up; the next of the lane has its chance.
            self.bury(first, tried, attempt);
            (detour.after, detour.attempts, detour.next_at) = (first.seq, 0, now.ms());
            next_at = None;
        } else if probe == Probe::No {
            detour.next_at = now.ms() + self.common.limits.pause_ms(tried, attempt);
            next_at = Some(detour.next_at);
        }
        let delivery = Delivery::of(now, &message.id, items.len(), tried, attempt, next_at);
        self.hook.log(delivery);
        self.not_taken(std::slice::from_ref(lane), attempt);
    }

    fn bury(&mut self, item: &Item, attempts: u32, attempt: &Attempt) {
        let now = self.now().ms();
        let event = String::from_utf8_lossy(&item.json).into_owned();
        let letter = DeadLetter {
            id: item.id.clone(),
            event: RawValue::from_string(event).expect("what was read as JSON is JSON"),
            event_id: item.id.clone(),
            at: now,
            attempts,
            status: attempt.status,
            error: attempt.error.clone().unwrap_or_default(),
        };
        let id = &self.hook.id;
        // After a crash it may be there already.
        let is_new = matches!(self.common.rows.letter(id, &letter.id), Ok(None));
        self.common.rows.bury(id, &letter.id, Some(&letter));
        self.progress.dead += u64::from(is_new);
        if self.common.limits.dead_max < self.progress.dead {
            let oldest = self.common.rows.letters(id, None, 1);
            if let Ok([oldest]) = oldest.as_deref() {
                self.common.rows.bury(id, &oldest.id, None);
                self.progress.dead -= 1;
            }
        }
    }

    fn letter_landed(&mut self, id: &str, mut letter: DeadLetter, attempt: &Attempt) {
        letter.attempts += 1;
        let delivery = Delivery::of(
            self.now(),
            &letter.event_id,
            1,
            letter.attempts,
            attempt,
            None,
        );
        self.hook.log(delivery);
        if attempt.is_taken() {
            self.common.rows.bury(&self.hook.id, id, None);
            self.progress.dead = self.progress.dead.saturating_sub(1);
            self.taken(1);
        } else {
            letter.status = attempt.status;
            letter.error = attempt.error.clone().unwrap_or_default();
            self.common.rows.bury(&self.hook.id, id, Some(&letter));
            self.not_taken(&[], attempt);
        }
    }

    fn taken(&mut self, events: usize) {
        self.progress.delivered += events as u64;
        self.progress.failing_since = None;
        self.progress.taken_at = Some(self.now().ms());
        if self.is_away() {
            self.is_back();
        }
        self.failed.clear();
    }

    /// Everything that waits is tried again at once.
    pub(super) fn is_back(&mut self) {
        let now = self.now().ms();
        self.detours
            .values_mut()
            .for_each(|detour| detour.next_at = detour.next_at.min(now));
        self.failed.clear();
        self.probe = (now, PROBES.0);
    }

    fn not_taken(&mut self, lanes: &[Lane], attempt: &Attempt) {
        let now = self.now().ms();
        self.progress.failed += 1;
        let since = *self.progress.failing_since.get_or_insert(now);
        let room = AWAY_AT.saturating_sub(self.failed.len());
        self.failed.extend(lanes.iter().take(room.max(1)).cloned());
        if self.is_away() {
            let pause = self.probe.1;
            self.probe = (now + pause.as_millis() as u64, (2 * pause).min(PROBES.1));
        }
        if attempt.is_gone() {
            self.off = Some("the receiver answered 410: it wants nothing more".to_owned());
        } else if self.common.limits.off_after_ms < now.saturating_sub(since) {
            let error = attempt.error.as_deref().unwrap_or_default();
            self.off = Some(format!("nothing was taken for too long; last: {error}"));
        }
    }
}

fn last_of(items: &[Item], before: u64) -> u64 {
    items.last().map_or(before, |item| item.seq.max(before))
}
