//! Folding: any items make a profile, which is the same in any order and however they are divided. It can be written as JSON.
//! Without `pii:read` it contains no personal value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::{model::{closure::Closure, erasure::Markers, find::Find, identifier::Identifier, identity::{IdentityId, IdentityKey}, item::Item, keys::{EventKey, EventType, Marker, SortKey}, time::Instant, value::{Map, Value}, version::{ImportId, Version}}, profile::{Profile, Sections, State, View}};

#[derive(arbitrary::Arbitrary, Debug)]
struct Stored<'a> {
    owner: u8,
    key: Key<'a>,
    written: u16,
    data: Vec<(Name<'a>, Content<'a>)>,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Key<'a> {
    Record(u8),
    Attributes(u8, &'a str),
    Link(u8),
    Marker(u8),
    Note(u128),
    Event(u8, i64, u8),
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Name<'a> {
    Known(u8),
    Any(&'a str),
}

/// What the table may hold: numbers as DynamoDB takes them.
#[derive(arbitrary::Arbitrary, Debug)]
enum Content<'a> {
    Null,
    Flag(bool),
    Number(i64, u8),
    Exponent(i32, i8),
    Text(&'a str),
    Bytes(&'a [u8]),
    Lines(Vec<(i64, u8, i8, &'a str)>),
    Map(Vec<(Name<'a>, &'a str)>),
}

const NAMES: [&str; 24] = [
    "action_at",
    "attributes",
    "body",
    "campaign_id",
    "clicked_link",
    "currency",
    "custom_fields",
    "email_id",
    "employee_flag",
    "first_name",
    "last_name",
    "list",
    "live",
    "name",
    "other",
    "pinned",
    "products",
    "purchase_id",
    "sms_id",
    "status",
    "text",
    "type",
    "updated_at",
    "url",
];
const MARKER: &str = "person\u{fffc}al";

fn name(name: &Name<'_>) -> String {
    match name {
        Name::Known(n) => NAMES[usize::from(*n) % NAMES.len()].to_owned(),
        Name::Any(text) => (*text).to_owned(),
    }
}

fn decimal(digits: i64, places: u8) -> Value {
    let places = usize::from(places % 20);
    let sign = if digits < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", digits.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let point = if places > 0 { "." } else { "" };
    Value::Number(format!("{sign}{whole}{point}{fraction}"))
}

fn content(content: &Content<'_>) -> Value {
    match content {
        Content::Null => Value::Null,
        Content::Flag(flag) => Value::Bool(*flag),
        Content::Number(digits, places) => decimal(*digits, *places),
        Content::Exponent(digits, exponent) => Value::Number(format!("{digits}E{exponent}")),
        Content::Text(text) => Value::Text((*text).to_owned()),
        Content::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Content::Lines(lines) => Value::List(
            lines
                .iter()
                .map(|(price, places, quantity, product)| {
                    let mut line = Map::new();
                    line.insert("price_paid", decimal(*price, *places));
                    line.insert("quantity", decimal((*quantity).into(), 0));
                    let mut reference = Map::new();
                    reference.insert("id", *product);
                    line.insert("product_reference", reference);
                    Value::Map(line)
                })
                .collect(),
        ),
        Content::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, text)| (name(key), Value::from(*text)))
                .collect(),
        ),
    }
}

fn identity(n: u8) -> (IdentityId, Identifier) {
    let object = serde_json::json!({"customer_id": format!("C{}", n % 3)});
    let identifier =
        Identifier::from_json(object.as_object().expect("an object")).expect("an identifier");
    (
        IdentityKey::new("key")
            .expect("a key")
            .identity(&identifier),
        identifier,
    )
}

fn item(stored: &Stored<'_>) -> Option<Item> {
    let (owner, link) = identity(stored.owner);
    let mut data: Map = stored
        .data
        .iter()
        .map(|(key, value)| (name(key), content(value)))
        .collect();
    let source = |n: u8| format!("s{}", n % 3);
    let mut version = Some(Version::new(
        1_700_000_000 + i64::from(stored.written),
        "01",
        ImportId([1; 8]),
        0,
    ));
    let key = match &stored.key {
        Key::Record(n) => {
            data.insert("first_name", MARKER);
            SortKey::Record(source(*n))
        }
        Key::Attributes(n, namespace) => SortKey::Attributes {
            source: source(*n),
            namespace: (*namespace).to_owned(),
        },
        Key::Link(n) => {
            let (other, identifier) = identity(*n);
            data.insert("other", &identifier);
            SortKey::Link {
                source: source(*n),
                other,
            }
        }
        Key::Marker(n) => {
            data = Map::new();
            let own = Version::new(1_700_000_000 + i64::from(stored.written), "01", ImportId([1; 8]), 0);
            let markers = [Marker::Erased, Marker::Reinstated(own), Marker::Suppressed];
            SortKey::Marker(markers[usize::from(*n) % markers.len()])
        }
        Key::Note(bits) => {
            version = None;
            data.insert("text", MARKER);
            SortKey::Note(
                uuid::Builder::from_u128(*bits)
                    .with_version(uuid::Version::SortRand)
                    .into_uuid(),
            )
        }
        Key::Event(kind, seconds, id) => {
            let at = Instant::from_seconds(seconds.rem_euclid(4_000_000_000))?;
            let kind = EventType::ALL[usize::from(*kind) % EventType::ALL.len()];
            if !data.is_empty() {
                data.insert("body", MARKER);
            }
            SortKey::Event(EventKey::new(
                &IdentityKey::new("key")?,
                at,
                kind,
                "shop",
                &[&id.to_string()],
            ))
        }
    };
    Some(Item {
        identity: owner,
        key,
        version,
        link: Some(link),
        source: None,
        data,
        expires_at: None,
        find: Find::default(),
    })
}

fn profile(items: &[Item], reversed: bool) -> Profile {
    let mut closure = Closure::new(identity(0).0);
    let mut state = State::default();
    while let Some(next) = closure.pending().pop() {
        let mut own: Vec<Item> = items
            .iter()
            .filter(|item| item.identity == next)
            .cloned()
            .collect();
        if reversed {
            own.reverse();
        }
        let newest: State = own.into_iter().collect();
        let markers = Markers::of(newest.items());
        let left: Vec<_> = newest
            .items()
            .filter(|item| !markers.erase(item))
            .cloned()
            .collect();
        closure.add([(&next, left.as_slice(), &markers)]);
        let mut other = State::default();
        other.extend(left);
        state = if reversed {
            other.combine(state)
        } else {
            state.combine(other)
        };
    }
    Profile {
        closure,
        state,
        partial: false,
    }
}

/// Of items with one key and one version, the first is kept.
fn distinct(items: Vec<Item>) -> Vec<Item> {
    let mut kept: Vec<Item> = Vec::new();
    for item in items {
        let same = |held: &Item| {
            (&held.identity, &held.key, &held.version) == (&item.identity, &item.key, &item.version)
        };
        if !kept.iter().any(same) {
            kept.push(item);
        }
    }
    kept
}

fuzz_target!(|stored: Vec<Stored<'_>>| {
    let items = distinct(stored.iter().take(40).filter_map(item).collect());
    let view = |personal| View {
        now: Instant::from_seconds(1_800_000_000).expect("an instant"),
        currency: "AUD",
        zone: &shared::model::zone::UTC,
        personal,
        open_namespaces: &[],
    };
    let folded = profile(&items, false);
    let document =
        serde_json::to_string(&folded.document(&view(true), Sections::ALL)).expect("JSON");
    let reversed =
        serde_json::to_string(&profile(&items, true).document(&view(true), Sections::ALL))
            .expect("JSON");
    assert_eq!(document, reversed);
    serde_json::from_str::<serde_json::Value>(&document).expect("JSON");
    let redacted =
        serde_json::to_string(&folded.document(&view(false), Sections::ALL)).expect("JSON");
    assert!(!redacted.contains(MARKER), "{redacted}");
    let _ = folded.attributes(&view(false));
});
