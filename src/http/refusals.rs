//! The last refusals of every shard: why was this buyer refused at 12:00:03?
//!
//! A ring for each shard, filled where answers are made: a refusal has the counters it was made
//! from, and here it meets the request's id. It is moved in after its answer was written, so that
//! it costs no shard anything and a sold-out sale little. A call that names a reservation says neither
//! customer nor SKU: those are put beside its refusal once the reservation was read.
//! Deliberately absent: durability, answers that are no refusals (`503` and malformed requests have
//! their metrics), and reads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_core::{Command, Refusal, ReservationId, ReservationView, Sku, Text, Timestamp};
use holdfast_runtime::ShardIndex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lines, and SKUs asked for, that are kept of one refusal.
const LINES_MAX: usize = 16;

/// Reservations that are read at once for refusals about them: a storm of late confirms must not
/// become one of reads. Beyond that a refusal is found by its request's id alone.
const READERS_MAX: usize = 64;

/// The last refusals, by shard.
pub(crate) struct Refusals {
    rings: Box<[Mutex<VecDeque<Entry>>]>,
    per_shard: usize,
    next: AtomicU64,
    readers: Arc<Semaphore>,
}

/// Who asked for what, as far as a command says.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) operation: &'static str,
    pub(crate) customer: Option<Text>,
    pub(crate) about: About,
}

/// What a command is about.
#[derive(Clone)]
pub(crate) enum About {
    Sku(Sku),
    /// At most [`LINES_MAX`] of them.
    Skus(Box<[Sku]>),
    /// Its SKUs are told later, at most [`LINES_MAX`] of them.
    Reservation(ReservationId, Box<[Sku]>),
}

/// A refusal as it was answered.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Numbers all refusals of the process, in their order.
    pub(crate) number: u64,
    pub(crate) shard: ShardIndex,
    pub(crate) request_id: Option<Text>,
    pub(crate) asker: Asker,
    pub(crate) refusal: Box<Refusal>,
    /// Lines beyond [`LINES_MAX`].
    pub(crate) left_out: usize,
    pub(crate) at: Timestamp,
    pub(crate) seq: u64,
}

/// A refusal on its way in.
pub(crate) struct Refused {
    pub(crate) refusal: Box<Refusal>,
    pub(crate) at: Timestamp,
    pub(crate) seq: u64,
}

/// Which refusals are looked for: those that match all that is given.
#[derive(Default)]
pub(crate) struct Filter {
    pub(crate) sku: Option<Sku>,
    pub(crate) customer: Option<Text>,
    pub(crate) request_id: Option<Text>,
    /// Those with a lower number.
    pub(crate) before: Option<u64>,
}

impl Refusals {
    /// Room for `per_shard` refusals of each of `shards` shards; 0 keeps none.
    pub(crate) fn new(shards: u16, per_shard: usize) -> Self {
        let rings = (0..shards).map(|_| Mutex::default()).collect();
        Self {
            rings,
            per_shard,
            next: AtomicU64::new(0),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// How many are kept of each shard.
    pub(crate) fn per_shard(&self) -> usize {
        self.per_shard
    }

    /// What has to be known of a command should it be refused; nothing where none are kept.
    pub(crate) fn notice(&self, command: &Command) -> Option<Asker> {
        (self.per_shard > 0).then(|| Asker::of(command))
    }

    /// Keeps a refusal by `shard`, in place of its oldest where there is no room. Its number.
    pub(crate) fn keep(
        &self,
        shard: ShardIndex,
        request_id: Option<Text>,
        asker: Asker,
        refused: Refused,
    ) -> Option<u64> {
        let Refused {
            mut refusal,
            at,
            seq,
        } = refused;
        let left_out = trim(&mut refusal);
        let ring = self.rings.get(usize::from(shard))?;
        let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let gone = (ring.len() >= self.per_shard).then(|| ring.pop_front());
        ring.push_back(Entry {
            number,
            shard,
            request_id,
            asker,
            refusal,
            left_out,
            at,
            seq,
        });
        // What is gone is freed without the lock.
        drop(ring);
        drop(gone);
        Some(number)
    }

    /// A place to read the reservation that a refusal is about; nothing while there are too many
    /// who do.
    pub(crate) fn reader(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.readers).try_acquire_owned().ok()
    }

    /// Puts what was read of a reservation beside a refusal about it, if that is still kept.
    pub(crate) fn tell(&self, shard: ShardIndex, number: u64, view: &ReservationView) {
        let Some(ring) = self.rings.get(usize::from(shard)) else {
            return;
        };
        let skus = view.lines.iter().map(|line| line.sku.clone());
        let told: Box<[Sku]> = skus.take(LINES_MAX).collect();
        let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ring.binary_search_by_key(&number, |entry| entry.number);
        if let Some(entry) = place.ok().and_then(|place| ring.get_mut(place))
            && let About::Reservation(_, skus) = &mut entry.asker.about
        {
            *skus = told;
            entry.asker.customer.clone_from(&view.customer);
        }
    }

    /// Up to `limit` refusals, the last one first, and whether there are more.
    pub(crate) fn find(&self, filter: &Filter, limit: usize) -> (Vec<Entry>, bool) {
        let mut found = Vec::new();
        for ring in &self.rings {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            let matching = ring.iter().rev().filter(|entry| filter.matches(entry));
            found.extend(matching.take(limit + 1).cloned());
        }
        found.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.number));
        let has_more = found.len() > limit;
        found.truncate(limit);
        (found, has_more)
    }
}

impl Filter {
    fn matches(&self, entry: &Entry) -> bool {
        let is_sku = |sku: &Sku| {
            entry.asker.about.skus().contains(sku) || entry.refusal.lists_any(|other| other == sku)
        };
        self.before.is_none_or(|before| entry.number < before)
            && self.sku.as_ref().is_none_or(is_sku)
            && (self.customer.is_none() || self.customer == entry.asker.customer)
            && (self.request_id.is_none() || self.request_id == entry.request_id)
    }
}

impl Asker {
    fn of(command: &Command) -> Self {
        let sku = |operation, sku: &Sku| Self {
            operation,
            customer: None,
            about: About::Sku(sku.clone()),
        };
        let reservation = |operation, id| Self {
            operation,
            customer: None,
            about: About::Reservation(id, Box::default()),
        };
        match command {
            Command::Reserve(reserve) => {
                let about = match &reserve.lines[..] {
                    [line] => About::Sku(line.sku.clone()),
                    lines => {
                        let skus = lines.iter().map(|line| line.sku.clone());
                        About::Skus(skus.take(LINES_MAX).collect())
                    }
                };
                Self {
                    operation: "reserve",
                    customer: reserve.customer.clone(),
                    about,
                }
            }
            Command::Configure(configure) => sku("configure", &configure.sku),
            Command::Movement(movement) => sku("movement", &movement.sku),
            Command::LiftStream(lift) => sku("lift", &lift.sku),
            Command::DecideDrift(decide) => sku("drift", &decide.sku),
            Command::Cancel(cancel) => reservation("cancel", cancel.id),
            Command::MoveHold(moved) => reservation("move", moved.id),
            Command::Confirm(confirm) => reservation("confirm", confirm.id),
            Command::Release(release) => reservation("release", release.id),
            Command::Extend(extend) => reservation("extend", extend.id),
            Command::Pin(pin) => reservation("pin", pin.id),
            Command::Try(_)
            | Command::CreateCart(_)
            | Command::ConfirmLate(_)
            | Command::Correct(_)
            | Command::MoveHeld(_)
            | Command::NoteShipped(_)
            | Command::NoteTold(_)
            | Command::ReleaseShort(_)
            | Command::RefuseLate(..)
            | Command::CloseCart(_)
            | Command::Settle(_)
            | Command::DropHold(_)
            | Command::Location(_)
            | Command::OpenDrift(_) => unreachable!("shards tell this to each other"),
        }
    }
}

impl About {
    /// The SKUs asked for, or those of the reservation asked about.
    pub(crate) fn skus(&self) -> &[Sku] {
        match self {
            Self::Sku(sku) => std::slice::from_ref(sku),
            Self::Skus(skus) | Self::Reservation(_, skus) => skus,
        }
    }

    /// The reservation asked about.
    pub(crate) fn reservation(&self) -> Option<ReservationId> {
        match self {
            Self::Reservation(id, _) => Some(*id),
            Self::Sku(_) | Self::Skus(_) => None,
        }
    }
}

/// Takes the lines beyond [`LINES_MAX`] off; how many they were.
fn trim(refusal: &mut Refusal) -> usize {
    fn cut<T>(lines: &mut Vec<T>) -> usize {
        let beyond = lines.len().saturating_sub(LINES_MAX);
        if beyond > 0 {
            lines.truncate(LINES_MAX);
            lines.shrink_to_fit();
        }
        beyond
    }
    match refusal {
        Refusal::UnknownSku(skus) | Refusal::SalePaused(skus) | Refusal::CustomerRequired(skus) => {
            cut(skus)
        }
        Refusal::UnknownLocation(places) | Refusal::LocationClosed(places) => cut(places),
        Refusal::SaleClosed(windows) => cut(windows),
        Refusal::CustomerLimit(lines) => cut(lines),
        Refusal::InsufficientStock(lines) => cut(lines),
        Refusal::Shortfall(lines)
        | Refusal::OverConfirm(lines)
        | Refusal::OverRelease(lines)
        | Refusal::OverCancel(lines)
        | Refusal::AlreadyShipped(lines)
        | Refusal::OverMove(lines) => cut(lines),
        Refusal::KeyReused
        | Refusal::TtlLimit { .. }
        | Refusal::ReplaceMismatch(_)
        | Refusal::ReplaceAcrossShards(_)
        | Refusal::ReservationPinned { .. }
        | Refusal::UnknownReservation(_)
        | Refusal::ReservationForgotten(_)
        | Refusal::ReservationExpired { .. }
        | Refusal::ReservationReleased { .. }
        | Refusal::ReservationConfirmed { .. }
        | Refusal::ConfirmedByOtherPayment { .. }
        | Refusal::AlreadyPinned { .. }
        | Refusal::WouldGoNegative { .. }
        | Refusal::BelowReserved { .. }
        | Refusal::VersionChanged { .. }
        | Refusal::ReplenishedNotAboveLow { .. }
        | Refusal::AlreadyOpened { .. }
        | Refusal::UndeclaredLocation(_)
        | Refusal::StreamQuarantined { .. }
        | Refusal::UnknownStream(_)
        | Refusal::UnknownDrift(_)
        | Refusal::NoPast { .. }
        | Refusal::HeldThere { .. }
        | Refusal::DriftConflict { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(name: &str) -> Sku {
        Sku::parse(name).expect("a good name")
    }

    fn keep(refusals: &Refusals, shard: ShardIndex, name: &str) {
        let asker = Asker {
            operation: "reserve",
            customer: None,
            about: About::Sku(sku(name)),
        };
        let refused = Refused {
            refusal: Box::new(Refusal::SalePaused(vec![sku(name)])),
            at: Timestamp::ZERO,
            seq: 0,
        };
        refusals.keep(shard, None, asker, refused);
    }

    fn names(found: &[Entry]) -> Vec<&str> {
        let skus = found.iter().flat_map(|entry| entry.asker.about.skus());
        skus.map(Sku::as_str).collect()
    }

    #[test]
    fn a_full_ring_forgets_its_oldest_and_no_other_shards() {
        let refusals = Refusals::new(2, 2);
        for (shard, name) in [(0, "A"), (1, "B"), (0, "C"), (0, "D")] {
            keep(&refusals, shard, name);
        }
        let (found, has_more) = refusals.find(&Filter::default(), 10);
        assert_eq!(names(&found), ["D", "C", "B"]);
        assert!(!has_more);
    }

    #[test]
    fn pages_go_on_where_the_one_before_ended() {
        let refusals = Refusals::new(2, 10);
        for name in ["A", "B", "C", "D", "E"] {
            keep(&refusals, u16::from(name < "C"), name);
        }
        let mut filter = Filter::default();
        let mut seen = Vec::new();
        loop {
            let (found, has_more) = refusals.find(&filter, 2);
            seen.extend(names(&found).iter().map(ToString::to_string));
            filter.before = found.last().map(|entry| entry.number);
            if !has_more {
                break;
            }
        }
        assert_eq!(seen, ["E", "D", "C", "B", "A"]);
    }

    #[test]
    fn a_long_cart_is_kept_in_part() {
        let mut refusal = Refusal::UnknownSku((0..200).map(|n| sku(&format!("S{n}"))).collect());
        assert_eq!(trim(&mut refusal), 184);
        assert!(matches!(refusal, Refusal::UnknownSku(skus) if skus.len() == 16));
    }
}
