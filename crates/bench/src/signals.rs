//! What ends a measurement before its end.

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Error;

/// Done at SIGHUP, SIGINT (Ctrl-C) or SIGTERM.
pub(crate) async fn told_to_end() -> Result<(), Error> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
