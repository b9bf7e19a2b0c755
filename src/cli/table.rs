//! Tables for people: as wide as what is in them, and folded where the terminal is narrower.
//!
//! What is piped is never folded: one row is one line there. Deliberately absent: colour.

use std::io::{IsTerminal, stdout};

/// The columns of a table of `N` columns and a rest, whose width nobody knows.
#[derive(Debug)]
pub(super) struct Columns<const N: usize> {
    headings: [&'static str; N],
    /// The heading of the rest.
    rest: &'static str,
    /// Columns up to here begin at the left, the others end at the right.
    left: usize,
    widths: [usize; N],
    rest_width: usize,
    /// Blanks between two columns.
    gap: usize,
    terminal: Option<usize>,
}

/// A row, and what stands behind it.
pub(super) struct Row<const N: usize> {
    pub(super) cells: [String; N],
    pub(super) rest: String,
}

/// Before a rest that has a line of its own.
const INDENT: &str = "    ";

impl<const N: usize> Columns<N> {
    /// As wide as their headings. `left` of them are words, the others numbers.
    pub(super) fn new(headings: [&'static str; N], rest: &'static str, left: usize) -> Self {
        Self {
            headings,
            rest,
            left,
            widths: headings.map(width),
            rest_width: width(rest),
            gap: 2,
            terminal: terminal(),
        }
    }

    /// The same on a terminal of so many columns.
    #[cfg(test)]
    pub(super) fn on(self, terminal: usize) -> Self {
        Self {
            terminal: Some(terminal),
            ..self
        }
    }

    /// The same with one blank between columns, for tables of many.
    pub(super) fn tight(self) -> Self {
        Self { gap: 1, ..self }
    }

    /// The same with a column that is never narrower than this, so that later pages look alike.
    pub(super) fn at_least(mut self, column: usize, width: usize) -> Self {
        self.widths[column] = self.widths[column].max(width);
        self
    }

    /// Widens them for rows.
    pub(super) fn fit<'a>(&mut self, rows: impl IntoIterator<Item = &'a Row<N>>) {
        for Row { cells, rest } in rows {
            for (widest, cell) in self.widths.iter_mut().zip(cells) {
                *widest = width(cell).max(*widest);
            }
            self.rest_width = width(rest).max(self.rest_width);
        }
    }

    /// Whether such rows, without their rests, have room on the terminal.
    pub(super) fn would_fit<'a>(&self, rows: impl IntoIterator<Item = &'a Row<N>>) -> bool {
        let mut columns = Self { ..*self };
        columns.fit(rows);
        columns
            .terminal
            .is_none_or(|terminal| columns.width() <= terminal)
    }

    /// The line above the rows.
    pub(super) fn heading(&self) -> String {
        // Rests that are folded stand under their rows, and a heading would stand above nothing.
        let rest = if self.folds(self.rest_width) {
            ""
        } else {
            self.rest
        };
        self.line(&Row {
            cells: self.headings.map(str::to_owned),
            rest: rest.to_owned(),
        })
    }

    /// A row as a line; its rest under it where the terminal has no room.
    pub(super) fn line(&self, row: &Row<N>) -> String {
        let mut line = String::new();
        for (place, (cell, widest)) in row.cells.iter().zip(self.widths).enumerate() {
            let padding = " ".repeat(widest - width(cell).min(widest));
            if place < self.left {
                line.extend([cell.as_str(), &padding]);
            } else {
                line.extend([padding.as_str(), cell]);
            }
            line.push_str(&" ".repeat(self.gap));
        }
        match self.terminal {
            Some(terminal) if self.folds(width(&row.rest)) => {
                line.truncate(line.trim_end().len());
                fold(&mut line, &row.rest, terminal);
            }
            Some(_) | None => line.push_str(&row.rest),
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn folds(&self, rest: usize) -> bool {
        0 < rest
            && self
                .terminal
                .is_some_and(|terminal| terminal < self.width() + self.gap + rest)
    }

    fn width(&self) -> usize {
        self.widths.iter().sum::<usize>() + self.gap * N.saturating_sub(1)
    }
}

/// A line, broken between words where the terminal has no room for it.
pub(super) fn folded(line: &str) -> String {
    broken(line, terminal())
}

fn broken(line: &str, terminal: Option<usize>) -> String {
    let Some(terminal) = terminal.filter(|terminal| *terminal < width(line)) else {
        return line.to_owned();
    };
    let text = line.trim_start();
    let mut broken = String::new();
    fold(&mut broken, text, terminal - (width(line) - width(text)));
    let first = broken.trim_start_matches(['\n', ' ']);
    format!("{}{first}", &line[..line.len() - text.len()])
}

/// Adds a text on lines of its own, broken between words.
fn fold(to: &mut String, text: &str, terminal: usize) {
    let mut column = terminal;
    for word in text.split_whitespace() {
        if terminal < column + 1 + width(word) {
            to.extend(["\n", INDENT]);
            column = INDENT.len();
        } else {
            to.push(' ');
            column += 1;
        }
        to.push_str(word);
        column += width(word);
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The columns of the terminal behind stdout, if it is one and says so.
fn terminal() -> Option<usize> {
    let out = stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| 0 < *columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(terminal: Option<usize>) -> String {
        let row = |name: &str, units: &str, rest: &str| Row {
            cells: [name.to_owned(), units.to_owned()],
            rest: rest.to_owned(),
        };
        let rows = [
            row("TEE-RED-M", "12", "found by Jörg"),
            row("MUG", "1234567", ""),
            row("CAP", "-1", "a much longer reason than the others"),
        ];
        let mut columns = Columns::new(["sku", "units"], "why", 1);
        if let Some(terminal) = terminal {
            columns = columns.on(terminal);
        }
        columns.fit(&rows);
        let lines = rows.iter().map(|row| columns.line(row));
        let lines: Vec<String> = std::iter::once(columns.heading()).chain(lines).collect();
        lines.join("\n")
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        insta::assert_snapshot!(table(None), @r"
        sku          units  why
        TEE-RED-M       12  found by Jörg
        MUG        1234567
        CAP             -1  a much longer reason than the others
        ");
    }

    #[test]
    fn a_line_is_broken_between_words_and_keeps_how_far_it_stood_in() {
        let line = "  warehouse TEE at main: expected 120, found 5";
        assert_eq!(broken(line, None), line);
        assert_eq!(broken(line, Some(46)), line);
        assert_eq!(
            broken(line, Some(30)),
            "  warehouse TEE at main:\n    expected 120, found 5"
        );
    }

    #[test]
    fn what_has_no_room_on_a_terminal_stands_under_its_row() {
        insta::assert_snapshot!(table(Some(36)), @r"
        sku          units
        TEE-RED-M       12  found by Jörg
        MUG        1234567
        CAP             -1
            a much longer reason than the
            others
        ");
        let narrow = table(Some(24));
        assert!(
            narrow.ends_with("\n    a much longer reason\n    than the others"),
            "{narrow}"
        );
        assert_eq!(table(Some(56)), table(None));
        let lines = table(Some(55));
        assert!(lines.lines().all(|line| width(line) <= 55), "{lines}");
    }
}
