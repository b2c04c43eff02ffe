//! Places outside responses: logs, ids, cursors, errors and reports.

use serde_json::{Value, json};

use super::CANARY;
use crate::support::app::TestApp;

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
    // The log lines of a response may follow it. A further request completes them.
    app.get(&format!("/profiles/{id}")).await;
    let logs = app.stack.logs();
    assert!(
        logs.iter().any(|line| line.contains("profile opened"))
            && logs.iter().any(|line| line.contains("import reported"))
    );
    seen.extend(logs.into_iter().map(|line| ("log line".to_owned(), line)));
    for (place, text) in seen {
        assert!(!text.to_lowercase().contains(CANARY), "{place}: {text}");
    }
}
