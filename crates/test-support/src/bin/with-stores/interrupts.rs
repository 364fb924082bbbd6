//! The signals that ask this program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

/// Watches for those signals, so that they don't kill this program before it has cleaned up.
pub(crate) struct Interrupts {
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Hangup,
    /// By Ctrl-C: SIGINT.
    Typed,
    Quit,
    Terminate,
}

impl Interrupts {
    pub(crate) fn watch() -> Result<Self, Error> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.hangup.recv() => Interrupt::Hangup,
            _ = self.interrupt.recv() => Interrupt::Typed,
            _ = self.quit.recv() => Interrupt::Quit,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}

impl Interrupt {
    /// What a shell reports for a program that such a signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        128 + match self {
            Self::Hangup => 1,
            Self::Typed => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }

    /// Whether it was typed at the terminal, which sends it to the whole foreground group: to the command too.
    pub(crate) fn reaches_the_command(self) -> bool {
        matches!(self, Self::Typed | Self::Quit)
    }
}
