//! The keys of an import's report and rejects in the bucket.

use crate::model::{drop_path::DropPath, value::Map, version::ImportId};

/// The maximum length of an S3 key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// The keys of an import's report and rejects. Contains their common part.
#[derive(Debug)]
pub struct ReportKeys(String);

impl ReportKeys {
    /// Returns the keys for one version of an object. `version` distinguishes it from others of the key.
    pub fn new(key: &str, version: &str, import: ImportId) -> Self {
        if key.starts_with("try/") && DropPath::parse(key).upload.is_some() {
            return Self::of_tried_upload(key);
        }
        let long = format!("{key}/{version}");
        // The 64 bytes are for the longest name under a prefix: a range, two offsets and the extension.
        // The ID of the import replaces a key that would be too long.
        let fits = "rejects/".len() + long.len() + 64 <= MAX_KEY_BYTES;
        Self(if fits { long } else { import.to_string() })
    }

    /// Returns the keys for a stored plan, of an import or of an operation with this ID.
    pub fn of_plan(plan: &Map, id: ImportId) -> Self {
        if plan.get("operation").is_some() {
            return Self::of_operation(id);
        }
        let text = |name| plan.text(name).unwrap_or_default();
        let version = version_of(plan.text("version_id"), text("etag"), text("sequencer"));
        Self::new(text("key"), &version, id)
    }

    /// Returns the keys for an upload that is tried. Its key is used once, so the version is left out: the API does not know it.
    pub fn of_tried_upload(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// Returns the keys of an operation on an import.
    pub fn of_operation(id: ImportId) -> Self {
        Self(id.to_string())
    }

    /// Returns the key of the report.
    pub fn report(&self) -> String {
        format!("reports/{}.json", self.0)
    }

    /// Returns the key of a rejects object.
    pub fn rejects(&self, name: &str) -> String {
        format!("rejects/{}/{name}.ndjson", self.0)
    }
}

/// Returns an identifier that distinguishes a version of an object from others of its key. `version_id` is `None` in a bucket without
/// versioning.
pub fn version_of(version_id: Option<&str>, etag: &str, sequencer: &str) -> String {
    version_id.map_or_else(|| format!("{etag}-{sequencer}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_tried_uploads_have_no_version() {
        let import = ImportId::new("b", "k", "v");
        let of = |key: &str| ReportKeys::new(key, "v", import).report();
        let id = "0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d";
        for (key, suffix) in [
            (format!("try/auto/{id}/a.csv"), ""),
            (format!("try/auto/pos/{id}/a.csv"), ""),
            (format!("drop/auto/pos/{id}/a.csv"), "/v"),
            (format!("try/auto/pos/x/{id}/a.csv"), "/v"),
            (format!("try/auto/{id}"), "/v"),
        ] {
            assert_eq!(of(&key), format!("reports/{key}{suffix}.json"));
        }
        let long = format!("drop/auto/{}", "a".repeat(1000));
        assert_eq!(of(&long), format!("reports/{import}.json"));
    }
}
