use proptest::prelude::*;
use uuid::Uuid;

use super::*;

mod attribute_pages;
mod claims;
mod document;
mod figures;
mod history;
mod links;
mod notes;
mod open_orders;
mod segments;
mod subscriptions;
mod versions;

use crate::model::erasure::Markers;
use crate::model::{
    identity::IdentityKey,
    keys::{EventKey, EventType},
    value::{Map, Value},
    version::{ImportId, Version},
};

fn identity(n: u8) -> (IdentityId, Identifier) {
    let object = serde_json::json!({ "customer_id": format!("C{n}") });
    let identifier = Identifier::from_json(object.as_object().unwrap()).unwrap();
    (
        IdentityKey::new("key").unwrap().identity(&identifier),
        identifier,
    )
}

fn version(n: u8) -> Version {
    Version::new(
        1_700_000_000 + i64::from(n),
        "01",
        ImportId([1; 8]),
        u64::from(n),
    )
}

fn map(entries: &[(&str, Value)]) -> Map {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

fn number(text: &str) -> Value {
    Value::Number(text.to_owned())
}

fn at(day: u8) -> Instant {
    Instant::from_seconds(1_690_000_000 + i64::from(day) * 86_400).unwrap()
}

fn order(id: &str, price: &str, quantity: &str) -> Map {
    let line = map(&[
        ("price_paid", number(price)),
        ("quantity", number(quantity)),
    ]);
    map(&[
        ("purchase_id", id.into()),
        ("type", "ecommerce".into()),
        ("products", Value::List(vec![line.into()])),
    ])
}

fn event(owner: u8, day: u8, kind: EventType, id: &str, written: u8, data: Map) -> Item {
    let (identity, link) = identity(owner);
    let key = SortKey::Event(EventKey::new(
        &IdentityKey::new("key").unwrap(),
        at(day),
        kind,
        "shop",
        &[id],
    ));
    Item::ingested(identity, key, version(written), Some(link), data)
}

fn record(owner: u8, source: &str, written: u8, data: Map) -> Item {
    let (identity, link) = identity(owner);
    Item::ingested(
        identity,
        SortKey::Record(source.to_owned()),
        version(written),
        Some(link),
        data,
    )
}

fn link(from: u8, to: u8, written: u8) -> Item {
    let (other, identifier) = identity(to);
    let data = map(&[("live", true.into()), ("other", (&identifier).into())]);
    let (identity, own) = identity(from);
    Item::ingested(
        identity,
        SortKey::Link {
            source: "crm".to_owned(),
            other,
        },
        version(written),
        Some(own),
        data,
    )
}

const AGENT: note::Writer<'static> = note::Writer {
    subject: "agent",
    name: None,
};

fn note(owner: u8, n: u8) -> Item {
    let uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n));
    let data = note::data(&note::NoteText::new("Call back").unwrap(), AGENT, false);
    Item {
        identity: identity(owner).0,
        key: SortKey::Note(uuid),
        version: None,
        link: None,
        source: None,
        data,
        expires_at: None,
        find: Default::default(),
    }
}

/// Generates items of three identities. The number of keys is small, so that several versions of a key occur.
fn item() -> impl Strategy<Value = Item> {
    let owner = 0_u8..3;
    prop_oneof![
        (owner.clone(), 0_u8..3, 0_u8..4, 0_u8..6).prop_map(|(owner, day, id, written)| {
            event(
                owner,
                day,
                EventType::Purchase,
                &id.to_string(),
                written,
                order(&id.to_string(), "9.90", "1"),
            )
        }),
        (owner.clone(), 0_u8..3, 0_u8..4, 0_u8..6).prop_map(|(owner, day, id, written)| {
            event(
                owner,
                day,
                EventType::Purchase,
                &id.to_string(),
                written,
                Map::new(),
            )
        }),
        (owner.clone(), 0_u8..3, 0_u8..4, 0_u8..6).prop_map(|(owner, day, id, written)| {
            let data = map(&[("email_id", id.to_string().into())]);
            event(
                owner,
                day,
                EventType::EmailOpen,
                &id.to_string(),
                written,
                data,
            )
        }),
        (owner.clone(), "[ab]", "[xy]", 0_u8..6).prop_map(|(owner, source, city, written)| {
            record(
                owner,
                &source,
                written,
                map(&[
                    ("city", city.into()),
                    ("first_name", source.as_str().into()),
                ]),
            )
        }),
        (owner.clone(), owner.clone(), 0_u8..6)
            .prop_filter("no link to oneself", |(from, to, _)| from != to)
            .prop_map(|(from, to, written)| link(from, to, written)),
        (owner, 0_u8..4).prop_map(|(owner, n)| note(owner, n)),
    ]
    // A version identifies one write, so two items with the same key and version are equal.
    .prop_map(settle)
}

/// Derives the version from the item's content, as for ingested records, each of which has its own position in a file.
fn settle(mut item: Item) -> Item {
    use sha2::Digest as _;
    if let Some(version) = &mut item.version {
        let digest =
            sha2::Sha256::digest(format!("{:?}{:?}{:?}", item.identity, item.key, item.data));
        let mut offset = [0; 8];
        offset[2..].copy_from_slice(&digest[..6]);
        *version = version.at(u64::from_be_bytes(offset));
    }
    item
}

fn document(items: &[Item]) -> String {
    let state: State = items.iter().cloned().collect();
    let mut closure = Closure::new(identity(0).0);
    while let Some(next) = closure.pending().pop() {
        let own: Vec<Item> = state.of(&next).cloned().collect();
        closure.add([(&next, own.as_slice(), &Markers::default())]);
    }
    let members = closure.members();
    let state = state
        .items()
        .filter(|item| members.contains(&item.identity))
        .cloned()
        .collect();
    let profile = Profile {
        closure,
        state,
        partial: false,
    };
    serde_json::to_string_pretty(&profile.document(&view(), Sections::ALL)).unwrap()
}

fn view() -> View<'static> {
    View {
        now: at(100),
        currency: "USD",
        zone: &crate::model::zone::UTC,
        personal: true,
        open_namespaces: &[],
    }
}

proptest! {
    #[test]
    fn fold_does_not_depend_on_order_or_repetition(
        (items, mixed) in prop::collection::vec(item(), 0..40).prop_flat_map(|items| {
            let twice = [items.clone(), items.clone()].concat();
            (Just(items), Just(twice).prop_shuffle())
        })
    ) {
        prop_assert_eq!(document(&items), document(&mixed));
    }

    #[test]
    fn states_combine(
        items in prop::collection::vec(item(), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let (a, b) = items.split_at(cut.index(items.len() + 1));
        let state = |items: &[Item]| items.iter().cloned().collect::<State>();
        let whole = state(&items);
        prop_assert_eq!(&state(a).combine(state(b)), &whole);
        prop_assert_eq!(&state(b).combine(state(a)), &whole);
        prop_assert_eq!(&whole.clone().combine(State::default()), &whole);
        prop_assert_eq!(&whole.clone().combine(whole.clone()), &whole);
    }

    #[test]
    fn an_identity_lists_just_its_items(items in prop::collection::vec(item(), 0..40)) {
        let state: State = items.into_iter().collect();
        let total: usize = (0..3).map(|n| state.of(&identity(n).0).count()).sum();
        prop_assert_eq!(total, state.items().count());
    }
}

#[test]
fn an_event_of_two_identities_counts_once_in_its_newest_version() {
    let items = [
        link(0, 1, 1),
        link(1, 0, 1),
        event(
            0,
            3,
            EventType::Purchase,
            "p1",
            1,
            order("p1", "10.00", "1"),
        ),
        event(
            1,
            3,
            EventType::Purchase,
            "p1",
            2,
            order("p1", "12.50", "2"),
        ),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    assert_eq!(document["summary"]["orders"], 1);
    assert_eq!(
        document["summary"]["total_spend"],
        serde_json::json!([{"currency": "USD", "amount": "12.50"}])
    );
    assert_eq!(
        document["history"]["items"][0]["title"],
        "Bought 2 items for 12.50 USD"
    );
}

#[test]
fn of_two_items_of_an_event_the_newer_counts() {
    let item = |owner, written| {
        event(
            owner,
            1,
            EventType::Purchase,
            "p1",
            written,
            order("p1", "1", "1"),
        )
    };
    let [old, new, other] = [item(0, 1), item(0, 2), item(1, 1)];
    assert_eq!([newer(&old, &new), newer(&new, &old)], [&new, &new]);
    // With equal versions, the identity decides, so the result is always the same.
    let last = if old.identity > other.identity {
        &old
    } else {
        &other
    };
    assert_eq!([newer(&old, &other), newer(&other, &old)], [last, last]);
}

#[test]
fn a_moved_event_is_gone_from_its_old_time() {
    let items = [
        event(
            0,
            3,
            EventType::Purchase,
            "p1",
            1,
            order("p1", "10.00", "1"),
        ),
        event(0, 3, EventType::Purchase, "p1", 2, Map::new()),
        event(
            0,
            4,
            EventType::Purchase,
            "p1",
            2,
            order("p1", "10.00", "1"),
        ),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    assert_eq!(document["summary"]["orders"], 1);
    assert_eq!(document["history"]["items"].as_array().unwrap().len(), 1);
}

#[test]
fn figures_are_exact_and_per_currency() {
    let mut euros = order("p2", "0.10", "3");
    euros.insert("currency", "EUR");
    let mut back = order("r1", "-0.10", "-1");
    back.insert("return_id", "r1");
    back.insert("currency", "EUR");
    let items = [
        event(
            0,
            1,
            EventType::Purchase,
            "p1",
            1,
            order("p1", "10.00", "1"),
        ),
        event(0, 2, EventType::Purchase, "p2", 1, euros),
        event(0, 3, EventType::Return, "r1", 1, back),
        event(0, 4, EventType::Purchase, "p3", 1, order("p3", "0.05", "1")),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    let summary = &document["summary"];
    assert_eq!(summary["relationship"], "customer");
    assert_eq!(
        (&summary["orders"], &summary["returns"]),
        (&3.into(), &1.into())
    );
    assert_eq!(summary["items"], 5);
    assert_eq!(
        summary["total_spend"],
        serde_json::json!([{"currency": "EUR", "amount": "0.00"}, {"currency": "USD", "amount": "10.05"}])
    );
    assert_eq!(
        summary["average_order_value"],
        serde_json::json!([{"currency": "EUR", "amount": "0.10"}, {"currency": "USD", "amount": "5.02"}])
    );
}

#[test]
fn the_newest_source_names_the_customer() {
    let items = [
        record(
            0,
            "pos",
            2,
            map(&[("first_name", "Jane".into()), ("last_name", "Doe".into())]),
        ),
        record(
            0,
            "crm",
            1,
            map(&[("first_name", "Jenny".into()), ("city", "Perth".into())]),
        ),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    assert_eq!(document["name"], "Jane Doe");
    let address = &document["attributes"]["address"][0];
    assert_eq!(
        (&address["value"], &address["source"]),
        (&"Perth".into(), &"crm".into())
    );
    assert_eq!(document["summary"]["relationship"], "prospect");
}

#[test]
fn without_pii_read_personal_values_are_redacted() {
    let message = map(&[
        ("body", "My number is 555".into()),
        ("channel", "phone".into()),
    ]);
    let mut purchase = order("p1", "9.90", "1");
    purchase.insert("customer_name", "Jane Doe");
    let items = [
        record(
            0,
            "crm",
            1,
            map(&[
                ("first_name", "Jane".into()),
                ("email", "jane@example.com".into()),
            ]),
        ),
        event(0, 1, EventType::Message, "m1", 1, message),
        event(0, 2, EventType::Purchase, "p1", 1, purchase),
        note(0, 1),
    ];
    let mut closure = Closure::new(identity(0).0);
    closure.add([(&identity(0).0, items.as_slice(), &Markers::default())]);
    let profile = Profile {
        closure,
        state: items.into_iter().collect(),
        partial: false,
    };
    let view = View {
        personal: false,
        ..view()
    };
    let redacted = profile.document(&view, Sections::ALL);
    let text = serde_json::to_string(&redacted).unwrap();
    for personal in ["Jane", "jane@", "555", "Call back"] {
        assert!(!text.contains(personal), "{personal} in {text}");
    }
    assert!(text.contains(r#""name":{"redacted":true}"#));
    let view = View {
        personal: true,
        ..view
    };
    let figures = |document: &Document| serde_json::to_value(&document.summary).unwrap();
    let shown = profile.document(&view, Sections::ALL);
    assert_eq!(figures(&redacted), figures(&shown));
}

#[test]
fn the_newest_word_counts_and_the_others_are_named() {
    let items = [
        record(0, "pos", 1, map(&[("city", "Perth".into())])),
        record(0, "crm", 3, map(&[("city", "Hobart".into())])),
        record(1, "pos", 2, map(&[("city", "Hobart".into())])),
        link(0, 1, 1),
        link(1, 0, 1),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    let city = &document["attributes"]["address"][0];
    assert_eq!(
        (&city["value"], &city["source"], &city["type"]),
        (&"Hobart".into(), &"crm".into(), &"string".into())
    );
    let also = city["also"].as_array().unwrap();
    assert_eq!(also.len(), 1, "who agrees is not named");
    assert_eq!(
        (&also[0]["value"], &also[0]["source"]),
        (&"Perth".into(), &"pos".into())
    );
    let figures = document["attributes"]["figures"].as_array().unwrap();
    let orders = figures.iter().find(|figure| figure["name"] == "orders");
    assert_eq!(orders.unwrap()["source"], "system");
}

#[test]
fn what_is_most_bought_is_ranked() {
    let bought = |id: &str, product: &str, quantity: &str| {
        let mut data = order(id, "1.00", quantity);
        let reference = map(&[("id", product.into()), ("id_type", "sku".into())]);
        let line = map(&[
            ("price_paid", number("1.00")),
            ("quantity", number(quantity)),
            ("product_reference", reference.into()),
        ]);
        data.insert("products", Value::List(vec![line.into()]));
        data
    };
    let items: Vec<_> = (0..7_u8)
        .map(|n| {
            let id = format!("p{n}");
            event(
                0,
                n,
                EventType::Purchase,
                &id,
                1,
                bought(&id, &format!("s{}", n % 6), "2"),
            )
        })
        .collect();
    let mut closure = Closure::new(identity(0).0);
    closure.add([(&identity(0).0, items.as_slice(), &Markers::default())]);
    let profile = Profile {
        closure,
        state: items.into_iter().collect(),
        partial: false,
    };
    let mut summary = profile.document(&view(), Sections::ALL).summary.unwrap();
    let product = |brand: &str| crate::profile::product::Product {
        shown: map(&[("brand", brand.into())]),
        categories: vec!["knit".to_owned()],
    };
    let (acme, bolt) = (product("Acme"), product("Bolt"));
    let blank = crate::profile::product::Product {
        categories: vec![String::new()],
        ..product(" ")
    };
    summary.rank(|top| match top.reference.id.as_str() {
        "s0" => Some(&acme),
        "s1" | "s2" | "s3" => Some(&bolt),
        "s4" => Some(&blank),
        _ => None,
    });
    assert_eq!(summary.top_products.len(), 5);
    assert_eq!(
        (
            summary.top_products[0].reference.id.as_str(),
            summary.top_products[0].quantity
        ),
        ("s0", 4.into())
    );
    let names = |tops: &[summary::Top]| -> Vec<(String, String)> {
        tops.iter()
            .map(|top| (top.name.clone(), top.quantity.to_string()))
            .collect()
    };
    let pair = |name: &str, quantity: &str| (name.to_owned(), quantity.to_owned());
    assert_eq!(
        names(&summary.top_brands),
        [pair("Bolt", "6"), pair("Acme", "4")]
    );
    assert_eq!(names(&summary.top_categories), [pair("knit", "10")]);
}

#[test]
fn top_products_are_named_by_the_newest_line_that_names_them() {
    let bought = |number: u8, name: Option<&str>| {
        let mut line = map(&[
            ("price_paid", self::number("1.00")),
            ("quantity", self::number("1")),
            ("product_reference", map(&[("id", "s".into())]).into()),
        ]);
        if let Some(name) = name {
            line.insert("name", name);
        }
        let mut data = order("o", "1.00", "1");
        data.insert("products", Value::List(vec![line.into()]));
        event(
            0,
            number,
            EventType::Purchase,
            &format!("p{number}"),
            1,
            data,
        )
    };
    let items = [
        bought(1, Some("Old")),
        bought(2, Some("New")),
        bought(3, None),
    ];
    let events: Vec<_> = items.iter().rev().collect();
    let name = |view: &View<'_>, catalog: Option<&product::Product>| {
        let mut summary = summary::fold(&Categories::new(), &events, view);
        summary.rank(|_| catalog);
        let top = &summary.top_products[0];
        top.product
            .as_ref()
            .and_then(|shown| Some(shown.text("name")?.to_owned()))
    };
    let catalog = product::Product {
        shown: map(&[("name", "Catalog".into())]),
        categories: Vec::new(),
    };
    let hidden = View {
        personal: false,
        ..view()
    };
    assert_eq!(name(&view(), None).as_deref(), Some("New"));
    assert_eq!(name(&view(), Some(&catalog)).as_deref(), Some("Catalog"));
    assert_eq!(name(&hidden, None), None);
    assert_eq!(name(&hidden, Some(&catalog)).as_deref(), Some("Catalog"));
}
