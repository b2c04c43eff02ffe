//! Multipart uploads. They are in memory until they are complete; a restart loses incomplete ones.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use uuid::Uuid;

use super::body::{Claims, send};
use super::index::Object;
use super::objects::{headers, shown, source, timestamp};
use super::store::{Conditions, Put, Store, now};
use super::upload::{Stored, Upload, UploadedPart};

/// The minimum size of every part except the last, in bytes.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

type Uploads = std::collections::HashMap<String, Upload>;

impl Store {
    pub(super) fn create_upload(
        &self,
        input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        self.check(&input.bucket, &input.key, &Conditions::default())?;
        let id = Uuid::new_v4().simple().to_string();
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            initiated: now(),
            parts: BTreeMap::new(),
            headers: headers!(input),
        };
        self.uploads().insert(id.clone(), upload);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let claims = Claims::new(&request.headers, &request.extensions);
        let mut input = request.input;
        find(
            &mut self.uploads(),
            &input.upload_id,
            &input.bucket,
            &input.key,
        )?;
        let stored = self.receive(input.body.take(), &claims).await?;
        let sum = |name: &str| stored.checksums.get(name).cloned();
        let output = UploadPartOutput {
            e_tag: Some(ETag::Strong(stored.etag())),
            checksum_crc32: sum("crc32"),
            checksum_crc32c: sum("crc32c"),
            checksum_crc64nvme: sum("crc64nvme"),
            checksum_sha1: sum("sha1"),
            checksum_sha256: sum("sha256"),
            ..UploadPartOutput::default()
        };
        self.keep_part(
            &input.upload_id,
            &input.bucket,
            &input.key,
            input.part_number,
            stored,
        )?;
        Ok(output)
    }

    pub(super) async fn upload_part_copy(
        &self,
        input: UploadPartCopyInput,
    ) -> S3Result<UploadPartCopyOutput> {
        find(
            &mut self.uploads(),
            &input.upload_id,
            &input.bucket,
            &input.key,
        )?;
        let (bucket, key, version_id) = source(&input.copy_source)?;
        let (version, object) = self.find(bucket, key, version_id)?;
        let range = match input.copy_source_range.as_deref().map(Range::parse) {
            Some(range) => range
                .map_err(|_| s3_error!(InvalidArgument))?
                .check(object.size)?,
            None => 0..object.size,
        };
        let body = send(&self.body(&object.body), range).await?;
        let stored = self.receive(Some(body), &Claims::default()).await?;
        let result = CopyPartResult {
            e_tag: Some(ETag::Strong(stored.etag())),
            last_modified: Some(timestamp(now())),
            ..CopyPartResult::default()
        };
        self.keep_part(
            &input.upload_id,
            &input.bucket,
            &input.key,
            input.part_number,
            stored,
        )?;
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: shown(&version),
            ..UploadPartCopyOutput::default()
        })
    }

    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
        };
        self.check(&input.bucket, &input.key, &conditions)?;
        let wanted = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let (headers, initiated, bodies, etag) = {
            let mut uploads = self.uploads();
            let upload = find(&mut uploads, &input.upload_id, &input.bucket, &input.key)?;
            let (bodies, etag) = select_parts(upload, &wanted)?;
            (upload.headers.clone(), upload.initiated, bodies, etag)
        };
        let mut stored = self.join(bodies).await?;
        let object = Object {
            body: stored.keep(),
            size: stored.size,
            etag,
            headers,
            checksums: BTreeMap::new(),
        };
        let (body, etag) = (object.body.clone(), object.etag.clone());
        let version = self
            .put(
                &input.bucket,
                &input.key,
                Put {
                    object,
                    conditions,
                    last_modified: initiated,
                    event: "ObjectCreated:CompleteMultipartUpload",
                },
            )
            .inspect_err(|_| self.remove_body(Some(body)))?;
        self.uploads().remove(&input.upload_id);
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            version_id: shown(&version),
            ..CompleteMultipartUploadOutput::default()
        })
    }

    pub(super) fn abort_upload(
        &self,
        input: &AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let mut uploads = self.uploads();
        find(&mut uploads, &input.upload_id, &input.bucket, &input.key)?;
        uploads.remove(&input.upload_id);
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) fn list_parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let mut uploads = self.uploads();
        let upload = find(&mut uploads, &input.upload_id, &input.bucket, &input.key)?;
        let max = input.max_parts.unwrap_or(1000).clamp(0, 1000);
        let after = input.part_number_marker.unwrap_or_default();
        let mut parts: Vec<_> = upload
            .parts
            .range(after.saturating_add(1)..)
            .map(|(number, part)| Part {
                part_number: Some(*number),
                e_tag: Some(ETag::Strong(part.stored.etag())),
                last_modified: Some(timestamp(part.at)),
                size: i64::try_from(part.stored.size).ok(),
                ..Part::default()
            })
            .collect();
        let max_len = usize::try_from(max).unwrap_or_default();
        let truncated = parts.len() > max_len;
        parts.truncate(max_len);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(truncated),
            max_parts: Some(max),
            part_number_marker: Some(after),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            parts: Some(parts),
            ..ListPartsOutput::default()
        })
    }

    /// Lists all incomplete uploads of a bucket on one page.
    pub(super) fn list_uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        self.check(&input.bucket, "", &Conditions::default())?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let uploads = self.uploads();
        let mut found: Vec<_> = uploads
            .iter()
            .filter(|(_, upload)| upload.bucket == input.bucket && upload.key.starts_with(&prefix))
            .map(|(id, upload)| MultipartUpload {
                initiated: Some(timestamp(upload.initiated)),
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                ..MultipartUpload::default()
            })
            .collect();
        found.sort_by(|a, b| (&a.key, &a.upload_id).cmp(&(&b.key, &b.upload_id)));
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(found),
            ..ListMultipartUploadsOutput::default()
        })
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stored part to its upload.
    fn keep_part(
        &self,
        id: &str,
        bucket: &str,
        key: &str,
        number: i32,
        stored: Stored,
    ) -> S3Result<()> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            ));
        }
        let part = UploadedPart { stored, at: now() };
        find(&mut self.uploads(), id, bucket, key)?
            .parts
            .insert(number, part);
        Ok(())
    }
}

/// Returns an upload. It is an error if there is no such upload of the key.
fn find<'a>(
    uploads: &'a mut Uploads,
    id: &str,
    bucket: &str,
    key: &str,
) -> S3Result<&'a mut Upload> {
    uploads
        .get_mut(id)
        .filter(|upload| upload.bucket == bucket && upload.key == key)
        .ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
}

/// Returns the bodies of the parts that the client lists, in that order, and the ETag of the whole object.
fn select_parts(upload: &Upload, wanted: &[CompletedPart]) -> S3Result<(Vec<String>, String)> {
    if wanted.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "You must specify at least one part"
        ));
    }
    if !wanted.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order."
        ));
    }
    let (mut bodies, mut md5) = (Vec::new(), Md5::new());
    for (at, part) in wanted.iter().enumerate() {
        let invalid = || {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found."
            )
        };
        let uploaded = part
            .part_number
            .and_then(|number| upload.parts.get(&number))
            .ok_or_else(invalid)?;
        if part
            .e_tag
            .as_ref()
            .is_some_and(|etag| etag.value() != uploaded.stored.etag())
        {
            return Err(invalid());
        }
        if at + 1 < wanted.len() && uploaded.stored.size < MIN_PART_BYTES {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        md5.update(&uploaded.stored.md5);
        bodies.push(uploaded.stored.name().to_owned());
    }
    Ok((
        bodies,
        format!(
            "{}-{}",
            HEXLOWER.encode(md5.finalize().as_ref()),
            wanted.len()
        ),
    ))
}
