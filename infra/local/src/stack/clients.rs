//! SDK clients for the stack's own DynamoDB and S3, configured like those of the functions: plain HTTP, dummy credentials.

use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;

use crate::template::REGION;

/// The access key of in-process clients. Any credentials are accepted.
pub(crate) const ACCESS_KEY: &str = "local";
/// The secret key that belongs to any access key.
pub(crate) const SECRET_KEY: &str = "local";

pub(crate) fn s3(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

pub(crate) fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .http_client(Builder::new().build_http())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

fn credentials() -> Credentials {
    Credentials::from_keys(ACCESS_KEY, SECRET_KEY, None)
}
