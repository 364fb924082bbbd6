//! Times as the tables have them: in the Markt tables, `TIMESTAMP WITHOUT TIME ZONE` in UTC; in this service's own,
//! milliseconds since the Unix epoch.

use std::time::Duration;

use ::time::{OffsetDateTime, PrimitiveDateTime};
use markt_domain::Timestamp;

/// For a column of the Markt tables.
pub(crate) fn to_column(time: Timestamp) -> PrimitiveDateTime {
    let utc = OffsetDateTime::from(time);
    PrimitiveDateTime::new(utc.date(), utc.time())
}

/// From a column of the Markt tables. What is finer than a millisecond is dropped.
pub(crate) fn from_column(time: PrimitiveDateTime) -> Timestamp {
    Timestamp::from(time.assume_utc())
}

/// So long before this time, for a column of this service's own tables.
pub(crate) fn milliseconds_before(time: Timestamp, duration: Duration) -> i64 {
    let duration = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    time.unix_milliseconds().saturating_sub(duration)
}
