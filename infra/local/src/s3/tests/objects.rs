//! Keys, byte ranges, conditions, copies and batch deletes.

use std::collections::BTreeSet;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};

use super::{BUCKET, server};

#[tokio::test]
async fn returns_byte_ranges() {
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
async fn checks_conditions() {
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
        .expect("a delete marker is not an object");
}

#[tokio::test]
async fn accepts_one_of_concurrent_puts() {
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
async fn keys_do_not_collide() {
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
