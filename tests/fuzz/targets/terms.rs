//! Search terms and links: a value finds the item that contains it, however it is written, and a link has two sides that name each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::model::{
    find::{self, Find, Term},
    identifier::{Identifier, IdentifierRules, Notation, Scalar},
    identity::IdentityKey,
    item::Item,
    keys::{EventKey, EventType, SortKey},
    time::Instant,
    value::{Map, Value},
};

#[derive(arbitrary::Arbitrary, Debug)]
enum Input<'a> {
    Name(&'a str, &'a str),
    Order(&'a str, bool),
    Field(u8, bool, &'a str),
    Links(Vec<(u8, &'a str)>),
}

const FIELDS: [&str; 4] = ["email", "mobile", "customer_id", "email_sha256"];
const IDENTIFIERS: [&str; 6] = [
    "email",
    "mobile",
    "customer_id",
    "email_sha256",
    "email_md5",
    "external_id",
];

fn key() -> IdentityKey {
    IdentityKey::new("key").expect("a key")
}

fn pick(names: &[&'static str], n: u8) -> &'static str {
    names[usize::from(n) % names.len()]
}

fn parsed(name: &str, text: &str, notation: Notation, rules: IdentifierRules) -> Option<Identifier> {
    let fields = [(name, Scalar::Text(text.into()))];
    Identifier::from_fields(fields, notation, rules).ok()
}

/// Returns the attributes with which a search finds an item with these fields.
fn find(sort: SortKey, fields: &[(&str, &str)], rules: IdentifierRules) -> Find {
    let owner = parsed("email", "a@example.com", Notation::Json, rules).expect("an email");
    let data = fields.iter().filter(|(_, text)| !text.is_empty());
    let item = Item {
        identity: key().identity(&owner),
        key: sort,
        version: None,
        link: Some(owner),
        source: None,
        data: data.map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect(),
        expires_at: None,
        find: Find::default(),
    };
    Find::of(&key(), &item, rules)
}

fn record() -> SortKey {
    SortKey::Record("crm".to_owned())
}

/// A name is found by itself, with its words in another order, and without what is ignored.
fn name(first: &str, last: &str) {
    let fields = [("first_name", first), ("last_name", last)];
    let found = find(record(), &fields, IdentifierRules::default());
    let mut names = vec![first, last];
    names.retain(|name| !name.is_empty());
    let whole = names.join(" ");
    let Some(term) = Term::name(&key(), &whole) else {
        return;
    };
    assert!(found.contains(term));
    let turned = format!("{last}, {first}");
    if turned.len() <= find::MAX_NAME_BYTES {
        assert_eq!(Term::name(&key(), &turned), Some(term));
    }
    let folded = find::folded(&whole);
    assert_eq!(find::folded(&folded), folded);
    if folded.len() <= find::MAX_NAME_BYTES {
        assert_eq!(Term::name(&key(), &folded), Some(term));
    }
}

/// An order is found by its number and its id, with and without `#`.
fn order(text: &str, is_return: bool) {
    let Some(term) = Term::order(&key(), text) else {
        return;
    };
    let (kind, id) = if is_return {
        (EventType::Return, "return_id")
    } else {
        (EventType::Purchase, "purchase_id")
    };
    let at = Instant::from_seconds(1_700_000_000).expect("an instant");
    let event = || SortKey::Event(EventKey::new(&key(), at, kind, "shop", &["1"]));
    for fields in [[("order_number", text), (id, "77")], [("order_number", ""), (id, text)]] {
        assert!(find(event(), &fields, IdentifierRules::default()).contains(term));
    }
    for other in [format!("#{text}"), format!(" # {text}"), text.to_ascii_uppercase()] {
        assert_eq!(Term::order(&key(), &other), Some(term));
    }
}

/// An identifier in a record is found by its normal form.
fn field(name: &str, is_national: bool, text: &str) {
    let rules = IdentifierRules {
        calling_code: is_national.then(|| "61".parse().expect("a calling code")),
    };
    let Some(identifier) = parsed(name, text, Notation::Csv, rules) else {
        return;
    };
    let Some(term) = Term::identifier(&key(), &identifier) else {
        return;
    };
    assert!(find(record(), &[(name, text)], rules).contains(term));
    // Without a plus sign, it may be a number of the country.
    let sign = if name == "mobile" { "+" } else { "" };
    let normal = format!("{sign}{}", identifier.value());
    for notation in [Notation::Json, Notation::Csv] {
        let again = parsed(name, &normal, notation, rules).expect("an identifier");
        assert_eq!(Term::identifier(&key(), &again), Some(term));
    }
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Name(first, last) => name(first, last),
        Input::Order(text, is_return) => order(text, is_return),
        Input::Field(which, is_national, text) => field(pick(&FIELDS, which), is_national, text),
        Input::Links(identifiers) => {
            let identifiers = identifiers.iter().map(|(which, text)| {
                let mut identifier = Map::new();
                let name = pick(&IDENTIFIERS, *which);
                identifier.insert(name, *text);
                if name == "external_id" {
                    identifier.insert("system_name", "crm");
                }
                identifier
            });
            ingest::fuzz::unify(&identifiers.collect::<Vec<_>>());
        }
    }
});
