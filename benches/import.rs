//! How fast rows of a file are imported: from `holdfast import` to its report, every row durable.
//!
//! `cargo bench --bench import`. The real server with its defaults and the command as processes of
//! their own: a million receipts of 100,000 SKUs that are there, and a million of as many SKUs that
//! are not, which are created on the way. Beside it, what the server takes more of memory at its
//! most: the keys of all rows, which it keeps a day, included. Deliberately absent: a network, and
//! rows that are bad.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::server::Server;
use common::{directory, machine};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const ROWS: usize = 1_000_000;
const SKUS: usize = 100_000;

/// What rounds of a kind came to.
#[derive(Default)]
struct Rounds {
    rate: Samples,
    more: Samples,
}

fn main() {
    let mut report = Report::new("import");
    let [mut known, mut new] = [(); 2].map(|()| Rounds::default());
    for _ in 0..ROUNDS {
        let dir = directory();
        let server = Server::holdfast(&dir.path().join("data"));
        let make = dir.path().join("make.ndjson");
        write_settings(&make);
        import(&server, &make, &[], SKUS);
        known.round(&server, dir.path(), SKUS, &[]);
        drop(server);
        let server = Server::holdfast(&dir.path().join("new"));
        new.round(&server, dir.path(), ROWS, &["--create"]);
    }
    let aim = Aim::Least(100_000.0);
    known.figure(
        &mut report,
        "import of a million receipts, 100,000 SKUs",
        aim,
    );
    let name = "import of a million receipts of as many new SKUs, created on the way";
    new.figure(&mut report, name, Aim::None);
    report.end();
}

impl Rounds {
    fn round(&mut self, server: &Server, dir: &Path, skus: usize, flags: &[&str]) {
        let file = dir.join("receipts.csv");
        write_receipts(&file, skus);
        settled(server);
        let before = machine::resident_of(server.pid());
        machine::forget_peak(server.pid());
        let took = import(server, &file, flags, ROWS);
        self.rate.push(ROWS as f64 / took.as_secs_f64());
        let more = machine::peak_of(server.pid()).saturating_sub(before);
        self.more.push(more as f64 / ROWS as f64);
    }

    fn figure(&self, report: &mut Report, name: &str, aim: Aim) {
        let more = self.more.show(Unit::Bytes);
        let partner = format!("the server's memory grows by {more} a row at its most");
        report.figure(name, aim, Unit::PerSecond, &self.rate, partner);
    }
}

/// Runs the command and insists that every row went in.
fn import(server: &Server, file: &Path, flags: &[&str], rows: usize) -> Duration {
    let mut command = server.command(&["import", "--json", "--quiet"]);
    let start = Instant::now();
    let done = command
        .args(flags)
        .arg(file)
        .output()
        .expect("the command starts");
    let took = start.elapsed();
    let report = String::from_utf8_lossy(&done.stdout);
    let is_all = report.contains(&format!("\"rows\":{rows},"));
    assert!(done.status.success() && is_all, "{report}");
    took
}

/// Waits until what follows the journal has followed.
fn settled(server: &Server) {
    let (mut last, mut same) = (0, 0);
    while same < 4 {
        std::thread::sleep(Duration::from_millis(250));
        let ticks = machine::ticks_of(server.pid());
        same = if ticks <= last + 1 { same + 1 } else { 0 };
        last = ticks;
    }
}

fn write_settings(file: &Path) {
    let mut rows = String::new();
    for sku in 0..SKUS {
        writeln!(rows, "{{\"sku\":\"SKU-{sku:08}\",\"kind\":\"sku\"}}").expect("a string takes it");
    }
    std::fs::write(file, rows).expect("the disk takes it");
}

/// As a warehouse sends them: each with its delivery note.
fn write_receipts(file: &Path, skus: usize) {
    let mut rows = String::from("sku,kind,qty,location,document\n");
    for row in 0..ROWS {
        let sku = row.wrapping_mul(0x9e37_79b1) % skus;
        let qty = row % 90 + 1;
        writeln!(rows, "SKU-{sku:08},receive,{qty},main,note-{:07}", row / 40)
            .expect("a string takes it");
    }
    std::fs::write(file, rows).expect("the disk takes it");
}
