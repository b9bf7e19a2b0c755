//! A body as it comes in, piece by piece, for the few calls that don't wait for its end.
//!
//! Deliberately absent: bytes without bound. A piece is handed over when the one before was taken,
//! so a handler that is slow makes its client slow.

use axum::body::Bytes;
use tokio::sync::mpsc;

/// Pieces that wait between the connection and its handler.
const WAITING_MAX: usize = 2;

/// What came next.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes.
    Data(Bytes),
    /// The body is whole.
    End,
    /// Nothing more comes, and it is not whole.
    Cut(Cause),
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No byte came for too long.
    Late,
    /// It is badly framed, or the connection broke.
    Broken,
}

/// A body's pieces, on the handler's side. It may outlive the connection.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Piece>);

impl Pieces {
    /// Both ends of an empty body.
    pub(crate) fn channel() -> (mpsc::Sender<Piece>, Self) {
        let (to, from) = mpsc::channel(WAITING_MAX);
        (to, Self(from))
    }

    /// A body that has arrived.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let (to, pieces) = Self::channel();
        to.try_send(Piece::Data(bytes))
            .and_then(|()| to.try_send(Piece::End))
            .expect("there is room for two");
        pieces
    }

    /// The next piece; a connection that has gone has cut its body.
    pub(crate) async fn next(&mut self) -> Piece {
        self.0.recv().await.unwrap_or(Piece::Cut(Cause::Broken))
    }
}
