//! The rules, each from text to what it finds. Reading the tree is `tree`'s.

use crate::rooms::{Package, Room};
use crate::source::{code, module_of, paths};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;

/// Lines that a source file may have.
pub(crate) const LINES_MAX: usize = 500;

/// Something to put right: where, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

fn finding(file: &str, line: usize, what: String) -> Finding {
    Finding {
        file: file.to_owned(),
        line,
        what,
    }
}

/// Paths that a room may not name.
pub(crate) fn imports(file: &str, source: &str, rooms: &[Room]) -> Vec<Finding> {
    let lies_in = |places: &str| {
        places
            .split_whitespace()
            .any(|at| file == at || at.ends_with('/') && file.starts_with(at))
    };
    let rooms: Vec<&Room> = rooms
        .iter()
        .filter(|room| lies_in(room.at) && !lies_in(room.except))
        .collect();
    let never: Vec<(&Room, &str)> = rooms
        .iter()
        .flat_map(|room| {
            room.never
                .split_whitespace()
                .map(move |never| (*room, never))
        })
        .collect();
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for named in paths(&code(source), &module_of(file)) {
        seen.entry(named.path).or_default().push(named.line);
    }
    let mut found = BTreeSet::new();
    for (path, lines) in &seen {
        for (room, never) in never.iter().filter(|(_, never)| is_below(path, never)) {
            let (name, because) = (room.name, room.because);
            let what = format!("{name} must not name `{path}` ({never}): {because}");
            found.extend(lines.iter().map(|line| finding(file, *line, what.clone())));
        }
    }
    found.into_iter().collect()
}

fn is_below(path: &str, never: &str) -> bool {
    if never.ends_with("::") {
        return path.starts_with(never) || path.contains(&format!("::{never}"));
    }
    path.strip_prefix(never)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Dependencies that a package may not have, and lints it does not share.
pub(crate) fn manifest(file: &str, text: &str, package: Option<&Package>) -> Vec<Finding> {
    let line_of = |needle: &str| {
        let is_it = |line: &&str| line.split(['.', ' ', '=']).next() == Some(needle);
        text.lines()
            .position(|line| is_it(&line))
            .map_or(1, |at| at + 1)
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![finding(file, 1, error.message().to_owned())],
    };
    let mut found = Vec::new();
    let names = |kind: &str| -> Vec<String> {
        let section = table.get(kind).and_then(toml::Value::as_table);
        section
            .into_iter()
            .flat_map(toml::Table::keys)
            .cloned()
            .collect()
    };
    if let Some(package) = package {
        let (because, at) = (package.because, "tests/tidy/rooms.rs");
        for name in names("dependencies")
            .iter()
            .chain(&names("build-dependencies"))
        {
            if !package.may.split_whitespace().any(|may| may == name) {
                let what = format!("`{name}` is not on its list in {at}: {because}");
                found.push(finding(file, line_of(name), what));
            }
        }
        for name in names("dev-dependencies") {
            if package
                .never
                .split_whitespace()
                .any(|never| never.replace('_', "-") == name)
            {
                let what = format!("not even tests may depend on `{name}`: {because}");
                found.push(finding(file, line_of(&name), what));
            }
        }
    }
    let shares = |table: &toml::Table| {
        let workspace = table.get("lints").and_then(|lints| lints.get("workspace"));
        workspace.and_then(toml::Value::as_bool) == Some(true)
    };
    if !shares(&table) {
        let what = "add `[lints] workspace = true`, so that all crates are held to the same";
        found.push(finding(file, 1, what.to_owned()));
    }
    found
}

/// A file that is too long, or that has outgrown or outlived its entry in the list of exceptions.
pub(crate) fn length(file: &str, source: &str, exceptions: &[(&str, usize)]) -> Option<Finding> {
    let lines = source.lines().count();
    let list = "LONGER in tests/tidy.rs";
    let what = match exceptions.iter().find(|(name, _)| *name == file) {
        None if lines <= LINES_MAX => return None,
        None => format!("it has {lines} lines, at most {LINES_MAX} are good to read; split it"),
        Some((_, max)) if lines <= LINES_MAX => {
            format!("it has {lines} lines; take it off {list} ({max})")
        }
        Some((_, max)) if lines <= *max => return None,
        Some((_, max)) => {
            format!("it has {lines} lines, {list} has it at {max}, which may only shrink")
        }
    };
    Some(finding(file, lines, what))
}

/// Entries of the list of exceptions whose file is gone.
pub(crate) fn stale(files: &[String], exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let is_gone = |(name, _): &&(&str, usize)| files.iter().all(|file| file != name);
    let gone = exceptions.iter().filter(is_gone);
    gone.map(|(name, _)| finding(name, 1, "it is gone; take it off LONGER".to_owned()))
        .collect()
}

/// Notes to self, which belong into an issue.
pub(crate) fn leftovers(file: &str, text: &str) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let marks =
        [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|parts| parts.concat());
    let ignored = format!("#[{}", "ignore");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for mark in &marks {
            if line.split(|c| !is_word(c)).any(|word| word == mark) {
                let what = format!("`{mark}`: do it now, or write an issue and leave no mark");
                found.push(finding(file, at + 1, what));
            }
        }
        if line.contains(&ignored) {
            let what = "an ignored test proves nothing: run it or remove it".to_owned();
            found.push(finding(file, at + 1, what));
        }
    }
    found
}

/// Sources that don't say what they are for.
pub(crate) fn opening(file: &str, source: &str) -> Option<Finding> {
    let has_doc = source
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! "));
    let what = "open it with `//! ` and what it is for, then what is deliberately absent";
    (!has_doc).then(|| finding(file, 1, what.to_owned()))
}

/// Tests whose names are no sentences.
pub(crate) fn names(file: &str, source: &str) -> Vec<Finding> {
    let code = code(source);
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
            continue;
        }
        let function = lines[at..].iter().find_map(|line| line.split_once("fn "));
        let name = function
            .and_then(|(_, rest)| rest.split(['(', '<']).next())
            .unwrap_or_default();
        if name.split('_').count() < 3 || name.starts_with("test_") {
            let what = format!(
                "`{name}` is no sentence: say what holds, as in \
                `a_confirm_one_millisecond_late_is_refused`"
            );
            found.push(finding(file, at + 1, what));
        }
    }
    found
}

/// Decision pages: numbered without gaps, titled by their number, with the three sections.
pub(crate) fn decisions(pages: &[(String, String)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for ((file, text), number) in pages.iter().zip(1..) {
        let name = file.rsplit('/').next().unwrap_or(file);
        if !name.starts_with(&format!("{number:04}-")) {
            let what =
                format!("decision pages are numbered without gaps; this should be {number:04}");
            found.push(finding(file, 1, what));
        }
        if !text.starts_with(&format!("# {number}. ")) {
            found.push(finding(
                file,
                1,
                format!("its title should begin with `# {number}. `"),
            ));
        }
        for section in ["## Context", "## Choice", "## Cost"] {
            if !text.lines().any(|line| line == section) {
                found.push(finding(
                    file,
                    1,
                    format!("it lacks the section `{section}`"),
                ));
            }
        }
    }
    found
}

/// Paths in a page that lead nowhere.
pub(crate) fn references(
    file: &str,
    text: &str,
    roots: &[&str],
    exists: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let linked = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for path in quoted.chain(linked) {
            let path = path.split('#').next().unwrap_or(path);
            let is_path = roots.iter().any(|root| path.starts_with(root))
                && !path.contains(['*', '{', ' ', '<', '…']);
            if is_path && !exists(path.trim_end_matches('/')) {
                let what = format!("`{path}` is not in the tree");
                found.push(finding(file, at + 1, what));
            }
        }
    }
    found
}

/// Settings of the configuration file without an explanation above them.
pub(crate) fn unexplained(file: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let key = line
            .trim_start_matches('#')
            .split_once(" = ")
            .map(|(key, _)| key);
        let Some(key) = key.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        else {
            continue;
        };
        if !at
            .checked_sub(1)
            .is_some_and(|above| lines[above].starts_with("# "))
        {
            let what = format!("say above `{key}` what it does and what a larger value costs");
            found.push(finding(file, at + 1, what));
        }
    }
    found
}

/// A page that is too short or too long.
pub(crate) fn pages(file: &str, text: &str, lines: RangeInclusive<usize>) -> Option<Finding> {
    let count = text.lines().count();
    let what = format!("it has {count} lines, {lines:?} are wanted");
    (!lines.contains(&count)).then(|| finding(file, count, what))
}
