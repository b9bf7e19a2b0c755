//! Where values come from: flags over the environment over the file over the defaults.
//!
//! A layer is a list of spelled entries with their origin; nothing here knows a key's type.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::value::Input;

/// The file that is read when no other is named and it is there.
pub const DEFAULT_FILE: &str = "config/holdfast.toml";

const ENV_PREFIX: &str = "HOLDFAST_";

/// Variables with the prefix that are no keys: `--config` and `--server` read them.
const ENV_OTHER: &[&str] = &["HOLDFAST_CONFIG", "HOLDFAST_SERVER"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// A line of a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A value on its way to its key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) input: Input,
    pub(crate) origin: Origin,
}

/// A value from the command line: the key it sets, the flag's name and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// Such as `http.listen`.
    pub key: &'static str,
    /// Such as `--listen`.
    pub flag: &'static str,
    /// As it was given.
    pub text: String,
}

/// Everything that is laid over the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by the caller, which must be there.
    pub file: Option<PathBuf>,
    /// Environment variables; those without the prefix `HOLDFAST_` are passed over.
    pub environment: Vec<(String, String)>,
    /// Values from the command line.
    pub flags: Vec<FlagValue>,
}

impl Sources {
    /// The process's environment, and nothing else yet.
    pub fn from_environment() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name
                    .into_string()
                    .ok()
                    .filter(|name| name.starts_with(ENV_PREFIX))?;
                Some((name, value.to_string_lossy().into_owned()))
            })
            .collect();
        Self {
            environment,
            ..Self::default()
        }
    }

    /// The file to read: the named one, else the default one if it is there.
    pub(crate) fn file_to_read(&self) -> Option<PathBuf> {
        match &self.file {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file()),
        }
    }
}

/// The variable that sets `key`: `http.listen` → `HOLDFAST_HTTP_LISTEN`.
pub(crate) fn environment_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The file's entries, in its order; faults are complete messages. A table that no key lies in is
/// an entry of its own, for who looks for unknown ones.
pub(crate) fn read_file(path: &Path, keys: &[String]) -> Result<Vec<Entry>, Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{} can't be read: {error}", path.display())])?;
    let root = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        vec![format!("{}:{line}: {}", path.display(), error.message())]
    })?;
    let mut entries = Vec::new();
    let mut prefix = String::new();
    let is_table = |name: &str| {
        let mut tables = keys.iter().filter_map(|key| key.split_once('.'));
        tables.any(|(table, _)| table == name)
    };
    let from = File {
        path,
        text: &text,
        is_table: &is_table,
    };
    from.collect(root.get_ref(), &mut prefix, &mut entries);
    entries.sort_by_key(|entry| match entry.origin {
        Origin::File { line, .. } => line,
        _ => 0,
    });
    Ok(entries)
}

/// A file that is being read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    is_table: &'a dyn Fn(&str) -> bool,
}

impl File<'_> {
    fn collect(&self, table: &DeTable<'_>, prefix: &mut String, out: &mut Vec<Entry>) {
        for (name, value) in table {
            let length = prefix.len();
            if length > 0 {
                prefix.push('.');
            }
            prefix.push_str(name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner)
                    if length == 0 && (!inner.is_empty() || (self.is_table)(prefix)) =>
                {
                    self.collect(inner, prefix, out);
                }
                leaf => {
                    let line = line_of(self.text, name.span().start);
                    out.push(Entry {
                        key: prefix.clone(),
                        input: input_of(leaf, &self.text[value.span()]),
                        origin: Origin::File {
                            path: self.path.to_owned(),
                            line,
                        },
                    });
                }
            }
            prefix.truncate(length);
        }
    }
}

fn input_of(value: &DeValue<'_>, source: &str) -> Input {
    let other = || Input::Other(source.to_owned());
    match value {
        DeValue::String(text) => Input::Text(text.to_string()),
        DeValue::Boolean(flag) => Input::Boolean(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| other(), Input::Integer),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => other(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].split('\n').count()
}

/// The environment's entries: those that name a key, and faults for those that name none.
pub(crate) fn read_environment(
    environment: &[(String, String)],
    keys: &[String],
) -> (Vec<Entry>, Vec<String>) {
    let names: Vec<String> = keys.iter().map(|key| environment_name(key)).collect();
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in environment {
        let known = names.iter().position(|candidate| candidate == name);
        if let Some(index) = known {
            entries.push(Entry {
                key: keys[index].clone(),
                input: Input::Raw(value.clone()),
                origin: Origin::Environment(name.clone()),
            });
        } else if name.starts_with(ENV_PREFIX) && !is_no_key(name) {
            faults.push(format!("{name} names no key; {}", suggestion(name, &names)));
        }
    }
    (entries, faults)
}

/// Kubernetes sets variables for every service of a namespace; one called `holdfast` must not keep
/// the server from starting.
fn is_no_key(name: &str) -> bool {
    let kubernetes = name.strip_prefix(ENV_PREFIX).is_some_and(|rest| {
        rest == "PORT"
            || rest == "SERVICE_HOST"
            || rest.starts_with("SERVICE_PORT")
            || (rest.starts_with("PORT_") && (rest.contains("_TCP") || rest.contains("_UDP")))
    });
    kubernetes || ENV_OTHER.contains(&name)
}

/// "did you mean …", or where the names are listed.
pub(crate) fn suggestion(unknown: &str, known: &[String]) -> String {
    let closest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= unknown.len() / 3);
    match closest {
        Some((_, name)) => format!("did you mean {name}?"),
        None => "`holdfast config show` lists them all".to_owned(),
    }
}
