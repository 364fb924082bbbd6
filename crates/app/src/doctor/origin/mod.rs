//! What a browser does with the session's cookie for the pages of one origin, rule by rule.
//!
//! The rules are those of RFC 6265bis (cookies), of Fetch (CORS, credentials) and of this service
//! ([`crate::http::cross_origin`]).

mod jar;
mod reach;

use serde::Serialize;
use serde_json::{Value, json};

use super::finding::{Change, Place};
use super::report::{change_text, wrapped};
use super::site::{Relation, WebOrigin};
use crate::config::Config;
use crate::config::values::{AuthMode, BearerPolicy};

/// Whether something is so; what is so in the fewest browsers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In none.
    No,
    /// In some.
    Differs,
    /// In all.
    Yes,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Differs => "differs",
            Self::Yes => "yes",
        }
    }
}

/// A rule, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Which rule it is; stays the same in later versions: `preflight`.
    pub id: &'static str,
    /// What is asked.
    pub question: &'static str,
    /// What comes of it.
    pub verdict: Verdict,
    /// Why.
    pub says: String,
    /// What to change, for another verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<Change>,
    /// Whether a login depends on it.
    #[serde(rename = "needed_for_login")]
    pub is_needed: bool,
}

impl Rule {
    fn needed(id: &'static str, question: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { id, question, verdict, says: says.into(), change: Vec::new(), is_needed: true }
    }

    fn aside(id: &'static str, question: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { is_needed: false, ..Self::needed(id, question, verdict, says) }
    }

    fn set(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.change.push(Change { place: Place::Service, key, value: value.into(), note: "" });
        self
    }

    fn note(mut self, note: &'static str) -> Self {
        if let Some(change) = self.change.last_mut() {
            change.note = note;
        }
        self
    }
}

/// A page's origin, the service's, and what is configured.
struct Situation<'a> {
    page: &'a WebOrigin,
    service: &'a WebOrigin,
    relation: Relation,
    config: &'a Config,
}

/// What comes of all the rules.
pub struct Judgement {
    page: WebOrigin,
    service: WebOrigin,
    relation: Relation,
    rules: Vec<Rule>,
    /// Whether the service starts with this configuration.
    starts: bool,
    /// Whether it was said where browsers reach the service.
    is_said: bool,
}

/// Judges the pages of this origin. Unless it is said where browsers reach the service, that is taken from `bind`.
pub fn judge(config: &Config, page: &WebOrigin, said: Option<&WebOrigin>, starts: bool) -> Judgement {
    let service = &said.cloned().unwrap_or_else(|| at_bind(config, page));
    let situation = Situation { page, service, relation: page.relation_to(service), config };
    let mut rules = reach::rules(&situation);
    if config.auth.mode == AuthMode::Jwt {
        let says = "With auth.mode = jwt the tokens are in the body of the answer: the page keeps them itself.";
        rules.push(Rule::needed("tokens", "Logging in there needs no cookie", Verdict::Yes, says));
    } else {
        let cookie = jar::rules(&situation);
        let is_kept = worst(&cookie) == Verdict::Yes;
        rules.extend(cookie);
        rules.extend(bearer(config).filter(|_| !is_kept));
    }
    Judgement {
        page: page.clone(),
        service: service.clone(),
        relation: situation.relation,
        rules,
        starts,
        is_said: said.is_some(),
    }
}

/// Where the service listens. Who develops calls it by the name that the page has itself.
fn at_bind(config: &Config, page: &WebOrigin) -> WebOrigin {
    let service = WebOrigin::at(config.bind);
    if service.is_loopback() && page.is_loopback() { service.called_as(page) } else { service }
}

/// The way without a cookie.
fn bearer(config: &Config) -> Option<Rule> {
    const QUESTION: &str = "A page there can do without the cookie";
    (config.session.bearer != BearerPolicy::Off).then(|| {
        let says = "A login with the header X-Session-Transport: bearer has the secret in its body, to be sent as \
                    Authorization: Bearer. But any script on the page can read it there; a cookie it can't.";
        Rule::aside("bearer", QUESTION, Verdict::Yes, says)
    })
}

fn worst(rules: &[Rule]) -> Verdict {
    let needed = rules.iter().filter(|rule| rule.is_needed);
    needed.map(|rule| rule.verdict).min().unwrap_or(Verdict::Yes)
}

impl Judgement {
    /// Whether users can log in there.
    pub fn login(&self) -> Verdict {
        if self.starts { worst(&self.rules) } else { Verdict::No }
    }

    fn failing(&self) -> String {
        let verdict = worst(&self.rules);
        let failing = self.rules.iter().filter(|rule| rule.is_needed && rule.verdict == verdict);
        failing.map(|rule| rule.id).collect::<Vec<_>>().join(", ")
    }

    fn conclusion(&self) -> String {
        let page = &self.page;
        match self.login() {
            Verdict::No if !self.starts => {
                format!("Login from {page} doesn't work: the service doesn't start with this configuration.")
            }
            Verdict::No => format!("Login from {page} doesn't work: {}.", self.failing()),
            Verdict::Differs => format!("Login from {page} works in some browsers only: {}.", self.failing()),
            Verdict::Yes => format!("Login from {page} works, as far as browsers are concerned."),
        }
    }

    fn described(&self) -> String {
        let (page, service) = (&self.page, &self.service);
        let is = match self.relation {
            Relation::SameOrigin => "the same origin".to_owned(),
            Relation::SameSite => format!("another origin of the same site ({})", page.site()),
            Relation::CrossSite if page.site() == service.site() => {
                "another site, since one of them is reached by http and the other by https".to_owned()
            }
            Relation::CrossSite => format!("another site ({}, not {})", page.site(), service.site()),
        };
        format!("To the service at {service}, {page} is {is}.")
    }

    /// For people. The last line says whether a login works.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.described());
        if !self.is_said {
            text.push_str(
                "(That is where it listens. If browsers reach it by another URL, give that: --service URL)\n",
            );
        }
        text.push('\n');
        for Rule { id, question, verdict, says, change, .. } in &self.rules {
            let changes = change.iter().map(change_text);
            let lines = [format!("{}: {question}.", id), says.clone()].into_iter().chain(changes);
            let lines: Vec<_> = lines.map(|line| wrapped(&line)).collect();
            text.push_str(&format!("{:<9}{}\n\n", verdict.as_str(), lines.join("\n         ")));
        }
        text + &self.conclusion() + "\n"
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "origin": self.page.to_string(),
            "service": self.service.to_string(),
            "relation": self.relation.as_str(),
            "rules": self.rules,
            "login": self.login(),
            "conclusion": self.conclusion(),
        })
    }
}

#[cfg(test)]
mod tests;
