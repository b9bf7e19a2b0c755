//! The listeners under clients that are slow, greedy, wrong or many.

#[path = "listener/harness.rs"]
mod harness;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast::config::FileMode;
use holdfast::http::{BindError, Edge, Limits, Phase, Socket, serve};
use holdfast::telemetry::Cut;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

use harness::{Client, eventually, limits, post_text, routes, start};

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn a_connection_stays_usable_after_every_client_error() {
    let server = start(limits());
    let mut client = server.connect();
    assert_eq!(
        client.post("/echo", br#"{"qty":1.5}"#).code(),
        "invalid-request"
    );
    assert_eq!(client.get("/nowhere").code(), "not-found");
    let answer = client.get("/echo");
    assert_eq!(
        (answer.code().as_str(), answer.header("allow")),
        ("method-not-allowed", Some("POST"))
    );
    let answer = client.ask("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(answer.code(), "unsupported-media-type");
    assert_eq!(client.post("/nowhere", b"{}").code(), "not-found");
    assert_eq!(client.get("/panic").code(), "internal");
    assert_eq!(client.post("/echo", br#"{"qty":7}"#).text(), "7");
    assert_eq!(server.metrics.connections(), 1);
}

#[test]
fn every_answer_carries_the_callers_request_id_or_a_new_one() {
    let server = start(limits());
    let mut client = server.connect();
    for path in ["/hello", "/nowhere", "/panic"] {
        let sent = format!("GET {path} HTTP/1.1\r\nhost: x\r\nrequest-id: cart-7\r\n\r\n");
        assert_eq!(
            client.ask(sent).header("request-id"),
            Some("cart-7"),
            "{path}"
        );
    }
    let answer = client.ask("GET /hello HTTP/1.1\r\nhost: x\r\nrequest-id: two words\r\n\r\n");
    assert_eq!(answer.header("request-id").map(str::len), Some(20));
    assert_ne!(
        client.get("/hello").header("request-id"),
        answer.header("request-id")
    );
}

#[test]
fn what_is_no_http_is_answered_with_a_problem_and_closed() {
    let server = start(limits());
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    let fat = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nfat: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    let cases = [
        (
            "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(),
            400,
            "malformed-head",
        ),
        (
            "GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
            400,
            "malformed-head",
        ),
        (long, 431, "head-too-large"),
        (fat, 431, "head-too-large"),
    ];
    for (sent, status, code) in cases {
        let mut client = server.connect();
        let answer = client.ask(&sent);
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert!(client.is_closed());
    }
    assert_eq!(server.metrics.cuts(Cut::MalformedHead), 4);
}

#[test]
fn a_head_that_drips_in_is_cut_off_after_its_time() {
    let server = start(Limits {
        header_timeout: SHORT,
        ..limits()
    });
    let mut client = server.connect();
    assert_eq!(client.get("/hello").status, 200);
    let began = Instant::now();
    let head = "GET /hello HTTP/1.1\r\nhost: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    for byte in head.bytes() {
        if client.stream.write_all(&[byte]).is_err() || server.metrics.cuts(Cut::HeadTimeout) > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() < 5 * SHORT, "it took {:?}", began.elapsed());
    assert_eq!(
        client.answer().expect("it is told why").code(),
        "request-timeout"
    );
    assert!(client.is_closed());
    eventually("the connection is counted out", || {
        server.metrics.connections() == 0
    });
}

#[test]
fn a_body_that_stalls_is_answered_after_its_time() {
    let server = start(Limits {
        body_timeout: SHORT,
        ..limits()
    });
    let mut client = server.connect();
    let mut half = post_text("/echo", br#"{"qty":7}"#);
    half.truncate(half.len() - 3);
    assert_eq!(client.ask(half).code(), "request-timeout");
    assert!(client.is_closed());
    assert_eq!(server.metrics.cuts(Cut::BodyTimeout), 1);
}

#[test]
fn a_body_in_pieces_or_chunks_is_read_whole() {
    let server = start(limits());
    let mut client = server.connect();
    for piece in post_text("/echo", br#"{"qty":7}"#).chunks(10) {
        client.send(piece);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(client.answer().expect("it is answered").text(), "7");
    let chunked = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                   transfer-encoding: chunked\r\n\r\n4\r\n{\"qt\r\n5\r\ny\":8}\r\n0\r\n\r\n";
    assert_eq!(client.ask(chunked).text(), "8");
    let large = vec![b'x'; 700_000];
    assert_eq!(client.post("/length", &large).text(), "700000");
}

#[test]
fn a_body_that_is_too_long_is_refused_and_the_connection_stays_usable() {
    let server = start(Limits {
        body_bytes_max: 1_000,
        ..limits()
    });
    let mut client = server.connect();
    let body = vec![b'x'; 300_000];
    let answer = client.post("/echo", &body);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (413, "body-too-large")
    );
    let chunked = [
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n493e0\r\n".to_vec(),
        body,
        b"\r\n0\r\n\r\n".to_vec(),
    ];
    assert_eq!(client.ask(chunked.concat()).code(), "body-too-large");
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn an_enormous_body_is_refused_without_being_read() {
    let server = start(limits());
    let mut client = server.connect();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n";
    client.send(head);
    // It keeps sending, and must get to see the answer nevertheless.
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..4 {
        client
            .stream
            .write_all(&piece)
            .expect("the server lets it go on for a while");
    }
    let answer = client.answer().expect("it is answered");
    assert_eq!(answer.code(), "body-too-large");
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn long_bodies_that_arrive_at_once_share_a_bound() {
    let server = start(Limits {
        body_buffer_bytes_max: 100_000,
        ..limits()
    });
    let text = post_text("/length", &vec![b'x'; 90_000]);
    let mut slow = server.connect();
    slow.send(&text[..80_000]);
    std::thread::sleep(SHORT);
    eventually("the second finds no room", || {
        let mut second = server.connect();
        second.send(&text[..50_000]);
        std::thread::sleep(Duration::from_millis(20));
        let answer = second.ask(&text[50_000..]);
        answer.status == 503 && answer.code() == "server-overloaded"
    });
    slow.send(&text[80_000..]);
    assert_eq!(slow.answer().expect("it is answered").text(), "90000");
    assert_eq!(server.connect().ask(&text).text(), "90000");
}

#[test]
fn one_connection_too_many_is_turned_away_and_a_freed_place_taken() {
    let server = start(Limits {
        connections_max: 2,
        ..limits()
    });
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!(
        (first.get("/hello").status, second.get("/hello").status),
        (200, 200)
    );
    let mut third = server.connect();
    let answer = third.answer().expect("it is told why");
    assert_eq!(answer.code(), "too-many-connections");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(third.is_closed());
    drop(first);
    eventually("the place is free", || server.metrics.connections() == 1);
    assert_eq!(server.connect().get("/hello").status, 200);
    assert_eq!(server.metrics.cuts(Cut::TooManyConnections), 1);
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let server = start(Limits {
        idle_timeout: SHORT,
        ..limits()
    });
    let mut fresh = server.connect();
    let mut used = server.connect();
    assert_eq!(used.get("/hello").status, 200);
    assert!(used.is_closed());
    assert!(fresh.is_closed());
    assert_eq!(server.metrics.cuts(Cut::IdleTimeout), 2);
}

#[test]
fn a_handler_that_takes_too_long_is_answered_for_with_an_unknown_outcome() {
    let server = start(Limits {
        request_timeout: SHORT,
        ..limits()
    });
    let mut client = server.connect();
    let answer = client.get("/wait");
    assert_eq!((answer.status, answer.code().as_str()), (504, "timed-out"));
    assert!(answer.text().contains(r#""outcome":"unknown""#));
    assert_eq!(client.get("/hello").status, 200);
    // The time of one request is not held against the next.
    std::thread::sleep(2 * SHORT);
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn a_panic_is_answered_with_an_unknown_outcome_and_counted() {
    let server = start(limits());
    let answer = server.connect().get("/panic");
    assert_eq!(answer.code(), "internal");
    assert!(answer.text().contains(r#""outcome":"unknown""#));
    assert_eq!(server.metrics.cuts(Cut::Panic), 1);
}

#[test]
fn overload_is_answered_at_once_while_configuration_still_works() {
    let server = start(Limits {
        in_flight_max: 1,
        in_flight_config_max: 1,
        ..limits()
    });
    let mut waiting = server.connect();
    waiting.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut client = server.connect();
    eventually("the place is taken", || server.takes_place());
    assert_eq!(client.get("/hello").status, 503);
    let answer = client.get("/hello");
    assert_eq!(answer.code(), "server-overloaded");
    assert!(answer.text().contains(r#""outcome":"not_applied""#));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        client.ask("PUT /config HTTP/1.1\r\nhost: x\r\n\r\n").text(),
        "configured"
    );
    server.gate.add_permits(1);
    assert_eq!(waiting.answer().expect("it is answered").text(), "done");
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn a_caller_that_goes_frees_its_place() {
    let server = start(Limits {
        in_flight_max: 1,
        ..limits()
    });
    let mut gone = server.connect();
    gone.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut client = server.connect();
    eventually("the place is taken", || server.takes_place());
    assert_eq!(client.get("/hello").status, 503);
    drop(gone);
    eventually("the place is free", || client.get("/hello").status == 200);
    assert_eq!(server.metrics.cuts(Cut::CallerGone), 1);
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let server = start(Limits {
        write_timeout: SHORT,
        ..limits()
    });
    let mut client = server.connect();
    client.send("GET /big HTTP/1.1\r\nhost: x\r\n\r\n");
    eventually("it is cut off", || {
        server.metrics.cuts(Cut::WriteTimeout) == 1
    });
    eventually("its connection is gone", || {
        server.metrics.connections() == 0
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start(limits());
    let mut client = server.connect();
    let both = [
        post_text("/echo", br#"{"qty":1}"#),
        post_text("/echo", br#"{"qty":2}"#),
    ]
    .concat();
    assert_eq!(client.ask(both).text(), "1");
    assert_eq!(client.answer().expect("it is answered").text(), "2");
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_ends_idle_connections_at_once() {
    let mut server = start(limits());
    let mut idle = server.connect();
    assert_eq!(idle.get("/hello").status, 200);
    let mut fresh = server.connect();
    let mut waiting = server.connect();
    waiting.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    eventually("all are accepted", || server.metrics.connections() == 3);
    std::thread::sleep(SHORT);

    server.phase.send_replace(Phase::Draining);
    assert!(idle.is_closed());
    assert!(fresh.is_closed());
    eventually("nobody listens any more", || {
        TcpStream::connect(server.address).is_err()
    });
    eventually("only the busy one is left", || {
        server.metrics.connections() == 1
    });

    server.gate.add_permits(1);
    let answer = waiting.answer().expect("it is answered");
    assert_eq!(
        (answer.text(), answer.header("connection")),
        ("done", Some("close"))
    );
    assert!(waiting.is_closed());
    server.join();
    assert_eq!(server.metrics.cuts(Cut::DrainTimeout), 0);
}

#[test]
fn a_drain_ends_when_its_time_is_over() {
    let mut server = start(limits());
    let mut waiting = server.connect();
    waiting.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    eventually("it is accepted", || server.metrics.connections() == 1);
    server.phase.send_replace(Phase::Draining);
    std::thread::sleep(SHORT);
    server.phase.send_replace(Phase::Closed);
    assert!(waiting.is_closed());
    server.join();
}

#[test]
fn a_unix_socket_has_its_mode_replaces_a_stale_file_and_removes_its_own() {
    let runtime = Runtime::new().expect("a runtime can be built");
    let _entered = runtime.enter();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("holdfast.sock");
    drop(UnixListener::bind(&path).expect("the directory is ours"));
    assert!(path.exists(), "a stale file is there");

    let socket = Socket::unix(&path, FileMode(0o600)).expect("a stale file is replaced");
    let mode = fs::metadata(&path)
        .expect("the file is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = Socket::unix(&path, FileMode(0o600)).expect_err("it is in use");
    assert!(matches!(second, BindError::Taken { .. }), "{second}");

    let gate = Arc::new(Semaphore::new(0));
    let edge = Edge::new("data", routes(&gate).with_state(()), limits());
    let phase = watch::Sender::new(Phase::Serving);
    let ended = runtime.spawn(serve(socket, edge, phase.subscribe()));
    let stream = UnixStream::connect(&path).expect("the server listens");
    let mut client = Client {
        stream,
        buffer: Vec::new(),
    };
    assert_eq!(client.get("/hello").text(), "hello");
    phase.send_replace(Phase::Draining);
    runtime.block_on(ended).expect("the listener doesn't panic");
    assert_eq!(
        fs::read_dir(directory.path()).expect("it is ours").count(),
        0
    );
}

#[test]
fn a_unix_socket_does_not_replace_another_kind_of_file() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("holdfast.sock");
    fs::write(&path, "precious").expect("the directory is ours");
    let error = Socket::unix(&path, FileMode(0o600)).expect_err("it is no socket");
    assert!(matches!(error, BindError::NoSocket { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(&path).expect("it is still there"),
        "precious"
    );
}

#[test]
fn an_address_that_is_taken_is_named() {
    let server = start(limits());
    let runtime = server.runtime.as_ref().expect("it is there until drop");
    let _entered = runtime.enter();
    let error = Socket::tcp(server.address).expect_err("it is taken");
    assert!(
        error.to_string().starts_with(&server.address.to_string()),
        "{error}"
    );
}
