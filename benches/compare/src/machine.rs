//! The machine that figures were made on. Deliberately absent: its name and its paths.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::targets::{postgres, redis};

/// Processes that wanted a core over the last minute.
pub(crate) fn load() -> f64 {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = all.split(' ').next().and_then(|first| first.parse().ok());
    first.unwrap_or(f64::NAN)
}

/// Machine, programs and rounds in a line or two.
pub(crate) fn about(load: f64, rounds: usize, seconds: f64, disk: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kilobytes| (kilobytes + (1 << 19)) >> 20);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a vendor appends to the version is the machine's affair.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let mut text = format!(
        "{cores} cores ({model}), {memory} GiB, Linux {kernel}, {}; {}; load {load:.2} before the \
         start.",
        said("stat", &["-f", "-c", "%T", &disk.to_string_lossy()]),
        said("date", &["-u", "+%Y-%m-%d"]),
    );
    let there: Vec<String> = [redis::name(), postgres::name()]
        .into_iter()
        .flatten()
        .collect();
    if !there.is_empty() {
        write!(text, " {}.", there.join(", ")).expect("a String takes all");
    }
    write!(
        text,
        " Medians of {rounds} rounds of {seconds} s, with their range; the rounds take turns."
    )
    .expect("a String takes all");
    text
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

fn field(file: &str, name: &str) -> Option<String> {
    let all = fs::read_to_string(file).ok()?;
    let line = all.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
