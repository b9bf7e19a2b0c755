//! What one buyer does, from the first click to the end of the day.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

use super::{
    SKU,
    book::{Book, Ending, Entry},
    crowd::{Buyer, CART_TTL, Click, Fate, LOOKS_AGAIN_AFTER},
};
use crate::{
    client::{
        Call, Client, Failure, Said, confirm_call,
        latency::{Call as Kind, Latencies},
        read, reserve_call,
        wire::{Problem, Reservation, Reserve, Status, Want},
    },
    replay::{
        account::{Held, LineAccount, Standing, contradiction},
        basket::Pair,
        plan,
    },
};

/// The only place of the sale.
pub(super) const PAIR: Pair = Pair {
    sku: 0,
    location: 0,
};

/// What all buyers share.
#[derive(Clone, Debug)]
pub(super) struct Sale {
    pub(super) client: Arc<Client>,
    pub(super) book: Arc<Book>,
    pub(super) latencies: Arc<Latencies>,
    /// How many can be at the counter at once.
    pub(super) counters: Arc<Semaphore>,
    /// How many can pay at once.
    pub(super) tills: Arc<Semaphore>,
    pub(super) opens: Instant,
}

/// How long an impatient buyer waits: too short for any answer that has to reach the disk.
const IMPATIENT: Duration = Duration::from_micros(300);

impl Sale {
    /// Plays one buyer to the end.
    pub(super) async fn play(&self, buyer: &Buyer) -> Result<(), Failure> {
        sleep_until(self.opens + buyer.comes_after).await;
        for look in 0..=buyer.comes_back {
            if look > 0 {
                sleep(LOOKS_AGAIN_AFTER).await;
            }
            if let Some((entry, id)) = self.want(buyer, look).await? {
                sleep(buyer.thinks).await;
                let ending = self.settle(buyer, look, entry, &id).await?;
                self.book.end(ending);
                return Ok(());
            }
        }
        self.book.end(Ending::SoldOut);
        Ok(())
    }

    /// One try to get a unit. Every look is a new try with a key of its own; every repeat within it
    /// has the same.
    async fn want(&self, buyer: &Buyer, look: u32) -> Result<Option<(Entry, String)>, Failure> {
        let name = buyer.name();
        let lines = vec![Want {
            sku: SKU,
            qty: 1,
            location: None,
        }];
        let ttl_ms = Some(CART_TTL.as_millis() as u64);
        let (order_ref, customer, mode) = (&*name, &*name, "all_or_nothing");
        let want = Reserve {
            order_ref,
            customer,
            ttl_ms,
            mode,
            lines,
        };
        let call = reserve_call(&want, format!("{name}.{look}:reserve"));
        self.book.sending();
        let said = match buyer.click {
            Click::Once => self.send(&call, Kind::Reserve).await?,
            Click::Double => self.twice(&name, &call, Kind::Reserve).await?,
            Click::Impatient => {
                self.book.walked_away();
                // Whatever came of it, the buyer doesn't know.
                drop(self.client.walk_away(&call, IMPATIENT).await);
                self.send(&call, Kind::Reserve).await?
            }
        };
        match said.result {
            Ok(reservation) => {
                let wrong =
                    contradiction(&reservation, Standing::Open).or_else(|| odd(&reservation));
                if let Some(wrong) = wrong {
                    self.book.misfit(name, wrong);
                }
                let held = Held {
                    id: reservation.id.clone(),
                    fate: buyer.fate.planned(),
                    standing: Standing::Open,
                    lines: vec![LineAccount {
                        pair: PAIR,
                        qty: 1,
                        open: 1,
                        confirmed: 0,
                        released: 0,
                        expired: 0,
                    }],
                };
                Ok(Some((self.book.hold(held, call), reservation.id)))
            }
            Err(problem) => {
                if let Some(wrong) = unfounded(&problem) {
                    self.book.misfit(name, wrong);
                }
                self.book.refuse(problem.code);
                Ok(None)
            }
        }
    }

    async fn settle(
        &self,
        buyer: &Buyer,
        look: u32,
        entry: Entry,
        id: &str,
    ) -> Result<Ending, Failure> {
        let name = buyer.name();
        let key = format!("{name}.{look}");
        let payment = || confirm_call(id, &format!("pay-{key}"), format!("{key}:confirm"));
        let (said, standing) = match buyer.fate {
            Fate::Abandon => return Ok(Ending::Abandoned),
            Fate::Pay => (
                self.send(&payment(), Kind::Confirm).await?,
                Standing::Confirmed,
            ),
            Fate::PayTwice => (
                self.twice(&name, &payment(), Kind::Confirm).await?,
                Standing::Confirmed,
            ),
            Fate::PaymentFails => {
                let path = format!("/v1/reservations/{id}/release");
                let body = serde_json::json!({ "reason": "payment declined" });
                let call = Call::post(path, format!("{key}:release"), &body);
                (self.send(&call, Kind::Release).await?, Standing::Released)
            }
        };
        let (standing, ending) = match (&said.result, standing) {
            (Ok(answer), Standing::Confirmed) if answer.late == Some(true) => {
                (Standing::ConfirmedLate, Ending::BoughtLate)
            }
            (Ok(_), Standing::Confirmed) => (Standing::Confirmed, Ending::Bought),
            (Ok(answer), _) if answer.status == Status::Expired => {
                (Standing::Lapsed, Ending::PaymentFailed)
            }
            (Ok(_), _) => (Standing::Released, Ending::PaymentFailed),
            (Err(problem), _) if problem.code == "reservation-expired" => {
                (Standing::Lapsed, Ending::TooLate)
            }
            (Err(problem), _) => {
                let refused = format!("{} {}: {}", problem.status, problem.code, problem.detail);
                self.book.misfit(name, refused);
                return Ok(Ending::TooLate);
            }
        };
        if let Some(wrong) = said
            .result
            .ok()
            .and_then(|answer| contradiction(&answer, standing))
        {
            self.book.misfit(name, wrong);
        }
        self.book.change(entry, |held| {
            held.standing = standing;
            held.settle();
        });
        Ok(ending)
    }

    /// Presses the button twice at the same moment: one key, one body, one effect.
    async fn twice(
        &self,
        name: &str,
        call: &Call,
        kind: Kind,
    ) -> Result<Said<Reservation>, Failure> {
        self.book.doubled();
        let (one, other) = tokio::join!(self.send(call, kind), self.send(call, kind));
        let (one, other) = (one?, other?);
        match (&one.result, &other.result) {
            (Ok(first), Ok(second)) if first.id != second.id => {
                let what = format!("one key made {} and {}", first.id, second.id);
                self.book.misfit(name.to_owned(), what);
                Ok(one)
            }
            // The key of a refused try is free again, so the second may get what came back since.
            (Err(_), Ok(_)) => Ok(other),
            _ => Ok(one),
        }
    }

    async fn send(&self, call: &Call, kind: Kind) -> Result<Said<Reservation>, Failure> {
        let places = match kind {
            Kind::Confirm | Kind::Release => &self.tills,
            Kind::Reserve | Kind::Configure | Kind::Receive | Kind::Read => &self.counters,
        };
        let _place = places
            .acquire()
            .await
            .expect("the semaphore is never closed");
        self.book.step_up();
        let said = self.client.say(call).await;
        self.book.step_back();
        let said = said?;
        self.latencies.record(kind, said.took);
        Ok(said)
    }

    /// Asks for every acknowledged reservation again with its first key and body; returns how many
    /// were answered as something else.
    pub(super) async fn repeat(&self, call: &Call, id: &str) -> Result<Option<String>, Failure> {
        let _counter = self
            .counters
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let answer = self
            .client
            .send(call)
            .await
            .map_err(|gave_up| Failure::gave_up(call, gave_up))?;
        let said: Said<Reservation> = read(call, &answer)?;
        Ok(match said.result {
            Ok(again) if again.id != id => Some(format!("{id}: repeated as {}", again.id)),
            Ok(_) if !said.replayed => Some(format!("{id}: repeated without being marked so")),
            Ok(_) => None,
            Err(problem) => Some(format!(
                "{id}: repeated as {} {}",
                problem.status, problem.code
            )),
        })
    }
}

impl Buyer {
    fn name(&self) -> String {
        format!("buyer-{}", self.number)
    }
}

impl Fate {
    fn planned(self) -> plan::Fate {
        match self {
            Self::Pay | Self::PayTwice => plan::Fate::Confirm,
            Self::PaymentFails => plan::Fate::Release,
            Self::Abandon => plan::Fate::Abandon,
        }
    }
}

/// A grant that isn't the one unit asked for.
fn odd(reservation: &Reservation) -> Option<String> {
    let fits = match reservation.lines.as_slice() {
        [line] => line.sku == SKU && line.location == "main" && line.qty == 1,
        _ => false,
    };
    (!fits).then(|| {
        format!(
            "asked for one {SKU} and was granted {:?}",
            reservation.lines
        )
    })
}

/// A refusal that isn't "sold out", or that its own numbers deny.
fn unfounded(problem: &Problem) -> Option<String> {
    let denied = problem
        .lines
        .iter()
        .any(|line| line.requested <= line.available);
    (problem.code != "insufficient-stock" || denied).then(|| {
        format!(
            "refused as {} {}: {}",
            problem.status, problem.code, problem.detail
        )
    })
}
