//! Proof that each rule can fail: bad samples, and good ones that look bad.

use crate::rooms::{PACKAGES, ROOMS};
use crate::rules::{self, Finding};
use crate::source::{code, module_of, paths};

fn lines(found: &[Finding]) -> Vec<usize> {
    found.iter().map(|finding| finding.line).collect()
}

fn imports(file: &str, source: &str) -> Vec<usize> {
    let mut lines = lines(&rules::imports(file, source, ROOMS));
    lines.dedup();
    lines
}

#[test]
fn a_core_that_reaches_for_a_clock_or_the_disk_is_found() {
    let file = "shards/core/src/engine/mod.rs";
    assert_eq!(imports(file, "use std::time::Instant;"), [1]);
    assert_eq!(imports(file, "\nuse std::{fmt, fs::File};"), [2]);
    assert_eq!(imports(file, "fn f() {\n    tracing::info!(1);\n}"), [2]);
    assert_eq!(imports(file, "async fn f() {}"), [1]);
    assert_eq!(imports(file, "use ::redb::Database;"), [1]);
    assert_eq!(imports(file, "use redb as store;"), [1]);
    assert_eq!(
        imports(file, "use std::collections::{BTreeMap,\n    HashMap};"),
        [2]
    );
}

#[test]
fn words_in_comments_texts_and_longer_names_are_not_imports() {
    let file = "shards/core/src/lib.rs";
    let source = "//! No tokio::spawn here.\n/* use redb; /* nested */ use ractor; */\n\
        let text = \"use tokio::time; \\\" redb::x\";\nlet raw = r#\"axum::x \"quoted\" \"#;\n\
        let c = '\"'; let d = b'\'' as u8; let life: &'static str = \"tokio::x\";\nmod tokio_like; use tokio_like::x;\n\
        fn f<'a>(x: &'a str) {}";
    assert_eq!(imports(file, source), [0_usize; 0]);
    assert_eq!(imports(file, "let quote = '\\''; tokio::spawn(x)"), [1]);
}

#[test]
fn a_shard_that_waits_or_looks_at_a_clock_is_found() {
    for source in [
        "use tokio::sync::oneshot;",
        "x.await;",
        "use crate::clock::{Now, instant};",
        "let t = crate::clock::instant();",
        "use std::time::Instant;",
    ] {
        assert_eq!(
            imports("shards/runtime/src/shard.rs", source),
            [1],
            "{source}"
        );
        assert_eq!(
            imports("shards/runtime/src/carts/home.rs", source),
            [1],
            "{source}"
        );
    }
    assert_eq!(
        imports(
            "shards/runtime/src/shard/core.rs",
            "use super::super::clock::seed;"
        ),
        [1]
    );
    assert_eq!(
        imports("shards/runtime/src/shard.rs", "use crate::clock::Now;"),
        [0_usize; 0]
    );
    assert_eq!(
        imports("shards/runtime/src/actor.rs", "x.await; Instant::now()"),
        [1]
    );
    assert_eq!(
        imports("shards/runtime/src/clock.rs", "Instant::now()"),
        [0_usize; 0]
    );
    assert_eq!(
        imports("shards/runtime/src/lookup/index.rs", "use redb::x;"),
        [0_usize; 0]
    );
    assert_eq!(imports("shards/runtime/src/board.rs", "use redb::x;"), [1]);
}

#[test]
fn a_client_that_looks_behind_the_contract_is_found() {
    assert_eq!(
        imports("src/demo/run.rs", "use holdfast_runtime::Runtime;"),
        [1]
    );
    assert_eq!(
        imports("src/replay/mod.rs", "use crate::{client, http::problem};"),
        [1]
    );
    assert_eq!(
        imports(
            "src/client/send.rs",
            "use super::super::http::problem::Code;"
        ),
        [1]
    );
    assert_eq!(
        imports("src/client/send.rs", "hyper::StatusCode::OK"),
        [0_usize; 0]
    );
}

#[test]
fn a_handler_that_chooses_a_status_or_touches_the_engine_is_found() {
    let file = "src/http/reservations.rs";
    assert_eq!(imports(file, "return StatusCode::CONFLICT;"), [1]);
    assert_eq!(imports(file, "axum::http::StatusCode::GONE"), [1]);
    assert_eq!(imports(file, "use holdfast_core::{Answer, Engine};"), [1]);
    assert_eq!(imports(file, "use axum::http::StatusCode;"), [0_usize; 0]);
    assert_eq!(
        imports("src/http/problem.rs", "StatusCode::CONFLICT"),
        [0_usize; 0]
    );
}

#[test]
fn imports_are_expanded_and_relative_paths_resolved() {
    let all = |source: &str, file: &str| -> Vec<String> {
        let named = paths(&code(source), &module_of(file));
        named.into_iter().map(|named| named.path).collect()
    };
    assert_eq!(
        all("use a::{b::{c, d as e}, f, self};", "src/lib.rs"),
        ["a::b::c", "a::b::d", "a::f", "a::self"]
    );
    assert_eq!(
        all("super::x::y; self::z;", "src/http/edge.rs")[..1],
        ["crate::http::x::y"]
    );
    assert_eq!(module_of("shards/core/src/engine/mod.rs"), "crate::engine");
    assert_eq!(module_of("src/main.rs"), "crate");
}

#[test]
fn a_dependency_that_is_not_listed_is_found() {
    let core = PACKAGES.first().expect("the core's");
    let good = "[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n";
    assert_eq!(rules::manifest("x", good, Some(core)), []);
    let bad = "[dependencies]\nserde.workspace = true\nrand = \"0.9\"\n\
        [dev-dependencies]\nproptest = \"1\"\ntokio = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(lines(&rules::manifest("x", bad, Some(core))), [3, 6]);
    assert_eq!(
        lines(&rules::manifest("x", "[package]\nname = \"x\"\n", None)),
        [1]
    );
}

#[test]
fn a_file_that_grows_is_found_and_the_list_of_long_ones_only_shrinks() {
    let text = |lines: usize| "x\n".repeat(lines);
    let what = |lines, list: &[(&str, usize)]| {
        rules::length("a.rs", &text(lines), list).map(|finding| finding.what)
    };
    assert_eq!(what(500, &[]), None);
    assert!(what(501, &[]).is_some_and(|what| what.contains("split")));
    assert_eq!(what(600, &[("a.rs", 600)]), None);
    assert!(what(601, &[("a.rs", 600)]).is_some_and(|what| what.contains("only shrink")));
    assert_eq!(what(599, &[("a.rs", 600)]), None);
    assert!(what(400, &[("a.rs", 600)]).is_some_and(|what| what.contains("take it off")));
    assert_eq!(
        lines(&rules::stale(&["a.rs".to_owned()], &[("b.rs", 600)])),
        [1]
    );
}

#[test]
fn marks_for_later_and_ignored_tests_are_found() {
    let mark = ["TO", "DO"].concat();
    let ignored = format!("#[{}]", "ignore");
    let text = format!("a\n// {mark}: later\nb {mark}s are fine\n{ignored}\n");
    assert_eq!(lines(&rules::leftovers("x", &text)), [2, 4]);
}

#[test]
fn a_source_without_an_opening_and_a_test_without_a_sentence_are_found() {
    assert!(rules::opening("x", "use std::fmt;\n").is_some());
    assert!(rules::opening("x", "//! What it is for.\n").is_none());
    let source = "#[test]\nfn works() {}\n#[tokio::test]\nasync fn test_of_a_thing() {}\n\
        #[test]\nfn a_sentence_says_what_holds() {}\n";
    assert_eq!(lines(&rules::names("x", source)), [1, 3]);
}

#[test]
fn a_decision_page_out_of_order_or_in_pieces_is_found() {
    let page = |name: &str, title: &str| {
        (
            format!("docs/decisions/{name}"),
            format!("{title}\n\n## Context\n## Choice\n## Cost\n"),
        )
    };
    let good = [page("0001-a.md", "# 1. A"), page("0002-b.md", "# 2. B")];
    assert_eq!(rules::decisions(&good), []);
    assert_eq!(rules::decisions(&[page("0002-b.md", "# 2. B")]).len(), 2);
    let half = [(
        "docs/decisions/0001-a.md".to_owned(),
        "# 1. A\n## Context\n".to_owned(),
    )];
    assert_eq!(rules::decisions(&half).len(), 2);
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let text =
        "see `src/gone.rs`, `src/here.rs`, `src/*.rs`\nand [it](docs/gone.md#part)\n`cargo x`";
    let found = rules::references("x", text, &["src/", "docs/"], |path| path == "src/here.rs");
    assert_eq!(lines(&found), [1, 2]);
}

#[test]
fn a_setting_without_an_explanation_is_found() {
    let text = "[http]\n\n# What it does.\n#a_max = 1\n\n#b_max = 2\n#c_max = 3\n";
    assert_eq!(lines(&rules::unexplained("x", text)), [6, 7]);
    assert!(rules::pages("x", "a\nb\n", 3..=5).is_some());
}
