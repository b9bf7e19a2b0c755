//! The events of holdfast in files of lines that `DuckDB` and its like read, each event exactly once.
//!
//! ```text
//! holdfast-analytics follow events
//! duckdb -init examples/analytics/queries.sql
//! ```
//! It begins with a snapshot and all events that the server still has, and goes on with what comes,
//! a file every ten seconds if anything happened. The last row of a file has the cursor behind it,
//! and files appear whole (`files.rs`): so rows and cursor are one step, and it may be killed at any
//! moment. As a consumer it says how far it is, so that the server's journal waits for it and
//! `holdfast consumers` shows its lag; each folder that follows one server needs a name of its own.
//! Where the server can't go on from its cursor, a snapshot is the next file, and what follows it
//! comes behind: after having been away too long, or before another server, or one whose data was set
//! back. This file is the way from the server to the files.
//!
//! Deliberately absent: telling one failure from another. Whatever went wrong, a server that is away
//! or a disk that is full, the files are whole, and it is tried again from the newest.

mod files;

use files::{Files, NextFile};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use ureq::BodyReader;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where `holdfast serve` listens if nobody says otherwise.
const SERVER: &str = "http://127.0.0.1:7070";

/// What this is called among the server's consumers.
const NAME: &str = "analytics";

/// How often there is a new file.
const EVERY: &str = "10";

/// A file with so many rows is enough, and the next one is begun at once.
const ROWS: usize = 50_000;

/// A server that says nothing for so long is away.
const SILENCE: Duration = Duration::from_mins(1);

const USAGE: &str = "usage: follow FOLDER [SERVER [SECONDS [NAME]]]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["follow", folder] => follow(folder, SERVER, EVERY, NAME),
        ["follow", folder, server] => follow(folder, server, EVERY, NAME),
        ["follow", folder, server, every] => follow(folder, server, every, NAME),
        ["follow", folder, server, every, name] => follow(folder, server, every, name),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn follow(folder: &str, server: &str, every: &str, name: &str) -> Result<()> {
    let every = Duration::try_from_secs_f64(every.parse()?)?;
    let files = Files::open(folder)?;
    let server = Server::new(server, name);
    loop {
        match next_file(&files, &server) {
            Ok(done) => {
                server.say(&done.cursor);
                // There is more.
                if ROWS <= done.rows {
                    continue;
                }
            }
            Err(error) => eprintln!("{error}"),
        }
        sleep(every);
    }
}

/// How far the files are.
struct Done {
    /// Events of the newest.
    rows: usize,
    /// Where to go on.
    cursor: String,
}

/// Writes the file that comes after the newest.
fn next_file(files: &Files, server: &Server) -> Result<Done> {
    let Some(newest) = files.newest()? else {
        // The state of SKUs to which nothing has happened for long, and behind it the past.
        let mut file = files.create(0)?;
        let cursor = snapshot(&mut file, server)?;
        let done = events(file, server, "earliest")?;
        return Ok(done.unwrap_or(Done { rows: 0, cursor }));
    };
    let next = || files.create(newest.number + 1);
    if let Some(done) = events(next()?, server, &newest.cursor)? {
        return Ok(done);
    }
    // What was missed can't be added up: the state is taken anew, and what follows it.
    let mut file = next()?;
    let cursor = snapshot(&mut file, server)?;
    file.row(&json!({"type": "snapshot", "cursor": cursor}))?;
    file.finish()?;
    Ok(Done { rows: 0, cursor })
}

/// Writes what has happened since; nothing if the server does not have all of it any more.
fn events(mut file: NextFile, server: &Server, after: &str) -> Result<Option<Done>> {
    let (mut rows, mut cursor) = (0, after.to_owned());
    while rows < ROWS {
        let Some(page) = server.get(&format!("/v1/events?limit=1000&after={cursor}"))? else {
            if rows == 0 {
                return Ok(None);
            }
            break;
        };
        let mut page: Value = serde_json::from_reader(page)?;
        let next = page["next_cursor"].take();
        let events = page["items"].as_array_mut().ok_or("a page without items")?;
        let Some(last) = events.last_mut() else {
            break;
        };
        next.as_str()
            .ok_or("a page without a cursor")?
            .clone_into(&mut cursor);
        last["cursor"] = next;
        for event in &*events {
            file.row(event)?;
        }
        rows += events.len();
    }
    if 0 < rows {
        file.finish()?;
    }
    Ok(Some(Done { rows, cursor }))
}

/// Writes the state as it is, in rows that look like events; the cursor to go on from there.
fn snapshot(file: &mut NextFile, server: &Server) -> Result<String> {
    // What happens meanwhile is to be there afterwards.
    server.say("latest");
    let lines = server.get("/v1/snapshot")?.ok_or("no snapshot")?.lines();
    let mut head = Value::Null;
    for line in lines {
        let mut line: Value = serde_json::from_str(&line?)?;
        if line["cursor"].is_string() {
            head = line;
        } else if line["end"] == true {
            eprintln!("took a snapshot of {} SKUs", line["skus"]);
            let cursor = head["cursor"].as_str();
            return Ok(cursor.ok_or("a snapshot without a cursor")?.to_owned());
        } else {
            file.row(&json!({
                "type": "snapshot",
                "time": head["time"],
                "subject": line["sku"].take(),
                "data": {"after": line["stock"].take()},
            }))?;
        }
    }
    Err("the snapshot was cut off".into())
}

struct Server {
    agent: ureq::Agent,
    address: String,
    name: String,
}

impl Server {
    fn new(address: &str, name: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_per_read(Some(SILENCE));
        Self {
            agent: config.build().new_agent(),
            address: address.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Says how far this is. If that can't be said, it is followed all the same.
    fn say(&self, cursor: &str) {
        let url = format!("{}/v1/consumers/{}", self.address, self.name);
        let body = json!({ "cursor": cursor }).to_string();
        let request = self
            .agent
            .put(url)
            .header("content-type", "application/json");
        match request.send(body) {
            Ok(answer) if answer.status() == 200 => {}
            Ok(mut answer) => {
                let why = answer.body_mut().read_to_string().unwrap_or_default();
                eprintln!("the journal does not wait: {why}");
            }
            Err(error) => eprintln!("the journal does not wait: {error}"),
        }
    }

    /// An answer as it comes; none where the server can't go on from the cursor: it has no more of
    /// what follows, or has never told it.
    fn get(&self, path: &str) -> Result<Option<BufReader<BodyReader<'static>>>> {
        let mut answer = self.agent.get(format!("{}{path}", self.address)).call()?;
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(Some(BufReader::new(answer.into_body().into_reader())));
        }
        let text = answer.body_mut().read_to_string()?;
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        if status == 410 || problem["field"] == "after" {
            eprintln!("it begins again with a snapshot: {}", problem["detail"]);
            return Ok(None);
        }
        Err(text.into())
    }
}
