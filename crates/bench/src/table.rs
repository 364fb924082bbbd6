//! The figures, the bars that they are held against, and the table of both.

use std::fmt;

use serde_json::{Value, json};

use crate::markdown::Table;

/// What a figure must be.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
    Exactly(f64),
    /// At most this far from 1.
    Within(f64),
}

impl Bar {
    /// NaN, which is no figure, meets no bar.
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Below(bound) => value < bound,
            #[expect(clippy::float_cmp, reason = "counts that agree have the ratio 1.0 and no other")]
            Self::Exactly(exact) => value == exact,
            Self::Within(distance) => (value - 1.0).abs() <= distance,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::Below(bound) => write!(f, "< {bound}"),
            Self::Exactly(exact) => write!(f, "= {exact}"),
            Self::Within(distance) => write!(f, "1 ± {distance}"),
        }
    }
}

/// One figure.
pub(crate) struct Figure {
    /// What was measured, the unit included unless it is a ratio.
    pub(crate) name: String,
    pub(crate) value: f64,
    /// What the value was made of.
    pub(crate) details: String,
    /// None for one that is only stated.
    pub(crate) bar: Option<Bar>,
}

impl Figure {
    /// Whether it meets its bar, if it has one.
    pub(crate) fn holds(&self) -> Option<bool> {
        self.bar.map(|bar| bar.is_met_by(self.value))
    }

    fn cells(&self) -> [String; 4] {
        // Four digits that count, whether it is a share of a command or a number of bytes.
        let value = match self.value.abs() {
            small if small < 10.0 => format!("{:.3}", self.value),
            small if small < 1000.0 => format!("{:.1}", self.value),
            _ => format!("{:.0}", self.value),
        };
        let measured = if self.details.is_empty() { value } else { format!("{value} ({})", self.details) };
        let holds = self.holds().map_or("", |holds| if holds { "yes" } else { "NO" });
        [self.name.clone(), measured, self.bar.map_or_else(String::new, |bar| bar.to_string()), holds.to_owned()]
    }
}

/// The table in Markdown.
pub(crate) fn markdown(figures: &[Figure]) -> String {
    Table::new(["figure", "measured", "bar", "holds"], figures.iter().map(Figure::cells).collect()).text()
}

/// The figures for programs.
pub(crate) fn json(figures: &[Figure]) -> Value {
    let figure = |figure: &Figure| {
        json!({
            "figure": figure.name, "value": figure.value, "details": figure.details,
            "bar": figure.bar.map(|bar| bar.to_string()), "holds": figure.holds(),
        })
    };
    figures.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_on_its_bar_holds_unless_it_must_be_below() {
        for (bar, value, expected) in [
            (Bar::AtLeast(0.85), 0.85, true),
            (Bar::AtLeast(0.85), 0.84, false),
            (Bar::AtMost(1.2), 1.2, true),
            (Bar::AtMost(1.2), 1.21, false),
            (Bar::Below(0.05), 0.05, false),
            (Bar::Exactly(1.0), 1.0, true),
            (Bar::Exactly(1.0), 1.0001, false),
            (Bar::Within(0.1), 0.91, true),
            (Bar::Within(0.1), 1.11, false),
            (Bar::AtMost(1.2), f64::NAN, false),
        ] {
            assert_eq!(bar.is_met_by(value), expected, "{value} {bar}");
        }
    }

    #[test]
    fn the_table_is_aligned() {
        let figure = |name: &str, value, bar| Figure { name: name.into(), value, details: String::new(), bar };
        let figures = [figure("short", 0.9, Some(Bar::AtLeast(0.85))), figure("much longer", 1234.5, None)];

        let expected = "| figure      | measured | bar    | holds |\n| ----------- | -------- | ------ | ----- |\n\
                        | short       | 0.900    | ≥ 0.85 | yes   |\n| much longer | 1234     |        |       |\n";
        assert_eq!(markdown(&figures), expected);
    }
}
