//! An answer that goes on until the server ends, and then ends as any other does, so that its
//! listener knows that nothing broke.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;

use super::listener_clock::Clock;

/// A body that ends where it is once its connection is told to end. The connection polls it then.
pub(super) struct Ending {
    body: Body,
    clock: Arc<Clock>,
}

impl Ending {
    /// The same body, with an end.
    pub(super) fn body(body: Body, clock: Arc<Clock>) -> Body {
        Body::new(Self { body, clock })
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.clock.is_ending() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
