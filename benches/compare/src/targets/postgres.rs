//! `PostgreSQL`: one prepared statement that takes a unit and inserts the hold, committed with
//! `synchronous_commit` and `fsync` on.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::process::Signal;
use tokio_postgres::{Client, NoTls, Statement};

use super::{HOT, HOT_UNITS, LAST, LAST_UNITS, Load, Round, check};
use crate::drive::{Run, Until, all};
use crate::process::{Server, find, free_port, is_root, user, version, wait_for};

/// One statement: it takes a unit if there is one, and the hold is its row.
const STATEMENT: &str = "\
with took as (update stock set available = available - 1 where sku = $1 and available >= 1 \
returning sku) \
insert into hold (sku, qty, order_ref, expires_at) \
select sku, 1, $2, now() + interval '10 minutes' from took";

/// Updates of the hot row stay on their page (`fillfactor`), and an index finds what expires.
const SCHEMA: &str = "\
create table stock (sku text primary key, available bigint not null check (available >= 0)) \
with (fillfactor = 10); \
create table hold (id bigint generated always as identity primary key, sku text not null, \
qty int not null, order_ref text not null, expires_at timestamptz not null); \
create index on hold (expires_at);";

/// Why it can't be compared, if so.
pub(crate) fn absent() -> Option<&'static str> {
    let is_there = find("postgres").is_some() && find("initdb").is_some();
    if !is_there {
        return Some("postgres or initdb is not installed");
    }
    let is_nobody = is_root() && owner().is_none();
    is_nobody.then_some("it refuses to run as root, and there is no user postgres or nobody")
}

/// Its version.
pub(crate) fn name() -> Option<String> {
    let text = version(&find("postgres")?);
    let version = text.split(") ").nth(1)?.split(' ').next()?.to_owned();
    Some(format!("PostgreSQL {version}"))
}

/// Who it runs as, where this is root.
fn owner() -> Option<(u32, u32)> {
    user("postgres").or_else(|| user("nobody"))
}

/// A command that runs as the owner of the directory.
fn command(program: &str) -> Command {
    let mut command = Command::new(find(program).expect("it was there"));
    if is_root() {
        let (user, group) = owner().expect("it was there");
        command.uid(user).gid(group);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// One round.
pub(crate) async fn round(directory: &Path, load: Load) -> Round {
    let data = initialise(directory);
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = command("postgres");
    command.arg("-D").arg(&data).current_dir(&data);
    for setting in [
        &format!("port={port}"),
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=on",
        "synchronous_commit=on",
        "shared_buffers=256MB",
        "max_wal_size=4GB",
        "checkpoint_timeout=30min",
        "max_connections=200",
    ] {
        command.args(["-c", setting]);
    }
    // A fast shutdown.
    let server = Server::start(&mut command, Signal::INT);
    wait_for(address);
    let control = control(address).await;
    control
        .batch_execute(SCHEMA)
        .await
        .expect("the schema is good");
    for (sku, units) in [(HOT, HOT_UNITS), (LAST, LAST_UNITS)] {
        let insert = format!("insert into stock values ('{sku}', {units})");
        control.batch_execute(&insert).await.expect("it is new");
    }
    control.batch_execute("checkpoint").await.expect("it may");

    let mut clients = Vec::new();
    for _ in 0..load.connections {
        let client = client(address).await;
        let statement = client.prepare(STATEMENT).await.expect("it is one");
        clients.push((client, statement));
    }
    let clients = Rc::new(
        clients
            .into_iter()
            .map(|it| RefCell::new(Some(it)))
            .collect::<Vec<_>>(),
    );
    let before = server.cpu();
    let run = drive(&clients, HOT, Until::Time(load.time)).await;
    let after = server.cpu();
    let last = drive(&clients, LAST, Until::Refused).await;
    check("PostgreSQL, the last units", last.granted, LAST_UNITS);
    for (sku, units, granted) in [
        (HOT, HOT_UNITS, run.granted),
        (LAST, LAST_UNITS, LAST_UNITS),
    ] {
        let left = one(&control, "select available from stock where sku = $1", sku).await;
        check(sku, units - granted, left);
        let holds = one(&control, "select count(*) from hold where sku = $1", sku).await;
        check(sku, granted, holds);
    }
    Round::new(
        run,
        before,
        after,
        "stock and holds, the last 500 units".to_owned(),
    )
}

/// A new cluster that its user owns.
fn initialise(directory: &Path) -> PathBuf {
    let data = directory.join("data");
    std::fs::create_dir(&data).expect("the directory is ours");
    if is_root() {
        let (user, group) = owner().expect("it was there");
        std::os::unix::fs::chown(&data, Some(user), Some(group)).expect("this is root");
    }
    let mut command = command("initdb");
    command.args([
        "-A",
        "trust",
        "-U",
        "compare",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
        "-D",
    ]);
    let status = command
        .arg(&data)
        .current_dir(&data)
        .status()
        .expect("it runs");
    assert!(status.success(), "initdb: {status}");
    data
}

type Clients = Rc<Vec<RefCell<Option<(Client, Statement)>>>>;

async fn drive(clients: &Clients, sku: &'static str, until: Until) -> Run {
    let make = |number: usize, run: Arc<Mutex<Run>>| {
        let clients = Rc::clone(clients);
        let work: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            let taken = clients[number].borrow_mut().take();
            let (client, statement) = taken.expect("every connection is taken once");
            let start = Instant::now();
            loop {
                let sent = Instant::now();
                let answer = client
                    .execute(&statement, &[&sku, &"order-0000000001"])
                    .await;
                let granted = answer.expect("the statement runs");
                run.lock().unwrap_or_else(PoisonError::into_inner).add(
                    granted,
                    1 - granted,
                    sent.elapsed(),
                );
                let is_over = match until {
                    Until::Time(limit) => limit <= start.elapsed(),
                    Until::Refused => granted == 0,
                };
                if is_over {
                    break;
                }
            }
            *clients[number].borrow_mut() = Some((client, statement));
        });
        work
    };
    all(make, clients.len()).await
}

/// The first connection: a server that starts refuses some.
async fn control(address: SocketAddr) -> Client {
    for _ in 0..400 {
        if let Some(client) = try_client(address).await {
            return client;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("PostgreSQL does not start");
}

async fn client(address: SocketAddr) -> Client {
    try_client(address).await.expect("it takes connections")
}

async fn try_client(address: SocketAddr) -> Option<Client> {
    let (host, port) = (address.ip(), address.port());
    let settings = format!("host={host} port={port} user=compare dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.ok()?;
    tokio::task::spawn_local(async move {
        // It ends with its client.
        let _ = connection.await;
    });
    Some(client)
}

async fn one(client: &Client, query: &str, sku: &str) -> u64 {
    let row = client
        .query_one(query, &[&sku])
        .await
        .expect("there is one");
    u64::try_from(row.get::<_, i64>(0)).expect("no count is negative")
}
