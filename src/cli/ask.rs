//! Asking a running server one thing: the flags that all such commands have, and the way there.

use std::time::Duration;

use serde_json::Value;

use super::table::{Columns, Row};
use super::{Exit, fail, print};
use crate::client::{Call, Client, Patience, Target};

/// Which server is meant.
#[derive(Debug, clap::Args)]
pub(super) struct At {
    /// The server's data listener: `http://HOST:PORT` or `unix:/PATH`
    #[arg(
        long,
        env = "HOLDFAST_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7070"
    )]
    pub(super) server: Target,
}

/// Where to ask, and how to print what it says.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    #[command(flatten)]
    at: At,
    /// Print JSON as the server answers it; of a list, one entry a line
    #[arg(long)]
    pub(super) json: bool,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Server {
    /// The answer's body, or the exit code after having said what went wrong.
    pub(super) async fn ask(&self, call: &Call) -> Result<Value, Exit> {
        let client = Client::new(self.at.server.clone(), Patience::default());
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
        answer.parse().map_err(|error| {
            let text = format!(
                "{} does not answer as holdfast does: {error}",
                self.at.server
            );
            fail(Exit::Failure, text)
        })
    }

    /// Prints a list page by page as it comes: a heading and rows, or the items as they are.
    pub(super) async fn print_list<const N: usize>(
        &self,
        path: &str,
        mut table: Table<'_, N>,
    ) -> Result<Exit, Exit> {
        let mut is_first = true;
        let mut next = String::new();
        loop {
            let page = self.ask(&Call::get(format!("{path}{next}"))).await?;
            let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
            let lines = if self.json {
                items.iter().map(Value::to_string).collect()
            } else {
                table.page(items, is_first)
            };
            is_first = false;
            let text = lines.iter().map(|line| format!("{line}\n"));
            match print(Exit::Success, text.collect::<String>()) {
                Exit::Success => {}
                lost => return Ok(lost),
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                return Ok(Exit::Success);
            };
            let joint = if path.contains('?') { '&' } else { '?' };
            next = format!("{joint}cursor={cursor}");
        }
    }
}

/// How a list is printed for people.
pub(super) struct Table<'a, const N: usize> {
    pub(super) columns: Columns<N>,
    pub(super) row: fn(&Value) -> Row<N>,
    /// What is said where there is nothing.
    pub(super) nothing: &'a str,
}

impl<const N: usize> Table<'_, N> {
    /// The lines of a page.
    pub(super) fn page(&mut self, items: &[Value], is_first: bool) -> Vec<String> {
        if items.is_empty() {
            let nothing = is_first.then(|| self.nothing.to_owned());
            return nothing.into_iter().collect();
        }
        let rows: Vec<Row<N>> = items.iter().map(self.row).collect();
        self.columns.fit(&rows);
        let mut lines = Vec::with_capacity(rows.len() + 1);
        if is_first {
            lines.push(self.columns.heading());
        }
        lines.extend(rows.iter().map(|row| self.columns.line(row)));
        lines
    }
}

/// A text of an answer, for a table.
pub(super) fn word<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or("-")
}

/// A number of an answer, for a table.
pub(super) fn number(item: &Value, name: &str) -> String {
    item[name]
        .as_i64()
        .map_or_else(|| "-".to_owned(), |number| number.to_string())
}
