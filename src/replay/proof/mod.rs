//! The proof: the client's own account against the server's counters, as differences from where the
//! run began.
//!
//! It is a pure function of what was read, so that tests can hand it lies. Where another client was
//! seen at work on the SKUs that differ, the differences are called not provable: never proved, and
//! nobody's fault.
//!
//! Deliberately absent: the server's own claim to be consistent, and any tolerance.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    account::{Account, Held, Misfit, Standing, contradiction},
    basket::{Contents, Pair},
};
use crate::{
    client::wire::{Counters, Line, Place, Problem, Reservation},
    show::{count, counted},
};

/// Reservations as they read back, by place in [`Account::held`].
pub type ReadBackAnswers = Vec<(usize, Result<Reservation, Problem>)>;

/// What the proof weighs.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The names of SKUs and locations.
    pub contents: &'a Contents,
    /// What the client was told.
    pub account: &'a Account,
    /// The counters before the first unit was received; absent places had nothing.
    pub before: &'a HashMap<Pair, Place>,
    /// The counters after the last answer.
    pub after: &'a HashMap<Pair, Place>,
    /// SKUs whose summed counters are not those of their locations, by name.
    pub sums_wrong: &'a [String],
    /// Acknowledged reservations as they read back, by place in `account.held`.
    pub read_back: &'a ReadBackAnswers,
    /// SKUs on which another client was seen at work during the run.
    pub others: u64,
}

/// Whether a statement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does, everywhere.
    Holds,
    /// It doesn't, and nobody else can be the cause.
    Fails,
    /// It doesn't add up, and another client was seen at work on these SKUs.
    NotProvable,
}

/// One statement of the proof.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What is claimed.
    pub claim: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
    /// The numbers behind it.
    pub numbers: String,
    /// Where it doesn't hold.
    pub exceptions: u64,
    /// The first few of them.
    pub examples: Vec<String>,
}

impl Evidence<'_> {
    fn name(&self, pair: Pair) -> String {
        let (skus, locations) = (&self.contents.skus, &self.contents.locations);
        format!(
            "{} at {}",
            skus.name(pair.sku),
            locations.name(pair.location)
        )
    }

    fn pair(&self, line: &Line) -> Option<Pair> {
        let sku = self.contents.skus.find(&line.sku)?;
        Some(Pair {
            sku,
            location: self.contents.locations.find(&line.location)?,
        })
    }
}

/// A place whose counters are not what the account explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Where.
    pub pair: Pair,
    /// Which statement.
    pub kind: Kind,
    /// What the account says.
    pub expected: i64,
    /// What the server says.
    pub found: i64,
}

/// The statements about counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `received` grew by what was received.
    Received,
    /// `sold` grew by what was confirmed.
    Sold,
    /// `reserved + expired` and `released` grew by what was neither sold nor kept.
    Holds,
    /// `on_hand` grew by what was received and fell by what was sold.
    OnHand,
    /// Sold and held never exceed what was there.
    Oversold,
    /// INV-1 and INV-4.
    Conserved,
}

const EXAMPLES_MAX: usize = 5;

/// What the account says of one place.
#[derive(Clone, Copy, Debug, Default)]
struct Explained {
    received: i64,
    sold: i64,
    released: i64,
    /// Open or lapsed.
    left: i64,
    /// Sold after they had lapsed: their expiry may stand in the counters too.
    late: i64,
    /// Still open when read back.
    open: i64,
}

/// Every place where the counters are not what the account explains.
pub fn deviations(evidence: &Evidence<'_>) -> Vec<Deviation> {
    let explained = explain(evidence);
    let mut pairs: Vec<Pair> = explained.keys().copied().collect();
    pairs.extend(
        evidence
            .after
            .keys()
            .filter(|pair| !explained.contains_key(pair)),
    );
    pairs.sort_unstable();
    let mut found = Vec::new();
    for pair in pairs {
        let own = explained.get(&pair).copied().unwrap_or_default();
        let before = evidence.before.get(&pair).copied().unwrap_or_default();
        let after = evidence.after.get(&pair).copied().unwrap_or_default();
        compare(pair, own, before, after, &mut found);
    }
    found
}

fn compare(pair: Pair, own: Explained, before: Place, after: Place, found: &mut Vec<Deviation>) {
    let (b, a) = (before.counters, after.counters);
    let mut expect = |kind, expected: i64, is: i64| {
        if expected != is {
            found.push(Deviation {
                pair,
                kind,
                expected,
                found: is,
            });
        }
    };
    expect(Kind::Received, own.received, a.received - b.received);
    expect(Kind::Sold, own.sold, a.sold - b.sold);
    expect(Kind::Holds, own.released, a.released - b.released);
    let left = a.reserved + a.expired - b.reserved - b.expired;
    expect(
        Kind::Holds,
        own.left,
        if left == own.left + own.late {
            own.left
        } else {
            left
        },
    );
    expect(Kind::OnHand, own.received - own.sold, a.on_hand - b.on_hand);

    // Held now: by the counters, and by what the client read back itself.
    let held = a.reserved.max(own.open);
    let room = b.on_hand + own.received - own.sold;
    expect(
        Kind::Oversold,
        room.max(held),
        room.max(held) + (held - room).max(0),
    );
    expect(Kind::Oversold, 0, a.on_hand.min(0));
    expect(Kind::Oversold, 0, after.available.min(0));

    let flows = a.received + a.adjusted + a.transferred + a.returns_received;
    let places = a.on_hand + a.sold + a.returned + a.damaged + a.written_off;
    expect(Kind::Conserved, flows, places);
    expect(Kind::Conserved, 0, lowest(a).min(0));
}

/// The lowest of the counters that can't be negative.
fn lowest(c: Counters) -> i64 {
    [
        c.on_hand,
        c.reserved,
        c.safety_stock,
        c.sold,
        c.shipped,
        c.returned,
        c.damaged,
        c.received,
        c.returns_received,
        c.written_off,
        c.released,
        c.expired,
    ]
    .into_iter()
    .min()
    .expect("the list isn't empty")
}

fn explain(evidence: &Evidence<'_>) -> HashMap<Pair, Explained> {
    let mut explained: HashMap<Pair, Explained> = HashMap::new();
    for (&pair, &units) in &evidence.account.received {
        explained.entry(pair).or_default().received += units as i64;
    }
    for held in &evidence.account.held {
        for line in &held.lines {
            let own = explained.entry(line.pair).or_default();
            own.sold += line.confirmed as i64;
            own.released += line.released as i64;
            own.left += (line.open + line.expired) as i64;
            if held.standing == Standing::ConfirmedLate {
                own.late += line.qty as i64;
            }
        }
    }
    for (_, answer) in evidence.read_back {
        let Ok(answer) = answer else { continue };
        for line in &answer.lines {
            if let Some(pair) = evidence.pair(line) {
                explained.entry(pair).or_default().open += line.open as i64;
            }
        }
    }
    explained
}

/// Judges the run.
pub fn judge(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<Kind, Vec<Deviation>> = BTreeMap::new();
    for deviation in deviations(evidence) {
        by_kind.entry(deviation.kind).or_default().push(deviation);
    }
    let totals = evidence.account.totals();
    let places = counted(evidence.after.len() as u64, "place");
    let counters = |kind: Kind, claim: &'static str, numbers: String| {
        let found = by_kind.get(&kind).map_or(&[][..], Vec::as_slice);
        let verdict = match found {
            [] => Verdict::Holds,
            // Nobody's traffic excuses units that came from nowhere or went there.
            _ if kind == Kind::Conserved => Verdict::Fails,
            _ if evidence.others > 0 => Verdict::NotProvable,
            _ => Verdict::Fails,
        };
        let example = |deviation: &Deviation| {
            let Deviation {
                pair,
                expected,
                found,
                ..
            } = *deviation;
            format!(
                "{}: {expected} explained, {found} found",
                evidence.name(pair)
            )
        };
        Finding {
            claim,
            verdict,
            numbers,
            exceptions: found.len() as u64,
            examples: found.iter().take(EXAMPLES_MAX).map(example).collect(),
        }
    };
    let mut findings = vec![answers(evidence), read_back(evidence)];
    findings.push(counters(
        Kind::Oversold,
        "nothing was oversold",
        format!("sold and held fit into what was stocked at each of {places}"),
    ));
    findings.push(counters(
        Kind::Sold,
        "what was confirmed was sold, once",
        counted(totals.sold, "unit"),
    ));
    findings.push(counters(
        Kind::Received,
        "what was received is there, once",
        counted(totals.received, "unit"),
    ));
    findings.push(counters(
        Kind::OnHand,
        "the shelves hold what was not sold",
        format!(
            "{} received − {} sold",
            count(totals.received),
            count(totals.sold)
        ),
    ));
    findings.push(counters(
        Kind::Holds,
        "every held unit is accounted for",
        format!(
            "{} granted = {} sold + {} released + {} open or lapsed",
            count(totals.granted),
            count(totals.sold),
            count(totals.released),
            count(totals.left)
        ),
    ));
    let mut conserved = counters(
        Kind::Conserved,
        "units are conserved (INV-1, INV-4)",
        format!("at each of {places}, and in the sums of their SKUs"),
    );
    if !evidence.sums_wrong.is_empty() {
        conserved.verdict = Verdict::Fails;
        conserved.exceptions += evidence.sums_wrong.len() as u64;
        let wrong = evidence.sums_wrong.iter().take(EXAMPLES_MAX);
        conserved
            .examples
            .extend(wrong.map(|sku| format!("{sku}: not the sum of its places")));
    }
    findings.push(conserved);
    findings
}

fn answers(evidence: &Evidence<'_>) -> Finding {
    let misfits = &evidence.account.misfits;
    let example = |misfit: &Misfit| format!("basket {}: {}", misfit.basket, misfit.what);
    Finding {
        claim: "every answer fits its question",
        verdict: if misfits.is_empty() {
            Verdict::Holds
        } else {
            Verdict::Fails
        },
        numbers: format!(
            "{}, {}",
            counted(evidence.account.held.len() as u64, "reservation"),
            counted(evidence.account.refused.values().sum(), "refusal")
        ),
        exceptions: misfits.len() as u64,
        examples: misfits.iter().take(EXAMPLES_MAX).map(example).collect(),
    }
}

/// Whether every acknowledged reservation reads back as it was acknowledged.
pub(crate) fn read_back(evidence: &Evidence<'_>) -> Finding {
    let lost: Vec<String> = evidence
        .read_back
        .iter()
        .filter_map(|(place, answer)| {
            let held = &evidence.account.held[*place];
            let wrong = match answer {
                Err(problem) => Some(format!("{} {}", problem.status, problem.code)),
                Ok(answer) if answer.id != held.id => Some(format!("answers as {}", answer.id)),
                Ok(answer) => contradiction(answer, held.standing)
                    .or_else(|| otherwise(evidence, held, answer)),
            };
            wrong.map(|wrong| format!("{}: {wrong}", held.id))
        })
        .collect();
    let [read, all] =
        [evidence.read_back.len(), evidence.account.held.len()].map(|all| count(all as u64));
    Finding {
        claim: "no acknowledged reservation is lost or changed",
        verdict: if lost.is_empty() {
            Verdict::Holds
        } else {
            Verdict::Fails
        },
        numbers: match read {
            _ if read == all => format!("all {all} read back"),
            _ => format!("a sample of {read} of {all} read back"),
        },
        exceptions: lost.len() as u64,
        examples: lost.into_iter().take(EXAMPLES_MAX).collect(),
    }
}

/// A line that reads back with other units than were acknowledged.
fn otherwise(evidence: &Evidence<'_>, held: &Held, answer: &Reservation) -> Option<String> {
    let mut acknowledged: HashMap<Pair, u64> = HashMap::new();
    for line in &held.lines {
        *acknowledged.entry(line.pair).or_default() += line.qty;
    }
    for line in &answer.lines {
        let units = evidence
            .pair(line)
            .and_then(|pair| acknowledged.remove(&pair))
            .unwrap_or(0);
        if units != line.qty {
            let name = format!("{} at {}", line.sku, line.location);
            return Some(format!(
                "{name}: {units} acknowledged, {} read back",
                line.qty
            ));
        }
    }
    let lost = acknowledged.into_iter().next();
    lost.map(|(pair, units)| format!("{}: {units} acknowledged, gone", evidence.name(pair)))
}

#[cfg(test)]
mod tests;
