//! `markt-auth adopt --check`: what a database of the Markt application holds, what would be added to it, and what stands in
//! the way.

use serde_json::{Value, json};

use super::{Finding, Report};
use crate::cli::counted;
use crate::config::Config;
use crate::wiring::examination::{AdoptionFacts, TableFacts, UserFacts};

const URL: &str = "database_url";

/// What there is to say of the database.
pub struct Adoption {
    facts: AdoptionFacts,
    report: Report,
}

impl Adoption {
    /// Judges what was found, by this configuration.
    pub fn new(config: &Config, facts: AdoptionFacts) -> Self {
        let mut findings = findings(config, &facts);
        findings.sort_by_key(|finding| finding.severity);
        Self { facts, report: Report { findings, origin: None } }
    }

    /// Whether the database can't be taken over as it is.
    pub fn is_refused(&self) -> bool {
        self.report.is_bad()
    }

    /// For people.
    pub fn text(&self) -> String {
        let tables = self.facts.tables.iter().map(table_text);
        let added = self.facts.added.iter().map(|added| format!("  {added}\n"));
        let nothing = || std::iter::once("  nothing\n".to_owned());
        let mut text = "found:\n".to_owned();
        text.extend(tables);
        text.push_str("\n`markt-auth migrate` would add:\n");
        if self.facts.added.is_empty() {
            text.extend(nothing());
        }
        text.extend(added);
        text.push_str("and change nothing of what is there.\n\n");
        text + &self.report.text()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut json = self.report.json();
        let tables = self.facts.tables.iter().map(|TableFacts { name, rows, missing, others }| {
            json!({ "name": name, "rows": rows, "missing_columns": missing, "unused_columns": others })
        });
        json["tables"] = tables.collect();
        json["added"] = json!(self.facts.added);
        json["pending_migrations"] = json!(self.facts.pending);
        json["users"] = self.facts.users.as_ref().map_or(Value::Null, |users| {
            json!({
                "total": users.total,
                "deactivated": users.deactivated,
                "unverified": users.unverified,
                "without_role": users.without_role,
                "addresses_that_cannot_log_in": users.odd_addresses,
                "password_hashes": {
                    "passlib_pbkdf2_sha256": users.hashes.passlib,
                    "argon2id": users.hashes.argon2id,
                    "none": users.hashes.none,
                    "others": users.hashes.others,
                },
            })
        });
        json
    }
}

fn table_text(TableFacts { name, rows, others, .. }: &TableFacts) -> String {
    let Some(rows) = rows else { return format!("  no table {name}\n") };
    let rows = counted(u64::try_from(*rows).unwrap_or_default(), "row");
    match others.as_slice() {
        [] => format!("  table {name}: {rows}\n"),
        others => format!("  table {name}: {rows}; not used here: {}\n", others.join(", ")),
    }
}

fn findings(config: &Config, facts: &AdoptionFacts) -> Vec<Finding> {
    let Some(version) = &facts.version else {
        let what = "The database isn't PostgreSQL.";
        let why = "A Markt application's database is; one in SQLite is taken over by `markt-auth migrate` as well, \
                   unchecked.";
        return vec![
            Finding::error("adopt-not-postgres", what, why).set(URL, "postgres://user:password@host/database"),
        ];
    };
    let mut findings = vec![Finding::ok("adopt-database", format!("PostgreSQL {version} answers."))];
    findings.extend(tables(&facts.tables));
    findings.extend(rights(facts));
    findings.extend(collisions(&facts.collisions));
    if let Some(users) = &facts.users {
        findings.extend(of_users(config, users));
        findings.extend(of_hashes(config, users));
    }
    findings
}

fn tables(tables: &[TableFacts]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for TableFacts { name, rows, missing, .. } in tables {
        if rows.is_none() && *name == "users" {
            let what = "There is no table users.";
            let why = "It is another database than the Markt application's, or another schema: users would begin anew.";
            findings.push(Finding::error("adopt-no-users", what, why).set(URL, "postgres://…"));
        }
        if !missing.is_empty() {
            let what = format!("The table {name} lacks the columns {}.", missing.join(", "));
            let why = "It is another application's, or of another version: `markt-auth migrate` refuses it.";
            findings.push(Finding::error("adopt-columns-missing", what, why));
        }
    }
    findings
}

fn rights(AdoptionFacts { not_owned, may_create, added, .. }: &AdoptionFacts) -> Vec<Finding> {
    if added.is_empty() {
        return vec![Finding::ok("adopt-schema", "There is nothing to add: the schema is up to date.")];
    }
    let mut findings = Vec::new();
    if !not_owned.is_empty() {
        let what = format!("The role doesn't own {}.", not_owned.join(", "));
        let why = "Only their owner can make indexes on tables: `markt-auth migrate` fails.";
        findings.push(
            Finding::error("adopt-not-owner", what, why)
                .set(URL, "postgres://owner:password@host/database")
                .note("for `migrate`; `serve` needs no owner"),
        );
    }
    if !may_create {
        let what = "The role may not make tables in the schema.";
        let why = "`markt-auth migrate` fails.";
        findings.push(
            Finding::error("adopt-may-not-create", what, why).run("psql -c 'GRANT CREATE ON SCHEMA public TO role'"),
        );
    }
    findings
}

fn collisions(collisions: &[String]) -> Option<Finding> {
    (!collisions.is_empty()).then(|| {
        let what = format!(
            "Some users' e-mail addresses or usernames differ in case only, but are the same to this service: {}. At \
             most ten groups of a kind are listed.",
            collisions.join("; ")
        );
        let why = "`markt-auth migrate` refuses them: give all but one user of each group another one, or merge the \
                   accounts.";
        Finding::error("adopt-collisions", what, why)
    })
}

fn of_users(config: &Config, users: &UserFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if users.unverified > 0 && config.auth.require_verified_email {
        let what = format!("{} with an address that isn't verified.", so_many(users.unverified));
        let why = "They can't log in before they have proven it, by a code that is mailed to them.";
        findings.push(
            Finding::warning("adopt-unverified", what, why)
                .set("auth.require_verified_email", "false")
                .note("if the old system let them in"),
        );
    }
    if users.without_role > 0 {
        let what = format!("{} neither buyer nor seller (is_buyer, is_seller).", so_many(users.without_role));
        let why = "They can't log in, since they would have no role to act in.";
        findings.push(Finding::warning("adopt-no-role", what, why));
    }
    if users.odd_addresses > 0 {
        let what = format!(
            "{} whose address is none by today's rules: not in ASCII, or without a dot in its domain.",
            so_many(users.odd_addresses)
        );
        let why = "They can't log in: a login checks the form of the address that it is given.";
        findings.push(Finding::warning("adopt-odd-addresses", what, why));
    }
    findings
}

fn so_many(users: i64) -> String {
    counted(u64::try_from(users).unwrap_or_default(), "user")
}

fn of_hashes(config: &Config, UserFacts { hashes, .. }: &UserFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if hashes.others > 0 {
        let what = format!(
            "{} with a password hash that is neither passlib's $pbkdf2-sha256$ nor $argon2id$.",
            so_many(hashes.others)
        );
        let why = "They can't log in until they have set a new password by a code that is mailed to them.";
        findings.push(Finding::warning("adopt-unknown-hashes", what, why));
    }
    if hashes.passlib > 0 {
        let what = format!("{} with a hash of passlib's.", so_many(hashes.passlib));
        let finding = if config.password.upgrade_legacy {
            let why = "At the next login here it is replaced by one of argon2id, which the old application can't check \
                       unless it knows argon2id.";
            Finding::hint("adopt-hashes-are-upgraded", what, why)
                .set("password.upgrade_legacy", "false")
                .note("as long as users log in at the old application, too")
        } else {
            let why = "They are checked, and stay as they are. Users who register here, or change their passwords, have \
                       hashes of argon2id all the same.";
            Finding::hint("adopt-hashes-stay", what, why).about(&["password.upgrade_legacy"])
        };
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{self, Error, Hint, Warning};
    use super::super::testing::{bad, config};
    use super::*;

    fn facts() -> AdoptionFacts {
        let table = |name| TableFacts { name, rows: Some(2), missing: Vec::new(), others: Vec::new() };
        AdoptionFacts {
            version: Some("15.18".into()),
            tables: vec![table("users"), table("buyers")],
            added: vec!["table auth_sessions".into()],
            may_create: true,
            users: Some(UserFacts { total: 2, ..UserFacts::default() }),
            ..AdoptionFacts::default()
        }
    }

    #[test]
    fn each_thing_that_stands_in_the_way_is_found_and_nothing_else() {
        type Row<'a> = (fn(&mut AdoptionFacts), &'a [(Severity, &'a str)]);
        let rows: [Row; 11] = [
            (|_| (), &[]),
            (|it| it.version = None, &[(Error, "adopt-not-postgres")]),
            (|it| it.tables[0].rows = None, &[(Error, "adopt-no-users")]),
            (|it| it.tables[1].rows = None, &[]),
            (|it| it.tables[1].missing = vec!["user_id"], &[(Error, "adopt-columns-missing")]),
            (|it| it.not_owned = vec!["users".into()], &[(Error, "adopt-not-owner")]),
            (|it| it.may_create = false, &[(Error, "adopt-may-not-create")]),
            (|it| (it.may_create, it.added) = (false, Vec::new()), &[]),
            (|it| it.collisions = vec!["email: A@b.c (1), a@b.c (2)".into()], &[(Error, "adopt-collisions")]),
            (
                |it| {
                    let users = it.users.get_or_insert_default();
                    (users.unverified, users.without_role, users.odd_addresses) = (1, 1, 1);
                },
                &[(Warning, "adopt-unverified"), (Warning, "adopt-no-role"), (Warning, "adopt-odd-addresses")],
            ),
            (
                |it| {
                    let users = it.users.get_or_insert_default();
                    (users.hashes.passlib, users.hashes.others) = (1, 1);
                },
                &[(Warning, "adopt-unknown-hashes"), (Hint, "adopt-hashes-are-upgraded")],
            ),
        ];
        for (change, expected) in rows {
            let mut facts = facts();
            change(&mut facts);
            let adoption = Adoption::new(&config(&[]), facts.clone());
            assert_eq!(bad(&adoption.report.findings), expected, "{facts:?}");
            assert_eq!(adoption.is_refused(), expected.iter().any(|(severity, _)| *severity == Error));
        }
    }

    #[test]
    fn what_the_configuration_settles_is_not_found() {
        let mut users = UserFacts { unverified: 1, ..UserFacts::default() };
        users.hashes.passlib = 1;
        let facts = AdoptionFacts { users: Some(users), ..facts() };
        let config = config(&[("auth.require_verified_email", "false"), ("password.upgrade_legacy", "false")]);
        assert_eq!(bad(&Adoption::new(&config, facts).report.findings), [(Hint, "adopt-hashes-stay")]);
    }
}
