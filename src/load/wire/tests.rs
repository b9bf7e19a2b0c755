//! The wire against sockets that misbehave.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use super::*;
use crate::load::{drive::Key, plan::Customer};

const MADE: &str = r#"{"id":"01234567-89ab-8cde-8f01-23456789abcd","status":"open"}"#;

/// A server of one connection after another, each served by `serve`.
fn server(serve: impl Fn(usize, TcpStream) + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = Address::Tcp(listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for (turn, stream) in listener.incoming().flatten().enumerate() {
            serve(turn, stream);
        }
    });
    address
}

fn wire(address: Address, connections: usize, timeout_ms: u64) -> Wire {
    let names = Names {
        run: "load-1".to_owned(),
        host: "h".to_owned(),
        skus: vec!["load-1-0".to_owned()],
        ttl_ms: 1_000,
    };
    let timeout = Duration::from_millis(timeout_ms);
    Wire::new(address, Renderer::new(&names), connections, timeout).expect("an epoll")
}

fn send(wire: &mut Wire, ticket: u32) {
    wire.send(
        ticket,
        &Ask {
            call: Call::Reserve,
            number: ticket,
            key: Key::Reserve,
            customer: Customer::Own,
            id: 0,
            lines: &[Line { sku: 0, qty: 1 }],
        },
    );
}

fn hear(wire: &mut Wire, count: usize) -> Vec<Heard> {
    let until = Instant::now() + Duration::from_secs(5);
    let mut heard = Vec::new();
    while heard.len() < count && Instant::now() < until {
        wire.wait(until, &mut heard);
    }
    heard
}

fn read_request(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"}") {
        match stream.read(&mut buffer[filled..]) {
            Ok(read) if read > 0 => filled += read,
            _ => return false,
        }
    }
    true
}

fn answer() -> Vec<u8> {
    let length = MADE.len();
    format!("HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n{MADE}").into_bytes()
}

#[test]
fn an_answer_in_pieces_is_put_together_and_the_connection_is_used_again() {
    let address = server(|turn, mut stream| {
        assert_eq!(turn, 0, "one connection serves all");
        while read_request(&mut stream) {
            for piece in answer().chunks(50) {
                stream.write_all(piece).expect("it is read");
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let mut wire = wire(address, 1, 1_000);
    for ticket in 0..3 {
        assert_eq!(wire.free(), 1);
        send(&mut wire, ticket);
        assert_eq!(wire.free(), 0);
        let heard = hear(&mut wire, 1);
        assert_eq!(heard[0].ticket, ticket);
        assert_eq!(heard[0].reply.outcome, Outcome::Reserved);
    }
}

#[test]
fn a_connection_that_breaks_ends_its_call_and_the_next_call_makes_another() {
    let address = server(|turn, mut stream| {
        read_request(&mut stream);
        if turn > 0 {
            stream.write_all(&answer()).expect("it is read");
        } else {
            stream.write_all(&answer()[..30]).expect("it is read");
        }
    });
    let mut wire = wire(address, 1, 1_000);
    send(&mut wire, 1);
    let broken = hear(&mut wire, 1);
    assert_eq!(broken[0].reply, Reply::lost(Outcome::Broken));
    send(&mut wire, 2);
    assert_eq!(hear(&mut wire, 1)[0].reply.outcome, Outcome::Reserved);
}

#[test]
fn silence_is_a_time_out_when_the_time_is_over_and_frees_the_place() {
    let address = server(|_, mut stream| {
        thread::spawn(move || {
            read_request(&mut stream);
            thread::sleep(Duration::from_secs(5));
        });
    });
    let mut wire = wire(address, 2, 100);
    send(&mut wire, 1);
    send(&mut wire, 2);
    let heard = hear(&mut wire, 2);
    for heard in &heard {
        assert_eq!(heard.reply, Reply::lost(Outcome::TimedOut));
        let waited = heard.done - heard.sent;
        assert!(waited >= Duration::from_millis(100), "{waited:?}");
        assert!(waited < Duration::from_millis(600), "{waited:?}");
    }
    assert_eq!(wire.free(), 2);
}

#[test]
fn a_server_that_is_not_there_breaks_the_call_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = Address::Tcp(listener.local_addr().expect("it is bound"));
    drop(listener);
    let mut wire = wire(address, 1, 1_000);
    send(&mut wire, 1);
    let heard = hear(&mut wire, 1);
    assert_eq!(heard[0].reply.outcome, Outcome::Broken);
    assert!(heard[0].done - heard[0].sent < Duration::from_millis(500));
    let mut gone = self::wire(Address::Unix("/nonexistent/socket".into()), 1, 1_000);
    send(&mut gone, 1);
    assert_eq!(hear(&mut gone, 1)[0].reply.outcome, Outcome::Broken);
}

#[test]
fn a_unix_socket_is_spoken_to_as_well() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("s");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("it is free");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            stream.write_all(&answer()).expect("it is read");
        }
    });
    let mut wire = wire(Address::Unix(path), 1, 1_000);
    for ticket in 0..2 {
        send(&mut wire, ticket);
        assert_eq!(hear(&mut wire, 1)[0].reply.outcome, Outcome::Reserved);
    }
}
