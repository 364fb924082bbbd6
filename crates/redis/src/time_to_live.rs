//! How long things have to live.

use std::time::Duration;

use markt_domain::Timestamp;

/// The longest time to live that is given: a century, within what Redis can add to the time.
pub(crate) const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long something has to live that ends then, in milliseconds; 0 if it has ended.
///
/// A duration, not the end itself: an end would be held against Redis' clock, and one that is ahead of ours would
/// forget sessions early by that much.
pub(crate) fn time_to_live(end: Timestamp, now: Timestamp) -> i64 {
    milliseconds(end.since(now))
}

/// A duration in milliseconds, as far as it can be a time to live.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.min(LONGEST_TTL).as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_live_is_what_is_left_to_the_millisecond() {
        let at = Timestamp::from_unix_milliseconds;
        assert_eq!(time_to_live(at(1_500), at(1_000)), 500);
        assert_eq!(time_to_live(at(1_000), at(1_000)), 0);
        assert_eq!(time_to_live(at(0), at(1_000)), 0);
        assert_eq!(time_to_live(at(i64::MAX), at(i64::MIN)), 100 * 365 * 24 * 3_600_000);
    }
}
