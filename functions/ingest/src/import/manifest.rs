//! Puts, parses and deletes manifests: S3 objects that form the queue of pending work.
//!
//! A manifest's key contains the import, the byte range and the offset. Putting a manifest starts an invocation by its S3
//! notification. That invocation deletes the manifest when its work is done.

use aws_sdk_s3::{Client, error::ProvideErrorMetadata as _, primitives::ByteStream};
use shared::model::{keys, version::ImportId};

use crate::{IngestError, import::plan::Plan};

/// The key prefix of manifests.
pub(crate) const PREFIX: &str = "work/";
/// The version number of the manifest format.
const FORM: u64 = 1;
/// The maximum number of attempts to put a manifest while concurrent requests conflict with it.
const MAX_CONFLICTS: u32 = 5;

/// Pending work: the rest of a byte range of an import, from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) import: ImportId,
    /// The number of the range.
    pub(crate) range: usize,
    /// Where the rest begins, in bytes of the decompressed content.
    pub(crate) offset: u64,
}

impl Manifest {
    /// Returns the key: `work/{import}/{range}-{offset}.json`.
    pub(crate) fn key(&self) -> String {
        keys::manifest(self.import, self.range, self.offset)
    }

    /// Parses a key. Returns `None` if it is not the key of a manifest.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (import, work) = key
            .strip_prefix(PREFIX)?
            .strip_suffix(".json")?
            .split_once('/')?;
        let (range, offset) = work.split_once('-')?;
        let manifest = Self {
            import: import.parse().ok()?,
            range: range.parse().ok()?,
            offset: offset.parse().ok()?,
        };
        (manifest.key() == key).then_some(manifest)
    }

    /// Puts the manifest, unless it already exists.
    pub(crate) async fn put(&self, s3: &Client, plan: &Plan) -> Result<(), IngestError> {
        // The body is for people who look at the object. An invocation uses only the key.
        let body = serde_json::json!({
            "form": FORM,
            "import": self.import.to_string(),
            "operation": plan.kind(),
            "key": plan.object.key,
            "version_id": plan.object.version_id,
            "range": self.range,
            "offset": self.offset,
        });
        let body = body.to_string().into_bytes();
        for _ in 0..MAX_CONFLICTS {
            let put = s3
                .put_object()
                .bucket(&plan.object.bucket)
                .key(self.key())
                .content_type("application/json")
                .if_none_match("*")
                .body(ByteStream::from(body.clone()));
            let Err(error) = put.send().await else {
                return Ok(());
            };
            match error.as_service_error().and_then(|error| error.code()) {
                // The manifest already exists.
                Some("PreconditionFailed") => return Ok(()),
                // Another request put or deleted it concurrently. Only another attempt shows which request won.
                Some("ConditionalRequestConflict") => {}
                _ => return Err(IngestError::S3(error.into())),
            }
        }
        Err(IngestError::S3("a manifest was in conflict".into()))
    }

    /// Deletes the manifest after its work is done.
    pub(crate) async fn delete(&self, s3: &Client, bucket: &str) -> Result<(), IngestError> {
        let delete = s3
            .delete_object()
            .bucket(bucket)
            .key(self.key())
            .send()
            .await;
        delete.map_err(|error| IngestError::S3(error.into()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_all() {
        let manifest = Manifest {
            import: ImportId([7; 8]),
            range: 3,
            offset: 12_345,
        };
        assert_eq!(manifest.key(), "work/0707070707070707/3-12345.json");
        assert_eq!(Manifest::parse(&manifest.key()), Some(manifest));
        for key in [
            "work/x/0-1.json",
            "work/0707070707070707/0-01.json",
            "work/0707070707070707/0.json",
            "drop/a.json",
            "work/",
        ] {
            assert_eq!(Manifest::parse(key), None, "{key}");
        }
    }
}
