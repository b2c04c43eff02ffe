//! Finds the mapping of a dropped file: a team's own one under `mappings/` in the bucket, or a built-in one.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::model::value::Value;

use crate::{
    App, IngestError,
    mapping::{self, Candidate, Fault, Mapping, Owner, Severity},
    rows::json,
    source::{FileError, FileErrorKind},
    team_mapping::read::{team_mapping, team_mapping_names},
};

/// The maximum number of a team's own mappings that `drop/auto/` compares a file with.
const MAX_CANDIDATES: usize = 100;
/// The maximum number of faults that a problem lists.
const MAX_FAULTS: usize = 3;

/// The mapping of an import, as its plan stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlannedMapping {
    pub(crate) name: String,
    /// The version of the team's own mapping; `None` if the mapping is built-in or the bucket has no versioning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_id: Option<String>,
    /// The SHA-256 hash of the document, in hexadecimal.
    pub(crate) sha256: String,
    /// The document, as JSON text.
    pub(crate) document: String,
}

impl PlannedMapping {
    fn new(name: &str, version_id: Option<String>, document: String) -> Self {
        Self {
            name: name.to_owned(),
            version_id,
            sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(&document)),
            document,
        }
    }

    /// Returns a built-in mapping.
    pub(crate) fn built_in(name: &str) -> Option<Self> {
        let document = mapping::built_in(name)?;
        Some(Self::new(name, None, without_indentation(document)))
    }

    /// Returns the mapping with the list of this name as its path of rows.
    pub(crate) fn with_rows(self, list: &str) -> Self {
        let Ok(mut document) = json::object(self.document.trim_start_matches('\u{FEFF}')) else {
            return self;
        };
        let mut input = document
            .get("input")
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default();
        input.insert("rows", list);
        document.insert("input", input);
        match serde_json::to_string(&document) {
            Ok(document) => Self::new(&self.name, self.version_id, document),
            Err(_) => self,
        }
    }

    /// Reads the mapping.
    ///
    /// # Errors
    /// The mapping is invalid. The problem lists the first faults.
    pub(crate) fn read(&self) -> Result<Mapping, FileError> {
        match Mapping::read(self.document.as_bytes()) {
            Ok((mapping, _)) => Ok(mapping),
            Err(faults) => Err(invalid(&self.name, &faults)),
        }
    }
}

/// Creates the problem of a file whose mapping is invalid. Warnings are not the reason, so they are left out.
pub(crate) fn invalid(name: &str, faults: &[Fault]) -> FileError {
    let is_error = |fault: &&Fault| fault.severity == Severity::Error;
    let errors: Vec<_> = faults.iter().filter(is_error).collect();
    let first = errors.iter().take(MAX_FAULTS);
    let first: Vec<_> = first.map(ToString::to_string).collect();
    let more = match errors.len().saturating_sub(MAX_FAULTS) {
        0 => String::new(),
        more => format!(" {more} more are in reports/mappings/{name}.json."),
    };
    let detail = format!(
        "The mapping {name} is invalid. {}{more} Correct mappings/{name}.json, and drop the file again.",
        first.join(" ")
    );
    FileError::new(FileErrorKind::InvalidMapping, detail)
}

/// A mapping as the plan stores it, and as it is read.
pub(crate) type Found = (PlannedMapping, Mapping);

/// Returns the mapping of a folder: the team's own one, or the built-in one of the name. The inner result is `None` if there is
/// neither, and the inner error is that of the file.
pub(crate) async fn find(
    app: &App,
    bucket: &str,
    name: &str,
) -> Result<Result<Option<Found>, FileError>, IngestError> {
    Ok(match own(app, bucket, name).await? {
        Ok(None) => built_in(name),
        found => found,
    })
}

fn built_in(name: &str) -> Result<Option<Found>, FileError> {
    let Some(planned) = PlannedMapping::built_in(name) else {
        return Ok(None);
    };
    let mapping = planned.read()?;
    Ok(Some((planned, mapping)))
}

/// Returns the team's own mapping of a name, if there is one.
async fn own(
    app: &App,
    bucket: &str,
    name: &str,
) -> Result<Result<Option<Found>, FileError>, IngestError> {
    let Some(found) = team_mapping(app, bucket, name).await? else {
        return Ok(Ok(None));
    };
    Ok(match Mapping::read(&found.document) {
        Ok((mapping, _)) => {
            let document = String::from_utf8_lossy(&found.document).into_owned();
            let planned = PlannedMapping::new(name, found.version_id, document);
            Ok(Some((planned, mapping)))
        }
        Err(faults) => Err(invalid(name, &faults)),
    })
}

/// The mappings that a file in `drop/auto/` is compared with.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) all: Vec<Candidate>,
    own: Vec<Found>,
}

impl Candidates {
    /// Returns the team's mappings that are valid and recognize files, and the built-in ones. A team's mapping replaces the built-in one
    /// of its name even if it is invalid.
    pub(crate) async fn load(app: &App, bucket: &str) -> Result<Self, IngestError> {
        let names = team_mapping_names(app, bucket).await?;
        let read = names.iter().take(MAX_CANDIDATES);
        let found = futures::future::join_all(read.map(|name| own(app, bucket, name))).await;
        let mut candidates = Self::default();
        for found in found {
            let Ok(Some((planned, mapping))) = found? else {
                continue;
            };
            if let Some(recognize) = mapping.recognizable().cloned() {
                candidates.all.push(Candidate {
                    name: planned.name.clone(),
                    recognize,
                    owner: Owner::Team,
                });
            }
            candidates.own.push((planned, mapping));
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        candidates.all.extend(mapping::built_in_candidates(&names));
        Ok(candidates)
    }

    /// Returns the mapping of a candidate.
    pub(crate) fn take(mut self, name: &str) -> Option<Found> {
        match self.own.iter().position(|(own, _)| own.name == name) {
            Some(place) => Some(self.own.swap_remove(place)),
            None => built_in(name).ok().flatten(),
        }
    }

    /// Calls `check` with the mapping of a candidate; `None` if there is none.
    pub(crate) fn with<T>(&self, name: &str, check: impl FnOnce(&Mapping) -> T) -> Option<T> {
        if let Some((_, mapping)) = self.own.iter().find(|(own, _)| own.name == name) {
            return Some(check(mapping));
        }
        let (_, mapping) = built_in(name).ok().flatten()?;
        Some(check(&mapping))
    }
}

/// Removes the line breaks of a JSON text and the indentation after them. Strings contain neither, because they escape line breaks.
fn without_indentation(document: &str) -> String {
    document.lines().map(str::trim_start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::InputOptions, rows::Format};

    #[test]
    fn invalid_mappings_show_no_warnings() {
        let document = r#"{"mapping": 1, "no_key": "A", "records": [{"type": "unify", "record":
            {"records": [{"email": "E"}, {"mobile": "M"}], "other": "O"}}]}"#;
        let faults = Mapping::read(document.as_bytes()).unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        let detail = invalid("pos", &faults).detail;
        assert!(detail.contains("`no_key`"), "{detail}");
        assert!(!detail.contains("other"), "{detail}");
    }

    #[test]
    fn mappings_take_a_path_of_rows() {
        for (input, expected) in [
            ("", InputOptions::default()),
            (
                r#""input": {"format": "json", "skip_lines": 1},"#,
                InputOptions {
                    format: Some(Format::Json),
                    skip_lines: 1,
                    ..InputOptions::default()
                },
            ),
        ] {
            let document = format!(
                "\u{feff}{{\"mapping\": 1, {input} \"records\": [{{\"type\": \"unify\", \"record\":
                {{\"records\": [{{\"email\": \"E\"}}, {{\"mobile\": {{\"const\": 12345678901234567890.10}}}}]}}}}]}}"
            );
            let planned = PlannedMapping::new("pos", Some("v1".to_owned()), document);
            let with_rows = planned.clone().with_rows("tickets \"new\"");
            let rows = Some("tickets \"new\"".to_owned());
            assert_eq!(
                with_rows.read().unwrap().input,
                InputOptions { rows, ..expected }
            );
            assert_eq!(
                (&with_rows.name, &with_rows.version_id),
                (&planned.name, &planned.version_id)
            );
            assert_ne!(with_rows.sha256, planned.sha256);
            assert!(
                with_rows.document.contains("12345678901234567890.10"),
                "{}",
                with_rows.document
            );
        }
    }

    #[test]
    fn stores_built_in_mappings_without_indentation() {
        for (name, document) in mapping::BUILT_IN {
            let planned = PlannedMapping::built_in(name).unwrap();
            assert!(planned.read().is_ok(), "{name}");
            let (short, whole): (serde_json::Value, serde_json::Value) = (
                serde_json::from_str(&planned.document).unwrap(),
                serde_json::from_str(document).unwrap(),
            );
            assert_eq!(short, whole, "{name}");
            assert!(planned.document.len() < 16 << 10, "{name}");
        }
    }
}
