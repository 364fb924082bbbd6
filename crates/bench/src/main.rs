//! `markt-bench`: measures the service, on one machine, against what it is compared with.
//!
//! `cargo xtask bench` and `cargo xtask loadtest --compare` run it.

/// As the service, so that the allocator makes no difference between it and the plain servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    markt_bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("markt-bench needs Linux: it reads /proc to tell what a server's requests cost");
    std::process::ExitCode::FAILURE
}
