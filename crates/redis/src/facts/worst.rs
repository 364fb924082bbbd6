//! What is to be said of several servers: of each thing, what is worst.

use super::RedisFacts;

/// What is worst of both.
pub(super) fn of(one: RedisFacts, other: RedisFacts) -> RedisFacts {
    let (max_memory, used_memory) = fuller(&one, &other);
    RedisFacts {
        version: older(one.version, other.version),
        speaks_resp3: one.speaks_resp3 && other.speaks_resp3,
        tracking_refused: one.tracking_refused.or(other.tracking_refused),
        is_replica: any(one.is_replica, other.is_replica),
        max_memory,
        used_memory,
        eviction_policy: unless("noeviction", one.eviction_policy, other.eviction_policy),
        evicted_keys: one.evicted_keys.zip(other.evicted_keys).map(|(one, other)| one + other),
        appends: all(one.appends, other.appends),
        append_sync: if one.append_sync.as_deref() == Some("no") { one.append_sync } else { other.append_sync },
        snapshots: all(one.snapshots, other.snapshots),
        writing_failed: one.writing_failed || other.writing_failed,
        clock_ahead: one.clock_ahead.into_iter().chain(other.clock_ahead).max_by_key(|ahead| ahead.abs()),
        forbidden_commands: both(one.forbidden_commands, other.forbidden_commands),
        forbidden_prefixes: both(one.forbidden_prefixes, other.forbidden_prefixes),
        other_databases: one.other_databases.into_iter().chain(other.other_databases).collect(),
        looked_into: (one.looked_into.0 + other.looked_into.0, one.looked_into.1 + other.looked_into.1),
    }
}

/// The memory of the one that has no bound, or has used more of its own.
fn fuller(one: &RedisFacts, other: &RedisFacts) -> (Option<u64>, Option<u64>) {
    let thousandths = |facts: &RedisFacts| match (facts.max_memory, facts.used_memory) {
        (Some(0), _) => u64::MAX,
        (Some(max), Some(used)) => used.saturating_mul(1000) / max,
        _ => 0,
    };
    let fuller = if thousandths(one) >= thousandths(other) { one } else { other };
    (fuller.max_memory, fuller.used_memory)
}

fn older(one: Option<String>, other: Option<String>) -> Option<String> {
    let numbers = |version: &String| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    one.into_iter().chain(other).min_by_key(numbers)
}

fn any(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    one.zip(other).map(|(one, other)| one || other)
}

fn all(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    one.zip(other).map(|(one, other)| one && other)
}

/// The one that isn't as it should be.
fn unless(good: &str, one: Option<String>, other: Option<String>) -> Option<String> {
    if one.as_deref() == Some(good) { other } else { one }
}

fn both(mut one: Vec<String>, other: Vec<String>) -> Vec<String> {
    for item in other {
        if !one.contains(&item) {
            one.push(item);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_two_servers_counts() {
        let text = |text: &str| Some(text.to_owned());
        let good = RedisFacts {
            version: text("7.2.4"),
            speaks_resp3: true,
            is_replica: Some(false),
            max_memory: Some(100),
            used_memory: Some(10),
            eviction_policy: text("noeviction"),
            evicted_keys: Some(0),
            appends: Some(true),
            append_sync: text("everysec"),
            snapshots: Some(true),
            clock_ahead: Some(-3),
            forbidden_commands: vec!["GET".to_owned()],
            looked_into: (3, 0),
            ..RedisFacts::default()
        };
        let bad = RedisFacts {
            version: text("7.0.15"),
            used_memory: Some(95),
            eviction_policy: text("allkeys-lru"),
            evicted_keys: Some(7),
            appends: Some(false),
            append_sync: text("no"),
            clock_ahead: Some(-900),
            forbidden_commands: vec!["GET".to_owned(), "SET".to_owned()],
            looked_into: (2, 1),
            ..good.clone()
        };
        for facts in [of(good.clone(), bad.clone()), of(bad.clone(), good.clone())] {
            assert_eq!(facts, RedisFacts { looked_into: (5, 1), ..bad.clone() });
        }
        let boundless = RedisFacts { max_memory: Some(0), ..good.clone() };
        assert_eq!(of(bad, boundless).max_memory, Some(0));
    }
}
