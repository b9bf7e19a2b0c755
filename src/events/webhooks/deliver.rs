//! The deliveries of one webhook: a task that reads events, sends several at once, and keeps the
//! order of every SKU.
//!
//! While a SKU's event is being retried, its later events wait behind it (`detour`), the others go
//! on. Where several SKUs fail and nothing is taken in between, the receiver is taken to be away:
//! one request at a time, ever more rarely, until it takes one. What is kept is one row with the
//! place and who waits; after a crash what lies behind it is sent again, under the same ids.
//!
//! Deliberately absent: how requests are made (`send`), and what people may ask for (`mod`).

use super::Common;
use super::detour::{Detour, Step, Trip, Walk};
use super::log::{Delivery, Hook};
use super::parcel::{Form, Item, Lane, gather, message};
use super::reader::{Read, Reader};
use super::record::{DeadLetter, Off, Progress, Waiting};
use super::send::{Attempt, Message, Sender};
use crate::events::cursor::Cursor;
use crate::events::kind::EventType;
use holdfast_core::{Sku, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// Events that are read ahead.
const AHEAD: usize = 256;
/// Lanes that fail with nothing taken in between, from which on the receiver is away.
pub(super) const AWAY_AT: usize = 5;
/// The first and the longest pause between looking whether it is back.
pub(super) const PROBES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often the place is noted.
const NOTE: Duration = Duration::from_millis(100);
/// The longest sleep while somebody waits: ledger time may be moved.
const SLEEP_MAX_MS: u64 = 1_000;

/// What the task is told.
pub(super) enum Command {
    /// Send these dead letters again.
    Redeliver(Vec<String>),
    /// The receiver took something.
    Resume,
}

pub(super) struct Worker {
    pub(super) common: Arc<Common>,
    pub(super) hook: Arc<Hook>,
    pub(super) sender: Arc<Sender>,
    pub(super) kinds: Vec<EventType>,
    pub(super) form: Form,
    pub(super) reader: Reader,
    /// Behind everything that was read.
    pub(super) read_to: Cursor,
    /// Read, and not begun.
    pub(super) items: VecDeque<Item>,
    /// Until when these wait for more, so that a batch is worth its request.
    pub(super) waits_until: Option<Instant>,
    /// Read, and not done with: how many events by shard and sequence.
    pub(super) open: BTreeMap<(u16, u64), usize>,
    pub(super) busy: HashSet<Lane>,
    pub(super) detours: HashMap<Lane, Detour>,
    pub(super) letters: VecDeque<String>,
    pub(super) letter_flies: bool,
    pub(super) flying: JoinSet<Landed>,
    pub(super) progress: Progress,
    /// Lanes that have failed since something was taken.
    pub(super) failed: HashSet<Lane>,
    /// While the receiver is away: when it is looked for next, in ledger time, and the pause after.
    pub(super) probe: (u64, Duration),
    pub(super) is_changed: bool,
    pub(super) noted: Instant,
    pub(super) off: Option<String>,
}

pub(super) enum Landed {
    Parcel(Vec<Item>, Message, Attempt),
    Step(Lane, Option<Trip>, Step, Probe),
    Letter(String, Option<(DeadLetter, Attempt)>),
}

/// Whether an attempt was made to look whether the receiver is back, and counts for nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    Yes,
    No,
}

impl Worker {
    pub(super) fn new(
        common: Arc<Common>,
        hook: Arc<Hook>,
        sender: Sender,
        cursor: Cursor,
        progress: Progress,
    ) -> Self {
        let webhook = hook.webhook();
        let reader = Reader::start(&common.events, cursor.clone(), &webhook);
        let lane = |waiting: &Waiting| Lane {
            shard: waiting.shard,
            sku: waiting.sku.as_deref().and_then(|sku| Sku::parse(sku).ok()),
        };
        let detour = |waiting: &Waiting| {
            let error = waiting.error.clone();
            Detour::new(waiting.after, waiting.attempts, waiting.next_at, error)
        };
        let waiting = progress.waiting.iter();
        Self {
            sender: Arc::new(sender),
            kinds: webhook.kinds(),
            form: webhook.form(),
            reader,
            read_to: cursor,
            items: VecDeque::new(),
            waits_until: None,
            open: BTreeMap::new(),
            busy: HashSet::new(),
            detours: waiting
                .map(|waiting| (lane(waiting), detour(waiting)))
                .collect(),
            letters: VecDeque::new(),
            letter_flies: false,
            flying: JoinSet::new(),
            progress,
            failed: HashSet::new(),
            probe: (0, PROBES.0),
            is_changed: false,
            noted: Instant::now(),
            off: None,
            common,
            hook,
        }
    }

    /// Delivers until there is nobody to command it, or the webhook is switched off.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while self.off.is_none() {
            self.begin();
            let wakes_at = self.wakes_at();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Redeliver(letters)) => self.redeliver(letters),
                    Some(Command::Resume) => self.is_back(),
                    None => break,
                },
                Some(landed) = self.flying.join_next() => match landed {
                    Ok(landed) => self.landed(landed),
                    // What it carried is not done with, so it is sent again after a restart.
                    Err(error) => error!(%error, "a delivery has panicked"),
                },
                read = self.reader.next(), if self.items.len() < self.ahead() => self.take(read),
                () = tokio::time::sleep_until(wakes_at) => {}
            }
            if self.is_changed && NOTE <= self.noted.elapsed() {
                self.note();
            }
            if self.common.rows.0.is_crowded() {
                // The disk is slower than the receiver; a failure is told by the store.
                let _ = self.common.rows.0.settled().await;
            }
        }
        self.note();
        if let Some(why) = self.off.take() {
            self.switch_off(why).await;
        }
    }

    /// Each letter goes once, however often it is asked for.
    fn redeliver(&mut self, letters: Vec<String>) {
        let known: HashSet<&String> = self.letters.iter().collect();
        let new = letters.into_iter().filter(|letter| !known.contains(letter));
        let new: Vec<String> = new.collect();
        self.letters.extend(new);
    }

    async fn switch_off(&self, why: String) {
        let at = self.now().ms();
        info!(webhook = self.hook.id, why, "a webhook is switched off");
        let webhook = self
            .hook
            .change(|webhook| webhook.off = Some(Off { at, why }));
        if let Err(error) = self.common.rows.keep(&webhook).await {
            error!(%error, "that a webhook is off could not be kept; it is tried again at the start");
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.common.events.router().now()
    }

    pub(super) fn is_away(&self) -> bool {
        AWAY_AT <= self.failed.len()
    }

    /// Sends what may be sent.
    fn begin(&mut self) {
        let at_once = self.common.limits.at_once;
        if self.is_away() {
            if self.flying.is_empty() && self.probe.0 <= self.now().ms() {
                self.look();
            }
            return;
        }
        while self.flying.len() < at_once
            && let Some(lane) = self.due()
        {
            self.walk(lane, Probe::No);
        }
        // One at a time, so that those of a SKU come in order.
        if self.flying.len() < at_once
            && !self.letter_flies
            && let Some(letter) = self.letters.pop_front()
        {
            self.send_letter(letter);
        }
        while self.flying.len() < at_once && self.may_park() && self.is_ripe() && self.send_parcel()
        {
        }
    }

    /// How many events may have been read and not begun: a whole request at least.
    fn ahead(&self) -> usize {
        AHEAD.max(self.form.most())
    }

    /// Whether what was read goes at once: it fills a request, or has waited for more.
    fn is_ripe(&self) -> bool {
        self.form.most() <= self.items.len()
            || self.waits_until.is_none_or(|until| until <= Instant::now())
    }

    /// Looks whether the receiver is back: with what is due, with what is new, or with what would
    /// be due next.
    fn look(&mut self) {
        if let Some(lane) = self.due() {
            return self.walk(lane, Probe::No);
        }
        if self.may_park() && self.send_parcel() {
            return;
        }
        let waiting = self.detours.iter().min_by_key(|(_, detour)| detour.next_at);
        if let Some(lane) = waiting.map(|(lane, _)| lane.clone()) {
            self.walk(lane, Probe::Yes);
        }
    }

    /// A lane whose turn has come, the one that waits longest first.
    fn due(&self) -> Option<Lane> {
        let now = self.now().ms();
        let due = self.detours.iter();
        let due = due.filter(|(_, detour)| !detour.is_flying && detour.next_at <= now);
        let first = due.min_by_key(|(_, detour)| detour.next_at);
        first.map(|(lane, _)| lane.clone())
    }

    /// Whether one more lane could wait, if it had to.
    fn may_park(&self) -> bool {
        self.detours.len() + self.busy.len() < self.common.limits.waiting_max
    }

    fn send_parcel(&mut self) -> bool {
        let items = gather(&mut self.items, &self.busy, self.form.most());
        if items.is_empty() {
            return false;
        }
        // What is left over came later, or waits for what is under way.
        self.waits_until = self.waiting_from_now();
        self.busy.extend(items.iter().map(|item| item.lane.clone()));
        let message = message(&items, self.form);
        let (sender, now) = (Arc::clone(&self.sender), self.now());
        self.flying.spawn(async move {
            let attempt = sender.send(&message, now).await;
            Landed::Parcel(items, message, attempt)
        });
        true
    }

    fn walk(&mut self, lane: Lane, probe: Probe) {
        let Some(detour) = self.detours.get_mut(&lane) else {
            return;
        };
        detour.is_flying = true;
        let (trip, form) = (detour.trip.take(), self.form);
        let walk = Walk {
            events: self.common.events.clone(),
            sender: Arc::clone(&self.sender),
            kinds: self.kinds.clone(),
            lane: lane.clone(),
            after: detour.after,
            attempts: detour.attempts,
            form,
        };
        self.flying.spawn(async move {
            let (trip, step) = walk.step(trip).await;
            Landed::Step(lane, trip, step, probe)
        });
    }

    fn send_letter(&mut self, id: String) {
        self.letter_flies = true;
        let (sender, now) = (Arc::clone(&self.sender), self.now());
        let (rows, webhook) = (self.common.rows.clone(), self.hook.id.clone());
        let form = self.form;
        self.flying.spawn(async move {
            let name = id.clone();
            let read = tokio::task::spawn_blocking(move || rows.letter(&webhook, &name)).await;
            // It may have been dropped meanwhile.
            let Ok(Ok(Some(letter))) = read else {
                return Landed::Letter(id, None);
            };
            let item = Item {
                lane: Lane {
                    shard: 0,
                    sku: None,
                },
                seq: 0,
                id: letter.event_id.clone(),
                json: letter.event.get().as_bytes().to_vec().into(),
            };
            let attempt = sender.send(&message(&[item], form), now).await;
            Landed::Letter(id, Some((letter, attempt)))
        });
    }

    /// Until when events that come now wait for more; one that goes alone waits for nothing.
    fn waiting_from_now(&self) -> Option<Instant> {
        (1 < self.form.most()).then(|| Instant::now() + self.common.limits.batch_wait())
    }

    fn take(&mut self, read: Read) {
        self.is_changed = true;
        match read {
            Read::Events { items, cursor } => {
                if self.items.is_empty() {
                    self.waits_until = self.waiting_from_now();
                }
                for item in items {
                    // What waits is read again when its turn has come.
                    if !self.detours.contains_key(&item.lane) {
                        *self.open.entry((item.lane.shard, item.seq)).or_default() += 1;
                        self.items.push_back(item);
                    }
                }
                self.read_to = cursor;
            }
            Read::Nothing { cursor } => self.read_to = cursor,
            Read::Lost { cursor } => {
                self.lost();
                self.read_to = cursor;
            }
        }
    }

    pub(super) fn lost(&mut self) {
        self.progress.gaps += 1;
        warn!(
            webhook = self.hook.id,
            "events were trimmed before a webhook got them"
        );
        let why = "events were trimmed before they could be delivered; see `gaps`";
        self.hook.log(Delivery::gap(self.now(), why));
    }

    pub(super) fn done(&mut self, item: &Item) {
        let place = (item.lane.shard, item.seq);
        if let Some(count) = self.open.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&place);
            }
        }
    }

    /// Everything before it is done with, or waits.
    fn place(&self) -> Cursor {
        let mut place = self.read_to.clone();
        for shard in 0..place.shards() {
            let mut open = self.open.range((shard, 0)..=(shard, u64::MAX));
            if let Some(((_, seq), _)) = open.next() {
                place.set(shard, place.seq(shard).min(seq - 1));
            }
        }
        place
    }

    fn note(&mut self) {
        let place = self.place();
        self.progress.cursor = place.to_string();
        let waiting = |(lane, detour): (&Lane, &Detour)| Waiting {
            sku: lane.sku.as_ref().map(ToString::to_string),
            shard: lane.shard,
            after: detour.after,
            attempts: detour.attempts,
            next_at: detour.next_at,
            error: detour.error.clone(),
        };
        self.progress.waiting = self.detours.iter().map(waiting).collect();
        self.progress.waiting.sort_by_key(|waiting| waiting.next_at);
        self.common.rows.note(&self.hook.id, &self.progress, &place);
        self.hook.show(&self.progress, &place);
        (self.is_changed, self.noted) = (false, Instant::now());
    }

    fn wakes_at(&self) -> Instant {
        let now = self.now().ms();
        let waiting = self.detours.values().filter(|detour| !detour.is_flying);
        let next = waiting
            .map(|detour| detour.next_at.saturating_sub(now))
            .min();
        let mut sleep = Duration::from_hours(1);
        let may_send = self.flying.len() < self.common.limits.at_once;
        if let Some(next) = next.filter(|_| may_send) {
            sleep = Duration::from_millis(next.clamp(1, SLEEP_MAX_MS));
        }
        if may_send && !self.items.is_empty() && !self.is_ripe() {
            let until = self.waits_until.map(|until| until - Instant::now());
            sleep = until.map_or(sleep, |until| sleep.min(until));
        }
        // With nothing to look with, what is read next wakes it.
        if self.is_away() && !(self.items.is_empty() && self.detours.is_empty()) {
            sleep = if self.flying.is_empty() {
                Duration::from_millis(self.probe.0.saturating_sub(now).min(SLEEP_MAX_MS))
            } else {
                PROBES.0
            };
        }
        if self.is_changed {
            sleep = sleep.min(NOTE);
        }
        Instant::now() + sleep.max(Duration::from_millis(1))
    }
}
