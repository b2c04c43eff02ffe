//! Pages of listings.

use std::collections::BTreeSet;

use super::{BUCKET, server};

#[tokio::test]
async fn pages_list_each_object_once() {
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
