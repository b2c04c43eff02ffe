//! The results of a measurement, as a Markdown table.

use std::fmt::Write as _;

pub(crate) const MEGABYTE: f64 = 1e6;
pub(crate) const MEBIBYTE: f64 = 1_048_576.0;

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    what: String,
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
    pub(crate) fn say(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        let line = Line {
            what: what.into(),
            figure: figure.into(),
            target: None,
        };
        println!("  {}: {}", line.what, line.figure);
        self.lines.push(line);
    }

    /// Adds a figure. The target is met if `value` is at most `most`.
    pub(crate) fn at_most(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        most: f64,
    ) {
        self.target(what, figure, format!("≤ {}", short(most)), value <= most);
    }

    /// Adds a ratio. The target is met if it is at least `least`.
    pub(crate) fn at_least(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        least: f64,
    ) {
        let target = format!("≥ {}×", short(least));
        self.target(what, figure, target, value >= least);
    }

    fn target(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        target: String,
        is_met: bool,
    ) {
        self.say(what, figure);
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
        let mut text = "| what | measured | target | met |\n| --- | --- | --- | --- |\n".to_owned();
        for line in &self.lines {
            let (target, met) = match &line.target {
                None => ("", ""),
                Some((target, true)) => (target.as_str(), "yes"),
                Some((target, false)) => (target.as_str(), "**no**"),
            };
            let (what, figure) = (&line.what, &line.figure);
            let _ = writeln!(text, "| {what} | {figure} | {target} | {met} |");
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// Formats a number with its significant digits.
pub(crate) fn short(value: f64) -> String {
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
