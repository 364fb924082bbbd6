//! What ends a server when this program ends.
//!
//! A watchdog is a small process at the other end of a pipe. The pipe closes when this program drops its end, or is
//! killed outright; then the watchdog ends what it watches and removes what that left behind.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use markt_test_support::programs::User;

use crate::Error;

/// Holds the pipe. Dropping it waits until all is ended and removed.
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Starts this process, which must end when its standard input does.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, Error> {
        // In a process group of its own, so that Ctrl-C doesn't end it before it has cleaned up.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| format!("can't run {:?}: {error}", command.get_program()))?;
        Ok(Self(child))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A server under a watchdog, in a folder that goes with it.
pub(crate) struct WatchedServer {
    folder: PathBuf,
    watchdog: Watchdog,
}

/// `$1`: the signal that ends the server. `$2`: its folder. The rest: the server.
///
/// The signal is repeated because a server that is still starting may miss it.
const WATCH_SERVER: &str = r#"
signal=$1 folder=$2
shift 2
cd "$folder" || exit
exec 3<&0
"$@" </dev/null >>log 2>&1 3<&- &
server=$!
(
    cat <&3 >/dev/null
    [ ! -e ended ] || exit
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        kill -s "$signal" "$server" || exit
        for tenth in 1 2 3 4 5; do
            kill -s 0 "$server" || exit
            sleep 0.1
        done
    done
    kill -s KILL "$server"
) 2>/dev/null &
wait "$server"
: >ended
wait
cd /
rm -rf "$folder"
"#;

impl WatchedServer {
    /// Starts it in this folder, which is the user's and will be removed; `signal` is what ends it cleanly.
    pub(crate) fn start(folder: PathBuf, user: Option<&User>, signal: &str, server: &[&OsStr]) -> Result<Self, Error> {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH_SERVER, "watchdog", signal]).arg(&folder).args(server).stderr(Stdio::null());
        if let Some(user) = user {
            shell.uid(user.id).gid(user.group);
        }
        Ok(Self { watchdog: Watchdog::spawn(&mut shell)?, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is left to hold once the server answers.
    pub(crate) fn into_watchdog(self) -> Watchdog {
        self.watchdog
    }

    /// Whether the server has ended by itself.
    ///
    /// # Errors
    ///
    /// If it never began.
    pub(crate) fn has_ended(&mut self) -> Result<bool, Error> {
        if self.watchdog.has_ended() {
            let folder = self.folder.display();
            // The watchdog couldn't get in to remove it.
            let _ = std::fs::remove_dir_all(&self.folder);
            return Err(
                format!("the server's user can't enter {folder}: set TMPDIR to a folder that all may use").into()
            );
        }
        Ok(self.folder.join("ended").exists())
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read(self.folder.join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}
