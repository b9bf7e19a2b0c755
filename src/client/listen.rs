//! Listening to the server's streams: server-sent events over one connection.
//!
//! Format: the HTML standard, section 9.2. Deliberately absent: coming back after a break, which
//! needs to know what was done with the last message; its owner has the id.

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, HOST};
use hyper::http::request::Builder;
use hyper::{Method, Request};

use super::connection::{Broken, open};
use super::target::Target;
use super::wire::Problem;

/// The most bytes of one message.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A message of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Where to go on after it; that of an earlier message where it has none.
    pub id: String,
    /// Its type; `message` where it has none.
    pub event: String,
    /// What it carries; empty for a heartbeat.
    pub data: String,
}

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    /// The connection broke, or could not be made.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The server said no.
    #[error("{}: {}", .0.code, .0.detail)]
    Refused(Box<Problem>),
    /// The server ended it, as before a restart.
    #[error("the server ended the stream")]
    Ended,
    /// It is no stream of events.
    #[error("what comes is no stream of events")]
    Senseless,
}

/// An open stream.
#[derive(Debug)]
pub struct Listening {
    body: Incoming,
    lines: Lines,
}

/// Text on its way into messages.
#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    /// How much of it has been taken.
    taken: usize,
    /// How much of the rest has been looked at in vain.
    searched: usize,
    last_id: String,
}

impl Listening {
    /// Opens a stream at `path`, going on after the message with the id `after`.
    pub async fn begin(target: &Target, path: &str, after: Option<&str>) -> Result<Self, Silent> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(HOST, target.authority())
            .header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Ok(Self {
            body: answered(target, request).await?,
            lines: Lines {
                last_id: after.unwrap_or_default().to_owned(),
                ..Lines::default()
            },
        })
    }

    /// The next message, heartbeats included.
    pub async fn next(&mut self) -> Result<Message, Silent> {
        loop {
            if let Some(message) = self.lines.message()? {
                return Ok(message);
            }
            let frame = self.body.frame().await.ok_or(Silent::Ended)?;
            let frame = frame.map_err(Broken::Cut)?;
            if let Ok(data) = frame.into_data() {
                self.lines.push(&data)?;
            }
        }
    }
}

/// Asks on a connection of its own; the answer's body, to be read as it comes.
pub(super) async fn answered(target: &Target, request: Builder) -> Result<Incoming, Silent> {
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|_| Silent::Senseless)?;
    let mut sender = open::<Empty<Bytes>>(target).await?;
    let answer = sender.send_request(request).await.map_err(Broken::Cut)?;
    let (head, body) = answer.into_parts();
    if head.status.is_success() {
        return Ok(body);
    }
    let body = body.collect().await.map_err(Broken::Cut)?.to_bytes();
    let problem = Problem::of_body(head.status, &body);
    Err(Silent::Refused(Box::new(problem)))
}

impl Lines {
    fn push(&mut self, data: &[u8]) -> Result<(), Silent> {
        if 0 < self.taken {
            self.text.drain(..self.taken);
            self.taken = 0;
        }
        self.text.extend_from_slice(data);
        if MESSAGE_BYTES_MAX < self.text.len() {
            return Err(Silent::Senseless);
        }
        Ok(())
    }

    /// The next message that is whole.
    fn message(&mut self) -> Result<Option<Message>, Silent> {
        let from = self.taken + self.searched;
        let Some(end) = memchr::memmem::find(&self.text[from..], b"\n\n") else {
            // The first of the two may be the last byte so far.
            self.searched = (self.text.len() - self.taken).saturating_sub(1);
            return Ok(None);
        };
        let text = &self.text[self.taken..from + end];
        let text = std::str::from_utf8(text).map_err(|_| Silent::Senseless)?;
        let mut message = Message::default();
        let mut rest = text;
        while !rest.is_empty() {
            let line = cut(&mut rest, b'\n');
            let mut value = line.strip_suffix('\r').unwrap_or(line);
            let name = cut(&mut value, b':');
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => value.clone_into(&mut self.last_id),
                "event" => value.clone_into(&mut message.event),
                "data" if message.data.is_empty() => value.clone_into(&mut message.data),
                "data" => {
                    message.data.push('\n');
                    message.data.push_str(value);
                }
                // Comments, and what later versions may say.
                _ => {}
            }
        }
        self.taken = from + end + 2;
        self.searched = 0;
        message.id.clone_from(&self.last_id);
        if message.event.is_empty() {
            "message".clone_into(&mut message.event);
        }
        Ok(Some(message))
    }
}

/// Takes off what lies before the first of these bytes, and that byte; all where there is none.
fn cut<'a>(text: &mut &'a str, at: u8) -> &'a str {
    let all = *text;
    let end = memchr::memchr(at, all.as_bytes());
    *text = end.map_or("", |end| &all[end + 1..]);
    end.map_or(all, |end| &all[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let text = "id: a1\n: heartbeat\n\nevent: batch\ndata: [1,\ndata: 2]\n\n\
                    id: a2\ndata:{\"x\":1}\n\n";
        for cut in 1..text.len() {
            let mut lines = Lines::default();
            let mut messages = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                lines.push(piece).expect("it is short");
                while let Some(message) = lines.message().expect("it is text") {
                    messages.push((message.id, message.event, message.data));
                }
            }
            let expected = [
                ("a1", "message", ""),
                ("a1", "batch", "[1,\n2]"),
                ("a2", "message", "{\"x\":1}"),
            ];
            let expected = expected
                .map(|(id, event, data)| (id.to_owned(), event.to_owned(), data.to_owned()));
            assert_eq!(messages, expected, "cut every {cut} bytes");
        }
    }
}
