//! Server-sent events: the feed while it happens.
//!
//! A task per stream reads on when its listener has taken what it was given; two messages lie
//! between them. A listener that takes nothing for `http.write_timeout_ms` is cut off, and comes
//! back with `Last-Event-ID`. Heartbeats carry the cursor too, so that a listener of few events
//! does not come back to the beginning. Format: the HTML standard, section 9.2.

use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::events::{expired, streaming};
use super::problem::{Code, Problem};
use super::state::Api;
use crate::events::{Batch, Crowded, Cursor, Ended, Events, Filter, Stream};

/// Messages on their way to a listener.
const AHEAD: usize = 2;

/// Messages are put together up to about this size.
const PIECE_BYTES: usize = 64 << 10;

/// Pause after the journal could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// A body whose pieces come through a channel.
pub(crate) struct Piped(mpsc::Receiver<Bytes>);

impl Piped {
    /// A body, and the way into it.
    pub(crate) fn body() -> (mpsc::Sender<Bytes>, Body) {
        let (to, pieces) = mpsc::channel(AHEAD);
        (to, Body::new(UnsyncBoxBody::new(Self(pieces))))
    }
}

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// The listener has gone.
struct Gone;

/// The answer: everything after `from`, one event a message, or up to `batch`.
pub(crate) fn answer(
    api: &Api,
    events: &Events,
    from: Cursor,
    filter: Filter,
    batch: Option<usize>,
) -> Result<Response, Problem> {
    let stream = events.stream(from.clone(), filter);
    let stream = stream.map_err(|no| crowded(events, no))?;
    let (to, body) = Piped::body();
    let listener = Listener {
        to,
        batch,
        heartbeat: api.event_bounds().heartbeat,
    };
    tokio::spawn(async move {
        // Whoever listened has gone; there is nobody to tell.
        let Err(Gone) = listener.tell(stream, &from).await;
    });
    Ok(streaming(body))
}

/// As many listen as may.
pub(crate) fn crowded(_: &Events, Crowded: Crowded) -> Problem {
    let detail = "as many streams as events.streams_max allows are open; retry later";
    Problem::new(Code::TooManyStreams, detail)
}

struct Listener {
    to: mpsc::Sender<Bytes>,
    batch: Option<usize>,
    heartbeat: Duration,
}

impl Listener {
    async fn tell(
        &self,
        mut stream: Stream,
        from: &Cursor,
    ) -> Result<std::convert::Infallible, Gone> {
        // Said at once, so that the listener knows its place before anything happens. It is the
        // place before the first events: one that breaks off now has not seen them.
        self.send(heartbeat(from)).await?;
        loop {
            let next = tokio::select! {
                biased;
                () = self.to.closed() => return Err(Gone),
                next = tokio::time::timeout(self.heartbeat, stream.next()) => next,
            };
            match next {
                Ok(Ok(batch)) => stream.meanwhile(self.pass_on(&batch)).await?,
                Err(_) => {
                    let told = heartbeat(stream.cursor());
                    stream.meanwhile(self.send(told)).await?;
                }
                Ok(Err(Ended::Expired { earliest })) => {
                    stream.meanwhile(self.send(gap(&earliest))).await?;
                    stream.seek(earliest);
                }
                Ok(Err(Ended::Failed(error))) => {
                    tracing::warn!(%error, "a stream waits");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn send(&self, message: Bytes) -> Result<(), Gone> {
        self.to.send(message).await.map_err(|_| Gone)
    }

    async fn pass_on(&self, batch: &Batch) -> Result<(), Gone> {
        match self.batch {
            Some(most) => self.arrays(batch, most).await,
            None => self.singles(batch).await,
        }
    }

    /// One message an event.
    async fn singles(&self, batch: &Batch) -> Result<(), Gone> {
        let mut text = Vec::with_capacity(PIECE_BYTES);
        for place in 0..batch.len() {
            let event = batch.event(place);
            let cursor = batch.cursor_after(place);
            let head = format!("id: {cursor}\nevent: {}\ndata: ", event.kind.name());
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(&batch.json(event));
            text.extend_from_slice(b"\n\n");
            if PIECE_BYTES <= text.len() {
                self.send(std::mem::take(&mut text).into()).await?;
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        self.send(text.into()).await
    }

    /// One message for up to `most` events: an array, with the last one's cursor.
    async fn arrays(&self, batch: &Batch, most: usize) -> Result<(), Gone> {
        let mut from = 0;
        while from < batch.len() {
            let to = batch.len().min(from + most);
            let cursor = if to == batch.len() {
                batch.cursor_after_all()
            } else {
                batch.cursor_after(to - 1)
            };
            let head = format!("id: {cursor}\nevent: batch\ndata: [");
            let pieces = batch.list(from..to);
            if let [whole] = &pieces[..] {
                // As it lies; copying it would cost more than three pieces do.
                self.send(head.into()).await?;
                self.send(whole.clone()).await?;
                self.send(Bytes::from_static(b"]\n\n")).await?;
            } else {
                let mut text = head.into_bytes();
                for piece in pieces {
                    text.extend_from_slice(&piece);
                }
                text.extend_from_slice(b"]\n\n");
                self.send(text.into()).await?;
            }
            from = to;
        }
        Ok(())
    }
}

/// A message without data: browsers note its id and call nobody.
fn heartbeat(cursor: &Cursor) -> Bytes {
    format!("id: {cursor}\n: heartbeat\n\n").into()
}

/// Events were lost to this listener, and from where it goes on.
fn gap(earliest: &Cursor) -> Bytes {
    let mut text = format!("id: {earliest}\nevent: gap\ndata: ");
    let problem = expired(earliest);
    let told = serde_json::to_string(&problem).expect("a problem is JSON");
    // Writing to a string does not fail.
    let _ = write!(text, "{told}\n\n");
    text.into()
}
