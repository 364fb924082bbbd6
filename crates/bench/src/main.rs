//! `markt-bench`: measures the service against plain servers, side by side on one machine.
//!
//! `cargo xtask bench` runs it. What is measured, and why as ratios, is told in docs/performance.md.

#[cfg(target_os = "linux")]
mod answer;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod database;
#[cfg(target_os = "linux")]
mod entropy;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod http;
#[cfg(target_os = "linux")]
mod population;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod redis;
#[cfg(target_os = "linux")]
mod reference;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod statistics;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod tied;
#[cfg(target_os = "linux")]
mod wrk;

/// As the service, so that the allocator makes no difference between the two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("markt-bench needs Linux: it reads /proc to tell what a server's requests cost");
    std::process::ExitCode::FAILURE
}
