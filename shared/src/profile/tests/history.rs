//! History: what each event is called, where it happened and which way it went.

use super::*;

fn shown(kind: EventType, data: Map) -> serde_json::Value {
    let item = event(0, 1, kind, "1", 1, data);
    serde_json::to_value(HistoryItem::new(&item, &view()).unwrap()).unwrap()
}

/// Kind, data, title, channel and direction.
type Case<'a> = (EventType, &'a [(&'a str, Value)], &'a str, &'a str, &'a str);

#[test]
fn each_event_has_its_title_channel_and_direction() {
    use EventType::{
        EmailBounce, EmailClick, EmailOpen, EmailSend, EmailSubscribe, Message, Purchase, Return,
        SmsClick, SmsSend, SmsSubscribe,
    };
    let text = |name: &'static str, value: &str| (name, Value::from(value));
    let list = || ("list", map(&[text("name", "Weekly")]).into());
    let link = |name: &'static str, value: &str| ("clicked_link", map(&[text(name, value)]).into());
    let by = |direction: &str| [text("channel", "chat"), text("direction", direction)];
    let cases: [Case<'_>; 17] = [
        (
            EmailSend,
            &[text("subject", "Hi")],
            "Was sent “Hi”",
            "email",
            "outbound",
        ),
        (EmailSend, &[], "Was sent an e-mail", "email", "outbound"),
        (
            EmailOpen,
            &[text("subject", "Hi"), list()],
            "Opened “Hi”",
            "email",
            "inbound",
        ),
        (
            EmailOpen,
            &[list(), text("campaign_id", "c")],
            "Opened an e-mail of “Weekly”",
            "email",
            "inbound",
        ),
        (
            EmailOpen,
            &[text("campaign_id", "c")],
            "Opened an e-mail of the campaign c",
            "email",
            "inbound",
        ),
        (EmailOpen, &[], "Opened an e-mail", "email", "inbound"),
        (
            EmailClick,
            &[link("name", "Sale")],
            "Followed “Sale” in an e-mail",
            "email",
            "inbound",
        ),
        (
            EmailClick,
            &[link("url", "https://me@shop.example/x?y")],
            "Followed a link to shop.example in an e-mail",
            "email",
            "inbound",
        ),
        (
            EmailClick,
            &[link("url", "https:///x")],
            "Followed a link in an e-mail",
            "email",
            "inbound",
        ),
        (
            EmailBounce,
            &[],
            "Did not receive an e-mail: it bounced",
            "email",
            "",
        ),
        (
            EmailSubscribe,
            &[list(), text("status", "opted_out")],
            "E-mail subscription to “Weekly”: opted out",
            "email",
            "",
        ),
        (SmsSend, &[], "Was sent a text message", "sms", "outbound"),
        (
            SmsClick,
            &[],
            "Followed a link in a text message",
            "sms",
            "inbound",
        ),
        (
            SmsSubscribe,
            &[],
            "Text message subscription: unknown",
            "sms",
            "",
        ),
        (
            Message,
            &by("outbound"),
            "Was sent a message by chat",
            "chat",
            "outbound",
        ),
        (Message, &by("inbound"), "Wrote by chat", "chat", "inbound"),
        (Message, &[], "Wrote by unknown channel", "", ""),
    ];
    for (kind, data, title, channel, direction) in cases {
        let item = shown(kind, map(data));
        let told = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            [told("title"), told("channel"), told("direction")],
            [title, channel, direction],
            "{item}"
        );
    }
    for kind in [Purchase, Return] {
        let item = shown(kind, order("1", "31.9", "2"));
        let verb = if kind == Purchase {
            "Bought"
        } else {
            "Returned"
        };
        assert_eq!(item["title"], format!("{verb} 2 items for 31.90 USD"));
        assert_eq!(
            (&item["channel"], item.get("direction")),
            (&"ecommerce".into(), None)
        );
    }
}

#[test]
fn an_events_id_is_its_identity_and_its_key() {
    let item = event(0, 1, EventType::SmsSend, "1", 1, Map::new());
    let shown = HistoryItem::new(&item, &view()).unwrap();
    let (owner, key) = shown.id.split_once('.').unwrap();
    assert_eq!(owner, item.identity.as_str());
    let key = data_encoding::BASE64URL_NOPAD
        .decode(key.as_bytes())
        .unwrap();
    let SortKey::Event(own) = &item.key else {
        panic!("{item:?}")
    };
    assert_eq!(key, own.as_str().as_bytes());
}

#[test]
fn the_lines_of_an_order_can_be_replaced() {
    let mut data = order("1", "31.9", "2");
    data.insert("coupons", Value::List(vec!["A".into(), "B".into()]));
    let item = event(0, 1, EventType::Purchase, "1", 1, data);
    let mut shown = HistoryItem::new(&item, &view()).unwrap();
    assert_eq!(shown.lines().len(), 1);
    assert_eq!(
        shown.lines()[0].as_map().unwrap().text("price_paid"),
        Some("31.90")
    );
    shown.set_lines(vec!["x".into(), "y".into(), "z".into()]);
    assert_eq!(shown.lines().len(), 3);
    let said = serde_json::to_value(&shown).unwrap();
    assert_eq!(said["purchase"]["coupons"], serde_json::json!(["A", "B"]));
    assert_eq!(
        said["purchase"]["products"],
        serde_json::json!(["x", "y", "z"])
    );
}

#[test]
fn amounts_and_no_other_numbers_are_decimal_strings() {
    let item = shown(EventType::Purchase, order("1", "31.9", "2"));
    let line = &item["purchase"]["products"][0];
    assert_eq!(
        (&line["price_paid"], &line["quantity"]),
        (&"31.90".into(), &2.into())
    );
}
