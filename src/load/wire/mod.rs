//! The generator's own HTTP/1.1: a few kept-alive connections, one thread, one `epoll`.
//!
//! It is cheap because it does little: requests are written into a buffer of the connection from
//! prepared parts, one `write` each; of an answer only what a buyer looks at is read. It waits with
//! `ppoll`, whose time-out is in nanoseconds, so that a call leaves when it is due and not when the
//! next millisecond begins. Deliberately absent: pipelining, chunked bodies, TLS. An answer with
//! such a body counts as one that can't be read.

mod request;
mod response;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use super::{
    drive::{Ask, Call, Heard, Outcome, Reply, Transport},
    plan::Line,
};
pub use request::{Names, Renderer};
use response::{Head, Parsed};
use socket::Socket;
pub use socket::{Address, NoAddress};

/// A connection's buffer for answers; it grows for a larger one.
const ANSWER_BYTES: usize = 4 << 10;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// What is taken from the kernel at once.
const EVENTS: usize = 64;

/// Connections to one server.
pub struct Wire {
    address: Address,
    renderer: Renderer,
    timeout: Duration,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Those without a call, the warmest last.
    idle: Vec<u32>,
    /// Calls under way in the order of their time-outs: when, the connection, its call's number.
    timeouts: VecDeque<(Instant, u32, u32)>,
    /// What failed at once.
    failed: Vec<Heard>,
}

#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    out: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    filled: usize,
    under_way: Option<UnderWay>,
    /// Counts its calls, so that an old time-out finds that its call is over.
    call: u32,
}

#[derive(Clone, Copy)]
struct UnderWay {
    ticket: u32,
    call: Call,
    sent: Instant,
}

impl Wire {
    /// So many connections, opened when they are first needed.
    pub fn new(
        address: Address,
        renderer: Renderer,
        connections: usize,
        timeout: Duration,
    ) -> io::Result<Self> {
        let mut all = Vec::new();
        all.resize_with(connections, Connection::default);
        Ok(Self {
            address,
            renderer,
            timeout,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: all,
            idle: (0..connections as u32).rev().collect(),
            timeouts: VecDeque::new(),
            failed: Vec::new(),
        })
    }

    /// Ends the call of a connection.
    fn end(&mut self, at: u32, reply: Reply, heard: &mut Vec<Heard>) {
        let connection = &mut self.connections[at as usize];
        let Some(call) = connection.under_way.take() else {
            return;
        };
        connection.call = connection.call.wrapping_add(1);
        self.idle.push(at);
        heard.push(Heard {
            ticket: call.ticket,
            sent: call.sent,
            done: Instant::now(),
            reply,
        });
    }

    /// Closes a connection; its call, if it has one, ends with `outcome`.
    fn cut(&mut self, at: u32, outcome: Outcome, heard: &mut Vec<Heard>) {
        let connection = &mut self.connections[at as usize];
        // Closing a socket takes it out of the epoll.
        connection.socket = None;
        connection.filled = 0;
        self.end(at, Reply::lost(outcome), heard);
    }

    fn open(&mut self, at: u32) -> io::Result<()> {
        let connection = &mut self.connections[at as usize];
        if connection.socket.is_some() {
            return Ok(());
        }
        let socket = Socket::connect(&self.address)?;
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(
            &self.epoll,
            &socket,
            epoll::EventData::new_u64(u64::from(at)),
            flags,
        )?;
        connection.socket = Some(socket);
        connection.filled = 0;
        if connection.answer.is_empty() {
            connection.answer.resize(ANSWER_BYTES, 0);
        }
        Ok(())
    }

    /// What happened on a connection.
    fn turn(&mut self, at: u32, peer: Peer, heard: &mut Vec<Heard>) {
        let connection = &mut self.connections[at as usize];
        if connection.flush().is_err() {
            return self.cut(at, Outcome::Broken, heard);
        }
        let is_over = match connection.fill(peer) {
            Ok(Filled::More) => false,
            // What came before the end may be a whole answer.
            Ok(Filled::End) => true,
            Err(_) => return self.cut(at, Outcome::Broken, heard),
        };
        let Some(under_way) = connection.under_way else {
            // Nothing was asked, so nothing should have come.
            if is_over || connection.filled > 0 {
                self.cut(at, Outcome::Broken, heard);
            }
            return;
        };
        let so_far = &connection.answer[..connection.filled];
        match response::parse(so_far) {
            Parsed::Part if is_over => self.cut(at, Outcome::Broken, heard),
            Parsed::Part => {}
            Parsed::Unreadable => self.cut(at, Outcome::Error, heard),
            Parsed::Whole(head) => {
                let body = &so_far[head.body..head.end];
                let reply = response::reply(under_way.call, &head, body);
                let Head { end, closes, .. } = head;
                if is_over || closes || end != connection.filled {
                    connection.socket = None;
                }
                connection.filled = 0;
                self.end(at, reply, heard);
            }
        }
    }

    fn time_out(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        while let Some(&(until, at, call)) = self.timeouts.front() {
            let connection = &self.connections[at as usize];
            let is_over = connection.call != call || connection.under_way.is_none();
            if !is_over && now < until {
                return;
            }
            self.timeouts.pop_front();
            if !is_over {
                self.cut(at, Outcome::TimedOut, heard);
            }
        }
    }

    /// Takes what the kernel has to tell; whether there was anything.
    fn take_events(&mut self, heard: &mut Vec<Heard>) -> bool {
        let mut room = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS];
        let now = Timespec::default();
        // An interrupted or failed look is as good as an empty one: the next comes soon.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut room[..], Some(&now)) else {
            return false;
        };
        let found = events.len();
        for event in events {
            let (data, flags) = (event.data, event.flags);
            let over = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            let peer = if flags.intersects(over) {
                Peer::Gone
            } else {
                Peer::There
            };
            self.turn(data.u64() as u32, peer, heard);
        }
        found > 0
    }
}

impl Transport for Wire {
    fn free(&self) -> usize {
        self.idle.len()
    }

    fn send(&mut self, ticket: u32, ask: &Ask<'_>) {
        let at = self.idle.pop().expect("the caller has seen a free place");
        let sent = Instant::now();
        let connection = &mut self.connections[at as usize];
        connection.under_way = Some(UnderWay {
            ticket,
            call: ask.call,
            sent,
        });
        connection.out.clear();
        connection.written = 0;
        self.renderer.render(ask, &mut connection.out);
        self.timeouts
            .push_back((sent + self.timeout, at, connection.call));
        let opened = self.open(at);
        let sent = opened.and_then(|()| self.connections[at as usize].flush());
        if sent.is_err() {
            let mut failed = std::mem::take(&mut self.failed);
            self.cut(at, Outcome::Broken, &mut failed);
            self.failed = failed;
        }
    }

    fn wait(&mut self, until: Instant, heard: &mut Vec<Heard>) {
        heard.append(&mut self.failed);
        let now = Instant::now();
        self.time_out(now, heard);
        if self.take_events(heard) || !heard.is_empty() {
            return;
        }
        let until = match self.timeouts.front() {
            Some(&(first, ..)) => until.min(first),
            None => until,
        };
        let left = until.saturating_duration_since(now);
        if !left.is_zero() {
            let left = Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut this = [PollFd::new(&self.epoll, PollFlags::IN)];
            let _ = poll(&mut this, Some(&left));
        }
        self.take_events(heard);
        self.time_out(Instant::now(), heard);
    }
}

/// What the kernel says of the other side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    There,
    /// It has closed, or broken.
    Gone,
}

enum Filled {
    /// What was there has been read.
    More,
    /// The other side has closed.
    End,
}

impl Connection {
    /// Writes what is left of the request, as far as the socket takes it.
    fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        while self.written < self.out.len() {
            match socket.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                // A connection that is being made isn't one yet.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there.
    fn fill(&mut self, peer: Peer) -> io::Result<Filled> {
        let Some(socket) = &mut self.socket else {
            return Ok(Filled::More);
        };
        loop {
            if self.filled == self.answer.len() {
                if self.filled >= ANSWER_BYTES_MAX {
                    return Err(ErrorKind::InvalidData.into());
                }
                self.answer.resize(2 * self.filled, 0);
            }
            match socket.read(&mut self.answer[self.filled..]) {
                Ok(0) => return Ok(Filled::End),
                Ok(read) => {
                    self.filled += read;
                    // Less than asked for: there is no more for now, and more makes a new event.
                    // Where the end is there already, it has made its event, and makes no other.
                    if self.filled < self.answer.len() && peer == Peer::There {
                        return Ok(Filled::More);
                    }
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(Filled::More);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The lines of a question.
type Lines<'a> = &'a [Line];
