//! Subscriptions: an opt-out stays until the customer subscribes to the same list of the same source again.

use serde_json::json;

use super::*;

/// Creates a status event for a list of a source on a day. `list` is `""` for an event without a list.
fn said(kind: EventType, day: u8, source: &str, list: &str, status: &str) -> Item {
    let mut data = map(&[("status", status.into())]);
    if !list.is_empty() {
        let list = map(&[
            ("id", list.into()),
            ("name", format!("{list} {day}").into()),
        ]);
        data.insert("list", list);
    }
    let id = format!("{source} {list} {status}");
    let mut item = event(0, day, kind, &id, day, data);
    item.source = (!source.is_empty()).then(|| source.to_owned());
    item
}

fn email(day: u8, source: &str, list: &str, status: &str) -> Item {
    said(EventType::EmailSubscribe, day, source, list, status)
}

fn sms(day: u8, list: &str, status: &str) -> Item {
    said(EventType::SmsSubscribe, day, "texts", list, status)
}

fn summary(items: &[Item]) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&document(items)).unwrap();
    document["summary"].clone()
}

/// Returns the channel's status, and which of `email_opted_in`, `email_opted_out` and `sms_subscribed` the customer is in.
fn state(items: &[Item], channel: &str) -> (String, String) {
    let summary = summary(items);
    let segments = summary["segments"].as_array().unwrap().iter();
    let names: Vec<_> = segments
        .filter_map(|name| name.as_str()?.strip_prefix(channel)?.strip_prefix('_'))
        .collect();
    let status = summary[channel]["status"].as_str().unwrap_or_default();
    (status.to_owned(), names.join(" "))
}

#[test]
fn an_opt_out_outlasts_receipts_and_other_lists() {
    let otto = [
        email(1, "mail", "news", "subscribed"),
        email(2, "mail", "news", "unsubscribed"),
        email(3, "mail", "receipts", "transactional"),
    ];
    let olga = [
        email(3, "mail", "news", "unsubscribed"),
        email(4, "mail", "club", "subscribed"),
    ];
    let (unsubscribed, out) = ("unsubscribed".to_owned(), "opted_out".to_owned());
    assert_eq!(state(&otto, "email"), (unsubscribed.clone(), out));
    assert_eq!(
        state(&olga, "email"),
        (unsubscribed, "opted_in opted_out".to_owned())
    );
    let time = |day| serde_json::to_value(at(day)).unwrap();
    assert_eq!(
        summary(&otto)["email"]["lists"],
        json!([
            {"source": "mail", "id": "receipts", "name": "receipts 3", "status": "transactional", "at": time(3)},
            {"source": "mail", "id": "news", "name": "news 2", "status": "unsubscribed", "at": time(2)},
        ])
    );
    assert_eq!(
        summary(&olga)["email"]["lists"],
        json!([
            {"source": "mail", "id": "club", "name": "club 4", "status": "subscribed", "at": time(4)},
            {"source": "mail", "id": "news", "name": "news 3", "status": "unsubscribed", "at": time(3)},
        ])
    );
}

#[test]
fn only_the_same_list_of_the_same_source_lifts_an_opt_out() {
    let out = email(1, "mail", "news", "unsubscribed");
    for (later, expected) in [
        (email(2, "mail", "news", "subscribed"), "opted_in"),
        (email(2, "mail", "club", "subscribed"), "opted_in opted_out"),
        (email(2, "shop", "news", "subscribed"), "opted_in opted_out"),
        (email(2, "", "news", "subscribed"), "opted_in opted_out"),
        (email(2, "mail", "", "subscribed"), "opted_in opted_out"),
        (email(2, "mail", "news", "transactional"), "opted_out"),
        (email(2, "mail", "news", "undeliverable"), "opted_out"),
    ] {
        let status = if expected == "opted_in" {
            "subscribed"
        } else {
            "unsubscribed"
        };
        for items in [[out.clone(), later.clone()], [later.clone(), out.clone()]] {
            assert_eq!(
                state(&items, "email"),
                (status.to_owned(), expected.to_owned()),
                "{later:?}"
            );
        }
    }
    let none = email(1, "mail", "", "unsubscribed");
    let (_, segments) = state(
        &[none.clone(), email(2, "mail", "news", "subscribed")],
        "email",
    );
    assert_eq!(segments, "opted_in opted_out");
    assert_eq!(
        state(&[none, email(2, "mail", "", "subscribed")], "email").1,
        "opted_in"
    );
}

#[test]
fn other_statuses_show_where_no_opt_out_does() {
    for (items, status, segments) in [
        (
            vec![email(1, "a", "x", "transactional")],
            "transactional",
            "",
        ),
        (
            vec![
                email(1, "a", "x", "subscribed"),
                email(2, "a", "x", "undeliverable"),
            ],
            "undeliverable",
            "opted_in",
        ),
        (
            vec![
                email(1, "a", "x", "subscribed"),
                email(2, "a", "y", "undeliverable"),
            ],
            "subscribed",
            "opted_in",
        ),
        (
            vec![
                email(1, "a", "x", "transactional"),
                email(2, "a", "y", "undeliverable"),
            ],
            "undeliverable",
            "",
        ),
        (
            vec![
                email(1, "a", "x", "undeliverable"),
                email(2, "a", "x", "subscribed"),
            ],
            "subscribed",
            "opted_in",
        ),
        (Vec::new(), "", ""),
    ] {
        assert_eq!(
            state(&items, "email"),
            (status.to_owned(), segments.to_owned()),
            "{items:?}"
        );
    }
}

#[test]
fn text_messages_have_lists_of_their_own() {
    for (items, status, segments) in [
        (
            vec![sms(1, "x", "list_subscribed")],
            "subscribed",
            "subscribed",
        ),
        (
            vec![sms(1, "x", "list_subscribed"), sms(2, "x", "unsubscribed")],
            "unsubscribed",
            "",
        ),
        (
            vec![sms(1, "x", "list_unsubscribed"), sms(2, "", "subscribed")],
            "unsubscribed",
            "subscribed",
        ),
        (
            vec![
                sms(1, "x", "list_unsubscribed"),
                sms(2, "x", "list_subscribed"),
            ],
            "subscribed",
            "subscribed",
        ),
        (
            vec![sms(1, "", "subscribed"), sms(2, "", "list_unsubscribed")],
            "unsubscribed",
            "",
        ),
    ] {
        assert_eq!(
            state(&items, "sms"),
            (status.to_owned(), segments.to_owned()),
            "{items:?}"
        );
        assert_eq!(state(&items, "email"), Default::default());
    }
}

#[test]
fn a_hundred_lists_are_shown_and_all_count() {
    let mut items: Vec<_> = (0..120)
        .map(|n| email(10, "mail", &format!("{n:03}"), "subscribed"))
        .collect();
    items.push(email(1, "mail", "old", "unsubscribed"));
    items.push(email(11, "mail", "new", "subscribed"));
    let summary = summary(&items);
    let lists = summary["email"]["lists"].as_array().unwrap();
    let ids: Vec<_> = lists
        .iter()
        .map(|list| list["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ids.len(), ids[0], ids[1], ids[99]),
        (100, "new", "000", "098")
    );
    assert_eq!(summary["email"]["status"], "unsubscribed");
}
