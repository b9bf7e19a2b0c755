//! One request to a receiver: to an address that was looked at, within its time, following
//! nothing, and reading no more of the answer than a status needs.
//!
//! Connections are kept open and used again. A receiver that hangs, is slow or answers garbage
//! costs a task and a connection, both bounded by who calls.

use super::address::{NoAddress, Reach, Target};
use super::record::Webhook;
use holdfast_core::Timestamp;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, header};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Of an answer's head and of its body, at most.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Connections that are kept open for later.
const IDLE_MAX: usize = 8;

/// What `User-Agent` says.
const AGENT: &str = concat!("holdfast/", env!("CARGO_PKG_VERSION"));

/// The longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// What is sent: the same bytes under the same id, however often it has to be.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) content_type: String,
    /// What stands beside what every message has.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// What was answered.
    pub(super) status: Option<u16>,
    /// Why it is no success.
    pub(super) error: Option<String>,
    /// How long the receiver wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
}

impl Attempt {
    pub(super) fn is_taken(&self) -> bool {
        self.error.is_none()
    }

    /// The receiver wants nothing more, ever.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Time-outs and reach of all webhooks, and whom they trust.
pub(super) struct Ways {
    pub(super) reach: Reach,
    pub(super) connect: Duration,
    pub(super) answer: Duration,
    pub(super) tls: OnceCell<Arc<ClientConfig>>,
}

/// The way to one receiver.
pub(super) struct Sender {
    ways: Arc<Ways>,
    target: Target,
    /// It knows its secrets, which change while it is being delivered to.
    webhook: Arc<Mutex<Webhook>>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Address(#[from] NoAddress),
    #[error("it can't be connected to: {0}")]
    Connect(std::io::Error),
    #[error("it was reached, but there is no TLS with it: {0}")]
    Tls(std::io::Error),
    #[error("there was no connection in {} ms", .0.as_millis())]
    ConnectTime(Duration),
    #[error("there was no answer in {} ms", .0.as_millis())]
    AnswerTime(Duration),
    #[error("no certificates to trust: {0}")]
    Trust(String),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

struct Answered {
    status: u16,
    retry_after: Option<Duration>,
}

impl Sender {
    /// To the receiver of this webhook.
    pub(super) fn new(ways: Arc<Ways>, target: Target, webhook: Arc<Mutex<Webhook>>) -> Self {
        Self {
            ways,
            target,
            webhook,
            idle: Mutex::default(),
        }
    }

    /// Sends a message once, at this time.
    pub(super) async fn send(&self, message: &Message, now: Timestamp) -> Attempt {
        let start = Instant::now();
        let told = self.try_send(message, now).await;
        let took = start.elapsed();
        match told {
            Ok(Answered {
                status,
                retry_after,
            }) => {
                let error = match status {
                    200..=299 => None,
                    300..=399 => Some(format!("it answered {status}; redirects are not followed")),
                    _ => Some(format!("it answered {status}")),
                };
                Attempt {
                    status: Some(status),
                    error,
                    retry_after,
                    took,
                }
            }
            Err(broken) => Attempt {
                status: None,
                error: Some(broken.to_string()),
                retry_after: None,
                took,
            },
        }
    }

    async fn try_send(&self, message: &Message, now: Timestamp) -> Result<Answered, Broken> {
        // One that was kept open may have been closed meanwhile; then nothing was heard of it.
        while let Some(connection) = self.take_idle() {
            match self.ask(connection, message, now).await {
                Err(Broken::Http(error)) if error.is_canceled() || error.is_closed() => {}
                Err(Broken::Http(error)) if error.is_incomplete_message() => {}
                told => return told,
            }
        }
        let connect = tokio::time::timeout(self.ways.connect, self.connect());
        let connection = connect
            .await
            .map_err(|_| Broken::ConnectTime(self.ways.connect))??;
        self.ask(connection, message, now).await
    }

    async fn ask(
        &self,
        connection: SendRequest<Full<Bytes>>,
        message: &Message,
        now: Timestamp,
    ) -> Result<Answered, Broken> {
        let within = self.ways.answer;
        let asked = tokio::time::timeout(within, self.exchange(connection, message, now));
        asked.await.map_err(|_| Broken::AnswerTime(within))?
    }

    async fn exchange(
        &self,
        mut connection: SendRequest<Full<Bytes>>,
        message: &Message,
        now: Timestamp,
    ) -> Result<Answered, Broken> {
        connection.ready().await?;
        let answer = connection.send_request(self.request(message, now)).await?;
        let told = Answered {
            status: answer.status().as_u16(),
            retry_after: retry_after(answer.headers()),
        };
        // What it says is of no interest, but read, the connection can be used again.
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        if body.is_ok() && !connection.is_closed() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
        Ok(told)
    }

    fn request(&self, message: &Message, now: Timestamp) -> Request<Full<Bytes>> {
        let webhook = self.webhook.lock().unwrap_or_else(PoisonError::into_inner);
        let (secrets, now_s) = (webhook.secrets(now.ms()), now.ms() / 1_000);
        drop(webhook);
        let signatures = secrets.iter();
        let signatures = signatures.map(|secret| secret.sign(&message.id, now_s, &message.body));
        let signatures: Vec<String> = signatures.collect();
        let mut request = Request::post(&self.target.path);
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        request
            .header(header::HOST, &self.target.authority)
            .header(header::CONTENT_TYPE, &message.content_type)
            .header(header::USER_AGENT, AGENT)
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", signatures.join(" "))
            .body(Full::new(message.body.clone()))
            .expect("a parsed URL and visible ASCII make a request")
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let addresses = self.target.addresses(self.ways.reach).await?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it, small requests may wait; it is no failure.
                    let _ = stream.set_nodelay(true);
                    return if self.target.is_tls {
                        self.wrap(stream).await
                    } else {
                        shake(stream).await
                    };
                }
                Err(error) => last = Some(error),
            }
        }
        Err(Broken::Connect(last.unwrap_or_else(|| {
            std::io::Error::other("it has no address")
        })))
    }

    async fn wrap(&self, stream: TcpStream) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let config = self.ways.tls.get_or_try_init(trusting).await?;
        let name = ServerName::try_from(self.target.host.clone());
        let name = name.map_err(|error| Broken::Tls(std::io::Error::other(error)))?;
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name, stream).await;
        shake(stream.map_err(Broken::Tls)?).await
    }
}

async fn shake(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>, Broken> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_BYTES_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // It ends when the sender is dropped or the receiver closes; who asks hears of failures.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// TLS that trusts whom the system trusts, or the files that `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// name.
async fn trusting() -> Result<Arc<ClientConfig>, Broken> {
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let loaded = loaded.map_err(|error| Broken::Trust(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(loaded.certs);
    if taken == 0 {
        let why = loaded.errors.first().map(ToString::to_string);
        let why = why.unwrap_or_else(|| "the system has none; set SSL_CERT_FILE".to_owned());
        return Err(Broken::Trust(why));
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}

/// What `Retry-After` asks for in seconds; dates are left alone.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let asked = Duration::from_secs(seconds.trim().parse().ok()?);
    Some(asked.min(RETRY_AFTER_MAX))
}
