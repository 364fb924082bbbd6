//! The password, as it is typed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Stdio};

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::PASSWORD;
use crate::process::command;
use crate::server::{Deployment, Server};

const ARGUMENTS: [&str; 8] =
    ["users", "create", "--email", "ann@example.com", "--username", "ann", "--account-type", "buyer"];

/// The command, and the terminal that it is run at.
struct Typing {
    /// What is typed, and what shows of it.
    keys: File,
    terminal: OwnedFd,
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Typing {
    /// Starts the command, and waits until it asks.
    fn start(server: &Server) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let terminal = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = command(&server.setup, &ARGUMENTS);
        command.stdin(terminal.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut prompt = Vec::new();
        said.read_until(b':', &mut prompt).unwrap();
        assert!(String::from_utf8_lossy(&prompt).contains("password"), "{prompt:?}");
        Self { keys: keys.into(), terminal, child, said }
    }

    fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// All that showed on the terminal.
    fn shown(&mut self) -> String {
        fcntl_setfl(&self.keys, OFlags::NONBLOCK).unwrap();
        let (mut shown, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(count @ 1..) = self.keys.read(&mut buffer) {
            shown.extend(&buffer[..count]);
        }
        String::from_utf8(shown).unwrap()
    }

    /// Whether it ended well, and what else it said.
    fn end(&mut self) -> (bool, String) {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().success(), rest)
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        // Has ended by itself, if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_does_not_show_as_it_is_typed() {
    let server = Server::start(Deployment::Embedded).await;
    let mut typing = Typing::start(&server);
    assert!(!typing.shows_what_is_typed());
    writeln!(typing.keys, "{PASSWORD}").unwrap();
    let (succeeded, said) = typing.end();
    assert!(succeeded && !said.contains(PASSWORD), "{said}");
    assert!(typing.shows_what_is_typed());
    let shown = typing.shown();
    assert!(!shown.contains(PASSWORD), "{shown}");
    super::profile(&server, "ann@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_typing_a_password_gets_the_terminal_back_as_it_was() {
    let server = Server::start(Deployment::Embedded).await;
    for signal in [Signal::INT, Signal::TERM] {
        let mut typing = Typing::start(&server);
        assert!(!typing.shows_what_is_typed());
        typing.keys.write_all(b"Corr").unwrap();
        kill_process(Pid::from_child(&typing.child), signal).unwrap();
        let (succeeded, said) = typing.end();
        assert!(!succeeded && !said.contains("Corr"), "{said}");
        assert!(typing.shows_what_is_typed(), "{signal:?}");
    }
    assert_eq!(server.setup.query_texts("SELECT id FROM users WHERE username = 'ann'").await, Vec::<String>::new());
}
