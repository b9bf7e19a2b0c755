//! Keeps the tree true to what its documents say: the import table, lengths, names, pages.
//!
//! A failure names file and line and says what to do. `tidy/rules.rs` has the rules,
//! `tidy/rooms.rs` the import table, `tidy/samples.rs` the proof that each rule can fail.
//!
//! Deliberately absent: what rustfmt and clippy look after.

#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/samples.rs"]
mod samples;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use rooms::{PACKAGES, ROOMS};
use rules::Finding;
use tree::Tree;

/// Files that are longer than they should be, with their lines. It may only shrink.
const LONGER: &[(&str, usize)] = &[];

/// Where the tree's own paths begin, as pages name them.
const ROOTS: &[&str] = &[
    "src/",
    "shards/",
    "tests/",
    "benches/",
    "config/",
    "docs/",
    ".ci/",
    "examples/",
];

#[track_caller]
fn assert_none(found: impl IntoIterator<Item = Finding>) {
    let found: Vec<String> = found
        .into_iter()
        .map(|finding| finding.to_string())
        .collect();
    assert!(
        found.is_empty(),
        "{} to put right:\n{}\n",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn every_room_names_only_what_it_may() {
    let tree = Tree::get();
    assert_none(
        tree.sources()
            .flat_map(|(file, text)| rules::imports(file, text, ROOMS)),
    );
}

#[test]
fn every_room_of_the_import_table_is_there() {
    let tree = Tree::get();
    for room in ROOMS {
        for place in room
            .at
            .split_whitespace()
            .chain(room.except.split_whitespace())
        {
            let is_there = tree.has(place.trim_end_matches('/'));
            assert!(
                is_there || place == "benches/",
                "{place}: gone; correct tests/tidy/rooms.rs"
            );
        }
    }
}

#[test]
fn every_package_depends_only_on_what_it_may() {
    let tree = Tree::get();
    let manifests = tree.files(|file| file.ends_with("Cargo.toml"));
    assert_none(manifests.flat_map(|(file, text)| {
        let package = PACKAGES.iter().find(|package| package.manifest == file);
        rules::manifest(file, text, package)
    }));
}

#[test]
fn no_source_is_longer_than_is_good_to_read() {
    let tree = Tree::get();
    assert_none(
        tree.sources()
            .filter_map(|(file, text)| rules::length(file, text, LONGER)),
    );
    assert_none(rules::stale(&tree.names(), LONGER));
}

#[test]
fn nothing_is_left_for_later() {
    let tree = Tree::get();
    assert_none(
        tree.files(tree::is_ours)
            .flat_map(|(file, text)| rules::leftovers(file, text)),
    );
}

#[test]
fn every_source_opens_with_what_it_is_for() {
    let tree = Tree::get();
    assert_none(
        tree.sources()
            .filter_map(|(file, text)| rules::opening(file, text)),
    );
}

#[test]
fn every_test_is_named_by_a_sentence() {
    let tree = Tree::get();
    assert_none(
        tree.sources()
            .flat_map(|(file, text)| rules::names(file, text)),
    );
}

#[test]
fn every_decision_page_is_numbered_and_whole() {
    let tree = Tree::get();
    let pages = tree.files(|file| file.starts_with("docs/decisions/"));
    let pages: Vec<(String, String)> = pages
        .map(|(file, text)| (file.to_owned(), text.to_owned()))
        .collect();
    assert!(pages.len() > 2, "the pages are read");
    assert_none(rules::decisions(&pages));
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let tree = Tree::get();
    let pages = tree.files(|file| tree::has_end(file, "md") && file != "CHANGELOG.md");
    assert_none(
        pages.flat_map(|(file, text)| rules::references(file, text, ROOTS, |path| tree.has(path))),
    );
}

#[test]
fn every_setting_of_the_configuration_file_is_explained() {
    let tree = Tree::get();
    let file = "config/holdfast.toml";
    assert_none(rules::unexplained(file, tree.text(file)));
}

#[test]
fn the_architecture_fits_into_one_sitting() {
    let tree = Tree::get();
    let file = "ARCHITECTURE.md";
    assert_none(rules::pages(file, tree.text(file), 80..=299));
}

#[test]
fn the_readme_names_two_commands_to_begin_with_and_ci_runs_the_test_one() {
    let tree = Tree::get();
    let readme = tree.text("README.md");
    let first = readme
        .split("```")
        .nth(1)
        .expect("it has a block of commands");
    let commands: Vec<&str> = first
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    let begins = |at: usize, command: &str| commands[at].trim_start().starts_with(command);
    assert_eq!(
        commands.len(),
        2,
        "README.md begins with exactly two commands: {commands:?}"
    );
    assert!(begins(0, "cargo run --release -- demo") && begins(1, "cargo test --workspace"));
    assert!(
        tree.text(".ci/run").contains("cargo test --workspace"),
        ".ci/run runs the same"
    );
}

#[test]
fn no_file_would_fetch_another_toolchain() {
    let tree = Tree::get();
    for file in ["rust-toolchain", "rust-toolchain.toml"] {
        assert!(
            !tree.has(file),
            "{file}: state `rust-version` in Cargo.toml instead"
        );
    }
    assert!(tree.has("Cargo.lock"), "commit Cargo.lock");
}
