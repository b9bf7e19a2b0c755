//! `holdfast import`: a file of movements and settings to a running server.

use std::path::PathBuf;
use std::time::Duration;

use super::ask::At;
use super::{Exit, fail, print};
use crate::import::{self, Options, Outcome, Report, Source};
use crate::progress::{Progress, Show};
use crate::show;

/// The flags of `holdfast import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file is known by its content. Sent again it changes nothing, and one that was interrupted goes on
where it stood, also after a restart of the server. Two deliveries with the very same content need
an --identity each.

Exit codes:
  0  every row went in, now or before
  1  the server refused the file, or there was no getting further
  2  wrong usage, or the file can't be read
  7  the server cannot be reached
  8  rows were bad, the others went in")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// CSV with a header, or one JSON object a line; packed with gzip or not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// Read and check every row, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Create SKUs that are unknown
    #[arg(long)]
    create: bool,
    /// What the file is called; a hash of its content if absent
    #[arg(long, value_name = "NAME", value_parser = identity)]
    identity: Option<String>,
    /// Send it from the first line even if it was sent before: rows that were done are left alone,
    /// those that were bad get another try
    #[arg(long)]
    again: bool,
    /// Save the whole report here
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
    /// How long to go on trying without getting any further, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
}

/// Bad rows that are printed.
const BAD_SHOWN: usize = 10;

fn identity(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=128).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 128 of A-Z a-z 0-9 . _ : -".to_owned())
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let source = match Source::open(&args.file) {
        Ok(source) => source,
        Err(error) => return fail(Exit::Usage, error),
    };
    let options = Options {
        server: args.at.server.clone(),
        identity: args
            .identity
            .clone()
            .unwrap_or_else(|| source.identity.clone()),
        dry_run: args.dry_run,
        create: args.create,
        again: args.again,
        patience: Duration::from_secs(args.patience),
    };
    let show = if args.quiet {
        Show::Nothing
    } else {
        Show::Progress
    };
    let what = if args.dry_run {
        "checking"
    } else {
        "importing"
    };
    let progress = Progress::bar(show, what, source.lines);
    let outcome = import::run(&source, &options, &progress).await;
    match outcome {
        Outcome::Sent(report, text) => {
            progress.finish(&show::counted(report.rows, "row"));
            tell(&args, &report, &text)
        }
        Outcome::WasSent(report, text) => {
            let when = report.began_at.as_deref().unwrap_or("before");
            progress.finish("nothing to do");
            eprintln!(
                "this file was imported {when}: nothing was sent; --again repeats it, and \
                 --identity tells another delivery of the same content apart"
            );
            tell(&args, &report, &text)
        }
        Outcome::Refused(problem) => fail(
            Exit::Failure,
            format!("{} ({}): {}", problem.code, problem.status, problem.detail),
        ),
        Outcome::GaveUp(why, Some(report)) => fail(
            Exit::Failure,
            format!(
                "stopped before line {}: {why}; the same command goes on there",
                report.next_line
            ),
        ),
        Outcome::GaveUp(why, None) => {
            let advice = "is the server running there? --server names another";
            fail(
                Exit::Unreachable,
                format!("{}: {why}; {advice}", args.at.server),
            )
        }
    }
}

/// Prints and saves the report.
fn tell(args: &Args, report: &Report, text: &[u8]) -> Exit {
    if let Some(path) = &args.report
        && let Err(error) = std::fs::write(path, text)
    {
        return fail(Exit::Failure, format!("{}: {error}", path.display()));
    }
    let exit = match &report.stopped {
        Some(why) => fail(Exit::Failure, why),
        None if report.bad_rows() > 0 => Exit::BadRows,
        None => Exit::Success,
    };
    if args.json {
        print(exit, format!("{}\n", String::from_utf8_lossy(text)))
    } else {
        print(exit, format!("{}\n", summary(report, args.dry_run)))
    }
}

fn summary(report: &Report, dry_run: bool) -> String {
    let applied = if dry_run { "would go in" } else { "applied" };
    let parts = [
        (applied, report.applied),
        ("done before", report.replayed),
        ("in part, with drifts", report.partly),
        ("late", report.late),
        ("superseded by a count", report.superseded),
        ("stale", report.stale),
        ("duplicates", report.duplicate),
        ("settings", report.configured),
        ("bad", report.bad_rows()),
    ];
    let mut lines = vec![show::counted(report.rows, "row")];
    let parts = parts.iter().filter(|(_, rows)| *rows > 0);
    lines.extend(parts.map(|(what, rows)| format!("  {:>12} {what}", show::count(*rows))));
    if report.created > 0 {
        let created = if dry_run {
            "would be created"
        } else {
            "created"
        };
        lines.push(format!(
            "{} {created}",
            show::counted(report.created, "SKU")
        ));
    }
    lines.extend(report.bad.iter().take(BAD_SHOWN).map(|row| {
        let field = row
            .field
            .as_ref()
            .map_or(String::new(), |field| format!("{field}: "));
        format!("line {}: {field}{}", row.line, row.reason)
    }));
    let more = report.bad_rows().saturating_sub(BAD_SHOWN as u64);
    if more > 0 {
        let of = report.bad.len();
        lines.push(format!(
            "and {more} more; the report (--report) has the first {of}"
        ));
    }
    lines.join("\n")
}
