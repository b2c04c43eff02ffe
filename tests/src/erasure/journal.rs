//! The journal of erasures, which repeats them on a table that was restored.

use serde_json::{Value, json};

use super::{ada_and_bo, marked, status};

#[tokio::test(flavor = "multi_thread")]
async fn repeats_erasures_on_another_table() {
    let app = ada_and_bo().await;
    let rows = [
        json!({"link": {"email": "ada.canary@example.com"}, "scope": "profile"}),
        json!({"link": {"email": "cy@example.com"}, "suppress": true}),
    ];
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            &rows.map(|row| format!("{row}\n")).concat(),
        )
        .await;
    assert_eq!(report["written"], 2, "{report}");
    let import = report["import"].as_str().unwrap();
    let keys = app.stack.list("erasures/");
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].starts_with(&format!("erasures/{import}/0-0-")));
    let journal = app.object(&keys[0]).await;
    let entries: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // The journal contains nothing but IDs and times.
    for entry in &entries {
        let fields: Vec<_> = entry.as_object().unwrap().keys().collect();
        let known = ["record_type", "identity_ids", "suppress", "erased_at"];
        assert!(
            fields.iter().all(|field| known.contains(&field.as_str())),
            "{fields:?}"
        );
    }
    let counts: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["identity_ids"].as_array().unwrap().len(),
                &entry["suppress"],
            )
        })
        .collect();
    assert_eq!(counts, [(5, &Value::Null), (2, &json!(true))]);

    // Another table that has none of these erasures, as after a restore.
    let restored = ada_and_bo().await;
    let report = restored
        .import("drop/forget/journal/a.ndjson", &journal)
        .await;
    assert_eq!(report["written"], 2, "{report}");
    assert_eq!(report["erased"]["identities"], 7, "{report}");
    assert_eq!(marked(&restored).await, Vec::<&str>::new());
    for email in ["ada.canary@example.com", "bo@example.com"] {
        assert_eq!(status(&restored, json!({"email": email})).await, 404);
    }
    let cy = r#"{"link":{"email":"cy@example.com"},"first_name":"Cy"}"#;
    let report = restored
        .import("drop/customer_record/crm/cy.ndjson", cy)
        .await;
    assert_eq!(report["suppressed"], 1, "{report}");
}
