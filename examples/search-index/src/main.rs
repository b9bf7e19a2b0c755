//! What is in stock, findable by words: a search index that follows the events of holdfast.
//!
//! ```text
//! holdfast-search-index follow shop.db
//! holdfast-search-index search shop.db red tee
//! ```
//! It begins with a snapshot and goes on with the stream from exactly there. What a message changes
//! and the cursor behind it are one transaction (`index.rs`), so it may be killed at any moment and
//! goes on where it was. As a consumer it says how far it is, so that the server's journal waits for
//! it and `holdfast consumers` shows its lag; each index that follows one server needs a name of its
//! own. Where the server can't go on from its cursor, it takes a snapshot instead of all it had: after
//! having been away too long, or before another server, or one whose data was set back. This file is
//! the way from the server to the index.
//!
//! Deliberately absent: telling one failure from another. Whatever went wrong, a server that is away
//! or a disk that is full, what the index has is whole, and it is tried again from there.

mod index;

use index::Index;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::BodyReader;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where `holdfast serve` listens if nobody says otherwise.
const SERVER: &str = "http://127.0.0.1:7070";

/// What this is called among the server's consumers.
const NAME: &str = "search-index";

/// Before the server is asked again, and between saying how far this is.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream sends a heartbeat every 15 seconds; one that is silent for so long is dead.
const SILENCE: Duration = Duration::from_mins(1);

const USAGE: &str = "usage: follow FILE [SERVER [NAME]] | search FILE WORDS...";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["follow", file] => follow(file, SERVER, NAME),
        ["follow", file, server] => follow(file, server, NAME),
        ["follow", file, server, name] => follow(file, server, name),
        ["search", file, words @ ..] if !words.is_empty() => search(file, words),
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

fn search(file: &str, words: &[&str]) -> Result<()> {
    for (sku, available) in Index::open(file)?.search(words)? {
        println!("{available:>8}  {sku}");
    }
    Ok(())
}

fn follow(file: &str, server: &str, name: &str) -> Result<()> {
    let mut index = Index::open(file)?;
    let server = Server::new(server, name);
    loop {
        let told = match index.cursor() {
            Ok(Some(cursor)) => tail(&mut index, &server, &cursor),
            Ok(None) => snapshot(&mut index, &server),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = told {
            eprintln!("{error}");
        }
        sleep(PAUSE);
    }
}

/// Takes the state as it is, instead of all that the index had.
fn snapshot(index: &mut Index, server: &Server) -> Result<()> {
    // What happens meanwhile is to be there afterwards.
    server.say("latest");
    let lines = server.get("/v1/snapshot", "application/x-ndjson")?;
    let lines = lines.ok_or("no snapshot")?.lines();
    let change = index.begin()?;
    change.clear()?;
    let mut cursor: Option<String> = None;
    for line in lines {
        let line: Value = serde_json::from_str(&line?)?;
        if let Some(sku) = line["sku"].as_str() {
            let available = line["stock"]["available"].as_i64();
            change.put(sku, available.ok_or("a SKU without stock")?)?;
        } else if line["end"] == true {
            let cursor = cursor.ok_or("a snapshot without a cursor")?;
            change.finish(&cursor)?;
            server.say(&cursor);
            eprintln!("took a snapshot of {} SKUs", line["skus"]);
            return Ok(());
        } else {
            cursor = line["cursor"].as_str().map(str::to_owned);
        }
    }
    // Nothing of it is kept.
    Err("the snapshot was cut off".into())
}

/// Takes what happens, message by message, until the stream ends.
fn tail(index: &mut Index, server: &Server, cursor: &str) -> Result<()> {
    let path = format!("/v1/events?batch=500&after={cursor}");
    let Some(stream) = server.get(&path, "text/event-stream")? else {
        return Ok(index.forget_cursor()?);
    };
    let (mut id, mut event, mut data) = (String::new(), String::new(), String::new());
    let mut said: Option<Instant> = None;
    for line in stream.lines() {
        let line = line?;
        match line.split_once(": ") {
            Some(("id", value)) => value.clone_into(&mut id),
            Some(("event", value)) => value.clone_into(&mut event),
            Some(("data", value)) => value.clone_into(&mut data),
            // What was missed can't be added up.
            _ if line.is_empty() && event == "gap" => {
                eprintln!("events were missed");
                return Ok(index.forget_cursor()?);
            }
            _ if line.is_empty() => {
                take(index, &data, &id)?;
                if said.is_none_or(|said| PAUSE <= said.elapsed()) {
                    server.say(&id);
                    said = Some(Instant::now());
                }
                event.clear();
                data.clear();
            }
            // A comment.
            _ => {}
        }
    }
    Ok(())
}

/// Takes a message: a list of events, or nothing if it is a heartbeat.
fn take(index: &mut Index, events: &str, cursor: &str) -> Result<()> {
    let change = index.begin()?;
    if !events.is_empty() {
        for event in serde_json::from_str::<Vec<Value>>(events)? {
            // An event of a reservation alone has no SKU, and changes no stock.
            let available = event["data"]["after"]["available"].as_i64();
            if let (Some(sku), Some(available)) = (event["subject"].as_str(), available) {
                change.put(sku, available)?;
            }
        }
    }
    Ok(change.finish(cursor)?)
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
    fn get(&self, path: &str, accept: &str) -> Result<Option<BufReader<BodyReader<'static>>>> {
        let url = format!("{}{path}", self.address);
        let mut answer = self.agent.get(url).header("accept", accept).call()?;
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
