//! Checks the signatures of presigned URLs: `s3s` does, with the secret key that belongs to any access key here. Requests without one
//! are accepted.

use async_trait::async_trait;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};

use crate::stack::clients::SECRET_KEY;

/// Knows the secret key of every access key.
pub(super) struct OneSecret;

#[async_trait]
impl S3Auth for OneSecret {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(SECRET_KEY))
    }
}

/// Accepts requests without a signature: those whose headers were signed, and whose signature was removed.
pub(super) struct Anyone;

#[async_trait]
impl S3Access for Anyone {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}
