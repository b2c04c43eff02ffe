//! Pages of attributes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{api::problem_of, shared::SharedApp};

#[tokio::test(flavor = "multi_thread")]
async fn names_the_file_of_each_value() {
    let app = SharedApp::get().await;
    let link = json!({"mobile": "5550106"});
    let rows = [("crm", "Hobart"), ("pos", "Perth"), ("web", "Hobart")];
    for (at, (source, city)) in rows.into_iter().enumerate() {
        let row = json!({"link": link, "city": city, "updated_at": format!("2026-01-0{}T00:00:00Z", 9 - at)});
        let key = format!("drop/customer_record/{source}/provenance.ndjson");
        app.import(&key, &row.to_string()).await;
    }
    let order = json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "type": "physical", "purchase_id": "1", "products": []});
    app.import("drop/purchase/pos/provenance.ndjson", &order.to_string())
        .await;
    let (_, profile) = app.lookup(link).await;
    let city = &profile["attributes"]["address"][0];
    assert_eq!(
        (&city["name"], city.get("provenance")),
        (&json!("city"), None)
    );
    assert_eq!(city["also"][0].get("provenance"), None);
    let path = format!("/profiles/{}/attributes", profile["id"].as_str().unwrap());
    let (_, page) = app.get(&format!("{path}?category=address")).await;
    let item = &page["items"][0];
    let file = |provenance: &Value| provenance["file"].as_str().unwrap().to_owned();
    assert_eq!(
        file(&item["provenance"]),
        "drop/customer_record/crm/provenance.ndjson"
    );
    let also = item["also"].as_array().unwrap();
    assert_eq!(also.len(), 1, "{item}");
    assert_eq!(
        file(&also[0]["provenance"]),
        "drop/customer_record/pos/provenance.ndjson"
    );
    assert_eq!(item["provenance"]["import"].as_str().unwrap().len(), 16);
    assert!(item["provenance"]["last_modified"].is_string());
    let (_, figures) = app.get(&format!("{path}?category=figures")).await;
    for figure in figures["items"].as_array().unwrap() {
        assert_eq!(figure.get("provenance"), Some(&Value::Null), "{figure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_attributes_by_words() {
    let app = SharedApp::get().await;
    let link = json!({"mobile": "5550107"});
    let attributes: BTreeMap<_, _> = (0..120)
        .map(|n| {
            let sure = json!({"value": true, "confidence": f64::from(n) / 100.0});
            (format!("interests.rib_crew_{n:03}"), sure)
        })
        .collect();
    let row = json!({"link": link, "attributes": attributes});
    app.import("drop/attributes/crm/search.ndjson", &row.to_string())
        .await;
    let row =
        json!({"link": link, "first_name": "Zoë", "last_name": "Ribeiro", "city": "São Paulo"});
    app.import("drop/customer_record/crm/search.ndjson", &row.to_string())
        .await;
    let (_, profile) = app.lookup(link).await;
    let path = format!(
        "/profiles/{}/attributes/search",
        profile["id"].as_str().unwrap()
    );
    let search = async |body: &Value| {
        let request = reqwest::Client::new().post(app.url(&path)).json(body);
        app.send(request).await
    };
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (text, expected) in [
        ("sao", vec!["city"]),
        ("ZOE", vec!["first_name"]),
        ("rib 007", vec!["rib_crew_007"]),
        ("customer rib", vec!["last_name"]),
        ("nobody", vec![]),
    ] {
        let (status, page) = search(&json!({"text": text})).await;
        assert_eq!(
            (status.as_u16(), names(&page)),
            (200, expected.iter().map(|&name| name.to_owned()).collect()),
            "{text}"
        );
    }
    let (_, city) = search(&json!({"text": "sao"})).await;
    let file = &city["items"][0]["provenance"]["file"];
    assert_eq!(*file, "drop/customer_record/crm/search.ndjson");

    // All pages, the strongest first.
    let mut body = json!({"text": "Rib crew", "category": "interests", "limit": 50});
    let mut seen = Vec::new();
    loop {
        let (status, page) = search(&body).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(names(&page));
        if page["next"].is_null() {
            break;
        }
        body["cursor"] = page["next"].clone();
    }
    let expected: Vec<_> = (0..120).rev().map(|n| format!("rib_crew_{n:03}")).collect();
    assert_eq!(seen, expected);
    let cursor = body["cursor"].as_str().unwrap();
    for other in [
        json!({"text": "rib", "category": "interests", "cursor": cursor}),
        json!({"text": "rib crew", "cursor": cursor}),
    ] {
        let (status, problem) = search(&other).await;
        let slug = problem_of(&problem).0;
        assert_eq!((status.as_u16(), slug.as_str()), (400, "invalid-cursor"));
    }
    let listing = path.replace("/search", &format!("?category=interests&cursor={cursor}"));
    assert_eq!(app.problem(&listing, 400).await.0, "invalid-cursor");
    for (body, field) in [
        (json!({}), "text"),
        (json!({"text": "a\u{7}"}), "text"),
        (json!({"text": "a", "words": 1}), "words"),
        (json!({"text": "a", "limit": 0}), "limit"),
    ] {
        let (status, problem) = search(&body).await;
        let expected = ("invalid-body".to_owned(), Some(field.to_owned()));
        assert_eq!((status.as_u16(), problem_of(&problem)), (400, expected));
    }
}

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
