//! Driving decisions: home tells every part what was decided, until all have settled.

use super::Carts;
use super::timers::Timer;
use crate::peer::{PeerMessage, Trace};
use crate::placement::ShardIndex;
use crate::shard::Turn;
use holdfast_core::{Millis, ReservationId, Settle};
use std::collections::BTreeMap;

/// A decision on its way to the parts.
pub(super) struct Drive {
    version: u32,
    /// Holds whose shards have not settled it.
    waiting: Vec<(ShardIndex, u64)>,
    pause: Millis,
    /// Of the request that decided last.
    trace: Trace,
}

impl Carts {
    /// Sends what was decided on a cart to all its parts.
    pub(super) fn drive(&mut self, turn: &mut Turn<'_>, id: ReservationId, trace: Trace) {
        if !turn.engine().is_unsettled(id) {
            return;
        }
        let Some(version) = turn.engine().home_version(id) else {
            return;
        };
        let decided = turn.engine().decided(id);
        let waiting = decided
            .iter()
            .map(|(sku, settle)| (turn.shard_of(sku), settle.hold));
        let pause = self.settings.resend;
        self.drives.insert(
            id,
            Drive {
                version,
                waiting: waiting.collect(),
                pause,
                trace,
            },
        );
        self.timers.set(Timer::Drive(id), turn.now().after(pause));
        self.send_decided(turn, id, None);
    }

    /// Sends a decision to the parts that have not settled it.
    pub(super) fn send_decided(
        &mut self,
        turn: &mut Turn<'_>,
        id: ReservationId,
        only: Option<ShardIndex>,
    ) {
        let Some(drive) = self.drives.get(&id) else {
            return;
        };
        let after = turn.engine().reservation_seq(id).unwrap_or(0);
        let mut messages: BTreeMap<ShardIndex, Vec<Settle>> = BTreeMap::new();
        for (sku, settle) in turn.engine().decided(id) {
            let shard = turn.shard_of(&sku);
            let is_meant = only.is_none_or(|only| only == shard);
            if is_meant && drive.waiting.contains(&(shard, settle.hold)) {
                messages.entry(shard).or_default().push(settle);
            }
        }
        for (shard, settles) in messages {
            let message = PeerMessage::Decided(settles, drive.trace.clone());
            turn.send(shard, message, after);
        }
    }

    /// Whose request brought what is being driven.
    pub(super) fn trace_of(&self, id: ReservationId) -> Trace {
        self.drives.get(&id)?.trace.clone()
    }

    /// Not all parts have settled in time.
    pub(super) fn drive_again(&mut self, turn: &mut Turn<'_>, id: ReservationId) {
        let Some(drive) = self.drives.get_mut(&id) else {
            return;
        };
        drive.pause = drive.pause.doubled(self.settings.resend_max);
        let next = turn.now().after(drive.pause);
        self.timers.set(Timer::Drive(id), next);
        self.send_decided(turn, id, None);
    }

    pub(super) fn on_settled(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardIndex,
        id: ReservationId,
        version: u32,
        holds: &[u64],
    ) {
        let Some(drive) = self
            .drives
            .get_mut(&id)
            .filter(|drive| drive.version <= version)
        else {
            return;
        };
        drive
            .waiting
            .retain(|(shard, hold)| *shard != from || !holds.contains(hold));
        if drive.waiting.is_empty() {
            self.drives.remove(&id);
            self.timers.clear(Timer::Drive(id));
            Self::close(turn, id);
        }
    }
}
