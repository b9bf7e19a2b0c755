//! How figures and verdicts look: the same in every command.
//!
//! Colour only on a terminal, never where `NO_COLOR` is set or `TERM` is `dumb`; what is piped is
//! plain text that means the same.

use std::{fmt::Display, io::IsTerminal, time::Duration};

/// Whether to use colour on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colour at all.
    pub const PLAIN: Self = Self { on: false };

    /// As stdout allows.
    pub fn stdout() -> Self {
        Self {
            on: std::io::stdout().is_terminal() && colour_wanted(),
        }
    }

    /// As stderr allows.
    pub fn stderr() -> Self {
        Self {
            on: std::io::stderr().is_terminal() && colour_wanted(),
        }
    }

    /// Whether it colours.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// A heading.
    pub fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// What matters less.
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// What went well.
    pub fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// What went wrong.
    pub fn bad(self, text: impl Display) -> String {
        self.wrap("1;31", text)
    }

    /// What wants a look.
    pub fn warn(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// A command or a name.
    pub fn accent(self, text: impl Display) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `n` of them: `1 basket`, `2,000 baskets`.
pub fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// A rate per second.
pub fn rate(number: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    count((number as f64 / seconds).round() as u64)
}

/// Seconds with one digit, or minutes.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..120 => format!("{:.1} s", time.as_secs_f64()),
        long => format!("{} min {:02} s", long / 60, long % 60),
    }
}

/// `part` of `whole` as a percentage with one digit.
pub fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes() {
        let grouped = [0, 999, 1_000, 124_585, 1_234_567].map(count);
        assert_eq!(grouped, ["0", "999", "1,000", "124,585", "1,234,567"]);
    }

    #[test]
    fn one_is_singular_and_all_else_plural() {
        assert_eq!(counted(1, "basket"), "1 basket");
        assert_eq!(counted(0, "basket"), "0 baskets");
        assert_eq!(counted(2_000, "basket"), "2,000 baskets");
    }

    #[test]
    fn plain_text_carries_no_escape_codes() {
        assert_eq!(Paint::PLAIN.good("✓"), "✓");
        assert!(Paint { on: true }.good("✓").contains('\u{1b}'));
    }

    #[test]
    fn times_are_seconds_until_two_minutes() {
        assert_eq!(seconds(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
