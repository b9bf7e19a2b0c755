//! What of a batch goes to one shard, on its way into a message.
//!
//! Deliberately absent: sending it, which the router does.

use crate::directory::KeyGuards;
use crate::message::Operation;
use crate::placement::ShardIndex;
use holdfast_core::Command;

/// Which permits a command takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Checkout,
    Config,
}

/// The operations of a batch that go to one shard.
pub(crate) struct Group {
    pub(crate) shard: ShardIndex,
    pub(crate) operations: Vec<Operation>,
    pub(crate) keys: Option<KeyGuards>,
    /// Their places in the batch.
    pub(crate) places: Vec<u32>,
    /// How many are of each class.
    pub(crate) counts: [usize; 2],
}

impl Group {
    /// A batch of one home.
    pub(crate) fn all(operations: Vec<Operation>) -> Self {
        let mut counts = [0; 2];
        for operation in &operations {
            counts[class_of(&operation.command) as usize] += 1;
        }
        Self {
            shard: 0,
            places: (0..operations.len() as u32).collect(),
            operations,
            keys: None,
            counts,
        }
    }

    pub(crate) fn of(groups: &mut Vec<Self>, shard: ShardIndex, most: usize) -> &mut Self {
        let at = groups
            .iter()
            .position(|group| group.shard == shard)
            .unwrap_or_else(|| {
                let most = if groups.is_empty() { most } else { 0 };
                groups.push(Self {
                    shard,
                    operations: Vec::with_capacity(most),
                    keys: None,
                    places: Vec::with_capacity(most),
                    counts: [0; 2],
                });
                groups.len() - 1
            });
        &mut groups[at]
    }

    pub(crate) fn push(&mut self, place: usize, operation: Operation) {
        self.counts[class_of(&operation.command) as usize] += 1;
        self.places.push(place as u32);
        self.operations.push(operation);
    }

    /// Keeps the first of each class, so many; the places of the others.
    pub(crate) fn shrink(&mut self, mut left: [usize; 2]) -> Vec<u32> {
        let count = self.operations.len();
        let (mut stays, mut now_at) = (Vec::with_capacity(count), 0);
        for operation in &self.operations {
            let left = &mut left[class_of(&operation.command) as usize];
            let fits = *left > 0;
            stays.push(fits.then_some(now_at));
            now_at += u32::from(fits);
            *left -= usize::from(fits);
        }
        if let Some(keys) = &mut self.keys {
            keys.renumber(|at| stays[at as usize]);
        }
        let mut each = stays.iter();
        self.operations
            .retain(|_| each.next().is_some_and(Option::is_some));
        let (kept, turned_away): (Vec<_>, Vec<_>) = std::mem::take(&mut self.places)
            .into_iter()
            .zip(stays)
            .partition(|(_, stays)| stays.is_some());
        let places = |some: Vec<(u32, Option<u32>)>| some.into_iter().map(|(place, _)| place);
        self.places = places(kept).collect();
        places(turned_away).collect()
    }
}

pub(crate) const fn class_of(command: &Command) -> Class {
    match command {
        Command::Configure(_)
        | Command::Movement(_)
        | Command::Location(_)
        | Command::LiftStream(_)
        | Command::OpenDrift(_)
        | Command::DecideDrift(_) => Class::Config,
        Command::Reserve(_)
        | Command::Confirm(_)
        | Command::Release(_)
        | Command::Extend(_)
        | Command::Pin(_)
        | Command::Cancel(_)
        | Command::MoveHold(_)
        | Command::Try(_)
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
        | Command::DropHold(_) => Class::Checkout,
    }
}
