//! Reads one version of an object as a stream of bytes. A body that breaks off is resumed at the next byte.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::get_object::{GetObjectError, GetObjectOutput},
    primitives::ByteStream,
};
use bytes::Bytes;

use crate::{IngestError, source::notification::ObjectVersion};

/// The maximum number of times that a body breaks off without a byte in between.
const MAX_BREAKS: u32 = 5;

/// An object that is being read.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    client: &'a Client,
    object: &'a ObjectVersion,
    stream: ByteStream,
    /// Where the next byte is in the object.
    position: u64,
    /// The size of the object, in bytes.
    length: u64,
    /// How often the body broke off since the last byte.
    breaks: u32,
    /// When the object was last modified, in seconds since 1970.
    pub(crate) last_modified: i64,
}

impl Body<'_> {
    /// Returns the size of the whole object, in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.length
    }
}

/// The result of opening an object.
#[derive(Debug)]
pub(crate) enum OpenResult<T> {
    /// The object, or the data that was read from it.
    Open(T),
    /// The version was deleted.
    Gone,
    /// The bucket has no versioning, and another object replaced this one.
    Superseded,
}

impl<'a> Body<'a> {
    /// Opens the object at the byte `from`, which must be one of its bytes, or 0.
    pub(crate) async fn open(
        client: &'a Client,
        object: &'a ObjectVersion,
        from: u64,
    ) -> Result<OpenResult<Self>, IngestError> {
        let output = match get(client, object, from).await? {
            OpenResult::Open(output) => *output,
            OpenResult::Gone => return Ok(OpenResult::Gone),
            OpenResult::Superseded => return Ok(OpenResult::Superseded),
        };
        // Without the length, the end of the object looks like a body that breaks off.
        let length = output
            .content_length()
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| IngestError::S3("GetObject returned no Content-Length".into()))?;
        Ok(OpenResult::Open(Self {
            client,
            object,
            position: from,
            length: from + length,
            breaks: 0,
            last_modified: output
                .last_modified()
                .map_or(0, aws_sdk_s3::primitives::DateTime::secs),
            stream: output.body,
        }))
    }

    /// Returns the next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, IngestError> {
        loop {
            if self.position == self.length {
                return Ok(None);
            }
            let error: Box<dyn std::error::Error + Send + Sync> = match self.stream.next().await {
                Some(Ok(chunk)) => {
                    self.position += chunk.len() as u64;
                    self.breaks = 0;
                    return Ok(Some(chunk));
                }
                Some(Err(error)) => error.into(),
                None => "the body ended early".into(),
            };
            self.breaks += 1;
            if self.breaks > MAX_BREAKS {
                return Err(IngestError::S3(error));
            }
            tokio::time::sleep(Duration::from_millis(50 << self.breaks)).await;
            match get(self.client, self.object, self.position).await? {
                OpenResult::Open(output) => self.stream = output.body,
                // The object disappeared while it was read. The next attempt reports that.
                OpenResult::Gone | OpenResult::Superseded => return Err(IngestError::S3(error)),
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
impl<'a> Body<'a> {
    /// Returns a body of these bytes, whatever the object contains.
    pub(crate) fn of(
        client: &'a Client,
        object: &'a ObjectVersion,
        length: u64,
        stream: ByteStream,
    ) -> Self {
        Self {
            client,
            object,
            position: 0,
            length,
            breaks: 0,
            last_modified: 0,
            stream,
        }
    }
}

/// Requests the object from the byte `from` on.
async fn get(
    client: &Client,
    object: &ObjectVersion,
    from: u64,
) -> Result<OpenResult<Box<GetObjectOutput>>, IngestError> {
    let mut request = client.get_object().bucket(&object.bucket).key(&object.key);
    request = match &object.version_id {
        Some(version_id) => request.version_id(version_id),
        None => request.if_match(&object.etag),
    };
    if from > 0 {
        request = request.range(format!("bytes={from}-"));
    }
    match request.send().await {
        Ok(output) => Ok(OpenResult::Open(Box::new(output))),
        Err(error) => unavailable(&error).ok_or_else(|| IngestError::S3(error.into())),
    }
}

/// Returns why an object is no longer available; `None` for other errors, which may be temporary.
fn unavailable<T, R>(error: &SdkError<GetObjectError, R>) -> Option<OpenResult<T>> {
    match error.as_service_error()?.code()? {
        // The version of a delete marker cannot be read. S3 reports it as a method that is not allowed.
        "NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed" => Some(OpenResult::Gone),
        "PreconditionFailed" => Some(OpenResult::Superseded),
        _ => None,
    }
}
