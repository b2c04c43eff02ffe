//! The results of a measurement, as a Markdown table.

use std::fmt::Write as _;

/// The bytes of a megabyte (MB).
pub(crate) const MEGABYTE: f64 = 1e6;
/// The bytes of a mebibyte (MiB).
pub(crate) const MEBIBYTE: f64 = 1_048_576.0;

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    name: String,
    figure: String,
    /// The target, and whether it is met.
    target: Option<(String, bool)>,
}

/// The lines of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a figure without a target.
    pub(crate) fn add(&mut self, name: impl Into<String>, figure: impl Into<String>) {
        let line = Line {
            name: name.into(),
            figure: figure.into(),
            target: None,
        };
        println!("  {}: {}", line.name, line.figure);
        self.lines.push(line);
    }

    /// Adds a figure. The target is met if `value` is at most `most`.
    pub(crate) fn at_most(
        &mut self,
        name: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        most: f64,
    ) {
        self.target(name, figure, format!("≤ {}", rounded(most)), value <= most);
    }

    /// Adds a ratio. The target is met if it is at least `least`.
    pub(crate) fn at_least(
        &mut self,
        name: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        least: f64,
    ) {
        let target = format!("≥ {}×", rounded(least));
        self.target(name, figure, target, value >= least);
    }

    fn target(
        &mut self,
        name: impl Into<String>,
        figure: impl Into<String>,
        target: String,
        is_met: bool,
    ) {
        self.add(name, figure);
        if let Some(line) = self.lines.last_mut() {
            line.target = Some((target, is_met));
        }
    }

    /// Adds a note on the method.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Renders the report as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            "| Measurement | Result | Target | Met |\n| --- | --- | --- | --- |\n".to_owned();
        for line in &self.lines {
            let (target, met) = match &line.target {
                None => ("", ""),
                Some((target, true)) => (target.as_str(), "yes"),
                Some((target, false)) => (target.as_str(), "**no**"),
            };
            let (name, figure) = (&line.name, &line.figure);
            let _ = writeln!(text, "| {name} | {figure} | {target} | {met} |");
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// Formats a number with no decimal places from 100, one from 10, two from 1, and four below. Omits zeros at the end.
pub(crate) fn rounded(value: f64) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else if value.abs() >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Formats a number of instructions or bytes, in millions.
pub(crate) fn millions(value: u64) -> String {
    format!("{:.2} M", value as f64 / 1e6)
}

/// Returns the median.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

/// Returns the percentile of the values (`percent` from 0 to 99).
pub(crate) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = values.len() * percent / 100;
    values.get(place).copied().unwrap_or_default()
}

/// Returns the mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
