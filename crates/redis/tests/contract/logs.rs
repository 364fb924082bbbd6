//! What the client library logs, at whatever level, holds nothing of what goes to Redis and back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use markt_domain::code::{CODE_LIFETIME, CodePurpose};
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::code_store::{CodeStore as _, StoredCode};
use markt_domain::ports::session_store::{Revision, SessionStore as _};
use markt_domain::session::{Ending, Session};
use markt_domain::user::{UserState, UserVersion};
use markt_test_support::fixtures;

use crate::{MANY, create, stores};
use markt_test_support::stores::OwnRedis;

/// The server's password, and a word that is put into everything that is kept.
const SECRET: &str = "hunter2-in-a-log";

/// Counts what is logged, and keeps what shouldn't have been.
struct Spy {
    lines: AtomicUsize,
    secrets: Mutex<Vec<String>>,
}

impl Log for Spy {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        let line = record.args().to_string();
        if line.contains(SECRET) {
            self.secrets.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

static SPY: Spy = Spy { lines: AtomicUsize::new(0), secrets: Mutex::new(Vec::new()) };

#[tokio::test]
async fn neither_passwords_nor_sessions_nor_codes_are_logged() {
    log::set_logger(&SPY).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut own = OwnRedis::start_with(&["--requirepass", SECRET]).await;
    let stores = stores(&format!("redis://:{SECRET}@127.0.0.1:{}", own.port())).await;
    let mut session = fixtures::session(&fixtures::user_id());
    session.client.user_agent = SECRET.into();
    let code = StoredCode {
        hash: PasswordHash::new(SECRET.to_owned()),
        expires_at: fixtures::now().plus(CODE_LIFETIME),
        tries_left: 1,
    };
    let (sessions, codes, purpose) = (stores.sessions(), stores.codes(), CodePurpose::VerifyEmail);
    sessions.create(&session, UserVersion(1), MANY, &[]).await.unwrap();
    sessions.find(&session.id).await.unwrap();
    let later = session.last_activity.plus(std::time::Duration::from_secs(60));
    sessions.touch(&session.id, later, later.plus(CODE_LIFETIME)).await.unwrap();
    sessions.update(&session, Revision(1)).await.unwrap();
    let successor = Session { id: fixtures::session(&session.user_id).id, ..session.clone() };
    sessions.rotate(&session.id, Revision(2), &successor, later).await.unwrap();
    sessions.list(&session.user_id).await.unwrap();
    sessions.user_changed(&session.user_id, UserVersion(2)).await.unwrap();
    sessions.delete_before_epoch(&session.user_id, UserState::default(), None, Ending::LoggedOut).await.unwrap();
    codes.put(&session.user_id, purpose, &code).await.unwrap();
    codes.take_try(&session.user_id, purpose, fixtures::now()).await.unwrap();
    codes.redeem(&session.user_id, purpose, &code.hash).await.unwrap();
    own.kill();
    let _ = sessions.create(&session, UserVersion(1), MANY, &[]).await;
    let _ = codes.put(&session.user_id, purpose, &code).await;
    own.restart().await;
    while stores.ping().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    create(&stores).await;
    log::set_max_level(LevelFilter::Off);
    assert!(SPY.lines.load(Ordering::Relaxed) > 0, "nothing was logged at all");
    assert_eq!(*SPY.secrets.lock().unwrap(), Vec::<String>::new());
}
