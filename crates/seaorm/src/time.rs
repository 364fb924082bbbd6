//! Times as the Markt tables have them: `TIMESTAMP WITHOUT TIME ZONE`, in UTC.

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
