//! The command that wants the stores.

use std::ffi::OsString;
use std::future::pending;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep_until};

use crate::Error;
use crate::interrupts::{Interrupt, Interrupts};
use crate::provide::Stores;

/// How long the command may take to end after a signal, before it is told more plainly. nextest gives its tests 10 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs it to its end. The exit code is its own, or says which signal ended it or us.
pub(crate) async fn run(command: &[OsString], stores: &Stores, interrupts: &mut Interrupts) -> Result<u8, Error> {
    let [program, arguments @ ..] = command else { return Err("no command".into()) };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(stores.variables())
        .spawn()
        .map_err(|error| format!("can't run {}: {error}", program.to_string_lossy()))?;
    let mut leash = Leash::on(child.id().ok_or("the command has no process id")?)?;
    let mut interrupted: Option<Interrupt> = None;
    let mut harsher = ["TERM", "KILL"].into_iter();
    let mut deadline = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            signal = interrupts.next() => {
                if !signal.reaches_the_command() {
                    leash.send("TERM");
                }
                interrupted.get_or_insert(signal);
                deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            () = at(deadline) => {
                let signal = harsher.next();
                signal.inspect(|signal| leash.send(signal));
                deadline = signal.map(|_| Instant::now() + PATIENCE);
            }
        }
    };
    leash.let_go();
    Ok(interrupted.map_or_else(|| exit_code(status), Interrupt::exit_code))
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Passes signals on to the command, and ends it if this program is killed.
///
/// A shell at the other end of a pipe does both: std can only kill outright, and a killed program can do nothing.
struct Leash(Child);

const LEASH: &str = r#"
while read -r word; do
    case $word in
    done) exit ;;
    *) kill -s "$word" "$1" ;;
    esac
done
kill -s TERM "$1"
"#;

impl Leash {
    fn on(process: u32) -> Result<Self, Error> {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", LEASH, "leash", &process.to_string()]);
        // In a process group of its own, so that Ctrl-C doesn't end it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(shell.spawn().map_err(|error| format!("can't run sh: {error}"))?))
    }

    fn send(&mut self, word: &str) {
        if let Some(pipe) = &mut self.0.stdin {
            // A shell that is gone can't be helped; the deadline that follows asks again.
            let _ = writeln!(pipe, "{word}");
        }
    }

    fn let_go(mut self) {
        self.send("done");
        let _ = self.0.wait();
    }
}
