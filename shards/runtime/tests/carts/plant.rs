//! Planted bugs: each is put between the shards, or between a shard and its disk, by the harness
//! alone, so that no production code knows of them.

use crate::world::{Envelope, World};
use holdfast_core::{
    DropHold, Effect, Engine, Event, EventKind, HoldPhase, HoldRecord, NoteTold, ReservationId,
    Settle, Timestamp,
};
use holdfast_runtime::peer::PeerMessage;

/// A bug that the simulation must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// An id that was lost in a crash is given again.
    ReusedId,
    /// Home forgets a cart before its parts have settled.
    ForgottenEarly,
    /// A shard answers and sends before its batch is on disk.
    ReplyBeforeDurable,
    /// A part lets its hold expire by its own clock.
    PartExpires,
    /// Home answers Drop while it still tries.
    DropWhileTrying,
    /// A final refusal is not in the journal.
    FinalRefusalNotRecorded,
    /// Home takes a hold for its own because it knows the id.
    NamedByIdAlone,
    /// A decision leaves out what was cancelled.
    CancelNotTold,
    /// A part forgets what it sold as soon as nothing is open.
    SaleNotKept,
    /// A report of what was shipped is acknowledged, and home has not heard it.
    ShippedNotHeard,
}

/// Reservations that a home must not forget yet.
pub(crate) fn ended_but_unsettled(engine: &Engine) -> Vec<ReservationId> {
    let unsettled = engine.spread_homes();
    unsettled.filter(|id| engine.has_ended(*id)).collect()
}

pub(crate) fn forgetting(engine: &Engine, id: ReservationId) -> Event {
    Event {
        seq: engine.seq() + 1,
        at: engine.at(),
        kind: EventKind::Forgotten,
        key: None,
        effects: std::iter::once(Effect::HomeForgotten(id)).collect(),
        note: None,
    }
}

/// What a part would tell itself at its deadlines if it could decide.
pub(crate) fn own_expiries(holds: &[HoldRecord], now: Timestamp) -> Vec<Settle> {
    let lapsed = holds
        .iter()
        .filter(|hold| hold.phase != HoldPhase::Local && hold.open() > 0 && hold.deadline <= now);
    lapsed.map(own_expiry).collect()
}

fn own_expiry(hold: &HoldRecord) -> Settle {
    let [confirmed, released, expired] = hold.totals;
    Settle {
        id: hold.id,
        hold: hold.number,
        version: hold.version + 1,
        units: hold.units,
        confirmed,
        released,
        expired: expired + hold.open(),
        cancelled: hold.after[0],
        deadline: hold.deadline,
    }
}

/// What a planted bug answers to a message in its receiver's stead, or beside it.
pub(crate) fn answers(plant: Option<Plant>, envelope: &Envelope) -> Option<Envelope> {
    let message = match (plant?, &envelope.message) {
        (Plant::SaleNotKept, PeerMessage::Settled { id, holds, .. }) => {
            let drop = |hold: &u64| DropHold {
                id: *id,
                hold: *hold,
            };
            PeerMessage::Drop(holds.iter().map(drop).collect(), None)
        }
        (Plant::ShippedNotHeard, PeerMessage::Shipped(note)) => PeerMessage::Told(NoteTold {
            id: note.id,
            hold: note.hold,
            shipped: note.shipped,
        }),
        _ => return None,
    };
    Some(Envelope {
        from: envelope.to,
        to: envelope.from,
        message,
    })
}

impl World {
    /// Alters what a shard sends, where the planted bug is about that.
    pub(crate) fn altered(&self, from: u16, to: u16, message: PeerMessage) -> PeerMessage {
        if let (Some(Plant::CancelNotTold), PeerMessage::Decided(settles, trace)) =
            (self.common.plant, &message)
        {
            let settles = settles.iter().map(|settle| Settle {
                cancelled: 0,
                ..settle.clone()
            });
            return PeerMessage::Decided(settles.collect(), trace.clone());
        }
        let (Some(Plant::NamedByIdAlone), PeerMessage::Drop(drops, _)) =
            (self.common.plant, &message)
        else {
            return message;
        };
        let Some(engine) = self.nodes[usize::from(from)].engine() else {
            return message;
        };
        let mut settles = Vec::new();
        for drop in drops {
            let decided = engine.decided(drop.id);
            let mut there = decided
                .into_iter()
                .filter(|(sku, _)| self.common.placement.shard_of_sku(sku) == to);
            if let Some((_, settle)) = there.next() {
                settles.push(Settle {
                    hold: drop.hold,
                    ..settle
                });
            }
        }
        if settles.is_empty() {
            message
        } else {
            PeerMessage::Decided(settles, None)
        }
    }
}
