//! Figures: which events are counted and which are left out.

use super::*;

fn summary(items: &[Item]) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&document(items)).unwrap();
    document["summary"].clone()
}

fn mail(kind: EventType, day: u8, id: &str) -> Item {
    let data = map(&[("email_id", id.into()), ("sms_id", id.into())]);
    event(0, day, kind, id, 1, data)
}

fn message(day: u8, channel: &str) -> Item {
    let data = map(&[("channel", channel.into())]);
    event(0, day, EventType::Message, channel, 1, data)
}

fn purchase(day: u8, id: &str, price: &str, status: Value) -> Item {
    let mut data = order(id, price, "2");
    data.insert("status", status);
    event(0, day, EventType::Purchase, id, 1, data)
}

#[test]
fn rates_count_only_what_was_sent() {
    use EventType::{EmailClick, EmailOpen, EmailSend, SmsClick, SmsSend};
    let items = [
        mail(EmailSend, 1, "r-1"),
        mail(EmailSend, 2, "r-4"),
        mail(EmailOpen, 3, "r-1"),
        mail(EmailOpen, 4, "r-2"),
        mail(EmailOpen, 5, "r-3"),
        mail(EmailClick, 6, "r-2"),
        mail(EmailClick, 7, "r-3"),
        mail(SmsSend, 1, "s-1"),
        mail(SmsClick, 2, "s-1"),
        mail(SmsClick, 3, "s-2"),
    ];
    let summary = summary(&items);
    let (email, sms) = (&summary["email"], &summary["sms"]);
    assert_eq!((&email["sent"], &email["opened"]), (&2.into(), &3.into()));
    assert_eq!(
        (&email["open_rate"], &email["click_rate"]),
        (&0.5.into(), &0.0.into())
    );
    assert_eq!(sms["click_rate"], 1.0);
}

#[test]
fn canceled_orders_count_nowhere() {
    for status in ["cancelled", "Canceled", " VOIDED "] {
        let mut back = order("r", "-3.00", "-1");
        back.insert("status", status);
        let items = [
            purchase(5, "kept", "10.00", "paid".into()),
            purchase(1, "first", "20.00", status.into()),
            purchase(9, "last", "40.00", status.into()),
            event(0, 7, EventType::Return, "r", 1, back),
        ];
        let summary = summary(&items);
        let kept = serde_json::to_value(at(5)).unwrap();
        assert_eq!(summary["orders"], 1, "{status}");
        assert_eq!(
            (&summary["items"], &summary["returns"]),
            (&2.into(), &0.into())
        );
        assert_eq!(summary["total_spend"][0]["amount"], "10.00");
        assert_eq!(summary["average_order_value"][0]["amount"], "10.00");
        assert_eq!(summary["spend_by_month"].as_array().unwrap().len(), 1);
        assert_eq!(summary["spend_by_month"][0]["amount"], "10.00");
        assert_eq!(
            (&summary["first_order_at"], &summary["last_order_at"]),
            (&kept, &kept)
        );
        let segments = summary["segments"].as_array().unwrap();
        assert!(segments.contains(&"one_time".into()), "{summary}");
        assert!(!segments.contains(&"returner".into()), "{summary}");
        // Canceled orders still count as events.
        assert_eq!(
            summary["last_event_at"],
            serde_json::to_value(at(9)).unwrap()
        );
        let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
        let history = document["history"]["items"].as_array().unwrap();
        assert_eq!(history.len(), 4);
        let titles: Vec<_> = history
            .iter()
            .map(|item| item["title"].as_str().unwrap())
            .collect();
        let word = if status == " VOIDED " {
            "voided"
        } else {
            "canceled"
        };
        assert_eq!(titles[0], format!("Bought 2 items for 40.00 USD ({word})"));
        assert_eq!(titles[2], "Bought 2 items for 10.00 USD");
    }
}

#[test]
fn canceled_products_are_not_ranked() {
    let line = map(&[
        ("price_paid", number("1")),
        ("quantity", number("1")),
        ("product_reference", map(&[("id", "sku".into())]).into()),
    ]);
    let mut data = order("p", "1", "1");
    data.insert("products", Value::List(vec![line.into()]));
    data.insert("status", "voided");
    let items = [event(0, 1, EventType::Purchase, "p", 1, data)];
    let summary = summary(&items);
    assert_eq!(summary["top_products"], serde_json::json!([]));
    assert_eq!(summary["relationship"], "prospect");
    assert_eq!(summary["total_spend"], serde_json::json!([]));
}

#[test]
fn other_statuses_of_orders_count() {
    for status in [
        Value::from("paid"),
        "refunded".into(),
        "not cancelled".into(),
        true.into(),
        number("0"),
        Value::Null,
    ] {
        assert_eq!(summary(&[purchase(1, "p", "1.00", status)])["orders"], 1);
    }
}

#[test]
fn spellings_of_a_channel_are_one() {
    let items = [
        message(1, "whats app"),
        message(2, "WHATSAPP"),
        message(5, "WhatsApp"),
        message(4, "whats_app"),
        message(3, "Whats-App."),
        message(6, "web chat"),
        message(7, "***"),
        mail(EventType::EmailOpen, 8, "e"),
        message(2, "E-Mail"),
    ];
    assert_eq!(
        summary(&items)["channels"],
        serde_json::json!(["***", "WhatsApp", "email", "web chat"])
    );
}

/// An exchange is one order: its spend is the difference, and only what was bought counts as items.
#[test]
fn exchanges_count_what_was_bought() {
    let line = |price: &str, quantity: &str, product: &str| {
        let reference = map(&[("id", product.into())]);
        Value::from(map(&[
            ("price_paid", number(price)),
            ("quantity", number(quantity)),
            ("product_reference", reference.into()),
        ]))
    };
    let purchase = |lines: Vec<Value>| {
        let data = map(&[
            ("purchase_id", "x".into()),
            ("products", Value::List(lines)),
        ]);
        event(0, 1, EventType::Purchase, "x", 1, data)
    };
    for (lines, spend, items, title) in [
        (
            vec![line("80.00", "1", "new"), line("-60.00", "-1", "old")],
            "20.00",
            "1",
            "Bought 1 item for 20.00 USD",
        ),
        (
            vec![line("40.00", "2", "new"), line("-60.00", "-1", "old")],
            "-20.00",
            "2",
            "Bought 2 items for -20.00 USD",
        ),
        (
            vec![line("7.50", "1.5", "new"), line("0", "0", "old")],
            "7.50",
            "1.5",
            "Bought 1.5 items for 7.50 USD",
        ),
        (
            vec![line("3.00", "1.5", "new"), line("1.00", "0.50", "new")],
            "4.00",
            "2",
            "Bought 2 items for 4.00 USD",
        ),
        (
            vec![line("3.00", "1.5", "new"), line("-1.00", "-0.5", "old")],
            "2.00",
            "1.5",
            "Bought 1.5 items for 2.00 USD",
        ),
        (
            vec![line("3.00", "0.4", "new")],
            "3.00",
            "0.4",
            "Bought 0.4 items for 3.00 USD",
        ),
    ] {
        let text = document(&[purchase(lines)]);
        let profile: serde_json::Value = serde_json::from_str(&text).unwrap();
        let summary = &profile["summary"];
        assert_eq!(summary["total_spend"][0]["amount"], spend);
        assert_eq!(summary["orders"], 1);
        let items: serde_json::Number = serde_json::from_str(items).unwrap();
        assert_eq!(summary["items"], serde_json::Value::Number(items.clone()));
        let figures = profile["attributes"]["figures"].as_array().unwrap();
        let figure = figures.iter().find(|figure| figure["name"] == "items");
        assert_eq!(figure.unwrap()["value"], serde_json::Value::Number(items));
        let top = summary["top_products"].as_array().unwrap();
        assert_eq!((top.len(), &top[0]["id"]), (1, &"new".into()));
        assert_eq!(profile["history"]["items"][0]["title"], title);
    }
    let back = map(&[("products", Value::List(vec![line("0", "-1", "old")]))]);
    let text = document(&[event(0, 1, EventType::Return, "r", 1, back)]);
    assert!(text.contains("Returned 1 item for 0.00 USD"), "{text}");
}

#[test]
fn months_are_those_of_the_zone() {
    use crate::model::zone::Zone;
    // 13:00 and 15:00 UTC on 31 July 2023: midnight in Hobart is between them.
    let on = |seconds: i64, id: &str| {
        let key = EventKey::new(
            &IdentityKey::new("key").unwrap(),
            Instant::from_seconds(seconds).unwrap(),
            EventType::Purchase,
            "shop",
            &[id],
        );
        let mut item = event(0, 0, EventType::Purchase, id, 1, order(id, "10.00", "1"));
        item.key = SortKey::Event(key);
        item
    };
    let items = [on(1_690_808_400, "1"), on(1_690_815_600, "2")];
    let months = |name: &str| {
        let zone = Zone::named(name).unwrap();
        let view = View {
            zone: &zone,
            ..view()
        };
        let profile = Profile {
            closure: Closure::new(identity(0).0),
            state: items.iter().cloned().collect(),
            partial: false,
        };
        let summary = profile.document(&view, Sections::ALL).summary.unwrap();
        assert_eq!(summary.time_zone, name);
        let months = summary.spend_by_month.into_iter();
        months
            .map(|month| (month.month, month.amount.to_string()))
            .collect::<Vec<_>>()
    };
    let month = |month: &str, amount: &str| (month.to_owned(), amount.to_owned());
    assert_eq!(months("UTC"), [month("2023-07", "20.00")]);
    let hobart = [month("2023-07", "10.00"), month("2023-08", "10.00")];
    assert_eq!(months("Australia/Hobart"), hobart);
}
