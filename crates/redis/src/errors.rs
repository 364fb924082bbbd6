//! What Redis' and fred's errors mean to callers.

use fred::error::{Error, ErrorKind};
use markt_domain::ports::StoreError;

use crate::url::{InvalidRedisUrl, RedisUrl};

/// Why there is no connection to Redis.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address can't be used.
    #[error(transparent)]
    Url(#[from] InvalidRedisUrl),
    /// The number of connections is none.
    #[error("there must be at least one connection to Redis")]
    NoConnections,
    /// Redis wants a user or a password, or other ones.
    #[error("Redis at {url} refuses the user or the password")]
    Refused {
        /// The address, without passwords.
        url: String,
        /// What Redis said.
        #[source]
        source: Error,
    },
    /// Nobody answers there, or it isn't a Redis.
    #[error("Redis at {url} can't be reached")]
    Unreachable {
        /// The address, without passwords.
        url: String,
        /// What happened.
        #[source]
        source: Error,
    },
}

impl ConnectError {
    /// Why there is no connection to this Redis.
    pub(crate) fn of(url: &RedisUrl, source: Error) -> Self {
        let url = url.to_string();
        match source.kind() {
            ErrorKind::Auth => Self::Refused { url, source },
            _ => Self::Unreachable { url, source },
        }
    }
}

/// Tells what an error means that came instead of an answer to a command.
///
/// In doubt Redis is unavailable, since that is what may pass: while it loads its data, has become a replica, is out
/// of memory or can't save, it says so with words of its own. Only what comes of the data itself is unreadable: a key
/// of another type, a script that stumbled over a value, an answer of another shape.
pub(crate) fn store_error(operation: &'static str, error: Error) -> StoreError {
    let of_the_data = match error.kind() {
        ErrorKind::InvalidArgument | ErrorKind::Parse | ErrorKind::NotFound => true,
        // Keys of one script that don't belong together never will.
        ErrorKind::Unknown if error.details().starts_with("CROSSSLOT") => true,
        ErrorKind::Unknown => error.details().starts_with("ERR ") && !is_on_the_move(&error),
        _ => false,
    };
    if of_the_data { StoreError::unreadable(operation, error) } else { StoreError::unavailable(operation, error) }
}

/// Whether a script met a key that was just being moved to another server of a cluster.
fn is_on_the_move(error: &Error) -> bool {
    error.details().contains("attempted to access a non local key")
}

/// Whether Redis said it, and not fred for want of an answer. A Redis that answers that it is full or loads its data
/// keeps nobody waiting, and may do one thing when it can't do another.
pub(crate) fn is_answer(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Auth | ErrorKind::Cluster | ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::Parse => {
            true
        }
        // Redis' own begin with a word in capitals: "OOM command not allowed".
        ErrorKind::Unknown => {
            let first = error.details().split_whitespace().next().unwrap_or_default();
            !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_uppercase())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use markt_domain::ports::StoreErrorKind;

    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_what_comes_of_the_data_unreadable() {
        for (kind, details, expected) in [
            (ErrorKind::IO, "Connection closed.", StoreErrorKind::Unavailable),
            (ErrorKind::Timeout, "Request timed out.", StoreErrorKind::Unavailable),
            (ErrorKind::Canceled, "Connection closed unexpectedly.", StoreErrorKind::Unavailable),
            (ErrorKind::Auth, "NOAUTH Authentication required.", StoreErrorKind::Unavailable),
            (ErrorKind::Unknown, "LOADING Redis is loading the dataset", StoreErrorKind::Unavailable),
            (ErrorKind::Unknown, "OOM command not allowed", StoreErrorKind::Unavailable),
            (ErrorKind::Unknown, "READONLY You can't write", StoreErrorKind::Unavailable),
            (ErrorKind::InvalidArgument, "WRONGTYPE Operation", StoreErrorKind::Unreadable),
            (ErrorKind::Parse, "Could not convert to string.", StoreErrorKind::Unreadable),
            (ErrorKind::Unknown, "ERR user_script:3: attempt", StoreErrorKind::Unreadable),
            (ErrorKind::Unknown, "CROSSSLOT Keys in request", StoreErrorKind::Unreadable),
            (ErrorKind::Cluster, "CLUSTERDOWN The cluster is down", StoreErrorKind::Unavailable),
            (ErrorKind::Cluster, "MOVED 3999 127.0.0.1:6381", StoreErrorKind::Unavailable),
            (
                ErrorKind::Unknown,
                "ERR Script attempted to access a non local key in a cluster node",
                StoreErrorKind::Unavailable,
            ),
        ] {
            let error = store_error("find session", Error::new(kind, details));
            assert_eq!(error.kind, expected, "{details}");
        }
    }

    #[test]
    fn what_redis_says_is_an_answer_and_what_fred_says_is_not() {
        for (kind, details, expected) in [
            (ErrorKind::Unknown, "OOM command not allowed when used memory > 'maxmemory'.", true),
            (ErrorKind::Unknown, "LOADING Redis is loading the dataset in memory", true),
            (ErrorKind::Unknown, "ERR user_script:3: attempt", true),
            (ErrorKind::InvalidArgument, "WRONGTYPE Operation", true),
            (ErrorKind::Auth, "NOAUTH Authentication required.", true),
            (ErrorKind::Parse, "Could not convert to string.", true),
            (ErrorKind::Timeout, "Request timed out.", false),
            (ErrorKind::IO, "Connection closed.", false),
            (ErrorKind::Canceled, "Connection closed unexpectedly.", false),
            (ErrorKind::Unknown, "Failed to route command.", false),
            (ErrorKind::Unknown, "", false),
        ] {
            assert_eq!(is_answer(&Error::new(kind, details)), expected, "{details}");
        }
    }
}
