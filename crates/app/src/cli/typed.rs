//! What is given on standard input, and mustn't be seen.

use std::io::{self, BufRead as _, IsTerminal as _};

use zeroize::Zeroizing;

/// The first line of standard input, without its end. At a terminal it is asked for by this name, and doesn't show as
/// it is typed.
///
/// # Errors
/// If it can't be read, or whoever types it gives up.
pub async fn secret_line(name: &str) -> io::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() { at_terminal(name).await } else { read_line() }
}

fn read_line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line)?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

#[cfg(unix)]
async fn at_terminal(name: &str) -> io::Result<Zeroizing<String>> {
    use tokio::signal::unix::{SignalKind, signal};

    // From here on these end nothing by themselves, so that the terminal can be put right first.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let given_up = async move {
        tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
        }
    };
    let mut given_up = Box::pin(given_up);
    let hidden = Hidden::begin()?;
    eprint!("The {name}, and Enter (it doesn't show): ");
    // In a thread that nobody waits for: if nothing more is typed, it doesn't end.
    let (sender, typed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(read_line()));
    let line = tokio::select! {
        line = typed => Some(line),
        _ = &mut given_up => None,
    };
    drop(hidden);
    eprintln!();
    let line = line.ok_or(io::ErrorKind::Interrupted)?;
    // Later ones end the process as they would by themselves.
    tokio::spawn(async move { std::process::exit(128 + given_up.await.as_raw_value()) });
    line.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
}

/// Without a way to hide it.
#[cfg(not(unix))]
async fn at_terminal(name: &str) -> io::Result<Zeroizing<String>> {
    eprint!("The {name}, and Enter (it shows as it is typed): ");
    read_line()
}

/// A terminal on standard input that doesn't show what is typed, until this is dropped.
#[cfg(unix)]
struct Hidden(rustix::termios::Termios);

#[cfg(unix)]
impl Hidden {
    fn begin() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _gone = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}
