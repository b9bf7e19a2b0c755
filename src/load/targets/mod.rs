//! Who is loaded: a server that is there, one that is started for the run, or the engine in process.
//!
//! A [`Target`] is filled before the run, its counters are read before and after, and one that was
//! started here is stopped and its ledgers are verified. What carries the load itself is its
//! [`Carrier`], one for each worker.

mod http;
mod in_process;
mod ledger;
mod spawn;

use std::{io, path::PathBuf, time::Duration};

use super::{
    drive::{Ask, Heard, Transport},
    scenario::CustomerLimit,
    wire::{Address, Names, NoAddress, Renderer, Wire},
};
use crate::client::{self, wire::Counters};
use http::Desk;
use in_process::Engine;
pub use ledger::Ledgers;
use spawn::{Place, Server};

/// Which target is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A server that is there.
    Server(client::Target),
    /// One that is started for the run, from this program, in a directory below this one.
    Spawn {
        /// The program.
        binary: PathBuf,
        /// Where its data goes; the system's place for temporary files if absent.
        below: Option<PathBuf>,
    },
    /// The engine, without HTTP, in a directory below this one.
    InProcess {
        /// As above.
        below: Option<PathBuf>,
    },
}

/// How a target that is started here is configured: the load profile.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// How long what has ended is kept.
    pub retention_ms: u64,
    /// The longest hold.
    pub ttl_ms: u64,
    /// Shards; 0 is one per core.
    pub shards: u16,
}

/// Why a target can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody answers there.
    #[error("can't reach {target}: {why}")]
    NoServer {
        /// Who was asked.
        target: String,
        /// What was met.
        why: String,
    },
    /// The address can't be looked up.
    #[error(transparent)]
    Address(#[from] NoAddress),
    /// A directory, file, thread or socket of this side.
    #[error("can't {what}: {error}")]
    Io {
        /// Do what.
        what: &'static str,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The server that was started here did not do as it should.
    #[error("the server {what}; it said:\n{log}")]
    Server {
        /// What it did.
        what: String,
        /// The end of its log.
        log: String,
    },
    /// It can't be filled, or its counters can't be read.
    #[error("can't {what}: {why}")]
    Refused {
        /// Do what.
        what: &'static str,
        /// Why not.
        why: String,
    },
}

/// A target, ready.
pub enum Target {
    /// Over HTTP; with the server, where it was started here.
    Http {
        /// Where it is.
        address: Address,
        /// What fills and reads it.
        desk: Desk,
        /// The server that was started here.
        own: Option<Box<Own>>,
    },
    /// In process.
    Engine(Engine),
}

/// A server that was started here.
pub struct Own {
    // Dropped first: a server that is gone puts nothing into a directory that is being removed.
    server: Option<Server>,
    place: Place,
}

/// What is to be sold of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stocking {
    /// Units of each SKU.
    pub units: u64,
    /// What one customer may have.
    pub customer_limit: Option<CustomerLimit>,
}

/// The counters of a SKU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Sums over its locations.
    pub counters: Counters,
    /// Units that may be reserved.
    pub available: i64,
}

/// Carries the load of one worker.
pub struct Carrier(Box<dyn Transport + Send>);

impl Transport for Carrier {
    fn free(&self) -> usize {
        self.0.free()
    }

    fn send(&mut self, ticket: u32, ask: &Ask<'_>) {
        self.0.send(ticket, ask);
    }

    fn wait(&mut self, until: std::time::Instant, heard: &mut Vec<Heard>) {
        self.0.wait(until, heard);
    }
}

impl Target {
    /// Starts it, or sees that it is there.
    pub async fn open(choice: &Choice, profile: Profile) -> Result<Self, Trouble> {
        match choice {
            Choice::Server(target) => {
                let desk = Desk::new(target.clone());
                desk.greet().await?;
                let address = Address::of(target)?;
                Ok(Self::Http {
                    address,
                    desk,
                    own: None,
                })
            }
            Choice::Spawn { binary, below } => {
                let place = Place::new(binary, below.as_deref(), profile)?;
                let server = place.start(None).await?;
                let target: client::Target = server
                    .data
                    .parse()
                    .expect("a server names a socket address, which is a target");
                let own = Own {
                    server: Some(server),
                    place,
                };
                Ok(Self::Http {
                    address: Address::of(&target)?,
                    desk: Desk::new(target),
                    own: Some(Box::new(own)),
                })
            }
            Choice::InProcess { below } => {
                Ok(Self::Engine(Engine::open(below.as_deref(), profile).await?))
            }
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Http {
                address, own: None, ..
            } => match address {
                Address::Tcp(address) => format!("http://{address}"),
                Address::Unix(path) => format!("unix:{}", path.display()),
            },
            Self::Http { .. } => "a server of its own (spawned)".to_owned(),
            Self::Engine(_) => "the engine in process (no HTTP)".to_owned(),
        }
    }

    /// What goes into the `Host` header.
    pub fn host(&self) -> String {
        match self {
            Self::Http { address, .. } => match address {
                Address::Tcp(address) => address.to_string(),
                Address::Unix(_) => "localhost".to_owned(),
            },
            Self::Engine(_) => String::new(),
        }
    }

    /// Whether it was started here.
    pub fn is_own(&self) -> bool {
        !matches!(self, Self::Http { own: None, .. })
    }

    /// Makes the SKUs of a run and puts units on their shelves.
    pub async fn stock(&self, names: &Names, stocking: Stocking) -> Result<(), Trouble> {
        match self {
            Self::Http { desk, .. } => desk.stock(names, stocking).await,
            Self::Engine(engine) => engine.stock(names, stocking).await,
        }
    }

    /// The counters of a run's SKUs, in their order; those of a SKU that is not there are absent.
    pub async fn states(&self, names: &Names) -> Result<Vec<Option<State>>, Trouble> {
        let found = match self {
            Self::Http { desk, .. } => desk.states(&names.run).await?,
            Self::Engine(engine) => engine.states(&names.run),
        };
        Ok(names
            .skus
            .iter()
            .map(|sku| found.get(sku).copied())
            .collect())
    }

    /// The counters of one SKU, for those who watch.
    pub async fn state(&self, sku: &str) -> Option<State> {
        match self {
            Self::Http { desk, .. } => desk.state(sku).await,
            Self::Engine(engine) => engine.state(sku),
        }
    }

    /// A carrier with so many places, whose calls time out after `timeout`.
    pub fn carrier(
        &self,
        names: &Names,
        connections: usize,
        timeout: Duration,
    ) -> Result<Carrier, Trouble> {
        match self {
            Self::Http { address, .. } => {
                let renderer = Renderer::new(names);
                let wire = Wire::new(address.clone(), renderer, connections, timeout);
                let wire = wire.map_err(|error| Trouble::Io {
                    what: "make an epoll",
                    error,
                })?;
                Ok(Carrier(Box::new(wire)))
            }
            Self::Engine(engine) => Ok(Carrier(Box::new(engine.carrier(
                names,
                connections,
                timeout,
            )))),
        }
    }

    /// `kill -9`, of a server that was started here.
    pub async fn kill(&mut self) -> Result<(), Trouble> {
        if let Self::Http { own: Some(own), .. } = self
            && let Some(server) = own.server.as_mut()
        {
            server.kill().await?;
        }
        Ok(())
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        if let Self::Http { own: Some(own), .. } = self {
            let earlier = own.server.take();
            own.server = Some(own.place.start(earlier.as_ref()).await?);
        }
        Ok(())
    }

    /// Leaves it as it stands; what was started here goes, with its data.
    pub async fn abandon(mut self) {
        match self {
            // A server that can't be killed is tried once more when it is dropped.
            Self::Http { .. } => drop(self.kill().await),
            // Its shards close their ledgers.
            Self::Engine(engine) => drop(engine.close().await),
        }
    }

    /// Stops what was started here and verifies its ledgers; nothing of a server that was there.
    pub async fn close(self) -> Result<Option<Ledgers>, Trouble> {
        match self {
            Self::Http { own: None, .. } => Ok(None),
            Self::Http {
                own: Some(own),
                desk,
                ..
            } => {
                let Own { place, server } = *own;
                // Kept-alive connections would make the server wait for them.
                drop(desk);
                let trouble = match server {
                    Some(server) => server.stop(&place).await?,
                    None => Some("it was not running at the end".to_owned()),
                };
                Ok(Some(ledger::verify(place.into_directory(), trouble).await))
            }
            Self::Engine(engine) => Ok(Some(engine.close().await)),
        }
    }
}

/// A directory for one run, below `below` or among the temporary files.
fn directory(below: Option<&std::path::Path>) -> Result<tempfile::TempDir, Trouble> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("holdfast-load-");
    let made = match below {
        Some(below) => std::fs::create_dir_all(below).and_then(|()| builder.tempdir_in(below)),
        None => builder.tempdir(),
    };
    made.map_err(|error| Trouble::Io {
        what: "make a directory for the run's data",
        error,
    })
}
