//! Places outside responses: logs, ids, cursors, errors and reports.

use serde_json::{Value, json};

use super::CANARY;
use crate::support::{app::TestApp, table::rows as table_rows};

fn rows() -> Vec<(&'static str, Vec<Value>)> {
    let mark = |what: &str| format!("{CANARY}-{what}");
    let email = format!("{CANARY}@example.com");
    let link = json!({"email": email});
    let at = "2026-01-02T03:04:05Z";
    let party = json!({"email": email, "name": mark("name")});
    let line =
        json!({"price_paid": "1", "quantity": 1, "product_reference": {"id": mark("product")}});
    let bad = |row: Value, field: &str| {
        let mut bad = row;
        bad[field] = json!({CANARY: mark("bad")});
        bad
    };
    let record = json!({"link": link, "email": email, "mobile": mark("mobile"), "customer_id": mark("id"), "first_name": mark("first"), "last_name": mark("last"), "gender": mark("gender"), "date_of_birth": "1985-03-06", "address_1": mark("address"), "city": mark("city"), "custom_fields": {"secret": mark("custom")}});
    let purchase = json!({"link": link, "action_at": at, "type": "physical", "purchase_id": mark("purchase"), "products": [line], "store": {"type": "outlet", "name": mark("store")}, "custom_fields": {"gift": mark("gift")}});
    let send = json!({"link": link, "action_at": at, "email_id": mark("mail"), "from": party, "to": party, "subject": mark("subject"), "body": mark("body")});
    let message = json!({"link": {"external_id": mark("external"), "system_name": "desk"}, "action_at": at, "message_id": mark("message"), "channel": "x", "direction": "inbound", "author": {"name": mark("author"), "handle": mark("handle")}, "body": mark("text"), "attachments": [{"url": format!("https://example.com/{CANARY}"), "name": mark("file")}]});
    let attributes = json!({"link": link, "attributes": {"a.b": mark("attribute")}});
    vec![
        (
            "customer_record",
            vec![
                record.clone(),
                bad(record.clone(), "first_name"),
                json!({"link": {"email": mark("no address")}}),
                json!({"link": {CANARY: "x"}}),
            ],
        ),
        (
            "purchase",
            vec![purchase.clone(), bad(purchase, "purchase_id")],
        ),
        ("email_send", vec![send.clone(), bad(send, "action_at")]),
        ("message", vec![message.clone(), bad(message, "direction")]),
        (
            "attributes",
            vec![
                attributes,
                json!({"link": link, "attributes": {"plain": mark("x")}}),
            ],
        ),
        (
            "sms_send",
            vec![
                json!({"link": {"mobile": "61499999999"}, "action_at": at, "sms_id": "1", "body": mark("sms"), "to": {"number": mark("to")}}),
            ],
        ),
        (
            "unify",
            vec![
                json!({"records": [link, {"external_id": mark("external"), "system_name": "desk"}]}),
                json!({"records": [link, {"mobile": mark("x")}]}),
            ],
        ),
        (
            "forget",
            vec![
                json!({"link": {"customer_id": mark("gone")}}),
                json!({"link": {"mobile": mark("x")}}),
            ],
        ),
    ]
}

/// Creates a profile, links it to `id` and separates it again. Returns the ids in the responses, and all keys of the table.
async fn changes(app: &TestApp, id: &str) -> Vec<(String, String)> {
    let send = async |method: &str, path: String, body: Value| {
        let method = method.parse().expect("a method");
        let request = reqwest::Client::new().request(method, app.url(&path));
        let key = format!("{CANARY}-{}", path.len());
        let request = request
            .header("idempotency-key", key)
            .header("if-match", "*");
        let (status, body) = app.send(request.json(&body)).await;
        assert!(status.is_success(), "{path} {status} {body}");
        body
    };
    let identifier = json!({"email": format!("{CANARY}-new@example.com")});
    let new = json!({"identifier": identifier, "first_name": CANARY, "last_name": CANARY});
    let created = send("POST", "/profiles".to_owned(), new).await;
    let reason = json!({"identity": created["id"], "reason": format!("{CANARY} said so")});
    let linked = send("POST", format!("/profiles/{id}/links"), reason).await;
    let other = created["id"].as_str().expect("an id");
    let reason = json!({"reason": format!("{CANARY} said no")});
    let separate = format!("/profiles/{id}/identities/{other}");
    let separated = send("DELETE", separate, reason).await;
    let mut seen = vec![
        ("id of a new profile".to_owned(), created["id"].to_string()),
        ("changes".to_owned(), linked["changes"].to_string()),
        ("changes".to_owned(), separated["changes"].to_string()),
    ];
    let (_, page) = app.get(&format!("/profiles/{id}/links?limit=1")).await;
    for name in ["id", "etag"] {
        seen.push(("link".to_owned(), page["items"][0][name].to_string()));
    }
    let mut indexed = 0;
    for row in table_rows(app).await {
        for name in ["PK", "SK", "Find1", "Find2", "Find3", "Find4"] {
            if let Some(key) = row.get(name) {
                indexed += usize::from(name.starts_with("Find"));
                seen.push((format!("key {name}"), format!("{key:?}")));
            }
        }
    }
    assert!(indexed > 4, "{indexed}");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_ids_contain_nothing_personal() {
    let app = TestApp::start().await;
    let mut seen: Vec<(String, String)> = Vec::new();
    for (folder, rows) in rows() {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app
            .import(&format!("drop/{folder}/crm/a.ndjson"), &text)
            .await;
        assert!(report["written"].as_u64().unwrap() > 0, "{report}");
        // The file chose the names of its fields; the report contains them.
        let mut values = report.clone();
        for (list, name) in [
            ("reasons", "field"),
            ("warnings", "field"),
            ("unknown_fields", "name"),
        ] {
            for entry in values[list].as_array_mut().into_iter().flatten() {
                entry[name].take();
            }
        }
        seen.push((format!("report of {folder}"), values.to_string()));
        let broken = app
            .import(
                &format!("drop/{folder}/crm/b.ndjson"),
                &format!("{{\"{CANARY}\n{CANARY}"),
            )
            .await;
        seen.push((format!("report of broken {folder}"), broken.to_string()));
        for key in report["rejects"].as_array().unwrap() {
            for line in app.object(key.as_str().unwrap()).await.lines() {
                let mut reject: Value = serde_json::from_str(line).unwrap();
                reject.as_object_mut().unwrap().remove("record");
                // The file chose the field's name; the message contains it.
                seen.push(("message of a reject".into(), reject["code"].to_string()));
                let message = reject["message"]
                    .as_str()
                    .unwrap()
                    .replace(&format!(".{CANARY}"), "");
                seen.push(("message of a reject".into(), message));
            }
        }
    }
    let (_, profile) = app
        .lookup(json!({"email": format!("{CANARY}@example.com")}))
        .await;
    let text = profile.to_string();
    assert!(
        text.contains(&format!("{CANARY}-text")) && text.contains(&format!("{CANARY}-custom")),
        "the canaries are in the profile"
    );
    let id = profile["id"].as_str().unwrap();
    for identity in profile["identities"].as_array().unwrap() {
        seen.push(("identity id".into(), identity["id"].to_string()));
    }
    for item in profile["history"]["items"].as_array().unwrap() {
        seen.push(("event id".into(), item["id"].to_string()));
        let key = item["id"].as_str().unwrap().split_once('.').unwrap().1;
        seen.push((
            "event key".into(),
            String::from_utf8(
                data_encoding::BASE64URL_NOPAD
                    .decode(key.as_bytes())
                    .unwrap(),
            )
            .unwrap(),
        ));
    }
    let (_, note) = app
        .note(
            id,
            Some(&format!("{CANARY}-key")),
            json!({"text": format!("{CANARY} called")}),
        )
        .await;
    seen.push(("note id".into(), note["id"].to_string()));
    seen.push(("note author".into(), note["author"].to_string()));
    seen.extend(changes(&app, id).await);
    let (_, page) = app.get(&format!("/profiles/{id}/history?limit=1")).await;
    let next = page["next"].as_str().unwrap();
    seen.push((
        "cursor".into(),
        String::from_utf8_lossy(
            &data_encoding::BASE64URL_NOPAD
                .decode(next.as_bytes())
                .unwrap(),
        )
        .into_owned(),
    ));

    let errors = [
        app.lookup(json!({"email": format!("{CANARY} at example")}))
            .await,
        app.lookup(json!({"mobile": CANARY})).await,
        app.lookup(json!({"customer_id": format!("{CANARY}{}", "x".repeat(300))}))
            .await,
        app.lookup(json!({"email": "nobody@example.com"})).await,
        app.lookup(json!([CANARY])).await,
        app.note(id, Some(&CANARY.repeat(60)), json!({"text": "x"}))
            .await,
        app.note(
            id,
            Some(&format!("{CANARY}-key")),
            json!({"text": format!("{CANARY} wrote")}),
        )
        .await,
        app.note(id, Some("k"), json!({"text": format!("{CANARY}\u{0}")}))
            .await,
        app.get(&format!("/profiles/{CANARY}")).await,
        app.get(&format!("/profiles/{id}?include={CANARY}")).await,
        app.get(&format!("/profiles/{id}/history?cursor={CANARY}"))
            .await,
        app.get(&format!("/profiles/{id}/history?limit={CANARY}"))
            .await,
    ];
    for (status, body) in errors {
        assert!(status.is_client_error(), "{status} {body}");
        seen.push((format!("error {status}"), body.to_string()));
    }
    app.stack.wait_idle().await;
    let logs = app.stack.logs();
    for line in [
        "import reported",
        r#""audit":"profile.read""#,
        r#""audit":"profile.create""#,
        r#""decision":"separated""#,
    ] {
        assert!(logs.iter().any(|log| log.contains(line)), "{line}");
    }
    seen.extend(logs.into_iter().map(|line| ("log line".to_owned(), line)));
    for (place, text) in seen {
        assert!(!text.to_lowercase().contains(CANARY), "{place}: {text}");
    }
}

/// A file keyed by addresses, numbers or hashes has them as names of fields. Only the rejects, which need `pii:read`, contain these.
#[tokio::test(flavor = "multi_thread")]
async fn names_of_fields_that_identify_are_masked() {
    let app = TestApp::start().await;
    let address = format!("{CANARY}.doe@example.com");
    let number = "+61491570157";
    let link = json!({"email": "ann@example.com"});
    let rows = [
        json!({address.as_str(): {"link": link}, number: {"link": link}}),
        json!({"link": {address.as_str(): "email"}}),
        json!({"link": link, address.as_str(): "x", "first_name": {number: "x"}}),
        json!({"link": link, "custom_fields": {"x": 1}, format!("{CANARY} {number}"): "x"}),
    ];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let key = "drop/customer_record/crm/a.ndjson";
    let report = app.import(key, &text).await;
    assert_eq!(report["rejected"], 2, "{report}");
    assert_eq!(report["unknown_fields"][0]["name"], "***", "{report}");
    let fields = report["reasons"].as_array().unwrap().iter();
    let fields: Vec<_> = fields.map(|reason| &reason["field"]).collect();
    assert!(fields.contains(&&json!("link.***")), "{report}");
    let (status, import) = app
        .get(&format!("/imports/{}", report["import"].as_str().unwrap()))
        .await;
    assert!(status.is_success(), "{import}");
    assert_eq!(import["unknown_fields"], report["unknown_fields"]);
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    assert!(rejects.contains(CANARY), "{rejects}");
    let header = format!("{address},{number}x\n1,2\n");
    let broken = app.import("drop/customer_record/crm/b.csv", &header).await;
    assert_eq!(broken["status"], "rejected", "{broken}");
    app.stack.wait_idle().await;
    let mut seen = vec![report.to_string(), import.to_string(), broken.to_string()];
    seen.extend(app.stack.logs());
    for text in seen {
        let is_masked = !text.to_lowercase().contains(CANARY) && !text.contains(&number[1..]);
        assert!(is_masked, "{text}");
    }
}
