//! The report on a mapping that was put, for the person who put it, and its metrics.

use aws_sdk_s3::{Client, primitives::ByteStream};
use serde::Serialize;
use shared::{
    model::{report_key::MAX_KEY_BYTES, time::Instant},
    runtime::metrics::{self, Unit},
};

use super::{name::PREFIX, read::TeamMapping};
use crate::{
    IngestError,
    mapping::{Fault, Mapping, Severity, built_in},
    names::named,
    source::notification::ObjectVersion,
    text::grouped,
};

/// The maximum number of errors, and of warnings, that a report lists.
const MAX_LISTED: usize = 100;

named! {
    /// Whether a mapping is used.
    MappingStatus {
        Valid = "valid",
        Invalid = "invalid",
    }
}

/// The report on a mapping. Files are imported with it only if it is valid.
#[derive(Debug, Serialize)]
pub(super) struct MappingReport {
    /// The name of the mapping. If the name is wrong, the key after `mappings/`.
    mapping: String,
    /// The version that was checked. `None` in a bucket without versioning.
    version_id: Option<String>,
    status: MappingStatus,
    /// The default source of the records, if the mapping is valid and names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Whether there is a built-in mapping of this name. The team's mapping takes precedence, also if it is invalid.
    overrides_builtin: bool,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    checked_at: Instant,
    /// The name in log lines. `None` if the name is wrong, because it may contain personal data.
    #[serde(skip)]
    logged_name: Option<String>,
}

/// Something wrong with a mapping.
#[derive(Debug, Serialize)]
struct Finding {
    /// The path in the document. Empty for the document as a whole.
    place: String,
    /// What is wrong and how to fix it.
    problem: String,
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        Self {
            place: fault.place,
            problem: fault.problem,
        }
    }
}

impl MappingReport {
    /// Validates a mapping.
    pub(super) fn new(name: &str, mapping: &TeamMapping) -> Self {
        let (source, faults) = match Mapping::read(&mapping.document) {
            Ok((mapping, warnings)) => (mapping.source, warnings),
            Err(faults) => (None, faults),
        };
        let version_id = mapping.version_id.clone();
        Self {
            source,
            overrides_builtin: built_in(name).is_some(),
            logged_name: Some(name.to_owned()),
            ..Self::with_faults(name, version_id, faults)
        }
    }

    /// Creates the report on an object whose key is not that of a mapping.
    pub(super) fn misnamed(object: &ObjectVersion, fault: Fault) -> Self {
        let rest = object.key.strip_prefix(PREFIX).unwrap_or(&object.key);
        Self::with_faults(rest, object.version_id.clone(), vec![fault])
    }

    fn with_faults(mapping: &str, version_id: Option<String>, faults: Vec<Fault>) -> Self {
        let (errors, warnings): (Vec<_>, Vec<_>) = faults
            .into_iter()
            .partition(|fault| fault.severity == Severity::Error);
        Self {
            mapping: mapping.to_owned(),
            version_id,
            status: if errors.is_empty() {
                MappingStatus::Valid
            } else {
                MappingStatus::Invalid
            },
            source: None,
            overrides_builtin: false,
            errors: listed(errors, "errors"),
            warnings: listed(warnings, "warnings"),
            checked_at: Instant::now(),
            logged_name: None,
        }
    }

    /// Puts the report in place of earlier ones, logs it and writes its metrics.
    pub(super) async fn put(&self, s3: &Client, object: &ObjectVersion) -> Result<(), IngestError> {
        let body =
            serde_json::to_vec_pretty(self).map_err(|error| IngestError::S3(error.into()))?;
        let put = s3
            .put_object()
            .bucket(&object.bucket)
            .key(report_key(object))
            .content_type("application/json")
            .body(ByteStream::from(body));
        let put = put.send().await;
        put.map_err(|error| IngestError::S3(error.into()))?;
        self.measure();
        Ok(())
    }

    /// Logs the result and writes the metrics.
    fn measure(&self) {
        let (mapping, status) = (self.logged_name.as_deref(), self.status.as_str());
        tracing::info!(
            mapping,
            status,
            errors = self.errors.len(),
            warnings = self.warnings.len(),
            "mapping checked"
        );
        let invalid = u8::from(self.status == MappingStatus::Invalid);
        metrics::emit(
            &[
                ("MappingsChecked", Unit::Count, 1.0),
                ("MappingsInvalid", Unit::Count, f64::from(invalid)),
            ],
            &[("mapping", mapping.into()), ("status", status.into())],
        );
    }
}

/// Returns the findings of a report. If there are more than [`MAX_LISTED`], the last one states how many are left out.
fn listed(faults: Vec<Fault>, kind: &str) -> Vec<Finding> {
    let left_out = faults.len().saturating_sub(MAX_LISTED);
    let mut findings: Vec<Finding> = faults
        .into_iter()
        .take(MAX_LISTED)
        .map(Finding::from)
        .collect();
    if left_out > 0 {
        let problem = format!("has {} more {kind}.", grouped(left_out));
        findings.push(Fault::of_document(problem).into());
    }
    findings
}

/// Returns the key of the report on an object. The ID of the object's version replaces a key that would be too long.
fn report_key(object: &ObjectVersion) -> String {
    let key = format!("reports/{}", object.key);
    if key.len() <= MAX_KEY_BYTES {
        return key;
    }
    format!("reports/{PREFIX}{}.json", object.import())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = include_str!("../../../../infra/docs/reference/files.md");

    fn object(key: &str) -> ObjectVersion {
        ObjectVersion {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            version_id: Some("v".to_owned()),
            etag: "e".to_owned(),
            sequencer: "01".to_owned(),
            dropped_at: None,
            is_empty: false,
            origin: crate::source::notification::Origin::default(),
        }
    }

    fn report(name: &str, document: &str) -> MappingReport {
        let mapping = TeamMapping {
            version_id: Some("v".to_owned()),
            document: document.into(),
        };
        MappingReport::new(name, &mapping)
    }

    #[test]
    fn lists_every_field() {
        let document = r#"{"mapping": 1, "source": "pos", "records": [{"type": "unify", "record": {"records": [{"email": "E"}, {"mobile": "M"}]}}]}"#;
        let report = serde_json::to_value(report("pos", document)).unwrap();
        let fields: Vec<_> = report.as_object().unwrap().keys().cloned().collect();
        let (_, section) = FILES.split_once("\n## Reports on mappings\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut listed: Vec<_> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .map(|(name, _)| name)
            .collect();
        listed.sort_unstable();
        let mut sorted = fields;
        sorted.sort_unstable();
        assert_eq!(listed, sorted);
    }

    #[test]
    fn recognizes_names_of_built_in_mappings() {
        for (name, expected) in [("shopify-orders", true), ("pos", false)] {
            let report = report(name, "{}");
            assert_eq!(report.overrides_builtin, expected, "{name}");
            assert_eq!(report.status, MappingStatus::Invalid);
        }
    }

    #[test]
    fn counts_what_it_does_not_list() {
        let faults = |count| vec![Fault::of_document("is wrong."); count];
        assert_eq!(listed(faults(MAX_LISTED), "errors").len(), MAX_LISTED);
        let findings = listed(faults(MAX_LISTED + 1_234), "errors");
        assert_eq!(findings.len(), MAX_LISTED + 1);
        assert_eq!(findings[MAX_LISTED].problem, "has 1,234 more errors.");
    }

    #[test]
    fn keys_fit() {
        let object = object("mappings/pos.json");
        assert_eq!(report_key(&object), "reports/mappings/pos.json");
        let long = self::object(&format!("mappings/{}.json", "x".repeat(1_010)));
        let expected = format!("reports/mappings/{}.json", long.import());
        assert_eq!(report_key(&long), expected);
        let misnamed = MappingReport::misnamed(&long, Fault::of_document("is wrong."));
        assert_eq!(misnamed.logged_name, None);
    }
}
