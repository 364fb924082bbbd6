//! The sessions of a Flask application: Flask's own, which are signed cookies, and Flask-Session's in Redis.
//!
//! Of a session, what Flask-Login wrote there counts: `_user_id`, and `_id` for whom it began. Nothing is unpickled, signatures are
//! compared in constant time and before what they are of is read, and what is read is bounded in size and depth.
//!
//! Sources: `itsdangerous` 2.2 (`signer.py`, `timed.py`, `url_safe.py`), `flask` 3.1 (`sessions.py`), `flask_session` 0.8
//! (`base.py`), `flask_login` 0.6 (`utils.py`).

mod cookie;
mod identifier;
mod session;
mod signer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hmac::digest::InvalidLength;
use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::ports::StoreError;
use markt_domain::ports::foreign_sessions::{ForeignCookie, ForeignRecords, ForeignSession, ForeignSessions};

use cookie::Cookie;
use session::Contents;
use signer::Keys;

/// Nothing can be signed with the application's key.
#[derive(Debug, thiserror::Error)]
#[error("nothing can be signed with adopt.flask_secret_key")]
pub struct UselessKey(#[source] InvalidLength);

/// The sessions of one application.
pub struct FlaskSessions {
    keys: Keys,
    lifetime: Duration,
    /// Flask-Session's store, if there is one.
    records: Option<Arc<dyn ForeignRecords>>,
}

impl FlaskSessions {
    /// The sessions of the application with this `SECRET_KEY` and `PERMANENT_SESSION_LIFETIME`, whose Flask-Session keeps them
    /// there, if it has one.
    ///
    /// # Errors
    /// If nothing can be signed with that key.
    pub fn new(
        secret_key: &str,
        lifetime: Duration,
        records: Option<Arc<dyn ForeignRecords>>,
    ) -> Result<Self, UselessKey> {
        Ok(Self { keys: Keys::derive(secret_key.as_bytes()).map_err(UselessKey)?, lifetime, records })
    }

    fn of_cookie(
        &self,
        contents: Contents,
        client: &Client,
        last_used_at: Timestamp,
        expires_at: Timestamp,
    ) -> Option<ForeignSession> {
        let is_of_this_client = contents.is_of(client);
        Some(ForeignSession {
            user_id: contents.user_id?,
            role: contents.role,
            remember: contents.is_permanent,
            last_used_at,
            expires_at,
            is_of_this_client,
        })
    }
}

#[async_trait]
impl ForeignSessions for FlaskSessions {
    fn recognize(&self, value: &str) -> Option<ForeignCookie> {
        let identity = Cookie::identify(value, &self.keys)?;
        Some(ForeignCookie::new(identity, self.keys.successor(identity)))
    }

    async fn find(
        &self,
        cookie: &ForeignCookie,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<ForeignSession>, StoreError> {
        match (Cookie::of_identity(cookie.identity()), &self.records) {
            (Cookie::Signed { payload, signed_at }, _) => {
                let Some(contents) = Contents::of_payload(payload) else { return Ok(None) };
                // A clock that was ahead makes no session live longer.
                let signed_at = signed_at.min(now);
                Ok(self.of_cookie(contents, client, signed_at, signed_at.plus(self.lifetime)))
            }
            (Cookie::Id(id), Some(records)) => {
                let Some(record) = records.get(id).await? else { return Ok(None) };
                // Without an end, its age can't be told. Flask-Session gives every one an end.
                let Some(time_to_live) = record.time_to_live else { return Ok(None) };
                let Some(contents) = Contents::of_record(&record.bytes) else { return Ok(None) };
                let expires_at = now.plus(time_to_live);
                // It is given its whole lifetime each time that it is written.
                let last_used_at = expires_at.minus(self.lifetime).min(now);
                Ok(self.of_cookie(contents, client, last_used_at, expires_at))
            }
            (Cookie::Id(_), None) => Ok(None),
        }
    }

    async fn end_after(&self, cookie: &ForeignCookie, grace: Duration) -> Result<(), StoreError> {
        match (Cookie::of_identity(cookie.identity()), &self.records) {
            (Cookie::Id(id), Some(records)) => records.expire(id, grace).await,
            _ => Ok(()),
        }
    }

    async fn delete(&self, cookie: &ForeignCookie) -> Result<bool, StoreError> {
        match (Cookie::of_identity(cookie.identity()), &self.records) {
            (Cookie::Id(id), Some(records)) => records.delete(id).await,
            (Cookie::Id(_), None) => Ok(false),
            // It is kept nowhere but in the cookie, which may have been copied.
            (Cookie::Signed { .. }, _) => Ok(true),
        }
    }

    fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

#[cfg(test)]
mod tests;
