//! Whether sessions of the system before are taken over, and which.

use std::sync::Arc;

use markt_domain::ports::foreign_sessions::{ForeignRecords, ForeignSessions};
use markt_flask::FlaskSessions;
use markt_redis::RedisStores;

use super::WiringError;
use crate::config::{self, Config};

/// The sessions of the system before, if they are to be taken over.
pub(super) fn sessions(
    config: &Config,
    redis: Option<&RedisStores>,
) -> Result<Option<Arc<dyn ForeignSessions>>, WiringError> {
    let config::Adopt { flask_session: true, flask_secret_key: Some(key), flask_lifetime, .. } = &config.adopt else {
        return Ok(None);
    };
    let lifetime = flask_lifetime.unwrap_or(config.session.idle_timeout);
    let records = redis.map(|redis| Arc::new(redis.foreign_records()) as Arc<dyn ForeignRecords>);
    Ok(Some(Arc::new(FlaskSessions::new(key.expose(), lifetime, records)?)))
}
