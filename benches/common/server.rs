//! The real server as a child, and the few calls that benches make of it.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that has said where it listens. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that the child can go on writing to it.
    _said: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    /// From its start to its readiness.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// `holdfast serve` on this data directory, with the defaults, on free ports.
    pub(crate) fn holdfast(data: &Path) -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        serve
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data);
        Self::start(serve)
    }

    /// A child whose first line ends its first URL with the address to call.
    pub(crate) fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut said = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the server speaks");
        let ready_after = started.elapsed();
        let url = line.split("http://").nth(1).unwrap_or_default();
        let address = url.split([',', '\n']).next().unwrap_or_default();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("the server said `{line}`"));
        Self {
            child,
            _said: said,
            address,
            ready_after,
        }
    }

    /// Which process it is.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A command of the program against this server.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command
            .args(words)
            .arg("--server")
            .arg(format!("http://{}", self.address))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Sends a call and gives back status and body.
    pub(crate) fn call(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {key}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream
            .write_all(request.as_bytes())
            .expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        (
            status.unwrap_or_default(),
            body.unwrap_or_default().to_owned(),
        )
    }

    /// SIGTERM: drains, and says how long that took.
    pub(crate) fn drain(mut self) -> Duration {
        let started = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is there");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "the server ended with {status}");
        started.elapsed()
    }
}

impl Drop for Server {
    /// SIGKILL, as a crash.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
