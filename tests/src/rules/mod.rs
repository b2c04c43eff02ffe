//! The rules of `infra/docs/reference/records.md`: accepted and rejected rows of each record type. `RULES_TABLE=1 cargo test -p tests rules --
//! --nocapture` prints them as a table.

mod customers;
mod engagement;
mod orders;

use serde_json::{Value, json};

use self::{
    customers::{links, others},
    engagement::engagement,
    orders::{orders, products},
};
use crate::support::app::TestApp;

/// The rules of a record type: accepted rows, and rejected rows with code and field.
pub(super) struct Rules {
    pub(super) record_type: &'static str,
    pub(super) accepted: Vec<Value>,
    pub(super) rejected: Vec<(Value, &'static str, &'static str)>,
}

/// Returns `base` with the fields of `change`. A null removes a field.
pub(super) fn with(base: &Value, change: Value) -> Value {
    let mut row = base.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            row.as_object_mut().unwrap().remove(name);
        } else {
            row[name] = value.clone();
        }
    }
    row
}

const FUTURE: &str = "2126-01-01T00:00:00Z";

pub(super) fn event(
    record_type: &'static str,
    id: &'static str,
    more: Value,
    accepted: Vec<Value>,
    rejected: Vec<(Value, &'static str, &'static str)>,
) -> Rules {
    let base = with(
        &json!({"link": {"email": "rules@example.com"}, "action_at": "2026-01-02T03:04:05Z", id: "1"}),
        more,
    );
    let mut all_rejected = vec![
        (with(&base, json!({"link": null})), "missing_field", "link"),
        (
            with(&base, json!({"action_at": null})),
            "missing_field",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "yesterday"})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": FUTURE})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "0000-12-31T23:59:59Z"})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "1970-01-01T00:00:00Z"})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "20/11/2026"})),
            "invalid_value",
            "action_at",
        ),
        (with(&base, json!({id: null})), "missing_field", id),
        (
            with(&base, json!({id: "x".repeat(257)})),
            "invalid_value",
            id,
        ),
        (with(&base, json!({id: "a\u{1}b"})), "invalid_value", id),
        (
            with(&base, json!({"replaces_action_at": "?"})),
            "invalid_value",
            "replaces_action_at",
        ),
    ];
    all_rejected.extend(
        rejected
            .into_iter()
            .map(|(change, code, field)| (with(&base, change), code, field)),
    );
    let all_accepted =
        std::iter::once(base.clone())
            .chain([
                with(&base, json!({id: 2})),
                with(
                    &base,
                    json!({id: "3", "action_at": "2026-01-02 03:04:05+10:00"}),
                ),
                with(&base, json!({id: "4", "unknown_field": [1]})),
                with(
                    &base,
                    json!({id: "5", "action_at": "2026-01-02 03:04:05 UTC"}),
                ),
                with(&base, json!({id: "6", "action_at": 1_767_323_045})),
            ])
            .chain(accepted.into_iter().enumerate().map(|(number, change)| {
                with(&with(&base, json!({id: format!("a{number}")})), change)
            }));
    Rules {
        record_type,
        accepted: all_accepted.collect(),
        rejected: all_rejected,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_every_rule() {
    let app = TestApp::start().await;
    let print = std::env::var_os("RULES_TABLE").is_some();
    let all: Vec<Rules> = [links(), products()]
        .into_iter()
        .chain(orders())
        .chain(engagement())
        .chain(others())
        .collect();
    for rules in all {
        let name = rules.record_type;
        let rows: Vec<&Value> = rules
            .accepted
            .iter()
            .chain(rules.rejected.iter().map(|(row, ..)| row))
            .collect();
        let file: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app
            .import(&format!("drop/{name}/rules/a.ndjson"), &file)
            .await;
        let rejects = match report["rejects"][0].as_str() {
            Some(key) => app.object(key).await,
            None => String::new(),
        };
        let found: Vec<Value> = rejects
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let expected: Vec<(usize, &str, &str)> = rules
            .rejected
            .iter()
            .enumerate()
            .map(|(number, (_, code, field))| (rules.accepted.len() + number + 1, *code, *field))
            .collect();
        let found_faults: Vec<(usize, &str, &str)> = found
            .iter()
            .map(|reject| {
                (
                    reject["line"].as_u64().unwrap() as usize,
                    reject["code"].as_str().unwrap(),
                    reject["field"].as_str().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(found_faults, expected, "{name}");
        for (reject, (row, ..)) in found.iter().zip(&rules.rejected) {
            assert_eq!(&reject["record"], row);
            let message = reject["message"].as_str().unwrap();
            let subject = match reject["field"].as_str() {
                Some(field) => format!("`{field}` "),
                None => "The row ".to_owned(),
            };
            assert!(
                message.starts_with(&subject) && message.ends_with('.'),
                "{reject}"
            );
        }
        assert_eq!(report["written"], rules.accepted.len(), "{name}");
        if print {
            let codes: std::collections::BTreeMap<&str, Vec<&str>> =
                rules
                    .rejected
                    .iter()
                    .fold(Default::default(), |mut codes, (_, code, field)| {
                        codes.entry(*code).or_insert_with(Vec::new).push(*field);
                        codes
                    });
            let codes: Vec<_> = codes
                .iter()
                .map(|(code, fields)| format!("`{code}`: {}", fields.join(", ")))
                .collect();
            println!(
                "| {name} | {} | {} | {} |",
                rules.accepted.len(),
                rules.rejected.len(),
                codes.join("; ")
            );
        }
    }
}
