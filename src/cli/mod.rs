//! The command line: what can be asked of `holdfast`, and nothing of how it is done.
//!
//! Every subcommand is a module with `Args` (its flags) and `run(args) -> Exit`, which tells the
//! user what went wrong before it returns.

pub mod exit;

pub use exit::{Exit, fail};

/// Parses the arguments and runs the subcommand they name.
pub fn main() -> Exit {
    Exit::Success
}
