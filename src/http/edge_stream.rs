//! Handing a body to its handler while it arrives.
//!
//! Every piece has the time that whole bodies have elsewhere; the handler bounds its own. Both run
//! in the connection's task, so a handler that must outlive its connection starts a task itself.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as _, Incoming};
use tokio::sync::mpsc;

use super::edge::Edge;
use super::edge_body::{self, Arrived};
use super::listener_clock::{Clock, Stage};
use super::pieces::{Cause, Piece, Pieces};
use super::problem::Problem;
use super::request_id::RequestId;

impl Edge {
    /// Runs the handler of a route that takes its body in pieces.
    pub(super) async fn stream(
        &self,
        route: usize,
        head: Parts,
        body: Incoming,
        id: &RequestId,
        clock: &Clock,
    ) -> Response {
        clock.enter(Stage::Stream, Instant::now());
        let (to, pieces) = Pieces::channel();
        let has_ended = AtomicBool::new(body.is_end_stream());
        let handler = self.routes().stream(route, head, pieces);
        let both = async {
            let mut handler = pin!(handler);
            let mut pump = pin!(pump(body, to, clock, &has_ended));
            tokio::select! {
                biased;
                response = &mut handler => return response,
                () = &mut pump => {}
            }
            handler.await
        };
        let response = self.handle(both, id, clock).await;
        if has_ended.load(Ordering::Relaxed) {
            response
        } else {
            unread(response, clock)
        }
    }

    /// Turns a body away without reading it.
    pub(super) fn turn_away(problem: Problem, clock: &Clock) -> Response {
        unread(problem.into_response(), clock)
    }
}

/// An answer while the client may still be sending: the connection can't be used again.
fn unread(mut response: Response, clock: &Clock) -> Response {
    clock.leave_unread();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Hands pieces over until the body has ended, one way or the other.
async fn pump(mut body: Incoming, to: mpsc::Sender<Piece>, clock: &Clock, has_ended: &AtomicBool) {
    // A handler that wants no more has dropped its end.
    while let Ok(place) = to.reserve().await {
        let arrived = edge_body::next(&mut body, clock, Instant::now()).await;
        clock.enter(Stage::Stream, Instant::now());
        let last = match arrived {
            Arrived::Data(bytes) => {
                place.send(Piece::Data(bytes));
                continue;
            }
            Arrived::End => {
                has_ended.store(true, Ordering::Relaxed);
                Piece::End
            }
            Arrived::Late => Piece::Cut(Cause::Late),
            Arrived::Broken => Piece::Cut(Cause::Broken),
        };
        place.send(last);
        return;
    }
}
