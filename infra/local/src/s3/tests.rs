//! Tests the store over HTTP with the AWS SDK.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, EncodingType,
    ObjectIdentifier, VersioningConfiguration,
};
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

#[tokio::test]
async fn every_version_stays_readable_under_its_id_and_a_delete_marker_hides_them() {
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
async fn ranges_are_cut_as_http_says() {
    let server = server().await;
    server.put("k", "0123456789").await;
    server.put("empty", "").await;
    let range = async |key: &str, range: &str| {
        let get = server
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .range(range)
            .send()
            .await;
        match get {
            Ok(got) => {
                let range = got.content_range.clone().unwrap_or_default();
                (
                    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap(),
                    range,
                )
            }
            Err(error) => (
                error.raw_response().unwrap().status().to_string(),
                error.code().unwrap().to_owned(),
            ),
        }
    };
    assert_eq!(
        range("k", "bytes=2-4").await,
        ("234".into(), "bytes 2-4/10".into())
    );
    assert_eq!(
        range("k", "bytes=8-").await,
        ("89".into(), "bytes 8-9/10".into())
    );
    assert_eq!(
        range("k", "bytes=8-99").await,
        ("89".into(), "bytes 8-9/10".into())
    );
    assert_eq!(
        range("k", "bytes=-3").await,
        ("789".into(), "bytes 7-9/10".into())
    );
    assert_eq!(
        range("k", "bytes=-99").await,
        ("0123456789".into(), "bytes 0-9/10".into())
    );
    assert_eq!(
        range("k", "bytes=10-").await,
        ("416".into(), "InvalidRange".into())
    );
    assert_eq!(
        range("empty", "bytes=0-").await,
        ("416".into(), "InvalidRange".into())
    );
    assert_eq!(
        range("empty", "bytes=-5").await,
        (String::new(), String::new())
    );
}

#[tokio::test]
async fn conditions_hold_or_refuse() {
    let server = server().await;
    let put = || {
        server
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(ByteStream::from_static(b"x"))
    };
    let first = put().if_none_match("*").send().await.unwrap();
    let refused = put().if_none_match("*").send().await.unwrap_err();
    assert_eq!(
        (
            refused.raw_response().unwrap().status().as_u16(),
            refused.code()
        ),
        (412, Some("PreconditionFailed"))
    );
    let etag = first.e_tag().unwrap();
    put().if_match(etag).send().await.unwrap();
    assert_eq!(
        put().if_match("\"other\"").send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );

    let get = || server.client.get_object().bucket(BUCKET).key("k");
    get().if_match(etag).send().await.unwrap();
    assert_eq!(
        get()
            .if_match("\"other\"")
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        412
    );
    assert_eq!(
        get()
            .if_none_match(etag)
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        304
    );

    server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    put()
        .if_none_match("*")
        .send()
        .await
        .expect("a delete marker is no object");
}

#[tokio::test]
async fn of_many_conditional_puts_at_once_one_wins() {
    let server = server().await;
    let puts = (0..20).map(|_| {
        let put = server
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .if_none_match("*");
        put.body(ByteStream::from_static(b"x")).send()
    });
    let won = futures::future::join_all(puts)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn any_key_is_kept_apart_from_any_other() {
    let server = server().await;
    let long = "ü".repeat(512);
    let keys = [
        "plain",
        "folder/",
        "folder/a b+c%20&=?#.txt",
        "../up",
        "a/../../b",
        "a//b",
        "/lead",
        "naïve/日本/🎈",
        "a\u{1}b",
        "con",
        "'quoted\"",
        "~-_.*",
        "<xml>&amp;",
        &long,
    ];
    for key in keys {
        server.put(key, key).await;
    }
    for key in keys {
        assert_eq!(
            server.get(key, None).await.as_deref(),
            Ok(key.as_bytes()),
            "{key:?}"
        );
        let head = server
            .client
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
        assert_eq!(head.content_length(), Some(key.len() as i64));
    }
    let listed = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    let decode = |key: &str| {
        percent_encoding::percent_decode_str(key)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let listed: BTreeSet<_> = listed
        .contents()
        .iter()
        .map(|object| decode(object.key().unwrap()))
        .collect();
    assert_eq!(listed, keys.iter().map(|key| (*key).to_owned()).collect());
    let too_long = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("x".repeat(1025))
        .send()
        .await
        .unwrap_err();
    assert_eq!(too_long.code(), Some("KeyTooLongError"));
}

#[tokio::test]
async fn listings_page_without_gap_or_repetition() {
    let server = server().await;
    for n in 0..7 {
        server.put(&format!("d/{n}"), "x").await;
        server.put(&format!("e/{n}/x"), "x").await;
    }
    server.put("d/0", "again").await;
    let mut pages = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .max_keys(3)
        .into_paginator()
        .send();
    let mut keys = Vec::new();
    while let Some(page) = pages.try_next().await.unwrap() {
        assert!(page.contents().len() <= 3);
        keys.extend(
            page.contents()
                .iter()
                .map(|object| object.key().unwrap().to_owned()),
        );
    }
    assert_eq!(keys.len(), 14);
    assert!(keys.is_sorted());

    let rolled = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .delimiter("/")
        .send()
        .await
        .unwrap();
    let prefixes: Vec<_> = rolled
        .common_prefixes()
        .iter()
        .map(|prefix| prefix.prefix().unwrap())
        .collect();
    assert_eq!(
        (prefixes.as_slice(), rolled.key_count()),
        (["d/", "e/"].as_slice(), Some(2))
    );

    let old = server
        .client
        .list_objects()
        .bucket(BUCKET)
        .prefix("d/")
        .marker("d/4")
        .send()
        .await
        .unwrap();
    assert_eq!(old.contents().len(), 2);

    let (mut seen, mut key, mut version) = (BTreeSet::new(), None, None);
    loop {
        let request = server
            .client
            .list_object_versions()
            .bucket(BUCKET)
            .prefix("d/")
            .max_keys(2);
        let page = request
            .set_key_marker(key)
            .set_version_id_marker(version)
            .send()
            .await
            .unwrap();
        for object in page.versions() {
            assert!(
                seen.insert(object.version_id().unwrap().to_owned()),
                "twice: {object:?}"
            );
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) {
            break;
        }
    }
    assert_eq!(seen.len(), 8);
}

#[tokio::test]
async fn an_upload_in_parts_is_one_object_of_all_its_parts_in_order() {
    let mut server = server().await;
    let client = &server.client;
    let upload = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("drop/big")
        .content_type("text/csv");
    let id = upload.send().await.unwrap().upload_id.unwrap();
    let part = async |number: i32, body: Vec<u8>| {
        let part = client
            .upload_part()
            .bucket(BUCKET)
            .key("drop/big")
            .upload_id(&id)
            .part_number(number);
        let etag = part
            .body(ByteStream::from(body))
            .send()
            .await
            .unwrap()
            .e_tag
            .unwrap();
        CompletedPart::builder()
            .part_number(number)
            .e_tag(etag)
            .build()
    };
    let complete = async |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("drop/big")
            .upload_id(&id)
            .multipart_upload(parts)
            .send()
            .await
    };
    let last = part(9, b"end".to_vec()).await;
    let first = part(1, vec![b'a'; 5 * 1024 * 1024]).await;
    let order = complete(vec![last.clone(), first.clone()])
        .await
        .unwrap_err();
    assert_eq!(order.code(), Some("InvalidPartOrder"));
    let done = complete(vec![first, last]).await.unwrap();
    assert!(
        done.e_tag().unwrap().ends_with("-2\""),
        "{:?}",
        done.e_tag()
    );

    let got = client
        .get_object()
        .bucket(BUCKET)
        .key("drop/big")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("text/csv"));
    let body = got.body.collect().await.unwrap().to_vec();
    assert_eq!(
        (body.len(), &body[body.len() - 4..]),
        (5 * 1024 * 1024 + 3, &b"aend"[..])
    );
    let created = server.notifications.recv().await.unwrap();
    assert_eq!(
        (created.event, created.size),
        ("ObjectCreated:CompleteMultipartUpload", 5 * 1024 * 1024 + 3)
    );
    assert_eq!(server.get("nothing", None).await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn copies_and_batch_deletes() {
    let mut server = server().await;
    server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("a ü")
        .metadata("who", "me")
        .body(ByteStream::from_static(b"body"))
        .send()
        .await
        .unwrap();
    let source = format!("{BUCKET}/a%20%C3%BC");
    server
        .client
        .copy_object()
        .bucket(BUCKET)
        .key("drop/copy")
        .copy_source(&source)
        .send()
        .await
        .unwrap();
    let head = server
        .client
        .head_object()
        .bucket(BUCKET)
        .key("drop/copy")
        .send()
        .await
        .unwrap();
    assert_eq!(head.metadata().unwrap()["who"], "me");
    assert_eq!(server.get("drop/copy", None).await.unwrap(), b"body");
    let (put, copy) = (
        server.notifications.recv().await.unwrap(),
        server.notifications.recv().await.unwrap(),
    );
    assert_eq!(
        (put.event, copy.event),
        ("ObjectCreated:Put", "ObjectCreated:Copy")
    );
    assert!(
        put.sequencer < copy.sequencer && put.sequencer.len() == 18,
        "{} {}",
        put.sequencer,
        copy.sequencer
    );

    let objects = ["a ü", "drop/copy", "never was"]
        .map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder()
        .set_objects(Some(objects.to_vec()))
        .build()
        .unwrap();
    let deleted = server
        .client
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (3, 0));
    assert_eq!(
        server.get("drop/copy", None).await.unwrap_err(),
        "NoSuchKey"
    );
}

#[tokio::test]
async fn a_bucket_without_versions_keeps_the_newest_alone() {
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
async fn a_restart_finds_every_version_and_leaves_no_stray_file() {
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
