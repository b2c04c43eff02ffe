//! Identifiers in files and lookups: one customer for every spelling, none for a placeholder.

use std::collections::{BTreeMap, BTreeSet};

use local::Options;
use serde_json::{Value, json};

use crate::support::{
    api::{Api, problem_of},
    app::TestApp,
    shared::SharedApp,
};

/// Returns code and field of every rejected row, in the order of the file.
async fn rejected(app: &SharedApp, report: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for key in report["rejects"].as_array().unwrap() {
        let object = app.object(key.as_str().unwrap()).await;
        found.extend(object.lines().map(|line| {
            let reject: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| reject[name].as_str().unwrap_or_default().to_owned();
            (text("code"), text("field"))
        }));
    }
    found
}

/// Returns the ids of the profiles that these identifiers find.
async fn ids(app: &Api, identifiers: &[Value]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for identifier in identifiers {
        let (status, profile) = app.lookup(identifier.clone()).await;
        assert_eq!(status, 200, "{identifier} {profile}");
        ids.insert(profile["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Returns field and detail of the problem of a lookup.
async fn refused(app: &Api, identifier: Value) -> (String, String) {
    let (status, problem) = app.lookup(identifier.clone()).await;
    assert_eq!(status, 400, "{identifier} {problem}");
    let (kind, field) = problem_of(&problem);
    assert_eq!(kind, "invalid-body", "{problem}");
    let detail = problem["detail"].as_str().unwrap().to_owned();
    (field.unwrap_or_default(), detail)
}

#[tokio::test(flavor = "multi_thread")]
async fn normalizes_phones() {
    let app = SharedApp::get().await;
    let rows = include_str!("../../fixtures/cases/24-phones.ndjson");
    let report = app.import("drop/customer_record/c24/a.ndjson", rows).await;
    let invalid = |field: &str| ("invalid_value".to_owned(), field.to_owned());
    assert_eq!(
        rejected(&app, &report).await,
        [
            invalid("link.mobile"),
            invalid("link.mobile"),
            invalid("link.mobile"),
            (
                "placeholder_identifier".to_owned(),
                "link.mobile".to_owned()
            ),
        ],
        "a national number without DefaultCallingCode, an extension, 25 digits, 000"
    );
    let spellings = [
        json!({"mobile": "61491570156"}),
        json!({"mobile": 61_491_570_156_u64}),
        json!({"mobile": "+61491570156"}),
        json!({"mobile": "0061491570156"}),
        json!({"mobile": "+61 491 570 156"}),
        json!({"mobile": "+61 (0)491-570.156"}),
        json!({"mobile": "\u{202a}+61\u{a0}491\u{a0}570\u{a0}156\u{202c}"}),
        json!({"link_type": "mobile", "link_value": "(+61) 491/570/156"}),
    ];
    assert_eq!(ids(&app, &spellings).await.len(), 1);
    for mobile in ["0491570156", "61491570156 ext 7", "000", "6.1491E+10"] {
        let (field, detail) = refused(&app, json!({"mobile": mobile})).await;
        assert_eq!(field, "mobile", "{mobile}");
        assert!(!detail.contains(mobile), "{detail}");
    }
    let (field, detail) = refused(&app, json!({"mobile": "0491570156"})).await;
    assert!(
        field == "mobile" && detail.contains("DefaultCallingCode"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn adds_calling_code() {
    let parameters = BTreeMap::from([("DefaultCallingCode".to_owned(), "61/9".to_owned())]);
    let app = TestApp::start_with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    let rows = include_str!("../../fixtures/cases/24-phones.ndjson");
    let report = app.import("drop/customer_record/c24/a.ndjson", rows).await;
    assert_eq!(report["rejected"], 3, "{report}");
    let spellings = ["61491570156", "0491 570 156", "491570156", "+61491570156"];
    let spellings = spellings.map(|mobile| json!({"mobile": mobile}));
    assert_eq!(ids(&app, &spellings).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_placeholders() {
    let app = SharedApp::get().await;
    let rows = include_str!("../../fixtures/cases/25-null-like-records.ndjson");
    let report = app.import("drop/customer_record/c25/a.ndjson", rows).await;
    let codes = rejected(&app, &report).await;
    assert_eq!(codes.len(), rows.lines().count());
    let expected = ("placeholder_identifier", "link.customer_id");
    for (code, field) in &codes {
        assert_eq!((code.as_str(), field.as_str()), expected);
    }
    let rows = include_str!("../../fixtures/cases/25-null-like.csv");
    let report = app.import("drop/unify/c25/a.csv", rows).await;
    let codes = rejected(&app, &report).await;
    assert_eq!(codes.len(), 6);
    let expected = ("placeholder_identifier", "records[1].customer_id");
    for (code, field) in &codes {
        assert_eq!((code.as_str(), field.as_str()), expected);
    }
    let rows = "{\"link\": {\"email\": \"NoEmail@example.com\"}}\n{\"link\": {\"mobile\": \"0000000000\"}}\n";
    let report = app.import("drop/forget/a.ndjson", rows).await;
    assert_eq!(
        rejected(&app, &report).await,
        ["link.email", "link.mobile"]
            .map(|field| ("placeholder_identifier".to_owned(), field.to_owned()))
    );
    for (identifier, at) in [
        (
            json!({"customer_id": "N/A", "system_name": "shop"}),
            "customer_id",
        ),
        (
            json!({"external_id": "[OBJECT Object]", "system_name": "x"}),
            "external_id",
        ),
        (json!({"email": "test@TEST.com"}), "email"),
        (json!({"mobile": "+1 111 111 1111"}), "mobile"),
    ] {
        let (field, detail) = refused(&app, identifier).await;
        assert!(field == at && detail.contains("placeholder"), "{detail}");
    }
}

/// A `unify` row keeps its readable identifiers if at least two remain.
#[tokio::test(flavor = "multi_thread")]
async fn links_without_placeholder() {
    let app = SharedApp::get().await;
    let rows = "records[0].email,records[1].mobile,records[2].customer_id\n\
                lena@example.com,61491570199,null\n\
                lou@example.com,,lou\n";
    let report = app.import("drop/unify/crm/a.csv", rows).await;
    assert_eq!(report["written"], 2, "{report}");
    let record = json!({"link": {"email": "lena@example.com"}, "first_name": "Lena"});
    app.import("drop/customer_record/crm/a.ndjson", &record.to_string())
        .await;
    let named = [
        json!({"email": "lena@example.com"}),
        json!({"mobile": "61491570199"}),
    ];
    assert_eq!(ids(&app, &named).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn normalizes_unicode() {
    let app = SharedApp::get().await;
    let rows = include_str!("../../fixtures/cases/29-idn.ndjson");
    let report = app.import("drop/customer_record/c29/a.ndjson", rows).await;
    assert_eq!(report["rejected"], 0, "{report}");
    let kims = [
        json!({"email": "kim@b\u{fc}cher.example"}),
        json!({"email": "KIM@XN--BCHER-KVA.example"}),
        json!({"email": "kim@bu\u{308}cher\u{3002}example"}),
    ];
    let cafes = [
        "Caf\u{e9}-1",
        "Cafe\u{301}-1",
        "\u{200b}Caf\u{e9}-1\u{feff} ",
    ];
    let cafes = cafes.map(|id| json!({"customer_id": id, "system_name": "web"}));
    assert_eq!(ids(&app, &kims).await.len(), 1);
    assert_eq!(ids(&app, &cafes).await.len(), 1);
    let (_, kim) = app.lookup(kims[0].clone()).await;
    assert_eq!(kim["identities"][0]["value"], "kim@xn--bcher-kva.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_rfc_5321_emails() {
    let app = SharedApp::get().await;
    let rows = include_str!("../../fixtures/cases/48-addresses.ndjson");
    let report = app.import("drop/customer_record/c48/a.ndjson", rows).await;
    assert_eq!(
        (&report["written"], &report["rejected"]),
        (&json!(6), &json!(6))
    );
    for row in rows.lines().take(6) {
        let row: Value = serde_json::from_str(row).unwrap();
        assert_eq!(app.lookup(row["link"].clone()).await.0, 200, "{row}");
    }
    for row in rows.lines().skip(6) {
        let row: Value = serde_json::from_str(row).unwrap();
        assert_eq!(refused(&app, row["link"].clone()).await.0, "email", "{row}");
    }
}

/// Ids in the notation of spreadsheets and scripts.
#[tokio::test(flavor = "multi_thread")]
async fn reads_numbers_and_guarded_cells() {
    let app = SharedApp::get().await;
    let csv = "link.customer_id,link.system_name,first_name\n\
               1017.0,shop,Ann\n\
               '00123,shop,Bea\n\
               \"=\"\"00456\"\"\",shop,Cleo\n\
               1.23457E+11,shop,Dora\n";
    let report = app.import("drop/customer_record/crm/a.csv", csv).await;
    assert_eq!(report["written"], 3, "{report}");
    let expected = (
        "rounded_identifier".to_owned(),
        "link.customer_id".to_owned(),
    );
    assert_eq!(rejected(&app, &report).await, [expected]);
    for (id, name) in [("1017", "Ann"), ("00123", "Bea"), ("00456", "Cleo")] {
        let named = json!({"customer_id": id, "system_name": "shop"});
        assert_eq!(app.lookup(named).await.1["name"], name, "{id}");
    }
    let rows = "{\"link\": {\"customer_id\": 1e3}, \"first_name\": \"Eve\"}\n\
                {\"link\": {\"customer_id\": 12345678901234567890123}, \"first_name\": \"Fay\"}\n\
                {\"link\": {\"customer_id\": 1.10}, \"first_name\": \"Gil\"}\n";
    let report = app.import("drop/customer_record/crm/b.ndjson", rows).await;
    assert_eq!(report["written"], 3, "{report}");
    let client = reqwest::Client::new();
    for (body, name) in [
        ("{\"customer_id\": 1000.0}", "Eve"),
        ("{\"customer_id\": \"1000\"}", "Eve"),
        ("{\"customer_id\": 12345678901234567890123}", "Fay"),
        ("{\"customer_id\": \"12345678901234567890123\"}", "Fay"),
        ("{\"customer_id\": 1.10}", "Gil"),
        ("{\"customer_id\": \"1.10\"}", "Gil"),
    ] {
        let request = client.post(app.url("/profiles/lookup")).body(body);
        let request = request.header("content-type", "application/json");
        assert_eq!(app.send(request).await.1["name"], name, "{body}");
    }
    let (field, detail) = refused(&app, json!({"customer_id": "1.23457E+11"})).await;
    assert!(
        field == "customer_id" && detail.contains("rounded"),
        "{detail}"
    );
}

/// A rejected CSV row keeps its notation when it is dropped again as JSON.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_keep_guards() {
    let app = SharedApp::get().await;
    let csv = "link.customer_id,action_at,email_id\n'00123,never,a\n1017.0,never,b\n";
    let report = app.import("drop/email_open/mail/a.csv", csv).await;
    assert_eq!(report["rejected"], 2, "{report}");
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    let again = app.import("drop/email_open/mail/b.ndjson", &rejects).await;
    assert_eq!(again["rejected"], 2, "{again}");
    let twice = app.object(again["rejects"][0].as_str().unwrap()).await;
    let fixed = twice.replace("never", "2026-01-02");
    let report = app.import("drop/email_open/mail/c.ndjson", &fixed).await;
    assert_eq!(report["written"], 2, "{report}");
    for id in ["00123", "1017"] {
        assert_eq!(app.lookup(json!({"customer_id": id})).await.0, 200, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_not_a_source() {
    let app = SharedApp::get().await;
    let row = include_str!("../../fixtures/cases/08-orders.ndjson");
    let keys = [
        "drop/purchase/2026/11/20/a.ndjson",
        "drop/purchase/2027/01/02/a.ndjson",
        "drop/purchase/2027-01-03/a.ndjson",
        "drop/purchase/POS/a.ndjson",
    ];
    for key in keys {
        let report = app.import(key, row).await;
        assert_eq!(report["source"], "default", "{report}");
    }
    let profile = app.profile("dora@example.com").await;
    assert_eq!(profile["summary"]["orders"], 1, "{profile}");
    for source in ["agents", "system"] {
        let report = app
            .import(&format!("drop/purchase/{source}/a.ndjson"), row)
            .await;
        assert_eq!(report["problem"]["type"], "/problems/invalid-source");
        let detail = report["problem"]["detail"].as_str().unwrap();
        assert!(detail.contains("reserved"), "{detail}");
    }
}
