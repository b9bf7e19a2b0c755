//! `holdfast feeds`: how the streams of a source stand, and letting one go on.

use serde_json::{Value, json};

use super::ask::{Server, Table, number, word};
use super::sku::escaped;
use super::table::{Columns, Row};
use super::{Exit, fail, print};
use crate::client::Call;

/// The flags of `holdfast feeds`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns:
  floor    numbers up to it count as seen
  highest  the highest number seen
  gaps     stretches of numbers missing between the two
  late     messages that were booked after later ones
  stale    messages that were too old to change anything")]
pub struct Args {
    /// The source, as its messages name it
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Of this SKU
    #[arg(long, value_name = "SKU")]
    sku: Option<String>,
    /// Only streams that wait for somebody to look
    #[arg(long)]
    quarantined: bool,
    /// Let the quarantined stream of --sku at this location go on
    #[arg(long, value_name = "LOCATION", requires = "sku")]
    lift: Option<String>,
    /// Why, for the record: 1 to 128 bytes
    #[arg(long, value_name = "TEXT", requires = "lift")]
    reason: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let outcome = match &args.lift {
        Some(location) => lift(&args, location).await,
        None => list(&args).await,
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn list(args: &Args) -> Result<Exit, Exit> {
    let sku = args.sku.as_ref();
    let sku = sku.map_or_else(String::new, |sku| format!("&sku={}", escaped(sku)));
    let state = if args.quarantined {
        "&quarantined=true"
    } else {
        ""
    };
    let path = format!("/v1/feeds/{}?limit=1000{sku}{state}", escaped(&args.source));
    let nothing = format!("no streams of {}", args.source);
    let table = Table {
        columns: columns(),
        row,
        nothing: &nothing,
    };
    args.server.print_list(&path, table).await
}

async fn lift(args: &Args, location: &str) -> Result<Exit, Exit> {
    let (source, server) = (escaped(&args.source), &args.server);
    let sku = args.sku.as_deref().unwrap_or_default();
    let query = format!("/v1/feeds/{source}?sku={}&quarantined=true", escaped(sku));
    let page = server.ask(&Call::get(query)).await?;
    let streams = page["items"].as_array().into_iter().flatten();
    let mut stopped = streams.filter(|stream| word(stream, "location") == location);
    let Some(stream) = stopped.next() else {
        let text = format!(
            "{} has no quarantined stream for {sku} at {location}",
            args.source
        );
        return Err(fail(Exit::Failure, text));
    };
    let mut body = json!({ "sku": sku, "location": location });
    if let Some(reason) = &args.reason {
        body["reason"] = json!(reason);
    }
    // Asked again about the same message, it is the same decision.
    let quarantine = &stream["quarantined"];
    let (epoch, sequence) = (number(quarantine, "epoch"), number(quarantine, "sequence"));
    let key = format!(
        "lift-{epoch}-{sequence}-{}-{}-{source}",
        escaped(sku),
        escaped(location)
    );
    let key = key.chars().take(128).collect();
    let answer = server
        .ask(&Call::post(format!("/v1/feeds/{source}/lift"), key, &body))
        .await?;
    let text = if server.json {
        format!("{answer}\n")
    } else {
        format!(
            "the stream of {} for {sku} at {location} goes on\n",
            args.source
        )
    };
    Ok(print(Exit::Success, text))
}

fn columns() -> Columns<8> {
    let headings = [
        "sku", "location", "epoch", "floor", "highest", "gaps", "late", "stale",
    ];
    Columns::new(headings, "state", 2)
}

fn row(stream: &Value) -> Row<8> {
    let gaps = match stream["gapless"].as_bool() {
        Some(true) => stream["gaps"].as_array().map_or(0, Vec::len).to_string(),
        Some(false) | None => "-".to_owned(),
    };
    let state = stream["quarantined"]["cause"].as_str();
    let cells = [
        word(stream, "sku").to_owned(),
        word(stream, "location").to_owned(),
        number(stream, "epoch"),
        number(stream, "floor"),
        number(stream, "highest"),
        gaps,
        number(stream, "late"),
        number(stream, "stale"),
    ];
    Row {
        cells,
        rest: state.map_or_else(
            || "goes on".to_owned(),
            |cause| format!("quarantined: {cause}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_rows_that_fit_a_narrow_terminal() {
        let streams = [
            json!({"sku": "TEE", "location": "main", "epoch": 1, "floor": 0, "highest": 5,
                "gapless": true, "gaps": [{"first": 2, "last": 2}], "late": 1, "stale": 0,
                "quarantined": {"cause": "contradiction", "epoch": 1, "sequence": 5}}),
            json!({"sku": "TEE-RED-M", "location": "store-7", "epoch": 1, "floor": 90_210,
                "highest": 90_219, "gapless": true, "gaps": [], "late": 0, "stale": 12, "quarantined": null}),
        ];
        let mut table = Table {
            columns: columns().on(80),
            row,
            nothing: "none",
        };
        let lines = table.page(&streams, true);
        insta::assert_snapshot!(lines.join("\n"), @r"
        sku        location  epoch  floor  highest  gaps  late  stale
        TEE        main          1      0        5     1     1      0
            quarantined: contradiction
        TEE-RED-M  store-7       1  90210    90219     0     0     12  goes on
        ");
        let widest = lines
            .iter()
            .flat_map(|line| line.lines().map(|line| line.chars().count()));
        assert!(widest.max() <= Some(80));
    }
}
