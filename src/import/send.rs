//! Sending until the file is in: ask where it stands, send from there, and ask again after a break.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::{Instant, interval, sleep};

use super::{Format, Report, Source};
use crate::client::wire::Problem;
use crate::client::{Broken, Call, Client, Patience, Target, Upload, upload};
use crate::progress::Progress;
use crate::show;

/// How an import is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub server: Target,
    /// What the file is called.
    pub identity: String,
    /// Change nothing.
    pub dry_run: bool,
    /// Create what is unknown.
    pub create: bool,
    /// From the first line, wherever it stands.
    pub again: bool,
    /// How long to go on without getting any further.
    pub patience: Duration,
}

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// The file was sent to its end. The report, and as the server wrote it.
    Sent(Report, Vec<u8>),
    /// All of it had been sent before.
    WasSent(Report, Vec<u8>),
    /// The server refuses it.
    Refused(Problem),
    /// There was no getting further for too long: why, and how far it came.
    GaveUp(String, Option<Report>),
}

/// Pauses between tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How often the bar asks.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long one question may take.
const ASK_MAX: Duration = Duration::from_secs(5);

/// What one try brought.
enum Try {
    End(Outcome),
    Again(String),
}

/// Sends `source`.
pub async fn run(source: &Source, options: &Options, progress: &Progress) -> Outcome {
    let client = Client::new(options.server.clone(), Patience::default());
    let mut again = options.again;
    let (mut furthest, mut since) = (0, Instant::now());
    let mut last = None;
    loop {
        let why = match attempt(source, options, again, &client, progress).await {
            Try::End(outcome) => return outcome,
            Try::Again(why) => why,
        };
        if let Ok(Some((report, _))) = ask(&client, &options.identity).await {
            // Begun anew once is enough: from here on it goes on.
            again = again && report.complete;
            if furthest < report.next_line {
                (furthest, since) = (report.next_line, Instant::now());
            }
            last = Some(report);
        }
        if options.patience < since.elapsed() {
            return Outcome::GaveUp(why, last);
        }
        progress.note(why);
        sleep(PAUSE).await;
    }
}

async fn attempt(
    source: &Source,
    options: &Options,
    again: bool,
    client: &Client,
    progress: &Progress,
) -> Try {
    let mut from = (1, 0);
    if !options.dry_run {
        match ask(client, &options.identity).await {
            Ok(Some((report, _))) if report.running => {
                return Try::Again("the server is still at what was sent before".to_owned());
            }
            Ok(Some((report, text))) if report.complete && !again => {
                return Try::End(Outcome::WasSent(report, text));
            }
            Ok(Some((report, _))) if !again => from = (report.next_line, report.next_offset),
            Ok(_) => {}
            Err(why) => return why,
        }
    }
    let sending = upload(&options.server, message(source, options, from));
    tokio::pin!(sending);
    let mut look = interval(LOOK_EVERY);
    let answer = loop {
        tokio::select! {
            answer = &mut sending => break answer,
            _ = look.tick(), if !options.dry_run => {
                if let Ok(Some((report, _))) = ask(client, &options.identity).await {
                    progress.set(report.next_line.saturating_sub(1));
                    if report.bad_rows() > 0 {
                        progress.note(show::counted(report.bad_rows(), "bad row"));
                    }
                }
            }
        }
    };
    match answer {
        Err(broken) => Try::Again(broken.to_string()),
        Ok((status, body)) => judge(status, &body),
    }
}

fn message(source: &Source, options: &Options, (line, offset): (u64, u64)) -> Upload {
    let Options {
        identity,
        dry_run,
        create,
        ..
    } = options;
    let path = format!(
        "/v1/imports?identity={identity}&dry_run={dry_run}&create={create}&from_line={line}&\
         from_offset={offset}"
    );
    Upload {
        path,
        content_type: match source.format {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
        },
        pieces: source.pieces(offset),
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Try {
    if status.is_success() {
        return match serde_json::from_slice(body) {
            Ok(report) => Try::End(Outcome::Sent(report, body.to_vec())),
            Err(error) => Try::Again(format!("the answer is no report: {error}")),
        };
    }
    let problem = Problem::of_body(status, body);
    // The first two say that another call was quicker; the place is asked for anew.
    let passes = matches!(problem.code.as_str(), "import-in-progress" | "import-gap")
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error();
    if passes {
        Try::Again(format!("{}: {}", problem.code, problem.detail))
    } else {
        Try::End(Outcome::Refused(problem))
    }
}

/// Where an import stands, and the same as the server wrote it; `None` where it is unknown.
async fn ask(client: &Client, identity: &str) -> Result<Option<(Report, Vec<u8>)>, Try> {
    let call = Call::get(format!("/v1/imports/{identity}"));
    let answer = client
        .walk_away(&call, ASK_MAX)
        .await
        .map_err(|broken: Broken| Try::Again(broken.to_string()))?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if answer.status.is_server_error() {
        return Err(Try::Again(answer.problem().detail));
    }
    if !answer.status.is_success() {
        return Err(Try::End(Outcome::Refused(answer.problem())));
    }
    let report = answer
        .parse()
        .map_err(|error| Try::Again(format!("the answer is no report: {error}")))?;
    Ok(Some((report, answer.body.to_vec())))
}
