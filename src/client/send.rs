//! Sending a call until it is answered.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Broken, Outages, Patience, Retries, Target,
    connection::{Pool, Whole},
    policy::{CAPACITY_TRIES_MAX, Cause, RetryCounters, Verdict, judge, pause},
    wire::Problem,
};

/// One call of the contract. The same value may be sent again: same key, same body.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `PUT`, `POST` or `DELETE`.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// What goes into `Idempotency-Key`: visible ASCII.
    pub key: Option<String>,
    /// JSON, or nothing.
    pub body: Bytes,
}

impl Call {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            key: None,
            body: Bytes::new(),
        }
    }

    /// A change that carries its own repeat protection (or needs none) and no key.
    pub fn keyless(method: Method, path: impl Into<String>, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("wire types have string keys and no failures");
        Self {
            method,
            path: path.into(),
            key: None,
            body: body.into(),
        }
    }

    /// A change under an idempotency key.
    pub fn post(path: impl Into<String>, key: String, body: &impl serde::Serialize) -> Self {
        Self {
            key: Some(key),
            ..Self::keyless(Method::POST, path, body)
        }
    }
}

/// What the server said in the end: a success or a refusal.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Whether it was marked as the first outcome of a repeated key.
    pub replayed: bool,
    /// The body, whole.
    pub body: Bytes,
    /// How long the answered attempt took, without the attempts before it.
    pub took: Duration,
    /// Attempts made, this one included.
    pub tries: u32,
}

impl Answer {
    /// The body as `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The refusal's problem, or one made of the status where the body is none.
    pub fn problem(&self) -> Problem {
        self.parse()
            .unwrap_or_else(|_| Problem::of_status(self.status))
    }
}

/// A call without a usable answer after all patience.
#[derive(Debug, thiserror::Error)]
#[error("gave up after {} in {:.1} s: {reason}", tries_made(*.tries), .waited.as_secs_f64())]
pub struct GaveUp {
    /// Attempts made.
    pub tries: u32,
    /// Time spent.
    pub waited: Duration,
    /// Whether any attempt may have had its effect.
    pub may_have_applied: bool,
    /// What the last attempt met.
    pub reason: Reason,
}

/// So many, in words.
fn tries_made(tries: u32) -> String {
    match tries {
        1 => "1 try".to_owned(),
        _ => format!("{tries} tries"),
    }
}

/// What an unanswered call met last.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// No answer at all.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The server kept saying that it can't now.
    #[error("{} {}", .0.status, .0.code)]
    Problem(Box<Problem>),
}

/// A client of one server. Cheap to share by reference; no limit on concurrent calls of its own.
#[derive(Debug)]
pub struct Client {
    pool: Pool,
    host: HeaderValue,
    patience: Patience,
    outages: Outages,
    retries: RetryCounters,
    jitter: AtomicU64,
}

impl Client {
    /// A client of the server at `target`. Nothing is sent yet.
    pub fn new(target: Target, patience: Patience) -> Self {
        let host = HeaderValue::from_str(target.authority())
            .expect("Target::from_str admits visible ASCII only");
        Self {
            pool: Pool::new(target),
            host,
            patience,
            outages: Outages::default(),
            retries: RetryCounters::default(),
            jitter: AtomicU64::new(0),
        }
    }

    /// Where it connects to.
    pub fn target(&self) -> &Target {
        self.pool.target()
    }

    /// When the server was away.
    pub fn outages(&self) -> &Outages {
        &self.outages
    }

    /// What had to be repeated so far.
    pub fn retries(&self) -> Retries {
        self.retries.read()
    }

    /// Sends `call` until it is answered: refusals are answers, overload and silence are not.
    pub async fn send(&self, call: &Call) -> Result<Answer, GaveUp> {
        let started = Instant::now();
        let mut tries = 0;
        let mut may_have_applied = false;
        loop {
            tries += 1;
            let (cause, asked, reason) = match self.once(call, self.patience.attempt).await {
                Ok(mut answer) => {
                    answer.0.tries = tries;
                    match look_at(answer) {
                        Ok(answer) => return Ok(answer),
                        Err(again) => again,
                    }
                }
                Err(broken) => {
                    let cause = match broken {
                        Broken::Connect(_) => Cause::Refused,
                        Broken::Cut(_) => Cause::Cut,
                        Broken::TimedOut(_) => Cause::TimedOut,
                    };
                    (cause, None, Reason::Broken(broken))
                }
            };
            may_have_applied |= reason.may_have_applied();
            let full = matches!(&reason, Reason::Problem(problem) if problem.code == "capacity");
            let pause = pause(tries, asked, self.jitter());
            let waited = started.elapsed();
            if waited + pause > self.patience.call || full && tries >= CAPACITY_TRIES_MAX {
                return Err(GaveUp {
                    tries,
                    waited,
                    may_have_applied,
                    reason,
                });
            }
            self.retries.count(cause);
            sleep(pause).await;
        }
    }

    /// Sends `call` once and doesn't wait longer than `patience` for the answer. Callers who walk
    /// away are played with this: the connection is closed with the call under way.
    pub async fn walk_away(&self, call: &Call, patience: Duration) -> Result<Answer, Broken> {
        self.once(call, patience).await.map(|(answer, _)| answer)
    }

    async fn once(
        &self,
        call: &Call,
        patience: Duration,
    ) -> Result<(Answer, Option<Duration>), Broken> {
        let started = Instant::now();
        match self.pool.exchange(self.request(call), patience).await {
            Ok(whole) => {
                self.outages.answered();
                Ok((answer(&whole, started.elapsed()), retry_after(&whole)))
            }
            Err(broken) => {
                if matches!(broken, Broken::Connect(_)) {
                    self.outages.refused();
                }
                Err(broken)
            }
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path.as_str())
            .header(HOST, self.host.clone());
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key.as_str());
        }
        request
            .body(Full::new(call.body.clone()))
            .expect("paths and keys are visible ASCII")
    }

    fn jitter(&self) -> u64 {
        xxh3_64(&self.jitter.fetch_add(1, Ordering::Relaxed).to_le_bytes())
    }
}

impl Reason {
    fn may_have_applied(&self) -> bool {
        match self {
            Self::Broken(broken) => broken.may_have_applied(),
            Self::Problem(problem) => problem.may_have_applied(),
        }
    }
}

/// The answer, if it is one to go on with.
fn look_at(
    (answer, asked): (Answer, Option<Duration>),
) -> Result<Answer, (Cause, Option<Duration>, Reason)> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let problem = answer.problem();
    match judge(answer.status, Some(&problem.code)) {
        Verdict::Final => Ok(answer),
        Verdict::Again(cause) => Err((cause, asked, Reason::Problem(Box::new(problem)))),
    }
}

fn answer(whole: &Whole, took: Duration) -> Answer {
    let replayed = whole
        .headers()
        .get("idempotent-replayed")
        .is_some_and(|value| value == "true");
    Answer {
        status: whole.status(),
        replayed,
        body: whole.body().clone(),
        took,
        tries: 1,
    }
}

fn retry_after(whole: &Whole) -> Option<Duration> {
    let seconds = whole
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_up_says_how_often_it_was_tried() {
        let gave_up = |tries| GaveUp {
            tries,
            waited: Duration::from_millis(1_500),
            may_have_applied: false,
            reason: Reason::Problem(Box::new(Problem::of_status(
                StatusCode::SERVICE_UNAVAILABLE,
            ))),
        };
        let begins = |tries, words| gave_up(tries).to_string().starts_with(words);
        assert!(begins(1, "gave up after 1 try in 1.5 s: 503"));
        assert!(begins(2, "gave up after 2 tries in 1.5 s: 503"));
    }
}
