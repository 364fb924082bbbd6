//! Tables in text.

/// A table: its head, and its rows.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Of these columns.
    pub(crate) fn new<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Self {
        Self { head: head.map(str::to_owned).to_vec(), rows: rows.into_iter().map(Vec::from).collect() }
    }

    /// In Markdown, which reads well in a terminal, too.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<&Vec<String>> = std::iter::once(&self.head).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |cells: &[String], fill: &str| {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!(" {cell}{} |", fill.repeat(width.saturating_sub(cell.chars().count()))));
            format!("|{}\n", padded.collect::<String>())
        };
        let rule = vec![String::new(); self.head.len()];
        let mut text = vec![line(&self.head, " "), line(&rule, "-")];
        text.extend(self.rows.iter().map(|row| line(row, " ")));
        text.concat()
    }
}
