//! Tests the store over HTTP with the AWS SDK.

mod listing;
mod multipart;
mod objects;
mod versions;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;

struct Server {
    client: Client,
    notifications: mpsc::UnboundedReceiver<Created>,
    _folder: TempDir,
}

const BUCKET: &str = "customer-profiles";

async fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let (sender, notifications) = mpsc::unbounded_channel();
    let store = Arc::new(Store::open(folder.path(), sender).unwrap());
    store.ensure_bucket(BUCKET, Versioning::Enabled).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = crate::stack::clients::s3(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, router(store)).await });
    Server {
        client,
        notifications,
        _folder: folder,
    }
}

impl Server {
    async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> String {
        let body = ByteStream::from(body.into());
        let put = self
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body)
            .send()
            .await
            .unwrap();
        put.version_id.unwrap()
    }

    async fn get(&self, key: &str, version: Option<&str>) -> Result<Vec<u8>, String> {
        let get = self
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .set_version_id(version.map(str::to_owned));
        match get.send().await {
            Ok(got) => Ok(got.body.collect().await.unwrap().to_vec()),
            Err(error) => Err(error.code().unwrap_or_default().to_owned()),
        }
    }
}
