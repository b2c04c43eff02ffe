//! History: the title, channel, direction and visible data of each event.

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

/// Returns the event as a client without `pii:read` sees it.
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

/// Type, data, title, channel and direction of an event.
type Case<'a> = (EventType, &'a [(&'a str, Value)], &'a str, &'a str, &'a str);

#[test]
fn each_event_has_its_title_channel_and_direction() {
    use EventType::{
        EmailBounce, EmailClick, EmailOpen, EmailSend, EmailSubscribe, Event, Message, Purchase,
        Return, SmsClick, SmsSend, SmsSubscribe,
    };
    let text = |name: &'static str, value: &str| (name, Value::from(value));
    let list = || ("list", map(&[text("name", "Weekly")]).into());
    let link = |name: &'static str, value: &str| ("clicked_link", map(&[text(name, value)]).into());
    let by = |direction: &str| [text("channel", "chat"), text("direction", direction)];
    let happened = |name: &str, title: &str| [text("name", name), text("title", title)];
    let cases: [Case<'_>; 20] = [
        (
            EmailSend,
            &[text("subject", "Hi")],
            "Was sent “Hi”",
            "email",
            "outbound",
        ),
        (EmailSend, &[], "Was sent an email", "email", "outbound"),
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
            "Opened an email of “Weekly”",
            "email",
            "inbound",
        ),
        (
            EmailOpen,
            &[text("campaign_id", "c")],
            "Opened an email of the campaign c",
            "email",
            "inbound",
        ),
        (EmailOpen, &[], "Opened an email", "email", "inbound"),
        (
            EmailClick,
            &[link("name", "Sale")],
            "Followed “Sale” in an email",
            "email",
            "inbound",
        ),
        (
            EmailClick,
            &[link("url", "https://me@shop.example/x?y")],
            "Followed a link to shop.example in an email",
            "email",
            "inbound",
        ),
        (
            EmailClick,
            &[link("url", "https:///x")],
            "Followed a link in an email",
            "email",
            "inbound",
        ),
        (
            EmailBounce,
            &[],
            "Did not receive an email: it bounced",
            "email",
            "",
        ),
        (
            EmailSubscribe,
            &[list(), text("status", "opted_out")],
            "Email subscription to “Weekly”: opted out",
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
        (Message, &[], "Message by unknown channel", "", ""),
        (
            Event,
            &happened("points_earned", " "),
            "points_earned",
            "",
            "",
        ),
        (
            Event,
            &happened("points_earned", "Earned 80 points"),
            "Earned 80 points",
            "",
            "",
        ),
        (Event, &[], "Event", "", ""),
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
    for (kind, verb, price, quantity) in [
        (Purchase, "Bought", "31.9", "2"),
        (Return, "Returned", "-31.9", "-2"),
    ] {
        let item = shown(kind, order("1", price, quantity));
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
fn adds_products_to_lines() {
    let reference = json!({"id": "7", "id_type": "sku", "dataset_id": "d"});
    let data = json!({"products": [
        {"price_paid": 1, "product_reference": reference},
        {"price_paid": 2, "product_reference": {"id": "8"}},
        {"price_paid": 3},
        "no line",
    ]});
    let product = crate::profile::product::Product {
        shown: map(&[("name", "Scarf".into())]),
        categories: Vec::new(),
    };
    let lines = |personal| {
        let item = event(0, 1, EventType::Purchase, "1", 1, fields(&data));
        let view = View { personal, ..view() };
        let mut item = HistoryItem::new(&item, &view).unwrap();
        let ids: Vec<_> = item.references().map(|known| known.id.clone()).collect();
        assert_eq!(ids, ["7", "8"]);
        item.add_products(|known| (known.id == "7").then_some(&product));
        let mut item = serde_json::to_value(item).unwrap();
        item["purchase"]["products"].take()
    };
    let hidden = json!({"redacted": true});
    let name = json!({"name": "Scarf"});
    assert_eq!(
        lines(true),
        json!([
            {"price_paid": "1.00", "product_reference": reference, "product": name},
            {"price_paid": "2.00", "product_reference": {"id": "8"}},
            {"price_paid": "3.00"},
            "no line",
        ])
    );
    // The catalog contains one of the products, so its id is visible.
    assert_eq!(
        lines(false),
        json!([
            {"price_paid": "1.00", "product_reference": {"id": "7", "id_type": "sku"}, "product": name},
            {"price_paid": "2.00", "product_reference": hidden},
            {"price_paid": "3.00"},
            hidden,
        ])
    );
}

#[test]
fn lines_name_products_that_the_catalog_does_not() {
    let own = json!({"name": "Vera's scarf", "image": "https://a.example/1.jpg"});
    let data = json!({"products": [
        {"price_paid": 1, "product_reference": {"id": "7"}, "name": own["name"], "image": own["image"], "url": "javascript:1"},
        {"price_paid": 2, "name": own["name"], "image": own["image"], "color": "Red"},
        {"price_paid": 3, "product_reference": {"id": "7"}},
    ]});
    let product = crate::profile::product::Product {
        shown: map(&[("name", "Scarf".into())]),
        categories: Vec::new(),
    };
    let products = |personal, is_known| {
        let item = event(0, 1, EventType::Purchase, "1", 1, fields(&data));
        let view = View { personal, ..view() };
        let mut item = HistoryItem::new(&item, &view).unwrap();
        item.add_products(|_| Some(&product).filter(|_| is_known));
        let item = serde_json::to_value(item).unwrap();
        let lines = item["purchase"]["products"].as_array().unwrap();
        assert!(personal || !item.to_string().contains("Vera"));
        let lines: Vec<_> = lines.iter().map(|line| line["product"].clone()).collect();
        serde_json::Value::from(lines)
    };
    let known = json!({"name": "Scarf"});
    let both = json!({"name": "Scarf", "image": own["image"]});
    assert_eq!(products(true, true), json!([both, own, known]));
    assert_eq!(products(true, false), json!([own, own, null]));
    assert_eq!(products(false, true), json!([known, null, known]));
    assert_eq!(products(false, false), json!([null, null, null]));
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
fn shows_known_enumerations_numbers_and_times() {
    use EventType::{EmailSend, EmailSubscribe, Event, Message, Purchase, Return, SmsSubscribe};
    let hidden = json!({"redacted": true});
    let list = json!({"id": "1", "name": "Weekly"});
    let order = |id: &str| {
        json!({
            "type": "physical", id: "p", "currency": "AUD", "status": "Voided",
            "products": [{"price_paid": 90, "quantity": 2, "full_price": 50, "discount": 10}],
            "store": {"type": "outlet", "name": "St Kilda", "store_id": "4", "location": {"name": "St Kilda"}},
            "adjustments": [{"price_adjustment": -50, "adjusted_at": "2026-01-02T03:04:05Z", "reason": "late"}],
        })
    };
    let visible = |id: &str| {
        json!({
            "type": "physical", id: hidden, "currency": "AUD", "status": "Voided",
            "products": [{"price_paid": "90.00", "quantity": 2, "full_price": "50.00", "discount": "10.00"}],
            "store": {"type": "outlet", "name": hidden, "store_id": hidden, "location": hidden},
            "adjustments": [{"price_adjustment": "-50.00", "adjusted_at": "2026-01-02T03:04:05Z", "reason": hidden}],
        })
    };
    let subscription = |status: &str| json!({"status": status, "list": list});
    let parcel = json!({"status": "in_transit", "carrier": "Post", "tracking_number": "3", "tracking_url": "https://a.example/3", "shipped_at": "2026-01-02T03:04:05Z"});
    let message = json!({"message_id": "m", "channel": "WhatsApp", "direction": "inbound", "account": {"id": "a"}, "conversation_id": "c", "state": "open", "body_bytes": 9000, "body_truncated": true});
    for (kind, data, expected) in [
        (Purchase, order("purchase_id"), visible("purchase_id")),
        (Return, order("return_id"), visible("return_id")),
        (
            EmailSend,
            json!({"email_id": "e", "campaign_id": "c", "list": list, "body_bytes": 9000}),
            json!({"email_id": hidden, "campaign_id": hidden, "list": hidden, "body_bytes": 9000}),
        ),
        (
            EmailSubscribe,
            subscription("transactional"),
            json!({"status": "transactional", "list": hidden}),
        ),
        (
            SmsSubscribe,
            subscription("list_subscribed"),
            json!({"status": "list_subscribed", "list": hidden}),
        ),
        (
            Message,
            message,
            json!({"message_id": hidden, "conversation_id": hidden, "state": hidden, "body_bytes": 9000, "body_truncated": true}),
        ),
        (
            Purchase,
            json!({"currency": "AUD", "order_number": "#1", "status": "on hold: call Vera", "fulfillments": [parcel]}),
            json!({"currency": "AUD", "order_number": hidden, "status": hidden, "fulfillments": [
                {"status": "in_transit", "carrier": hidden, "tracking_number": hidden, "tracking_url": hidden, "shipped_at": parcel["shipped_at"]},
            ]}),
        ),
        (
            Event,
            json!({"event_id": "1", "name": "points_earned", "title": "Vera earned 80", "properties": {"points": 80}, "source": "x"}),
            json!({"event_id": hidden, "name": hidden, "title": hidden, "properties": hidden, "redacted_fields": 1}),
        ),
    ] {
        let item = redacted(kind, fields(&data));
        assert_eq!(item[kind.as_str()], expected);
        if kind == Message {
            assert_eq!(
                (&item["channel"], &item["direction"], &item["account"]),
                (&"WhatsApp".into(), &"inbound".into(), &hidden)
            );
        }
    }
}

#[test]
fn hides_unknown_channels() {
    for (channel, title) in [
        ("whatsapp", "Message by whatsapp"),
        ("Vera's phone", "Message by unknown channel"),
    ] {
        let item = redacted(EventType::Message, fields(&json!({"channel": channel})));
        assert_eq!(item["title"], title);
        assert_eq!(item.get("channel").is_some(), channel == "whatsapp");
    }
}

#[test]
fn leaves_out_unknown_fields_at_any_depth() {
    let hidden = json!({"redacted": true});
    let data = json!({
        "type": "physical",
        "purchase_id": "p",
        "products": [
            {"price_paid": 5, "quantity": 1, "engraving": ["Bob"], "Bob": 1, "product": {"name": "Bob"}, "total": 5},
            "Bob",
        ],
        "store": {"type": "outlet", "name": "St Kilda", "clerk": {"name": "Bob"}, "location": "Bob"},
        "payment_types": [{"name": "visa", "total": 5, "holder": "Bob"}],
        "adjustments": "Bob",
        "custom_fields": {"Bob": 1},
        "Bob Smith": 1,
        "account": {"id": "bob", "name": "Bob"},
        "state": "Bob's",
    });
    let item = redacted(EventType::Purchase, fields(&data));
    assert_eq!(
        item["purchase"],
        json!({
            "type": "physical",
            "purchase_id": hidden,
            "currency": "USD",
            "products": [{"price_paid": "5.00", "quantity": 1, "redacted_fields": 4}, hidden],
            "store": {"type": "outlet", "name": hidden, "location": hidden, "redacted_fields": 1},
            "payment_types": [{"name": hidden, "total": "5.00", "redacted_fields": 1}],
            "adjustments": hidden,
            "custom_fields": hidden,
            "redacted_fields": 3,
        })
    );
    assert_eq!(item.get("account"), None);

    // With the scope, the data is as in the file, except for the amounts.
    let mut expected = data.clone();
    expected["currency"] = json!("USD");
    expected["products"][0]["price_paid"] = json!("5.00");
    expected["products"][0]["total"] = json!("5.00");
    expected["payment_types"][0]["total"] = json!("5.00");
    let item = shown(EventType::Purchase, fields(&data));
    assert_eq!(item["purchase"], expected);
    assert_eq!(item["account"], data["account"]);
}

/// Free text in a subject or a reason is hidden, and not repeated in a title.
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
            "Was sent an email",
        ),
        (EmailClick, click.clone(), "Followed a link in an email"),
        (SmsClick, click, "Followed a link in a text message"),
        (Purchase, order, "Bought 1 item for 20.00 AUD"),
    ] {
        let item = redacted(kind, fields(&data));
        assert_eq!(item["title"], title, "{item}");
        assert!(!item.to_string().contains("Vera"), "{item}");
        assert!(shown(kind, fields(&data)).to_string().contains("Vera"));
    }
}
