//! `holdfast ledger`: a SKU's statement, as a bank would print it, or its counters in the past.
//!
//! Pages are asked for one after the other and printed as they come, so that a long statement can
//! be piped. Deliberately absent: reading a data directory; `holdfast verify` does.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::Value;

use super::sku::{Asked, as_text, escaped};
use super::{Exit, fail};
use crate::client::Call;

/// Entries asked for at a time.
const PAGE: u64 = 500;

/// The flags of `holdfast ledger`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    asked: Asked,
    /// The counters at this moment in place of the statement: a time such as
    /// 2026-11-27T08:00:00Z, or a position that an entry shows with --json
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["after", "limit"])]
    as_of: Option<String>,
    /// Begin after this position
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Print at most so many entries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let outcome = match &args.as_of {
        Some(as_of) => past(&args.asked, as_of).await,
        None => statement(&args).await,
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn past(asked: &Asked, as_of: &str) -> Result<Exit, Exit> {
    let path = format!("{}?as_of={}", asked.path(), escaped(as_of));
    let then = asked.send(&Call::get(path)).await?;
    let text = if asked.json {
        then.to_string()
    } else {
        let time = then["as_of"]["time"].as_str().unwrap_or("?");
        format!("as of {time}\n{}", as_text(&then))
    };
    print(&[text])
}

async fn statement(args: &Args) -> Result<Exit, Exit> {
    let asked = &args.asked;
    if !asked.json {
        print(&[row(&HEADINGS.map(str::to_owned), "")])?;
    }
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut after = args.after.clone();
    while 0 < left {
        let from = after.map_or_else(String::new, |after| format!("&after={}", escaped(&after)));
        let path = format!("{}/ledger?limit={}{from}", asked.path(), left.min(PAGE));
        let page = asked.send(&Call::get(path)).await?;
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        let lines: Vec<String> = items
            .iter()
            .map(|item| {
                if asked.json {
                    item.to_string()
                } else {
                    entry(item)
                }
            })
            .collect();
        print(&lines)?;
        left -= left.min(items.len() as u64);
        after = page["next_cursor"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(Exit::Success)
}

/// Prints lines; a reader that has gone, as `head` does, ends it quietly.
fn print(lines: &[String]) -> Result<Exit, Exit> {
    let mut out = io::stdout().lock();
    for line in lines {
        match writeln!(out, "{line}") {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Exit::Success),
            Err(error) => return Err(fail(Exit::Failure, format!("can't print: {error}"))),
        }
    }
    Ok(Exit::Success)
}

const HEADINGS: [&str; 8] = [
    "time", "what", "where", "qty", "on hand", "reserved", "sold", "shipped",
];
const WIDTHS: [usize; 8] = [24, 24, 12, 9, 10, 10, 10, 10];

/// An entry: what happened, the balances after it, and why.
fn entry(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let balance = |name: &str| {
        let after = item["after"][name].as_i64().unwrap_or_default();
        let step = after - item["before"][name].as_i64().unwrap_or_default();
        if step == 0 {
            after.to_string()
        } else {
            // What moved is marked, so that a column can be read downwards.
            format!("{}{after}", if 0 < step { "↑" } else { "↓" })
        }
    };
    let cells = [
        text("time"),
        text("type"),
        item["location"].as_str().unwrap_or("-").to_owned(),
        item["qty"].to_string(),
        balance("on_hand"),
        balance("reserved"),
        balance("sold"),
        balance("shipped"),
    ];
    let why = [
        "reason",
        "document",
        "source",
        "order_ref",
        "reservation",
        "drift",
    ];
    let why = why.into_iter().filter_map(|name| {
        let said = item[name].as_str()?;
        Some(format!("{name}={said}"))
    });
    row(&cells, &why.collect::<Vec<_>>().join(" "))
}

fn row(cells: &[String; 8], why: &str) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        if place < 3 {
            let _ = write!(line, "{cell:<width$} ");
        } else {
            let _ = write!(line, "{cell:>width$} ");
        }
    }
    line += " ";
    line += why;
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_a_line_with_balances_and_reasons() {
        let item = json!({"time": "2026-11-27T08:00:00.000Z", "type": "stock.received",
            "location": "main", "qty": 5, "reason": "delivery", "document": "LS-1",
            "before": {"on_hand": 10, "reserved": 2, "sold": 0, "shipped": 0},
            "after": {"on_hand": 15, "reserved": 2, "sold": 0, "shipped": 0}});
        insta::assert_snapshot!(format!(
            "{}\n{}",
            row(&HEADINGS.map(str::to_owned), ""),
            entry(&item)
        ));
    }
}
