//! Whether the cookie is kept, and when it is sent.

use super::reach::is_refused;
use super::{Rule, Situation, Verdict, worst};
use crate::config::values::SameSite;
use crate::doctor::site::Relation;

const NAME: &str = "cookie.name";
const SECURE: &str = "cookie.secure";
const SAME_SITE: &str = "cookie.same_site";
const DOMAIN: &str = "cookie.domain";
const PARTITIONED: &str = "cookie.partitioned";

pub(super) fn rules(situation: &Situation<'_>) -> Vec<Rule> {
    let mut rules = vec![secure(situation)];
    rules.extend(prefix(situation));
    rules.extend(domain(situation));
    let stored = stored(situation, worst(&rules));
    rules.push(stored);
    rules.extend(third_party(situation));
    rules.push(sent_on_fetch(situation));
    rules.push(sent_on_navigation(situation));
    rules.push(sent_on_form(situation));
    rules
}

fn secure(Situation { service, config, .. }: &Situation<'_>) -> Rule {
    const QUESTION: &str = "Browsers keep the cookie that the service sets, by its Secure flag";
    let cookie = &config.cookie;
    let rule = |verdict, says: &str| Rule::needed("secure", QUESTION, verdict, says);
    let needs_secure = match (cookie.secure, cookie.same_site) {
        (true, _) => None,
        (false, SameSite::None) => Some("It is SameSite=None without being Secure: browsers drop it."),
        (false, _) if cookie.partitioned => Some("It is Partitioned without being Secure: browsers drop it."),
        (false, _) => None,
    };
    if let Some(says) = needs_secure {
        return rule(Verdict::No, says).set(SECURE, "true");
    }
    match (cookie.secure, service.is_https()) {
        (true, true) => rule(Verdict::Yes, "It is Secure, and comes by https."),
        (false, false) => rule(Verdict::Yes, "It isn't Secure, and comes by http: for development only."),
        (false, true) => {
            let says = "It isn't Secure: it is kept, but the first request by http sends it in the clear.";
            rule(Verdict::Yes, says).set(SECURE, "true")
        }
        (true, false) if service.is_loopback() => {
            let says =
                "It is Secure, and comes by http from this very machine: Chrome and Firefox keep it, Safari drops it.";
            rule(Verdict::Differs, says).set(SECURE, "false").note("in development")
        }
        (true, false) => {
            let says = "It is Secure, but comes by http: browsers drop it. Put TLS in front of the service.";
            rule(Verdict::No, says).set(SECURE, "false").note("where there can't be TLS; never in production")
        }
    }
}

fn prefix(Situation { service, config, .. }: &Situation<'_>) -> Option<Rule> {
    const QUESTION: &str = "Browsers keep it, by the prefix of its name";
    let cookie = &config.cookie;
    let name = cookie.name.to_ascii_lowercase();
    let (prefix, wants_no_domain) = match () {
        () if name.starts_with("__host-") => ("__Host-", true),
        () if name.starts_with("__secure-") => ("__Secure-", false),
        () => return None,
    };
    let rule = |verdict, says: String| Rule::needed("prefix", QUESTION, verdict, says);
    let other_name = "markt_session, without a prefix";
    Some(if !cookie.secure {
        rule(Verdict::No, format!("A name with {prefix} has to be Secure.")).set(SECURE, "true")
    } else if wants_no_domain && cookie.domain.is_some() {
        rule(Verdict::No, format!("A name with {prefix} has to have no Domain.")).set(DOMAIN, "")
    } else if service.is_https() {
        rule(Verdict::Yes, format!("What {prefix} asks for is so: Secure, Path=/, and set by https."))
    } else if service.is_loopback() {
        let says =
            format!("A name with {prefix} has to come by https. By http from this very machine browsers differ.");
        rule(Verdict::Differs, says).set(NAME, other_name)
    } else {
        rule(Verdict::No, format!("A name with {prefix} has to come by https.")).set(NAME, other_name)
    })
}

fn domain(Situation { service, config, .. }: &Situation<'_>) -> Option<Rule> {
    const QUESTION: &str = "Browsers keep it, by its Domain";
    let domain = config.cookie.domain.as_deref()?;
    Some(if service.may_set_domain(domain) {
        let bare = domain.trim_start_matches('.');
        let says = format!("{} may set cookies for {bare}. They are sent to all hosts below it.", service.host());
        Rule::needed("domain", QUESTION, Verdict::Yes, says)
    } else {
        let says = format!("{} may not set cookies for {domain}: browsers drop it.", service.host());
        Rule::needed("domain", QUESTION, Verdict::No, says).set(DOMAIN, "")
    })
}

/// What makes a cookie go to pages of other sites.
fn for_other_sites(Situation { config, .. }: &Situation<'_>, rule: Rule) -> Rule {
    let rule = rule
        .set(SAME_SITE, "None")
        .note("unless the service can be served under the page's own site, which is better")
        .set(PARTITIONED, "true")
        .note("for browsers that block third-party cookies");
    if config.cookie.secure { rule } else { rule.set(SECURE, "true") }
}

/// Whether the cookie is kept from, and sent to, pages of another site that fetch.
fn crosses_sites(Situation { relation, config, .. }: &Situation<'_>) -> bool {
    *relation != Relation::CrossSite || config.cookie.same_site == SameSite::None
}

fn stored(situation: &Situation<'_>, kept: Verdict) -> Rule {
    const QUESTION: &str = "A login by fetch from there stores the cookie";
    let rule = |verdict, says: String| Rule::needed("stored-on-fetch", QUESTION, verdict, says);
    let flag = situation.config.cookie.same_site.as_str();
    if !crosses_sites(situation) {
        let says = format!("It is SameSite={flag}: browsers drop it from an answer to a page of another site.");
        return for_other_sites(situation, rule(Verdict::No, says));
    }
    if kept == Verdict::No {
        return rule(Verdict::No, "It isn't kept in the first place: see above.".to_owned());
    }
    let credentials = "If the page asks for it: credentials: 'include' with fetch, withCredentials: true with Axios \
                       and Angular, at the login too.";
    let says = match situation.relation {
        Relation::SameOrigin => "It is the same origin: nothing has to be asked for.".to_owned(),
        Relation::SameSite => format!("SameSite={flag} doesn't matter within a site. {credentials}"),
        Relation::CrossSite => format!("It is SameSite=None. {credentials}"),
    };
    rule(kept, says)
}

fn third_party(Situation { page, relation, config, .. }: &Situation<'_>) -> Option<Rule> {
    const QUESTION: &str = "Browsers that block third-party cookies keep it all the same";
    let is_third_party = *relation == Relation::CrossSite && config.cookie.same_site == SameSite::None;
    is_third_party.then(|| {
        if config.cookie.partitioned {
            let says = format!(
                "It is Partitioned: kept in a jar of its own for pages of {}, in Chrome, Edge and recent Firefox and \
                 Safari. Older ones take it for any third-party cookie.",
                page.site()
            );
            Rule::needed("third-party", QUESTION, Verdict::Yes, says)
        } else {
            let says = "Safari blocks it, and so do private windows; Firefox keeps it in a jar for each site; Chrome \
                        lets it pass, unless its user has said otherwise.";
            Rule::needed("third-party", QUESTION, Verdict::Differs, says).set(PARTITIONED, "true")
        }
    })
}

fn sent_on_fetch(situation: &Situation<'_>) -> Rule {
    const QUESTION: &str = "Once there, it is sent with later requests by fetch";
    let rule = |verdict, says: String| Rule::needed("sent-on-fetch", QUESTION, verdict, says);
    let flag = situation.config.cookie.same_site.as_str();
    if !crosses_sites(situation) {
        let says = format!("It is SameSite={flag}: pages of another site don't get it sent, and each request is 401.");
        return for_other_sites(situation, rule(Verdict::No, says));
    }
    let says = match situation.relation {
        Relation::SameOrigin => "It is the same origin.",
        _ => "With credentials, as at the login.",
    };
    rule(Verdict::Yes, says.to_owned())
}

/// Whether the jar that a fetch from there fills is another one than that of the service's own pages.
fn is_in_another_jar(Situation { relation, config, .. }: &Situation<'_>) -> bool {
    *relation == Relation::CrossSite && config.cookie.partitioned
}

fn sent_on_navigation(situation: &Situation<'_>) -> Rule {
    const QUESTION: &str = "It is sent when a link there leads to the service (GET)";
    let rule = |verdict, says: &str| Rule::aside("sent-on-navigation", QUESTION, verdict, says);
    match situation.config.cookie.same_site {
        _ if is_in_another_jar(situation) => {
            rule(Verdict::No, "It is Partitioned: the service's own pages have another jar.")
        }
        SameSite::Strict if situation.relation == Relation::CrossSite => {
            let says = "It is SameSite=Strict: the page that the link opens finds the user not logged in.";
            rule(Verdict::No, says).set(SAME_SITE, "Lax")
        }
        SameSite::Lax if situation.relation == Relation::CrossSite => {
            rule(Verdict::Yes, "It is SameSite=Lax, which lets links pass.")
        }
        _ => rule(Verdict::Yes, "Nothing holds it back."),
    }
}

fn sent_on_form(situation: &Situation<'_>) -> Rule {
    const QUESTION: &str = "It is sent when a form there posts to the service";
    let refused = match is_refused(situation) {
        true => "The service would refuse such a request all the same: 403 cross_origin_refused.",
        false => "The service would take such a request, as it does by fetch.",
    };
    let rule = |verdict, says: String| Rule::aside("sent-on-form-post", QUESTION, verdict, says);
    if is_in_another_jar(situation) {
        return rule(Verdict::No, format!("It is Partitioned: the service's own pages have another jar. {refused}"));
    }
    let flag = situation.config.cookie.same_site.as_str();
    match crosses_sites(situation) {
        true => rule(Verdict::Yes, format!("Nothing holds it back. {refused}")),
        false => rule(Verdict::No, format!("It is SameSite={flag}, as a protection from forged requests. {refused}")),
    }
}
