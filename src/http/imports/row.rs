//! A line as what it asks for: a movement, a transfer or the settings of a SKU.
//!
//! The bodies are those of the single calls, so a row may say what a call may, and is refused in
//! the same words. Deliberately absent: whether it can be done.

use std::borrow::Cow;

use holdfast_core::{Command, Location, Patch, Sku};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer as _, MapAccess,
    Visitor,
};

use super::super::json::{field_of, in_words_of_json};
use super::super::problem::{Code, Problem};
use super::super::wire::booking::Past;
use super::super::wire::configure::ConfigureBody;
use super::super::wire::movement::{MovementBody, TransferBody};
use super::cells::{Fields, Splitter, Uncut};

/// What editors of tables put before a file's first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Every column there can be.
pub(super) const COLUMNS: &[&str] = &[
    "sku",
    "kind",
    "qty",
    "on_hand",
    "unshipped",
    "returned",
    "damaged",
    "location",
    "from",
    "to",
    "reservation",
    "measure",
    "excludes",
    "position",
    "force",
    "reason",
    "document",
    "occurred_at",
    "source",
    "epoch",
    "sequence",
    "message_id",
    "expected_version",
    "safety_stock",
    "opens_at",
    "closes_at",
    "paused",
    "low_at",
    "replenished_at",
    "location_order",
    "sourcing",
    "on_shortfall",
];

/// What a row asks for.
#[derive(Debug)]
pub(super) struct Row {
    /// The SKU it is about.
    pub(super) sku: Sku,
    /// What to do.
    pub(super) command: Command,
    /// What a count speaks of, where that is not now.
    pub(super) past: Option<Past>,
}

/// Why a row is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// A problem's code.
    pub(super) code: Cow<'static, str>,
    /// What of it, where that can be said.
    pub(super) field: Option<String>,
    /// For people.
    pub(super) reason: String,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object a line.
    Ndjson,
    /// A header, then cells.
    Csv,
}

/// Reads lines.
pub(super) struct Reader {
    form: Form,
    bytes_max: usize,
}

enum Form {
    Ndjson,
    /// The header has not come.
    Headless,
    Csv(Box<Table>),
}

struct Table {
    splitter: Splitter,
    names: Vec<String>,
    sku: usize,
    kind: usize,
    location: Option<usize>,
}

/// What a row is about, and what kind it is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    sku: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    location: Option<Cow<'a, str>>,
}

impl Reader {
    /// Of lines up to `bytes_max`.
    pub(super) fn new(format: Format, bytes_max: usize) -> Self {
        let form = match format {
            Format::Ndjson => Form::Ndjson,
            Format::Csv => Form::Headless,
        };
        Self { form, bytes_max }
    }

    /// Whether the next line is the header.
    pub(super) fn wants_header(&self) -> bool {
        matches!(self.form, Form::Headless)
    }

    /// Takes the header; without a good one nothing can be read.
    pub(super) fn header(&mut self, line: &[u8]) -> Result<(), Problem> {
        let line = line.strip_prefix(BOM).unwrap_or(line);
        // Whichever is there most: tables are written with any of the three.
        let count = |wanted: &u8| memchr::memchr_iter(*wanted, line).count();
        let delimiter = b",;\t"
            .iter()
            .max_by_key(|byte| (count(byte), **byte == b','));
        let delimiter = *delimiter.expect("there are three");
        let mut splitter = Splitter::new(delimiter, self.bytes_max, COLUMNS.len());
        let names: Vec<String> = {
            let cells = splitter.split(line).map_err(|uncut| {
                let Fault { reason, .. } = uncut.into();
                Problem::invalid("header", reason)
            })?;
            (0..cells.count())
                .map(|at| cells.get(at).to_owned())
                .collect()
        };
        for (at, name) in names.iter().enumerate() {
            if !COLUMNS.contains(&name.as_str()) {
                let detail = format!(
                    "no column is called {name:?}; there are {}",
                    COLUMNS.join(", ")
                );
                return Err(Problem::invalid(format!("header.{name}"), detail));
            }
            if names[..at].contains(name) {
                return Err(Problem::invalid(
                    format!("header.{name}"),
                    "it is there twice",
                ));
            }
        }
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let must = |wanted: &str| {
            let missing = || {
                let detail = "the first line must name the columns, sku and kind among them";
                Problem::invalid(format!("header.{wanted}"), detail)
            };
            find(wanted).ok_or_else(missing)
        };
        let (sku, kind, location) = (must("sku")?, must("kind")?, find("location"));
        self.form = Form::Csv(Box::new(Table {
            splitter,
            names,
            sku,
            kind,
            location,
        }));
        Ok(())
    }

    /// Reads a row.
    pub(super) fn row(&mut self, line: &[u8]) -> Result<Row, Fault> {
        match &mut self.form {
            Form::Ndjson => json_row(line.strip_prefix(BOM).unwrap_or(line)),
            Form::Csv(table) => table.row(line),
            Form::Headless => unreachable!("the header is the first line"),
        }
    }
}

impl Table {
    fn row(&mut self, line: &[u8]) -> Result<Row, Fault> {
        let cells = self.splitter.split(line).map_err(Fault::from)?;
        if cells.count() != self.names.len() {
            let (cells, names) = (cells.count(), self.names.len());
            let reason = format!("{cells} cells, and the header has {names}");
            return Err(Fault::malformed(None, reason));
        }
        let cell = |at: usize| Some(cells.get(at)).filter(|cell| !cell.is_empty());
        let head = Head {
            sku: cell(self.sku).map(Cow::Borrowed),
            kind: cell(self.kind).map(Cow::Borrowed),
            location: self.location.and_then(cell).map(Cow::Borrowed),
        };
        head.row(|| Ok(Fields::new(&self.names, cells)))
    }
}

fn json_row(line: &[u8]) -> Result<Row, Fault> {
    let text = std::str::from_utf8(line).map_err(|_| Fault::from(Uncut::NotText))?;
    let text = text.trim();
    if !text.starts_with('{') {
        return Err(Fault::malformed(
            None,
            "the line is no JSON object".to_owned(),
        ));
    }
    let head: Head<'_> = serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() {
            in_words_of_json(&error.to_string())
        } else {
            format!("no JSON: {error}")
        };
        // There is but one line in a line.
        let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
        Fault::malformed(field_of(&what).map(str::to_owned), what)
    })?;
    head.row_with(|fields| {
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(fields)
    })
}

impl Head<'_> {
    /// Reads the row whose fields `fields` gives.
    fn row<'de, M: MapAccess<'de>>(
        self,
        fields: impl FnOnce() -> Result<M, M::Error>,
    ) -> Result<Row, Fault>
    where
        M::Error: std::fmt::Display,
    {
        self.row_with(|visitor: AnyOf<'_>| visitor.visit_map(fields()?))
    }

    fn row_with<E: std::fmt::Display>(
        self,
        read: impl FnOnce(AnyOf<'_>) -> Result<Body, E>,
    ) -> Result<Row, Fault> {
        let sku = self.sku.ok_or_else(|| missing("sku"))?;
        let sku = Sku::parse(&sku)
            .map_err(|why| Fault::malformed(Some("sku".to_owned()), format!("{sku:?}: {why}")))?;
        let kind = self.kind.ok_or_else(|| missing("kind"))?;
        let mut last = String::new();
        let body = read(AnyOf {
            kind: &kind,
            last: &mut last,
        })
        .map_err(|error| {
            let what = in_words_of_json(&error.to_string());
            let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
            let field = field_of(&what).map_or(last, str::to_owned);
            Fault::malformed(Some(field).filter(|field| !field.is_empty()), what)
        })?;
        let (command, past) = match body {
            Body::Movement(body) => {
                let booking = body.booking(sku.clone())?;
                (booking.command, booking.past)
            }
            Body::Transfer(body) => (body.command(sku.clone())?, None),
            Body::Settings(body) => {
                let command = body.command(sku.clone(), None)?;
                (settings(command, self.location)?, None)
            }
        };
        Ok(Row { sku, command, past })
    }
}

/// The body of the single call that does what a row asks for.
enum Body {
    Movement(Box<MovementBody>),
    Transfer(Box<TransferBody>),
    Settings(Box<ConfigureBody>),
}

/// The settings of a row are those of its location, if it names one.
fn settings(mut command: Command, location: Option<Cow<'_, str>>) -> Result<Command, Fault> {
    let Some(name) = location else {
        return Ok(command);
    };
    let location = Location::parse(&name)
        .map_err(|why| Fault::malformed(Some("location".to_owned()), format!("{name:?}: {why}")))?;
    if let Command::Configure(configure) = &mut command {
        let levels = &mut configure.safety_stock;
        let main = levels.iter_mut().find(|(of, _)| *of == Location::main());
        match main {
            Some((of, _)) => *of = location,
            None => levels.push((location, Patch::Keep)),
        }
    }
    Ok(command)
}

fn missing(field: &str) -> Fault {
    Fault::malformed(Some(field.to_owned()), format!("missing field `{field}`"))
}

/// Reads the body of a kind, and remembers which field was read last.
struct AnyOf<'a> {
    kind: &'a str,
    last: &'a mut String,
}

impl<'de> Visitor<'de> for AnyOf<'_> {
    type Value = Body;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Body, M::Error> {
        fn body<'de, T: DeserializeOwned, M: MapAccess<'de>>(
            map: M,
            skipped: &'static [&'static str],
            last: &mut String,
        ) -> Result<Box<T>, M::Error> {
            let fields = Without { map, skipped, last };
            T::deserialize(MapAccessDeserializer::new(fields)).map(Box::new)
        }
        match self.kind {
            "sku" => body(map, &["sku", "kind", "location"], self.last).map(Body::Settings),
            "transfer" => body(map, &["sku", "kind"], self.last).map(Body::Transfer),
            _ => body(map, &["sku"], self.last).map(Body::Movement),
        }
    }
}

/// Fields without those that were read before.
struct Without<'a, M> {
    map: M,
    skipped: &'static [&'static str],
    last: &'a mut String,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Without<'_, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        while let Some(name) = self.map.next_key::<String>()? {
            if self.skipped.contains(&name.as_str()) {
                self.map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.last.clone_from(&name);
            let name: StringDeserializer<M::Error> = name.into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        self.last.clear();
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.map.next_value_seed(seed)
    }
}

impl Fault {
    /// The row is not what a row can be.
    pub(super) fn malformed(field: Option<String>, reason: String) -> Self {
        let code = Cow::Borrowed(Code::InvalidRequest.name());
        Self {
            code,
            field,
            reason,
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let field = problem.value("field").and_then(|field| field.as_str());
        Self {
            code: Cow::Borrowed(problem.code().name()),
            field: field.map(str::to_owned),
            reason: problem.detail().to_owned(),
        }
    }
}

impl From<Uncut> for Fault {
    fn from(uncut: Uncut) -> Self {
        let reason = match uncut {
            Uncut::OpenQuote => "a quote is open at the end of the line",
            Uncut::TooMany => "more cells than there are columns",
            Uncut::NotText => "the line is no UTF-8",
        };
        Self::malformed(None, reason.to_owned())
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;
