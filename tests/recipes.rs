//! The recipes of `docs/recipes.md`, run as they stand on the page: its commands in a shell against
//! the real server, and what they print held against what the page shows.
//!
//! A block `sh` is run. A block `text` after it is what it prints, where `…` stands for anything
//! within a line; a block `json` is what it answers, in part: fields that are left out are not
//! looked at. An answer that is a problem must be shown, or the recipe fails.

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use server::Server;

const PAGE: &str = include_str!("../docs/recipes.md");
/// Where the page's server listens.
const ADDRESS: &str = "localhost:7070";
/// How far what only reads may be behind.
const PATIENCE: Duration = Duration::from_secs(20);

macro_rules! recipes {
    ($($test:ident: $heading:literal,)*) => {
        const RUN: &[&str] = &[$($heading),*];
        $(#[test] fn $test() { run($heading); })*
    };
}

recipes! {
    a_first_load_is_run: "A first load, with orders that have not left yet",
    a_wrong_receipt_is_run: "A wrong receipt",
    a_renamed_sku_is_run: "A SKU is renamed, or merged with another",
    a_retired_sku_is_run: "A SKU is retired",
    a_closing_store_is_run: "A store closes",
    a_refund_is_run: "A refund, with and without the goods",
    a_partial_shipment_is_run: "An order leaves in parts",
    a_count_without_damaged_goods_is_run: "A warehouse counts without its damaged goods",
    a_sellers_available_is_run: "A seller sends what he can sell",
}

#[test]
fn every_recipe_of_the_page_is_run() {
    let headings: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(headings, RUN);
}

/// Commands, and what the page shows of what they print.
#[derive(Debug)]
struct Step {
    line: usize,
    commands: String,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Text(String),
    Json(String),
}

/// The steps of a part of the page, which begins at a line.
fn steps(part: &str, begins: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = part.lines().zip(begins..);
    while let Some((line, number)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(line, _)| line)
            .take_while(|line| *line != "```")
            .collect();
        let block = block.join("\n");
        let shows = |steps: &mut Vec<Step>, shown| {
            let step = steps
                .last_mut()
                .expect("commands come before what they print");
            assert!(matches!(step.shown, Shown::Nothing), "line {number}: twice");
            step.shown = shown;
        };
        match kind {
            "sh" => steps.push(Step {
                line: number,
                commands: block,
                shown: Shown::Nothing,
            }),
            "text" => shows(&mut steps, Shown::Text(block)),
            "json" => shows(&mut steps, Shown::Json(block)),
            other => panic!("line {number}: a block of {other:?}"),
        }
    }
    steps
}

/// The part of the page under a heading; without one, what stands before all of them.
fn part(heading: Option<&str>) -> (&'static str, usize) {
    let begins = heading.map_or(0, |heading| {
        let mark = format!("\n## {heading}\n");
        PAGE.find(&mark).expect("the page has the recipe") + mark.len()
    });
    let rest = &PAGE[begins..];
    let ends = rest.find("\n## ").map_or(rest.len(), |end| end + 1);
    (&rest[..ends], 1 + PAGE[..begins].lines().count())
}

/// A shell that lives as long as its recipe, so that variables do.
struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

const END: &str = "=== end of step";

impl Shell {
    fn start(address: &str, directory: &Path) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_holdfast"));
        let binaries = binary.parent().expect("it lies somewhere").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = Command::new("bash")
            .current_dir(directory)
            .env("PATH", format!("{binaries}:{path}"))
            .env("HOLDFAST_SERVER", address)
            .env("CURL_HOME", directory)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is there");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self {
            child,
            stdin,
            stdout,
        }
    }

    /// What commands print, and the exit code of the last one.
    fn run(&mut self, commands: &str) -> (String, String) {
        write!(self.stdin, "{commands}\nprintf '\\n{END} %s\\n' $?\n").expect("bash listens");
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            let count = self.stdout.read_line(&mut line).expect("it is text");
            assert!(count > 0, "bash ended in {commands}\n{printed}");
            if let Some(code) = line.strip_prefix(END) {
                return (printed.trim_end().to_owned(), code.trim().to_owned());
            }
            printed.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(heading: &str) {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(".curlrc"), "silent\nshow-error\n").expect("ours");
    let mut shell = Shell::start(&server.address(), directory.path());
    for (part, begins) in [part(None), part(Some(heading))] {
        for step in steps(part, begins) {
            let commands = step.commands.replace(ADDRESS, &server.address());
            let began = Instant::now();
            loop {
                let (printed, code) = shell.run(&commands);
                let Err(why) = check(&step.shown, &printed, &code) else {
                    break;
                };
                // Lists and statements may be a moment behind; what changes something may not.
                let told = format!("docs/recipes.md:{}: {why}\n{printed}", step.line);
                assert!(only_reads(&step.commands), "{told}");
                assert!(began.elapsed() < PATIENCE, "{told}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Whether commands may be given again.
fn only_reads(commands: &str) -> bool {
    let reads = [
        "curl ",
        "holdfast sku show ",
        "holdfast ledger ",
        "holdfast drifts list",
    ];
    let changes = ["--json", "-X", "--data", "="];
    commands.lines().all(|line| {
        let is_get = !line.starts_with("curl ") || !changes.iter().any(|flag| line.contains(flag));
        is_get && reads.iter().any(|read| line.starts_with(read))
    })
}

fn check(shown: &Shown, printed: &str, code: &str) -> Result<(), String> {
    if code != "0" {
        return Err(format!("the last command ended with {code}"));
    }
    let documents: Vec<Value> = serde_json::Deserializer::from_str(printed)
        .into_iter()
        .map_while(Result::ok)
        .collect();
    let wanted: Vec<Value> = match shown {
        Shown::Nothing => Vec::new(),
        Shown::Text(text) => {
            let alike = text.lines().count() == printed.lines().count()
                && text
                    .lines()
                    .zip(printed.lines())
                    .all(|(a, b)| is_like(a, b));
            return alike
                .then_some(())
                .ok_or(format!("the page shows\n{text}\nand it is"));
        }
        Shown::Json(text) => serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| format!("what is shown is no JSON: {error}"))?,
    };
    // The last answers are those that are shown.
    let Some(unshown) = documents.len().checked_sub(wanted.len()) else {
        return Err("it answers less than is shown".to_owned());
    };
    if let Some(problem) = documents[..unshown]
        .iter()
        .find(|answer| is_problem(answer))
    {
        return Err(format!("a problem that the page does not show: {problem}"));
    }
    for (wanted, answer) in wanted.iter().zip(&documents[unshown..]) {
        contains(wanted, answer, "")?;
    }
    Ok(())
}

fn is_problem(answer: &Value) -> bool {
    let has_failed = |answer: &Value| {
        answer["status"]
            .as_u64()
            .is_some_and(|status| 400 <= status)
    };
    let results = answer["results"].as_array();
    has_failed(answer) || results.is_some_and(|all| all.iter().any(has_failed))
}

/// Whether a line is what the page shows, where `…` is anything.
fn is_like(shown: &str, printed: &str) -> bool {
    let mut parts = shown.trim_end().split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.trim_end().strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Whether an answer has all that is shown.
fn contains(shown: &Value, answer: &Value, at: &str) -> Result<(), String> {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => {
            for (name, value) in shown {
                let at = format!("{at}.{name}");
                let found = answer.get(name).ok_or(format!("{at} is not there"))?;
                contains(value, found, &at)?;
            }
            Ok(())
        }
        (Value::Array(shown), Value::Array(answer)) if shown.len() == answer.len() => {
            let mut pairs = shown.iter().zip(answer).enumerate();
            pairs.try_for_each(|(place, (a, b))| contains(a, b, &format!("{at}[{place}]")))
        }
        (Value::String(shown), Value::String(answer)) if is_like(shown, answer) => Ok(()),
        _ if shown == answer => Ok(()),
        _ => Err(format!("{at} is {answer}, and the page shows {shown}")),
    }
}

#[test]
fn what_is_shown_and_what_is_printed_are_told_apart() {
    let json = |text: &str| Shown::Json(text.to_owned());
    let text = |text: &str| Shown::Text(text.to_owned());
    assert!(check(&json(r#"{"a":1}"#), r#"{"a":1,"b":2}"#, "0").is_ok());
    assert!(check(&json(r#"{"a":2}"#), r#"{"a":1,"b":2}"#, "0").is_err());
    assert!(check(&json(r#"{"c":1}"#), r#"{"a":1,"b":2}"#, "0").is_err());
    assert!(check(&json(r#"{"a":[1]}"#), r#"{"a":[1,2]}"#, "0").is_err());
    assert!(check(&json(r#"{"a":1}"#), "", "0").is_err());
    assert!(check(&Shown::Nothing, r#"{"status":409,"code":"x"}"#, "0").is_err());
    assert!(check(&Shown::Nothing, r#"{"results":[{"status":409}]}"#, "0").is_err());
    assert!(check(&Shown::Nothing, "fine", "1").is_err());
    assert!(check(&text("a … c\nd"), "a b c\nd  ", "0").is_ok());
    assert!(check(&text("a … c"), "a b d", "0").is_err());
    assert!(check(&text("a"), "a\nb", "0").is_err());
    assert!(only_reads(
        "curl localhost:7070/v1/skus/A\nholdfast sku show A"
    ));
    assert!(!only_reads("curl localhost:7070/v1/x --json '{}'"));
    assert!(!only_reads("ID=$(curl localhost:7070/v1/x | id)"));
}
