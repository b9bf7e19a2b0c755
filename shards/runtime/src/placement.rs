//! Which shard owns a slot, and which slot a command is for.
//!
//! Deliberately absent: moving slots; a data directory keeps its shard count.

use holdfast_core::{Command, ReservationId, Reserve, Sku, Slot};
use std::ops::Range;
use std::sync::Arc;

/// A shard's index, below the number of shards.
pub type ShardIndex = u16;

/// Slot → shard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Placement {
    owner: Arc<[ShardIndex]>,
    shards: ShardIndex,
}

impl Placement {
    /// Shard by shard, the slots it owns; together they must be all slots.
    ///
    /// # Panics
    /// Where there is no shard.
    pub fn new(slots: impl IntoIterator<Item = Range<u16>>) -> Self {
        let mut owner = vec![0; usize::from(Slot::COUNT)];
        let mut shards = 0;
        for range in slots {
            owner[usize::from(range.start)..usize::from(range.end)].fill(shards);
            shards += 1;
        }
        assert!(shards > 0, "a runtime has at least one shard");
        Self {
            owner: owner.into(),
            shards,
        }
    }

    /// How many shards there are.
    pub const fn shards(&self) -> ShardIndex {
        self.shards
    }

    /// The shard that owns a slot.
    pub fn shard_of(&self, slot: Slot) -> ShardIndex {
        self.owner[usize::from(slot.index())]
    }

    /// The shard that owns a SKU.
    pub fn shard_of_sku(&self, sku: &Sku) -> ShardIndex {
        self.shard_of(sku.slot())
    }

    /// The shard that is a reservation's home.
    pub fn home_of(&self, id: ReservationId) -> ShardIndex {
        self.shard_of(id.slot())
    }
}

/// The home slot of a new reservation: that of the one it replaces, else of its first line.
pub fn reserve_slot(reserve: &Reserve) -> Slot {
    match reserve.replace {
        Some(id) => id.slot(),
        None => reserve
            .lines
            .first()
            .expect("a reserve has at least one line")
            .sku
            .slot(),
    }
}

/// Slots of what comes one after another: most are of the SKU before, which is compared faster than
/// it is hashed.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    last: Option<(Sku, Slot)>,
}

impl Slots {
    /// The slot of a SKU.
    pub(crate) fn of_sku(&mut self, sku: &Sku) -> Slot {
        match &self.last {
            Some((last, slot)) if last == sku => *slot,
            _ => {
                let slot = sku.slot();
                self.last = Some((sku.clone(), slot));
                slot
            }
        }
    }

    /// The slot that a caller's command is for.
    pub(crate) fn of(&mut self, command: &Command) -> Slot {
        match command {
            Command::Reserve(reserve) if reserve.replace.is_none() => match reserve.lines.first() {
                Some(first) => self.of_sku(&first.sku),
                None => reserve_slot(reserve),
            },
            other => slot_of(other),
        }
    }
}

/// The slot that a caller's command is for.
pub fn slot_of(command: &Command) -> Slot {
    match command {
        Command::Configure(configure) => configure.sku.slot(),
        Command::Movement(movement) => movement.sku.slot(),
        Command::LiftStream(lift) => lift.sku.slot(),
        Command::OpenDrift(open) => open.drift.sku.slot(),
        Command::DecideDrift(decide) => decide.sku.slot(),
        Command::Correct(correct) => slot_of(&correct.command),
        Command::Cancel(cancel) => cancel.id.slot(),
        Command::MoveHold(moved) => moved.id.slot(),
        // It goes to every shard; the slot only names one to begin with.
        Command::Location(_) => Slot::new(0).expect("0 is a slot"),
        Command::Reserve(reserve) => reserve_slot(reserve),
        Command::Confirm(confirm) | Command::RefuseLate(confirm, ..) => confirm.id.slot(),
        Command::Release(release) => release.id.slot(),
        Command::Extend(extend) => extend.id.slot(),
        Command::Pin(pin) => pin.id.slot(),
        Command::CreateCart(create) => create.reserve.id.slot(),
        Command::ConfirmLate(late) => late.confirm.id.slot(),
        Command::MoveHeld(moved) => moved.ask.id.slot(),
        Command::NoteShipped(note) => note.id.slot(),
        Command::NoteTold(note) => note.id.slot(),
        Command::ReleaseShort(release) => release.id.slot(),
        Command::CloseCart(id) => id.slot(),
        Command::Try(part) => part
            .lines
            .first()
            .map_or(part.id.slot(), |line| line.sku.slot()),
        Command::Settle(settle) => settle.id.slot(),
        Command::DropHold(drop) => drop.id.slot(),
    }
}
