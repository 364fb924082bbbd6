//! Whether a page can speak with the service at all: mixed content, CORS, and the service's own rule.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::{Rule, Situation, Verdict};
use crate::doctor::site::Relation;
use crate::http::cross_origin::is_forged;

const ORIGINS: &str = "cors.allowed_origins";

pub(super) fn rules(situation: &Situation<'_>) -> Vec<Rule> {
    [mixed_content(situation), Some(preflight(situation)), Some(cross_origin(situation))]
        .into_iter()
        .flatten()
        .collect()
}

fn mixed_content(Situation { page, service, .. }: &Situation<'_>) -> Option<Rule> {
    const QUESTION: &str = "Browsers let pages there send requests to the service";
    (page.is_https() && !service.is_https()).then(|| match service.is_loopback() {
        true => {
            let says = "The page comes by https and the service speaks http. To this very machine Chrome and Firefox \
                        let that pass; Safari takes it for mixed content, and blocks it.";
            Rule::needed("mixed-content", QUESTION, Verdict::Differs, says)
        }
        false => {
            let says = "The page comes by https and the service speaks http: mixed content, which browsers block. Put \
                        TLS in front of the service.";
            Rule::needed("mixed-content", QUESTION, Verdict::No, says)
        }
    })
}

/// The origins with this one added.
fn with_page(Situation { page, config, .. }: &Situation<'_>) -> String {
    let allowed = config.cors_allowed_origins.iter().map(|origin| origin.as_str().to_owned());
    allowed.chain([page.to_string()]).collect::<Vec<_>>().join(",")
}

fn is_allowed(Situation { page, config, .. }: &Situation<'_>) -> bool {
    config.cors_allowed_origins.iter().any(|allowed| allowed.as_str() == page.to_string())
}

fn preflight(situation: &Situation<'_>) -> Rule {
    const QUESTION: &str = "Scripts there may read the service's answers (CORS)";
    let rule = |verdict, says: String| Rule::needed("preflight", QUESTION, verdict, says);
    if situation.relation == Relation::SameOrigin {
        return rule(Verdict::Yes, "It is the same origin: browsers ask for nothing.".to_owned());
    }
    if is_allowed(situation) {
        let says = format!(
            "It is in {ORIGINS}. Preflights are answered with Access-Control-Allow-Origin: {} and \
             Access-Control-Allow-Credentials: true.",
            situation.page
        );
        return rule(Verdict::Yes, says);
    }
    let says = format!(
        "It isn't in {ORIGINS}: the preflight is answered without Access-Control-Allow-Origin, so that the browser \
         doesn't even send the login. Its console calls that a CORS error."
    );
    rule(Verdict::No, says).set(ORIGINS, with_page(situation))
}

fn cross_origin(situation: &Situation<'_>) -> Rule {
    const QUESTION: &str = "The service takes requests from there that change something";
    if is_refused(situation) {
        let says = format!(
            "Browsers say where a request comes from (Sec-Fetch-Site: {}, Origin: {}), and it isn't in {ORIGINS}: such \
             a request is answered with 403 cross_origin_refused.",
            situation.relation.as_str(),
            situation.page
        );
        return Rule::needed("cross-origin-rule", QUESTION, Verdict::No, says).set(ORIGINS, with_page(situation));
    }
    let says = match situation.relation {
        Relation::SameOrigin => {
            "Browsers say that they come from the service's own pages (Sec-Fetch-Site: same-origin)."
        }
        _ => "It is in cors.allowed_origins.",
    };
    Rule::needed("cross-origin-rule", QUESTION, Verdict::Yes, says)
}

/// By the rule that serves.
pub(super) fn is_refused(Situation { page, service, relation, config }: &Situation<'_>) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("sec-fetch-site", HeaderValue::from_static(relation.as_str()));
    for (name, value) in [(ORIGIN, page.to_string()), (HOST, service.authority())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    is_forged(&Method::POST, &Uri::from_static("/api/v1/users/login"), &headers, &config.cors_allowed_origins)
}
