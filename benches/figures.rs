//! All figures: runs every bench and writes the table of `benches/README.md` anew.
//!
//! `cargo bench --bench figures`, on a machine with nothing else to do; about five minutes.
//! Deliberately absent: measuring; each bench does that in a process of its own.

use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

#[path = "common/machine.rs"]
#[allow(dead_code, reason = "each bench takes its part")]
mod machine;

const BENCHES: [&str; 11] = [
    "engine",
    "durable",
    "http",
    "generator",
    "size",
    "restart",
    "expiry",
    "scaling",
    "statement",
    "import",
    "reconcile",
];
const BEGIN: &str = "<!-- figures: written by `cargo bench --bench figures` -->\n";
const END: &str = "<!-- end of figures -->";

fn main() {
    let (machine, load) = (machine::line(), machine::load());
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures.jsonl");
    let _ = std::fs::remove_file(&list);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let failed: Vec<&str> = BENCHES
        .into_iter()
        .filter(|bench| {
            let run = Command::new(&cargo)
                .args(["bench", "--quiet", "--bench", bench])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .env("BENCH_FIGURES", &list)
                .status();
            !run.is_ok_and(|status| status.success())
        })
        .collect();
    let lines = std::fs::read_to_string(&list).unwrap_or_default();
    let figures: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a bench wrote it"))
        .collect();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/README.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let (head, rest) = text
        .split_once(BEGIN)
        .expect("the page has a place for them");
    let (_, tail) = rest.split_once(END).expect("the place has an end");
    let table = table(&figures, &machine, load, &failed);
    std::fs::write(&page, format!("{head}{BEGIN}{table}{END}{tail}")).expect("it can be written");
    println!("{table}");
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
        std::process::exit(1);
    }
}

fn table(figures: &[Value], machine: &str, load: f64, failed: &[&str]) -> String {
    let mut table = format!("\n{machine}; {}; load {load:.2} before the start", date());
    if load >= 1.5 {
        table.push_str(" (busy: take it as a hint)");
    }
    table.push_str(". Medians of the rounds, with their range.\n\n");
    table.push_str("| figure | aim | measured | | beside it, in the same run | command |\n");
    table.push_str("|---|---|---|---|---|---|\n");
    for figure in figures {
        let word = |name: &str| figure[name].as_str().unwrap_or_default().to_owned();
        let met = match figure["met"].as_bool() {
            Some(true) => "met",
            Some(false) => "**short**",
            None => "",
        };
        let (name, aim, measured) = (word("figure"), word("aim"), word("measured"));
        let (partner, command) = (word("partner"), word("command"));
        writeln!(
            table,
            "| {name} | {aim} | {measured} | {met} | {partner} | `{command}` |"
        )
        .expect("a string takes it");
    }
    for bench in failed {
        writeln!(table, "\n`cargo bench --bench {bench}` failed.").expect("a string takes it");
    }
    table.push('\n');
    table
}

fn date() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let said = date.map(|date| String::from_utf8_lossy(&date.stdout).trim().to_owned());
    said.unwrap_or_else(|_| "date unknown".to_owned())
}
