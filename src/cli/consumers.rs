//! `holdfast consumers`: where those stand who read events, and moving them.

use hyper::Method;
use serde_json::{Value, json};

use super::ask::{Server, Table, number, word};
use super::sku::escaped;
use super::table::{Columns, Row};
use super::{Exit, print};
use crate::client::Call;

/// The flags of `holdfast consumers`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A consumer's cursor says what it has dealt with. What follows the slowest is kept in the journal,
up to events.hold_events_max; a consumer that is not needed any more is better deleted.

Examples:
  holdfast consumers set search earliest
  holdfast consumers set search 0139ac94f2fc514e05020103
  holdfast consumers list")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print all consumers with their lag, by name
    List(Listed),
    /// Print one consumer
    Get(Named),
    /// Make a consumer, or move it: forward, or back to read again
    Set(Moved),
    /// Forget a consumer, so that nothing is kept for it
    Delete(Named),
}

#[derive(Debug, clap::Args)]
struct Listed {
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The consumer
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
struct Moved {
    /// The consumer
    #[arg(value_name = "NAME")]
    name: String,
    /// A cursor, `earliest` or `latest`
    #[arg(value_name = "CURSOR")]
    cursor: String,
    #[command(flatten)]
    server: Server,
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    let outcome = match args.what {
        What::List(listed) => list(&listed.server).await,
        What::Get(named) => one(&named, Method::GET).await,
        What::Set(moved) => set(&moved).await,
        What::Delete(named) => one(&named, Method::DELETE).await,
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn list(server: &Server) -> Result<Exit, Exit> {
    let table = Table {
        columns: Columns::new(["name", "updated_at", "lag"], "cursor", 2),
        row,
        nothing: "no consumers",
    };
    server.print_list("/v1/consumers?limit=1000", table).await
}

async fn one(named: &Named, method: Method) -> Result<Exit, Exit> {
    let path = format!("/v1/consumers/{}", escaped(&named.name));
    let is_deleted = method == Method::DELETE;
    let call = Call {
        method,
        ..Call::get(path)
    };
    let consumer = named.server.ask(&call).await?;
    let state = if is_deleted {
        "was forgotten"
    } else {
        "stands"
    };
    Ok(told(&named.server, &consumer, state))
}

async fn set(moved: &Moved) -> Result<Exit, Exit> {
    let path = format!("/v1/consumers/{}", escaped(&moved.name));
    let body = json!({ "cursor": moved.cursor });
    let call = Call::keyless(Method::PUT, path, &body);
    let consumer = moved.server.ask(&call).await?;
    Ok(told(&moved.server, &consumer, "stands"))
}

fn told(server: &Server, consumer: &Value, state: &str) -> Exit {
    if server.json {
        return print(Exit::Success, format!("{consumer}\n"));
    }
    let text = format!(
        "{} {state} at {}, {} events behind\n",
        word(consumer, "name"),
        word(consumer, "cursor"),
        number(consumer, "lag"),
    );
    print(Exit::Success, text)
}

fn row(consumer: &Value) -> Row<3> {
    Row {
        cells: [
            word(consumer, "name").to_owned(),
            word(consumer, "updated_at").to_owned(),
            number(consumer, "lag"),
        ],
        rest: word(consumer, "cursor").to_owned(),
    }
}
