//! markt-auth: session authentication.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request takes a sixth fewer instructions than with the allocator of glibc (ADR 26).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    markt_auth::cli::main()
}
