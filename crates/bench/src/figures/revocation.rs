//! Revocation: from a logout on one process until another one refuses.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cli::Error;
use crate::http::{Connection, Credential};
use crate::population::Member;
use crate::reference::PROFILE;
use crate::service::{LOGOUT, Server, log_in};
use crate::statistics::percentile;
use crate::table::{Bar, Figure};

/// Users who log in and out: members whose sessions no other figure uses.
const USERS: std::ops::Range<u32> = 2_000..3_000;

/// How long a session may outlive its logout until it is given up on: much longer than it may.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the other process must have accepted the session before it is ended: twice, so that it is answered from
/// memory where it can be.
const ACCEPTED_BEFORE: u32 = 2;

/// How often it must refuse the session afterwards.
const REFUSED_AFTER: u32 = 3;

/// Milliseconds until the other process had refused the session for the first time.
struct Trial {
    after_sending: f64,
    /// 0 if it refused before the logout was answered.
    after_answer: f64,
}

/// Logs in and out on `one`, and uses the session on `other` all the time, so many times.
pub(crate) async fn on_another_process(
    one: &Server,
    other: &Server,
    trials: usize,
    sessions: &str,
) -> Result<Vec<Figure>, Error> {
    let (mut one_connection, mut other_connection) = (one.connect().await?, other.connect().await?);
    let (mut after_sending, mut after_answer) = (Vec::new(), Vec::new());
    for user in USERS.cycle().take(trials) {
        let trial = try_once(&mut one_connection, other_connection, Member(user));
        let (trial, connection) = trial.await.map_err(|error| other.process.failed(&error.to_string()))?;
        other_connection = connection;
        after_sending.push(trial.after_sending);
        after_answer.push(trial.after_answer);
    }
    let details = |times: &[f64]| {
        let [median, most] = [0.5, 1.0].map(|share| percentile(times, share));
        format!("p50 {median:.3}, max {most:.3}, {trials} trials, {sessions} sessions in Redis")
    };
    Ok(vec![
        Figure {
            name: "revoked on one process until refused on another, from the answer: p99 ms".into(),
            value: percentile(&after_answer, 0.99),
            details: details(&after_answer),
            bar: Some(Bar::AtMost(10.0)),
        },
        Figure {
            name: "the same from sending the logout: p99 ms".into(),
            value: percentile(&after_sending, 0.99),
            details: details(&after_sending),
            bar: None,
        },
    ])
}

async fn try_once(one: &mut Connection, other: Connection, user: Member) -> Result<(Trial, Connection), Error> {
    let cookie = log_in(one, &user.email()).await?;
    let (accepted, mut times_accepted) = watch::channel(0);
    let knocking = tokio::spawn(knock(other, cookie.clone(), accepted));
    // An error means that the knocking has ended, and will say why.
    let _ = times_accepted.wait_for(|&times| times >= ACCEPTED_BEFORE).await;
    let sent = Instant::now();
    one.post(LOGOUT, Some(&cookie), &serde_json::Value::Null).await?.expect(StatusCode::NO_CONTENT)?;
    let answered = Instant::now();
    let refused = timeout(PATIENCE, knocking).await;
    let (refused, other) = refused.map_err(|_| format!("accepts an ended session after {PATIENCE:?}"))???;
    let milliseconds = |since: Instant| refused.saturating_duration_since(since).as_secs_f64() * 1000.0;
    Ok((Trial { after_sending: milliseconds(sent), after_answer: milliseconds(answered) }, other))
}

/// Uses a session until it is refused, and says when that was; then it must stay refused.
async fn knock(
    mut connection: Connection,
    cookie: Credential,
    accepted: watch::Sender<u32>,
) -> Result<(Instant, Connection), Error> {
    while connection.get(PROFILE, &cookie).await?.status == StatusCode::OK {
        accepted.send_modify(|times| *times += 1);
    }
    let refused = Instant::now();
    for _ in 0..REFUSED_AFTER {
        connection.get(PROFILE, &cookie).await?.expect(StatusCode::UNAUTHORIZED)?;
    }
    Ok((refused, connection))
}
