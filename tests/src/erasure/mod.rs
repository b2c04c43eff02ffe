//! Erasure: what a forget file deletes, and what later files may store.

mod concurrency;
mod coverage;
mod journal;
mod resumption;
mod scope;
mod suppression;

use local::Stack;
use serde_json::{Value, json};
use shared::model::identifier::Identifier;

use crate::support::{
    app::TestApp,
    table::{contains_text, rows},
};

/// Marked values of Ada. After her erasure, the table contains none of them.
pub(super) const MARKED: [&str; 5] = [
    "ada.canary@example.com",
    "61400111222",
    "AdaCanary",
    "canary street",
    "canary body",
];

/// Starts a stack with two linked customers: Ada, whose values are all marked, and Bo.
pub(super) async fn ada_and_bo() -> TestApp {
    let app = TestApp::start().await;
    let email = json!({"email": "ada.canary@example.com"});
    let mobile = json!({"mobile": "+61400111222"});
    let bo = json!({"email": "bo@example.com"});
    let long = "canary body ".repeat(1_000);
    for (folder, rows) in [
        (
            "customer_record/crm",
            vec![
                json!({"link": email, "first_name": "AdaCanary", "address_1": "1 canary street"}),
                json!({"link": bo, "first_name": "Bo"}),
            ],
        ),
        (
            "attributes/crm",
            vec![json!({"link": email, "attributes": {"a.b": "AdaCanary"}})],
        ),
        (
            "message/desk",
            vec![
                json!({"link": email, "action_at": "2026-01-01T00:00:00Z", "message_id": "1", "channel": "x", "direction": "inbound", "body": long}),
                json!({"link": bo, "action_at": "2026-01-02T00:00:00Z", "message_id": "2", "channel": "x", "direction": "inbound", "body": "bo's"}),
            ],
        ),
        (
            "sms_send/sms",
            vec![
                json!({"link": mobile, "action_at": "2026-01-03T00:00:00Z", "sms_id": "1", "to": {"number": "61400111222"}}),
            ],
        ),
        (
            "unify/crm",
            vec![
                json!({"records": [email, mobile]}),
                json!({"records": [email, bo]}),
            ],
        ),
    ] {
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app.import(&format!("drop/{folder}/a.ndjson"), &rows).await;
        assert_eq!(report["rejected"], 0, "{report}");
    }
    let (_, profile) = app.lookup(email).await;
    assert_eq!(profile["identities"].as_array().unwrap().len(), 3);
    let (status, _) = app
        .note(
            profile["identities"]
                .as_array()
                .unwrap()
                .iter()
                .find(|identity| {
                    identity["type"] == "email" && identity["value"] == "ada.canary@example.com"
                })
                .unwrap()["id"]
                .as_str()
                .unwrap(),
            Some("n1"),
            json!({"text": "AdaCanary called"}),
        )
        .await;
    assert_eq!(status, 201);
    app
}

/// Returns the marked values that the table contains.
pub(super) async fn marked(app: &TestApp) -> Vec<&'static str> {
    let rows = rows(app).await;
    MARKED
        .into_iter()
        .filter(|marked| rows.iter().any(|row| contains_text(row, marked)))
        .collect()
}

pub(super) async fn status(app: &TestApp, identifier: Value) -> u16 {
    app.lookup(identifier).await.0.as_u16()
}

/// Returns the identifier of a numbered customer.
pub(super) fn mobile(number: u64) -> Value {
    json!({"mobile": format!("61400{number:06}")})
}

pub(super) fn identifier(link: &Value) -> Identifier {
    Identifier::from_json(link.as_object().unwrap()).unwrap()
}

pub(super) fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// Returns the id of an email address's identity under the stack's key.
pub(super) fn identity_id(stack: &Stack, email: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;
    let hash = sha256(email);
    let mut mac = Hmac::<Sha256>::new_from_slice(stack.identity_key().as_bytes()).unwrap();
    mac.update(format!("email\u{1f}\u{1f}{hash}").as_bytes());
    data_encoding::BASE32_NOPAD
        .encode(&mac.finalize().into_bytes()[..16])
        .to_lowercase()
}

pub(super) fn in_hours(hours: i64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    jiff::Timestamp::from_second(i64::try_from(now.as_secs()).unwrap() + hours * 3_600)
        .unwrap()
        .to_string()
}

/// Returns the time in an hour.
pub(super) fn soon() -> String {
    in_hours(1)
}
