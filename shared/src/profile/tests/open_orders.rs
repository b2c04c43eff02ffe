//! Open orders, and the accounts in the events.

use super::*;
use crate::profile::product::{Product, ProductReference};

/// A purchase on `day`, of the 100 days before the time of reading.
fn purchase(day: u8, id: &str, status: Option<&str>, parcels: &[Map]) -> Item {
    let mut data = order(id, "9.90", "1");
    if let Some(status) = status {
        data.insert("status", status);
    }
    if !parcels.is_empty() {
        let parcels = parcels.iter().map(|parcel| parcel.clone().into());
        data.insert("fulfillments", Value::List(parcels.collect()));
    }
    event(0, day, EventType::Purchase, id, 1, data)
}

fn parcel(status: &str) -> Map {
    if status.is_empty() {
        Map::new()
    } else {
        map(&[("status", status.into())])
    }
}

fn summary(items: &[Item]) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&document(items)).unwrap();
    document["summary"].clone()
}

/// Returns the ids of the open orders.
fn open(items: &[Item]) -> Vec<String> {
    let summary = summary(items);
    let orders = summary["open_orders"].as_array().unwrap().iter();
    let id =
        |order: &serde_json::Value| order["purchase"]["purchase_id"].as_str().map(str::to_owned);
    orders.filter_map(id).collect()
}

#[test]
fn statuses_decide_without_parcels() {
    let is_open = |status| !open(&[purchase(90, "1", status, &[])]).is_empty();
    for status in [
        "open",
        "Pending",
        " PROCESSING ",
        "unfulfilled",
        "partially fulfilled",
        "Partially-Fulfilled",
        "on-hold",
        "authorized",
        "backordered",
        "awaiting shipment",
        "shipped",
        "In Transit",
        "out for delivery",
        "ready_for_pickup",
    ] {
        assert!(is_open(Some(status)), "{status}");
    }
    for status in [
        "paid",
        "fulfilled",
        "completed",
        "closed",
        "delivered",
        "cancelled",
        "Canceled",
        "voided",
        "refunded",
        "partially_refunded",
        "expired",
        "failed",
        "draft",
        "checkout-draft",
        "opened by Vera",
        "",
    ] {
        assert!(!is_open(Some(status)), "{status}");
    }
    assert!(!is_open(None));
}

#[test]
fn a_parcel_on_its_way_keeps_an_order_open() {
    let is_open = |status: Option<&str>, parcels: &[Map]| {
        !open(&[purchase(90, "1", status, parcels)]).is_empty()
    };
    for status in [
        "",
        "attempted delivery",
        "failure",
        "out_for_delivery",
        "Shipped",
        "success",
        "fulfilled",
        "in the van",
    ] {
        assert!(is_open(Some("paid"), &[parcel(status)]), "{status}");
        assert!(
            is_open(None, &[parcel("delivered"), parcel(status)]),
            "{status}"
        );
        let mut delivered = parcel(status);
        delivered.insert("delivered_at", at(95).to_string());
        assert!(!is_open(Some("paid"), &[delivered.clone()]), "{status}");
        // The order's own status counts too.
        assert!(is_open(Some("on hold"), &[delivered]), "{status}");
        for closed in ["cancelled", "voided", "refunded", "failed", "delivered"] {
            assert!(
                !is_open(Some(closed), &[parcel(status)]),
                "{closed} {status}"
            );
        }
    }
    for status in [
        "delivered",
        "Picked-up",
        "canceled",
        "cancelled",
        "returned",
        "restocked",
        "completed",
        "error",
    ] {
        assert!(!is_open(Some("paid"), &[parcel(status)]), "{status}");
    }
}

#[test]
fn a_parcel_shipped_over_thirty_days_ago_has_arrived() {
    let is_open = |day| {
        let mut shipped = parcel("fulfilled");
        shipped.insert("shipped_at", at(day).to_string());
        !open(&[purchase(20, "1", Some("paid"), &[shipped])]).is_empty()
    };
    assert!(is_open(71) && is_open(99));
    assert!(!is_open(69) && !is_open(21));
    // Without a time of shipping, that of the order counts.
    let is_open = |day, status| !open(&[purchase(day, "1", None, &[parcel(status)])]).is_empty();
    for status in ["fulfilled", "In transit", "shipped", "success"] {
        assert!(is_open(71, status) && !is_open(69, status), "{status}");
    }
    assert!(is_open(20, "pending") && is_open(20, "attempted delivery") && is_open(20, ""));
}

#[test]
fn the_newest_five_of_ninety_days_are_listed() {
    let items: Vec<_> = (5..15)
        .map(|day| purchase(day, &day.to_string(), Some("open"), &[]))
        .collect();
    assert_eq!(open(&items), ["14", "13", "12", "11", "10"]);
    assert_eq!(open(&items[..7]), ["11", "10"]);
    let mut back = items[9].data.clone();
    back.insert("return_id", "r");
    let returned = event(0, 99, EventType::Return, "r", 1, back);
    assert_eq!(open(&[returned]), Vec::<String>::new());
}

#[test]
fn open_orders_look_as_in_the_history() {
    let mut item = purchase(90, "1", Some("In Transit"), &[parcel("shipped to Vera")]);
    let line = map(&[
        ("price_paid", number("9.90")),
        ("quantity", number("1")),
        ("name", "Scarf".into()),
        ("product_reference", map(&[("id", "S-1".into())]).into()),
    ]);
    item.data.insert("products", Value::List(vec![line.into()]));
    let profile = Profile {
        closure: Closure::new(identity(0).0),
        state: [item].into_iter().collect(),
        partial: false,
    };
    let product = Product {
        shown: map(&[("brand", "Sawyer".into())]),
        categories: Vec::new(),
    };
    for personal in [true, false] {
        let view = View { personal, ..view() };
        let mut document = profile.document(&view, Sections::ALL);
        let summary = document.summary.as_mut().unwrap();
        let history = &mut document.history.as_mut().unwrap().page.items;
        let references: Vec<_> = summary.open_orders[0].references().cloned().collect();
        let reference = ProductReference {
            id_type: "product_id".to_owned(),
            id: "S-1".to_owned(),
        };
        assert_eq!(references, [reference]);
        summary.open_orders[0].add_products(|_| Some(&product));
        history[0].add_products(|_| Some(&product));
        let shown = |item| serde_json::to_value(item).unwrap();
        let order = shown(&summary.open_orders[0]);
        assert_eq!(order, shown(&history[0]));
        let text = order.to_string();
        assert!(
            text.contains("Sawyer") && text.contains("In Transit"),
            "{text}"
        );
        assert_eq!(text.contains("Vera"), personal, "{text}");
        assert_eq!(text.contains("Scarf"), personal, "{text}");
    }
}

proptest! {
    #[test]
    fn open_orders_are_the_newest_that_wait(
        orders in prop::collection::vec((0_u8..100, 0_usize..5, prop::collection::vec(0_usize..5, 0..3)), 0..20)
    ) {
        const STATUSES: [(&str, bool); 5] =
            [("open", true), ("In transit", true), ("paid", false), ("lost", false), ("completed", false)];
        // The first day of an order that such a parcel keeps open.
        const PARCELS: [(&str, u8); 5] =
            [("shipped", 70), ("", 10), ("delivered", 100), ("Restocked", 100), ("whatever", 10)];
        let items: Vec<_> = orders.iter().enumerate().map(|(at, (day, status, parcels))| {
            let parcels: Vec<_> = parcels.iter().map(|at| parcel(PARCELS[*at].0)).collect();
            purchase(*day, &at.to_string(), Some(STATUSES[*status].0), &parcels)
        }).collect();
        let mut expected: Vec<_> = orders.iter().zip(&items).enumerate().filter(|(_, ((day, status, parcels), _))| {
            *day >= 10 && (STATUSES[*status].1 || parcels.iter().any(|at| *day >= PARCELS[*at].1))
        }).map(|(at, (_, item))| (item.key.clone(), at.to_string())).collect();
        expected.sort_by(|a, b| b.cmp(a));
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).take(5).collect();
        prop_assert_eq!(open(&items), expected);
    }
}

fn message(day: u8, channel: &str, id: &str, name: Option<&str>) -> Item {
    let mut account = map(&[("id", id.into())]);
    if let Some(name) = name {
        account.insert("name", name);
    }
    let data = map(&[("channel", channel.into()), ("account", account.into())]);
    event(0, day, EventType::Message, &format!("{id}{day}"), 1, data)
}

#[test]
fn accounts_are_listed_once_with_their_newest_names() {
    let items = [
        message(1, "instagram", "ig-1", Some("@old")),
        message(2, "Instagram", "ig-1", Some("@northfold")),
        message(3, "INSTAGRAM", "ig-1", None),
        message(4, "instagram", "ig-2", Some(" ")),
        message(5, "facebook", "ig-1", Some("Northfold")),
        message(6, "facebook", "fb-0", Some("Amber")),
        event(
            0,
            7,
            EventType::Message,
            "none",
            1,
            map(&[("channel", "x".into())]),
        ),
    ];
    let expected = serde_json::json!([
        {"channel": "facebook", "id": "fb-0", "name": "Amber"},
        {"channel": "facebook", "id": "ig-1", "name": "Northfold"},
        {"channel": "instagram", "id": "ig-2"},
        {"channel": "INSTAGRAM", "id": "ig-1", "name": "@northfold"},
    ]);
    assert_eq!(summary(&items)["accounts"], expected);
    let state: State = items.into_iter().collect();
    let profile = Profile {
        closure: Closure::new(identity(0).0),
        state,
        partial: false,
    };
    let hidden = View {
        personal: false,
        ..view()
    };
    let document = profile.document(&hidden, Sections::ALL);
    assert_eq!(document.summary.unwrap().accounts, []);
}

#[test]
fn of_many_accounts_the_newest_are_listed() {
    let items: Vec<_> = (0..60)
        .map(|day| message(day, "x", &format!("{day:02}"), None))
        .collect();
    let summary = summary(&items);
    let ids = summary["accounts"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.map(|account| account["id"].as_str().unwrap()).collect();
    let expected: Vec<_> = (10..60).map(|day| format!("{day:02}")).collect();
    assert_eq!(ids, expected);
}
