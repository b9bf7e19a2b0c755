//! One checkout against the server: reserve, then what fate has in store, every answer held against
//! its question.

use tokio::time::Instant;

use super::{
    account::{Held, LineAccount, Misfit, Standing, contradiction},
    basket::{Contents, Item, Pair},
    plan::{Checkout, Fate},
};
use crate::client::{
    Client, Failure, Reason,
    latency::{Call, Latencies},
    wire::{Problem, Reservation, Reserve, Status, Want},
};

/// How the reserves of a run are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Mode {
    /// Every line whole, or nothing.
    AllOrNothing,
    /// What is there.
    BestEffort,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::AllOrNothing => "all_or_nothing",
            Self::BestEffort => "best_effort",
        }
    }
}

/// What all checkouts of a run have in common.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    pub(super) client: &'a Client,
    pub(super) contents: &'a Contents,
    pub(super) latencies: &'a Latencies,
    pub(super) run: &'a str,
    pub(super) mode: Mode,
    /// For checkouts that come back.
    pub(super) ttl_ms: u64,
    /// For those that don't.
    pub(super) abandon_ttl_ms: u64,
}

/// What became of one checkout.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) units_asked: u64,
    /// The reservation, or the code of the refusal.
    pub(super) reserved: Result<Held, String>,
    /// A refused confirm or release, as `call code`.
    pub(super) settling_refused: Option<String>,
    pub(super) misfits: Vec<Misfit>,
}

impl Counter<'_> {
    /// Plays one checkout to its end.
    pub(super) async fn serve(&self, checkout: &Checkout) -> Result<Done, Failure> {
        let basket = &self.contents.baskets[checkout.basket];
        let items = checkout.items(self.contents);
        let ttl_ms = match checkout.fate {
            Fate::Confirm | Fate::Release => self.ttl_ms,
            Fate::Abandon => self.abandon_ttl_ms,
        };
        let order_ref = format!("{}:{}", self.run, basket.id);
        let key = format!("{order_ref}.{}", checkout.part);
        let want = Reserve {
            order_ref: &order_ref,
            customer: &basket.household,
            ttl_ms: Some(ttl_ms),
            mode: self.mode.word(),
            lines: self.lines(basket.store, items),
        };
        let mut done = Done {
            units_asked: items.iter().map(|item| item.qty).sum(),
            reserved: Err(String::new()),
            settling_refused: None,
            misfits: Vec::new(),
        };
        let mut misfit = |what: String| Misfit {
            basket: basket.id.clone(),
            what,
        };

        let asked_at = Instant::now();
        let said = match self.client.reserve(&want, format!("{key}:reserve")).await {
            Ok(said) => said,
            Err(failure) => {
                done.reserved = Err(without_effect(failure)?);
                return Ok(done);
            }
        };
        self.latencies.record(Call::Reserve, said.took);
        let reservation = match said.result {
            Ok(reservation) => reservation,
            Err(problem) => {
                done.misfits.extend(unfounded(&problem).map(&mut misfit));
                done.reserved = Err(problem.code);
                return Ok(done);
            }
        };
        let lines = match self.check_granted(&reservation, basket.store, items) {
            Ok(lines) => lines,
            Err(what) => {
                done.misfits.push(misfit(what));
                self.known_lines(&reservation)
            }
        };
        if !said.replayed {
            done.misfits
                .extend(contradiction(&reservation, Standing::Open).map(&mut misfit));
        }
        let mut held = Held {
            id: reservation.id,
            fate: checkout.fate,
            standing: Standing::Open,
            lines,
        };
        let settled = match checkout.fate {
            Fate::Confirm => Some(("confirm", self.confirm(&held.id, &order_ref, &key).await?)),
            Fate::Release => Some(("release", self.release(&held.id, &key).await?)),
            Fate::Abandon => None,
        };
        match settled {
            None => {}
            Some((_, Ok((standing, answer)))) => {
                held.standing = standing;
                done.misfits
                    .extend(contradiction(&answer, standing).map(&mut misfit));
                held.settle();
            }
            Some((call, Err(problem))) => {
                if problem.code == "reservation-expired" {
                    let lived = asked_at.elapsed().as_millis();
                    if !said.replayed && lived < u128::from(ttl_ms) {
                        let what = format!("expired after {lived} ms of {ttl_ms} ms");
                        done.misfits.push(misfit(what));
                    }
                    held.standing = Standing::Lapsed;
                    held.settle();
                }
                done.settling_refused = Some(format!("{call} {}", problem.code));
            }
        }
        done.reserved = Ok(held);
        Ok(done)
    }

    fn lines(&self, store: u32, items: &[Item]) -> Vec<Want<'_>> {
        let location = Some(self.contents.locations.name(store));
        items
            .iter()
            .map(|item| Want {
                sku: self.contents.skus.name(item.sku),
                qty: item.qty,
                location,
            })
            .collect()
    }

    async fn confirm(
        &self,
        id: &str,
        payment: &str,
        key: &str,
    ) -> Result<Result<(Standing, Reservation), Problem>, Failure> {
        let said = self
            .client
            .confirm(id, payment, format!("{key}:confirm"))
            .await?;
        self.latencies.record(Call::Confirm, said.took);
        Ok(said.result.map(|answer| match answer.late {
            Some(true) => (Standing::ConfirmedLate, answer),
            _ => (Standing::Confirmed, answer),
        }))
    }

    async fn release(
        &self,
        id: &str,
        key: &str,
    ) -> Result<Result<(Standing, Reservation), Problem>, Failure> {
        let said = self
            .client
            .release(id, "changed their mind", format!("{key}:release"))
            .await?;
        self.latencies.record(Call::Release, said.took);
        // A release that finds the units lapsed already answers as it stands.
        Ok(said.result.map(|answer| match answer.status {
            Status::Expired => (Standing::Lapsed, answer),
            _ => (Standing::Released, answer),
        }))
    }

    /// The granted lines, if they are what was asked for: nothing more, nowhere else and, where all
    /// or nothing was asked, nothing less.
    fn check_granted(
        &self,
        reservation: &Reservation,
        store: u32,
        items: &[Item],
    ) -> Result<Vec<LineAccount>, String> {
        let lines = self.known_lines(reservation);
        if lines.len() != reservation.lines.len() {
            return Err("lines name a SKU or location that the file doesn't".to_owned());
        }
        let mut granted: std::collections::HashMap<Pair, u64> = <_>::default();
        for line in &lines {
            *granted.entry(line.pair).or_default() += line.qty;
        }
        for item in items {
            let units = granted
                .remove(&Pair {
                    sku: item.sku,
                    location: store,
                })
                .unwrap_or(0);
            let enough = match self.mode {
                Mode::AllOrNothing => units == item.qty,
                Mode::BestEffort => units <= item.qty,
            };
            if !enough {
                let sku = self.contents.skus.name(item.sku);
                return Err(format!("{sku}: asked for {}, granted {units}", item.qty));
            }
        }
        match granted.keys().next() {
            Some(pair) => Err(format!(
                "{}: not asked for",
                self.contents.skus.name(pair.sku)
            )),
            None => Ok(lines),
        }
    }

    fn known_lines(&self, reservation: &Reservation) -> Vec<LineAccount> {
        reservation
            .lines
            .iter()
            .filter_map(|line| {
                let sku = self.contents.skus.find(&line.sku)?;
                let location = self.contents.locations.find(&line.location)?;
                Some(LineAccount {
                    pair: Pair { sku, location },
                    qty: line.qty,
                    open: line.qty,
                    confirmed: 0,
                    released: 0,
                    expired: 0,
                })
            })
            .collect()
    }
}

impl Held {
    /// Books the units of every line as the standing says.
    pub(crate) fn settle(&mut self) {
        for line in &mut self.lines {
            line.open = 0;
            match self.standing {
                Standing::Open => line.open = line.qty,
                Standing::Confirmed | Standing::ConfirmedLate => line.confirmed = line.qty,
                Standing::Released => line.released = line.qty,
                Standing::Lapsed => line.expired = line.qty,
            }
        }
    }
}

/// The code of a call that was given up and certainly had no effect; anything else stays a failure.
fn without_effect(failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::GaveUp { gave_up, .. }
            if !gave_up.may_have_applied && matches!(gave_up.reason, Reason::Problem(_)) =>
        {
            match gave_up.reason {
                Reason::Problem(problem) => Ok(problem.code),
                Reason::Broken(_) => unreachable!("the guard admits problems only"),
            }
        }
        other => Err(other),
    }
}

/// A refusal for want of stock that its own numbers don't bear out.
fn unfounded(problem: &Problem) -> Option<String> {
    if problem.code != "insufficient-stock" {
        return None;
    }
    let enough = problem
        .lines
        .iter()
        .find(|line| line.requested <= line.available)?;
    Some(format!(
        "{}: refused for want of stock, with {} asked and {} available",
        enough.sku, enough.requested, enough.available
    ))
}
