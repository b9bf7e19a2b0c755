//! `holdfast reconcile`: sends a file to a running server, follows the comparison, and tells what
//! came of it.
//!
//! The file goes in pieces, so that its length is bounded by the server's disk alone. A piece whose
//! answer was lost is sent again and changes nothing.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::time::sleep;

use super::ask::{At, word};
use super::table::folded;
use super::{Exit, fail, print};
use crate::client::{Call, Client, Patience};
use crate::progress::{Progress, Show};
use crate::reconcile::Source;
use crate::show;

/// The flags of `holdfast reconcile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Differences become drifts: `holdfast drifts list` shows those that wait, `holdfast drifts approve`
and `dismiss` decide them. The same file sent again finds nothing new.

Exit codes:
  0  the file was compared, whether anything differs or not
  1  it was refused or given up, or the server answered no
  2  wrong usage, or the file can't be read
  7  the server cannot be reached")]
pub struct Args {
    /// Whose truth the file tells
    #[arg(value_enum)]
    source: Source,
    /// CSV with the names of its columns, or NDJSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The moment of which it tells: RFC 3339 in UTC, or a position; now if absent
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<String>,
    /// Who reports: 1 to 128 bytes
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What the file is called; its content's hash if absent
    #[arg(long, value_name = "NAME")]
    document: Option<String>,
    /// Orders: reservations made before this are not missed in the file
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    at: At,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Save the report, as JSON, in this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What a server takes at once, with its defaults.
const PIECE: usize = 512 << 10;
const ASK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs it.
pub async fn run(args: Args) -> Exit {
    match reconcile(&args).await {
        Ok(report) => tell(&args, &report),
        Err(exit) => exit,
    }
}

async fn reconcile(args: &Args) -> Result<Value, Exit> {
    let unreadable = |error| {
        let file = args.file.display();
        fail(Exit::Usage, format!("{file}: {error}"))
    };
    let mut file = File::open(&args.file).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let client = Client::new(args.at.server.clone(), Patience::default());
    let sending = Progress::bar(Show::Progress, "sending", length);
    let (mut offset, mut stands) = (0_u64, Value::Null);
    while offset < length || stands.is_null() {
        let mut piece = Vec::with_capacity(PIECE);
        let mut part = (&mut file).take(PIECE as u64);
        part.read_to_end(&mut piece).map_err(unreadable)?;
        let next = offset + piece.len() as u64;
        let more = next < length && !piece.is_empty();
        let path = match stands["id"].as_str() {
            None => format!("/v1/reconciliations?{}&more={more}", args.query()),
            Some(id) => format!("/v1/reconciliations/{id}/rows?offset={offset}&more={more}"),
        };
        stands = args.send(&client, &upload(path, piece.into())).await?;
        offset = next;
        sending.set(offset);
        if !more {
            break;
        }
    }
    sending.finish("sent");
    follow(args, &client, stands).await
}

/// Asks how it stands until it has ended.
async fn follow(args: &Args, client: &Client, mut stands: Value) -> Result<Value, Exit> {
    let comparing = Progress::spinner(Show::Progress, "comparing");
    let path = format!(
        "/v1/reconciliations/{}",
        stands["id"].as_str().unwrap_or("")
    );
    while matches!(stands["state"].as_str(), Some("receiving" | "running")) {
        sleep(ASK_EVERY).await;
        stands = args.send(client, &Call::get(path.as_str())).await?;
        comparing.set(stands["rows"]["compared"].as_u64().unwrap_or(0));
        comparing.note(format!("{} waiting", stands["drifts"]["waiting"]));
    }
    match stands["state"].as_str() {
        Some("done") => comparing.finish("done"),
        state => comparing.fail(state.unwrap_or("ended")),
    }
    Ok(stands)
}

fn upload(path: String, piece: Bytes) -> Call {
    Call {
        method: Method::POST,
        path,
        key: None,
        body: piece,
    }
}

impl Args {
    fn query(&self) -> String {
        let mut query = format!("source={}", self.source.as_str());
        let named = [
            ("by", &self.by),
            ("document", &self.document),
            ("as_of", &self.as_of),
            ("since", &self.since),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                query.extend(["&", name, "=", &escaped(value)]);
            }
        }
        query
    }

    /// The answer's body, or the exit code after having said what went wrong.
    async fn send(&self, client: &Client, call: &Call) -> Result<Value, Exit> {
        let answer = client.walk_away(call, PATIENCE).await.map_err(|broken| {
            let advice = "is the server running there? --server names another";
            let text = format!("{}: {broken}; {advice}", self.at.server);
            fail(Exit::Unreachable, text)
        })?;
        if !answer.status.is_success() {
            let problem = answer.problem();
            let text = format!("{} ({}): {}", problem.code, problem.status, problem.detail);
            return Err(fail(Exit::Failure, text));
        }
        let strange = |error| {
            let text = format!(
                "{} does not answer as holdfast does: {error}",
                self.at.server
            );
            fail(Exit::Failure, text)
        };
        answer.parse().map_err(strange)
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

fn tell(args: &Args, report: &Value) -> Exit {
    if let Some(path) = &args.report
        && let Err(error) = fs::write(path, format!("{report:#}\n"))
    {
        let path = path.display();
        return fail(Exit::Failure, format!("can't write {path}: {error}"));
    }
    let text = if args.json {
        report.to_string()
    } else {
        as_text(report)
    };
    let printed = print(Exit::Success, format!("{text}\n"));
    if report["state"] == "done" {
        return printed;
    }
    let reason = report["reason"].as_str().unwrap_or("it gives no reason");
    fail(Exit::Failure, format!("{}: {reason}", args.file.display()))
}

fn as_text(report: &Value) -> String {
    let (rows, drifts) = (&report["rows"], &report["drifts"]);
    let mut lines = vec![format!(
        "{}: reconciliation {} as of {}",
        word(report, "state"),
        word(report, "id"),
        word(report, "as_of"),
    )];
    if report["state"] != "done" && rows["read"] == 0 {
        return lines.remove(0);
    }
    lines.push(format!(
        "rows: {} read, {} compared, {} left out",
        rows["read"], rows["compared"], rows["left_out"]
    ));
    lines.push(format!(
        "drifts: {} opened, {} known before, {} approved, {} waiting",
        drifts["opened"], drifts["known"], drifts["approved"], drifts["waiting"]
    ));
    let list = |name: &str| report[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut faults: Vec<&Value> = list("faults").iter().collect();
    faults.sort_by_key(|fault| fault["line"].as_u64());
    for fault in faults.iter().take(TOLD) {
        lines.push(format!(
            "  line {}: {}",
            fault["line"],
            word(fault, "reason")
        ));
    }
    more(&mut lines, rows["left_out"].as_u64(), faults.len());
    for found in list("found").iter().take(TOLD) {
        lines.push(format!(
            "  {} {} at {}: expected {}, found {} ({}; {})",
            word(found, "kind"),
            word(found, "sku"),
            word(found, "location"),
            found["expected"],
            found["found"],
            word(found, "proposal"),
            word(found, "state"),
        ));
    }
    let opened_and_known = drifts["opened"].as_u64().zip(drifts["known"].as_u64());
    let all = opened_and_known.map(|(opened, known)| opened + known);
    more(&mut lines, all, list("found").len());
    let lines: Vec<String> = lines.iter().map(|line| folded(line)).collect();
    lines.join("\n")
}

/// Says how many of a list were not printed.
fn more(lines: &mut Vec<String>, all: Option<u64>, listed: usize) {
    let all = all.unwrap_or_default().max(listed as u64);
    let left = all.saturating_sub(listed.min(TOLD) as u64);
    if 0 < left {
        lines.push(format!(
            "  and {} more; --json and --report have the first {}",
            show::count(left),
            show::count(listed as u64)
        ));
    }
}

/// Faults and differences printed one by one.
const TOLD: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(faults: u64, found: u64) -> Value {
        let faults_told = (0..faults).map(|at| json!({"line": 900 - at, "reason": "not a row"}));
        let found_told = (0..found).map(|at| {
            json!({"kind": "warehouse", "sku": format!("TEE-{at}"), "location": "main",
                "expected": 7, "found": 5, "proposal": "adjust -2", "state": "open"})
        });
        json!({"id": "01a2062829", "state": "done", "as_of": "2026-11-27T08:00:00.000Z",
            "rows": {"read": 1_000, "compared": 1_000 - faults, "left_out": faults, "forgotten": 0},
            "drifts": {"opened": found, "known": 0, "approved": 0, "waiting": found},
            "faults": faults_told.collect::<Vec<_>>(), "found": found_told.collect::<Vec<_>>()})
    }

    #[test]
    fn a_report_tells_faults_by_line_and_what_was_found() {
        insta::assert_snapshot!(as_text(&report(2, 1)), @r"
        done: reconciliation 01a2062829 as of 2026-11-27T08:00:00.000Z
        rows: 1000 read, 998 compared, 2 left out
        drifts: 1 opened, 0 known before, 0 approved, 1 waiting
          line 899: not a row
          line 900: not a row
          warehouse TEE-0 at main: expected 7, found 5 (adjust -2; open)
        ");
    }

    #[test]
    fn a_long_report_says_how_much_it_leaves_out() {
        let text = as_text(&report(25, 31));
        let more: Vec<&str> = text.lines().filter(|line| line.contains("more")).collect();
        assert_eq!(
            more,
            [
                "  and 5 more; --json and --report have the first 25",
                "  and 11 more; --json and --report have the first 31"
            ]
        );
        assert_eq!(text.lines().count(), 3 + 2 * (TOLD + 1));
    }

    #[test]
    fn a_file_that_was_refused_has_nothing_to_count() {
        let refused = json!({"id": "01a2062829", "state": "refused", "reason": "the file is empty",
            "as_of": "2026-11-27T08:00:00.000Z", "rows": {"read": 0}, "drifts": {}});
        insta::assert_snapshot!(as_text(&refused), @r"
        refused: reconciliation 01a2062829 as of 2026-11-27T08:00:00.000Z
        ");
    }
}
