//! A move of units that another shard holds: it holds them at their new place, then home records.

use super::Carts;
use super::attempt::{Attempt, Goal, Part};
use crate::reply::ReplyTo;
use crate::shard::Turn;
use holdfast_core::{Command, LineUnits, MoveHeld, MoveHold, Request, ReserveLine};

impl Carts {
    /// A command that needs units of other shards held anew before it can be decided.
    pub fn ask_parts(
        &mut self,
        turn: &mut Turn<'_>,
        request: Request,
        reply: ReplyTo,
        lines: Vec<(usize, LineUnits)>,
    ) {
        match request.command {
            Command::MoveHold(_) => self.move_hold(turn, request, reply, lines),
            _ => self.confirm_late(turn, request, reply, lines),
        }
    }

    fn move_hold(
        &mut self,
        turn: &mut Turn<'_>,
        request: Request,
        reply: ReplyTo,
        lines: Vec<(usize, LineUnits)>,
    ) {
        let Request {
            key,
            command: Command::MoveHold(moved),
            trace,
        } = request
        else {
            return;
        };
        let Some(reply) = self.place_for(turn, moved.id, key.as_ref(), reply) else {
            return;
        };
        let view = turn.engine().reservation(moved.id, turn.now());
        let until = turn.now().after(self.settings.try_timeout);
        let parts = lines.into_iter().map(|(at, line)| Part {
            shard: turn.shard_of(&line.sku),
            from: turn.engine().hold_of(moved.id, at),
            lines: vec![ReserveLine {
                sku: line.sku,
                units: line.units,
                location: line.location,
            }],
            late: None,
            answer: None,
        });
        let attempt = Attempt {
            parts: parts.collect(),
            number: super::late::number(turn, moved.id),
            key,
            trace,
            drift: None,
            customer: None,
            deadline: view.map_or(until, |view| view.expires_at),
            waiters: vec![reply],
            until,
            pause: self.settings.resend,
            retries: self.settings.retries,
            is_resting: false,
            goal: Goal::Move(moved),
        };
        self.begin(turn, attempt);
    }
}

/// What home records once the part holds.
pub(super) fn command(moved: &MoveHold, attempt: &Attempt) -> Command {
    let mut held = attempt.held();
    Command::MoveHeld(Box::new(MoveHeld {
        ask: moved.clone(),
        held: held.swap_remove(0),
    }))
}
