//! The plots, as SVG.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Comparison, ModeNames};
use crate::cli::Error;
use crate::compare::figures::{Figures, Kind};
use crate::compare::scenario::Scenario;

const SIZE: (u32, u32) = (660, 320);
const FONT: &str = "sans-serif";

/// A colour for each mode, told apart by people who see fewer colours, too (Okabe and Ito's).
const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 114, 178), RGBColor(86, 180, 233), RGBColor(213, 94, 0), RGBColor(230, 159, 0), RGBColor(0, 158, 115)];

/// What latency is: a line of points, named and coloured as its mode.
type Line = Vec<(f64, f64)>;

/// Requests per second of each mode, as bars.
pub(super) fn throughput(comparison: &Comparison, scenario: &Scenario) -> Result<String, Error> {
    let bars: Vec<(&str, f64)> =
        comparison.of(scenario).map(|(mode, figures)| (mode.title, figures.requests_per_second)).collect();
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max) * 1.1;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let count = i32::try_from(bars.len())?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d((0..count - 1).into_segmented(), 0.0..most)?;
        let title = |segment: &SegmentValue<i32>| match segment {
            SegmentValue::CenterOf(index) => usize::try_from(*index)
                .ok()
                .and_then(|index| bars.get(index))
                .map_or_else(String::new, |bar| bar.0.into()),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_label_formatter(&title)
            .y_desc("requests/s")
            .y_label_formatter(&|value| format!("{value:.0}"))
            .label_style((FONT, 12))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        chart.draw_series((0..count).zip(bars.iter().zip(COLOURS)).map(|(index, ((_, value), colour))| {
            let corners = [(SegmentValue::Exact(index), 0.0), (SegmentValue::Exact(index + 1), *value)];
            let mut bar = Rectangle::new(corners, colour.filled());
            bar.set_margin(0, 0, 18, 18);
            bar
        }))?;
        area.present()?;
    }
    Ok(svg)
}

/// The percentiles of the kind of request that a scenario is about. The further right, the rarer.
pub(super) fn percentiles(comparison: &Comparison, scenario: &Scenario) -> Result<String, Error> {
    // From the 50th to the 99.9th, each nine as wide as the one before.
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).log10();
    let line = |kind: &Kind| -> Line {
        let shown = kind.percentiles.iter().filter(|(percentile, _)| (50.0..100.0).contains(percentile));
        shown.map(|&(percentile, micros)| (nines(percentile), micros / 1000.0)).collect()
    };
    let lines = lines(comparison, scenario, |figures| figures.main().map(line).unwrap_or_default());
    let label = |nines: &f64| format!("p{}", (1000.0 - 1000.0 * 10_f64.powf(-nines)).round() / 10.0);
    let marks = [50.0, 80.0, 90.0, 95.0, 99.0, 99.9].map(nines).to_vec();
    draw(&lines, &Axis { about: "percentile", label: &label, marks: Some(marks) })
}

/// The 99th percentile of all requests over time, the rounds one after another.
pub(super) fn over_time(comparison: &Comparison, scenario: &Scenario) -> Result<String, Error> {
    let line =
        |figures: &Figures| figures.line.iter().map(|stretch| (stretch.at / 1000.0, stretch.p99 / 1000.0)).collect();
    let label = |second: &f64| format!("{second:.2}");
    let axis = Axis { about: "s of turns, p99 of each 100 ms", label: &label, marks: None };
    draw(&lines(comparison, scenario, line), &axis)
}

fn lines<'comparison>(
    comparison: &'comparison Comparison,
    scenario: &'comparison Scenario,
    line: impl Fn(&Figures) -> Line,
) -> Vec<(&'comparison ModeNames, RGBColor, Line)> {
    let coloured = comparison.of(scenario).zip(COLOURS);
    coloured.map(|((mode, figures), colour)| (mode, colour, line(figures))).collect()
}

/// What the lower axis says.
struct Axis<'label> {
    about: &'static str,
    label: &'label dyn Fn(&f64) -> String,
    /// Where it says it; at even distances otherwise.
    marks: Option<Vec<f64>>,
}

/// Lines of milliseconds, on a scale on which a tenth of a millisecond is as far from one as one from ten.
fn draw(lines: &[(&ModeNames, RGBColor, Line)], axis: &Axis<'_>) -> Result<String, Error> {
    let points = lines.iter().flat_map(|(_, _, line)| line).filter(|(_, value)| *value > 0.0);
    let bounds = |value: fn(&(f64, f64)) -> f64| {
        let values = points.clone().map(value);
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max))
    };
    let ((first, last), (least, most)) = (bounds(|point| point.0), bounds(|point| point.1));
    if first >= last {
        return Ok(String::new());
    }
    let (least, most) = (least * 0.6, most * 1.8);
    let across = match &axis.marks {
        Some(marks) => marks.clone(),
        None => (0..=6).map(|part| first + (last - first) * f64::from(part) / 6.0).collect(),
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let up = (least..most).log_scale().with_key_points(round_values(least, most));
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(Across { inner: (first..last).into(), marks: across }, up)?;
        chart
            .configure_mesh()
            .x_desc(axis.about)
            .y_desc("ms")
            .x_label_formatter(&axis.label)
            .y_label_formatter(&|value| value.to_string())
            .label_style((FONT, 12))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        for (mode, colour, line) in lines {
            let points = line.iter().copied().filter(|(_, value)| *value > 0.0);
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(mode.title)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 12))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

/// A range of numbers with marks where they are wanted: plotters' own way of having them is for integers.
struct Across {
    inner: RangedCoordf64,
    marks: Vec<f64>,
}

impl Ranged for Across {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.inner.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.inner.range()
    }
}

/// What begins with 1, 2 or 5 between these two.
fn round_values(least: f64, most: f64) -> Vec<f64> {
    let powers = -3..=5;
    // Not by multiplying: 0.2 is no 2 × 0.1.
    let texts = powers.flat_map(|power| [1, 2, 5].map(|digit| format!("{digit}e{power}")));
    texts.filter_map(|text| text.parse().ok()).filter(|value| (least..most).contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_values() {
        assert_eq!(round_values(0.08, 3.0), [0.1, 0.2, 0.5, 1.0, 2.0]);
    }
}
