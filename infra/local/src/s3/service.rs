//! Implements the trait of `s3s` for the store. Buckets are handled here, objects in their modules. Other operations return
//! `NotImplemented`.

use std::sync::Arc;

use async_trait::async_trait;
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::index::{Change, Versioning};
use super::objects::timestamp;
use super::store::{Store, bucket_of, now};
use crate::template::REGION;

/// The adapter from `s3s` to the store.
pub(super) struct Service(pub(super) Arc<Store>);

/// The result of an operation.
type OperationResult<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Service {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> OperationResult<CreateBucketOutput> {
        let bucket = request.input.bucket;
        let mut index = self.0.index();
        if index.buckets.contains_key(&bucket) {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "The bucket is yours already."
            ));
        }
        let location = Some(format!("/{bucket}"));
        index
            .commit(Change::CreateBucket { bucket, at: now() })
            .map_err(S3Error::internal_error)?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> OperationResult<DeleteBucketOutput> {
        let bucket = request.input.bucket;
        let mut index = self.0.index();
        if !bucket_of(&index, &bucket)?.keys.is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
        index
            .commit(Change::DeleteBucket { bucket })
            .map_err(S3Error::internal_error)?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> OperationResult<HeadBucketOutput> {
        bucket_of(&self.0.index(), &request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> OperationResult<ListBucketsOutput> {
        let index = self.0.index();
        let buckets = index.buckets.iter().map(|(name, bucket)| Bucket {
            creation_date: Some(timestamp(bucket.created)),
            name: Some(name.clone()),
            ..Bucket::default()
        });
        let buckets = Some(buckets.collect());
        let owner = Owner {
            display_name: Some("local".to_owned()),
            id: Some("local".to_owned()),
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets,
            owner: Some(owner),
            ..ListBucketsOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> OperationResult<GetBucketLocationOutput> {
        bucket_of(&self.0.index(), &request.input.bucket)?;
        // An absent location means us-east-1.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> OperationResult<GetBucketVersioningOutput> {
        let status = match bucket_of(&self.0.index(), &request.input.bucket)?.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED.to_owned().into()),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED.to_owned().into()),
        };
        Ok(S3Response::new(GetBucketVersioningOutput {
            status,
            ..GetBucketVersioningOutput::default()
        }))
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> OperationResult<PutBucketVersioningOutput> {
        let asked = request.input.versioning_configuration.status;
        let status = match asked.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(s3_error!(IllegalVersioningConfigurationException)),
        };
        let mut index = self.0.index();
        let bucket = request.input.bucket;
        bucket_of(&index, &bucket)?;
        index
            .commit(Change::SetVersioning { bucket, status })
            .map_err(S3Error::internal_error)?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> OperationResult<PutObjectOutput> {
        self.0.put_object(request).await.map(S3Response::new)
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> OperationResult<GetObjectOutput> {
        self.0.get_object(request.input).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> OperationResult<HeadObjectOutput> {
        self.0.head_object(&request.input)
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> OperationResult<CopyObjectOutput> {
        self.0.copy_object(request.input).await.map(S3Response::new)
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> OperationResult<DeleteObjectOutput> {
        self.0.delete_object(&request.input).map(S3Response::new)
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> OperationResult<DeleteObjectsOutput> {
        self.0.delete_objects(request.input).map(S3Response::new)
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> OperationResult<ListObjectsOutput> {
        self.0.list_v1(request.input).map(S3Response::new)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> OperationResult<ListObjectsV2Output> {
        self.0.list_v2(request.input).map(S3Response::new)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> OperationResult<ListObjectVersionsOutput> {
        self.0.list_versions(request.input).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> OperationResult<CreateMultipartUploadOutput> {
        self.0.create_upload(request.input).map(S3Response::new)
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> OperationResult<UploadPartOutput> {
        self.0.upload_part(request).await.map(S3Response::new)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> OperationResult<UploadPartCopyOutput> {
        self.0
            .upload_part_copy(request.input)
            .await
            .map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> OperationResult<CompleteMultipartUploadOutput> {
        self.0
            .complete_upload(request.input)
            .await
            .map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> OperationResult<AbortMultipartUploadOutput> {
        self.0.abort_upload(&request.input).map(S3Response::new)
    }

    async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> OperationResult<ListPartsOutput> {
        self.0.list_parts(request.input).map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> OperationResult<ListMultipartUploadsOutput> {
        self.0.list_uploads(request.input).map(S3Response::new)
    }
}
