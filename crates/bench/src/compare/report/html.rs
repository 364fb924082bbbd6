//! The report as one page, which needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Comparison, markdown, plots};
use crate::cli::Error;
use crate::compare::scenario::Scenario;
use crate::markdown::Table;
use crate::wrk::CONNECTIONS;

const STYLE: &str = "
    :root { color-scheme: light dark; }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 88rem; margin: 2rem auto; padding: 0 1rem; }
    .scrolls { overflow-x: auto; }
    table { border-collapse: collapse; font-size: 12.5px; white-space: nowrap; margin: 1rem 0; }
    th, td { padding: .25rem .5rem; text-align: right; border-bottom: 1px solid #8884; }
    th:first-child, td:first-child, table.words td, table.words th { text-align: left; }
    figure { display: inline-block; margin: .5rem .8rem .5rem 0; max-width: 100%; }
    figcaption { font-size: 13px; }
    svg { background: #fff; border-radius: 6px; max-width: 100%; height: auto; }
    .failed { color: #c00; font-weight: bold; }
";

/// The page.
///
/// # Errors
/// If something can't be drawn.
pub(super) fn page(comparison: &Comparison) -> Result<String, Error> {
    let scenarios: Vec<Markup> =
        comparison.scenarios.iter().map(|scenario| section(comparison, scenario)).collect::<Result<_, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Sessions and tokens under the same load" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Sessions and tokens under the same load" }
                @if !comparison.failures.is_empty() {
                    h2.failed { "Failures" }
                    ul { @for failure in &comparison.failures { li.failed { (failure) } } }
                }
                h2 { "After the end" }
                (table(&markdown::let_in(comparison), "words"))
                @for scenario in &scenarios { (scenario) }
                @if let Some(ceilings) = markdown::ceilings(comparison) {
                    h2 { "Profile, by wrk" }
                    p { (CONNECTIONS) " connections, as fast as it goes." }
                    (table(&ceilings, ""))
                }
                h2 { "How it was measured" }
                @for paragraph in comparison.method() { p { (paragraph) } }
            }
        }
    };
    Ok(page.into_string())
}

fn section(comparison: &Comparison, scenario: &Scenario) -> Result<Markup, Error> {
    let latencies = markdown::latencies(comparison, scenario);
    let percentiles = format!("Latency of `{}` by percentile", scenario.main);
    Ok(html! {
        h2 { (scenario.title) }
        p { (scenario.about) }
        (table(&markdown::figures(comparison, scenario), ""))
        @if let Some(latencies) = &latencies { (table(latencies, "")) }
        (figure("Throughput", plots::throughput(comparison, scenario)?))
        (figure(&percentiles, plots::percentiles(comparison, scenario)?))
        (figure("Latency of all requests over time", plots::over_time(comparison, scenario)?))
    })
}

fn figure(caption: &str, svg: String) -> Markup {
    html! { @if !svg.is_empty() { figure { (PreEscaped(svg)) figcaption { (caption) } } } }
}

fn table(table: &Table, class: &str) -> Markup {
    html! {
        div.scrolls {
            table class=(class) {
                thead { tr { @for cell in &table.head { th { (cell) } } } }
                tbody { @for row in &table.rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}
