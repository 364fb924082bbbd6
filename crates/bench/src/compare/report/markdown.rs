//! The report as text.

use super::{Bound, Comparison, LetIn};
use crate::compare::figures::{Figures, Kind};
use crate::compare::scenario::Scenario;
use crate::markdown::Table;
use crate::wrk::CONNECTIONS;

/// All of it.
pub(super) fn text(comparison: &Comparison) -> String {
    let mut parts = vec!["# Sessions and tokens under the same load\n".to_owned()];
    parts.extend(comparison.method().into_iter().map(|paragraph| format!("{paragraph}\n")));
    parts.push(format!("## After the end\n\n{}", let_in(comparison).text()));
    for scenario in comparison.scenarios {
        let latencies = latencies(comparison, scenario).map(|table| format!("\n{}", table.text())).unwrap_or_default();
        parts.push(format!(
            "## {}\n\n{}\n\n{}{latencies}",
            scenario.title,
            scenario.about,
            figures(comparison, scenario).text()
        ));
    }
    if let Some(table) = ceilings(comparison) {
        parts.push(format!("## Profile, by wrk\n\n{CONNECTIONS} connections, as fast as it goes.\n\n{}", table.text()));
    }
    if !comparison.failures.is_empty() {
        parts.push(format!("## Failures\n\n- {}\n", comparison.failures.join("\n- ")));
    }
    parts.join("\n")
}

/// What is said of it on a terminal: the figures that decide.
pub(in crate::compare) fn summary(comparison: &Comparison) -> String {
    let mut text = let_in(comparison).text() + "\n";
    for scenario in comparison.scenarios {
        text += &format!("{}\n{}\n", scenario.title, figures(comparison, scenario).text());
    }
    text + &ceilings(comparison).map(|table| format!("Profile, by wrk\n{}\n", table.text())).unwrap_or_default()
}

/// How long somebody is let in.
pub(super) fn let_in(comparison: &Comparison) -> Table {
    let row = |let_in: &LetIn| {
        let bound = let_in.bound.as_ref().map_or_else(String::new, |Bound { key, here_seconds, by_default }| {
            format!("{key}: {here_seconds} s here, {by_default} by default")
        });
        [
            comparison.title(let_in.mode).to_owned(),
            let_in.end.to_owned(),
            seconds(let_in.median_seconds),
            seconds(let_in.longest_seconds),
            format!("{:.0}", let_in.served_after),
            let_in.trials.to_string(),
            bound,
        ]
    };
    let head = [
        "mode",
        "the user was",
        "still let in for",
        "at most",
        "requests served after",
        "trials",
        "which is bounded by",
    ];
    Table::new(head, comparison.let_in.iter().map(row).collect())
}

/// A scenario's figures.
pub(super) fn figures(comparison: &Comparison, scenario: &Scenario) -> Table {
    let base = comparison.of(scenario).next().map_or(f64::NAN, |(_, figures)| figures.requests_per_second);
    let rows = comparison.of(scenario).map(|(mode, figures)| {
        let Figures { requests_per_second: rate, requests_per_second_range: [least, most], .. } = figures;
        let main = |value: fn(&Kind) -> f64| figures.main().map_or_else(String::new, |kind| milliseconds(value(kind)));
        [
            mode.title.to_owned(),
            format!("{rate:.0} ({least:.0} to {most:.0})"),
            format!("{:.2}", rate / base),
            main(|kind| kind.p50),
            main(|kind| kind.p95),
            main(|kind| kind.p99),
            errors(figures),
            format!("{:.1}", figures.cpu_micros_per_request),
            format!("{:.3}", figures.redis_commands_per_request),
            format!("{:.3}", figures.sql_statements_per_request),
            format!("{:.0}", figures.bytes_to_server_per_request),
            format!("{:.0}", figures.bytes_to_client_per_request),
            format!("{:.0}", figures.resident_memory / 1024.0 / 1024.0),
        ]
    });
    let p50 = format!("{} p50 ms", scenario.main);
    let head = [
        "mode",
        "requests/s",
        "ratio",
        &p50,
        "p95 ms",
        "p99 ms",
        "errors",
        "CPU µs/request",
        "Redis/request",
        "SQL/request",
        "bytes in",
        "bytes out",
        "memory MiB",
    ];
    Table::new(head, rows.collect())
}

/// The latencies of the other kinds of requests, if a scenario has any.
pub(super) fn latencies(comparison: &Comparison, scenario: &Scenario) -> Option<Table> {
    let rows: Vec<_> = comparison
        .of(scenario)
        .flat_map(|(mode, figures)| figures.kinds.iter().skip(1).map(|kind| (mode.title, kind)))
        .map(|(mode, kind)| {
            let [p50, p95, p99, max] = [kind.p50, kind.p95, kind.p99, kind.max].map(milliseconds);
            [mode.to_owned(), kind.kind.clone(), format!("{:.0}", kind.requests), p50, p95, p99, max]
        })
        .collect();
    let head = ["mode", "also", "requests", "p50 ms", "p95 ms", "p99 ms", "max ms"];
    (!rows.is_empty()).then(|| Table::new(head, rows))
}

/// What wrk got, if it was asked.
pub(super) fn ceilings(comparison: &Comparison) -> Option<Table> {
    let base = comparison.ceilings.first()?.requests_per_second;
    let rows = comparison.ceilings.iter().map(|ceiling| {
        let [p50, p95, p99] = ceiling.latencies.map(milliseconds);
        let rate = ceiling.requests_per_second;
        [comparison.title(ceiling.mode).to_owned(), format!("{rate:.0}"), format!("{:.2}", rate / base), p50, p95, p99]
    });
    Some(Table::new(["mode", "requests/s", "ratio", "p50 ms", "p95 ms", "p99 ms"], rows.collect()))
}

fn errors(figures: &Figures) -> String {
    let Figures { failed, turned_away, never_sent, .. } = figures;
    let others = [(turned_away, "turned away"), (never_sent, "never sent")];
    let others =
        others.into_iter().filter(|(count, _)| **count > 0.0).map(|(count, what)| format!(", {count:.0} {what}"));
    format!("{failed:.0}{}", others.collect::<String>())
}

fn milliseconds(micros: f64) -> String {
    if micros < 10_000.0 { format!("{:.3}", micros / 1000.0) } else { format!("{:.1}", micros / 1000.0) }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{long:.1} s"),
        short => format!("{:.1} ms", short * 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_it_is_read_in() {
        assert_eq!([0.0, 0.0004, 0.25, 14.96].map(seconds), ["0.0 ms", "0.4 ms", "250.0 ms", "15.0 s"]);
        assert_eq!([77.0, 12_345.0].map(milliseconds), ["0.077", "12.3"]);
    }
}
