//! What a configuration value may be, and how its text becomes a type.
//!
//! Deliberately absent: where a value came from (`layers`) and which values are sensible (`check`).

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_core::Text;

/// A value as a source spelled it, before its key gives it a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// A whole number in the file.
    Integer(i64),
    /// `true` or `false` in the file.
    Boolean(bool),
    /// A string in the file.
    Text(String),
    /// The text of a variable or a flag, which may mean any of the above.
    Raw(String),
    /// Something no key takes (a float, an array, a date), as it stood in the file.
    Other(String),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Integer(number) => write!(f, "{number}"),
            Input::Boolean(flag) => write!(f, "{flag}"),
            Input::Text(text) | Input::Raw(text) => write!(f, "{text:?}"),
            Input::Other(text) => f.write_str(text),
        }
    }
}

impl Input {
    fn unsigned(&self) -> Option<u64> {
        match self {
            Input::Integer(number) => u64::try_from(*number).ok(),
            Input::Raw(text) => text.replace('_', "").parse().ok(),
            Input::Boolean(_) | Input::Text(_) | Input::Other(_) => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Input::Boolean(flag) => Some(*flag),
            Input::Raw(text) => text.parse().ok(),
            Input::Integer(_) | Input::Text(_) | Input::Other(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Input::Text(text) | Input::Raw(text) => Some(text),
            Input::Integer(_) | Input::Boolean(_) | Input::Other(_) => None,
        }
    }
}

/// A value as `config show` prints it: TOML in text, JSON with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// A whole number.
    Integer(u64),
    /// A switch.
    Boolean(bool),
    /// Anything written between quotes.
    Text(String),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Integer(number) => write!(f, "{number}"),
            Shown::Boolean(flag) => write!(f, "{flag}"),
            Shown::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// A type that a key may have.
pub(crate) trait Setting: Sized {
    /// What to write, as the end of "set it to …".
    const WANTED: &'static str;
    /// The typed value, if the input is one.
    fn read(input: &Input) -> Option<Self>;
    /// The value as text.
    fn show(&self) -> Shown;
    /// The value as a number, for range checks.
    fn number(&self) -> Option<u64> {
        None
    }
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// The same span as the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A number, or `"auto"`: found out at start, from the machine or the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrAuto {
    /// Found out at start.
    Auto,
    /// Set by somebody.
    Set(u64),
}

/// Names, written with commas between them: `"wms, erp"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts(pub Vec<Text>);

/// Pauses that follow on each other, in milliseconds with commas between them: `"5000, 300000"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pauses(pub Vec<Millis>);

impl Pauses {
    /// The schedule that Standard Webhooks recommends, after the first attempt: 75 hours in all.
    pub fn standard() -> Self {
        let minutes = [5, 30, 2 * 60, 5 * 60, 10 * 60, 14 * 60, 20 * 60, 24 * 60];
        let minutes = minutes.map(|minutes| Millis(minutes * 60_000));
        Self(std::iter::once(Millis(5_000)).chain(minutes).collect())
    }
}

/// How CloudEvents are put into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventMode {
    /// All of one as JSON.
    Structured,
    /// Its attributes as headers, its data as the message.
    Binary,
}

/// Where something is, perhaps with a name and a password, which are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url(pub String);

impl Url {
    /// What it is without what is secret about it.
    fn without_password(&self) -> String {
        let one = |url: &str| {
            let Some((scheme, rest)) = url.split_once("://") else {
                return url.to_owned();
            };
            match rest.rsplit_once('@') {
                Some((who, place)) => {
                    let name = who.split_once(':').map_or("", |(name, _)| name);
                    format!("{scheme}://{name}:***@{place}")
                }
                None => url.to_owned(),
            }
        };
        let all: Vec<String> = self.0.split(',').map(one).collect();
        all.join(",")
    }
}

/// Passwords stay out of logs.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({:?})", self.without_password())
    }
}

/// When an acknowledged change survives what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is synced: it survives a crash of the machine.
    Fsync,
    /// Commits are handed to the operating system: they survive a crash of the process, **not** of
    /// the machine.
    Os,
}

impl Durability {
    /// What whoever chose it must be told, if anything.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Durability::Fsync => None,
            Durability::Os => {
                Some("a crash of the machine may lose the last seconds of acknowledged changes")
            }
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The permission bits of a socket file, written in octal: `"0660"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Setting for u64 {
    const WANTED: &'static str = "a whole number";
    fn read(input: &Input) -> Option<Self> {
        input.unsigned()
    }
    fn show(&self) -> Shown {
        Shown::Integer(*self)
    }
    fn number(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Setting for Millis {
    const WANTED: &'static str = "a whole number of milliseconds";
    fn read(input: &Input) -> Option<Self> {
        input.unsigned().map(Millis)
    }
    fn show(&self) -> Shown {
        Shown::Integer(self.0)
    }
    fn number(&self) -> Option<u64> {
        Some(self.0)
    }
}

impl Setting for Bytes {
    const WANTED: &'static str = "a whole number of bytes";
    fn read(input: &Input) -> Option<Self> {
        input.unsigned().map(Bytes)
    }
    fn show(&self) -> Shown {
        Shown::Integer(self.0)
    }
    fn number(&self) -> Option<u64> {
        Some(self.0)
    }
}

impl Setting for OrAuto {
    const WANTED: &'static str = "a whole number or \"auto\"";
    fn read(input: &Input) -> Option<Self> {
        match input.text() {
            Some("auto") => Some(OrAuto::Auto),
            _ => input.unsigned().map(OrAuto::Set),
        }
    }
    fn show(&self) -> Shown {
        match self {
            OrAuto::Auto => Shown::Text("auto".to_owned()),
            OrAuto::Set(number) => Shown::Integer(*number),
        }
    }
    fn number(&self) -> Option<u64> {
        match self {
            OrAuto::Auto => None,
            OrAuto::Set(number) => Some(*number),
        }
    }
}

impl Setting for bool {
    const WANTED: &'static str = "true or false";
    fn read(input: &Input) -> Option<Self> {
        input.boolean()
    }
    fn show(&self) -> Shown {
        Shown::Boolean(*self)
    }
}

impl Setting for String {
    const WANTED: &'static str = "a text";
    fn read(input: &Input) -> Option<Self> {
        input.text().map(str::to_owned)
    }
    fn show(&self) -> Shown {
        Shown::Text(self.clone())
    }
}

impl Setting for EventMode {
    const WANTED: &'static str = "\"structured\" or \"binary\"";
    fn read(input: &Input) -> Option<Self> {
        match input.text()? {
            "structured" => Some(Self::Structured),
            "binary" => Some(Self::Binary),
            _ => None,
        }
    }
    fn show(&self) -> Shown {
        let name = match self {
            Self::Structured => "structured",
            Self::Binary => "binary",
        };
        Shown::Text(name.to_owned())
    }
}

impl Setting for Url {
    const WANTED: &'static str = "a URL";
    fn read(input: &Input) -> Option<Self> {
        input.text().map(|text| Self(text.to_owned()))
    }
    fn show(&self) -> Shown {
        Shown::Text(self.without_password())
    }
}

impl Setting for SocketAddr {
    const WANTED: &'static str = "an address and a port, such as \"127.0.0.1:7070\"";
    fn read(input: &Input) -> Option<Self> {
        let text = input.text()?;
        match text.strip_prefix("localhost:") {
            Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
            None => text.parse().ok(),
        }
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

impl Setting for PathBuf {
    const WANTED: &'static str = "a path";
    fn read(input: &Input) -> Option<Self> {
        input
            .text()
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }
    fn show(&self) -> Shown {
        Shown::Text(self.display().to_string())
    }
}

impl Setting for Texts {
    const WANTED: &'static str =
        "names of 1 to 128 bytes with commas between them, or \"\" for none";
    fn read(input: &Input) -> Option<Self> {
        let text = input.text()?.trim();
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let names = text.split(',').map(|name| Text::parse(name.trim()).ok());
        names.collect::<Option<_>>().map(Self)
    }
    fn show(&self) -> Shown {
        let names: Vec<&str> = self.0.iter().map(Text::as_str).collect();
        Shown::Text(names.join(","))
    }
}

impl Setting for Pauses {
    const WANTED: &'static str =
        "1 to 50 pauses in milliseconds, up to 31 days each, with commas between them";
    fn read(input: &Input) -> Option<Self> {
        let pause = |text: &str| {
            let ms = text.trim().parse().ok()?;
            (1..=31 * 86_400_000).contains(&ms).then_some(Millis(ms))
        };
        let pauses: Vec<Millis> = input.text()?.split(',').map(pause).collect::<Option<_>>()?;
        (pauses.len() <= 50).then_some(Self(pauses))
    }
    fn show(&self) -> Shown {
        let pauses: Vec<String> = self.0.iter().map(|pause| pause.0.to_string()).collect();
        Shown::Text(pauses.join(","))
    }
}

/// A path that may be left out by writing `""`.
impl Setting for Option<PathBuf> {
    const WANTED: &'static str = "a path, or \"\" for none";
    fn read(input: &Input) -> Option<Self> {
        input
            .text()
            .map(|text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }
    fn show(&self) -> Shown {
        Shown::Text(
            self.as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
        )
    }
}

impl Setting for FileMode {
    const WANTED: &'static str = "permission bits in octal, such as \"0660\"";
    fn read(input: &Input) -> Option<Self> {
        let digits = input.text()?;
        let mode = u32::from_str_radix(digits, 8).ok()?;
        (mode <= 0o777).then_some(FileMode(mode))
    }
    fn show(&self) -> Shown {
        Shown::Text(format!("{:04o}", self.0))
    }
}

impl Setting for Durability {
    const WANTED: &'static str = "\"fsync\" or \"os\"";
    fn read(input: &Input) -> Option<Self> {
        match input.text()? {
            "fsync" => Some(Durability::Fsync),
            "os" => Some(Durability::Os),
            _ => None,
        }
    }
    fn show(&self) -> Shown {
        let name = match self {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
        };
        Shown::Text(name.to_owned())
    }
}

impl Setting for LogFormat {
    const WANTED: &'static str = "\"text\" or \"json\"";
    fn read(input: &Input) -> Option<Self> {
        match input.text()? {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }
    fn show(&self) -> Shown {
        let name = match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        Shown::Text(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("rediss://me:p@ss:word@h:1/0", "rediss://me:***@h:1/0"),
            ("redis://:secret@h", "redis://:***@h"),
            ("nats://token@h:4222", "nats://:***@h:4222"),
            ("nats://a:b@h,nats://c:d@i", "nats://a:***@h,nats://c:***@i"),
            ("", ""),
        ] {
            let own = Url(url.to_owned());
            assert_eq!(own.show(), Shown::Text(shown.to_owned()), "{url}");
            assert!(format!("{own:?}").contains(shown), "{own:?}");
        }
    }
}
