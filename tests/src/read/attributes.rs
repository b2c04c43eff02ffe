//! Pages of attributes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::shared::SharedApp;

#[tokio::test(flavor = "multi_thread")]
async fn pages_many_interests() {
    let app = SharedApp::get().await;
    let attributes: BTreeMap<_, _> = (0..1_500)
        .map(|n| (format!("interests.{n:04}"), json!(true)))
        .collect();
    let row = json!({"link": {"mobile": "5550105"}, "attributes": attributes});
    app.import("drop/attributes/crm/a.ndjson", &row.to_string())
        .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550105"})).await;
    let id = profile["id"].as_str().unwrap();
    let names = |items: &Value| -> Vec<String> {
        let items = items.as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut seen = names(&profile["attributes"]["interests"]);
    assert_eq!(seen.len(), 100);
    let mut next = profile["attributes_next"]["interests"].clone();
    while let Some(cursor) = next.as_str() {
        let path =
            format!("/profiles/{id}/attributes?category=interests&limit=100&cursor={cursor}");
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(names(&page["items"]));
        next = page["next"].clone();
    }
    let expected: Vec<_> = (0..1_500).map(|n| format!("{n:04}")).collect();
    assert_eq!(seen, expected);
    let (_, figures) = app
        .get(&format!("/profiles/{id}/attributes?category=figures"))
        .await;
    assert!(
        figures["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["source"] == "system")
    );
    let (_, all) = app.get(&format!("/profiles/{id}/attributes?limit=1")).await;
    assert_eq!(
        all["items"][0]["category"], "figures",
        "the first of all categories"
    );
    let other = format!(
        "/profiles/{id}/attributes?category=sizes&cursor={}",
        all["next"].as_str().unwrap()
    );
    assert_eq!(app.problem(&other, 400).await.0, "invalid-cursor");
}
