//! The `holdfast` command.

use holdfast::cli::{self, Exit};

fn main() -> Exit {
    cli::main()
}
