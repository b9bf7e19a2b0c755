//! The last refusal's answer, said again with another time where nothing else in it differs.
//!
//! Sold out is the commonest answer of a sale, and the same for many: so many units of one SKU,
//! none left. Each thread keeps the last such text and where time and position stand in it.
//! Deliberately absent: a text of its own, for `render` has written it; refusals of several lines,
//! and any that lean on no sequence of one shard.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::response::Response;
use holdfast_core::{Answer, Refusal, ShortLine, Sku, Timestamp};
use holdfast_runtime::Told;
use memchr::memmem;

use super::problem::Code;
use super::render;
use super::wire::view::PositionOf;
use crate::rfc3339::TimeText;

/// What one server says; others in this process have other positions.
pub(crate) struct Echo {
    server: u64,
}

/// A refusal that was answered, and how.
struct Said {
    server: u64,
    refusal: Refusal,
    at: Timestamp,
    seq: u64,
    code: Code,
    text: Bytes,
    /// Where the time stands: of the refusal, and of what it leans on.
    times: [usize; 2],
    /// Where the position stands.
    position: usize,
}

static SERVERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LAST: RefCell<Option<Said>> = const { RefCell::new(None) };
}

impl Echo {
    /// Of a new server.
    pub(crate) fn new() -> Self {
        Self {
            server: SERVERS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The answer to what was told, if it is a refusal that many may get.
    pub(crate) fn answer(&self, told: &Told, position_of: PositionOf<'_>) -> Option<Response> {
        let Ok(Answer::Refused {
            refusal,
            at,
            seq,
            replayed: false,
        }) = told
        else {
            return None;
        };
        let sku = sku_of(refusal).filter(|_| *seq > 0)?;
        LAST.with_borrow_mut(|last| {
            let is_like = |said: &Said| said.server == self.server && said.refusal == **refusal;
            if !last.as_ref().is_some_and(is_like) {
                *last = Said::first(self.server, refusal, (*at, *seq), position_of);
            }
            let said = last.as_mut()?;
            said.turn(*at, *seq, || position_of(sku, *seq));
            Some(render::refused_again(said.code, said.text.clone()))
        })
    }
}

impl Said {
    /// Has a refusal written; nothing if what differs next time can't be told from the rest.
    fn first(
        server: u64,
        refusal: &Refusal,
        (at, seq): (Timestamp, u64),
        position_of: PositionOf<'_>,
    ) -> Option<Self> {
        let (code, text) = render::refusal(refusal, at, seq, position_of).into_refused()?;
        let places = |part: &str| memmem::find_iter(&text, part).collect::<Vec<_>>();
        let position = position_of(sku_of(refusal)?, seq);
        let ([position], [first, second]) = (
            places(&position)[..].try_into().ok()?,
            places(TimeText::of(at).as_str())[..].try_into().ok()?,
        );
        Some(Self {
            server,
            refusal: refusal.clone(),
            at,
            seq,
            code,
            text: text.into(),
            times: [first, second],
            position,
        })
    }

    /// Brings the text to another time and place.
    fn turn(&mut self, at: Timestamp, seq: u64, position: impl FnOnce() -> String) {
        if (self.at, self.seq) == (at, seq) {
            return;
        }
        let mut text = self.text.to_vec();
        let mut write = |place: usize, part: &str| {
            text[place..place + part.len()].copy_from_slice(part.as_bytes());
        };
        if self.at != at {
            let time = TimeText::of(at);
            for place in self.times {
                write(place, time.as_str());
            }
        }
        if self.seq != seq {
            write(self.position, &position());
        }
        (self.at, self.seq, self.text) = (at, seq, text.into());
    }
}

/// The SKU of what a sale ends with: one that is not there.
fn sku_of(refusal: &Refusal) -> Option<&Sku> {
    match refusal {
        Refusal::InsufficientStock(lines) => match &lines[..] {
            [ShortLine { sku, .. }] => Some(sku),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;

    fn short(sku: &str, requested: u64) -> Refusal {
        Refusal::InsufficientStock(vec![ShortLine {
            sku: Sku::parse(sku).expect("a good name"),
            location: None,
            requested,
            available: 0,
            undecided: 0,
            stock: None,
        }])
    }

    async fn text(response: Response) -> (u16, Option<Code>, String) {
        let status = response.status().as_u16();
        let code = response.extensions().get::<Code>().copied();
        let type_is = format!("{:?}", response.headers());
        let body = response.into_body().collect().await.expect("it is there");
        let body = String::from_utf8(body.to_bytes().to_vec()).expect("JSON is UTF-8");
        (status, code, type_is + &body)
    }

    #[tokio::test]
    async fn what_is_said_again_is_what_would_have_been_written() {
        let (one, other) = (Echo::new(), Echo::new());
        let start = 1_795_361_400_000;
        // A name may look like a time or like a position.
        let time = TimeText::of(Timestamp::from_ms(start)).as_str().to_owned();
        let names = ["A", "B", &time, &format!("{:040x}", 7)];
        let mut turns = Vec::new();
        for number in 0..200_u64 {
            let name = names[(number / 3 % 4) as usize];
            let refusal = short(name, 1 + number / 40);
            turns.push((refusal, start + number / 2 % 5, 5 + number / 3 % 4));
        }
        for (number, (refusal, ms, seq)) in turns.into_iter().enumerate() {
            let server = if number % 11 < 8 { &one } else { &other };
            let offset = 1_000 * server.server;
            let position_of = |_: &Sku, seq: u64| format!("{:040x}", seq + offset);
            let told = Ok(Answer::Refused {
                refusal: Box::new(refusal),
                at: Timestamp::from_ms(ms),
                seq,
                replayed: false,
            });
            let written = render::told(&told, None, &position_of).into_response();
            let written = text(written).await;
            if let Some(said) = server.answer(&told, &position_of) {
                assert_eq!(text(said).await, written);
            }
        }
    }

    #[test]
    fn only_what_many_get_is_said_again() {
        let echo = Echo::new();
        let position_of = |_: &Sku, seq: u64| format!("{seq:040x}");
        let answer = |refusal, seq, replayed| {
            let told = Ok(Answer::Refused {
                refusal: Box::new(refusal),
                at: Timestamp::from_ms(1_795_361_400_000),
                seq,
                replayed,
            });
            echo.answer(&told, &position_of).is_some()
        };
        assert!(answer(short("A", 1), 1, false));
        assert!(!answer(short("A", 1), 1, true));
        assert!(!answer(short("A", 1), 0, false));
        assert!(!answer(Refusal::KeyReused, 1, false));
    }
}
