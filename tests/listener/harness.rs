//! A listener with handlers that misbehave on demand, and a client that does so over raw bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{get, post, put};
use holdfast::config::Config;
use holdfast::http::json::Json;
use holdfast::http::{Edge, Limits, Phase, Routes, Socket, serve};
use holdfast::telemetry::HttpMetrics;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    qty: u32,
}

/// A listener with handlers that misbehave on demand.
pub(crate) struct Server {
    pub(crate) runtime: Option<Runtime>,
    pub(crate) address: SocketAddr,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) ended: tokio::task::JoinHandle<()>,
    pub(crate) metrics: Arc<HttpMetrics>,
    /// `/wait` answers once a permit is there.
    pub(crate) gate: Arc<Semaphore>,
}

pub(crate) fn limits() -> Limits {
    Limits::of_data(&Config::default().http)
}

pub(crate) fn routes(gate: &Arc<Semaphore>) -> Routes<()> {
    let wait = {
        let gate = Arc::clone(gate);
        move || async move {
            gate.acquire()
                .await
                .expect("the gate is never closed")
                .forget();
            "done"
        }
    };
    Routes::new()
        .route("/hello", get(async || "hello"))
        .route(
            "/echo",
            post(async |Json(echo): Json<Echo>| echo.qty.to_string()),
        )
        .route("/length", post(async |body: String| body.len().to_string()))
        .route("/big", get(async || vec![b'x'; 64 << 20]))
        .route(
            "/panic",
            get(async || -> &'static str { panic!("planted") }),
        )
        .route("/wait", get(wait.clone()))
        .config_route("/config", put(async || "configured"))
}

pub(crate) fn start(limits: Limits) -> Server {
    let runtime = Runtime::new().expect("a runtime can be built");
    let entered = runtime.enter();
    let socket = Socket::tcp("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = socket.address().expect("it is a TCP socket");
    let gate = Arc::new(Semaphore::new(0));
    let edge = Edge::new("data", routes(&gate).with_state(()), limits);
    let metrics = Arc::clone(edge.metrics());
    let phase = watch::Sender::new(Phase::Serving);
    let ended = runtime.spawn(serve(socket, edge, phase.subscribe()));
    drop(entered);
    Server {
        runtime: Some(runtime),
        address,
        phase,
        ended,
        metrics,
        gate,
    }
}

impl Server {
    /// Whether a request is being served; asking by another request would take the place itself.
    pub(crate) fn takes_place(&self) -> bool {
        let [checkout, _] = self.metrics.in_flight();
        checkout.load(std::sync::atomic::Ordering::Relaxed) == 1
    }

    pub(crate) fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket takes it");
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Waits until the listener has ended.
    pub(crate) fn join(&mut self) {
        let runtime = self.runtime.as_ref().expect("it is there until drop");
        runtime
            .block_on(&mut self.ended)
            .expect("the listener doesn't panic");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) buffer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    /// The problem's code, after a look at what every problem must have.
    pub(crate) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert!(self.header("request-id").is_some(), "{self:?}");
        let problem: Value = serde_json::from_slice(&self.body).expect("a problem is JSON");
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(
            problem.get("outcome").is_some(),
            self.status >= 500,
            "{problem}"
        );
        assert!(
            !problem["detail"]
                .as_str()
                .expect("it has a detail")
                .is_empty()
        );
        problem["code"].as_str().expect("it has a code").to_owned()
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream
            .write_all(text.as_ref())
            .expect("the server reads");
    }

    pub(crate) fn ask(&mut self, text: impl AsRef<[u8]>) -> Answer {
        self.send(text);
        self.answer().expect("the server answers")
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.ask(post_text(path, body))
    }

    /// The next answer; `None` when the server has closed the connection.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break end;
            }
            if !self.fill() {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).expect("a head is ASCII");
        let mut lines = head.lines();
        let status_line = lines.next().expect("a head has a first line");
        let status = status_line[9..12].parse().expect("a status is a number");
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        self.buffer.drain(..end + 4);
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length: usize = answer
            .header("content-length")
            .map_or(0, |text| text.parse().expect("a number"));
        while self.buffer.len() < length {
            assert!(self.fill(), "the body ended early");
        }
        answer.body = self.buffer.drain(..length).collect();
        Some(answer)
    }

    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading failed: {error}"),
        }
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.answer().is_none()
    }
}

pub(crate) fn post_text(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
