//! `holdfast webhook listen`: a receiver for trying things out. It verifies what it gets, prints it,
//! and answers as it is told, so that retries and slow receivers can be seen.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};

use super::webhook::secret;
use super::{Exit, fail, print};
use crate::events::webhooks::{NotGenuine, Secret, check_time};

/// The longest body that is taken.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The flags of `holdfast webhook listen`.
#[derive(Debug, clap::Args)]
pub(super) struct Listened {
    /// The port on the loopback address; 0 for a free one
    #[arg(long, value_name = "PORT")]
    port: u16,
    /// Refuse with 401 what is not signed with this; without it nothing is verified
    #[arg(long, value_name = "SECRET", env = "HOLDFAST_WEBHOOK_SECRET", hide_env_values = true,
        value_parser = secret)]
    secret: Option<Secret>,
    /// Answer with this status what is genuine
    #[arg(long, value_name = "STATUS", default_value_t = 204,
        value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// … after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// End after so many requests
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Runs it until SIGINT, or until it has had its requests.
pub(super) async fn run(listened: Listened) -> Exit {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listened.port));
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return fail(Exit::Failure, format!("{address} can't be bound: {error}")),
    };
    let address = listener.local_addr().unwrap_or(address);
    eprintln!("listening on http://{address}; events.webhooks_private lets a server send here");
    if listened.secret.is_none() {
        eprintln!("nothing is verified; --secret is the webhook's secret");
    }
    let (listened, taken) = (Arc::new(listened), Arc::new(AtomicU64::new(0)));
    let done = Arc::new(tokio::sync::Notify::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that broke before it was taken is no connection.
                if let Ok((stream, _)) = accepted {
                    let (listened, taken) = (Arc::clone(&listened), Arc::clone(&taken));
                    tokio::spawn(serve(stream, listened, taken, Arc::clone(&done)));
                }
            }
            _ = tokio::signal::ctrl_c() => return Exit::Success,
            () = done.notified() => {
                // The last answer is on its way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Exit::Success;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    listened: Arc<Listened>,
    taken: Arc<AtomicU64>,
    done: Arc<tokio::sync::Notify>,
) {
    let service = service_fn(|request| {
        let (listened, taken, done) = (listened.clone(), taken.clone(), done.clone());
        async move {
            let status = listened.take(request).await;
            let count = taken.fetch_add(1, Ordering::Relaxed) + 1;
            if listened.count.is_some_and(|most| most <= count) {
                done.notify_one();
            }
            let answer = Response::builder().status(status).body(Body::empty());
            Ok::<_, Infallible>(answer.expect("the status was checked"))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    // Whoever sent hears of a broken connection by itself.
    let _ = connection
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Listened {
    async fn take(&self, request: Request<Incoming>) -> u16 {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            eprintln!("refused: the body can't be read");
            return 400;
        };
        let body = body.to_bytes();
        let id = text(&head.headers, "webhook-id");
        if let Err(not) = self.check(&head.headers, &body) {
            eprintln!("refused {id}: {not}");
            return 401;
        }
        tokio::time::sleep(Duration::from_millis(self.delay)).await;
        eprintln!("{} {id}: {} bytes", self.status, body.len());
        // What stdout does not take has nowhere else to go.
        let _ = print(Exit::Success, lines(&head.headers, &body));
        self.status
    }

    fn check(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), NotGenuine> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        let stamp = text(headers, "webhook-timestamp").parse();
        let stamp: u64 = stamp.map_err(|_| NotGenuine::Time)?;
        let id = text(headers, "webhook-id");
        secret.verify(&id, stamp, &text(headers, "webhook-signature"), body)?;
        let now = holdfast_runtime::Clock::system(holdfast_core::Millis::from_secs(3_600)).now();
        check_time(stamp, now.time.ms() / 1_000)
    }
}

/// A request's events, one a line.
fn lines(headers: &HeaderMap, body: &Bytes) -> String {
    if headers.contains_key("ce-id") {
        return format!("{}\n", put_together(headers, body));
    }
    let events = serde_json::from_slice::<Vec<Box<RawValue>>>(body);
    match events {
        Ok(events) => events
            .iter()
            .flat_map(|event| [event.get(), "\n"])
            .collect(),
        Err(_) => format!("{}\n", String::from_utf8_lossy(body)),
    }
}

/// An event whose attributes came as headers.
fn put_together(headers: &HeaderMap, body: &Bytes) -> Value {
    let mut event = Map::new();
    for name in headers.keys() {
        if let Some(attribute) = name.as_str().strip_prefix("ce-") {
            event.insert(attribute.to_owned(), text(headers, name.as_str()).into());
        }
    }
    let data = serde_json::from_slice(body);
    let as_text = |_| Value::from(String::from_utf8_lossy(body));
    event.insert(
        "datacontenttype".to_owned(),
        text(headers, "content-type").into(),
    );
    event.insert("data".to_owned(), data.unwrap_or_else(as_text));
    Value::Object(event)
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
