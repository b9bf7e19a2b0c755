//! Sockets to listen on: TCP, and Unix domain sockets with their file.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::config::FileMode;

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: u32 = 4_096;

/// Why a socket can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken.
    #[error("{address} is taken by another process; stop it or choose another address")]
    Taken {
        /// The address or the path.
        address: String,
    },
    /// There is something else at the path.
    #[error("{path} is there and is no socket; remove it or set http.uds to another path")]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Anything else.
    #[error("can't listen on {address}: {source}")]
    Io {
        /// The address or the path.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A bound socket.
#[derive(Debug)]
pub struct Socket {
    pub(crate) kind: SocketKind,
}

#[derive(Debug)]
pub(crate) enum SocketKind {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "held for its drop")] SocketFile,
    ),
}

/// A connection of either kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The file of a Unix socket; dropping it removes the file, unless another has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    /// Listens on a TCP address; port 0 takes a free one.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let listener = bind_tcp(address).map_err(|source| bind_error(&address, source))?;
        Ok(Self {
            kind: SocketKind::Tcp(listener),
        })
    }

    /// Listens on a Unix socket. A file that nobody listens on is replaced.
    pub fn unix(path: &Path, mode: FileMode) -> Result<Self, BindError> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NoSocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) if StdUnixStream::connect(path).is_ok() => {
                return Err(BindError::Taken {
                    address: path.display().to_string(),
                });
            }
            Ok(_) | Err(_) => {}
        }
        let (listener, file) =
            bind_unix(path, mode).map_err(|source| bind_error(&path.display(), source))?;
        Ok(Self {
            kind: SocketKind::Unix(listener, file),
        })
    }

    /// The TCP address, with the port that was taken; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.kind {
            SocketKind::Tcp(listener) => listener.local_addr().ok(),
            SocketKind::Unix(..) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match &self.kind {
            SocketKind::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            SocketKind::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // What can't be removed is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds beside the path and moves the socket there with its mode set, so that nobody can connect
/// before the mode holds, and a stale file gives way in one step.
fn bind_unix(path: &Path, mode: FileMode) -> io::Result<(UnixListener, SocketFile)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    let moved = fs::set_permissions(&beside, fs::Permissions::from_mode(mode.0))
        .and_then(|()| fs::rename(&beside, path));
    if let Err(error) = moved {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    Ok((
        listener,
        SocketFile {
            path: path.to_owned(),
            identity: identity(path)?,
        },
    ))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn bind_error(address: &dyn std::fmt::Display, source: io::Error) -> BindError {
    let address = address.to_string();
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        _ => BindError::Io { address, source },
    }
}
