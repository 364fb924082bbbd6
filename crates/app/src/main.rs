//! markt-auth: session authentication.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Chosen by measurement (ADR 26).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    markt_auth::cli::main()
}
