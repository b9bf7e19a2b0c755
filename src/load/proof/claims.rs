//! The claims, each with its verdict and the figures it rests on.

use std::{collections::HashMap, fmt::Write as _};

use super::{Evidence, Seen, Sums, sums::Sum};
use crate::{
    load::{
        drive::{Misfit, Standing, Told, id_text},
        plan::Customer,
        results::Claim,
    },
    show::{count, counted},
};

const EXAMPLES_MAX: usize = 3;

/// What speaks against a claim: how much, and the first few.
#[derive(Default)]
struct Against {
    count: u64,
    examples: Vec<String>,
}

impl Against {
    fn note(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(what());
        }
    }

    fn misfits(&mut self, evidence: &Evidence<'_>, kind: Misfit) {
        if let Some((count, examples)) = evidence.book.misfits.of(kind) {
            self.count += count;
            self.examples.extend(examples.iter().cloned());
            self.examples.truncate(EXAMPLES_MAX);
        }
    }

    /// Broken where anything speaks against it.
    fn judge(self, name: &str, held: impl FnOnce() -> Claim) -> Claim {
        if self.count == 0 {
            return held();
        }
        let mut detail = self.examples.join("; ");
        let more = self.count - self.examples.len() as u64;
        if more > 0 {
            let _ = write!(detail, "; and {} more", count(more));
        }
        Claim::broken(name, detail)
    }
}

/// Judges a run.
pub fn judge(evidence: &Evidence<'_>) -> Vec<Claim> {
    let sums = Sums::of(evidence);
    let mut claims = vec![
        oversell(evidence, &sums),
        undersell(evidence, &sums),
        terminal(evidence),
        durable(evidence),
        replays(evidence),
        finals(evidence),
        strange(evidence),
    ];
    claims.extend(limit(evidence));
    claims
}

fn oversell(evidence: &Evidence<'_>, sums: &Sums) -> Claim {
    let name = "no oversell";
    let mut against = Against::default();
    let (mut sold, mut held) = (0, 0);
    for (sum, sku) in sums.all.iter().zip(&evidence.names.skus) {
        let promised = sum.sold.max(sum.told_sold) + sum.held;
        sold += sum.sold;
        held += sum.held;
        let units = evidence.units as i64;
        if promised > units {
            against.note(|| format!("{sku}: {promised} units were promised of {units}"));
        }
        if sum.counted.on_hand < sum.counted.reserved || sum.counted.available < 0 {
            let (on_hand, reserved) = (sum.counted.on_hand, sum.counted.reserved);
            against.note(|| format!("{sku}: {reserved} units are reserved of {on_hand} there"));
        }
    }
    against.judge(name, || {
        let units = evidence.units * evidence.names.skus.len() as u64;
        let unread = evidence
            .look
            .seen
            .iter()
            .filter(|seen| matches!(seen, Seen::Unseen | Seen::Unanswered));
        let unread = unread.count() as u64;
        let detail = format!(
            "{} sold and {} held of {} there",
            counted(sold as u64, "unit"),
            count(held as u64),
            count(units)
        );
        if unread > 0 || sums.missing > 0 {
            return Claim::unchecked(
                name,
                format!(
                    "{} and the counters of {} were not answered; of the rest: {detail}",
                    counted(unread, "reservation"),
                    counted(sums.missing, "SKU")
                ),
            );
        }
        Claim::held(name, detail)
    })
}

/// What the counters of a SKU say against what its buyers were told; the units of calls that were
/// never answered which would explain a difference.
fn counters(against: &mut Against, sum: &Sum, sku: &str, units: i64) -> i64 {
    let Sum { counted, held, .. } = *sum;
    if sum.received != units {
        let received = sum.received;
        against.note(|| format!("{sku}: {received} units were received of {units} sent"));
    }
    let explained = counted.on_hand + counted.sold + counted.other;
    if explained != sum.received {
        let vanished = sum.received - explained;
        against.note(|| format!("{sku}: {vanished} units have vanished"));
    }
    if counted.available != (counted.on_hand - counted.reserved).max(0) {
        let available = counted.available;
        against.note(|| format!("{sku}: {available} are available, which its counters deny"));
    }
    if sum.agrees() {
        return 0;
    }
    if sum.may_agree() {
        return sum.unsure;
    }
    let sold = sum.sold;
    against.note(|| {
        format!(
            "{sku}: buyers have {sold} and hold {held}, the counters say {} and {}",
            counted.sold, counted.reserved
        )
    });
    0
}

fn undersell(evidence: &Evidence<'_>, sums: &Sums) -> Claim {
    let name = "no undersell: every unit is sold, held, available or explained";
    let mut against = Against::default();
    against.misfits(evidence, Misfit::Denied);
    let mut unsure = 0;
    if !evidence.look.after.is_empty() {
        for (sum, sku) in sums.all.iter().zip(&evidence.names.skus) {
            unsure += counters(&mut against, sum, sku, evidence.units as i64);
        }
    }
    against.judge(name, || {
        if sums.missing > 0 {
            let missing = counted(sums.missing, "SKU");
            return Claim::unchecked(name, format!("the counters of {missing} were not answered"));
        }
        if unsure > 0 {
            return Claim::unchecked(
                name,
                format!(
                    "counters differ by no more than the {} of calls that were never answered",
                    counted(unsure as u64, "unit")
                ),
            );
        }
        let available: i64 = sums.all.iter().map(|sum| sum.counted.available).sum();
        let mut detail = format!(
            "the counters of {} agree with what buyers have; {} left",
            counted(sums.all.len() as u64, "SKU"),
            counted(available as u64, "unit")
        );
        let lag = evidence.look.followed_after;
        if !lag.is_zero() {
            let _ = write!(detail, "; they followed within {:.1} s", lag.as_secs_f64());
        }
        Claim::held(name, detail)
    })
}

fn terminal(evidence: &Evidence<'_>) -> Claim {
    let name = "one end for each reservation";
    let mut against = Against::default();
    against.misfits(evidence, Misfit::Terminal);
    let mut unread = 0;
    for (entry, seen) in evidence.book.entries.iter().zip(&evidence.look.seen) {
        let is = match seen {
            Seen::Is(is) => *is,
            Seen::Odd(is) => {
                against.note(|| {
                    let (id, is) = (id_text(entry.id), is.word());
                    format!("{id} is {is}, but its units are not those asked for, all of them so")
                });
                continue;
            }
            Seen::Gone => continue,
            Seen::Unseen | Seen::Unanswered => {
                unread += 1;
                continue;
            }
        };
        let fits = match entry.told {
            Told::Open => matches!(is, Standing::Open | Standing::Expired),
            Told::Confirmed | Told::ConfirmedLate => is == Standing::Confirmed,
            Told::Released => is == Standing::Released,
            Told::Lapsed => is == Standing::Expired,
            Told::Unsure => true,
        };
        if !fits {
            against.note(|| {
                let (id, is, told) = (id_text(entry.id), is.word(), words(entry.told));
                format!("{id} was {told} to its buyer and is {is}")
            });
        }
    }
    against.judge(name, || {
        let all = evidence.book.entries.len() as u64;
        if unread > 0 || evidence.look.seen.len() < evidence.book.entries.len() {
            let unread = counted(unread, "reservation");
            return Claim::unchecked(name, format!("{unread} could not be read back"));
        }
        Claim::held(
            name,
            format!("{} read back, all as told", counted(all, "reservation")),
        )
    })
}

const fn words(told: Told) -> &'static str {
    match told {
        Told::Open => "held",
        Told::Confirmed => "confirmed",
        Told::ConfirmedLate => "confirmed late",
        Told::Released => "released",
        Told::Lapsed => "expired for good",
        Told::Unsure => "not answered",
    }
}

fn durable(evidence: &Evidence<'_>) -> Claim {
    let name = "acknowledged effects are in the ledger";
    let mut against = Against::default();
    let mut unread = 0_u64;
    for (entry, seen) in evidence.book.entries.iter().zip(&evidence.look.seen) {
        match seen {
            Seen::Gone => {
                against.note(|| format!("{} was acknowledged and is gone", id_text(entry.id)));
            }
            Seen::Unseen | Seen::Unanswered => unread += 1,
            Seen::Is(_) | Seen::Odd(_) => {}
        }
    }
    if let Some(ledgers) = evidence.ledgers {
        for fault in &ledgers.faults {
            against.note(|| fault.clone());
        }
        for (sku, after) in evidence.names.skus.iter().zip(&evidence.look.after) {
            let written = ledgers.skus.get(sku).map(|totals| totals.sold);
            let said = after.map(|state| state.counters.sold);
            if ledgers.faults.is_empty() && said.is_some() && written != said {
                against.note(|| format!("{sku}: {said:?} sold were answered, {written:?} written"));
            }
        }
    }
    against.judge(name, || {
        let all = counted(evidence.book.entries.len() as u64, "reservation");
        if unread > 0 {
            return Claim::unchecked(
                name,
                format!("{} of {all} could not be read back", count(unread)),
            );
        }
        match evidence.ledgers {
            None => Claim::held(
                name,
                format!("{all} read back by id; the ledger's files are the server's and were not"),
            ),
            Some(ledgers) if ledgers.limits.is_empty() => Claim::held(
                name,
                format!(
                    "{all} read back by id; verify read {} and every invariant holds",
                    counted(ledgers.events, "event")
                ),
            ),
            Some(ledgers) => Claim::unchecked(name, ledgers.limits.join("; ")),
        }
    })
}

fn replays(evidence: &Evidence<'_>) -> Claim {
    let name = "repeats have one outcome";
    let look = evidence.look;
    let mut against = Against::default();
    against.misfits(evidence, Misfit::Replay);
    against.count += look.changed_count;
    against.examples.extend(look.changed.iter().cloned());
    against.examples.truncate(EXAMPLES_MAX);
    against.judge(name, || {
        let (during, after) = (evidence.book.counts.replays, look.repeated);
        if during + after == 0 {
            return Claim::unchecked(name, "nothing was repeated");
        }
        let mut detail = format!(
            "{} during the run and {} of its reserves after it",
            counted(during, "repeat"),
            count(after)
        );
        if look.unrepeated > 0 {
            let _ = write!(detail, "; {} were not answered", count(look.unrepeated));
        }
        Claim::held(name, detail)
    })
}

fn finals(evidence: &Evidence<'_>) -> Claim {
    let name = "no confirm after a final refusal";
    let mut against = Against::default();
    against.misfits(evidence, Misfit::AfterFinal);
    let mut refused = 0_u64;
    for (entry, seen) in evidence.book.entries.iter().zip(&evidence.look.seen) {
        if entry.told != Told::Lapsed {
            continue;
        }
        refused += 1;
        if matches!(
            seen,
            Seen::Is(Standing::Confirmed) | Seen::Odd(Standing::Confirmed)
        ) {
            against.note(|| format!("{} was refused for good and is sold", id_text(entry.id)));
        }
    }
    against.judge(name, || {
        if refused == 0 {
            return Claim::unchecked(name, "no confirm was refused for good in this run");
        }
        Claim::held(
            name,
            format!(
                "{} lapsed for good, {} confirmed again under another key and refused again",
                counted(refused, "reservation"),
                count(evidence.book.counts.probes)
            ),
        )
    })
}

fn strange(evidence: &Evidence<'_>) -> Claim {
    let name = "every answer fits its question";
    let mut against = Against::default();
    against.misfits(evidence, Misfit::Strange);
    against.judge(name, || {
        let never = evidence.book.counts.gave_up;
        if never > 0 {
            let never = counted(never, "call");
            return Claim::unchecked(name, format!("{never} had no answer after all patience"));
        }
        Claim::held(name, "none was outside the contract")
    })
}

fn limit(evidence: &Evidence<'_>) -> Option<Claim> {
    let limit = evidence.customer_limit?;
    let name = "no customer has more than the limit";
    let mut had: HashMap<(u32, u32), u64> = HashMap::new();
    let mut against = Against::default();
    let mut lines = Vec::new();
    let allowed = u64::from(limit.units);
    for (entry, seen) in evidence.book.entries.iter().zip(&evidence.look.seen) {
        if !matches!(seen, Seen::Is(Standing::Confirmed | Standing::Open)) {
            continue;
        }
        evidence.plan.lines(entry.number, &mut lines);
        let customer = evidence.plan.buyer(entry.number).customer;
        for line in &lines {
            let units = u64::from(line.qty);
            let sum = match customer {
                Customer::Own => units,
                Customer::Bot(bot) => {
                    let sum = had.entry((bot, line.sku)).or_default();
                    *sum += units;
                    *sum
                }
            };
            if sum > allowed {
                let sku = &evidence.names.skus[line.sku as usize];
                against.note(|| format!("{customer:?} has {sum} of {sku}, allowed are {allowed}"));
            }
        }
    }
    if limit.window_ms < evidence.ran_ms {
        let why = "the limit's window is shorter than the run, so a customer may have had more";
        return Some(Claim::unchecked(name, why));
    }
    Some(against.judge(name, || {
        let shared = counted(had.len() as u64, "customer");
        Claim::held(
            name,
            format!("{shared} of several buyers have at most {allowed} of each SKU"),
        )
    }))
}
