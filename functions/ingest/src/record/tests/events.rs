//! Events: the fields that distinguish them, their times and expiry, and bodies that are stored separately.

use std::collections::BTreeSet;

use shared::{model::retention::Retention, table::Write};

use super::{
    Context, LAST_MODIFIED, LINK, context, expect_fault, json, key, map_record, mapped, purchase,
    sort_keys, version,
};

/// Returns an event's key, which depends on `fields`.
fn event_key(kind: &str, fields: &str) -> String {
    let row = format!(r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z",{fields}}}"#);
    let keys = sort_keys(kind, &row);
    assert_eq!(keys.len(), 1, "{kind}: {fields}");
    keys.into_iter().collect()
}

#[test]
fn events_of_one_time_are_told_apart_by_their_natural_ids() {
    let order = r#""type":"physical","products":[]"#;
    let click = |url: &str| format!(r#""clicked_link":{{"url":"https://example.com/{url}"}}"#);
    let subscribed = |list: &str, status: &str| {
        format!(r#""list":{{"id":"{list}","name":"n"}},"status":"{status}""#)
    };
    let [on, off] = ["subscribed", "unsubscribed"];
    for (kind, id, others) in [
        ("purchase", "purchase_id", vec![order.to_owned()]),
        ("return", "return_id", vec![order.to_owned()]),
        (
            "email_send",
            "email_id",
            vec![r#""subject":"s""#.to_owned()],
        ),
        (
            "email_open",
            "email_id",
            vec![r#""subject":"s""#.to_owned()],
        ),
        (
            "email_bounce",
            "email_id",
            vec![r#""subject":"s""#.to_owned()],
        ),
        ("email_click", "email_id", vec![click("a"), click("b")]),
        (
            "email_subscribe",
            "email_id",
            vec![
                subscribed("a", on),
                subscribed("a", off),
                subscribed("b", on),
            ],
        ),
        ("sms_send", "sms_id", vec![r#""body":"b""#.to_owned()]),
        ("sms_click", "sms_id", vec![click("a"), click("b")]),
        (
            "sms_subscribe",
            "sms_id",
            vec![
                subscribed("a", on),
                subscribed("a", off),
                subscribed("b", on),
            ],
        ),
        (
            "message",
            "message_id",
            vec![r#""channel":"x","direction":"inbound""#.to_owned()],
        ),
    ] {
        let keys: BTreeSet<_> = ["1", "2"]
            .iter()
            .flat_map(|value| {
                others
                    .iter()
                    .map(move |other| format!(r#""{id}":"{value}",{other}"#))
            })
            .map(|fields| event_key(kind, &fields))
            .collect();
        assert_eq!(keys.len(), 2 * others.len(), "{kind}");
        // Other fields do not change the key.
        let fields = format!(r#""{id}":"1",{},"more":7"#, others[0]);
        assert!(keys.contains(&event_key(kind, &fields)), "{kind}");
        let blanks = format!(r#""{id}":" 1 ",{}"#, others[0]);
        assert!(keys.contains(&event_key(kind, &blanks)), "{kind}");
    }
}

#[test]
fn a_large_body_is_stored_apart() {
    let sent = |bytes: usize| {
        let row = format!(
            r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z","sms_id":"s","body":"{}"}}"#,
            "x".repeat(bytes)
        );
        mapped(Some("sms_send"), &row).unwrap()
    };
    let inline = shared::model::body::MAX_INLINE_BYTES;
    assert!(sent(inline).body.is_none());
    let apart = sent(inline + 1);
    let body = apart.body.unwrap();
    let event = &apart.writes[0];
    assert_eq!(body.key().0, event.key().0);
    assert_eq!(
        body.key().1.strip_prefix("body#"),
        event.key().1.strip_prefix("event#")
    );
    // Only the event names its customer.
    assert!(!body.has_link() && event.has_link());
    assert!(!apart.truncated);
}

#[test]
fn what_does_not_fit_is_said_to_be_truncated() {
    // No two parts of the body are alike, so it cannot be compressed much.
    let pieces = (0..60_000_u64)
        .map(|number| format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let body: String = pieces.collect();
    let row =
        format!(r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z","sms_id":"s","body":"{body}"}}"#);
    assert!(mapped(Some("sms_send"), &row).unwrap().truncated);
}

#[test]
fn an_event_may_lie_two_days_after_its_file() {
    let two_days = 172_800;
    let row = |ahead: i64| {
        let at = shared::model::time::Instant::from_seconds(LAST_MODIFIED + ahead).unwrap();
        format!(r#"{{{LINK},"action_at":"{at}","email_id":"e"}}"#)
    };
    assert_eq!(sort_keys("email_open", &row(two_days)).len(), 1);
    expect_fault(
        "email_open",
        &row(two_days + 1),
        "invalid_value",
        "action_at",
    );
}

#[test]
fn a_moved_event_leaves_a_tombstone() {
    let line = r#""products":[{"price_paid":1,"quantity":1}]"#;
    let row = purchase(&format!(
        r#"{line},"replaces_action_at":"2026-01-01T00:00:00Z""#
    ));
    let keys = sort_keys("purchase", &row);
    assert_eq!(keys.len(), 2);
    assert!(keys[1].starts_with("event#2026-01-01T00:00:00.000000Z#purchase#"));
    assert_eq!(keys[0].rsplit('#').next(), keys[1].rsplit('#').next());
    let same = purchase(&format!(
        r#"{line},"replaces_action_at":"2026-01-02T03:04:05Z""#
    ));
    assert_eq!(sort_keys("purchase", &same).len(), 1);
}

#[test]
fn only_events_expire() {
    let key = key();
    let context = Context {
        retention: Retention {
            events: Some(30),
            ..Retention::default()
        },
        denied: &[],
        ..context(&key, None)
    };
    let ends = |row: &str| {
        let mapped = map_record(&context, version(7), json::object(row).unwrap()).unwrap();
        let writes = mapped.body.iter().chain(&mapped.writes);
        writes.map(Write::expires_at).collect::<Vec<_>>()
    };
    let body = "x".repeat(5_000);
    let event = format!(
        r#"{{{LINK},"record_type":"email_send","action_at":"2026-09-20T00:00:00Z","email_id":"e","body":"{body}"}}"#
    );
    assert_eq!(ends(&event), [Some(1_792_454_400); 2]);
    // The event expired before its file was dropped. DynamoDB would never delete an item that expired years ago.
    let old = event.replace("2026-09-20", "2016-08-20");
    assert_eq!(ends(&old), [Some(LAST_MODIFIED); 2]);
    let record = format!(r#"{{{LINK},"record_type":"customer_record"}}"#);
    assert_eq!(ends(&record), [None]);
}
