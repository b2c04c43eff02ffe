//! Reads, writes, copies and deletes single objects.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::body::{Claims, send};
use super::index::{Headers, Object, Version};
use super::store::{Conditions, Put, Store, matches, now};

/// Takes the headers that S3 stores with an object from a request.
macro_rules! headers {
    ($input:expr) => {
        crate::s3::index::Headers {
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $input.content_encoding,
            content_language: $input.content_language,
            content_type: $input.content_type,
            expires: $input
                .expires
                .as_ref()
                .and_then(crate::s3::objects::date_text),
            website_redirect_location: $input.website_redirect_location,
            user: $input.metadata.unwrap_or_default().into_iter().collect(),
        }
    };
}

/// Builds the fields that the responses of `GetObject` and `HeadObject` have in common.
macro_rules! output {
    ($kind:ident, $version:ident, $object:ident, $with_checksums:ident) => {{
        let Headers { expires, user, .. } = &$object.headers;
        let headers = $object.headers.clone();
        let sum = |name: &str| {
            $object
                .checksums
                .get(name)
                .filter(|_| $with_checksums)
                .cloned()
        };
        $kind {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: headers.cache_control,
            checksum_crc32: sum("crc32"),
            checksum_crc32c: sum("crc32c"),
            checksum_crc64nvme: sum("crc64nvme"),
            checksum_sha1: sum("sha1"),
            checksum_sha256: sum("sha256"),
            checksum_type: ($with_checksums && !$object.checksums.is_empty())
                .then(|| ChecksumType::FULL_OBJECT.to_owned().into()),
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            content_type: Some(
                headers
                    .content_type
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            e_tag: Some(ETag::Strong($object.etag.clone())),
            expires: expires.as_deref().and_then(date),
            last_modified: Some(timestamp($version.last_modified)),
            metadata: (!user.is_empty()).then(|| user.clone().into_iter().collect()),
            version_id: shown(&$version),
            website_redirect_location: headers.website_redirect_location,
            ..$kind::default()
        }
    }};
}
pub(super) use headers;

/// The conditions of a read.
pub(super) struct ReadConditions<'a> {
    pub(super) if_match: Option<&'a ETagCondition>,
    pub(super) if_none_match: Option<&'a ETagCondition>,
    pub(super) if_modified_since: Option<&'a Timestamp>,
    pub(super) if_unmodified_since: Option<&'a Timestamp>,
}

impl ReadConditions<'_> {
    /// Checks the conditions as S3 does: an ETag takes precedence over a time. `unchanged` creates the error for an object that
    /// has not changed, by `If-None-Match` or `If-Modified-Since`.
    fn check(
        &self,
        version: &Version,
        object: &Object,
        unchanged: fn() -> S3Error,
    ) -> S3Result<()> {
        let modified = timestamp(version.last_modified);
        match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, &object.etag) => {
                return Err(s3_error!(PreconditionFailed));
            }
            (None, Some(time)) if modified > *time => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if matches(condition, &object.etag) => Err(unchanged()),
            (None, Some(time)) if modified <= *time => Err(unchanged()),
            _ => Ok(()),
        }
    }
}

impl Store {
    pub(super) async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        let claims = Claims::new(&request.headers, &request.extensions);
        let mut input = request.input;
        let conditions = Conditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        self.check(&input.bucket, &input.key, &conditions)?;
        let mut stored = self.receive(input.body.take(), &claims).await?;
        let object = Object {
            body: String::new(),
            size: stored.size,
            etag: stored.etag(),
            headers: headers!(input),
            checksums: stored.checksums.clone(),
        };
        let object = Object {
            body: stored.keep(),
            ..object
        };
        let (body, checksums) = (object.body.clone(), object.checksums.clone());
        let version = self
            .put(
                &input.bucket,
                &input.key,
                Put {
                    object,
                    conditions,
                    last_modified: now(),
                    event: "ObjectCreated:Put",
                },
            )
            .inspect_err(|_| self.remove_body(Some(body)))?;
        let sum = |name: &str| checksums.get(name).cloned();
        Ok(PutObjectOutput {
            e_tag: version
                .object
                .as_ref()
                .map(|object| ETag::Strong(object.etag.clone())),
            version_id: shown(&version),
            checksum_crc32: sum("crc32"),
            checksum_crc32c: sum("crc32c"),
            checksum_crc64nvme: sum("crc64nvme"),
            checksum_sha1: sum("sha1"),
            checksum_sha256: sum("sha256"),
            checksum_type: (!checksums.is_empty())
                .then(|| ChecksumType::FULL_OBJECT.to_owned().into()),
            ..PutObjectOutput::default()
        })
    }

    pub(super) async fn get_object(
        &self,
        input: GetObjectInput,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let (version, object) =
            self.find(&input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check(&version, &object, || {
            S3Error::new(s3s::S3ErrorCode::NotModified)
        })?;
        let range = range(input.range, object.size)?;
        let partial = range.is_some();
        let range = range.unwrap_or(0..object.size);
        let body = send(&self.body(&object.body), range.clone()).await?;
        let with_checksums = !partial && input.checksum_mode.is_some();
        let mut output: GetObjectOutput = output!(GetObjectOutput, version, object, with_checksums);
        output.content_length = i64::try_from(range.end - range.start).ok();
        output.content_range = partial.then(|| {
            format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                object.size
            )
        });
        output.body = Some(body);
        let status = if partial {
            axum::http::StatusCode::PARTIAL_CONTENT
        } else {
            axum::http::StatusCode::OK
        };
        Ok(S3Response::with_status(output, status))
    }

    pub(super) fn head_object(
        &self,
        input: &HeadObjectInput,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let (version, object) =
            self.find(&input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check(&version, &object, || {
            S3Error::new(s3s::S3ErrorCode::NotModified)
        })?;
        let range = range(input.range, object.size)?;
        let with_checksums = range.is_none() && input.checksum_mode.is_some();
        let mut output: HeadObjectOutput =
            output!(HeadObjectOutput, version, object, with_checksums);
        let partial = range.is_some();
        let range = range.unwrap_or(0..object.size);
        output.content_length = i64::try_from(range.end - range.start).ok();
        output.content_range = partial.then(|| {
            format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                object.size
            )
        });
        let status = if partial {
            axum::http::StatusCode::PARTIAL_CONTENT
        } else {
            axum::http::StatusCode::OK
        };
        Ok(S3Response::with_status(output, status))
    }

    pub(super) async fn copy_object(&self, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        let (from_bucket, from_key, from_version) = source(&input.copy_source)?;
        let (from, object) = self.find(from_bucket, from_key, from_version)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.as_ref(),
            if_none_match: input.copy_source_if_none_match.as_ref(),
            if_modified_since: input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        conditions.check(&from, &object, || s3_error!(PreconditionFailed))?;
        self.check(&input.bucket, &input.key, &Conditions::default())?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        if !replace
            && from_version.is_none()
            && (from_bucket, from_key) == (&*input.bucket, &*input.key)
        {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing it."
            ));
        }
        let headers = if replace {
            headers!(input)
        } else {
            object.headers.clone()
        };
        let mut stored = self.link(&object.body).await?;
        let copy = Object {
            body: stored.keep(),
            headers,
            ..object
        };
        let (body, etag) = (copy.body.clone(), copy.etag.clone());
        let version = self
            .put(
                &input.bucket,
                &input.key,
                Put {
                    object: copy,
                    conditions: Conditions::default(),
                    last_modified: now(),
                    event: "ObjectCreated:Copy",
                },
            )
            .inspect_err(|_| self.remove_body(Some(body)))?;
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(etag)),
                last_modified: Some(timestamp(version.last_modified)),
                ..CopyObjectResult::default()
            }),
            copy_source_version_id: shown(&from),
            version_id: shown(&version),
            ..CopyObjectOutput::default()
        })
    }

    pub(super) fn delete_object(&self, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        let deleted = self.delete(
            &input.bucket,
            &input.key,
            input.version_id.as_deref(),
            input.if_match.as_ref(),
        )?;
        Ok(DeleteObjectOutput {
            delete_marker: deleted.delete_marker.then_some(true),
            version_id: deleted.version_id,
            ..DeleteObjectOutput::default()
        })
    }

    pub(super) fn delete_objects(
        &self,
        input: DeleteObjectsInput,
    ) -> S3Result<DeleteObjectsOutput> {
        self.check(&input.bucket, "", &Conditions::default())?;
        let quiet = input.delete.quiet.unwrap_or(false);
        let (mut gone, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            match self.delete(
                &input.bucket,
                &object.key,
                object.version_id.as_deref(),
                None,
            ) {
                Ok(deleted) => gone.push(DeletedObject {
                    delete_marker: deleted.delete_marker.then_some(true),
                    delete_marker_version_id: deleted.version_id.filter(|_| deleted.delete_marker),
                    key: Some(object.key),
                    version_id: object.version_id,
                }),
                Err(error) => errors.push(s3s::dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(gone),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        })
    }
}

/// Returns the id as S3 shows it: none for a bucket without versions.
pub(super) fn shown(version: &Version) -> Option<String> {
    (version.id != super::index::NULL).then(|| version.id.clone())
}

pub(super) fn timestamp(epoch_seconds: i64) -> Timestamp {
    let since = std::time::Duration::from_secs(u64::try_from(epoch_seconds).unwrap_or_default());
    Timestamp::from(std::time::UNIX_EPOCH + since)
}

pub(super) fn date_text(time: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::DateTime, &mut text).ok()?;
    String::from_utf8(text).ok()
}

fn date(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::DateTime, text).ok()
}

/// Returns bucket, key and version of the source of a copy.
pub(super) fn source(source: &CopySource) -> S3Result<(&str, &str, Option<&str>)> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok((bucket, key, version_id.as_deref())),
        _ => Err(s3_error!(NotImplemented, "There are no access points here")),
    }
}

fn range(range: Option<Range>, size: u64) -> S3Result<Option<std::ops::Range<u64>>> {
    let Some(range) = range else { return Ok(None) };
    // A suffix of an empty object is the whole object.
    if size == 0 && matches!(range, Range::Suffix { length } if length > 0) {
        return Ok(None);
    }
    range.check(size).map(Some).map_err(|_| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = axum::http::HeaderMap::new();
        if let Ok(value) = format!("bytes */{size}").parse() {
            headers.insert("content-range", value);
        }
        error.set_headers(headers);
        error
    })
}
