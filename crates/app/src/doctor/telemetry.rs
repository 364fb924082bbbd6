//! Where traces go.

use url::{Position, Url};

use super::facts::Facts;
use super::finding::Finding;
use crate::config::Config;

const KEY: &str = "telemetry.otlp_endpoint";

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    collector(config, facts).into_iter().collect()
}

fn collector(config: &Config, facts: &Facts) -> Option<Finding> {
    // Without a password, should there be one, and without what a query may hold.
    let endpoint = Url::parse(config.telemetry.otlp_endpoint.as_ref()?).ok()?;
    let endpoint =
        endpoint[..Position::BeforeQuery].replace(&endpoint[Position::BeforeUsername..Position::BeforeHost], "");
    Some(match facts.traces.as_ref()? {
        Ok(()) => Finding::ok("otlp", format!("Something listens where traces go ({endpoint}).")).about(&[KEY]),
        Err(text) => Finding::warning(
            "otlp-unreachable",
            format!("Nothing listens where traces go ({endpoint}): {text}."),
            "Users don't notice. Traces are lost.",
        )
        .set(KEY, "http://collector:4317"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::testing::config;
    use super::*;

    #[test]
    fn a_collector_that_is_not_there_is_told() {
        let severity = |traces| {
            let config = config(&[(KEY, "http://127.0.0.1:4317")]);
            check(&config, &Facts { traces: Some(traces), ..Facts::default() }).first().map(|finding| finding.severity)
        };
        assert_eq!(severity(Ok(())), Some(Severity::Ok));
        assert_eq!(severity(Err("connection refused".into())), Some(Severity::Warning));
        assert_eq!(check(&config(&[]), &Facts::default()), []);
    }
}
