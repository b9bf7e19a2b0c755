//! `holdfast sku`: a look at a SKU, and the switch that stops its sale.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::ask::{At, number};
use super::table::{Columns, Row};
use super::{Exit, fail, print};
use crate::client::{Answer, Call, Client, Patience};

/// The flags of `holdfast sku`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print its counters, summed and by location
    Show(Asked),
    /// Refuse new reservations of it; confirms and releases go on
    Pause(Changed),
    /// Take reservations of it again
    Resume(Changed),
}

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The SKU's name
    #[arg(value_name = "SKU")]
    sku: String,
    #[command(flatten)]
    at: At,
    /// Print JSON as the server answers it; of a list, one entry a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
struct Changed {
    #[command(flatten)]
    asked: Asked,
    /// Why, for the record: 1 to 128 bytes
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let outcome = match args.what {
        What::Show(asked) => show(&asked).await,
        What::Pause(changed) => set_paused(&changed, true).await,
        What::Resume(changed) => set_paused(&changed, false).await,
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn show(asked: &Asked) -> Result<Exit, Exit> {
    let sku = asked.send(&asked.read()).await?;
    let text = if asked.json {
        sku.to_string()
    } else {
        as_text(&sku)
    };
    Ok(print(Exit::Success, format!("{text}\n")))
}

/// Reads first: configuring an unknown SKU would create it, and a misspelt name must not.
async fn set_paused(changed: &Changed, paused: bool) -> Result<Exit, Exit> {
    let asked = &changed.asked;
    asked.send(&asked.read()).await?;
    let mut body = json!({ "paused": paused });
    if let Some(reason) = &changed.reason {
        body["reason"] = json!(reason);
    }
    let sku = asked
        .send(&Call::keyless(Method::PUT, asked.path(), &body))
        .await?;
    let text = if asked.json {
        sku.to_string()
    } else {
        let state = if paused {
            "is paused: new reservations are refused"
        } else {
            "sells again"
        };
        format!("{} {state}", asked.sku)
    };
    Ok(print(Exit::Success, format!("{text}\n")))
}

impl Asked {
    pub(super) fn path(&self) -> String {
        format!("/v1/skus/{}", escaped(&self.sku))
    }

    fn read(&self) -> Call {
        Call::get(self.path())
    }

    /// The answer's body, or the exit code after having said what went wrong.
    pub(super) async fn send(&self, call: &Call) -> Result<Value, Exit> {
        let client = Client::new(self.at.server.clone(), Patience::default());
        let answer = client.walk_away(call, PATIENCE).await.map_err(|broken| {
            let advice = "is the server running there? --server names another";
            fail(
                Exit::Unreachable,
                format!("{}: {broken}; {advice}", self.at.server),
            )
        })?;
        match answer.status {
            status if status.is_success() => self.parse(&answer),
            StatusCode::NOT_FOUND if answer.problem().code == "unknown-sku" => Err(fail(
                Exit::Failure,
                format!("{} is unknown to {}", self.sku, self.at.server),
            )),
            _ => {
                let problem = answer.problem();
                let text = format!("{} ({}): {}", problem.code, problem.status, problem.detail);
                Err(fail(Exit::Failure, text))
            }
        }
    }

    fn parse(&self, answer: &Answer) -> Result<Value, Exit> {
        answer.parse().map_err(|error| {
            fail(
                Exit::Failure,
                format!(
                    "{} does not answer as holdfast does: {error}",
                    self.at.server
                ),
            )
        })
    }
}

/// A name as a part of a path; a well-formed one has nothing to escape.
pub(super) fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    name.bytes().fold(String::new(), |text, byte| {
        if plain(byte) {
            text + &char::from(byte).to_string()
        } else {
            text + &format!("%{byte:02X}")
        }
    })
}

/// The counters of the columns.
const COUNTERS: [&str; 8] = [
    "available",
    "on_hand",
    "reserved",
    "safety_stock",
    "sold",
    "shipped",
    "returned",
    "damaged",
];

/// Counters, summed and by location, and what is set beside them.
pub(super) fn as_text(sku: &Value) -> String {
    let name = sku["sku"].as_str().unwrap_or("?");
    let none = Map::new();
    let locations = sku["locations"].as_object().unwrap_or(&none);
    let mut rows = vec![row(name, sku)];
    rows.extend(
        locations
            .iter()
            .map(|(location, counters)| row(&format!("  {location}"), counters)),
    );
    in_lines(sku, rows, columns())
}

fn columns() -> Columns<9> {
    let headings = [
        "",
        "available",
        "on_hand",
        "reserved",
        "safety",
        "sold",
        "shipped",
        "returned",
        "damaged",
    ];
    Columns::new(headings, "", 1).tight()
}

fn in_lines(sku: &Value, mut rows: Vec<Row<9>>, mut columns: Columns<9>) -> String {
    let mut lines = Vec::new();
    if !columns.would_fit(&rows) {
        // A long name takes a line of its own rather than the room of the numbers.
        let name = std::mem::replace(&mut rows[0].cells[0], "all".to_owned());
        lines.push(name);
    }
    columns.fit(&rows);
    lines.push(columns.heading());
    lines.extend(rows.iter().map(|row| columns.line(row)));
    if sku["paused"].as_bool() == Some(true) {
        lines.push("paused: new reservations are refused".to_owned());
    }
    let shown = [
        "opens_at",
        "closes_at",
        "customer_limit",
        "shortfall",
        "depleted_at",
        "sold_out_at",
    ];
    for name in shown {
        match &sku[name] {
            Value::Null => {}
            Value::Number(number) if number.as_u64() == Some(0) => {}
            Value::String(text) => lines.push(format!("{name}: {text}")),
            Value::Object(limit) => {
                let window = limit["window_ms"].as_u64().unwrap_or_default() / 1_000;
                lines.push(format!("{name}: {} in {window} s", limit["units"]));
            }
            value => lines.push(format!("{name}: {value}")),
        }
    }
    lines.join("\n")
}

fn row(name: &str, counters: &Value) -> Row<9> {
    let mut cells = [const { String::new() }; 9];
    let (first, numbers) = cells.split_first_mut().expect("there are nine");
    name.clone_into(first);
    for (cell, counter) in numbers.iter_mut().zip(COUNTERS) {
        *cell = number(counters, counter);
    }
    Row {
        cells,
        rest: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_sku_stays_one_part_of_the_path() {
        assert_eq!(escaped("TEE-RED:M_1"), "TEE-RED:M_1");
        assert_eq!(escaped("../ü?"), "..%2F%C3%BC%3F");
    }

    #[test]
    fn a_sku_is_shown_as_a_table() {
        let sku = json!({"sku": "TEE", "available": 3, "on_hand": 10, "reserved": 5,
            "safety_stock": 2, "sold": 7, "shipped": 4, "returned": 0, "damaged": 1,
            "paused": true, "shortfall": 0, "opens_at": "2026-11-27T08:00:00.000Z",
            "customer_limit": {"units": 2, "window_ms": 86_400_000},
            "locations": {"main": {"available": 3, "on_hand": 10, "reserved": 5,
                "safety_stock": 2, "sold": 7, "shipped": 4, "returned": 0, "damaged": 1}}});
        insta::assert_snapshot!(as_text(&sku), @r"
               available on_hand reserved safety sold shipped returned damaged
        TEE            3      10        5      2    7       4        0       1
          main         3      10        5      2    7       4        0       1
        paused: new reservations are refused
        opens_at: 2026-11-27T08:00:00.000Z
        customer_limit: 2 in 86400 s
        ");
    }

    #[test]
    fn a_long_name_has_a_line_of_its_own_on_a_narrow_terminal() {
        let sku = json!({"sku": "TEE-RED-LONGSLEEVE-XXL", "locations": {"main": {}}});
        let rows = vec![
            row("TEE-RED-LONGSLEEVE-XXL", &sku),
            row("  main", &json!({})),
        ];
        let text = in_lines(&sku, rows, columns().on(80));
        let first: Vec<&str> = text.lines().take(1).collect();
        assert_eq!(first, ["TEE-RED-LONGSLEEVE-XXL"]);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(text.contains("\nall "), "{text}");
    }
}
