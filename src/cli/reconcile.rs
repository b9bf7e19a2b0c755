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

use super::{Exit, fail, print};
use crate::client::{Call, Client, Patience, Target};
use crate::progress::{Progress, Show};
use crate::reconcile::Source;

/// The flags of `holdfast reconcile`.
#[derive(Debug, clap::Args)]
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
    /// The server's data listener: `http://HOST:PORT` or `unix:/PATH`
    #[arg(
        long,
        env = "HOLDFAST_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7070"
    )]
    server: Target,
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
        fail(Exit::Failure, format!("can't read {file}: {error}"))
    };
    let mut file = File::open(&args.file).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let client = Client::new(args.server.clone(), Patience::default());
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
    comparing.finish(stands["state"].as_str().unwrap_or("ended"));
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
            let text = format!("{}: {broken}; {advice}", self.server);
            fail(Exit::Unreachable, text)
        })?;
        if !answer.status.is_success() {
            let problem = answer.problem();
            let text = format!("{} ({}): {}", problem.code, problem.status, problem.detail);
            return Err(fail(Exit::Failure, text));
        }
        let strange = |error| {
            let text = format!("{} does not answer as holdfast does: {error}", self.server);
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
    let exit = if report["state"] == "done" {
        Exit::Success
    } else {
        Exit::Failure
    };
    let text = if args.json {
        report.to_string()
    } else {
        as_text(report)
    };
    print(exit, format!("{text}\n"))
}

fn as_text(report: &Value) -> String {
    let (rows, drifts) = (&report["rows"], &report["drifts"]);
    let state = report["state"].as_str().unwrap_or("?");
    let mut lines = vec![format!(
        "{state}: reconciliation {} as of {}",
        report["id"].as_str().unwrap_or("?"),
        report["as_of"].as_str().unwrap_or("?"),
    )];
    if let Some(reason) = report["reason"].as_str() {
        lines.push(reason.to_owned());
    }
    lines.push(format!(
        "rows: {} read, {} compared, {} left out",
        rows["read"], rows["compared"], rows["left_out"]
    ));
    lines.push(format!(
        "drifts: {} opened, {} known before, {} approved, {} waiting",
        drifts["opened"], drifts["known"], drifts["approved"], drifts["waiting"]
    ));
    let none = Vec::new();
    for fault in report["faults"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .take(TOLD)
    {
        let reason = fault["reason"].as_str().unwrap_or("?");
        lines.push(format!("  line {}: {reason}", fault["line"]));
    }
    for found in report["found"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .take(TOLD)
    {
        let text = |name: &str| found[name].as_str().unwrap_or("?").to_owned();
        lines.push(format!(
            "  {} {} at {}: expected {}, found {} ({}; {})",
            text("kind"),
            text("sku"),
            text("location"),
            found["expected"],
            found["found"],
            text("proposal"),
            text("state"),
        ));
    }
    lines.join("\n")
}

/// Faults and differences printed one by one; --json and --report have more.
const TOLD: usize = 20;
