//! The service's life: listeners up, serving, drain, end.
//!
//! The admin listener serves from the first moment, so that probes are answered while ledgers are
//! replayed. The data sockets are bound when the stock is there, and close first when it ends.
//! SIGTERM or SIGINT begins the drain; at a second one of either nothing more is waited for, and the
//! caller ends the process with code 143 or 130. What was acknowledged is on disk either way.
//! Deliberately absent: knowing what is served. Routes and the stock behind them come from outside.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::cli::Exit;
use crate::config::{Config, Http};
use crate::http::probes::{Health, Stage};
use crate::http::{BindError, Edge, Limits, Mounted, Phase, Socket, serve};

/// Beyond its drain, how long the stock may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// File descriptors beside those of connections: ledgers, log, sockets, epoll.
const DESCRIPTORS_ASIDE: u64 = 256;

/// The service with its admin listener up and its data sockets not yet bound.
pub struct Service {
    config: Config,
    health: Arc<Health>,
    signals: Signals,
    admin_address: SocketAddr,
    admin: Listening,
}

/// Where the listeners can be reached over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The data listener.
    pub data: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
}

/// The two signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Listeners that end together.
struct Listening {
    phase: watch::Sender<Phase>,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// Binds and serves the admin listener, and takes over the signals. Call it within a runtime.
    pub fn start(config: &Config, health: Arc<Health>, admin: Mounted) -> Result<Self, BindError> {
        raise_descriptor_limit(config);
        let signals = Signals::take().map_err(|source| BindError::Io {
            address: "signals".to_owned(),
            source,
        })?;
        let socket = Socket::tcp(config.http.admin_listen)?;
        // Bound for a moment only: a port that is taken is said before ledgers are made and read.
        drop(Socket::tcp(config.http.listen)?);
        let admin_address = socket.address().unwrap_or(config.http.admin_listen);
        let edge = Edge::new("admin", admin, Limits::of_admin(&config.http));
        health.add_listener(Arc::clone(edge.metrics()));
        let mut listening = Listening::new();
        listening.add(socket, edge);
        Ok(Self {
            config: config.clone(),
            health,
            signals,
            admin_address,
            admin: listening,
        })
    }

    /// Waits for `opening` (the ledgers' replay), unless a signal comes first: then `None`.
    pub async fn open<T>(&mut self, opening: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            exit = self.signals.next() => {
                info!(signal = exit.code(), "ended before the stock was there");
                None
            }
            opened = opening => Some(opened),
        }
    }

    /// Serves `data` until a signal comes, drains, stops the stock, and ends.
    ///
    /// `announce` is called once the data sockets take connections. `stop` is awaited after the
    /// last answer has gone out; it must leave the ledgers closed. A second signal is handed back as
    /// its exit code while all this is still going on: then the process is to end at once.
    pub async fn run(
        mut self,
        data: Mounted,
        announce: impl FnOnce(&Addresses),
        stop: impl Future<Output = ()>,
    ) -> Result<Exit, BindError> {
        let http = &self.config.http;
        let edge = Edge::new("data", data, Limits::of_data(http));
        self.health.add_listener(Arc::clone(edge.metrics()));
        let (tcp, unix) = match data_sockets(http) {
            Ok(sockets) => sockets,
            Err(error) => {
                // Left alone, the shards would take the end of the process for a death.
                let _ = timeout(STOP_GRACE, stop).await;
                return Err(error);
            }
        };
        let addresses = Addresses {
            data: tcp.address().unwrap_or(http.listen),
            admin: self.admin_address,
        };
        let mut listening = Listening::new();
        listening.add(tcp, Arc::clone(&edge));
        if let Some(unix) = unix {
            listening.add(unix, edge);
        }
        self.health.enter(Stage::Serving);
        info!(data = %addresses.data, admin = %addresses.admin, uds = ?http.uds, "serving");
        announce(&addresses);

        self.signals.next().await;
        let drain = self.config.http.drain_ms.duration();
        info!(
            drain_ms = drain.as_millis() as u64,
            "draining; a second signal ends at once"
        );
        self.health.enter(Stage::Draining);
        let end = async {
            listening.end(drain).await;
            let stopped = timeout(STOP_GRACE, stop).await.is_ok();
            self.admin.end(Duration::from_millis(100)).await;
            if stopped {
                info!("stopped");
                return Exit::Success;
            }
            warn!("the ledgers did not close in time; the next start will recover them");
            Exit::Failure
        };
        tokio::select! {
            biased;
            exit = self.signals.next() => Ok(exit),
            exit = end => Ok(exit),
        }
    }
}

/// Binds where callers come in.
fn data_sockets(http: &Http) -> Result<(Socket, Option<Socket>), BindError> {
    let tcp = Socket::tcp(http.listen)?;
    let unix = http.uds.as_ref();
    let unix = unix.map(|path| Socket::unix(path, http.uds_mode));
    Ok((tcp, unix.transpose()?))
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal, as the exit code of a process that it ends at once.
    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.interrupt.recv() => Exit::Interrupted,
        }
    }
}

impl Listening {
    fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            tasks: Vec::new(),
        }
    }

    fn add(&mut self, socket: Socket, edge: Arc<Edge>) {
        self.tasks
            .push(tokio::spawn(serve(socket, edge, self.phase.subscribe())));
    }

    /// Drains within `limit`, then closes what is left.
    async fn end(&mut self, limit: Duration) {
        self.phase.send_replace(Phase::Draining);
        let mut tasks = std::mem::take(&mut self.tasks);
        let drained = timeout(limit, join(&mut tasks)).await;
        if drained.is_err() {
            warn!("requests were still in flight when the drain's time was over");
            self.phase.send_replace(Phase::Closed);
            join(&mut tasks).await;
        }
    }
}

async fn join(tasks: &mut [JoinHandle<()>]) {
    for task in tasks {
        if !task.is_finished() {
            // A listener that panicked has ended as well.
            let _ = task.await;
        }
    }
}

/// Connections are file descriptors, and the usual soft limit of 1,024 is far below
/// `http.connections_max`.
fn raise_descriptor_limit(config: &Config) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let sockets = 1 + u64::from(config.http.uds.is_some());
    let wanted = config.http.connections_max * sockets + DESCRIPTORS_ASIDE;
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = Rlimit {
            current: Some(wanted.min(allowed)),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_err() || allowed < wanted {
            let open_files = current.max(wanted.min(allowed));
            warn!(
                open_files,
                wanted, "the limit of open files is below http.connections_max; raise `ulimit -n`"
            );
        }
    }
}
