//! Reading an answer line by line while it comes: snapshots, which may be larger than memory.
//!
//! Deliberately absent: judging whether it came to its end. What is read says so in its last line.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Method, Request};

use super::connection::Broken;
use super::listen::{Silent, answered};
use super::target::Target;

/// The most bytes of one line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// An answer that is being read.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    text: Vec<u8>,
    /// How much of it has been taken.
    taken: usize,
    /// Whether nothing more comes.
    has_ended: bool,
}

impl Lines {
    /// Asks for `path`.
    pub async fn begin(target: &Target, path: &str) -> Result<Self, Silent> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(HOST, target.authority());
        Ok(Self {
            body: answered(target, request).await?,
            text: Vec::new(),
            taken: 0,
            has_ended: false,
        })
    }

    /// The next line, without its end; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<String>, Silent> {
        let mut searched = self.taken;
        loop {
            let end = memchr::memchr(b'\n', &self.text[searched..]).map(|end| searched + end);
            let rest = (self.has_ended && self.taken < self.text.len()).then_some(self.text.len());
            if let Some(end) = end.or(rest) {
                let line = self.text[self.taken..end].to_vec();
                self.taken = self.text.len().min(end + 1);
                return String::from_utf8(line)
                    .map(Some)
                    .map_err(|_| Silent::Senseless);
            }
            if self.has_ended {
                return Ok(None);
            }
            self.text.drain(..self.taken);
            self.taken = 0;
            searched = self.text.len();
            match self.body.frame().await {
                None => self.has_ended = true,
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Broken::Cut)?.into_data() {
                        self.text.extend_from_slice(&data);
                    }
                }
            }
            if LINE_BYTES_MAX < self.text.len() {
                return Err(Silent::Senseless);
            }
        }
    }
}
