//! History: what each event is called, where it happened, which way it went, and what is seen of it.

use serde_json::json;

use super::*;

fn seen(kind: EventType, data: Map, personal: bool) -> serde_json::Value {
    let item = event(0, 1, kind, "1", 1, data);
    let view = View { personal, ..view() };
    serde_json::to_value(HistoryItem::new(&item, &view).unwrap()).unwrap()
}

fn shown(kind: EventType, data: Map) -> serde_json::Value {
    seen(kind, data, true)
}

/// What is seen of it without `pii:read`.
fn redacted(kind: EventType, data: Map) -> serde_json::Value {
    seen(kind, data, false)
}

fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(own) => number(&own.to_string()),
        Json::String(text) => text.as_str().into(),
        Json::Array(list) => Value::List(list.iter().map(value).collect()),
        Json::Object(_) => fields(json).into(),
    }
}

fn fields(json: &serde_json::Value) -> Map {
    let object = json.as_object().unwrap();
    let entries = object.iter().map(|(name, own)| (name.clone(), value(own)));
    entries.collect()
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

#[test]
fn what_a_type_names_is_seen_by_all() {
    use EventType::{
        EmailBounce, EmailClick, EmailOpen, EmailSend, EmailSubscribe, Message, Purchase, Return,
        SmsClick, SmsSend, SmsSubscribe,
    };
    let store = json!({
        "type": "outlet",
        "name": "St Kilda Outlet",
        "store_id": "4",
        "location": {"name": "St Kilda", "coordinate": {"latitude": -37.8, "longitude": 144.9}},
    });
    let lines = json!([{
        "price_paid": 90,
        "quantity": 2,
        "product_reference": {"id": "7", "id_type": "sku", "dataset_id": "d"},
        "full_price": 50,
        "discount": 10,
    }]);
    let adjustments = json!([{"price_adjustment": -50, "adjusted_at": "2026-01-02T03:04:05Z"}]);
    let list = json!({"id": "1", "name": "Weekly"});
    let link = json!({"url": "https://shop.example"});
    for (kind, data) in [
        (
            Purchase,
            json!({
                "type": "physical", "purchase_id": "p", "products": lines, "currency": "AUD", "store": store,
                "payment_types": [{"total": 100}], "adjustments": adjustments,
            }),
        ),
        (
            Return,
            json!({
                "type": "ecommerce", "return_id": "r", "products": lines, "currency": "AUD", "store": store,
                "adjustments": adjustments,
            }),
        ),
        (
            EmailSend,
            json!({
                "email_id": "e", "campaign_id": "c", "list": list, "body_bytes": 9000,
                "body_truncated": true,
            }),
        ),
        (
            EmailOpen,
            json!({"email_id": "e", "campaign_id": "c", "list": list}),
        ),
        (
            EmailClick,
            json!({"email_id": "e", "campaign_id": "c", "list": list, "clicked_link": link}),
        ),
        (EmailBounce, json!({"email_id": "e", "list": list})),
        (
            EmailSubscribe,
            json!({"email_id": "e", "status": "subscribed", "list": list}),
        ),
        (
            SmsSend,
            json!({
                "sms_id": "s", "campaign_id": "c", "list": list, "body_bytes": 9000, "body_truncated": true,
            }),
        ),
        (
            SmsClick,
            json!({"sms_id": "s", "campaign_id": "c", "list": list, "clicked_link": link}),
        ),
        (
            SmsSubscribe,
            json!({"sms_id": "s", "status": "list_subscribed", "list": list}),
        ),
        (
            Message,
            json!({
                "message_id": "m", "channel": "chat", "direction": "inbound", "account": {"id": "a", "name": "Shop"},
                "conversation_id": "c", "state": "open", "body_bytes": 9000, "body_truncated": true,
            }),
        ),
    ] {
        let item = redacted(kind, fields(&data));
        assert_eq!(item, shown(kind, fields(&data)));
        // The same with what is personal.
        let (mut more, mut expected) = (data, item);
        for name in [
            "attachments",
            "author",
            "body",
            "custom_fields",
            "from",
            "to",
        ] {
            more[name] = json!({"name": "Bob"});
            expected[kind.as_str()][name] = json!({"redacted": true});
        }
        assert_eq!(redacted(kind, fields(&more)), expected);
    }
}

#[test]
fn what_no_type_names_is_hidden_at_any_depth() {
    let hidden = json!({"redacted": true});
    let data = json!({
        "type": "physical",
        "purchase_id": "p",
        "products": [
            {
                "price_paid": 5,
                "quantity": 1,
                "product_reference": {"id": "7", "for": "Bob"},
                "engraving": ["Bob"],
                "name": "Bob",
                "product": {"name": "Bob"},
                "total": 5,
            },
            "Bob",
        ],
        "store": {"type": "outlet", "name": "St Kilda", "clerk": {"name": "Bob"}, "location": "Bob"},
        "payment_types": [{"name": "visa", "total": 5, "holder": "Bob"}],
        "adjustments": "Bob",
        "return_id": {"name": "Bob"},
        "customer_name": "Bob Smith",
        "shipping_address": {"street": "1 High St, Bob"},
        // Named by other types, or within other fields.
        "name": "Bob",
        "state": "Bob's",
        "account": {"id": "bob", "name": "Bob"},
        "location": {"name": "Bob"},
        "url": "https://bob.example/Bob",
    });
    let item = redacted(EventType::Purchase, fields(&data));
    assert_eq!(
        item["purchase"],
        json!({
            "type": "physical",
            "purchase_id": "p",
            "currency": "USD",
            "products": [
                {
                    "price_paid": "5.00",
                    "quantity": 1,
                    "product_reference": {"id": "7", "for": hidden},
                    "engraving": hidden,
                    "name": hidden,
                    "product": hidden,
                    "total": hidden,
                },
                hidden,
            ],
            "store": {"type": "outlet", "name": "St Kilda", "clerk": hidden, "location": hidden},
            "payment_types": [{"name": hidden, "total": "5.00", "holder": hidden}],
            "adjustments": hidden,
            "return_id": hidden,
            "customer_name": hidden,
            "shipping_address": hidden,
            "name": hidden,
            "state": hidden,
            "account": hidden,
            "location": hidden,
            "url": hidden,
        })
    );
    assert_eq!(item["account"], hidden);

    // With the scope all is as it was in the file, but for the amounts.
    let mut expected = data.clone();
    expected["currency"] = json!("USD");
    expected["products"][0]["price_paid"] = json!("5.00");
    expected["products"][0]["total"] = json!("5.00");
    expected["payment_types"][0]["total"] = json!("5.00");
    let item = shown(EventType::Purchase, fields(&data));
    assert_eq!(item["purchase"], expected);
    assert_eq!(item["account"], data["account"]);

    // A message's account stands beside its data.
    let account = json!({"id": "a", "name": "Shop", "agent": "Bob"});
    let data =
        json!({"channel": "chat", "direction": "inbound", "account": account, "subject": "Bob"});
    let item = redacted(EventType::Message, fields(&data));
    assert_eq!(
        (&item["account"], &item["message"]),
        (
            &json!({"id": "a", "name": "Shop", "agent": hidden}),
            &json!({"subject": hidden})
        )
    );
}

#[test]
fn shows_the_site_of_a_link_to_all() {
    let hidden = json!({"redacted": true});
    for (url, expected) in [
        ("https://shop.example", json!("https://shop.example")),
        (
            "https://shop.example/bob?email=bob@example.com#bob",
            json!("https://shop.example"),
        ),
        (
            "http://shop.example?email=bob@example.com",
            json!("http://shop.example"),
        ),
        (
            "https://bob:secret@shop.example:8080/",
            json!("https://shop.example:8080"),
        ),
        ("https:///bob", hidden.clone()),
        ("bob@example.com", hidden.clone()),
    ] {
        for kind in [EventType::EmailClick, EventType::SmsClick] {
            let link = json!({"name": "Sale", "url": url, "by": "bob"});
            let data = fields(&json!({"clicked_link": link}));
            assert_eq!(
                redacted(kind, data.clone())[kind.as_str()]["clicked_link"],
                json!({"name": hidden, "url": expected, "by": hidden})
            );
            assert_eq!(shown(kind, data)[kind.as_str()]["clicked_link"], link);
        }
    }
}

/// What people write into a subject or a reason is hidden, and no title repeats it.
#[test]
fn hides_free_text_and_keeps_it_out_of_titles() {
    use EventType::{EmailClick, EmailSend, Purchase, SmsClick};
    let order = json!({
        "type": "ecommerce", "purchase_id": "V-1", "currency": "AUD",
        "products": [{"price_paid": 20, "quantity": 1}],
        "adjustments": [{"price_adjustment": -5, "reason": "Goodwill for Vera, call +61 491 570 156"}],
        "payment_types": [{"name": "Vera 4111", "total": 20}],
    });
    let click =
        json!({"email_id": "e", "subject": "Vera", "clicked_link": {"name": "Vera's order"}});
    for (kind, data, title) in [
        (
            EmailSend,
            json!({"email_id": "e", "subject": "Vera Lindt, your order is delayed"}),
            "Was sent an e-mail",
        ),
        (EmailClick, click.clone(), "Followed a link in an e-mail"),
        (SmsClick, click, "Followed a link in a text message"),
        (Purchase, order, "Bought 1 item for 20.00 AUD"),
    ] {
        let item = redacted(kind, fields(&data));
        assert_eq!(item["title"], title, "{item}");
        assert!(!item.to_string().contains("Vera"), "{item}");
        assert!(shown(kind, fields(&data)).to_string().contains("Vera"));
    }
}
