//! The `holdfast` command.

use holdfast::cli::{self, Exit};

/// Small values come and go millions of times a second; `docs/performance.md` has the difference.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Exit {
    cli::main()
}
