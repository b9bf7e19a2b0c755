//! What was found, for people and for programs.

use super::{Check, Report, ShardReport};
use crate::show::{Paint, count};
use holdfast_core::{Counter, SkuView};
use serde::Serialize;
use std::fmt::Write;

/// Counters of a SKU, or of many, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Sellable and not sold.
    pub on_hand: i64,
    /// Under open holds.
    pub reserved: i64,
    /// Kept back from sale.
    pub safety_stock: i64,
    /// What may be promised.
    pub available: i64,
    /// Sold.
    pub sold: i64,
    /// Received.
    pub received: i64,
    /// Adjusted.
    pub adjusted: i64,
    /// Given back from holds.
    pub released: i64,
    /// Expired from holds.
    pub expired: i64,
}

impl Totals {
    /// A SKU's, over its locations.
    pub fn of(view: &SkuView) -> Self {
        Self {
            on_hand: view.total(Counter::OnHand),
            reserved: view.total(Counter::Reserved),
            safety_stock: view.total(Counter::SafetyStock),
            available: view.available(),
            sold: view.total(Counter::Sold),
            received: view.total(Counter::Received),
            adjusted: view.total(Counter::Adjusted),
            released: view.total(Counter::Released),
            expired: view.total(Counter::Expired),
        }
    }

    /// Adds another SKU's.
    pub fn add(&mut self, other: &Self) {
        self.on_hand += other.on_hand;
        self.reserved += other.reserved;
        self.safety_stock += other.safety_stock;
        self.available += other.available;
        self.sold += other.sold;
        self.received += other.received;
        self.adjusted += other.adjusted;
        self.released += other.released;
        self.expired += other.expired;
    }

    const fn columns(&self) -> [i64; 7] {
        [
            self.on_hand,
            self.reserved,
            self.available,
            self.sold,
            self.received,
            self.released,
            self.expired,
        ]
    }
}

const HEADINGS: [&str; 7] = [
    "on hand",
    "reserved",
    "available",
    "sold",
    "received",
    "released",
    "expired",
];

pub(super) fn text(report: &Report, rows: usize, paint: Paint) -> String {
    let mut out = String::new();
    for shard in &report.shards {
        shard_line(&mut out, shard, paint);
    }
    out.push('\n');
    skus(&mut out, report, rows, paint);
    out.push('\n');
    for check in &report.checks {
        check_line(&mut out, check, paint);
    }
    let verdict = if report.is_good() {
        paint.good("verified: every record was read, and everything above holds")
    } else {
        paint.bad("NOT verified: keep the directory as it is, and restore from a copy")
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}

fn shard_line(out: &mut String, shard: &ShardReport, paint: Paint) {
    let name = paint.bold(format!("shard {}", shard.shard));
    if let Some(why) = &shard.corrupt {
        let _ = writeln!(out, "{name}  {}", paint.bad(why));
        return;
    }
    let _ = writeln!(
        out,
        "{name}  {} events in {} records, up to {}; {} reservations ({} open), {} keys, {} SKUs",
        count(shard.events),
        count(shard.records),
        count(shard.head),
        count(shard.reservations as u64),
        count(shard.open as u64),
        count(shard.keys as u64),
        count(shard.skus as u64),
    );
}

fn skus(out: &mut String, report: &Report, rows: usize, paint: Paint) {
    let width = report
        .skus
        .keys()
        .take(rows)
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max(12);
    let heading: String = HEADINGS.iter().fold(String::new(), |mut line, name| {
        let _ = write!(line, "{name:>12}");
        line
    });
    let _ = writeln!(out, "{}", paint.dim(format!("{:<width$}{heading}", "SKU")));
    for (sku, totals) in report.skus.iter().take(rows) {
        row(out, width, sku, totals);
    }
    if rows < report.skus.len() {
        let more = format!("… and {} more", count((report.skus.len() - rows) as u64));
        let _ = writeln!(out, "{}", paint.dim(more));
    }
    row(out, width, "all", &report.totals);
}

fn row(out: &mut String, width: usize, name: &str, totals: &Totals) {
    let _ = write!(out, "{name:<width$}");
    for value in totals.columns() {
        let _ = write!(out, "{value:>12}");
    }
    out.push('\n');
}

fn check_line(out: &mut String, check: &Check, paint: Paint) {
    let mark = match (&check.broken[..], &check.limit) {
        ([], None) => paint.good("✓"),
        // It holds as far as it could be looked at; the next line says how far.
        ([], Some(_)) => paint.warn("~"),
        _ => paint.bad("✗"),
    };
    let _ = writeln!(out, "{mark} {:<12} {}", check.name, check.claim);
    if let Some(limit) = &check.limit {
        let _ = writeln!(out, "  {}", paint.warn(limit));
    }
    for broken in &check.broken {
        let _ = writeln!(out, "  {}", paint.bad(broken));
    }
}
