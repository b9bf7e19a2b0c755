//! One kept-alive connection, and the pool of those that are idle.
//!
//! A connection carries one call at a time. One that failed, or whose answer was not waited for,
//! is dropped and never used again, so an answer can't be taken for another call's.

use std::{io, sync::Mutex, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Bytes},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::Target;

const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Why one attempt brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// No connection: nothing was sent.
    #[error("can't connect: {0}")]
    Connect(#[source] io::Error),
    /// The connection ended before the answer was whole; the call may have had its effect.
    #[error("the connection broke: {0}")]
    Cut(#[source] hyper::Error),
    /// No whole answer in time; the call may have its effect yet.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Broken {
    /// Whether the server may have acted on the call all the same.
    pub fn may_have_applied(&self) -> bool {
        match self {
            Self::Connect(_) => false,
            Self::Cut(_) | Self::TimedOut(_) => true,
        }
    }
}

/// An answer whose body has been read to its end.
pub(super) type Whole = Response<Bytes>;

type Sender = SendRequest<Full<Bytes>>;

/// Connections to one server; holds as many idle ones as were ever in use at once.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    idle: Mutex<Vec<Sender>>,
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends one request and waits for its whole answer, at most `patience`.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Whole, Broken> {
        let mut sender = self.take().await?;
        let answer = timeout(patience, async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response::from_parts(parts, body))
        })
        .await;
        match answer {
            Ok(Ok(answer)) => {
                self.give_back(sender);
                Ok(answer)
            }
            Ok(Err(cut)) => Err(Broken::Cut(cut)),
            Err(_elapsed) => Err(Broken::TimedOut(patience)),
        }
    }

    async fn take(&self) -> Result<Sender, Broken> {
        while let Some(mut sender) = self.pop() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        open(&self.target).await
    }

    fn pop(&self) -> Option<Sender> {
        self.idle
            .lock()
            .expect("no holder of this lock can panic")
            .pop()
    }

    fn give_back(&self, sender: Sender) {
        if !sender.is_closed() {
            self.idle
                .lock()
                .expect("no holder of this lock can panic")
                .push(sender);
        }
    }
}

/// A new connection, driven by a task of its own; for bodies of any kind.
pub(super) async fn open<B>(target: &Target) -> Result<SendRequest<B>, Broken>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match target {
        Target::Tcp(authority) => {
            let stream = connect(TcpStream::connect(authority.as_str())).await?;
            // Small requests wait for nothing; without it the kernel would hold them back.
            stream.set_nodelay(true).map_err(Broken::Connect)?;
            shake_hands(stream).await
        }
        Target::Unix(path) => shake_hands(connect(UnixStream::connect(path)).await?).await,
    }
}

async fn connect<S>(opening: impl Future<Output = io::Result<S>>) -> Result<S, Broken> {
    match timeout(CONNECT_MAX, opening).await {
        Ok(opened) => opened.map_err(Broken::Connect),
        Err(_elapsed) => Err(Broken::Connect(io::ErrorKind::TimedOut.into())),
    }
}

async fn shake_hands<S, B>(stream: S) -> Result<SendRequest<B>, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, driver) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Broken::Cut)?;
    // The driver ends with the connection; what goes wrong there is told to the sender.
    tokio::spawn(async move { drop(driver.await) });
    Ok(sender)
}
