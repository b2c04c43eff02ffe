//! The bucket: presigned URLs for uploads, multipart uploads, and the objects that the API shows.

use std::{error::Error, fmt, ops::Range, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, RequestChecksumCalculation, ResponseChecksumValidation,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    presigning::{PresignedRequest, PresigningConfig},
    types::{CompletedMultipartUpload, CompletedPart},
};
use serde::Serialize;
use shared::{
    http::problem::Problem,
    model::{keys, time::Instant, version::ImportId},
    runtime::config::{Config, ConfigError},
};

/// How long a presigned URL can be used, in seconds. An upload that has begun may take longer.
pub(crate) const URL_SECONDS: u64 = 15 * 60;
/// How long S3 may take to begin a response.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: Client,
    name: String,
}

/// A presigned request: what a client sends to S3 to upload a file or a part.
#[derive(Debug, Serialize)]
pub(crate) struct Presigned {
    method: &'static str,
    url: String,
    /// The headers to send. The HTTP client itself adds `content-length`, which is part of the signature too.
    headers: serde_json::Map<String, serde_json::Value>,
    expires_at: Instant,
}

/// A multipart upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multipart<'a> {
    pub(crate) key: &'a str,
    pub(crate) upload_id: &'a str,
}

/// The result of completing a multipart upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completed {
    /// The object exists.
    Done,
    /// The upload was completed or aborted before.
    Closed,
    /// A part is missing, too small or has another `ETag`.
    InvalidParts,
}

impl Bucket {
    /// Creates the client of the bucket.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let name = config.require_bucket()?;
        let mut s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(config.aws.http_client.clone())
            .region(config.aws.region.clone())
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
            // A checksum in a presigned URL would be that of an empty body.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .credentials_provider(config.aws.credentials.clone());
        if let Some(endpoint) = &config.aws.s3_endpoint {
            // A local endpoint has no host names for buckets.
            s3 = s3.endpoint_url(endpoint).force_path_style(true);
        }
        Ok(Self {
            client: Client::from_conf(s3.build()),
            name,
        })
    }

    /// Presigns the upload of a whole file, once: the signature covers its key, its size and that the key is absent.
    pub(crate) async fn presign_put(&self, key: &str, size: u64) -> Result<Presigned, Problem> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_length(length(size))
            .if_none_match("*");
        // Before it is signed, so that the URL is valid until then.
        let expires_at = expiry();
        let request = request.presigned(presigning()?).await.map_err(failure)?;
        Ok(Presigned::new(&request, expires_at))
    }

    /// Presigns the upload of a part: the signature covers its key, number and size.
    pub(crate) async fn presign_part(
        &self,
        upload: Multipart<'_>,
        number: u64,
        size: u64,
    ) -> Result<Presigned, Problem> {
        let request = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(upload.key)
            .upload_id(upload.upload_id)
            .part_number(i32::try_from(number).map_err(Problem::internal)?)
            .content_length(length(size));
        // Before it is signed, so that the URL is valid until then.
        let expires_at = expiry();
        let request = request.presigned(presigning()?).await.map_err(failure)?;
        Ok(Presigned::new(&request, expires_at))
    }

    /// Puts the first manifest of an operation, unless it exists. It starts the operation.
    pub(crate) async fn put_manifest(&self, operation: ImportId) -> Result<(), Problem> {
        let put = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(keys::manifest(operation, 0, 0))
            .content_type("application/json")
            .if_none_match("*")
            .body(Vec::from("{}").into());
        match put.send().await {
            Err(error) if error.code() != Some("PreconditionFailed") => Err(failure(error)),
            _ => Ok(()),
        }
    }

    /// Begins a multipart upload. Returns its id.
    pub(crate) async fn create_multipart(&self, key: &str) -> Result<String, Problem> {
        let create = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key);
        let created = create.send().await.map_err(failure)?;
        let id = created.upload_id.ok_or("S3 returned no upload ID");
        id.map_err(Problem::internal)
    }

    /// Completes a multipart upload from its parts: numbers and tags.
    pub(crate) async fn complete_multipart(
        &self,
        upload: Multipart<'_>,
        parts: &[(u64, String)],
    ) -> Result<Completed, Problem> {
        let parts = parts.iter().map(|(number, etag)| {
            CompletedPart::builder()
                .part_number(i32::try_from(*number).unwrap_or(i32::MAX))
                .e_tag(etag)
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
        let complete = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(upload.key)
            .upload_id(upload.upload_id)
            .if_none_match("*")
            .multipart_upload(parts.build());
        let Err(error) = complete.send().await else {
            return Ok(Completed::Done);
        };
        match error.code() {
            Some("NoSuchUpload" | "PreconditionFailed") => Ok(Completed::Closed),
            Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall") => {
                Ok(Completed::InvalidParts)
            }
            _ => Err(failure(error)),
        }
    }

    /// Reads an object, or a byte range of it. Returns `None` if the object does not exist, and no bytes if the range begins at its end.
    pub(crate) async fn read(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let get = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .set_range(range);
        match get.send().await {
            Ok(output) => {
                let body = output.body.collect().await.map_err(Problem::unavailable)?;
                Ok(Some(body.to_vec()))
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) if error.code() == Some("InvalidRange") => Ok(Some(Vec::new())),
            Err(error) => Err(failure(error)),
        }
    }
}

impl Presigned {
    fn new(request: &PresignedRequest, expires_at: Instant) -> Self {
        let headers = request.headers();
        let headers = headers
            // The others are added by every client, or not part of the signature.
            .filter(|(name, _)| *name == "if-none-match")
            .map(|(name, value)| (name.to_owned(), value.into()));
        Self {
            method: "PUT",
            url: request.uri().to_owned(),
            headers: headers.collect(),
            expires_at,
        }
    }
}

fn presigning() -> Result<PresigningConfig, Problem> {
    PresigningConfig::expires_in(Duration::from_secs(URL_SECONDS)).map_err(Problem::internal)
}

/// Returns when a URL that is signed now expires, in whole seconds like its signature.
fn expiry() -> Instant {
    let now = Instant::now().seconds();
    Instant::from_seconds(now.saturating_add_unsigned(URL_SECONDS)).unwrap_or_default()
}

fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Converts an error of S3, by whether a retry may succeed. The SDK's own retries are already over.
fn failure<E, R>(error: SdkError<E, R>) -> Problem
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let is_unreached = !matches!(
        error,
        SdkError::ConstructionFailure(_) | SdkError::ServiceError(_)
    );
    match error.code() {
        Some("SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout") => {
            Problem::unavailable(error)
        }
        _ if is_unreached => Problem::unavailable(error),
        _ => Problem::internal(error),
    }
}
