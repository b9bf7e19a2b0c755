//! `holdfast drifts`: the queue of differences that wait for a decision, and the decisions.

use serde_json::{Value, json};

use super::ask::{Server, Table, number, word};
use super::sku::escaped;
use super::table::{Columns, Row};
use super::{Exit, print};
use crate::client::Call;

/// The flags of `holdfast drifts`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is approved is recorded as an ordinary movement that names the drift: `holdfast ledger SKU`
shows it. Where stock has been corrected since, it is refused as drift-conflict. Asked again, a
decision is the same decision.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print drifts, the oldest first; those that wait for a decision unless asked otherwise
    List(Listed),
    /// Record the correction that a drift proposes
    Approve(Decided),
    /// Leave the ledger as it is
    Dismiss(Decided),
}

#[derive(Debug, clap::Args)]
struct Listed {
    /// In this state
    #[arg(long, default_value = "open", value_parser = ["open", "corrected", "dismissed", "any"])]
    state: String,
    /// Of this SKU
    #[arg(long, value_name = "SKU")]
    sku: Option<String>,
    /// Of this kind, such as `warehouse`
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
struct Decided {
    /// The drift's id
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the record: 1 to 128 bytes
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let outcome = match args.what {
        What::List(listed) => list(&listed).await,
        What::Approve(decided) => decide(&decided, "approve").await,
        What::Dismiss(decided) => decide(&decided, "dismiss").await,
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn list(listed: &Listed) -> Result<Exit, Exit> {
    let filters = [
        ("state", Some(&listed.state).filter(|state| *state != "any")),
        ("sku", listed.sku.as_ref()),
        ("kind", listed.kind.as_ref()),
    ];
    let set = filters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value?))));
    let path = format!("/v1/drifts?limit=1000{}", set.collect::<String>());
    let nothing = match listed.state.as_str() {
        "open" => "no drifts wait for a decision",
        _ => "no drifts",
    };
    let table = Table {
        columns: columns(),
        row,
        nothing,
    };
    listed.server.print_list(&path, table).await
}

async fn decide(decided: &Decided, verdict: &str) -> Result<Exit, Exit> {
    let Decided { id, reason, server } = decided;
    let body = reason
        .as_ref()
        .map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let path = format!("/v1/drifts/{}/{verdict}", escaped(id));
    // Asked again, it is the same decision.
    let key = format!("{verdict}-{}", escaped(id));
    let drift = server.ask(&Call::post(path, key, &body)).await?;
    let text = if server.json {
        format!("{drift}\n")
    } else {
        format!("{} is {}\n", word(&drift, "id"), word(&drift, "state"))
    };
    Ok(print(Exit::Success, text))
}

fn columns() -> Columns<6> {
    let headings = ["kind", "sku", "location", "proposal", "expected", "found"];
    Columns::new(headings, "id", 4)
}

fn row(drift: &Value) -> Row<6> {
    let proposal = &drift["proposal"];
    let mut correction = word(proposal, "action").to_owned();
    if let Some(units) = proposal["qty"].as_i64() {
        correction = format!("{correction} {units}");
    }
    Row {
        cells: [
            word(drift, "kind").to_owned(),
            word(drift, "sku").to_owned(),
            word(drift, "location").to_owned(),
            correction,
            number(drift, "expected"),
            number(drift, "found"),
        ],
        rest: word(drift, "id").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: Columns<6>) -> String {
        let id = "019b0000-0000-8000-8000-000000000000";
        let drifts = [
            json!({"id": id, "kind": "shipped-unsold", "sku": "TEE", "location": "main",
                "expected": 0, "found": 2, "proposal": {"action": "adjust", "qty": -2}}),
            json!({"id": id, "kind": "unknown-reservation", "sku": "TEE-RED-LONGSLEEVE",
                "location": "warehouse-7", "expected": 0, "found": 12_000, "proposal": {}}),
        ];
        let mut table = Table {
            columns,
            row,
            nothing: "none",
        };
        table.page(&drifts, true).join("\n")
    }

    #[test]
    fn drifts_are_rows_with_their_id_at_the_end() {
        insta::assert_snapshot!(table(columns()), @r"
        kind                 sku                 location     proposal   expected  found  id
        shipped-unsold       TEE                 main         adjust -2         0      2  019b0000-0000-8000-8000-000000000000
        unknown-reservation  TEE-RED-LONGSLEEVE  warehouse-7  -                 0  12000  019b0000-0000-8000-8000-000000000000
        ");
    }

    #[test]
    fn on_a_narrow_terminal_the_id_stands_below() {
        insta::assert_snapshot!(table(columns().on(80)), @r"
        kind                 sku                 location     proposal   expected  found
        shipped-unsold       TEE                 main         adjust -2         0      2
            019b0000-0000-8000-8000-000000000000
        unknown-reservation  TEE-RED-LONGSLEEVE  warehouse-7  -                 0  12000
            019b0000-0000-8000-8000-000000000000
        ");
    }
}
