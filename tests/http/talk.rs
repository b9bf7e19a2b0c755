//! One connection to a service, and the transcript of what was said.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};

use crate::schema;

/// Counters, which are left out of transcripts while they are 0.
const COUNTERS: [&str; 15] = [
    "on_hand",
    "reserved",
    "safety_stock",
    "sold",
    "shipped",
    "returned",
    "damaged",
    "received",
    "returns_received",
    "adjusted",
    "transferred",
    "written_off",
    "released",
    "expired",
    "shortfall",
];

/// Headers that a transcript shows.
const SHOWN: [HeaderName; 5] = [
    HeaderName::from_static("idempotent-replayed"),
    header::ETAG,
    header::RETRY_AFTER,
    header::ALLOW,
    header::CONTENT_TYPE,
];

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A connection that keeps a transcript.
pub(crate) struct Talk {
    connection: SendRequest<Full<Bytes>>,
    transcript: String,
    ids: Vec<String>,
}

/// A request under construction.
pub(crate) struct Asked<'a> {
    talk: &'a mut Talk,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Talk {
    /// Over TCP.
    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the service listens");
        Self::over(stream).await
    }

    /// Over a Unix socket.
    pub(crate) async fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path)
            .await
            .expect("the service listens");
        Self::over(stream).await
    }

    async fn over<S>(stream: S) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (connection, driver) = handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/1.1 needs no handshake");
        tokio::spawn(driver);
        Self {
            connection,
            transcript: String::new(),
            ids: Vec::new(),
        }
    }

    /// What was said so far.
    pub(crate) fn transcript(self) -> String {
        self.transcript
    }

    /// A heading in the transcript.
    pub(crate) fn note(&mut self, text: &str) {
        writeln!(self.transcript, "# {text}\n").expect("a String takes every text");
    }

    pub(crate) fn get(&mut self, path: &str) -> Asked<'_> {
        self.ask(Method::GET, path)
    }

    /// A POST in JSON with a key.
    pub(crate) fn post(&mut self, path: &str, key: &str, body: &str) -> Asked<'_> {
        self.ask(Method::POST, path)
            .header("idempotency-key", key)
            .json(body)
    }

    pub(crate) fn put(&mut self, path: &str, body: &str) -> Asked<'_> {
        self.ask(Method::PUT, path).json(body)
    }

    pub(crate) fn ask(&mut self, method: Method, path: &str) -> Asked<'_> {
        let headers = vec![("host", "holdfast".to_owned())];
        Asked {
            talk: self,
            method,
            path: path.to_owned(),
            headers,
            body: Vec::new(),
        }
    }

    /// Creates a SKU and receives units of it, outside of the transcript.
    pub(crate) async fn stocked(&mut self, sku: &str, units: u64) {
        self.configured(sku, "{}").await;
        let path = format!("/v1/skus/{sku}/movements");
        let body = format!(r#"{{"kind":"receive","qty":{units}}}"#);
        let answer = self
            .post(&path, &format!("stock-{sku}-{units}"), &body)
            .quietly()
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// Configures a SKU, outside of the transcript.
    pub(crate) async fn configured(&mut self, sku: &str, body: &str) {
        let answer = self.put(&format!("/v1/skus/{sku}"), body).quietly().await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }

    /// Reserves, outside of the transcript, and gives the id.
    pub(crate) async fn reserved(&mut self, key: &str, body: &str) -> String {
        let answer = self.post("/v1/reservations", key, body).quietly().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"]
            .as_str()
            .expect("a reservation has an id")
            .to_owned()
    }

    /// The answer's body as it is, of what is no JSON.
    pub(crate) async fn text(mut self, path: &str) -> String {
        let request = Request::get(path).header("host", "holdfast");
        let request = request.body(Full::default()).expect("a good request");
        let (status, _, body) = self.send(request).await;
        assert!(status.is_success(), "{path}: {status}");
        String::from_utf8(body.to_vec()).expect("it is text")
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
        self.connection
            .ready()
            .await
            .expect("the connection is usable");
        let response = self
            .connection
            .send_request(request)
            .await
            .expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        (head.status, head.headers, body)
    }

    /// Names ids in the order of their appearance, and hides what differs from run to run; time does
    /// not, since the stories move the clock by hand.
    fn redact(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|name, value| !(COUNTERS.contains(&name.as_str()) && *value == 0));
                // How far a projection has come is a matter of luck.
                if map.contains_key("shard") && map.contains_key("time") {
                    map.insert("time".to_owned(), "<time>".into());
                }
                for (name, value) in map.iter_mut() {
                    match name.as_str() {
                        "position" | "next_cursor" | "after" | "up_to" if value.is_string() => {
                            *value = format!("<{name}>").into();
                        }
                        _ => self.redact(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            Value::String(text) => {
                *text = self.hide_ids(text);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn hide_ids(&mut self, text: &str) -> String {
        const LENGTH: usize = 36;
        let mut hidden = text.to_owned();
        let starts = 0..text.len().saturating_sub(LENGTH - 1);
        for id in starts.filter_map(|start| text.get(start..start + LENGTH)) {
            if is_id(id) {
                let known = self.ids.iter().position(|known| known == id);
                let number = known.unwrap_or_else(|| {
                    self.ids.push(id.to_owned());
                    self.ids.len() - 1
                });
                hidden = hidden.replace(id, &format!("<id {}>", number + 1));
            }
        }
        hidden
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && holdfast_core::ReservationId::parse(text).is_some()
}

impl Asked<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Without the header of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json")
            .bytes(body.as_bytes())
    }

    pub(crate) fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Sends it and writes both sides down.
    pub(crate) async fn said(self) -> Answer {
        let mut line = format!("{} {}", self.method, self.talk_path());
        for (name, value) in &self.headers {
            if !matches!(*name, "host" | "content-type") {
                write!(line, " {name}={value}").expect("a String takes every text");
            }
        }
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let (method, path) = (self.method.clone(), self.path.clone());
        let Asked {
            talk,
            method: sent,
            path: to,
            headers,
            body,
        } = self;
        let answer = exchange(talk, sent, &to, &headers, body).await;
        let line = talk.hide_ids(&line);
        let text = talk.hide_ids(&text);
        let out = &mut talk.transcript;
        writeln!(out, "{line}").expect("a String takes every text");
        if !text.is_empty() {
            let short: String = text.chars().take(400).collect();
            writeln!(
                out,
                "{}",
                short.split_whitespace().collect::<Vec<_>>().join(" ")
            )
            .expect("a String takes every text");
        }
        write!(out, "-> {}", answer.status.as_u16()).expect("a String takes every text");
        for name in SHOWN {
            let Some(value) = answer.headers.get(&name) else {
                continue;
            };
            let value = value.to_str().expect("headers are ASCII");
            let is_usual = matches!(value, "application/json" | "application/problem+json");
            if !is_usual {
                write!(out, " {name}={value}").expect("a String takes every text");
            }
        }
        out.push('\n');
        let mut shown = answer.body.clone();
        talk.redact(&mut shown);
        talk.transcript.push_str(&laid_out(&shown));
        talk.transcript.push('\n');
        schema::check(&method, &path, &answer);
        answer
    }

    fn talk_path(&self) -> String {
        self.path.clone()
    }

    /// Sends it and does not compare the answer with the contract.
    pub(crate) async fn unchecked(self) -> Answer {
        let Asked {
            talk,
            method,
            path,
            headers,
            body,
        } = self;
        exchange(talk, method, &path, &headers, body).await
    }

    /// Sends it without a word in the transcript.
    pub(crate) async fn quietly(self) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let Asked {
            talk,
            method: sent,
            path: to,
            headers,
            body,
        } = self;
        let answer = exchange(talk, sent, &to, &headers, body).await;
        schema::check(&method, &path, &answer);
        answer
    }
}

async fn exchange(
    talk: &mut Talk,
    method: Method,
    path: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::from(body)).expect("a good request");
    let (status, headers, body) = talk.send(request).await;
    assert!(
        headers.contains_key("request-id"),
        "every answer carries Request-Id"
    );
    let body = match serde_json::from_slice(&body) {
        Ok(json) => json,
        Err(_) => Value::String(String::from_utf8_lossy(&body).into_owned()),
    };
    Answer {
        status,
        headers,
        body,
    }
}

/// One line for each field of the outermost object.
fn laid_out(value: &Value) -> String {
    let Value::Object(map) = value else {
        return match value {
            Value::String(text) if text.is_empty() => String::new(),
            other => format!("{other}\n"),
        };
    };
    let hidden = ["type", "title", "status"];
    let is_problem = map.contains_key("code");
    let mut text = String::new();
    for (name, value) in map {
        if is_problem && hidden.contains(&name.as_str()) {
            continue;
        }
        writeln!(text, "   {name}: {value}").expect("a String takes every text");
    }
    text
}
