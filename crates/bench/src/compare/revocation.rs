//! How long somebody is still let in after the end: logged out, or deactivated by an operator.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::mode::{ACCESS_TTL, Mode};
use super::node::Stores;
use crate::cli::Error;
use crate::http::{Connection, Credential};
use crate::population::Member;
use crate::reference::PROFILE;
use crate::service::{LOGOUT, Server, Variable, log_in};

/// How long the other process is asked without a pause after the end, and how often from then on.
const WITHOUT_PAUSE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(50);

/// How often the caller must have been let in before: twice, so that it is answered from memory where it can be.
const ACCEPTED_BEFORE: u32 = 2;

/// How often the caller must be refused after the first time.
const REFUSED_AFTER: u32 = 3;

/// How much longer than a token's life somebody may be let in until that is given up on.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ended it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    LoggedOut,
    Deactivated,
}

impl End {
    pub(super) const ALL: [Self; 2] = [Self::LoggedOut, Self::Deactivated];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged out",
            Self::Deactivated => "deactivated",
        }
    }
}

/// What came of one.
pub(super) struct Trial {
    pub(super) mode: Mode,
    pub(super) end: End,
    /// From the moment at which the end was acknowledged until the last answer to a request that began after it and was
    /// served; 0 if there was none.
    pub(super) let_in: Duration,
    /// The requests that began after the end was acknowledged, and were served.
    pub(super) served: u64,
}

/// How long somebody may be let in by tokens that nothing ends.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// `jwt.access_ttl`: who has logged out is refused when the token expires.
    pub(super) token_life: Duration,
    /// `session.user_cache_ttl`: who was deactivated is refused when the user is read again.
    pub(super) user_copy_life: Duration,
}

impl Bounds {
    /// What sets a mode up with these.
    fn variables(self, mode: Mode) -> Vec<Variable> {
        let seconds = |duration: Duration| format!("{}s", duration.as_secs());
        let mut variables = mode.variables();
        if mode.outlives_revocation() {
            variables.retain(|(name, _)| *name != ACCESS_TTL);
            variables.push((ACCESS_TTL, seconds(self.token_life)));
            variables.push(("MARKT_SESSION__USER_CACHE_TTL", seconds(self.user_copy_life)));
        }
        variables
    }
}

/// Two processes of a mode: what ends on one must be refused by the other.
pub(super) struct Pair {
    stores: Arc<Stores>,
    bounds: Bounds,
    one: Server,
    other: Server,
    next_user: u32,
}

impl Pair {
    /// Starts both, on empty stores.
    pub(super) async fn start(stores: Arc<Stores>, bounds: Bounds) -> Result<Self, Error> {
        let more = bounds.variables(stores.mode);
        let one = stores.serve("one of two", &more).await?;
        stores.populate(&one).await?;
        let other = stores.serve("the other of two", &more).await?;
        Ok(Self { stores, bounds, one, other, next_user: 0 })
    }

    /// Lets a user be ended on the one, who goes on to ask the other in a task of its own.
    pub(super) async fn begin(&mut self, end: End, trials: &mut JoinSet<Result<Trial, Error>>) -> Result<(), Error> {
        let email = Member(self.next_user).email();
        self.next_user += 1;
        let mut one = self.one.connect().await?;
        let credential = log_in(&mut one, &email).await?;
        let (served, mut times_served) = watch::channel(0);
        let ended = Arc::new(OnceLock::new());
        let connection = self.other.connect().await?;
        let knocking = Knocking { connection, credential: credential.clone(), served, ended: Arc::clone(&ended) };
        trials.spawn(knocking.trial(self.stores.mode, end, self.bounds.token_life + PATIENCE));
        // An error means that the knocking has ended, and will say why.
        let _ = times_served.wait_for(|&times| times >= ACCEPTED_BEFORE).await;
        match end {
            End::LoggedOut => {
                one.post(LOGOUT, Some(&credential), &Value::Null).await?.expect(StatusCode::NO_CONTENT)?;
            }
            End::Deactivated => {
                self.stores.deactivate(&email, &self.bounds.variables(self.stores.mode)).await?;
            }
        }
        // Nobody else sets it.
        let _ = ended.set(Instant::now());
        Ok(())
    }
}

/// Somebody who asks, and asks again, until it is refused.
struct Knocking {
    connection: Connection,
    credential: Credential,
    /// How often it was served.
    served: watch::Sender<u32>,
    /// When the end was acknowledged, once it has been.
    ended: Arc<OnceLock<Instant>>,
}

impl Knocking {
    async fn trial(self, mode: Mode, end: End, patience: Duration) -> Result<Trial, Error> {
        let refused =
            timeout(patience, self.until_refused()).await.map_err(|_| format!("is let in after {patience:?}"));
        let failed = |why: Error| Error::from(format!("{}, {}: {why}", mode.title(), end.title()));
        let (let_in, served) = refused.map_err(|why| failed(why.into()))?.map_err(failed)?;
        Ok(Trial { mode, end, let_in, served })
    }

    /// How long it was served after the end, and how often.
    async fn until_refused(mut self) -> Result<(Duration, u64), Error> {
        let (mut let_in, mut served) = (Duration::ZERO, 0);
        loop {
            let since_end = self.ended.get().map(Instant::elapsed);
            if since_end.is_some_and(|since| since > WITHOUT_PAUSE) {
                sleep(PAUSE).await;
            }
            let answer = self.connection.get(PROFILE, &self.credential).await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                break;
            }
            answer.expect(StatusCode::OK)?;
            self.served.send_modify(|times| *times += 1);
            if let (Some(_), Some(ended)) = (since_end, self.ended.get()) {
                let_in = ended.elapsed();
                served += 1;
            }
        }
        for _ in 0..REFUSED_AFTER {
            self.connection.get(PROFILE, &self.credential).await?.expect(StatusCode::UNAUTHORIZED)?;
        }
        Ok((let_in, served))
    }
}
