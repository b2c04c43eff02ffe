//! Multipart uploads.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::{BUCKET, server};

#[tokio::test]
async fn joins_parts_in_order() {
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
