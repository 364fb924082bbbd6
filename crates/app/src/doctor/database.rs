//! The database that users live in, and clocks.

use super::facts::{ConnectionFacts, DatabaseFacts, Facts, StoreTrouble};
use super::finding::{Finding, Place, Severity};
use crate::config::Config;
use crate::config::values::Environment;

const URL: &str = "database_url";

/// How far a clock may be off, in milliseconds.
const CLOSE_ENOUGH: i64 = 1000;

/// How far it may be off before tokens are refused, in milliseconds.
const LEEWAY: i64 = 30_000;

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let production = config.env == Environment::Production;
    let mut findings = Vec::new();
    findings.extend(embedded(config, production));
    let database = match &facts.database {
        None => return findings,
        Some(Ok(database)) => database,
        Some(Err(trouble)) => {
            findings.push(no_database(config, trouble));
            return findings;
        }
    };
    if let Some(file) = &database.absent {
        findings.push(no_file(&file.display().to_string(), facts, production));
        return findings;
    }
    let what = format!(
        "The database {} answers: version {}.",
        config.database_url,
        database.version.as_deref().unwrap_or("unknown")
    );
    findings.push(Finding::ok("database", what).about(&[URL]));
    findings.push(schema(database, production));
    findings.extend(writes(database));
    findings.extend(database.connections.map(connections));
    findings.extend(waits(config, database));
    findings.extend(clock("database-clock-off", "PostgreSQL's", database.clock_ahead));
    findings
}

fn embedded(config: &Config, production: bool) -> Option<Finding> {
    // Without `allow_embedded` that stops the start, and is told so.
    (production && config.allow_embedded && config.database_url.scheme() == "sqlite").then(|| {
        Finding::warning(
            "sqlite-in-production",
            "Users are kept in SQLite, in production.",
            "One process can serve, and no other: there is no upgrade without an interruption, and nobody takes over \
             when the machine fails.",
        )
        .set(URL, "postgres://user:password@host/database")
    })
}

fn no_database(config: &Config, StoreTrouble { is_refused, text }: &StoreTrouble) -> Finding {
    let (id, what) = match is_refused {
        true => ("database-login-refused", "The database refuses the user or the password"),
        false => ("database-unreachable", "The database can't be used"),
    };
    let what = format!("{what}: database_url = \"{}\": {text}.", config.database_url);
    let why = "The service doesn't start; one that runs answers with 503.";
    Finding::error(id, what, why).set(URL, "postgres://user:password@host:5432/database")
}

fn no_file(file: &str, facts: &Facts, production: bool) -> Finding {
    match &facts.database_folder {
        Some(Err(error)) => {
            let what = format!("The database's file {file} isn't there, and can't be made: {error}.");
            let why = "The service doesn't start.";
            Finding::error("database-folder-not-writable", what, why).set(URL, "sqlite:///a/folder/markt.db?mode=rwc")
        }
        _ => {
            let what = format!("The database's file {file} isn't there yet.");
            if production {
                let why = "The service doesn't start in production before the schema is there.";
                return Finding::error("database-schema-behind", what, why).run("markt-auth migrate");
            }
            Finding::hint("database-absent", what, "`markt-auth serve` makes it.").about(&[URL])
        }
    }
}

fn schema(database: &DatabaseFacts, production: bool) -> Finding {
    if let Some(error) = &database.schema_unreadable {
        let what = format!("It can't be told whether the schema is up to date: {error}.");
        let why = "The service doesn't start. Its role has to be able to read auth_migrations.";
        return Finding::error("database-schema-unreadable", what, why)
            .set(URL, "postgres://user:password@host/database")
            .note("with a role that may read and write");
    }
    if database.pending.is_empty() {
        return Finding::ok("database-schema", "The database's schema is up to date.");
    }
    let what = format!("The database's schema is behind by {}.", database.pending.join(", "));
    if production {
        let why = "The service doesn't start in production before that is done.";
        return Finding::error("database-schema-behind", what, why).run("markt-auth migrate");
    }
    let why = "`markt-auth serve` brings it up to date when it starts, in development.";
    Finding::hint("database-schema-behind", what, why).run("markt-auth migrate")
}

fn writes(database: &DatabaseFacts) -> Option<Finding> {
    database.writes_refused.as_ref().map(|said| {
        let what = format!("The database takes no writes: {said}.");
        let why = "Nobody can register or log in (503).";
        Finding::error("database-read-only", what, why)
            .set(URL, "postgres://user:password@primary/database")
            .note("with a role that may write; for SQLite, a file that the service may write")
    })
}

fn connections(facts: ConnectionFacts) -> Finding {
    let ConnectionFacts { allowed, taken, pool } = facts;
    // What is taken may be ours; the service that runs is one of those that fit.
    let processes = allowed / pool;
    let what = format!("PostgreSQL allows {allowed} connections ({taken} are taken); a process takes up to {pool}.");
    if allowed < pool {
        let why = "Under load, the process gets fewer than it asks for: requests wait, and are 503.";
        return Finding::error("database-connections-few", what, why).change_in(
            Place::Postgres,
            "max_connections",
            (pool * 4).to_string(),
        );
    }
    if processes < 2 {
        let why = "A second process, as in each rolling upgrade, would not get its share: requests wait, and are 503.";
        return Finding::warning("database-connections-few", what, why).change_in(
            Place::Postgres,
            "max_connections",
            (pool * 4).to_string(),
        );
    }
    Finding::ok(
        "database-connections",
        format!("{what} That is enough for {processes} processes, if nobody else takes any."),
    )
}

fn waits(config: &Config, database: &DatabaseFacts) -> Option<Finding> {
    (database.waits_for_disk == Some(false)).then(|| {
        let with_sessions = if config.redis_url.is_none() { " or a logout" } else { "" };
        let why =
            format!("When its machine fails, the last moment is lost: a password change{with_sessions} is undone.");
        Finding::warning(
            "database-not-durable",
            "PostgreSQL doesn't wait for its disk (synchronous_commit = off).",
            why,
        )
        .change_in(Place::Postgres, "synchronous_commit", "on")
    })
}

/// How far a store's clock is off, if that is known.
pub fn clock(id: &'static str, whose: &str, ahead: Option<i64>) -> Option<Finding> {
    let ahead = ahead?;
    let off = ahead.abs();
    #[expect(clippy::cast_precision_loss, reason = "seconds to a tenth")]
    let seconds = off as f64 / 1000.0;
    if off <= CLOSE_ENOUGH {
        return Some(Finding::ok(id, format!("{whose} clock agrees with this machine's.")));
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let severity = if off > LEEWAY { Severity::Error } else { Severity::Warning };
    let what = format!("{whose} clock is {seconds:.1} s {direction} this machine's.");
    let why = "One of the two is wrong. Sessions and codes expire too quickly or too late by as much, on a node whose \
               clock differs from the others'; tokens are refused from half a minute on.";
    Some(
        Finding::new(severity, id, what, why)
            .run("timedatectl set-ntp true")
            .note("on the machine whose clock is wrong"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    fn postgres() -> DatabaseFacts {
        DatabaseFacts {
            version: Some("15.14".into()),
            clock_ahead: Some(-2),
            connections: Some(ConnectionFacts { allowed: 97, taken: 5, pool: 16 }),
            waits_for_disk: Some(true),
            ..DatabaseFacts::default()
        }
    }

    fn found(env: &str, database: Result<DatabaseFacts, StoreTrouble>) -> Vec<(Severity, &'static str)> {
        let config = config(&[("env", env), (URL, "postgres://ann:hunter2@db.test/markt")]);
        let findings = check(&config, &Facts { database: Some(database), ..Facts::default() });
        assert!(!format!("{findings:?}").contains("hunter2"));
        bad(&findings)
    }

    #[test]
    fn each_fault_of_a_database_is_found_and_nothing_else() {
        use Severity::{Error, Hint, Warning};
        type Row<'a> = (&'a str, fn(&mut DatabaseFacts), &'a [(Severity, &'a str)]);
        let rows: [Row; 10] = [
            ("production", |_| (), &[]),
            ("production", |it| it.pending = vec!["m1".into()], &[(Error, "database-schema-behind")]),
            ("development", |it| it.pending = vec!["m1".into()], &[(Hint, "database-schema-behind")]),
            (
                "production",
                |it| it.schema_unreadable = Some("permission denied".into()),
                &[(Error, "database-schema-unreadable")],
            ),
            ("production", |it| it.writes_refused = Some("a standby".into()), &[(Error, "database-read-only")]),
            (
                "production",
                |it| it.connections = Some(ConnectionFacts { allowed: 10, taken: 1, pool: 16 }),
                &[(Error, "database-connections-few")],
            ),
            (
                "production",
                |it| it.connections = Some(ConnectionFacts { allowed: 31, taken: 1, pool: 16 }),
                &[(Warning, "database-connections-few")],
            ),
            ("production", |it| it.waits_for_disk = Some(false), &[(Warning, "database-not-durable")]),
            ("production", |it| it.clock_ahead = Some(1001), &[(Warning, "database-clock-off")]),
            ("production", |it| it.clock_ahead = Some(-31_000), &[(Error, "database-clock-off")]),
        ];
        for (env, change, expected) in rows {
            let mut database = postgres();
            change(&mut database);
            assert_eq!(found(env, Ok(database.clone())), expected, "{env} {database:?}");
        }
        for (is_refused, id) in [(false, "database-unreachable"), (true, "database-login-refused")] {
            let trouble = StoreTrouble { is_refused, text: "so it says".into() };
            assert_eq!(found("production", Err(trouble)), [(Error, id)]);
        }
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_no_trouble_where_it_will_be_made() {
        let of = |settings: &[(&str, &str)], folder: Result<(), String>| {
            let database = DatabaseFacts { absent: Some("data/markt.db".into()), ..DatabaseFacts::default() };
            let facts = Facts { database: Some(Ok(database)), database_folder: Some(folder), ..Facts::default() };
            bad(&check(&config(settings), &facts))
        };
        assert_eq!(of(&[], Ok(())), [(Severity::Hint, "database-absent")]);
        assert_eq!(of(&[], Err("no".into())), [(Severity::Error, "database-folder-not-writable")]);
        let production = [("env", "production"), ("allow_embedded", "true")];
        assert_eq!(
            of(&production, Ok(())),
            [(Severity::Warning, "sqlite-in-production"), (Severity::Error, "database-schema-behind")]
        );
    }

    #[test]
    fn a_clock_that_is_a_second_off_says_in_which_direction() {
        let what = |ahead| clock("redis-clock-off", "Redis'", Some(ahead)).unwrap().what;
        assert_eq!(what(2500), "Redis' clock is 2.5 s ahead of this machine's.");
        assert_eq!(what(-61_000), "Redis' clock is 61.0 s behind this machine's.");
        assert_eq!(what(1000), "Redis' clock agrees with this machine's.");
        assert_eq!(clock("redis-clock-off", "Redis'", None), None);
    }
}
