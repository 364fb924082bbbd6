//! A mail server that keeps what it is sent, and fails as it is told.
//!
//! It speaks SMTP by the library mailin, on threads of its own.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mailin::response::{AUTH_OK, OK};
use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder};
use tokio::sync::watch;

/// How long a test waits for something to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A mail as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Header and body, with lines that end in CR LF.
    pub text: String,
}

/// What the server does with a mail.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Takes it.
    Accept,
    /// Refuses the recipient with this code and text: 4xx for now, 5xx for good.
    Refuse(u16, String),
    /// Hangs up while the text is being sent.
    HangUp,
    /// Takes the text, and never says so.
    FallSilent,
}

/// What has happened at the server.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The mails that were taken.
    pub messages: Vec<Message>,
    /// How many mails were begun, whatever became of them.
    pub attempts: usize,
    /// How many commands were replied to.
    pub replies: usize,
    /// How many connections were made.
    pub connections: usize,
    /// How many of them were ended by the client's `QUIT`.
    pub goodbyes: usize,
}

/// A mail server on this machine, without TLS. It is gone when it is dropped.
pub struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    record: watch::Sender<Record>,
    answers: Mutex<VecDeque<Answer>>,
    credentials: Option<(String, String)>,
    /// None once the server is gone.
    open: Mutex<Option<Vec<TcpStream>>>,
}

impl SmtpServer {
    /// Starts a server that takes everything.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(0, None)
    }

    /// Starts a server that takes mail only from who knows this name and password.
    #[must_use]
    pub fn start_with_credentials(username: &str, password: &str) -> Self {
        Self::start_at(0, Some((username.to_owned(), password.to_owned())))
    }

    /// Starts a server on this port: one that [`free_port`] gave.
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        Self::start_at(port, None)
    }

    fn start_at(port: u16, credentials: Option<(String, String)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let shared = Arc::new(Shared {
            record: watch::Sender::default(),
            answers: Mutex::default(),
            credentials,
            open: Mutex::new(Some(Vec::new())),
        });
        let server = Self { address: listener.local_addr().unwrap(), shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let Some(open) = &mut *shared.open.lock().unwrap() else { return };
                open.push(connection.try_clone().unwrap());
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(&connection));
            }
        });
        server
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The server's URL, for who needs no password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Says what becomes of the next mails, one after another. Those after them are taken.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    /// What has happened until now.
    #[must_use]
    pub fn record(&self) -> Record {
        self.shared.record.borrow().clone()
    }

    /// The mails that were taken until now.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.record().messages
    }

    /// Closes the connections that are open.
    pub fn hang_up(&self) {
        shut_down(self.shared.open.lock().unwrap().iter_mut().flat_map(std::mem::take));
    }

    /// Waits until this is so.
    pub async fn wait_until(&self, mut is_so: impl FnMut(&Record) -> bool) -> Record {
        let mut records = self.shared.record.subscribe();
        let record = tokio::time::timeout(PATIENCE, records.wait_for(|record| is_so(record))).await;
        record.unwrap_or_else(|_| panic!("it is not so: {:?}", self.record())).unwrap().clone()
    }

    /// Waits until this many mails were taken.
    pub async fn wait_for_messages(&self, count: usize) -> Vec<Message> {
        self.wait_until(|record| record.messages.len() >= count).await.messages
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let open = self.shared.open.lock().unwrap().take();
        shut_down(open.into_iter().flatten());
        // Wakes the listener, which then finds that the server is gone.
        let _ = TcpStream::connect(self.address);
    }
}

fn shut_down(connections: impl IntoIterator<Item = TcpStream>) {
    for connection in connections {
        // Most have been closed by the client.
        let _ = connection.shutdown(Shutdown::Both);
    }
}

/// A port that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Shared {
    fn count(&self, count: impl FnOnce(&mut Record)) {
        self.record.send_modify(count);
    }

    fn serve(self: &Arc<Self>, connection: &TcpStream) {
        self.count(|record| record.connections += 1);
        // What goes wrong with a connection is the client's to see.
        let _ = self.converse(connection);
        let _ = connection.shutdown(Shutdown::Both);
    }

    fn converse(self: &Arc<Self>, mut connection: &TcpStream) -> io::Result<()> {
        // Replies are small, and written in pieces.
        connection.set_nodelay(true)?;
        let mut builder = SessionBuilder::new("mail.example.com");
        if self.credentials.is_some() {
            builder.enable_auth(AuthMechanism::Plain).insecure_enable_plaintext_auth();
        }
        let failing = Rc::new(Cell::new(None));
        let clerk = Clerk {
            shared: Arc::clone(self),
            answer: Answer::Accept,
            failing: Rc::clone(&failing),
            message: Message::empty(),
        };
        let mut session = builder.build(Ipv4Addr::LOCALHOST.into(), clerk);
        session.greeting().write_to(&mut connection)?;
        let mut lines = BufReader::new(connection);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let response = session.process(&line);
            if line.eq_ignore_ascii_case(b"QUIT\r\n") {
                self.count(|record| record.goodbyes += 1);
            }
            line.clear();
            match failing.take() {
                Some(Failure::HangsUp) => return Ok(()),
                Some(Failure::IsSilent) => return io::copy(&mut lines, &mut io::sink()).map(|_| ()),
                None if response.action == Action::NoReply => {}
                None => {
                    response.write_to(&mut connection)?;
                    self.count(|record| record.replies += 1);
                }
            }
            if response.action == Action::Close {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Message {
    const fn empty() -> Self {
        Self { from: String::new(), to: Vec::new(), text: String::new() }
    }
}

/// What a connection does instead of replying.
enum Failure {
    HangsUp,
    IsSilent,
}

/// Decides what one connection replies.
struct Clerk {
    shared: Arc<Shared>,
    /// What becomes of the mail that is being sent.
    answer: Answer,
    failing: Rc<Cell<Option<Failure>>>,
    message: Message,
}

impl Handler for Clerk {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.answer = self.shared.answers.lock().unwrap().pop_front().unwrap_or(Answer::Accept);
        self.message = Message { from: from.to_owned(), ..Message::empty() };
        self.shared.count(|record| record.attempts += 1);
        OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if let Answer::Refuse(code, text) = &self.answer {
            return Response::custom(*code, text.clone());
        }
        self.message.to.push(to.to_owned());
        OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        if matches!(self.answer, Answer::HangUp) {
            self.failing.set(Some(Failure::HangsUp));
        }
        self.message.text.push_str(&String::from_utf8_lossy(line));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if matches!(self.answer, Answer::FallSilent) {
            self.failing.set(Some(Failure::IsSilent));
        } else {
            let message = std::mem::replace(&mut self.message, Message::empty());
            self.shared.count(|record| record.messages.push(message));
        }
        OK
    }

    /// As some servers do, it says what was wrong with the credentials.
    fn auth_plain(&mut self, _: &str, username: &str, password: &str) -> Response {
        match &self.shared.credentials {
            Some((known, right)) if username == known && password == right => AUTH_OK,
            _ => Response::custom(535, format!("5.7.8 {username} has no password {password}")),
        }
    }
}
