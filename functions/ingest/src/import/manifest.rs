//! Manifests: S3 as the queue of work that is left. A manifest's key says all: which import, which range, from
//! where. Putting one starts a run by its notification, and it is gone when that run has seen to it.

use aws_sdk_s3::{Client, error::ProvideErrorMetadata as _, primitives::ByteStream};
use shared::version::ImportId;

use crate::{IngestError, import::plan::Plan};

/// Where manifests lie.
pub(crate) const PREFIX: &str = "work/";
/// The number of this form of manifests.
const FORM: u64 = 1;
/// How often a put that another request got in the way of is tried.
const MAX_CONFLICTS: u32 = 5;

/// Work that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) import: ImportId,
    pub(crate) range: usize,
    pub(crate) offset: u64,
}

impl Manifest {
    /// `work/{import}/{range}-{offset}.json`
    pub(crate) fn key(&self) -> String {
        format!(
            "{PREFIX}{}/{}-{}.json",
            self.import, self.range, self.offset
        )
    }

    /// Reads a key; `None` for what is no manifest's.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (import, place) = key
            .strip_prefix(PREFIX)?
            .strip_suffix(".json")?
            .split_once('/')?;
        let (range, offset) = place.split_once('-')?;
        let manifest = Self {
            import: import.parse().ok()?,
            range: range.parse().ok()?,
            offset: offset.parse().ok()?,
        };
        (manifest.key() == key).then_some(manifest)
    }

    /// Puts it, unless it lies there already.
    pub(crate) async fn put(&self, s3: &Client, plan: &Plan) -> Result<(), IngestError> {
        // For those who find it: a run goes by the key alone.
        let body = serde_json::json!({
            "form": FORM,
            "import": self.import.to_string(),
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
                // It lies there already.
                Some("PreconditionFailed") => return Ok(()),
                // It was put or deleted at the same time: which of them won can only be asked.
                Some("ConditionalRequestConflict") => {}
                _ => return Err(IngestError::S3(error.into())),
            }
        }
        Err(IngestError::S3("a manifest was in conflict".into()))
    }

    /// Deletes it: its run has seen to it.
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
