//! A server of a test's own, which can be maltreated, and which ends with the test, however that ends.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::programs::User;

/// Runs a server in the folder `$1` and does to it what it is told, line by line. When standard input ends, it kills
/// the server; so it does when the test is killed.
///
/// A server is a process with children: PostgreSQL has one for each connection. They are in process groups of their
/// own, so they are told one by one; and a server that is stopped makes no more of them.
const KEEPER: &str = r#"
cd "$1" || exit
shift
"$@" </dev/null >>log 2>&1 &
server=$!
exec 2>/dev/null

children() {
    ps -A -o ppid= -o pid= | while read -r parent child; do
        if [ "$parent" = "$server" ]; then echo "$child"; fi
    done
}
freeze() {
    kill -s STOP "$server"
    kill -s STOP $(children)
}

while read -r word; do
    case $word in
    freeze) freeze ;;
    thaw) kill -s CONT $(children) "$server" ;;
    *) kill -s "$word" "$server" && wait "$server" ;;
    esac
    echo "$word"
done

freeze
orphans=$(children)
kill -s KILL "$server" $orphans
wait "$server"
# As long as one of them is there, PostgreSQL doesn't start again. Nobody may ever ask what became of them.
while ps -o stat= -p "$orphans" | grep -q '^[^Z]'; do
    sleep 0.01
done
"#;

/// The server, and the shell that keeps it.
pub(crate) struct OwnProcess {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl OwnProcess {
    /// Starts it in this folder, as this user if it isn't to be ours.
    pub(crate) fn start<S: AsRef<OsStr>>(folder: &Path, user: Option<User>, command: &[S]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", KEEPER, "keeper"]).arg(folder).args(command);
        if let Some(user) = user {
            shell.uid(user.id).gid(user.group);
        }
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("there is a shell");
        let answers = BufReader::new(shell.stdout.take().expect("it is piped"));
        Self { shell, answers }
    }

    /// Stops it as it is: connections stay open, new ones are taken by the kernel, and nothing is answered.
    pub(crate) fn freeze(&mut self) {
        self.tell("freeze");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&mut self) {
        self.tell("thaw");
    }

    /// Ends it by a signal that it obeys, and waits for its end.
    pub(crate) fn end(&mut self, signal: &str) {
        self.tell(signal);
        self.kill();
    }

    /// Kills it, with all its children, unless it has ended already.
    pub(crate) fn kill(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("it was started");
    }

    /// Returns once it is done.
    fn tell(&mut self, word: &str) {
        let pipe = self.shell.stdin.as_mut().expect("the server runs");
        writeln!(pipe, "{word}").expect("the shell runs");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the shell answers");
        assert_eq!(answer.trim_end(), word, "the shell has ended");
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A panic here would hide the test's own.
        let _ = self.shell.wait();
    }
}
