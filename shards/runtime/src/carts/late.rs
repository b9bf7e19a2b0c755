//! Late confirm of a cart: its parts hold anew, then home records.

use super::Carts;
use super::attempt::{Attempt, Goal, Part};
use crate::reply::{ReplyTo, Told};
use crate::shard::{Applied, Turn};
use crate::unavailable::Unavailable;
use holdfast_core::{
    Answer, Command, Confirm, Correct, Counter, CreateCart, KeyOutcome, KeyTag, LineAt, LineUnits,
    Refusal, Request, ReservationId, ReserveLine, Settle, ShortLine, Sku, StockThen, TraceParent,
    TryLate,
};

impl Carts {
    /// A late confirm that needs units on other shards.
    pub fn confirm_late(
        &mut self,
        turn: &mut Turn<'_>,
        request: Request,
        reply: ReplyTo,
        lines: Vec<(usize, LineUnits)>,
    ) {
        let (drift, command) = match request.command {
            Command::Correct(correct) => (Some(correct.drift), correct.command),
            command => (None, command),
        };
        let (key, trace) = (request.key, request.trace);
        let Command::Confirm(confirm) = command else {
            return;
        };
        let Some(reply) = self.place_for(turn, confirm.id, key.as_ref(), reply) else {
            return;
        };
        let view = turn.engine().reservation(confirm.id, turn.now());
        let until = turn.now().after(self.settings.try_timeout);
        let attempt = Attempt {
            number: number(turn, confirm.id),
            key,
            trace,
            drift,
            customer: view.and_then(|view| view.customer),
            deadline: until,
            waiters: vec![reply],
            parts: parts_of(turn, confirm.id, lines),
            until,
            pause: self.settings.resend,
            retries: self.settings.retries,
            is_resting: false,
            goal: Goal::Late(confirm),
        };
        self.begin(turn, attempt);
    }

    /// A place for a try about a reservation that is recorded already: none, and the caller told or
    /// joined to the try with its key, if one is under way or all places are taken.
    pub(super) fn place_for(
        &mut self,
        turn: &mut Turn<'_>,
        id: ReservationId,
        key: Option<&KeyTag>,
        reply: ReplyTo,
    ) -> Option<ReplyTo> {
        let reply = self.join(turn, key, reply)?;
        let refused = if self.tries.contains_key(&id) {
            // The outcome of the one under way decides this one's.
            Unavailable::Undecided
        } else if self.settings.undecided_max <= self.tries.len() {
            Unavailable::Full("carts")
        } else {
            return Some(reply);
        };
        turn.answer(reply, Err(refused), 0);
        None
    }
}

/// A number for a late attempt on an id, not used before: ids are minted once, so the place of
/// the next one serves, folded to 32 bits. A hold left by an attempt of the same number would
/// have to wait unanswered through 2^24 reservations or 2^8 openings of its home.
pub(super) fn number(turn: &mut Turn<'_>, id: ReservationId) -> u32 {
    let fresh = turn.mint(id.slot());
    let number = ((fresh.opening().number() & 0xff) << 24) | (fresh.counter() as u32 & 0xff_ffff);
    // 0 is the number of the reserve itself.
    number.max(1)
}

fn parts_of(turn: &Turn<'_>, id: ReservationId, lines: Vec<(usize, LineUnits)>) -> Vec<Part> {
    let decided: Vec<(Sku, Settle)> = turn.engine().decided(id);
    let mut parts: Vec<Part> = Vec::new();
    for (
        _,
        LineUnits {
            sku,
            location,
            units,
        },
    ) in lines
    {
        let shard = turn.shard_of(&sku);
        let line = ReserveLine {
            sku,
            units,
            location,
        };
        if let Some(part) = parts.iter_mut().find(|part| part.shard == shard) {
            part.lines.push(line);
            continue;
        }
        let here = decided
            .iter()
            .filter(|(sku, _)| turn.shard_of(sku) == shard);
        let late = Some(here.map(|(_, settle)| settle.clone()).collect());
        parts.push(Part {
            shard,
            lines: vec![line],
            late,
            from: None,
            answer: None,
        });
    }
    parts
}

/// What home records once every part holds.
pub(super) fn command(confirm: &Confirm, attempt: &Attempt) -> Command {
    let command = Command::ConfirmLate(Box::new(TryLate {
        confirm: confirm.clone(),
        held: attempt.held(),
    }));
    match attempt.drift {
        Some(drift) => Command::Correct(Box::new(Correct { drift, command })),
        None => command,
    }
}

/// A part can't hold anew: sold out and over the limit are made final; a paused or closed sale
/// is not for ever.
pub(super) fn refused(
    turn: &mut Turn<'_>,
    confirm: &Confirm,
    (key, trace): (Option<KeyTag>, Option<Box<TraceParent>>),
    refusal: &Refusal,
) -> (Told, u64) {
    let outcome = match refusal {
        Refusal::InsufficientStock(_) => KeyOutcome::ClosedSoldOut,
        Refusal::CustomerLimit(_) => KeyOutcome::ClosedCustomerLimit,
        other => return (Ok(turn.refused(other.clone(), false, 0)), 0),
    };
    let request = Request {
        key,
        command: Command::RefuseLate(Box::new(confirm.clone()), outcome),
        trace,
    };
    let Applied { outcome, wait, .. } = turn.apply(&request);
    let told = turn
        .told(outcome, wait)
        .unwrap_or(Err(Unavailable::Undecided));
    (told, wait)
}

/// What the stock board says against the lines of other shards: as of their last commits, so it
/// adds to a refusal and makes none.
pub(super) fn from_board(turn: &Turn<'_>, cart: &CreateCart) -> Option<Refusal> {
    let mut refusal: Option<Refusal> = None;
    for line in cart
        .reserve
        .lines
        .iter()
        .filter(|line| !turn.is_local(&line.sku))
    {
        let sku = line.sku.clone();
        let next = match turn.board().sku(&line.sku) {
            None => Refusal::UnknownSku(vec![sku]),
            Some(view) if view.config.paused => Refusal::SalePaused(vec![sku]),
            Some(view) => {
                let (requested, available) = (u64::from(line.units.get()), view.available() as u64);
                if requested <= available {
                    continue;
                }
                let location = line.location.clone();
                let levels = view.levels.iter();
                let levels = levels.map(|(_, counters)| |counter| counters.get(counter));
                let short = ShortLine {
                    sku,
                    location,
                    requested,
                    available,
                    undecided: 0,
                    stock: Some(StockThen::of(levels)),
                };
                Refusal::InsufficientStock(vec![short])
            }
        };
        refusal = Some(match refusal {
            Some(before) => before.join(next),
            None => next,
        });
    }
    refusal
}

/// Whether other shards' boards show too few units on hand for a confirm. A look, no promise: a
/// confirm once decided is always applied.
pub fn shortfall(turn: &Turn<'_>, request: &Request) -> Option<Refusal> {
    let command = match &request.command {
        Command::Correct(correct) => &correct.command,
        command => command,
    };
    let Command::Confirm(confirm) = command else {
        return None;
    };
    let elsewhere = turn.engine().foreign_units(confirm, turn.now());
    if elsewhere.is_empty()
        || request
            .key
            .is_some_and(|tag| turn.engine().repeat(&tag).is_some())
    {
        return None;
    }
    let mut short = Vec::new();
    for (sku, location, units) in elsewhere {
        let view = turn.board().sku(&sku);
        let level = view
            .as_ref()
            .and_then(|view| view.levels.iter().find(|(at, _)| *at == location));
        let on_hand = level.map_or(0, |(_, counters)| counters.get(Counter::OnHand).max(0));
        if on_hand < i64::from(units) {
            let (requested, possible) = (u64::from(units), on_hand as u64);
            short.push(LineAt {
                sku,
                location: Some(location),
                requested,
                possible,
            });
        }
    }
    (!short.is_empty()).then_some(Refusal::Shortfall(short))
}

/// The same answer, as a repeat.
pub(super) fn replayed(answer: Answer) -> Answer {
    match answer {
        Answer::Reservation { view, created, .. } => Answer::Reservation {
            view,
            created,
            replayed: true,
        },
        Answer::Sku { view, created, .. } => Answer::Sku {
            view,
            created,
            replayed: true,
        },
        Answer::Movement { view, .. } => Answer::Movement {
            view,
            replayed: true,
        },
        Answer::Drift { view, .. } => Answer::Drift {
            view,
            replayed: true,
        },
        Answer::Location { view, .. } => Answer::Location {
            view,
            replayed: true,
        },
        // What was just made is no repeat.
        other @ (Answer::Made { .. }
        | Answer::Refused { .. }
        | Answer::Full(_)
        | Answer::Part(_)) => other,
    }
}
