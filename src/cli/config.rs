//! `holdfast config`: is the configuration right, and what is it.

use serde_json::json;

use super::settings::Settings;
use super::{Exit, print};
use crate::config::{Loaded, OrAuto, Origin, Row};

/// The flags of `holdfast config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say what is wrong with the configuration; exit code 2 if anything is
    Check(Settings),
    /// Print every key with its value and where the value came from
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Leave out the keys that have their default
    #[arg(long)]
    changed: bool,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    match args.what {
        What::Check(settings) => match settings.load() {
            Ok(loaded) => print(Exit::Success, format!("{}\n", verdict(&loaded))),
            Err(exit) => exit,
        },
        What::Show(show) => match show.settings.load() {
            Ok(loaded) => {
                let rows = loaded.rows().into_iter();
                let rows = rows.filter(|row| !show.changed || row.origin != Origin::Default);
                let rows: Vec<Row> = rows.collect();
                let text = if show.json {
                    as_json(&rows)
                } else {
                    as_text(&loaded, &rows)
                };
                print(Exit::Success, format!("{text}\n"))
            }
            Err(exit) => exit,
        },
    }
}

fn verdict(loaded: &Loaded) -> String {
    let set = loaded
        .rows()
        .iter()
        .filter(|row| row.origin != Origin::Default)
        .count();
    let file = match &loaded.file {
        Some(path) => format!("read {}", path.display()),
        None => "no file".to_owned(),
    };
    let warning = loaded.config.data.durability.warning();
    let warning = warning.map(|text| format!("\nwarning: data.durability: {text}"));
    format!(
        "the configuration is right ({file}; {set} keys set, the rest have their defaults){}",
        warning.unwrap_or_default()
    )
}

fn as_text(loaded: &Loaded, rows: &[Row]) -> String {
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let key_width = widest(&mut rows.iter().map(|row| row.key.len()));
    let value_width = widest(&mut rows.iter().map(|row| row.value.to_string().len()));
    let lines = rows.iter().map(|row| {
        let Row { key, value, origin } = row;
        let value = value.to_string();
        let note = note(loaded, key);
        format!("{key:key_width$} = {value:value_width$}  {origin}{note}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What "auto" stands for, where that can be told without the data directory, and what a value
/// gives up.
fn note(loaded: &Loaded, key: &str) -> String {
    let config = &loaded.config;
    match (key, config.reservations.reservations_max) {
        ("reservations.reservations_max", OrAuto::Auto) => {
            format!(" ({} on this machine)", config.reservations_max())
        }
        ("data.durability", _) => {
            let warning = config.data.durability.warning();
            warning.map_or_else(String::new, |text| format!(" ({text})"))
        }
        _ => String::new(),
    }
}

fn as_json(rows: &[Row]) -> String {
    let items: Vec<_> = rows
        .iter()
        .map(|row| {
            let source = match &row.origin {
                Origin::Default => json!({"kind": "default"}),
                Origin::File { path, line } => {
                    json!({"kind": "file", "path": path, "line": line})
                }
                Origin::Environment(name) => json!({"kind": "environment", "name": name}),
                Origin::Flag(name) => json!({"kind": "flag", "name": name}),
            };
            json!({"key": row.key, "value": row.value, "source": source})
        })
        .collect();
    serde_json::to_string_pretty(&items).expect("strings and numbers are JSON")
}
