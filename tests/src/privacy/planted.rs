//! A customer whose fields contain marked values, and the search for them.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use shared::{
    model::{keys::EventType, time::Instant},
    profile::redact::{self, Rule},
};

use super::CANARY;
use crate::support::app::TestApp;

/// Part of every marked number.
pub(super) const NUMBER: u64 = 4_815_162_342;

pub(super) const AT: &str = "2026-01-02T03:04:05Z";

/// Returns unknown fields: a marked name, string, number, array and object.
pub(super) fn unknown() -> Map<String, Value> {
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

/// Returns an object with these known fields: a marked value if the rule hides the field, else a valid one.
pub(super) fn planted(fields: redact::Fields) -> Value {
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
            // The first list has statuses of closed orders. An open one is in the summary too.
            (_, Rule::Status(lists)) => json!(lists[1][0]),
        };
        object.insert((*name).to_owned(), value);
    }
    object.into()
}

/// Returns one row of each event type with the same link, all known and several unknown fields.
pub(super) fn planted_events(link: &Value) -> Vec<(EventType, Value)> {
    let row = |kind: EventType| {
        let mut row = planted(redact::event_fields(kind));
        row["link"] = link.clone();
        row["action_at"] = AT.into();
        if kind == EventType::Purchase {
            // Recent, so that the summary contains it as an open order.
            row["action_at"] = Instant::now().to_string().into();
        }
        if kind == EventType::Return {
            let line = &mut row["products"][0];
            (line["price_paid"], line["quantity"]) = (json!(-1), json!(-1));
        }
        if kind.as_str().starts_with("sms") {
            row["from"]["number"] = CANARY.into();
        }
        if kind == EventType::Message {
            // Large enough to be stored apart.
            row["body"] = format!("{CANARY} ").repeat(5_000).into();
        }
        (kind, row)
    };
    EventType::ALL.into_iter().map(row).collect()
}

/// Returns all text that a response reveals without a key: the text itself and its decoded base64url parts.
pub(super) fn readable(text: &str) -> String {
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

pub(super) fn is_marked(text: &str) -> bool {
    let readable = readable(text);
    readable.contains(CANARY)
        || readable.contains(&NUMBER.to_string())
        || readable.contains("48.15162")
}

/// Imports a customer with every field of every type under several identities, and creates a note. Returns the profile's id.
pub(super) async fn plant(app: &TestApp) -> String {
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
