//! Sending a body that is read while it is sent.
//!
//! Deliberately absent: repeats. Where to go on after a break is for the caller to ask.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use tokio::sync::mpsc;

use super::connection::{Broken, open};
use super::{Target, wire::Problem};

/// What is sent, and what it is.
#[derive(Debug)]
pub struct Upload {
    /// The path with its query.
    pub path: String,
    /// The media type.
    pub content_type: &'static str,
    /// The pieces; an error, or an end without an empty piece, breaks the connection.
    pub pieces: mpsc::Receiver<io::Result<Bytes>>,
}

/// A body whose last piece is empty.
struct Pieces {
    from: mpsc::Receiver<io::Result<Bytes>>,
    has_ended: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.from.poll_recv(cx).map(|piece| match piece {
            Some(Ok(bytes)) if bytes.is_empty() => {
                self.has_ended = true;
                None
            }
            Some(piece) => Some(piece.map(Frame::data)),
            // Whoever read has died; what was sent must not pass for the whole.
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

/// Sends it and waits for the answer, however long that takes: its status and its body.
pub async fn upload(target: &Target, upload: Upload) -> Result<(StatusCode, Bytes), Broken> {
    let mut sender = open::<Pieces>(target).await?;
    let body = Pieces {
        from: upload.pieces,
        has_ended: false,
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(upload.path)
        .header(HOST, target.authority())
        .header(CONTENT_TYPE, upload.content_type)
        .body(body)
        .expect("paths and headers are made by commands");
    let answer = sender.send_request(request).await.map_err(Broken::Cut)?;
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.map_err(Broken::Cut)?.to_bytes();
    Ok((head.status, bytes))
}

impl Problem {
    /// The problem in a body, or one made of the status.
    pub fn of_body(status: StatusCode, body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self::of_status(status))
    }
}
