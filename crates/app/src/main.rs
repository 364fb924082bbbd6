//! markt-auth: session authentication.

use std::process::ExitCode;

fn main() -> ExitCode {
    markt_auth::cli::main()
}
