//! The Redis that sessions live in.

use super::database::clock;
use super::facts::{Facts, RedisFacts};
use super::finding::{Finding, Place, Severity};
use crate::config::Config;
use crate::config::values::Environment;

const URL: &str = "redis_url";

/// How full it may be before that is worth a word.
const NEARLY_FULL: f64 = 0.9;

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let Some(url) = &config.redis_url else { return Vec::new() };
    let redis = match &facts.redis {
        None => return Vec::new(),
        Some(Ok(redis)) => redis,
        Some(Err(trouble)) if trouble.is_refused => {
            let what = format!("Redis refuses the user or the password of redis_url = \"{url}\": {}.", trouble.text);
            let why = "The service doesn't start; one that runs answers every login with 503.";
            return vec![Finding::error("redis-login-refused", what, why).set(URL, "redis://user:password@host:6379")];
        }
        Some(Err(trouble)) => {
            let what = format!("Redis can't be reached at redis_url = \"{url}\": {}.", trouble.text);
            let why = "The service doesn't start; one that runs answers every login and every session with 503.";
            return vec![Finding::error("redis-unreachable", what, why).set(URL, "redis://host:6379")];
        }
    };
    let production = config.env == Environment::Production;
    let version = redis.version.as_deref().unwrap_or("of an unknown version");
    let mut findings = vec![Finding::ok("redis", format!("Redis {version} answers at {url}.")).about(&[URL])];
    findings.extend(age(redis));
    findings.push(eviction(redis));
    findings.extend(memory(redis));
    findings.push(persistence(redis, production));
    findings.extend(disk(redis));
    findings.extend(replica(redis));
    findings.extend(tracking(config, redis));
    findings.push(permissions(redis));
    findings.extend(others(redis));
    findings.extend(clock("redis-clock-off", "Redis'", redis.clock_ahead));
    findings
}

fn age(redis: &RedisFacts) -> Option<Finding> {
    let major = redis.version.as_ref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    let is_old = major.is_some_and(|major| major < 6);
    (is_old || !redis.speaks_resp3).then(|| {
        let version = redis.version.as_deref().unwrap_or("unknown");
        Finding::error(
            "redis-old",
            format!("This Redis (version {version}) doesn't speak RESP3, which Redis does from 6.0 on."),
            "The service doesn't start.",
        )
        .set(URL, "redis://host:6379")
        .note("a Redis of version 6.0 or later; 7 or later is better")
    })
}

fn eviction(redis: &RedisFacts) -> Finding {
    let Some(policy) = redis.eviction_policy.as_deref() else {
        let why = "Users are logged out at random if keys are evicted. Make sure that maxmemory-policy is noeviction.";
        return Finding::hint("redis-eviction-unknown", "Redis doesn't tell (INFO) whether it evicts keys.", why);
    };
    if policy == "noeviction" {
        return Finding::ok("redis-eviction", "Redis evicts no keys (maxmemory-policy = noeviction).");
    }
    let is_bounded = redis.max_memory.is_some_and(|bytes| bytes > 0);
    let evicted = redis.evicted_keys.unwrap_or_default();
    let so_far = if evicted > 0 { format!(" It has evicted {evicted} keys since it started.") } else { String::new() };
    let why = if is_bounded {
        "When it is full it deletes sessions to make room. Sessions don't persist: users are logged out at random, and \
         \"log out everywhere\" misses sessions whose index was deleted."
    } else {
        "As long as maxmemory isn't set it does nothing; once it is, users are logged out at random when Redis is full."
    };
    Finding::new(
        if is_bounded { Severity::Error } else { Severity::Warning },
        "redis-evicts",
        format!("Redis deletes keys when it is full (maxmemory-policy = {policy}).{so_far}"),
        why,
    )
    .change_in(Place::Redis, "maxmemory-policy", "noeviction")
}

fn memory(redis: &RedisFacts) -> Option<Finding> {
    let (max, used) = redis.max_memory.zip(redis.used_memory)?;
    if max == 0 {
        let why =
            "It grows until the system ends it or another program for want of memory. A session takes about 1 KiB.";
        return Some(
            Finding::hint("redis-no-maxmemory", "Redis may use all of the machine's memory (maxmemory = 0).", why)
                .change_in(Place::Redis, "maxmemory", "1gb")
                .note("or what else the machine can spare"),
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
    let share = used as f64 / max as f64;
    (share > NEARLY_FULL).then(|| {
        let what = format!("Redis is nearly full: {:.0} % of maxmemory.", share * 100.0);
        let why = "When it is full, with maxmemory-policy = noeviction, logging in is 503.";
        Finding::warning("redis-nearly-full", what, why)
            .change_in(Place::Redis, "maxmemory", "1gb")
            .note("or more than it is now")
    })
}

fn persistence(redis: &RedisFacts, production: bool) -> Finding {
    const RESTART: &str = "Sessions don't persist:";
    let file = |finding: Finding| finding.change_in(Place::Redis, "appendonly", "yes");
    match (redis.appends, redis.snapshots) {
        (Some(true), _) => appending(redis),
        (Some(false), Some(false)) => file(Finding::new(
            Severity::error_in(production),
            "redis-not-persistent",
            "Redis keeps everything in memory only (appendonly no, and no save points).",
            format!("{RESTART} when Redis is restarted, everybody is logged out."),
        )),
        (Some(false), saves) => file(Finding::warning(
            "redis-snapshots-only",
            match saves {
                Some(_) => "Redis writes to the disk now and then only (save points, but appendonly no).",
                None => "Redis keeps no append-only file (appendonly no).",
            },
            format!(
                "{RESTART} when Redis is restarted in disorder, who logged in since the last snapshot, an hour ago \
                 say, has to do so again; and who logged out since is logged in again."
            ),
        )),
        (None, _) => Finding::hint(
            "redis-persistence-unknown",
            "Redis doesn't tell (INFO) whether it writes to the disk.",
            "If it doesn't, a restart logs everybody out. Make sure of appendonly yes.",
        ),
    }
}

fn appending(redis: &RedisFacts) -> Finding {
    match redis.append_sync.as_deref() {
        Some("no") => Finding::warning(
            "redis-appendfsync-no",
            "Redis leaves it to the system when its file is written to the disk (appendfsync no).",
            "When the machine fails, who logged in during the last half minute has to do so again; and who logged out \
             then is logged in again.",
        )
        .change_in(Place::Redis, "appendfsync", "everysec"),
        Some("everysec") => Finding::hint(
            "redis-appendfsync-everysec",
            "Redis writes to the disk each second (appendfsync everysec).",
            "That is what most want. When the machine fails, the last second is lost: a logout in it is undone, until \
             the session ends by itself. `always` closes the gap, and makes each login wait for the disk.",
        )
        .change_in(Place::Redis, "appendfsync", "always")
        .note("if a logout must never be undone"),
        _ => Finding::ok("redis-persistence", "Redis keeps its keys over a restart (appendonly yes)."),
    }
}

fn disk(redis: &RedisFacts) -> Option<Finding> {
    redis.writing_failed.then(|| {
        Finding::error(
            "redis-cannot-write",
            "What Redis wrote last to its disk failed.",
            "Until it succeeds again Redis may refuse writes (MISCONF): logging in is 503. And a restart brings back \
             old sessions, or none. Redis' own log says why; mostly the disk is full.",
        )
        .run("redis-cli INFO persistence")
    })
}

fn replica(redis: &RedisFacts) -> Option<Finding> {
    (redis.is_replica == Some(true)).then(|| {
        Finding::error(
            "redis-replica",
            "This Redis is a replica: it takes no writes.",
            "Nobody can log in or out (503). Sessions that are there are found, and expire since their use can't be \
             written down.",
        )
        .set(URL, "redis://primary:6379")
        .note("or redis-sentinel://…, by which the primary is found")
    })
}

fn tracking(config: &Config, redis: &RedisFacts) -> Option<Finding> {
    const KEY: &str = "session.near_cache.enabled";
    if !config.session.near_cache_enabled {
        return None;
    }
    Some(match &redis.tracking_refused {
        None => Finding::ok("redis-tracking", "Redis tells of changes (CLIENT TRACKING)."),
        Some(said) => Finding::warning(
            "redis-tracking-refused",
            format!("Redis doesn't tell of changes (CLIENT TRACKING): {said}."),
            "No session is answered from memory: each request asks Redis, at about half the speed, and the log warns \
             all the time.",
        )
        .change_in(Place::Redis, "user", "+client|tracking +client|id")
        .note("in the ACL, for the service's user")
        .set(KEY, "false")
        .note("to do without")
        .about(&[KEY]),
    })
}

fn permissions(redis: &RedisFacts) -> Finding {
    let tracking = "CLIENT TRACKING";
    let commands: Vec<_> = redis.forbidden_commands.iter().filter(|command| *command != tracking).collect();
    let prefixes = &redis.forbidden_prefixes;
    if commands.is_empty() && prefixes.is_empty() {
        return Finding::ok(
            "redis-permissions",
            "Redis' user may send all that the service sends, to all of its keys.",
        );
    }
    let names = commands.iter().map(|command| command.as_str()).collect::<Vec<_>>().join(", ");
    let keys = prefixes.iter().map(|prefix| format!("{prefix}*")).collect::<Vec<_>>().join(", ");
    let what = match (names.is_empty(), keys.is_empty()) {
        (false, true) => format!("Redis' user may not send {names}."),
        (true, _) => format!("Redis' user may not use the keys {keys}."),
        _ => format!("Redis' user may not send {names}, nor use the keys {keys}."),
    };
    let granted: Vec<_> = commands
        .iter()
        .map(|command| format!("+{}", command.to_ascii_lowercase().replace(' ', "|")))
        .chain(prefixes.iter().map(|prefix| format!("~{prefix}*")))
        .collect();
    let why = "What needs it is 503: logging in, logging out, or each request.";
    Finding::error("redis-acl", what, why)
        .change_in(Place::Redis, "user", granted.join(" "))
        .note("in the ACL, for the service's user")
}

fn others(redis: &RedisFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (looked_into, foreign) = redis.looked_into;
    if foreign > 0 {
        let what =
            format!("Another application writes keys of the same names: {foreign} of {looked_into} looked into.");
        let why = "Flask-Session's keys begin with session: too. The two get in each other's way, and who empties one \
                   application's keys ends the other's sessions.";
        findings.push(
            Finding::warning("redis-foreign-keys", what, why)
                .set(URL, "redis://host:6379/1")
                .note("a database, or a Redis, of its own"),
        );
    }
    if !redis.other_databases.is_empty() {
        let list: Vec<_> = redis.other_databases.iter().map(|(name, keys)| format!("{name} ({keys} keys)")).collect();
        let what = format!("Others keep keys in this Redis too: {}.", list.join(", "));
        let why = "Its memory, its eviction and FLUSHALL are the same for all of its databases.";
        findings
            .push(Finding::hint("redis-shared", what, why).set(URL, "redis://host:6379").note("a Redis of its own"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::facts::StoreTrouble;
    use super::super::testing::{bad, config, find};
    use super::*;

    fn healthy() -> RedisFacts {
        RedisFacts {
            version: Some("7.0.15".to_owned()),
            speaks_resp3: true,
            is_replica: Some(false),
            max_memory: Some(1 << 30),
            used_memory: Some(1 << 20),
            eviction_policy: Some("noeviction".to_owned()),
            appends: Some(true),
            append_sync: Some("always".to_owned()),
            snapshots: Some(false),
            clock_ahead: Some(3),
            ..RedisFacts::default()
        }
    }

    fn findings(env: &str, redis: Result<RedisFacts, StoreTrouble>) -> Vec<Finding> {
        let config = config(&[("env", env), (URL, "redis://ann:hunter2@cache.test")]);
        check(&config, &Facts { redis: Some(redis), ..Facts::default() })
    }

    #[test]
    fn each_fault_of_a_redis_is_found_and_nothing_else() {
        use Severity::{Error, Hint, Warning};
        type Row<'a> = (&'a str, fn(&mut RedisFacts), &'a [(Severity, &'a str)]);
        let rows: [Row; 19] = [
            ("production", |_| (), &[]),
            ("production", |it| it.version = Some("5.0.3".into()), &[(Error, "redis-old")]),
            ("production", |it| it.speaks_resp3 = false, &[(Error, "redis-old")]),
            ("development", |it| it.eviction_policy = Some("allkeys-lru".into()), &[(Error, "redis-evicts")]),
            (
                "production",
                |it| (it.eviction_policy, it.max_memory) = (Some("volatile-ttl".into()), Some(0)),
                &[(Warning, "redis-evicts"), (Hint, "redis-no-maxmemory")],
            ),
            ("production", |it| it.eviction_policy = None, &[(Hint, "redis-eviction-unknown")]),
            ("production", |it| it.used_memory = Some(1 << 30), &[(Warning, "redis-nearly-full")]),
            ("production", |it| it.appends = Some(false), &[(Error, "redis-not-persistent")]),
            ("development", |it| it.appends = Some(false), &[(Warning, "redis-not-persistent")]),
            (
                "production",
                |it| (it.appends, it.snapshots) = (Some(false), Some(true)),
                &[(Warning, "redis-snapshots-only")],
            ),
            ("production", |it| it.appends = None, &[(Hint, "redis-persistence-unknown")]),
            ("production", |it| it.append_sync = Some("everysec".into()), &[(Hint, "redis-appendfsync-everysec")]),
            ("production", |it| it.append_sync = Some("no".into()), &[(Warning, "redis-appendfsync-no")]),
            ("production", |it| it.writing_failed = true, &[(Error, "redis-cannot-write")]),
            ("production", |it| it.is_replica = Some(true), &[(Error, "redis-replica")]),
            ("production", |it| it.tracking_refused = Some("NOPERM".into()), &[(Warning, "redis-tracking-refused")]),
            ("production", |it| it.looked_into = (9, 2), &[(Warning, "redis-foreign-keys")]),
            ("production", |it| it.other_databases = vec![("db1".into(), 4)], &[(Hint, "redis-shared")]),
            ("production", |it| it.clock_ahead = Some(-1500), &[(Warning, "redis-clock-off")]),
        ];
        for (env, change, expected) in rows {
            let mut redis = healthy();
            change(&mut redis);
            assert_eq!(bad(&findings(env, Ok(redis.clone()))), expected, "{env} {redis:?}");
        }
    }

    #[test]
    fn what_the_acl_forbids_is_told_with_the_rule_that_grants_it() {
        let redis = RedisFacts {
            forbidden_commands: vec!["EVAL".into(), "CLIENT ID".into(), "CLIENT TRACKING".into()],
            forbidden_prefixes: vec!["limit:".into()],
            ..healthy()
        };
        let findings = findings("production", Ok(redis));
        let finding = find(&findings, "redis-acl");
        assert_eq!(finding.what, "Redis' user may not send EVAL, CLIENT ID, nor use the keys limit:*.");
        assert_eq!(finding.change[0].value, "+eval +client|id ~limit:*");
    }

    #[test]
    fn a_redis_that_is_not_to_be_had_is_told_without_its_password() {
        for (is_refused, id) in [(true, "redis-login-refused"), (false, "redis-unreachable")] {
            let findings = findings("production", Err(StoreTrouble { is_refused, text: "so it says".into() }));
            assert_eq!(bad(&findings), [(Severity::Error, id)]);
            assert!(!format!("{findings:?}").contains("hunter2"));
        }
    }
}
