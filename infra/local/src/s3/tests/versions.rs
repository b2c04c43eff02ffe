//! Versions, delete markers, buckets without versions, and restarts.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use tokio::sync::mpsc;

use super::super::{Store, Versioning, body, index, store};
use super::{BUCKET, server};

#[tokio::test]
async fn delete_marker_hides_versions() {
    let server = server().await;
    let one = server.put("k", "one").await;
    let two = server.put("k", "two").await;
    assert_ne!(one, two);
    assert_eq!(server.get("k", None).await.unwrap(), b"two");
    assert_eq!(server.get("k", Some(&one)).await.unwrap(), b"one");
    assert_eq!(
        server.get("k", Some("nope")).await.unwrap_err(),
        "NoSuchVersion"
    );

    let marker = server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(marker.delete_marker, Some(true));
    let marker = marker.version_id.unwrap();
    assert_eq!(server.get("k", None).await.unwrap_err(), "NoSuchKey");
    assert_eq!(
        server.get("k", Some(&marker)).await.unwrap_err(),
        "MethodNotAllowed"
    );
    assert_eq!(server.get("k", Some(&one)).await.unwrap(), b"one");

    let versions = server
        .client
        .list_object_versions()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let listed: Vec<_> = versions
        .versions()
        .iter()
        .map(|v| (v.version_id().unwrap(), v.is_latest()))
        .collect();
    assert_eq!(
        listed,
        [(two.as_str(), Some(false)), (one.as_str(), Some(false))]
    );
    assert_eq!(versions.delete_markers()[0].is_latest(), Some(true));

    server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(marker)
        .send()
        .await
        .unwrap();
    assert_eq!(server.get("k", None).await.unwrap(), b"two");
    server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(two)
        .send()
        .await
        .unwrap();
    assert_eq!(server.get("k", None).await.unwrap(), b"one");
}

#[tokio::test]
async fn unversioned_bucket_keeps_newest() {
    let server = server().await;
    let client = &server.client;
    client.create_bucket().bucket("plain").send().await.unwrap();
    let put = async |body: &'static [u8]| {
        client
            .put_object()
            .bucket("plain")
            .key("k")
            .body(ByteStream::from_static(body))
            .send()
            .await
            .unwrap()
    };
    assert_eq!(put(b"1").await.version_id, None);
    put(b"2").await;
    let versions = client
        .list_object_versions()
        .bucket("plain")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            versions.versions().len(),
            versions.versions()[0].version_id()
        ),
        (1, Some("null"))
    );
    client
        .delete_object()
        .bucket("plain")
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(
        client
            .get_object()
            .bucket("plain")
            .key("k")
            .send()
            .await
            .is_err()
    );
    assert_eq!(
        client
            .get_bucket_versioning()
            .bucket("plain")
            .send()
            .await
            .unwrap()
            .status,
        None
    );
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    client
        .put_bucket_versioning()
        .bucket("plain")
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    assert!(put(b"3").await.version_id.is_some());
    assert_eq!(
        client.list_buckets().send().await.unwrap().buckets().len(),
        2
    );
    client.head_bucket().bucket("plain").send().await.unwrap();
    assert!(client.head_bucket().bucket("missing").send().await.is_err());
    client
        .get_bucket_location()
        .bucket("plain")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn restart_deletes_stray_files() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path(), mpsc::unbounded_channel().0).unwrap();
    let store = open();
    store.ensure_bucket(BUCKET, Versioning::Enabled).unwrap();
    let body: s3s::dto::StreamingBlob = s3s::Body::from(bytes::Bytes::from_static(b"kept")).into();
    let mut stored = store
        .receive(Some(body), &body::Claims::default())
        .await
        .unwrap();
    let object = index::Object {
        size: stored.size,
        etag: stored.etag(),
        body: stored.keep(),
        ..Default::default()
    };
    store
        .put(
            BUCKET,
            "k",
            store::Put {
                object,
                conditions: store::Conditions::default(),
                last_modified: 7,
                event: "ObjectCreated:Put",
            },
        )
        .unwrap();
    std::fs::write(folder.path().join("bodies/stray"), "x").unwrap();
    drop(store);

    let store = open();
    let (version, object) = store.find(BUCKET, "k", None).unwrap();
    assert_eq!((version.last_modified, object.size), (7, 4));
    assert_eq!(
        std::fs::read_dir(folder.path().join("bodies"))
            .unwrap()
            .count(),
        1
    );
}
