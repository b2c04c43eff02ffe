//! Keeps the journal of erasures in the bucket. A table that is restored from a backup has lost the erasures since, and the journal
//! contains them as rows of forget files. It contains IDs of identities and times, and no identifiers.

use aws_sdk_s3::{Client, primitives::ByteStream};
use serde::Serialize;
use shared::model::{identity::IdentityId, time::Instant, version::Version};

use crate::{
    IngestError,
    record::{Forget, ForgetKind, MAX_FORGOTTEN},
};

/// The key prefix of the journal.
const PREFIX: &str = "erasures/";
/// The approximate size of an object of the journal, in bytes.
const OBJECT_BYTES: usize = 8 << 20;

/// A line of the journal: a row that repeats an erasure.
#[derive(Serialize)]
struct Entry<'a> {
    record_type: &'static str,
    identity_ids: &'a [IdentityId],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suppress: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reinstate: bool,
    /// The last modification of the forget file.
    erased_at: Option<Instant>,
}

/// The part of the journal that one invocation writes.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    client: &'a Client,
    bucket: &'a str,
    /// The number of the byte range.
    range: usize,
    /// The entries that were not put yet, as NDJSON.
    waiting: Vec<u8>,
    /// The versions of the first and the last row with waiting entries.
    span: Option<(Version, Version)>,
}

impl<'a> Journal<'a> {
    /// Creates the journal of a byte range.
    pub(crate) const fn new(client: &'a Client, bucket: &'a str, range: usize) -> Self {
        Self {
            client,
            bucket,
            range,
            waiting: Vec::new(),
            span: None,
        }
    }

    /// Adds the identities that the forget row with this version erased, suppressed or reinstated.
    pub(crate) async fn add(
        &mut self,
        forget: &Forget,
        identities: &[IdentityId],
        version: Version,
    ) -> Result<(), IngestError> {
        let (first, _) = self.span.unwrap_or((version, version));
        self.span = Some((first, version));
        for identity_ids in identities.chunks(MAX_FORGOTTEN) {
            let entry = Entry {
                record_type: "forget",
                identity_ids,
                suppress: forget.kind == ForgetKind::Suppress,
                reinstate: forget.kind == ForgetKind::Reinstate,
                erased_at: Instant::from_seconds(version.last_modified()),
            };
            serde_json::to_writer(&mut self.waiting, &entry)
                .map_err(|error| IngestError::S3(error.into()))?;
            self.waiting.push(b'\n');
        }
        if self.waiting.len() >= OBJECT_BYTES {
            self.put().await?;
        }
        Ok(())
    }

    /// Puts the waiting entries as one object. Must precede the checkpoint of their rows. An invocation that repeats rows puts the same
    /// entries again, perhaps in other objects.
    pub(crate) async fn put(&mut self) -> Result<(), IngestError> {
        let Some((first, last)) = self.span.take() else {
            return Ok(());
        };
        let (import, range) = (first.import(), self.range);
        let (first, last) = (first.offset(), last.offset());
        let body = std::mem::take(&mut self.waiting);
        let put = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(format!("{PREFIX}{import}/{range}-{first}-{last}.ndjson"))
            .content_type("application/x-ndjson")
            .body(ByteStream::from(body))
            .send()
            .await;
        put.map_err(|error| IngestError::S3(error.into()))?;
        Ok(())
    }
}
