//! The stream under hyper: it stamps the clock, cuts off readers that don't read, and puts a
//! problem in the place of hyper's own bare answers to what is no HTTP request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::RequestId;
use super::listener_clock::Clock;
use super::problem::{Code, Problem};
use crate::telemetry::{Cut, HttpMetrics};

/// A stream with its guards.
pub(crate) struct Guarded<S> {
    stream: S,
    clock: Arc<Clock>,
    metrics: Arc<HttpMetrics>,
    write_timeout: Duration,
    /// Armed while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What goes out in the place of hyper's own answer, and how much of it has gone.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(crate) fn new(
        stream: S,
        clock: Arc<Clock>,
        metrics: Arc<HttpMetrics>,
        write_timeout: Duration,
    ) -> Self {
        Self {
            stream,
            clock,
            metrics,
            write_timeout,
            stalled: None,
            instead: None,
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Takes hyper's own answer, if `bytes` is one.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        let Some(code) = own_answer(bytes) else {
            return false;
        };
        self.metrics.cut(Cut::MalformedHead);
        let detail = "the request line or the headers can't be read; the connection is closed";
        self.instead = Some((raw_answer(&Problem::new(code, detail)), 0));
        true
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.instead {
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    *written += count;
                    if *written == bytes.len() {
                        self.instead = None;
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Turns a wait that lasts too long into an error.
    fn watched<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let timeout = self.write_timeout;
        let sleep = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.metrics.cut(Cut::WriteTimeout);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no answer",
        )))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.clock.bytes_came();
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && slices.first().is_some_and(|first| self.replaces(first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut poll = self.poll_instead(cx);
        if matches!(poll, Poll::Ready(Ok(()))) {
            poll = Pin::new(&mut self.stream).poll_flush(cx);
        }
        self.watched(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut poll = self.poll_instead(cx);
        if matches!(poll, Poll::Ready(Ok(()))) {
            poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        self.watched(poll, cx)
    }
}

/// The code for an answer that hyper wrote by itself: those alone have no `Request-Id`.
fn own_answer(bytes: &[u8]) -> Option<Code> {
    let status = bytes
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))?;
    let code = match status {
        b"400" => Code::MalformedHead,
        b"414" => Code::UriTooLong,
        b"431" => Code::HeadTooLarge,
        _ => return None,
    };
    let name = b"\r\nrequest-id: ";
    (!bytes.windows(name.len()).any(|window| window == name)).then_some(code)
}

/// A whole answer that closes the connection, for where no handler and no hyper is.
pub(crate) fn raw_answer(problem: &Problem) -> Vec<u8> {
    let body = problem.to_json();
    let status = problem.status();
    let retry = problem
        .retry_after_s()
        .map(|seconds| format!("retry-after: {seconds}\r\n"))
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         request-id: {}\r\n{retry}connection: close\r\n\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        RequestId::generate(),
    );
    [head.into_bytes(), body].concat()
}
