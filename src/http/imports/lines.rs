//! Bytes in pieces, lines out: numbered, with their offsets, none longer than it may be.
//!
//! A line end always ends a line: no field has one, so a quote that is left open spoils its own line
//! and no other. Deliberately absent: what a line means.

use memchr::memchr;

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from 1.
    pub(super) line: u64,
    /// Bytes before it.
    pub(super) offset: u64,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// With its line end.
    Whole(&'a [u8]),
    /// Longer than lines may be.
    TooLong,
}

/// Takes pieces apart.
#[derive(Debug)]
pub(super) struct Lines {
    /// Where the next line begins.
    place: Place,
    /// What has come of it, unless it is too long.
    kept: Vec<u8>,
    /// Bytes that have come of it.
    come: usize,
    bytes_max: usize,
    /// The first line repeats the file's first and has no place.
    is_apart: bool,
}

impl Place {
    /// A file's first line.
    pub(super) const START: Self = Self { line: 1, offset: 0 };
}

impl Lines {
    /// Lines from `place` on; with `is_apart` the first one is the file's header, sent again.
    pub(super) fn new(place: Place, is_apart: bool, bytes_max: usize) -> Self {
        Self {
            place,
            kept: Vec::new(),
            come: 0,
            bytes_max,
            is_apart,
        }
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether a line has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        self.come > 0
    }

    /// Tells `each` line of `bytes`, with where it begins.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Place, Line<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.come == 0 && line.len() <= self.bytes_max {
                let at = self.step(line.len());
                each(at, Line::Whole(line));
            } else {
                self.keep(line);
                self.end(&mut each);
            }
        }
        self.keep(bytes);
    }

    /// Tells the last line, where it has no line end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Place, Line<'_>)) {
        if self.is_within() {
            // It is no part of the file and counts for nothing.
            self.kept.push(b'\n');
            self.end(&mut each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.come += bytes.len();
        if self.come <= self.bytes_max {
            self.kept.extend_from_slice(bytes);
        } else {
            self.kept = Vec::new();
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Place, Line<'_>)) {
        let come = std::mem::take(&mut self.come);
        let at = self.step(come);
        if come <= self.bytes_max {
            each(at, Line::Whole(&self.kept));
        } else {
            each(at, Line::TooLong);
        }
        self.kept.clear();
    }

    /// Passes a line; where it began.
    fn step(&mut self, bytes: usize) -> Place {
        let at = self.place;
        if self.is_apart {
            self.is_apart = false;
        } else {
            self.place = Place {
                line: at.line + 1,
                offset: at.offset + bytes as u64,
            };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str], bytes_max: usize, is_apart: bool) -> Vec<String> {
        let mut lines = Lines::new(Place::START, is_apart, bytes_max);
        let mut told = Vec::new();
        let mut each = |at: Place, line: Line<'_>| {
            let text = match line {
                Line::Whole(line) => String::from_utf8_lossy(line).trim_end().to_owned(),
                Line::TooLong => "too long".to_owned(),
            };
            told.push(format!("{}@{} {text}", at.line, at.offset));
        };
        for piece in pieces {
            lines.feed(piece.as_bytes(), &mut each);
        }
        lines.finish(&mut each);
        told
    }

    #[test]
    fn lines_are_the_same_however_their_bytes_are_cut() {
        let text = "one\ntwo\r\n\nfour";
        let whole = told(&[text], 16, false);
        assert_eq!(whole, ["1@0 one", "2@4 two", "3@9 ", "4@10 four"]);
        for cut in 0..text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(told(&[a, b], 16, false), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_and_the_next_one_is_read() {
        let expected = ["1@0 too long", "2@7 b"];
        assert_eq!(told(&["123456\nb\n"], 4, false), expected);
        assert_eq!(told(&["12", "345", "6\nb"], 4, false), expected);
    }

    #[test]
    fn a_header_sent_again_has_no_place() {
        assert_eq!(told(&["head\na\n"], 16, true), ["1@0 head", "1@0 a"]);
    }
}
