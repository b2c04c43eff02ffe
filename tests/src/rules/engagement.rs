//! Email, text messages, conversations and general events.

use serde_json::json;

use super::{Rules, event};

pub(super) fn engagement() -> Vec<Rules> {
    let party = json!({"email": "a@example.com", "name": "A"});
    let email = |record_type| {
        event(
            record_type,
            "email_id",
            json!({}),
            vec![
                json!({"from": party, "to": party, "list": {"id": "1", "name": "L"}}),
                json!({"list": {"name": "L"}}),
                json!({"from": {"name": "A"}}),
                json!({"to": "a@example.com"}),
            ],
            vec![],
        )
    };
    let sms = |record_type, more, accepted, rejected| {
        event(record_type, "sms_id", more, accepted, rejected)
    };
    let click = || {
        vec![(
            json!({"clicked_link": {"url": ["https://example.com"]}}),
            "wrong_type",
            "clicked_link.url",
        )]
    };
    let status = |words: &[&str]| {
        words
            .iter()
            .map(|word| json!({"status": word}))
            .collect::<Vec<_>>()
    };
    let email_words = [
        "unsubscribed",
        "transactional",
        "undeliverable",
        "SUBSCRIBED",
    ];
    vec![
        email("email_send"),
        email("email_open"),
        event(
            "email_click",
            "email_id",
            json!({}),
            vec![
                json!({"clicked_link": {"name": "x", "url": "https://example.com"}}),
                json!({"clicked_link": {"url": "javascript:alert(1)"}}),
                json!({"clicked_link": {"url": "tel:+611300000000"}}),
            ],
            click(),
        ),
        email("email_bounce"),
        event(
            "email_subscribe",
            "email_id",
            json!({"status": "subscribed"}),
            status(&email_words),
            vec![
                (json!({"status": null}), "missing_field", "status"),
                (json!({"list": {"name": "L"}}), "missing_field", "list.id"),
                (
                    json!({"status": "list_subscribed"}),
                    "invalid_value",
                    "status",
                ),
            ],
        ),
        sms(
            "sms_send",
            json!({}),
            vec![
                json!({"body": "Hello", "from": {"name": "A"}, "to": {"number": 61}}),
                json!({"from": "A"}),
            ],
            vec![],
        ),
        sms(
            "sms_click",
            json!({}),
            vec![json!({"clicked_link": {"url": "http://example.com"}})],
            click(),
        ),
        sms(
            "sms_subscribe",
            json!({"status": "subscribed"}),
            status(&["list_subscribed", "list_unsubscribed"]),
            vec![(json!({"status": "maybe"}), "invalid_value", "status")],
        ),
        event(
            "message",
            "message_id",
            json!({"channel": "whatsapp", "direction": "inbound"}),
            vec![
                json!({"account": {"id": "1", "name": "A"}, "author": {"handle": "@a"}, "body": "x", "attachments": [{"url": "https://example.com/a.png", "type": "image"}], "state": "open"}),
                json!({"channel": null}),
                json!({"direction": "sideways"}),
                json!({"account": {"id": "1"}}),
                json!({"attachments": [{"type": "image"}]}),
                json!({"author": {"avatar_url": "x"}}),
            ],
            vec![],
        ),
        event(
            "event",
            "event_id",
            json!({"name": "points_earned"}),
            vec![
                json!({"title": "Earned 80 points", "url": "https://example.com", "image": "https://example.com/a.png", "properties": {"points": 80, "tags": ["a", {"b": null}]}}),
                json!({"name": "Viewed product", "url": "/relative", "properties": {}}),
                json!({"name": 7}),
                json!({"name": null}),
            ],
            vec![],
        ),
    ]
}
