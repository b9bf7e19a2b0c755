//! The ids of what commands make: a candidate before the decision, taken if something was made.

use super::Turn;
use holdfast_core::{Command, Reply, ReservationId};

/// Gives a command that makes something the id it would have.
pub(super) fn mint(command: &mut Command, turn: &mut Turn<'_>) -> Option<ReservationId> {
    let slot = turn.core.slots.of(command);
    let id = match command {
        Command::Reserve(reserve) => &mut reserve.id,
        Command::Movement(movement) => &mut movement.id,
        Command::OpenDrift(open) => &mut open.drift.id,
        Command::DecideDrift(decide) => &mut decide.movement,
        Command::Configure(_)
        | Command::Confirm(_)
        | Command::Release(_)
        | Command::Extend(_)
        | Command::Pin(_)
        | Command::Location(_)
        | Command::Cancel(_)
        | Command::MoveHold(_)
        | Command::LiftStream(_)
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
        | Command::DropHold(_) => return None,
    };
    *id = turn.core.candidate(slot, turn.now);
    Some(*id)
}

/// The id of what a command made, if it made something.
pub(super) const fn id_of(reply: &Reply) -> Option<ReservationId> {
    match reply {
        Reply::Reservation {
            id,
            created: true,
            replayed: false,
        }
        | Reply::Movement {
            id,
            replayed: false,
            ..
        }
        | Reply::Drift {
            id,
            replayed: false,
            ..
        } => Some(*id),
        Reply::Reservation { .. }
        | Reply::Movement { .. }
        | Reply::Drift { .. }
        | Reply::Location(_)
        | Reply::Sku { .. }
        | Reply::Part(_) => None,
    }
}
