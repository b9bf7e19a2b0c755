//! Stories: plain files that say what is asked and what comes of it.
//!
//! Every line of `tests/stories/*.story` is `command -> outcome`; text after `#` is for
//! readers. The harness runs the commands in order and compares the outcomes. With
//! `STORIES=rewrite` it writes what came instead of comparing: read the difference before
//! keeping it, since the domain page is what stories are derived from, not the engine.

#![allow(
    dead_code,
    reason = "each test crate uses its part of the shared rooms"
)]

mod arena;
mod model;
mod script;
mod world;

use arena::{Duel, Watch};
use holdfast_core::{Millis, Policy, Text};
use script::Line;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use world::Plain;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the stories are there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "story"))
        .collect();
    paths.sort();
    paths
}

/// A story as it is with what came of every line. The model is told every line too, and must
/// answer as the engine does.
fn tell(text: &str) -> Result<String, String> {
    let mut told = String::new();
    let mut duel = None;
    for (at, line) in text.lines().enumerate() {
        let (code, remark) = line.split_once('#').unwrap_or((line, ""));
        let (command, _) = code.split_once("->").unwrap_or((code, ""));
        let command = command.trim_end();
        if command.trim().is_empty() {
            let _ = writeln!(told, "{line}");
            continue;
        }
        let parsed = script::parse(command).map_err(|why| format!("line {}: {why}", at + 1))?;
        if let Line::Policy(bounds) = &parsed {
            if duel.is_some() {
                return Err(format!("line {}: bounds come first", at + 1));
            }
            duel = Some(Duel::new(Plain::new(policy(bounds)?), Watch::Everything));
            let _ = writeln!(told, "{line}");
            continue;
        }
        let duel =
            duel.get_or_insert_with(|| Duel::new(Plain::new(Policy::default()), Watch::Everything));
        let outcome = duel
            .run(&parsed)
            .map_err(|fault| format!("line {}: {fault}", at + 1))?;
        let _ = match remark {
            "" => writeln!(told, "{command:<54} -> {outcome}"),
            remark => writeln!(told, "{command:<54} -> {outcome}  #{remark}"),
        };
    }
    Ok(told)
}

fn policy(bounds: &[(String, u64)]) -> Result<Policy, String> {
    let mut policy = Policy::default();
    for (name, value) in bounds {
        let value = *value;
        match name.as_str() {
            "ttl_default" => policy.ttl_default = Millis::new(value),
            "late_window" => policy.late_window = Millis::new(value),
            "retention" => policy.retention = Millis::new(value),
            "order_retention" => policy.order_retention = Millis::new(value),
            "key_retention" => policy.key_retention = Millis::new(value),
            "message_retention" => policy.message_retention = Millis::new(value),
            "stream_retention" => policy.stream_retention = Millis::new(value),
            // The sources of stories are called `gapless-1`, `gapless-2` … where they are.
            "gapless_max" => {
                let names = (1..=value).map(|n| Text::parse(&format!("gapless-{n}")));
                policy.feeds_gapless = names.map(|name| name.expect("a good name")).collect();
            }
            "reservations_max" => policy.reservations_max = value as usize,
            "keys_max" => policy.keys_max = value as usize,
            "skus_max" => policy.skus_max = value as usize,
            "locations_declared" => policy.locations_declared = value > 0,
            "expire_per_turn" => policy.expire_per_turn = value as usize,
            other => return Err(format!("no bound is called {other}")),
        }
    }
    Ok(policy)
}

/// Commands and outcomes, without what is there for readers.
fn bare(text: &str) -> Vec<(usize, String)> {
    let numbered = text.lines().enumerate();
    let bare = numbered.map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default()));
    let words = bare.map(|(at, line)| (at, line.split_whitespace().collect::<Vec<_>>().join(" ")));
    words.filter(|(_, line)| !line.is_empty()).collect()
}

fn compare(path: &Path) -> Result<(), String> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let text = std::fs::read_to_string(path).expect("a listed story can be read");
    let told = tell(&text).map_err(|why| format!("{name}: {why}"))?;
    if std::env::var("STORIES").is_ok_and(|word| word == "rewrite") {
        std::fs::write(path, told).expect("a listed story can be written");
        return Ok(());
    }
    let mut wrong = String::new();
    for ((at, expected), (_, came)) in bare(&text).into_iter().zip(bare(&told)) {
        if expected != came {
            let _ = write!(
                wrong,
                "\n  {name}:{at}\n    expected {expected}\n    came     {came}"
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[test]
fn every_story_ends_as_it_is_told() {
    let files = files();
    assert!(!files.is_empty(), "no stories in {}", folder().display());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|path| compare(path).err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n\nto see what came instead: STORIES=rewrite cargo test -p holdfast-core --test stories",
        wrong.join("\n")
    );
}

#[test]
fn a_story_that_ends_otherwise_is_noticed() {
    let story = "configure TEE -> created\nreceive TEE 1 -> received on_hand=2\n";
    let told = tell(story).expect("every line can be read");
    assert_ne!(bare(story), bare(&told));
    assert!(told.ends_with("received on_hand=1\n"));
}

#[test]
fn a_word_that_means_nothing_is_an_error() {
    for line in [
        "reserve r1 TEE 1 tll=1s",
        "confirm r1 TEE 1",
        "advance 1",
        "wait 1s 2s",
        "sell r1",
    ] {
        assert!(script::parse(line).is_err(), "{line} was understood");
    }
}

#[test]
fn a_line_is_printed_as_it_was_read() {
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a listed story can be read");
        for (at, line) in bare(&text) {
            let (command, _) = line.split_once(" ->").unwrap_or((&line, ""));
            let parsed = script::parse(command).expect("stories are readable");
            let again = script::parse(&parsed.to_string());
            assert_eq!(again.as_ref(), Ok(&parsed), "{}:{at}", path.display());
        }
    }
}
