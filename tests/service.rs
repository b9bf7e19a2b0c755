//! The service's life as the process sees it: signals, drain, exit codes, probes meanwhile.
//!
//! Signals are a process's, so each test starts this test binary again as a child that serves a
//! slow handler, and kills it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::get;
use holdfast::cli::serve::{Args, Opened, run};
use holdfast::cli::settings::Settings;
use holdfast::http::Routes;
use holdfast::http::probes::{self, Backend};
use holdfast::telemetry::RuntimeSample;
use serde_json::Value;

/// Set in the child: the directory for its ready file.
const CHILD: &str = "SERVICE_TEST_DIRECTORY";

struct Nothing;

impl Backend for Nothing {
    fn sample(&self) -> RuntimeSample {
        RuntimeSample::default()
    }

    fn can_write(&self) -> bool {
        true
    }
}

/// Not a test: the child's body. Run by the others, with the variable set.
#[test]
fn a_child_of_the_other_tests_serves_until_it_is_told_to_end() {
    let Ok(directory) = std::env::var(CHILD) else {
        return;
    };
    let directory = PathBuf::from(directory);
    let args = Args {
        settings: Settings {
            listen: Some("127.0.0.1:0".to_owned()),
            admin_listen: Some("127.0.0.1:0".to_owned()),
            ..Settings::default()
        },
        ready_file: Some(directory.join("ready.json")),
        ..Args::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    let exit = runtime.block_on(run(
        args,
        |_, health| probes::add(Routes::new()).with_state(Arc::clone(health)),
        async move |_, _| {
            let slow = async || {
                tokio::time::sleep(Duration::from_secs(1)).await;
                "slow"
            };
            let stopped = directory.join("stopped");
            Ok(Opened {
                data: Routes::new().route("/slow", get(slow)).with_state(()),
                backend: Arc::new(Nothing),
                stop: Box::pin(async move {
                    std::fs::write(stopped, "").expect("the directory is ours");
                }),
            })
        },
    ));
    std::process::exit(i32::from(exit.code()));
}

struct Service {
    directory: tempfile::TempDir,
    child: Child,
    ready: Value,
}

impl Service {
    fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_logging_to(Stdio::null(), variables)
    }

    fn start_logging_to(log: Stdio, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let binary = std::env::current_exe().expect("this is a process");
        let child = Command::new(binary)
            .args([
                "--exact",
                "a_child_of_the_other_tests_serves_until_it_is_told_to_end",
                "--nocapture",
            ])
            .current_dir(directory.path())
            .env(CHILD, directory.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("this binary runs");
        let ready = read_ready(&directory.path().join("ready.json"));
        Self {
            directory,
            child,
            ready,
        }
    }

    fn connect(&self, listener: &str) -> TcpStream {
        let address = self.ready[listener]
            .as_str()
            .expect("the ready file names it");
        TcpStream::connect(address).expect("it listens")
    }

    fn ask(&self, listener: &str, path: &str) -> String {
        let mut stream = self.connect(listener);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }

    fn has_stopped_its_stock(&self) -> bool {
        self.directory.path().join("stopped").exists()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_ready(path: &Path) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(bytes) = std::fs::read(path) {
            return serde_json::from_slice(&bytes).expect("it is never half written");
        }
        assert!(Instant::now() < deadline, "the service did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_drains_what_is_in_flight_and_ends_with_0() {
    for signal in ["-TERM", "-INT"] {
        let mut service = Service::start(&[]);
        let mut slow = service.connect("data");
        write!(slow, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").expect("it reads");
        std::thread::sleep(Duration::from_millis(200));
        assert!(service.ask("admin", "/ready").starts_with("HTTP/1.1 200"));

        service.signal(signal);
        std::thread::sleep(Duration::from_millis(200));
        assert!(service.ask("admin", "/ready").contains("draining"));
        assert!(service.ask("admin", "/live").starts_with("HTTP/1.1 200"));
        let mut first = String::new();
        BufReader::new(slow)
            .read_line(&mut first)
            .expect("it answers");
        assert_eq!(first, "HTTP/1.1 200 OK\r\n");
        assert_eq!(service.exit_code(), Some(0));
        assert!(service.has_stopped_its_stock());
    }
}

#[test]
fn a_drain_is_bounded() {
    let mut service = Service::start(&[("HOLDFAST_HTTP_DRAIN_MS", "100")]);
    let mut slow = service.connect("data");
    write!(slow, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    service.signal("-TERM");
    assert_eq!(service.exit_code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_millis(700),
        "it took {:?}",
        began.elapsed()
    );
    assert!(service.has_stopped_its_stock());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (second, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut service = Service::start(&[]);
        let mut slow = service.connect("data");
        write!(slow, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").expect("it reads");
        std::thread::sleep(Duration::from_millis(200));
        service.signal("-TERM");
        std::thread::sleep(Duration::from_millis(200));
        service.signal(second);
        assert_eq!(service.exit_code(), Some(code));
        assert!(!service.has_stopped_its_stock());
    }
}

/// The log lies on the disk that is full, as it does in most places: every call that had something
/// to log broke off without an answer, and a start ended in a panic.
#[test]
fn a_log_that_can_not_be_written_is_no_reason_to_fail() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let full = full.expect("Linux has it");
    let mut service = Service::start_logging_to(full.into(), &[("HOLDFAST_LOG_FILTER", "debug")]);
    for _ in 0..3 {
        let ready = service.ask("admin", "/ready");
        assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
        let unknown = service.ask("data", "/no-such-path");
        assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    }
    service.signal("-TERM");
    assert_eq!(service.exit_code(), Some(0));
}

#[test]
fn metrics_are_served_with_their_type() {
    let service = Service::start(&[]);
    assert!(service.ask("data", "/nowhere").starts_with("HTTP/1.1 404"));
    let scrape = service.ask("admin", "/metrics");
    assert!(
        scrape.contains("content-type: text/plain; version=0.0.4"),
        "{scrape}"
    );
    let line = "holdfast_http_answers_total{listener=\"data\",method=\"GET\",route=\"unmatched\",\
                status=\"404\",code=\"not-found\"} 1\n";
    assert!(scrape.contains(line), "{scrape}");
    assert!(scrape.contains("holdfast_ready 1\n"), "{scrape}");
}
