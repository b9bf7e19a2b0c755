//! The calls the commands make, typed: what was asked, what was said.

use std::time::Duration;

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Answer, Call, Client, GaveUp,
    wire::{BatchResult, BatchResults, Page, Problem, Reservation, Reserve, Sku},
};

/// What the server said to a call: a value or a refusal, and how the answer came.
#[derive(Clone, Debug)]
pub struct Said<T> {
    /// The value, or why not.
    pub result: Result<T, Problem>,
    /// Whether it was marked as the first outcome of a repeated key.
    pub replayed: bool,
    /// How long the answered attempt took.
    pub took: Duration,
}

/// A call that brought nothing to go on with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No usable answer after all patience.
    #[error("{call}: {gave_up}")]
    GaveUp {
        /// Which call.
        call: String,
        /// What was met.
        #[source]
        gave_up: Box<GaveUp>,
    },
    /// An answer that is not of the contract.
    #[error("{call}: an answer that is not of the contract: {why}: {excerpt}")]
    Strange {
        /// Which call.
        call: String,
        /// What doesn't fit.
        why: String,
        /// The beginning of the body.
        excerpt: String,
    },
}

impl Failure {
    /// A call that was given up.
    pub fn gave_up(call: &Call, gave_up: GaveUp) -> Self {
        Self::GaveUp {
            call: name(call),
            gave_up: Box::new(gave_up),
        }
    }
}

/// Units to be received, one movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The movement's idempotency key.
    pub key: String,
    /// The SKU.
    pub sku: String,
    /// Where the units arrive.
    pub location: String,
    /// How many.
    pub qty: u64,
}

/// What came of a batch of receipts.
#[derive(Clone, Debug)]
pub struct Received {
    /// In the order of the receipts.
    pub answers: Vec<Result<(), Box<Problem>>>,
    /// How long each of the calls took that it needed.
    pub calls: Vec<Duration>,
}

impl Client {
    /// Asks for a reservation under `key`.
    pub async fn reserve(
        &self,
        want: &Reserve<'_>,
        key: String,
    ) -> Result<Said<Reservation>, Failure> {
        self.say(&reserve_call(want, key)).await
    }

    /// Sells what reservation `id` holds.
    pub async fn confirm(
        &self,
        id: &str,
        payment_ref: &str,
        key: String,
    ) -> Result<Said<Reservation>, Failure> {
        self.say(&confirm_call(id, payment_ref, key)).await
    }

    /// Gives back what reservation `id` holds.
    pub async fn release(
        &self,
        id: &str,
        reason: &str,
        key: String,
    ) -> Result<Said<Reservation>, Failure> {
        let path = format!("/v1/reservations/{id}/release");
        self.say(&Call::post(path, key, &json!({ "reason": reason })))
            .await
    }

    /// Looks reservation `id` up.
    pub async fn reservation(&self, id: &str) -> Result<Said<Reservation>, Failure> {
        self.say(&Call::get(format!("/v1/reservations/{id}"))).await
    }

    /// Up to 1,000 reservations that touch `sku`, from the server's projection.
    pub async fn reservations_of(&self, sku: &str) -> Result<Said<Page<Reservation>>, Failure> {
        self.say(&Call::get(format!("/v1/reservations?sku={sku}&limit=1000")))
            .await
    }

    /// A SKU's counters.
    pub async fn sku(&self, sku: &str) -> Result<Said<Sku>, Failure> {
        self.say(&Call::get(format!("/v1/skus/{sku}"))).await
    }

    /// Creates or configures a SKU.
    pub async fn configure(&self, sku: &str, config: &Value) -> Result<Said<Value>, Failure> {
        self.say(&Call::keyless(
            Method::PUT,
            format!("/v1/skus/{sku}"),
            config,
        ))
        .await
    }

    /// Receives up to 1,000 movements in one call, each on its own: the answers are in the order
    /// of the receipts. Those the server had no time for are sent again with their keys.
    pub async fn receive(
        &self,
        receipts: &[Receipt],
        patience: Duration,
    ) -> Result<Received, Failure> {
        let started = Instant::now();
        let mut calls = Vec::new();
        let mut answers: Vec<Option<Result<(), Box<Problem>>>> = vec![None; receipts.len()];
        loop {
            let open: Vec<usize> = (0..receipts.len())
                .filter(|&i| answers[i].is_none())
                .collect();
            let call = batch_call(open.iter().map(|&index| &receipts[index]));
            let said: Said<BatchResults> = self.say(&call).await?;
            calls.push(said.took);
            let results = match said.result {
                Ok(results) if results.results.len() == open.len() => results.results,
                Ok(other) => {
                    let why = format!("{} results for {} ops", other.results.len(), open.len());
                    return Err(strange(&call, why, b""));
                }
                Err(problem) => {
                    let problem = Box::new(problem);
                    let answers = open.iter().map(|_| Err(problem.clone())).collect();
                    return Ok(Received { answers, calls });
                }
            };
            let out_of_patience = started.elapsed() > patience;
            for (&index, result) in open.iter().zip(results) {
                if out_of_patience || !result.asks_again() {
                    answers[index] = Some(result.into_result());
                }
            }
            if answers.iter().all(Option::is_some) {
                return Ok(Received {
                    answers: answers.into_iter().flatten().collect(),
                    calls,
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends `call` and reads the answer as a `T` or a refusal.
    pub async fn say<T: DeserializeOwned>(&self, call: &Call) -> Result<Said<T>, Failure> {
        let answer = self
            .send(call)
            .await
            .map_err(|gave_up| Failure::gave_up(call, gave_up))?;
        read(call, &answer)
    }
}

/// `POST /v1/reservations`.
pub fn reserve_call(want: &Reserve<'_>, key: String) -> Call {
    Call::post("/v1/reservations", key, want)
}

/// `POST /v1/reservations/{id}/confirm`, all lines.
pub fn confirm_call(id: &str, payment_ref: &str, key: String) -> Call {
    let path = format!("/v1/reservations/{id}/confirm");
    Call::post(path, key, &json!({ "payment_ref": payment_ref }))
}

/// Reads an answer as a `T` or a refusal.
pub fn read<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Result<Said<T>, Failure> {
    let result = if answer.status.is_success() {
        Ok(answer
            .parse()
            .map_err(|error| strange(call, error.to_string(), &answer.body))?)
    } else {
        Err(answer.problem())
    };
    Ok(Said {
        result,
        replayed: answer.replayed,
        took: answer.took,
    })
}

fn batch_call<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> Call {
    let operations: Vec<Value> = receipts
        .map(
            |Receipt {
                 key,
                 sku,
                 location,
                 qty,
             }| {
                json!({
                    "op": "movement", "key": key, "sku": sku,
                    "kind": "receive", "qty": qty, "location": location,
                })
            },
        )
        .collect();
    Call::keyless(
        Method::POST,
        "/v1/batch",
        &json!({ "operations": operations }),
    )
}

impl BatchResult {
    fn asks_again(&self) -> bool {
        self.status == 429 || self.status >= 500 || self.code() == Some("idempotency-in-progress")
    }

    fn into_result(self) -> Result<(), Box<Problem>> {
        if (200..300).contains(&self.status) {
            Ok(())
        } else {
            Err(Box::new(self.problem()))
        }
    }
}

fn name(call: &Call) -> String {
    format!("{} {}", call.method, call.path)
}

fn strange(call: &Call, why: String, body: &[u8]) -> Failure {
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    Failure::Strange {
        call: name(call),
        why,
        excerpt,
    }
}
