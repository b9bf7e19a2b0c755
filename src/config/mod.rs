//! The configuration: every key's value, and where it came from.
//!
//! Values are laid over the defaults by layer: the file, the environment (`HOLDFAST_HTTP_LISTEN`
//! for `http.listen`), the flags. A name that is no key is an error in the file and in the
//! environment alike, because a limit that is misspelt is a limit that isn't there.
//! Deliberately absent: reloading. A value holds from start to end of the process.

mod check;
mod keys;
mod layers;
pub mod machine;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

pub use keys::{
    Archive, Carts, Data, Events, Export, Feeds, Http, Imports, Log, Lookup, Reconcile,
    Reservations, Shards, Sinks, Statement, Stock,
};
pub use layers::{DEFAULT_FILE, FlagValue, Origin, Sources};
pub use value::{
    Bytes, Durability, EventMode, FileMode, LogFormat, Millis, OrAuto, Pauses, Shown, Texts, Url,
};

use keys::Section;
use layers::Entry;
use value::Input;

/// Every key's value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// `[http]`
    pub http: Http,
    /// `[data]`
    pub data: Data,
    /// `[shards]`
    pub shards: Shards,
    /// `[reservations]`
    pub reservations: Reservations,
    /// `[carts]`
    pub carts: Carts,
    /// `[stock]`
    pub stock: Stock,
    /// `[feeds]`
    pub feeds: Feeds,
    /// `[lookup]`
    pub lookup: Lookup,
    /// `[archive]`
    pub archive: Archive,
    /// `[statement]`
    pub statement: Statement,
    /// `[events]`
    pub events: Events,
    /// `[sinks]`
    pub sinks: Sinks,
    /// `[export]`
    pub export: Export,
    /// `[reconcile]`
    pub reconcile: Reconcile,
    /// `[imports]`
    pub imports: Imports,
    /// `[log]`
    pub log: Log,
}

/// One key as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Such as `http.listen`.
    pub key: String,
    /// Its value.
    pub value: Shown,
    /// Where the value came from.
    pub origin: Origin,
}

/// A configuration with the origin of every value.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    origins: HashMap<String, Origin>,
}

/// Everything that is wrong with a configuration, one message each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Complete messages, each opening with where the fault lies.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The names of all keys, in the file's order.
    pub fn keys() -> Vec<String> {
        let config = Self::default();
        let sections = config.sections();
        sections
            .iter()
            .flat_map(|(name, section)| qualified(name, *section))
            .collect()
    }

    /// The bound on reservations over all shards: the key's, or what `auto` stands for here.
    pub fn reservations_max(&self) -> u64 {
        match self.reservations.reservations_max {
            OrAuto::Set(number) => number,
            OrAuto::Auto => machine::reservations_max(),
        }
    }

    /// Lays the sources over the defaults and checks the whole.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let keys = Self::keys();
        let file = sources.file_to_read();
        let mut faults = Vec::new();
        let mut entries = match &file {
            Some(path) => {
                layers::read_file(path, &keys).map_err(|faults| ConfigError { faults })?
            }
            None => Vec::new(),
        };
        let (from_environment, unknown) = layers::read_environment(&sources.environment, &keys);
        entries.extend(from_environment);
        faults.extend(unknown);
        entries.extend(sources.flags.iter().map(|value| Entry {
            key: value.key.to_owned(),
            input: Input::Raw(value.text.clone()),
            origin: Origin::Flag(value.flag.to_owned()),
        }));
        let mut loaded = Loaded {
            config: Self::default(),
            file,
            origins: HashMap::new(),
        };
        for entry in entries {
            if let Err(fault) = loaded.apply(&entry, &keys) {
                faults.push(format!("{}: {fault}", entry.origin));
            }
        }
        faults.extend(loaded.faults());
        if faults.is_empty() {
            Ok(loaded)
        } else {
            Err(ConfigError { faults })
        }
    }

    fn sections(&self) -> [(&'static str, &dyn Section); 16] {
        [
            ("http", &self.http),
            ("data", &self.data),
            ("shards", &self.shards),
            ("reservations", &self.reservations),
            ("carts", &self.carts),
            ("stock", &self.stock),
            ("feeds", &self.feeds),
            ("lookup", &self.lookup),
            ("archive", &self.archive),
            ("statement", &self.statement),
            ("events", &self.events),
            ("sinks", &self.sinks),
            ("export", &self.export),
            ("reconcile", &self.reconcile),
            ("imports", &self.imports),
            ("log", &self.log),
        ]
    }

    fn section_mut(&mut self, name: &str) -> Option<&mut dyn Section> {
        Some(match name {
            "http" => &mut self.http,
            "data" => &mut self.data,
            "shards" => &mut self.shards,
            "reservations" => &mut self.reservations,
            "carts" => &mut self.carts,
            "stock" => &mut self.stock,
            "feeds" => &mut self.feeds,
            "lookup" => &mut self.lookup,
            "archive" => &mut self.archive,
            "statement" => &mut self.statement,
            "events" => &mut self.events,
            "sinks" => &mut self.sinks,
            "export" => &mut self.export,
            "reconcile" => &mut self.reconcile,
            "imports" => &mut self.imports,
            "log" => &mut self.log,
            _ => return None,
        })
    }
}

impl Loaded {
    /// Every key with its value and origin, in the file's order.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (name, section) in self.config.sections() {
            let keys = qualified(name, section);
            rows.extend(
                keys.into_iter()
                    .zip(section.shown())
                    .map(|(key, value)| Row {
                        origin: self.origin(&key),
                        key,
                        value,
                    }),
            );
        }
        rows
    }

    /// Where a key's value came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    fn apply(&mut self, entry: &Entry, keys: &[String]) -> Result<(), String> {
        let Some((name, key)) = entry
            .key
            .split_once('.')
            .filter(|_| keys.contains(&entry.key))
        else {
            return Err(unknown_key(&entry.key, keys));
        };
        let section = self
            .config
            .section_mut(name)
            .expect("a known key names a known section");
        section
            .set(key, &entry.input)
            .map_err(|wanted| format!("{} is {}; set it to {wanted}", entry.key, entry.input))?;
        self.origins.insert(entry.key.clone(), entry.origin.clone());
        Ok(())
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, section) in self.config.sections() {
            let values: HashMap<_, _> = section
                .keys()
                .iter()
                .copied()
                .zip(section.shown())
                .collect();
            for (key, wanted) in section.out_of_range() {
                let message = format!("is {}; set it to {wanted}", values[key]);
                faults.push(self.located(&format!("{name}.{key}"), &message));
            }
        }
        let joined = check::faults(&self.config);
        faults.extend(
            joined
                .into_iter()
                .map(|(key, message)| self.located(key, &message)),
        );
        faults
    }

    fn located(&self, key: &str, message: &str) -> String {
        match self.origin(key) {
            Origin::Default => format!("{key} {message}"),
            origin => format!("{origin}: {key} {message}"),
        }
    }
}

fn qualified(name: &str, section: &dyn Section) -> Vec<String> {
    section
        .keys()
        .iter()
        .map(|key| format!("{name}.{key}"))
        .collect()
}

fn unknown_key(key: &str, keys: &[String]) -> String {
    let moved = keys
        .iter()
        .find(|known| known.rsplit('.').next() == key.rsplit('.').next());
    match moved {
        Some(known) => format!("{key} is no key; did you mean {known}?"),
        None => format!("{key} is no key; {}", layers::suggestion(key, keys)),
    }
}
