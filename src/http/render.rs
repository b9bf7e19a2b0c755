//! Answers as callers read them: the one place that gives what the runtime said a status.
//!
//! A body is written once, straight from the core's views. The same [`Rendered`] answers a single
//! call and stands among the results of a batch, so the two can't drift apart.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use holdfast_core::{Answer, Refusal, ReservationView, SkuView, Timestamp};
use holdfast_runtime::{Fate, Unavailable};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::problem::{self, Code, Outcome, Problem};
use super::render_refusal::{Made, refused};
use super::render_shape::Refused;
use super::wire::drift::DriftShape;
use super::wire::movement::Asked;
use super::wire::view::{MovedShape, PositionOf, ReservationShape, SkuShape};

/// Says that an answer repeats the first outcome of its key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// Room for the answer to a reservation of a few lines.
const BODY_BYTES: usize = 768;

/// What the runtime said, ready to be written.
pub(crate) struct Rendered<'a> {
    status: StatusCode,
    replayed: bool,
    /// A SKU's version, where the answer is one.
    etag: Option<u64>,
    shape: Shape<'a>,
}

enum Shape<'a> {
    Reservation(&'a ReservationView),
    Sku(SkuShape<'a>),
    Moved(MovedShape<'a>),
    Drift(DriftShape<'a>),
    Refused(Refused<'a>),
    Problem(Problem),
}

/// A reservation that was told: what most results of a batch are, without room for all the others.
pub(crate) struct Held<'a> {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Whether it repeats the first outcome of its key.
    pub(crate) replayed: bool,
    /// The reservation.
    pub(crate) view: &'a ReservationView,
}

/// The reservation, if what was told is one.
pub(crate) fn held(told: &Result<Answer, Unavailable>) -> Option<Held<'_>> {
    let Ok(Answer::Reservation {
        view,
        created,
        replayed,
    }) = told
    else {
        return None;
    };
    Some(Held {
        status: success(*created),
        replayed: *replayed,
        view,
    })
}

/// Renders what the runtime said to an operation; `asked` is what a movement was asked for.
pub(crate) fn told<'a>(
    told: &'a Result<Answer, Unavailable>,
    asked: Option<&'a Asked>,
    position_of: PositionOf<'_>,
) -> Rendered<'a> {
    match told {
        Ok(answer) => self::answer(answer, asked, position_of),
        Err(unavailable) => Rendered::problem(self::unavailable(unavailable)),
    }
}

fn answer<'a>(
    answer: &'a Answer,
    asked: Option<&'a Asked>,
    position_of: PositionOf<'_>,
) -> Rendered<'a> {
    match answer {
        Answer::Reservation {
            view,
            created,
            replayed,
        } => Rendered {
            status: success(*created),
            replayed: *replayed,
            etag: None,
            shape: Shape::Reservation(view),
        },
        Answer::Sku {
            view,
            created,
            replayed,
        } => {
            let etag = Some(view.versions.all);
            let shape = Shape::Sku(sku_shape(view, position_of));
            Rendered {
                status: success(*created),
                replayed: *replayed,
                etag,
                shape,
            }
        }
        Answer::Movement { view, replayed } => {
            let asked = asked.expect("only a movement is answered with one");
            let sku = sku_shape(&view.sku, position_of);
            Rendered {
                status: success(view.outcome.is_recorded()),
                replayed: *replayed,
                etag: None,
                shape: Shape::Moved(MovedShape::of(view, asked, sku)),
            }
        }
        Answer::Refused {
            refusal,
            at,
            seq,
            replayed,
        } => {
            let made = Made {
                at: *at,
                seq: *seq,
                position_of,
            };
            Rendered {
                replayed: *replayed,
                ..refusal_of(refusal, &made)
            }
        }
        Answer::Full(table) => Rendered::problem(unavailable(&Unavailable::Full(table))),
        Answer::Drift { view, replayed } => {
            let position = |seq| position_of(&view.drift.sku, seq);
            Rendered {
                status: StatusCode::OK,
                replayed: *replayed,
                etag: None,
                shape: Shape::Drift(DriftShape::of(&view.drift, position)),
            }
        }
        Answer::Location { .. } => {
            unreachable!("nothing asks for these over HTTP yet")
        }
        Answer::Made { .. } => unreachable!("only a batch asks for answers in short"),
        Answer::Part(_) => unreachable!("shards tell this to each other, not to callers"),
    }
}

/// Renders a refusal that no shard had to make.
pub(crate) fn refusal<'a>(
    refusal: &'a Refusal,
    at: Timestamp,
    seq: u64,
    position_of: PositionOf<'_>,
) -> Rendered<'a> {
    refusal_of(
        refusal,
        &Made {
            at,
            seq,
            position_of,
        },
    )
}

fn refusal_of<'a>(refusal: &'a Refusal, made: &Made<'_>) -> Rendered<'a> {
    let refused = refused(refusal, made);
    Rendered {
        status: status_of(refused.code()),
        replayed: false,
        etag: None,
        shape: Shape::Refused(refused),
    }
}

/// A refusal whose text is written.
pub(crate) fn refused_again(code: Code, text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status_of(code);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, problem::CONTENT_TYPE);
    // The edge counts answers by code.
    response.extensions_mut().insert(code);
    response
}

/// Renders a SKU as the board has it.
pub(crate) fn sku<'a>(view: &'a SkuView, position_of: PositionOf<'_>) -> Rendered<'a> {
    let shape = Shape::Sku(sku_shape(view, position_of));
    let etag = Some(view.versions.all);
    Rendered {
        status: StatusCode::OK,
        replayed: false,
        etag,
        shape,
    }
}

/// A SKU that is as the caller knows it.
pub(crate) fn not_modified(version: u64) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(version))]).into_response()
}

/// Any other answer in JSON.
pub(crate) fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, JSON, body, 4 * BODY_BYTES)
}

/// An answer with a weak tag, or that the caller has it already.
pub(crate) fn tagged<T: Serialize>(
    tag: &HeaderValue,
    is_known: bool,
    body: impl FnOnce() -> T,
) -> Response {
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ok(&body())
    };
    response.headers_mut().insert(header::ETAG, tag.clone());
    response
}

/// What was made, or what the same key has made before.
pub(crate) fn created(body: &impl Serialize, replayed: bool) -> Response {
    repeated(json(StatusCode::CREATED, JSON, body, BODY_BYTES), replayed)
}

/// What was done, or was done with the same key before.
pub(crate) fn done(body: &impl Serialize, replayed: bool) -> Response {
    repeated(ok(body), replayed)
}

fn repeated(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert(REPLAYED, TRUE);
    }
    response
}

/// What was taken, and is done behind.
pub(crate) fn accepted(body: &impl Serialize) -> Response {
    json(StatusCode::ACCEPTED, JSON, body, 4 * BODY_BYTES)
}

/// An answer whose JSON is written already.
pub(crate) fn written(text: Vec<u8>) -> Response {
    response(StatusCode::OK, JSON, text)
}

/// Why there is no answer from the business.
pub(crate) fn unavailable(unavailable: &Unavailable) -> Problem {
    let text = unavailable.to_string();
    let problem = match unavailable {
        Unavailable::Overloaded { shard } => {
            Problem::new(Code::ShardOverloaded, text).with("shard", *shard)
        }
        Unavailable::Full(table) => {
            Problem::new(Code::Capacity, format!("{text}{}", way_out(table))).with("table", *table)
        }
        Unavailable::Recovering { shard }
        | Unavailable::Down { shard, .. }
        | Unavailable::PartUnavailable { shard }
        | Unavailable::Lost { shard } => {
            Problem::new(Code::ShardUnavailable, text).with("shard", *shard)
        }
        Unavailable::Draining => Problem::new(Code::Draining, text),
        Unavailable::Deadline => Problem::new(Code::TimedOut, text),
        Unavailable::Undecided | Unavailable::Unread => Problem::new(Code::Undecided, text),
        Unavailable::History { shard, .. } => {
            Problem::new(Code::HistoryUnavailable, text).with("shard", *shard)
        }
        // A conflict, no failure: it has no outcome of its own.
        Unavailable::KeyInProgress => return Problem::new(Code::IdempotencyInProgress, text),
    };
    let outcome = match unavailable.fate() {
        Fate::NotApplied => Outcome::NotApplied,
        Fate::Unknown => Outcome::Unknown,
    };
    let wait_ms = unavailable.retry_after().ms();
    problem
        .with_outcome(outcome)
        .with_retry_after_s(wait_ms.div_ceil(1_000).max(1) as u32)
        .with("retry_after_ms", wait_ms)
}

/// What to do about a full table: the keys of the configuration that bound it.
fn way_out(table: &str) -> &'static str {
    match table {
        "reservations" => {
            "; retry when some have ended and are forgotten, or raise reservations.reservations_max"
        }
        "keys" => {
            "; retry when some are forgotten (reservations.key_retention_ms), or raise \
             reservations.reservations_max, which bounds them at five for each"
        }
        "carts" => "; retry when some are decided, or raise carts.undecided_max",
        "lookups" => "; retry when some have been answered",
        _ => "; what is known is never forgotten, and this bound can't be raised",
    }
}

fn sku_shape<'a>(view: &'a SkuView, position_of: PositionOf<'_>) -> SkuShape<'a> {
    SkuShape::of(view, position_of(&view.sku, view.seq))
}

pub(crate) const fn success(created: bool) -> StatusCode {
    if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn status_of(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).expect("the codes have three-digit statuses")
}

fn etag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits and quotes are visible ASCII")
}

fn json(
    status: StatusCode,
    content_type: HeaderValue,
    body: &impl Serialize,
    bytes: usize,
) -> Response {
    response(status, content_type, text(body, bytes))
}

fn text(body: &impl Serialize, bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut text, body).expect("the shapes have text keys and a Vec takes all");
    text
}

fn response(status: StatusCode, content_type: HeaderValue, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

impl Rendered<'_> {
    /// A problem.
    pub(crate) fn problem(problem: Problem) -> Self {
        let status = problem.status();
        Self {
            status,
            replayed: false,
            etag: None,
            shape: Shape::Problem(problem),
        }
    }

    /// Its status, for counts.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code and text, if it is a refusal.
    pub(crate) fn into_refused(self) -> Option<(Code, Vec<u8>)> {
        match &self.shape {
            Shape::Refused(shape) => Some((shape.code(), text(shape, BODY_BYTES))),
            _ => None,
        }
    }

    /// Its code, if it is no success.
    pub(crate) fn code(&self) -> Option<Code> {
        match &self.shape {
            Shape::Reservation(_) | Shape::Sku(_) | Shape::Moved(_) | Shape::Drift(_) => None,
            Shape::Refused(refused) => Some(refused.code()),
            Shape::Problem(problem) => Some(problem.code()),
        }
    }
}

impl IntoResponse for Rendered<'_> {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = match &self.shape {
            Shape::Reservation(view) => json(status, JSON, &ReservationShape::of(view), BODY_BYTES),
            Shape::Sku(shape) => json(status, JSON, shape, 2 * BODY_BYTES),
            Shape::Moved(shape) => json(status, JSON, shape, 2 * BODY_BYTES),
            Shape::Drift(shape) => json(status, JSON, shape, BODY_BYTES),
            Shape::Refused(shape) => refused_again(shape.code(), text(shape, BODY_BYTES).into()),
            Shape::Problem(problem) => problem.clone().into_response(),
        };
        if self.replayed {
            response.headers_mut().insert(REPLAYED, TRUE);
        }
        if let Some(version) = self.etag {
            response.headers_mut().insert(header::ETAG, etag(version));
        }
        response
    }
}

/// As one of the results of a batch.
impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let mut map = json.serialize_map(None)?;
        map.serialize_entry("status", &self.status.as_u16())?;
        if self.replayed {
            map.serialize_entry("replayed", &true)?;
        }
        match &self.shape {
            Shape::Reservation(view) => {
                map.serialize_entry("reservation", &ReservationShape::of(view))?;
            }
            Shape::Sku(shape) => map.serialize_entry("sku", shape)?,
            Shape::Moved(MovedShape {
                movement,
                sku,
                outcome,
                applied,
                drift,
            }) => {
                if let Some(movement) = movement {
                    map.serialize_entry("movement", movement)?;
                }
                map.serialize_entry("sku", sku)?;
                map.serialize_entry("outcome", outcome)?;
                if let Some(applied) = applied {
                    map.serialize_entry("applied", applied)?;
                }
                if let Some(drift) = drift {
                    map.serialize_entry("drift", drift)?;
                }
            }
            Shape::Drift(shape) => map.serialize_entry("drift", shape)?,
            Shape::Refused(shape) => map.serialize_entry("problem", shape)?,
            Shape::Problem(problem) => map.serialize_entry("problem", problem)?,
        }
        map.end()
    }
}
