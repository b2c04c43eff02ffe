//! Files under `try/`: the report is that of an import, the profiles are those that the import gives, and nothing is stored.

use shared::{
    model::identity::IdentityId,
    profile::{Sections, View},
    table::{
        Consistency,
        reader::{self, Notes},
    },
};

use super::*;
use crate::mapping::tests::support::sample;
use ::tests::exports::SAMPLES;

/// Returns the report of a file, without what differs in every run.
fn report(world: &World, key: &str) -> Value {
    let report = lock(&world.bucket).get(&format!("reports/{key}/{VERSION}.json"));
    let mut report: Value = serde_json::from_slice(&report.expect("a report")).unwrap();
    for name in [
        "import",
        "key",
        "started_at",
        "finished_at",
        "requests",
        "capacity_units",
        "rejects",
    ] {
        report[name].take();
    }
    report
}

/// Tries a file and imports it. Both must have the same result. Returns the report of the trial.
async fn tried_and_imported(path: &str, body: &[u8]) -> Value {
    let key = format!("try/{path}");
    let (world, _) = handled(Bucket::default(), &key, body).await;
    assert!(wire::items(&world.database).is_empty(), "{path}: stored");
    assert_eq!(
        lock(&world.bucket).keys(""),
        [format!("reports/{key}/{VERSION}.json")],
        "{path}"
    );
    let mut tried = report(&world, &key);
    let whole = tried.clone();
    let (records, profiles) = (tried["records"].take(), tried["profiles"].take());

    let key = format!("drop/{path}");
    let (world, app) = handled(Bucket::default(), &key, body).await;
    let mut imported = report(&world, &key);
    (imported["records"], imported["profiles"]) = (Value::Null, Value::Null);
    assert_eq!(tried, imported, "{path}");

    let records = records.as_array().unwrap();
    let count = tried["read"].as_u64().unwrap().min(20) as usize;
    assert_eq!(records.len(), count, "{path}");
    for profile in profiles.as_array().unwrap() {
        let id: IdentityId = profile["id"].as_str().unwrap().parse().unwrap();
        let stored = reader::profile(&app.table, &id, Consistency::Strong, Notes::Newest);
        let view = View {
            now: serde_json::from_value(profile["as_of"].clone()).unwrap(),
            currency: &app.currency,
            zone: &shared::model::zone::UTC,
            personal: true,
            open_namespaces: &[],
        };
        let stored = stored.await.unwrap().document(&view, Sections::ALL);
        assert_eq!(*profile, json!(stored), "{path}");
    }
    whole
}

#[test]
fn trials_show_what_imports_store() {
    clock().block_on(async {
        for (name, mapping) in SAMPLES {
            let file = name.rsplit('/').next().unwrap();
            let body = std::fs::read(sample(name)).unwrap();
            let report = tried_and_imported(&format!("{mapping}/{file}"), &body).await;
            assert_eq!(report["mapping"], json!({"name": mapping}));
            let has_customers = mapping != "shopify-products";
            let profiles = report["profiles"].as_array().unwrap();
            assert_eq!(!profiles.is_empty(), has_customers, "{name}");
        }
        // Links before and behind the first 20 records.
        let link = r#"{"record_type":"unify","records":[{"mobile":"5550001"},{"mobile":"5550099"}]}"#;
        let event = |number: u32| {
            format!(
                r#"{{"record_type":"email_open","link":{{"mobile":"55500{number:02}"}},"action_at":"2026-01-01T00:00:00Z","email_id":"1"}}"#
            )
        };
        let mut rows: Vec<String> = (0..60).map(event).collect();
        rows.insert(30, event(99));
        rows.push(link.to_owned());
        let report = tried_and_imported("mixed/crm/a.ndjson", rows.join("\n").as_bytes()).await;
        let profiles = report["profiles"].as_array().unwrap();
        assert_eq!(profiles.len(), 20);
        let identities = profiles.iter().map(|profile| profile["identities"].as_array().unwrap().len());
        assert_eq!(identities.sum::<usize>(), 21);
        // A file in our own format, with rows that are rejected.
        let report = tried_and_imported(KEY.strip_prefix("drop/").unwrap(), file().as_bytes()).await;
        let results: Vec<_> = report["records"].as_array().unwrap().iter().map(|record| record["result"].as_str().unwrap()).collect();
        assert_eq!(results.iter().filter(|result| **result == "rejected").count(), 2, "{results:?}");
    });
}

#[test]
fn trials_erase_nothing() {
    clock().block_on(async {
        let row = r#"{"link":{"email":"a@example.com"},"scope":"profile"}"#;
        let (world, _) = handled(Bucket::default(), "try/forget/a.ndjson", row.as_bytes()).await;
        assert!(wire::items(&world.database).is_empty());
        let report = report(&world, "try/forget/a.ndjson");
        assert_eq!(report["written"], 1, "{report}");
        assert_eq!(report["erased"], Value::Null, "{report}");
    });
}

#[test]
fn trials_say_why_a_file_is_rejected() {
    clock().block_on(async {
        for (key, body, problem) in [
            ("try/orders/a.csv", "a,b\n1,2\n", "unknown-record-type"),
            ("try/auto/a.csv", "a,b\n1,2\n", "unrecognized"),
            ("try/purchase/agents/a.csv", "a,b\n1,2\n", "invalid-source"),
            ("try/purchase/a.csv", "a,b\n1,2\n", "invalid-csv-header"),
            (
                "try/customer_record/a.json",
                "[{\"link\":{\"email\":\"a@example.com\"}},",
                "broken-json",
            ),
        ] {
            let (world, _) = handled(Bucket::default(), key, body.as_bytes()).await;
            let report = report(&world, key);
            let expected = json!(format!("/problems/{problem}"));
            assert_eq!(report["problem"]["type"], expected, "{key}: {report}");
        }
        let (world, _) = handled(Bucket::default(), "try/purchase/empty.csv", b"").await;
        let report = report(&world, "try/purchase/empty.csv");
        assert_eq!(report["warnings"][0]["code"], "empty_file", "{report}");
    });
}
