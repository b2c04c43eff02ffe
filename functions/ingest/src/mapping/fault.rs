//! The faults of a mapping.

use std::fmt;

use serde::Serialize;
use shared::model::value::Map;

use crate::record::{path::Path, similar::similar};

/// Something wrong with a mapping: where, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The path in the document, such as `records[0].record.products.as.quantity`. Empty for the document as a whole.
    pub(crate) place: String,
    /// What is wrong and how to fix it.
    pub(crate) problem: String,
    pub(crate) severity: Severity,
}

impl Fault {
    /// Creates an error of the document as a whole.
    pub(crate) fn of_document(problem: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            problem: problem.into(),
            severity: Severity::Error,
        }
    }
}

/// Whether a mapping with the fault can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// The mapping is not used.
    Error,
    /// The mapping is used. The report of its validation contains the warning.
    Warning,
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// Adds an error.
    pub(super) fn error(&mut self, place: &Path<'_>, problem: impl Into<String>) {
        self.add(place, problem, Severity::Error);
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, place: &Path<'_>, problem: impl Into<String>) {
        self.add(place, problem, Severity::Warning);
    }

    /// Reports the keys that an object cannot have.
    pub(super) fn check_keys(&mut self, map: &Map, known: &[&'static str], path: &Path<'_>) {
        for (key, _) in map.iter().filter(|(key, _)| !known.contains(key)) {
            let fix = match similar(key, known.iter().copied()) {
                Some(like) => format!("Did you mean `{like}`?"),
                None => format!("Use {}.", known.join(", ")),
            };
            self.error(&Path::Field(path, key), format!("is not a key here. {fix}"));
        }
    }

    fn add(&mut self, place: &Path<'_>, problem: impl Into<String>, severity: Severity) {
        self.0.push(Fault {
            place: place.to_string(),
            problem: problem.into(),
            severity,
        });
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => write!(f, "The mapping {}", self.problem),
            place => write!(f, "`{place}` {}", self.problem),
        }
    }
}
