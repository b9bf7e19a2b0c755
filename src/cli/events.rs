//! `holdfast events tail`: what happens, as it happens.
//!
//! A break (a restart of the server, a network that was away) is waited out, and the stream goes on
//! after the last message printed. Standard error says so; standard output has events alone.

use std::time::Duration;

use serde_json::Value;

use super::ask::At;
use super::sku::escaped;
use super::{Exit, fail};
use crate::client::listen::{Listening, Message, Silent};

/// Pauses between tries to come back: each twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Events that one message may carry.
const BATCH: u64 = 500;

/// The flags of `holdfast events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print events as they are recorded, until Ctrl-C
    Tail(Tail),
}

/// The flags of `holdfast events tail`.
#[derive(Debug, clap::Args)]
struct Tail {
    #[command(flatten)]
    at: At,
    /// Only these types, such as `stock.received,reservation.confirmed`
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// Only these SKUs, with commas between
    #[arg(long, value_name = "SKUS")]
    sku: Option<String>,
    /// Begin after this cursor; or `earliest`, or `latest`
    #[arg(long, value_name = "CURSOR", default_value = "latest")]
    after: String,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print each event as JSON, as the server tells it, one a line
    #[arg(long)]
    json: bool,
    /// End at the first break instead of coming back
    #[arg(long)]
    once: bool,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let Command::Tail(tail) = args.command;
    tokio::select! {
        exit = tail.run() => exit,
        _ = tokio::signal::ctrl_c() => Exit::Success,
    }
}

impl Tail {
    async fn run(&self) -> Exit {
        let mut seen: Option<String> = None;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut pause = PAUSE_MIN;
        loop {
            let why = match self.listen(&mut seen, &mut left, &mut pause).await {
                Ok(exit) => return exit,
                Err(why) => why,
            };
            let is_final = match &why {
                // A server that starts, or has many listeners just now.
                Silent::Refused(problem) => !problem.is_passing() || seen.is_none(),
                Silent::Senseless => true,
                Silent::Broken(_) | Silent::Ended => false,
            };
            if is_final {
                return fail(Exit::Failure, format!("{}: {why}", self.at.server));
            }
            if self.once || seen.is_none() && matches!(why, Silent::Broken(_)) {
                let advice = "is the server running there? --server names another";
                let text = format!("{}: {why}; {advice}", self.at.server);
                return fail(Exit::Unreachable, text);
            }
            eprintln!("{}: {why}; coming back", self.at.server);
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Listens until the stream breaks.
    async fn listen(
        &self,
        seen: &mut Option<String>,
        left: &mut u64,
        pause: &mut Duration,
    ) -> Result<Exit, Silent> {
        let path = self.path();
        let mut stream = Listening::begin(&self.at.server, &path, seen.as_deref()).await?;
        loop {
            let message = stream.next().await?;
            *pause = PAUSE_MIN;
            match self.print(&message, left) {
                Exit::Success => {}
                lost => return Ok(lost),
            }
            *seen = Some(message.id);
            if *left == 0 {
                return Ok(Exit::Success);
            }
        }
    }

    fn path(&self) -> String {
        let mut path = format!("/v1/events?batch={BATCH}&after={}", escaped(&self.after));
        for (name, value) in [("types", &self.types), ("sku", &self.sku)] {
            if let Some(value) = value {
                path.extend(["&", name, "=", &escaped(value)]);
            }
        }
        path
    }

    fn print(&self, message: &Message, left: &mut u64) -> Exit {
        if message.event == "gap" {
            eprintln!(
                "{}: events were lost to retention before {}; a snapshot has the state",
                self.at.server, message.id
            );
            return Exit::Success;
        }
        if message.data.is_empty() {
            return Exit::Success;
        }
        let events: Vec<Value> = match serde_json::from_str(&message.data) {
            Ok(events) => events,
            Err(error) => {
                let text = format!("{} does not tell events: {error}", self.at.server);
                return fail(Exit::Failure, text);
            }
        };
        let mut text = String::new();
        for event in events
            .iter()
            .take(usize::try_from(*left).unwrap_or(usize::MAX))
        {
            let line = if self.json {
                event.to_string()
            } else {
                line(event)
            };
            text.push_str(&line);
            text.push('\n');
        }
        *left = left.saturating_sub(events.len() as u64);
        super::print(Exit::Success, text)
    }
}

/// An event for people: when, what, of which SKU, how many, what is left, for whom and why.
fn line(event: &Value) -> String {
    let data = &event["data"];
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let name = event["type"].as_str().unwrap_or("?");
    let name = name.strip_prefix("holdfast.").unwrap_or(name);
    let name = name.strip_suffix(".v1").unwrap_or(name);
    let time = event["time"].as_str().unwrap_or("?");
    let sku = event["subject"].as_str().unwrap_or("-");
    let mut line = format!("{time}  {name:<22} {sku:<20}");
    if let Some(qty) = data["qty"].as_i64() {
        let left = data["after"]["available"].as_i64().unwrap_or_default();
        line = format!("{line} {qty:>6}  available {left}");
    }
    let said = [
        ("at", "location"),
        ("order", "order_ref"),
        ("reservation", "reservation"),
        ("payment", "payment_ref"),
        ("from", "source"),
        ("document", "document"),
        ("because", "reason"),
    ];
    for (what, field) in said {
        if let Some(value) = word(&data[field]) {
            line.extend(["  ", what, " ", &value]);
        }
    }
    line.trim_end().to_owned()
}
