//! Looking back: the counters, every acknowledged reservation, a sample of the reserves again.

use std::time::{Duration, Instant};

use super::{Evidence, Seen, Sums};
use crate::load::{
    drive::{Ask, Book, Call, Key, Outcome, Reply, Standing, Units, ask_all, id_text},
    plan::{Customer, Line, Plan},
    targets::{Carrier, State, Target, Trouble},
    wire::Names,
};

/// What the server said when it was all over.
#[derive(Debug, Default)]
pub struct Look {
    /// The counters of each SKU; of one that is not there, nothing.
    pub after: Vec<Option<State>>,
    /// What was found of each entry of the book.
    pub seen: Vec<Seen>,
    /// Reserves that were repeated with their keys.
    pub repeated: u64,
    /// Of those, what was not answered with the first outcome, the first few.
    pub changed: Vec<String>,
    /// How many they are.
    pub changed_count: u64,
    /// Repeats that were never answered.
    pub unrepeated: u64,
    /// How long the counters took to follow the answers.
    pub followed_after: Duration,
}

/// How long a look back waits for what is going to happen.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For holds to end.
    pub holds_end_in: Duration,
    /// For counters to follow the answers: parts of carts on other shards, expiries under way.
    pub lag_max: Duration,
}

/// Reserves that are repeated at most.
const REPEATS_MAX: usize = 2_000;
/// How long one question is asked again.
const ANSWERED_IN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks back at a run: waits until its holds have ended, reads every reservation back and compares
/// with the counters until they agree, both as long as `patience` goes.
pub async fn look(
    target: &Target,
    mut carrier: Carrier,
    evidence: &Evidence<'_>,
    patience: Patience,
) -> Result<Look, Trouble> {
    let (plan, names, book) = (evidence.plan, evidence.names, evidence.book);
    let mut look = Look::default();
    tokio::task::block_in_place(|| look.repeat(&mut carrier, plan, book));
    await_ends(target, names, patience.holds_end_in).await?;
    look.seen = vec![Seen::Unseen; book.entries.len()];
    let began = Instant::now();
    loop {
        tokio::task::block_in_place(|| look.read(&mut carrier, plan, book));
        look.after = target.states(names).await?;
        let sums = Sums::of(&Evidence {
            look: &look,
            ..*evidence
        });
        if sums.agree() {
            break;
        }
        if began.elapsed() > patience.lag_max {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        look.followed_after = began.elapsed();
    }
    Ok(look)
}

/// Until nothing is reserved any more, or the time is over.
async fn await_ends(target: &Target, names: &Names, within: Duration) -> Result<(), Trouble> {
    let until = Instant::now() + within;
    while Instant::now() < until {
        let states = target.states(names).await?;
        let reserved = states.iter().flatten().map(|state| state.counters.reserved);
        if reserved.sum::<i64>() == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

impl Look {
    /// Repeats a sample of the reserves, evenly spread, with their first keys and bodies.
    fn repeat(&mut self, carrier: &mut Carrier, plan: &Plan, book: &Book) {
        let entries = &book.entries;
        let count = entries.len().min(REPEATS_MAX);
        let entry = |place: usize| &entries[place * entries.len() / count];
        let mut lines: Vec<Line> = Vec::new();
        ask_all(
            carrier,
            count,
            ANSWERED_IN,
            |place, send| {
                let number = entry(place).number;
                plan.lines(number, &mut lines);
                send(&Ask {
                    call: Call::Reserve,
                    number,
                    key: Key::Reserve,
                    customer: plan.buyer(number).customer,
                    id: 0,
                    lines: &lines,
                });
            },
            |asked| {
                let reply = &asked.reply;
                if reply.again {
                    self.unrepeated += 1;
                    return;
                }
                self.repeated += 1;
                let id = entry(asked.place).id;
                let wrong = match reply.id {
                    0 => format!("{} repeated as {}", id_text(id), reply.words()),
                    other if other != id => {
                        format!("{} repeated as {}", id_text(id), id_text(other))
                    }
                    _ if !reply.replayed => format!("{} repeated without saying so", id_text(id)),
                    _ => return,
                };
                self.changed_count += 1;
                if self.changed.len() < 3 {
                    self.changed.push(wrong);
                }
            },
        );
    }

    /// Reads what was not read yet, and what may have changed since.
    fn read(&mut self, carrier: &mut Carrier, plan: &Plan, book: &Book) {
        let changes = |seen: &Seen| {
            matches!(
                seen,
                Seen::Unseen | Seen::Unanswered | Seen::Is(Standing::Open) | Seen::Odd(_)
            )
        };
        let places: Vec<u32> = (0..self.seen.len() as u32)
            .filter(|&place| changes(&self.seen[place as usize]))
            .collect();
        let mut lines: Vec<Line> = Vec::new();
        ask_all(
            carrier,
            places.len(),
            ANSWERED_IN,
            |place, send| {
                let entry = &book.entries[places[place] as usize];
                send(&Ask {
                    call: Call::Read,
                    number: entry.number,
                    key: Key::Reserve,
                    customer: Customer::Own,
                    id: entry.id,
                    lines: &[],
                });
            },
            |asked| {
                let place = places[asked.place] as usize;
                plan.lines(book.entries[place].number, &mut lines);
                let asked_for = lines.iter().map(|line| u64::from(line.qty)).sum();
                self.seen[place] = seen(&asked.reply, asked_for);
            },
        );
    }
}

/// What a read says of a reservation of so many units.
fn seen(reply: &Reply, asked_for: u64) -> Seen {
    let (Some(standing), Some(units)) = (reply.standing, reply.units) else {
        return if reply.again || reply.outcome != Outcome::Refused {
            Seen::Unanswered
        } else {
            Seen::Gone
        };
    };
    // Whole reservations end whole: every unit is where the standing says.
    let Units {
        qty,
        open,
        confirmed,
        released,
        expired,
    } = units;
    let there = match standing {
        Standing::Open => open,
        Standing::Confirmed => confirmed,
        Standing::Released => released,
        Standing::Expired => expired,
    };
    if qty == asked_for && there == qty && open + confirmed + released + expired == qty {
        Seen::Is(standing)
    } else {
        Seen::Odd(standing)
    }
}
