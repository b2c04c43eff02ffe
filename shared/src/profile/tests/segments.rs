//! Segments and engagement, computed from the events and the current day.

use std::collections::BTreeSet;

use super::*;

const DAY: i64 = 86_400;

/// Returns the summary of these items, `days` days after `at(0)`.
fn summary(items: &[Item], days: i64) -> serde_json::Value {
    let mut closure = Closure::new(identity(0).0);
    closure.add([(&identity(0).0, items, &Markers::default())]);
    let profile = Profile {
        closure,
        state: items.iter().cloned().collect(),
        partial: false,
    };
    let view = View {
        now: Instant::from_seconds(at(0).seconds() + days * DAY).unwrap(),
        ..view()
    };
    let document = profile.document(&view, Sections::ALL);
    serde_json::to_value(document.summary).unwrap()
}

fn segments(items: &[Item], days: i64) -> BTreeSet<String> {
    let summary = summary(items, days);
    let names = summary["segments"].as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

fn orders(count: u8) -> Vec<Item> {
    let order = |n: u8| {
        let id = n.to_string();
        event(0, 0, EventType::Purchase, &id, 1, order(&id, "1", "1"))
    };
    (0..count).map(order).collect()
}

fn mail(kind: EventType, day: u8, id: &str, more: &[(&str, Value)]) -> Item {
    let mut data = map(more);
    data.insert("email_id", id);
    data.insert("sms_id", id);
    event(0, day, kind, id, 1, data)
}

#[test]
fn orders_make_the_segments() {
    let back = event(0, 0, EventType::Return, "r", 1, order("r", "-1", "-1"));
    let returned = [orders(1), vec![back]].concat();
    for (items, days, expected) in [
        (vec![record(0, "crm", 1, Map::new())], 0, vec!["prospect"]),
        (orders(1), 30, vec!["active", "new", "one_time"]),
        (orders(1), 31, vec!["active", "one_time"]),
        (orders(2), 180, vec!["active", "repeat"]),
        (orders(2), 181, vec!["lapsing", "repeat"]),
        (orders(2), 365, vec!["lapsing", "repeat"]),
        (orders(2), 366, vec!["lapsed", "repeat"]),
        (orders(9), 60, vec!["active", "repeat"]),
        (orders(10), 60, vec!["active", "repeat", "vip"]),
        (returned, 60, vec!["active", "one_time", "returner"]),
    ] {
        let expected: BTreeSet<_> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(segments(&items, days), expected, "after {days} days");
    }
}

#[test]
fn messages_make_the_segments() {
    use EventType::{EmailClick, EmailOpen, EmailSubscribe, SmsSubscribe};
    let status = |kind, status: &str| vec![mail(kind, 1, "m", &[("status", status.into())])];
    for (items, days, expected) in [
        (status(EmailSubscribe, "subscribed"), 1, "email_opted_in"),
        (status(EmailSubscribe, "unsubscribed"), 1, "email_opted_out"),
        (status(SmsSubscribe, "subscribed"), 1, "sms_subscribed"),
        (status(SmsSubscribe, "list_subscribed"), 1, "sms_subscribed"),
        (status(SmsSubscribe, "unsubscribed"), 1, ""),
        (vec![mail(EmailOpen, 1, "m", &[])], 91, "email_opens"),
        (vec![mail(EmailOpen, 1, "m", &[])], 92, ""),
        (vec![mail(EmailClick, 1, "m", &[])], 91, "email_clicks"),
        (vec![mail(EmailClick, 1, "m", &[])], 92, ""),
    ] {
        let mut found = segments(&items, days);
        found.remove("prospect");
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(found.join(" "), expected, "after {days} days");
    }
}

#[test]
fn engagement_counts_each_message_once() {
    use EventType::{
        EmailBounce, EmailClick, EmailOpen, EmailSend, EmailSubscribe, SmsClick, SmsSend,
        SmsSubscribe,
    };
    let status = |status: &str| [("status", Value::from(status))];
    let items = [
        mail(EmailSend, 1, "a", &[]),
        mail(EmailSend, 2, "b", &[]),
        mail(EmailSend, 3, "c", &[]),
        mail(EmailOpen, 4, "a", &[]),
        mail(EmailOpen, 5, "a", &[]),
        mail(EmailOpen, 6, "b", &[]),
        mail(EmailClick, 7, "b", &[]),
        mail(EmailBounce, 8, "c", &[]),
        mail(EmailSubscribe, 1, "s", &status("unsubscribed")),
        mail(EmailSubscribe, 9, "s", &status("subscribed")),
        mail(SmsSend, 10, "x", &[]),
        mail(SmsSend, 11, "y", &[]),
        mail(SmsClick, 12, "y", &[]),
        mail(SmsSubscribe, 13, "s", &status("subscribed")),
    ];
    let time = |day| serde_json::to_value(at(day)).unwrap();
    let summary = summary(&items, 20);
    let email = serde_json::json!({
        "status": "subscribed", "lists": [{"source": null, "status": "subscribed", "at": time(9)}], "sent": 3, "opened": 2, "clicked": 1, "bounced": 1,
        "open_rate": 0.6667, "click_rate": 0.3333, "last_sent_at": time(3), "last_opened_at": time(6),
        "last_clicked_at": time(7), "last_bounced_at": time(8), "engagement": "clicks",
    });
    assert_eq!(summary["email"], email);
    let sms = &summary["sms"];
    for (name, expected) in [
        ("status", "subscribed".into()),
        ("sent", 2.into()),
        ("clicked", 1.into()),
        ("click_rate", 0.5.into()),
        ("last_sent_at", time(11)),
        ("last_clicked_at", time(12)),
        ("engagement", "clicks".into()),
    ] {
        assert_eq!(sms[name], expected, "{name} of {sms}");
    }
    // Without sent messages there is no rate.
    let opened = [mail(EmailOpen, 4, "a", &[])];
    let email = &self::summary(&opened, 20)["email"];
    assert_eq!(email["open_rate"], serde_json::Value::Null);
    assert!(!document(&opened).contains("email_open_rate"));
    assert_eq!(email["engagement"], "opens");
    assert_eq!(self::summary(&opened, 200)["email"]["engagement"], "none");
}

/// Each status has its own key, and the order of the keys does not matter.
#[test]
fn of_two_statuses_at_one_moment_the_newest_word_counts() {
    let said = |id: &str, written: u8, status: &str| {
        let data = map(&[("status", status.into()), ("email_id", "signup".into())]);
        event(0, 1, EventType::EmailSubscribe, id, written, data)
    };
    for (first, second) in [("a", "b"), ("b", "a")] {
        let items = [
            said(first, 1, "subscribed"),
            said(second, 2, "unsubscribed"),
        ];
        for items in [items.to_vec(), items.iter().rev().cloned().collect()] {
            assert_eq!(summary(&items, 1)["email"]["status"], "unsubscribed");
        }
    }
}
