//! A socket that never blocks, not even to connect: TCP or Unix.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::client::Target;

/// Where the server listens, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A name that is no address.
#[derive(Debug, thiserror::Error)]
#[error("can't find the address of {name}: {error}")]
pub struct NoAddress {
    name: String,
    #[source]
    error: io::Error,
}

/// A connection, made or being made.
pub(super) struct Socket(OwnedFd);

impl Address {
    /// Looks a target up.
    pub fn of(target: &Target) -> Result<Self, NoAddress> {
        match target {
            Target::Unix(path) => Ok(Self::Unix(path.clone())),
            Target::Tcp(authority) => {
                let found = authority.to_socket_addrs().and_then(|mut all| {
                    all.next()
                        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
                });
                let failed = |error| NoAddress {
                    name: authority.clone(),
                    error,
                };
                Ok(Self::Tcp(found.map_err(failed)?))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Socket {
    /// Begins to connect.
    pub(super) fn connect(to: &Address) -> io::Result<Self> {
        let family = match to {
            Address::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
            Address::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
            Address::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        let connected = match to {
            Address::Tcp(address) => {
                rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
                connect(&socket, address)
            }
            Address::Unix(path) => connect(&socket, &SocketAddrUnix::new(path)?),
        };
        match connected {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Self(socket)),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what the socket takes; it is not there yet while it still connects.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A peer that has gone is an error here, not a signal.
        let sent = rustix::net::send(&self.0, bytes, rustix::net::SendFlags::NOSIGNAL);
        sent.map_err(io::Error::from)
    }

    /// Reads what is there.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, into)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
