//! The exit codes of the `holdfast` command: stable, so that scripts and unit files may act on them.
//!
//! Deliberately absent: messages. Whoever ends a command with one of these has already told the
//! user why, on stderr.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stdout};
use std::process::{ExitCode, Termination};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Success,
    /// It failed for a reason that has no code of its own.
    Failure,
    /// The arguments or the configuration are wrong; nothing was started.
    Usage,
    /// The data directory is locked by another process.
    Locked,
    /// The data directory was refused: other identity, shard count or format.
    Refused,
    /// The proof of `demo` or `replay` did not hold.
    ProofFailed,
    /// `verify` found corruption.
    Corrupt,
    /// The server could not be reached.
    Unreachable,
    /// Rows of an import were bad; the others went in.
    BadRows,
    /// A run of `load` broke an invariant.
    InvariantBroken,
    /// A run of `load` missed a threshold.
    ThresholdMissed,
    /// A second SIGINT ended the process before it had drained; or a first one a run of `load`.
    Interrupted,
    /// A second SIGTERM ended the process before it had drained.
    Terminated,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Locked => 3,
            Exit::Refused => 4,
            Exit::ProofFailed => 5,
            Exit::Corrupt => 6,
            Exit::Unreachable => 7,
            Exit::BadRows => 8,
            Exit::InvariantBroken => 98,
            Exit::ThresholdMissed => 99,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// The list that `--help` ends with; a macro, because attributes take literals only.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0    done
  1    failed for another reason
  2    wrong usage or configuration
  3    the data directory is locked by another process
  4    the data directory is refused (identity, shard count or format)
  5    the proof did not hold (demo, replay)
  6    corruption found (verify)
  7    the server cannot be reached
  8    rows of the file were bad, the others went in (import)
  98   an invariant was broken (load)
  99   a threshold was missed (load)
  130  ended at once by a second SIGINT (load: by the first); 143 by a second SIGTERM"
    };
}

/// Prints `error: message` to stderr and hands `exit` back, so that a command can end with it.
pub fn fail(exit: Exit, message: impl Display) -> Exit {
    eprintln!("error: {message}");
    exit
}

/// Prints `text` to stdout and hands `exit` back, so that a command can end with it.
///
/// A reader that has seen enough, such as `head`, is no failure; a text that is lost is one.
pub fn print(exit: Exit, text: impl Display) -> Exit {
    let mut out = stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let failed = fail(Exit::Failure, format!("stdout can't be written: {error}"));
            if exit == Exit::Success { failed } else { exit }
        }
        Ok(()) | Err(_) => exit,
    }
}
