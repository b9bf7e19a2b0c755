//! `holdfast ledger`: a SKU's statement, as a bank would print it, or its counters in the past.
//!
//! Pages are asked for one after the other and printed as they come, so that a long statement can
//! be piped. Deliberately absent: reading a data directory; `holdfast verify` does.

use std::io::{self, Write as _};
use std::num::NonZeroU64;

use serde_json::Value;

use super::ask::{number, word};
use super::sku::{Asked, as_text, escaped};
use super::table::{Columns, Row};
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
    /// 2026-11-27T08:00:00Z, or a position that an entry has with --json
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["after", "limit"])]
    as_of: Option<String>,
    /// Begin after this position, which an entry has with --json
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Print at most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,
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
    let mut table = Statement::new(columns());
    let mut left = args.limit.map_or(u64::MAX, NonZeroU64::get);
    let mut after = args.after.clone();
    while 0 < left {
        let from = after.map_or_else(String::new, |after| format!("&after={}", escaped(&after)));
        let path = format!("{}/ledger?limit={}{from}", asked.path(), left.min(PAGE));
        let page = asked.send(&Call::get(path)).await?;
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        if asked.json {
            let lines: Vec<String> = items.iter().map(Value::to_string).collect();
            print(&lines)?;
        } else {
            print(&table.page(items))?;
        }
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
            Err(error) => {
                let text = format!("stdout can't be written: {error}");
                return Err(fail(Exit::Failure, text));
            }
        }
    }
    Ok(Exit::Success)
}

fn columns() -> Columns<8> {
    let headings = [
        "time", "what", "where", "qty", "on hand", "reserved", "sold", "shipped",
    ];
    Columns::new(headings, "", 3).at_least(1, "reservation.confirmed".len())
}

/// A statement as it is printed. Where the terminal has no room for whole times, days have lines of
/// their own, as on a bank's.
struct Statement {
    columns: Columns<8>,
    has_begun: bool,
    /// The day whose line was printed last, where days have lines.
    day: Option<String>,
}

impl Statement {
    fn new(columns: Columns<8>) -> Self {
        Self {
            columns,
            has_begun: false,
            day: None,
        }
    }

    /// The lines of a page.
    fn page(&mut self, items: &[Value]) -> Vec<String> {
        let mut rows: Vec<Row<8>> = items.iter().map(entry).collect();
        let mut lines = Vec::new();
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first {
            if rows.is_empty() {
                return vec!["no entries".to_owned()];
            }
            if !self.columns.would_fit(&rows) {
                self.day = Some(String::new());
            }
        }
        let mut days = Vec::new();
        if self.day.is_some() {
            days = rows.iter_mut().map(split_time).collect();
        }
        self.columns.fit(&rows);
        if is_first {
            lines.push(self.columns.heading());
        }
        for (at, row) in rows.iter().enumerate() {
            if let (Some(last), Some(day)) = (&mut self.day, days.get(at))
                && last != day
            {
                lines.push(format!("{day} (UTC)"));
                last.clone_from(day);
            }
            lines.push(self.columns.line(row));
        }
        lines
    }
}

/// Takes the day out of a row's time and leaves the seconds.
fn split_time(row: &mut Row<8>) -> String {
    let time = std::mem::take(&mut row.cells[0]);
    let (day, clock) = time.split_once('T').unwrap_or(("", &time));
    row.cells[0] = clock.chars().take(8).collect();
    day.to_owned()
}

/// An entry: what happened, the balances after it, and why.
fn entry(item: &Value) -> Row<8> {
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
        word(item, "time").to_owned(),
        word(item, "type").to_owned(),
        word(item, "location").to_owned(),
        number(item, "qty"),
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
    Row {
        cells,
        rest: why.collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries() -> Vec<Value> {
        let balances = |on_hand: i64, reserved: i64| json!({"on_hand": on_hand, "reserved": reserved, "sold": 0, "shipped": 0});
        vec![
            json!({"time": "2026-11-27T08:00:00.000Z", "type": "stock.received", "qty": 5,
                "location": "main", "reason": "delivery", "document": "LS-1",
                "before": balances(10, 2), "after": balances(15, 2)}),
            json!({"time": "2026-11-27T08:00:01.250Z", "type": "sku.configured", "qty": 0,
                "before": balances(15, 2), "after": balances(15, 2)}),
            json!({"time": "2026-11-28T23:59:59.999Z", "type": "reservation.created", "qty": 3,
                "location": "main", "order_ref": "O-1001",
                "reservation": "019b0000-0000-8000-8000-000000000000",
                "before": balances(15, 2), "after": balances(15, 5)}),
        ]
    }

    #[test]
    fn an_entry_is_a_line_with_balances_and_reasons() {
        let mut statement = Statement::new(columns());
        let mut lines = statement.page(&entries()[..2]);
        lines.extend(statement.page(&entries()[2..]));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn on_a_narrow_terminal_days_and_reasons_have_lines_of_their_own() {
        let mut statement = Statement::new(columns().on(80));
        let mut lines = statement.page(&entries()[..2]);
        lines.extend(statement.page(&entries()[2..]));
        let text = lines.join("\n");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert_eq!(Statement::new(columns()).page(&[]), ["no entries"]);
    }
}
