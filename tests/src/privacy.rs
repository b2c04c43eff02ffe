//! Marked values in every field of every record type. None may be in a log line, an error, an id, a cursor, a URL, a tag or a report, and
//! none in a response to a principal without `pii:read`. Rejects contain the rows that they reject, by design.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use shared::{
    model::keys::EventType,
    profile::redact::{self, Rule},
};

use crate::app::{TestApp, api_event};

/// Part of every marked value, in the letters that addresses, ids and texts may have.
const CANARY: &str = "c4n4ry";

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
async fn nothing_personal_is_where_it_should_not_be() {
    let app = TestApp::start().await;
    let mut seen: Vec<(String, String)> = Vec::new();
    for (folder, rows) in rows() {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app
            .import(&format!("drop/{folder}/crm/a.ndjson"), &text)
            .await;
        assert!(report["written"].as_u64().unwrap() > 0, "{report}");
        seen.push((format!("report of {folder}"), report.to_string()));
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
                // A field's name is the file's own; the message says what was expected of it.
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
    // What a function logs just before it answers may come a moment later: its last answer is followed by another.
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

/// Part of every marked number.
const NUMBER: u64 = 4_815_162_342;
const AT: &str = "2026-01-02T03:04:05Z";
const SCOPES: [&str; 4] = ["profiles:read", "notes:write", "notes:admin", "pii:read"];

/// Unknown fields, with a marked name, string, number, list and object each.
fn unknown() -> Map<String, Value> {
    let inner = json!({format!("{CANARY} inner"): [CANARY, NUMBER, {"deep": CANARY}]});
    let fields = json!({
        format!("{CANARY} name"): 1,
        "unknown_text": CANARY,
        "unknown_number": NUMBER,
        "unknown_list": [CANARY, NUMBER, [CANARY]],
        "unknown_object": inner,
        "redacted_fields": CANARY,
    });
    fields.as_object().expect("an object").clone()
}

/// An object with these known fields: a marked value where the field is hidden, a valid one where it is visible.
fn planted(fields: redact::Fields) -> Value {
    let mut object = unknown();
    for (name, rule) in fields {
        let value = match (*name, rule) {
            ("products", Rule::Object(fields)) => {
                let mut line = planted(fields);
                line["product_reference"] =
                    json!({"id": CANARY, "dataset_id": CANARY, CANARY: NUMBER});
                json!([line])
            }
            ("adjustments" | "payment_types", Rule::Object(fields)) => json!([planted(fields)]),
            (_, Rule::Object(fields)) => planted(fields),
            (
                "full_price" | "discount" | "price_paid" | "price_adjustment" | "total"
                | "quantity",
                _,
            ) => json!(1),
            ("location", _) => {
                json!({"name": CANARY, "coordinate": {"latitude": 48.15162, "longitude": 23.42481}, CANARY: NUMBER})
            }
            ("list" | "account", _) => json!({"id": CANARY, "name": CANARY, CANARY: NUMBER}),
            ("from" | "to", _) => {
                json!({"email": format!("{CANARY}@example.com"), "name": CANARY, "number": CANARY, CANARY: 1})
            }
            ("author", _) => {
                json!({"name": CANARY, "handle": CANARY, "avatar_url": format!("https://{CANARY}.example/{CANARY}"), CANARY: 1})
            }
            ("clicked_link", _) => {
                json!({"name": CANARY, "url": format!("https://{CANARY}.example/{CANARY}?{CANARY}"), CANARY: 1})
            }
            ("attachments", _) => {
                json!([{"url": format!("https://{CANARY}.example/"), "type": CANARY, "name": CANARY, CANARY: 1}])
            }
            ("custom_fields", _) => {
                json!({CANARY: CANARY, "n": NUMBER, "deep": {CANARY: [CANARY]}})
            }
            ("date_of_birth", _) => json!("1948-01-05"),
            (_, Rule::Hidden) => json!(format!("{CANARY} {name}")),
            (_, Rule::Number) => continue,
            (_, Rule::Flag) => json!(true),
            (_, Rule::Time) => json!(AT),
            (_, Rule::Currency) => json!("AUD"),
            (_, Rule::Channel) => json!("WhatsApp"),
            (_, Rule::OneOf(names)) => json!(names[0]),
        };
        object.insert((*name).to_owned(), value);
    }
    object.into()
}

/// One row of each event type under the same link, with every known and several unknown fields.
fn planted_events(link: &Value) -> Vec<(EventType, Value)> {
    let row = |kind: EventType| {
        let mut row = planted(redact::event_fields(kind));
        row["link"] = link.clone();
        row["action_at"] = AT.into();
        if kind == EventType::Return {
            let line = &mut row["products"][0];
            (line["price_paid"], line["quantity"]) = (json!(-1), json!(-1));
        }
        if kind.as_str().starts_with("sms") {
            row["from"]["number"] = CANARY.into();
        }
        if kind == EventType::Message {
            // Large enough to be stored apart from its event.
            row["body"] = format!("{CANARY} ").repeat(5_000).into();
        }
        (kind, row)
    };
    EventType::ALL.into_iter().map(row).collect()
}

/// Every string that can be read from a response without a key: the text itself, and what its base64url parts decode to.
fn readable(text: &str) -> String {
    let mut readable = text.to_lowercase();
    let is_part_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    for word in text
        .split(|c: char| !is_part_of_word(c))
        .filter(|word| word.len() >= 8)
    {
        let word = word.trim_end_matches('=');
        if let Ok(bytes) = BASE64URL_NOPAD.decode(word.as_bytes()) {
            readable.push(' ');
            readable.push_str(&String::from_utf8_lossy(&bytes).to_lowercase());
        }
    }
    readable
}

fn is_marked(text: &str) -> bool {
    let readable = readable(text);
    readable.contains(CANARY)
        || readable.contains(&NUMBER.to_string())
        || readable.contains("48.15162")
}

/// A request of the table of routes.
struct Asked {
    function: &'static str,
    event: Value,
}

fn asked(function: &'static str, method: &str, path: &str, scope: &str) -> Asked {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut event = api_event(
        method,
        path,
        Some(json!({"sub": "agent-7", "scope": scope})),
    );
    event["rawQueryString"] = query.into();
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.to_owned(), Value::from(value)));
    event["queryStringParameters"] = parameters.collect::<Map<_, _>>().into();
    Asked { function, event }
}

async fn respond(app: &TestApp, asked: Asked) -> Value {
    app.stack
        .invoke(asked.function, asked.event)
        .await
        .expect("a response")
}

/// A customer with every field of every type under several identities, and a note. Returns the profile's id.
async fn plant(app: &TestApp) -> String {
    let link = json!({"email": format!("{CANARY}@example.com")});
    let mut record = unknown();
    for name in [
        "address_1",
        "address_2",
        "city",
        "country",
        "customer_type",
        "first_name",
        "gender",
        "last_name",
        "postcode",
        "state",
        "zip",
    ] {
        record.insert(name.to_owned(), format!("{CANARY} {name}").into());
    }
    let known = json!({"link": link, "email": link["email"], "mobile": NUMBER.to_string(), "customer_id": CANARY, "date_of_birth": "1948-01-05", "employee_flag": true, "custom_fields": {CANARY: CANARY, "n": NUMBER}});
    record.extend(known.as_object().expect("an object").clone());
    let attributes = json!({"link": link, "attributes": {
        format!("health.{CANARY}"): {"value": CANARY, "confidence": 1}, format!("{CANARY}.x"): NUMBER, "plain.value": CANARY,
        format!("plain.{}", format!("{CANARY}-").repeat(30)): true,
    }, CANARY: CANARY});
    let other = json!({"external_id": CANARY, "system_name": format!("{CANARY} desk")});
    let unify = json!({"records": [link, other, {"mobile": NUMBER.to_string()}, {"customer_id": CANARY, "system_name": CANARY}], CANARY: CANARY});
    let mut rows: Vec<_> = planted_events(&link)
        .into_iter()
        .map(|(kind, row)| (kind.as_str(), row))
        .collect();
    rows.extend([
        ("customer_record", record.into()),
        ("attributes", attributes),
        ("unify", unify),
    ]);
    for (folder, row) in rows {
        let report = app
            .import(&format!("drop/{folder}/crm/a.ndjson"), &row.to_string())
            .await;
        assert_eq!(
            (&report["written"], &report["rejected"]),
            (&json!(1), &json!(0)),
            "{folder}: {report}"
        );
    }
    let profile = app.profile(&format!("{CANARY}@example.com")).await;
    let id = profile["id"].as_str().expect("an id").to_owned();
    let (status, _) = app
        .note(
            &id,
            Some("first"),
            json!({"text": format!("{CANARY} called")}),
        )
        .await;
    assert_eq!(status, 201);
    id
}

/// Follows the pages of a listing to its end and returns their paths, the first of them included.
async fn pages(app: &TestApp, function: &'static str, path: &str) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    loop {
        let last = paths.last().expect("a path");
        let response = respond(app, asked(function, "GET", last, &SCOPES.join(" "))).await;
        let body = response["body"].as_str().expect("a body");
        let end = body.lines().last().expect("a line");
        let page: Value = serde_json::from_str(end).expect("JSON");
        match page["next"].as_str() {
            Some(next) => paths.push(format!("{path}&cursor={next}")),
            None => return paths,
        }
        assert!(paths.len() < 200);
    }
}

/// Every route that reads the profile, with every page of it.
async fn readings(app: &TestApp, id: &str) -> Vec<(&'static str, String)> {
    let profile = app.profile(&format!("{CANARY}@example.com")).await;
    let events = profile["history"]["items"].as_array().expect("events");
    assert_eq!(events.len(), EventType::ALL.len());
    let identities = profile["identities"].as_array().expect("identities");
    assert_eq!(identities.len(), 4);
    let mut all: Vec<(&'static str, String)> = Vec::new();
    for identity in identities {
        let identity = identity["id"].as_str().expect("an id");
        all.push(("profile-read", format!("/profiles/{identity}")));
    }
    for include in ["summary", "attributes", "notes", "history"] {
        all.push(("profile-read", format!("/profiles/{id}?include={include}")));
    }
    for path in ["attributes?limit=1", "notes?limit=1", "export?limit=1"] {
        let paths = pages(app, "profile-read", &format!("/profiles/{id}/{path}")).await;
        assert!(paths.len() > 1 || path.starts_with("notes"), "{path}");
        all.extend(paths.into_iter().map(|path| ("profile-read", path)));
    }
    let paths = pages(app, "history", &format!("/profiles/{id}/history?limit=1")).await;
    all.extend(paths.into_iter().map(|path| ("history", path)));
    for filter in [
        "channel=email",
        "channel=whatsapp",
        "channel=c4n4ry",
        "account=c4n4ry",
        "type=message",
    ] {
        all.push(("history", format!("/profiles/{id}/history?{filter}")));
    }
    for event in events {
        all.push((
            "history",
            format!(
                "/profiles/{id}/history/{}",
                event["id"].as_str().expect("an id")
            ),
        ));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_nothing_personal_without_the_scope() {
    let app = TestApp::start().await;
    let id = plant(&app).await;
    let readings = readings(&app, &id).await;
    let mut marked = BTreeSet::new();
    for set in 0..1_u32 << SCOPES.len() {
        let held = (0..SCOPES.len())
            .filter(|at| set & (1 << at) != 0)
            .map(|at| SCOPES[at]);
        let scope = held.collect::<Vec<_>>().join(" ");
        let sees_all = scope.contains("profiles:read") && scope.contains("pii:read");
        for (function, path) in &readings {
            let response = respond(&app, asked(function, "GET", path, &scope)).await;
            let body = response["body"].as_str().unwrap_or_default();
            let headers =
                response["headers"].to_string() + &response["multiValueHeaders"].to_string();
            assert!(!is_marked(&headers), "{scope} {path}: {headers}");
            assert_eq!(
                response["statusCode"].as_u64() == Some(200),
                is_allowed(path, &scope),
                "{scope} {path}: {body}"
            );
            if sees_all {
                if is_marked(body) {
                    marked.insert(path.clone());
                }
                let next = cursors(body);
                assert!(!is_marked(&next), "{path}: {next}");
            } else {
                assert!(!is_marked(body), "{scope} {path}: {body}");
            }
        }
        // A change of another's note returns the note.
        let mut create = asked(
            "note-write",
            "POST",
            &format!("/profiles/{id}/notes"),
            &scope,
        );
        create.event["headers"]["idempotency-key"] = format!("key-{set}").into();
        create.event["body"] = json!({"text": "called"}).to_string().into();
        let created = respond(&app, create).await;
        assert!(!is_marked(&created.to_string()));
        let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
        let note = notes["items"]
            .as_array()
            .expect("notes")
            .iter()
            .find(|note| is_marked(&note["text"].to_string()))
            .expect("the first note");
        let path = format!(
            "/profiles/{id}/notes/{}",
            note["id"].as_str().expect("an id")
        );
        let mut change = asked("note-write", "PATCH", &path, &scope);
        change.event["headers"]["if-match"] = note["etag"].clone();
        change.event["body"] = json!({"pinned": set % 2 == 0}).to_string().into();
        let changed = respond(&app, change).await;
        assert!(
            scope.contains("pii:read") || !is_marked(&changed.to_string()),
            "{scope}: {changed}"
        );
    }
    // The values are there, or the search for them would prove nothing.
    for (function, path) in &readings {
        let has_body = !path.contains("cursor=") && !path.contains("summary");
        let is_event = *function == "history" && path.contains("/history/");
        assert!(!(has_body && is_event) || marked.contains(path), "{path}");
    }
    app.get(&format!("/profiles/{id}")).await;
    for line in app.stack.logs() {
        assert!(!is_marked(&line), "{line}");
    }
}

/// Whether a principal with these scopes may read a path.
fn is_allowed(path: &str, scope: &str) -> bool {
    let needs_all =
        path.contains("/export") || path.contains("account=") || path.contains("channel=c4n4ry");
    scope.contains("profiles:read") && (!needs_all || scope.contains("pii:read"))
}

/// The cursors of a response, in its own `next`, its sections' and `attributes_next`.
fn cursors(body: &str) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if name == "next" => found.push(text.clone()),
                        Value::Object(next) if name == "attributes_next" => {
                            found.extend(
                                next.values()
                                    .filter_map(|text| text.as_str().map(str::to_owned)),
                            );
                        }
                        value => collect(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for line in body.lines() {
        collect(&serde_json::from_str(line).unwrap_or_default(), &mut found);
    }
    found.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_and_figures_are_shown_without_the_scope() {
    let app = TestApp::start().await;
    let id = plant(&app).await;
    let response = respond(
        &app,
        asked(
            "profile-read",
            "GET",
            &format!("/profiles/{id}"),
            "profiles:read",
        ),
    )
    .await;
    let profile: Value =
        serde_json::from_str(response["body"].as_str().expect("a body")).expect("JSON");
    let items = profile["history"]["items"].as_array().expect("events");
    let titles: BTreeSet<_> = items
        .iter()
        .filter_map(|item| item["title"].as_str())
        .collect();
    let expected = [
        "Bought 1 item for 1.00 AUD (canceled)",
        "Returned 1 item for 1.00 AUD (canceled)",
        "Was sent an e-mail",
        "Opened an e-mail",
        "Followed a link in an e-mail",
        "Did not receive an e-mail: it bounced",
        "E-mail subscription: subscribed",
        "Was sent a text message",
        "Followed a link in a text message",
        "Text message subscription: subscribed",
        "Wrote by WhatsApp",
    ];
    assert_eq!(titles, BTreeSet::from(expected));
    let summary = &profile["summary"];
    assert_eq!(
        (&summary["orders"], &summary["email"]["status"]),
        (&json!(0), &json!("subscribed"))
    );
    assert_eq!(profile["attributes_redacted"], 12);
}

/// The names of attributes are in no cursor, so a long one makes no long cursor.
#[tokio::test(flavor = "multi_thread")]
async fn pages_through_long_attribute_names() {
    let app = TestApp::start().await;
    let names: Vec<_> = (0..9)
        .map(|n| format!("{n}{}", "x".repeat(3_000)))
        .collect();
    let custom: Map<_, _> = names.iter().map(|name| (name.clone(), json!(1))).collect();
    let record = json!({"link": {"email": "a@example.com"}, "custom_fields": custom});
    app.import("drop/customer_record/crm/a.ndjson", &record.to_string())
        .await;
    let id = app.profile("a@example.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/profiles/{id}/attributes?category=custom&limit=2");
    let paths = pages(&app, "profile-read", &path).await;
    assert_eq!(paths.len(), 5);
    let mut seen = Vec::new();
    for path in paths {
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200);
        let items = page["items"].as_array().expect("items").iter();
        seen.extend(items.map(|item| item["name"].as_str().expect("a name").to_owned()));
    }
    assert_eq!(seen, names);
}

/// Neither a browser nor a proxy keeps a response, whatever its status.
#[tokio::test(flavor = "multi_thread")]
async fn no_response_may_be_stored() {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let client = reqwest::Client::new();
    let mut tag = None;
    for (path, status) in [
        (format!("/profiles/{id}"), 200),
        (format!("/profiles/{id}"), 304),
        (format!("/profiles/{id}/attributes"), 200),
        (format!("/profiles/{id}/notes"), 200),
        (format!("/profiles/{id}/export"), 200),
        (format!("/profiles/{id}/history"), 200),
        (format!("/profiles/{id}/history/x"), 404),
        ("/profiles/x".to_owned(), 404),
        (format!("/profiles/{id}?limit=1"), 400),
    ] {
        let mut request = client.get(app.url(&path));
        if let Some(tag) = tag.take() {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.expect("a response");
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        tag = response
            .headers()
            .get("etag")
            .filter(|_| status == 200)
            .cloned();
    }
    let request = client
        .post(app.url("/profiles/lookup"))
        .json(&json!({"email": "jane@fake.com"}));
    let response = request.send().await.expect("a response");
    assert_eq!(response.headers()["cache-control"], "no-store");
}
