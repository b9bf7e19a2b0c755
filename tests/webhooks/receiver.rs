//! A receiver that answers as a test tells it, and remembers what came.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use holdfast::events::webhooks::Secret;
use serde_json::Value;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a receiver does with a request.
pub(crate) enum Reply {
    /// Answers.
    Status(u16),
    /// Answers that it is elsewhere.
    Elsewhere(String),
    /// Answers after a while.
    Later(Duration, u16),
    /// Never answers.
    Hang,
    /// Sends what is no HTTP, and a lot of it.
    Garbage,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) timestamp: u64,
    pub(crate) signature: String,
    pub(crate) content_type: String,
    /// Attributes that came as headers.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether it was answered with a success.
    pub(crate) taken: bool,
}

impl Got {
    /// Its events.
    pub(crate) fn events(&self) -> Vec<Value> {
        match serde_json::from_slice(&self.body).expect("a body is JSON") {
            Value::Array(events) => events,
            event => vec![event],
        }
    }

    pub(crate) fn sku(&self) -> String {
        self.events()[0]["subject"]
            .as_str()
            .unwrap_or("-")
            .to_owned()
    }

    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let secret = Secret::parse(secret).expect("a good secret");
        let verified = secret.verify(&self.id, self.timestamp, &self.signature, &self.body);
        verified.is_ok()
    }
}

/// A listening receiver; its threads end with the test.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
    tls: Arc<Mutex<Option<Arc<ServerConfig>>>>,
}

type Manner = dyn Fn(&Got) -> Reply + Send + Sync;

impl Receiver {
    pub(crate) fn start(manner: impl Fn(&Got) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (got, tls) = (
            Arc::default(),
            Arc::<Mutex<Option<Arc<ServerConfig>>>>::default(),
        );
        let (all, manner): (Arc<Mutex<Vec<Got>>>, Arc<Manner>) =
            (Arc::clone(&got), Arc::new(manner));
        let as_now = Arc::clone(&tls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, manner) = (Arc::clone(&all), Arc::clone(&manner));
                let tls = as_now.lock().expect("no thread panics with it").clone();
                // A connection that breaks is the sender's to open anew.
                thread::spawn(move || match tls {
                    None => serve(stream, &all, &*manner),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a good configuration");
                        serve(StreamOwned::new(connection, stream), &all, &*manner);
                    }
                });
            }
        });
        Self {
            url: format!("http://{address}/in?shop=1"),
            got,
            tls,
        }
    }

    /// From now on it speaks TLS, as this; where `localhost` is to be connected to.
    pub(crate) fn speak_tls(&self, config: Arc<ServerConfig>) -> String {
        *self.tls.lock().expect("no thread panics with it") = Some(config);
        let url = self.url.replace("http://", "https://");
        url.replace("127.0.0.1", "localhost")
    }

    /// One that takes everything.
    pub(crate) fn kind() -> Self {
        Self::start(|_| Reply::Status(204))
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no thread panics with it").clone()
    }

    pub(crate) fn taken(&self) -> Vec<Got> {
        let got = self.got().into_iter();
        got.filter(|got| got.taken).collect()
    }

    /// What was taken of a SKU, by sequence, in order; repeats of an id once.
    pub(crate) fn taken_of(&self, sku: &str) -> Vec<String> {
        let mut sequences = Vec::new();
        for event in self.taken().iter().flat_map(Got::events) {
            let sequence = event["sequence"].as_str().expect("a text").to_owned();
            if event["subject"] == sku && !sequences.contains(&sequence) {
                sequences.push(sequence);
            }
        }
        sequences
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn serve(stream: impl Read + Write, all: &Mutex<Vec<Got>>, manner: &Manner) {
    let mut stream = BufReader::new(stream);
    while serve_one(&mut stream, all, manner).is_some() {}
}

fn serve_one(
    reader: &mut BufReader<impl Read + Write>,
    all: &Mutex<Vec<Got>>,
    manner: &Manner,
) -> Option<()> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    assert!(line.starts_with("POST /in?shop=1 HTTP/1.1"), "{line}");
    let mut headers = std::collections::HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut body = vec![0; header("content-length").parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let mut got = Got {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().ok()?,
        signature: header("webhook-signature"),
        content_type: header("content-type"),
        attributes: headers
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("ce-")?.to_owned(), value.clone())))
            .collect(),
        body,
        taken: false,
    };
    let reply = manner(&got);
    got.taken = matches!(reply, Reply::Status(200..=299) | Reply::Later(_, 200..=299));
    all.lock().expect("no thread panics with it").push(got);
    let to = reader.get_mut();
    let mut status = |status: u16, more: &str| {
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n{more}\r\nok");
        to.write_all(head.as_bytes()).and_then(|()| to.flush()).ok()
    };
    match reply {
        Reply::Status(204) => to
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .and_then(|()| to.flush())
            .ok(),
        Reply::Status(code) => status(code, ""),
        Reply::Elsewhere(url) => status(307, &format!("location: {url}\r\n")),
        Reply::Later(pause, code) => {
            thread::sleep(pause);
            status(code, "")
        }
        Reply::Hang => {
            thread::sleep(Duration::from_mins(2));
            None
        }
        Reply::Garbage => {
            let noise = vec![b'x'; 1 << 20];
            to.write_all(&noise).ok()?;
            None
        }
    }
}
