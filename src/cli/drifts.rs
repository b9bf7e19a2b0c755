//! `holdfast drifts`: the queue of differences that wait for a decision, and the decisions.

use serde_json::{Value, json};

use super::ask::{Server, Table, number, word};
use super::sku::escaped;
use super::{Exit, print};
use crate::client::Call;

/// The flags of `holdfast drifts`.
#[derive(Debug, clap::Args)]
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
    let table = Table {
        heading: heading(),
        row,
        nothing: "no drifts",
    };
    listed.server.print_list(&path, &table).await
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

fn heading() -> String {
    cells(
        [
            "id", "kind", "sku", "location", "expected", "found", "proposal",
        ]
        .map(str::to_owned),
    )
}

fn row(drift: &Value) -> String {
    let proposal = &drift["proposal"];
    let mut correction = word(proposal, "action").to_owned();
    if let Some(units) = proposal["qty"].as_i64() {
        correction = format!("{correction} {units}");
    }
    cells([
        word(drift, "id").to_owned(),
        word(drift, "kind").to_owned(),
        word(drift, "sku").to_owned(),
        word(drift, "location").to_owned(),
        number(drift, "expected"),
        number(drift, "found"),
        correction,
    ])
}

fn cells(cells: [String; 7]) -> String {
    let [id, kind, sku, location, expected, found, proposal] = cells;
    format!("{id:<36} {kind:<20} {sku:<24} {location:<12} {expected:>9} {found:>9}  {proposal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_is_shown_as_a_row() {
        let drift = json!({"id": "019b0000-0000-8000-8000-000000000000", "kind": "shipped-unsold",
            "sku": "TEE", "location": "main", "expected": 0, "found": 2,
            "proposal": {"action": "adjust", "qty": -2}});
        let text = format!("{}\n{}", heading(), row(&drift));
        insta::assert_snapshot!(text, @r"
        id                                   kind                 sku                      location      expected     found  proposal
        019b0000-0000-8000-8000-000000000000 shipped-unsold       TEE                      main                 0         2  adjust -2
        ");
    }
}
