//! `cargo xtask arrows`: who may depend on whom.
//!
//! `deny.toml` says which crates only certain others may use; `cargo deny` checks that too, where it is installed. What
//! it can't express stands here: which dependencies are for tests only, and what the domain must not even reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::cargo::{self, Failure};
use crate::wiring;

const DOMAIN: &str = "markt-domain";
const SERVICE: &str = "markt-auth";
const TEST_SUPPORT: &str = "markt-test-support";

/// What the domain must not even reach through others: it knows neither a runtime, nor HTTP, nor a store.
const NOT_THE_DOMAINS: [&str; 6] = ["axum", "fred", "hyper", "sea-orm", "sqlx", "tokio"];

pub(crate) fn run() -> Result<(), Failure> {
    let rules = Rule::parse_all(&fs::read_to_string(cargo::root().join("deny.toml"))?)?;
    let output = cargo::cargo().args(["metadata", "--format-version", "1", "--all-features", "--locked"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let graph = Graph::parse(&serde_json::from_slice(&output.stdout)?)?;
    let mut broken = graph.check(&rules);
    broken.extend(wiring::leaks(&cargo::root().join("crates/app/src"), &graph.adapters())?);
    if broken.is_empty() {
        eprintln!("{} rules hold, and so do the domain's", rules.len());
        return Ok(());
    }
    Err(format!("{} broken:\n{}", broken.len(), broken.join("\n")).into())
}

/// One entry of deny.toml's `[bans] deny`: a crate, and who alone may depend on it.
#[derive(Debug, PartialEq)]
struct Rule {
    name: String,
    /// None for a crate that nobody may depend on.
    wrappers: Option<Vec<String>>,
}

impl Rule {
    fn parse_all(text: &str) -> Result<Vec<Self>, Failure> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let entries = table.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
        entries.ok_or("deny.toml has no [bans] deny")?.iter().map(Self::parse).collect()
    }

    fn parse(entry: &toml::Value) -> Result<Self, Failure> {
        let spec = entry.as_str().or_else(|| entry.get("crate").and_then(toml::Value::as_str));
        let name = spec.ok_or_else(|| format!("deny.toml: {entry:?} names no crate"))?.to_owned();
        let wrappers = entry.get("wrappers").and_then(toml::Value::as_array);
        let wrappers = wrappers.map(|names| names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect());
        Ok(Self { name, wrappers })
    }
}

/// Who depends on whom, by name: versions of a crate count as one.
#[derive(Debug, Default)]
struct Graph {
    members: BTreeSet<String>,
    arrows: BTreeMap<String, BTreeSet<Arrow>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    to: String,
    for_tests_only: bool,
}

impl Graph {
    fn parse(metadata: &Value) -> Result<Self, Failure> {
        Self::parse_known(metadata).ok_or_else(|| "cargo metadata has an unknown shape".into())
    }

    fn parse_known(metadata: &Value) -> Option<Self> {
        let packages = metadata["packages"].as_array()?.iter();
        let names: BTreeMap<&str, &str> = packages
            .map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect::<Option<_>>()?;
        let name = |id: &Value| Some((*names.get(id.as_str()?)?).to_owned());
        let mut graph = Self {
            members: metadata["workspace_members"].as_array()?.iter().map(name).collect::<Option<_>>()?,
            arrows: BTreeMap::new(),
        };
        for node in metadata["resolve"]["nodes"].as_array()? {
            let arrows = graph.arrows.entry(name(&node["id"])?).or_default();
            for dependency in node["deps"].as_array()? {
                let kinds = dependency["dep_kinds"].as_array()?;
                let for_tests_only = kinds.iter().all(|kind| kind["kind"] == "dev");
                arrows.insert(Arrow { to: name(&dependency["pkg"])?, for_tests_only });
            }
        }
        Some(graph)
    }

    /// Every way in which the graph breaks these rules, or the ones that deny.toml can't express.
    fn check(&self, rules: &[Rule]) -> Vec<String> {
        let mut broken: Vec<String> = rules.iter().flat_map(|rule| self.check_rule(rule)).collect();
        broken.extend(self.check_adapters(rules));
        broken.extend(self.check_test_support());
        broken.extend(self.check_domain());
        broken
    }

    fn check_rule(&self, rule: &Rule) -> Vec<String> {
        let dependents: Vec<&str> = self.dependents(&rule.name).map(|(from, _)| from).collect();
        let Some(wrappers) = &rule.wrappers else {
            return dependents.iter().map(|from| format!("{from} depends on {}, which is banned", rule.name)).collect();
        };
        if !self.arrows.contains_key(&rule.name) {
            return vec![format!("deny.toml has a rule for {}, which there is none of: is it misspelt?", rule.name)];
        }
        let others = dependents.into_iter().filter(|&from| !wrappers.iter().any(|wrapper| wrapper == from));
        others.map(|from| format!("{from} depends on {}, which only {} may", rule.name, wrappers.join(", "))).collect()
    }

    /// An adapter that has no rule is one that anybody may depend on.
    fn check_adapters(&self, rules: &[Rule]) -> Vec<String> {
        let lacking = self.adapters().into_iter().filter(|adapter| {
            let expected = Some([SERVICE.to_owned()].into());
            !rules.iter().any(|rule| rule.name == *adapter && rule.wrappers == expected)
        });
        lacking
            .map(|adapter| format!(r#"deny.toml lacks {{ crate = "{adapter}", wrappers = ["{SERVICE}"] }}"#))
            .collect()
    }

    fn check_test_support(&self) -> Vec<String> {
        let dependents = self.dependents(TEST_SUPPORT).filter(|(_, arrow)| !arrow.for_tests_only);
        dependents.map(|(from, _)| format!("{from} depends on {TEST_SUPPORT} outside its tests")).collect()
    }

    fn check_domain(&self) -> Vec<String> {
        let mut paths = vec![vec![DOMAIN]];
        let mut seen = BTreeSet::from([DOMAIN]);
        let mut broken = Vec::new();
        while let Some(path) = paths.pop() {
            let arrows = path.last().and_then(|last| self.arrows.get(*last)).into_iter().flatten();
            for arrow in arrows.filter(|arrow| !arrow.for_tests_only) {
                if !seen.insert(arrow.to.as_str()) {
                    continue;
                }
                let longer = [path.as_slice(), &[arrow.to.as_str()]].concat();
                if NOT_THE_DOMAINS.contains(&arrow.to.as_str()) || self.members.contains(&arrow.to) {
                    broken.push(format!("the domain must not know {}: {}", arrow.to, longer.join(" → ")));
                } else {
                    paths.push(longer);
                }
            }
        }
        broken
    }

    /// The crates of ours that fill the domain's ports: those that depend on it, but for the service and the tests.
    fn adapters(&self) -> Vec<String> {
        let dependents = self.dependents(DOMAIN).filter(|(_, arrow)| !arrow.for_tests_only).map(|(from, _)| from);
        dependents.filter(|from| ![SERVICE, TEST_SUPPORT].contains(from)).map(str::to_owned).collect()
    }

    fn dependents(&self, name: &str) -> impl Iterator<Item = (&str, &Arrow)> {
        self.arrows.iter().flat_map(move |(from, arrows)| {
            arrows.iter().filter(move |arrow| arrow.to == name).map(move |arrow| (from.as_str(), arrow))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: [(&str, &[&str]); 6] = [
        ("markt-domain", &["serde"]),
        ("markt-redis", &["markt-domain", "fred"]),
        ("markt-auth", &["markt-domain", "markt-redis"]),
        ("markt-test-support", &["markt-domain"]),
        ("serde", &[]),
        ("fred", &[]),
    ];

    fn graph(arrows: &[(&str, &[&str])]) -> Graph {
        let mut graph = Graph::default();
        for (from, tos) in FINE.iter().chain(arrows) {
            let arrows = tos.iter().map(|to| Arrow { to: (*to).to_owned(), for_tests_only: false });
            graph.arrows.entry((*from).to_owned()).or_default().extend(arrows);
        }
        let members = graph.arrows.keys().filter(|name| name.starts_with("markt-")).cloned().collect();
        Graph { members, ..graph }
    }

    fn rules() -> Vec<Rule> {
        Rule::parse_all(
            r#"
            [bans]
            deny = [
                { crate = "fred", wrappers = ["markt-redis"] },
                { crate = "markt-redis", wrappers = ["markt-auth"] },
                "openssl-sys",
            ]"#,
        )
        .unwrap_or_default()
    }

    #[test]
    fn arrows_as_designed_break_nothing() {
        assert_eq!(graph(&[]).check(&rules()), [""; 0]);
    }

    #[test]
    fn a_leaked_crate_is_told_with_who_may_use_it() {
        let leak = graph(&[("markt-auth", &["fred"])]);

        assert_eq!(leak.check(&rules()), ["markt-auth depends on fred, which only markt-redis may"]);
    }

    #[test]
    fn a_banned_crate_has_no_dependents() {
        let banned = graph(&[("fred", &["openssl-sys"]), ("openssl-sys", &[])]);

        assert_eq!(banned.check(&rules()), ["fred depends on openssl-sys, which is banned"]);
    }

    #[test]
    fn a_rule_for_a_crate_that_nobody_uses_is_a_misspelling() {
        let mut rules = rules();
        rules.push(Rule { name: "ferd".into(), wrappers: Some(vec!["markt-redis".into()]) });

        assert_eq!(
            graph(&[]).check(&rules),
            ["deny.toml has a rule for ferd, which there is none of: is it misspelt?"]
        );
    }

    #[test]
    fn a_new_adapter_needs_a_rule() {
        let new = graph(&[("markt-mail", &["markt-domain"])]);

        assert_eq!(new.check(&rules()), [r#"deny.toml lacks { crate = "markt-mail", wrappers = ["markt-auth"] }"#]);
    }

    #[test]
    fn test_support_is_for_tests_only() {
        let mut leak = graph(&[("markt-redis", &["markt-test-support"])]);
        assert_eq!(leak.check(&rules()), ["markt-redis depends on markt-test-support outside its tests"]);

        let arrow = Arrow { to: "markt-test-support".into(), for_tests_only: true };
        leak.arrows.insert("markt-redis".into(), [arrow].into());
        assert_eq!(leak.check_test_support(), [""; 0]);
    }

    #[test]
    fn the_domain_reaches_no_runtime_even_through_others() {
        let leak = graph(&[("serde", &["tokio"]), ("tokio", &[])]);

        assert_eq!(leak.check(&rules()), ["the domain must not know tokio: markt-domain → serde → tokio"]);
    }
}
