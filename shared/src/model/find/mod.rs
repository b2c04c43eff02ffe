//! Find attributes: the values with which a search finds a customer or an order. The module is pure. `table` stores
//! them in the attributes `Find1` to `Find4`, each the key of a sparse index. They only point to items: a search
//! verifies each hit against the item. [ADR 11](../../infra/adr/0011-search-indexes.md) explains the layout.

use std::borrow::Cow;

use crate::model::{
    identifier::{Identifier, IdentifierRules, IdentifierType, Notation, Scalar},
    identity::IdentityKey,
    item::Item,
    keys::{EventType, SortKey},
    value::{Map, Value, decimal},
};

mod normal;
pub(crate) mod term;

pub use normal::{NamePart, folded};
pub use term::{Find, FindKey, FindKind, INDEXES, MAX_NAME_BYTES, SHARDS, Term};

impl Find {
    /// Computes the Find attributes from an item's key, link and data. Identifiers in fields are read as CSV cells,
    /// even those of JSON files. A stored item does not contain its file's format, and a search that verifies the item
    /// must compute the same values.
    pub fn of(key: &IdentityKey, item: &Item, rules: IdentifierRules) -> Self {
        match &item.key {
            SortKey::Record(_) => {
                let read = |name: &str, value: &str| identifier(name, value, Notation::Csv, rules);
                Self::at(&item.identity, record(key, item, read))
            }
            SortKey::Event(event) => match event.kind() {
                EventType::Purchase => Self::at(&item.identity, order(key, item, "purchase_id")),
                EventType::Return => Self::at(&item.identity, order(key, item, "return_id")),
                _ => Self::default(),
            },
            _ => Self::default(),
        }
    }
}

/// Returns the email address and the mobile number that a customer record contains as fields, without those that lookups
/// reject. Other items have none.
pub fn record_identifiers(item: &Item, rules: IdentifierRules) -> Vec<Identifier> {
    if !matches!(item.key, SortKey::Record(_)) {
        return Vec::new();
    }
    let read = |name| identifier(name, &text(&item.data, name)?, Notation::Csv, rules);
    let email = read("email").or_else(|| read("email_sha256"));
    email.into_iter().chain(read("mobile")).collect()
}

/// Returns the term of the whole name in a customer record. Other items have none.
pub fn record_name(key: &IdentityKey, item: &Item) -> Option<Term> {
    let is_record = matches!(item.key, SortKey::Record(_));
    Term::name(key, &full_name(&item.data).filter(|_| is_record)?)
}

/// Returns the terms of a customer record: name, email, mobile and customer id. `read` returns the identifier that a
/// field contains, in its normal form. It returns `None` for a placeholder and anything else that lookups reject.
fn record(
    key: &IdentityKey,
    item: &Item,
    read: impl Fn(&str, &str) -> Option<Identifier>,
) -> [Option<Term>; 4] {
    let data = &item.data;
    let field = |name| {
        let value = text(data, name)?;
        Term::identifier(key, &read(name, &value)?)
    };
    // The id in the link counts too, because a lookup finds it only together with its system.
    let linked = || {
        let link = item.link.as_ref()?;
        let is_id = matches!(
            link.kind(),
            IdentifierType::CustomerId | IdentifierType::ExternalId
        );
        is_id.then(|| Term::identifier(key, link))?
    };
    [
        full_name(data).and_then(|name| Term::name(key, &name)),
        field("email").or_else(|| field("email_sha256")),
        field("mobile"),
        field("customer_id").or_else(linked),
    ]
}

/// Returns the first and the last name, or the one that exists.
fn full_name(data: &Map) -> Option<Cow<'_, str>> {
    match (text(data, "first_name"), text(data, "last_name")) {
        (Some(first), Some(last)) => Some(format!("{first} {last}").into()),
        (first, last) => first.or(last),
    }
}

/// Returns the terms of an order: its number and its id. If it has no number, or both are equal, there is one term.
fn order(key: &IdentityKey, item: &Item, id: &str) -> [Option<Term>; 2] {
    let term = |name| Term::order(key, &text(&item.data, name)?);
    let (number, id) = (term("order_number"), term(id));
    [number.or(id), number.and(id.filter(|_| number != id))]
}

/// Returns a field as a string. A number is written in plain notation.
fn text<'a>(data: &'a Map, name: &str) -> Option<Cow<'a, str>> {
    match data.get(name)? {
        Value::Text(text) => Some(text.into()),
        Value::Number(number) => Some(match decimal(number) {
            Some(number) => number.normalize().to_string().into(),
            None => number.into(),
        }),
        _ => None,
    }
}

/// Parses a field of a record as an identifier. Returns `None` if a lookup would reject it.
fn identifier(
    field: &str,
    value: &str,
    notation: Notation,
    rules: IdentifierRules,
) -> Option<Identifier> {
    let fields = [(field, Scalar::Text(value.into()))];
    Identifier::from_fields(fields, notation, rules).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        keys::EventKey,
        time::Instant,
        version::{ImportId, Version},
    };

    fn key() -> IdentityKey {
        IdentityKey::new("key").unwrap()
    }

    /// Creates an item of the identity of `link`.
    fn item(sort: SortKey, link: (&str, &str), data: Map) -> Item {
        let mut fields = vec![(link.0, Scalar::Text(link.1.into()))];
        if link.0 == "external_id" {
            fields.push(("system_name", Scalar::Text("shop".into())));
        }
        let rules = IdentifierRules::default();
        let link = Identifier::from_fields(fields, Notation::Json, rules).unwrap();
        let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
        Item::ingested(key().identity(&link), sort, version, Some(link), data)
    }

    fn data(fields: &[(&str, &str)]) -> Map {
        let mut data = Map::new();
        for (name, value) in fields {
            data.insert(*name, *value);
        }
        data
    }

    fn found(item: &Item) -> Find {
        Find::of(&key(), item, IdentifierRules::default())
    }

    fn identifier(field: &str, value: &str) -> Option<Identifier> {
        super::identifier(field, value, Notation::Json, IdentifierRules::default())
    }

    fn record(link: (&str, &str), fields: &[(&str, &str)]) -> Find {
        let sort = SortKey::Record("pos".into());
        found(&item(sort, link, data(fields)))
    }

    fn event(kind: EventType, data: Map) -> Find {
        let at = Instant::from_seconds(0).unwrap();
        let sort = SortKey::Event(EventKey::new(&key(), at, kind, "pos", &["1"]));
        found(&item(sort, ("mobile", "61491570156"), data))
    }

    fn purchase(fields: &[(&str, &str)]) -> Find {
        event(EventType::Purchase, data(fields))
    }

    /// Returns the kinds in each slot.
    fn kinds(find: &Find) -> Vec<Option<&'static str>> {
        let slots = find.slots();
        slots
            .map(|(_, key)| Some(key?.term.kind.as_str()))
            .collect()
    }

    fn named(field: &str, value: &str) -> Term {
        Term::identifier(&key(), &identifier(field, value).unwrap()).unwrap()
    }

    fn order_term(order: &str) -> Term {
        Term::order(&key(), order).unwrap()
    }

    const LINK: (&str, &str) = ("mobile", "61491570156");

    #[test]
    fn records_carry_name_email_mobile_and_customer_id() {
        let find = record(
            LINK,
            &[
                ("first_name", "Jane"),
                ("last_name", "O'Neill"),
                ("email", " Jane@Example.com"),
                ("mobile", "+61491570156"),
                ("customer_id", "1042"),
            ],
        );
        assert_eq!(
            kinds(&find),
            [
                Some("name"),
                Some("email"),
                Some("mobile"),
                Some("customer")
            ]
        );
        assert!(find.contains(Term::name(&key(), "ONEILL, Jane").unwrap()));
        assert!(find.contains(named("email", "jane@example.com")));
        assert!(find.contains(named("mobile", "61491570156")));
        assert!(find.contains(named("customer_id", "1042")));
        assert!(!find.contains(named("customer_id", "1043")));
        assert!(!find.contains(order_term("1042")), "kinds are kept apart");
    }

    #[test]
    fn records_carry_what_they_contain() {
        assert_eq!(kinds(&record(LINK, &[])), [None; 4]);
        let first = record(LINK, &[("first_name", "Jane")]);
        assert!(first.contains(Term::name(&key(), "jane").unwrap()));
        let last = record(LINK, &[("last_name", "Doe"), ("email", "not an address")]);
        assert_eq!(kinds(&last), [Some("name"), None, None, None]);
    }

    #[test]
    fn an_address_and_its_hash_find_the_same() {
        let digest = <sha2::Sha256 as sha2::Digest>::digest("jane@example.com");
        let sha256 = data_encoding::HEXLOWER.encode(&digest);
        let hashed = record(LINK, &[("email_sha256", &sha256)]);
        assert!(hashed.contains(named("email", "jane@example.com")));
    }

    #[test]
    fn customer_ids_match_in_any_system() {
        let ids = [
            record(LINK, &[("customer_id", "1042")]),
            record(("customer_id", "1042"), &[]),
            record(("external_id", "1042"), &[]),
            record(("customer_id", "7"), &[("customer_id", "1042")]),
        ];
        for find in ids {
            assert_eq!(kinds(&find)[3], Some("customer"));
            assert!(find.contains(named("customer_id", "1042")));
        }
        assert_eq!(kinds(&record(("email", "a@b.example"), &[])), [None; 4]);
    }

    #[test]
    fn orders_carry_number_and_id() {
        let only_id = purchase(&[("purchase_id", "1042")]);
        assert_eq!(kinds(&only_id), [Some("order"), None]);
        let same = purchase(&[("purchase_id", "1042"), ("order_number", "#1042")]);
        assert_eq!(same, only_id);
        let other = purchase(&[("purchase_id", "gid-7"), ("order_number", "#1042")]);
        assert_eq!(kinds(&other), [Some("order"), Some("order")]);
        // Both are in the first index: eight queries find either.
        let first = |find: &Find| find.slots().next().unwrap().1.unwrap().term;
        assert_eq!(first(&other), order_term("1042"));
        assert_eq!(first(&only_id), order_term("# 1042"));
        assert!(other.contains(order_term("GID-7")));
        let returned = event(EventType::Return, data(&[("return_id", "1042")]));
        assert!(returned.contains(order_term("#1042")));
    }

    #[test]
    fn order_numbers_may_be_numbers() {
        for number in ["1042", "1042.0", "1.042e3"] {
            let mut data = data(&[("purchase_id", "gid-7")]);
            data.insert("order_number", Value::Number(number.into()));
            let find = event(EventType::Purchase, data);
            assert!(find.contains(order_term("#1042")), "{number}");
        }
        let mut data = data(&[("purchase_id", "gid-7")]);
        data.insert("order_number", Value::List(Vec::new()));
        let find = event(EventType::Purchase, data);
        assert_eq!(kinds(&find), [Some("order"), None]);
    }

    #[test]
    fn a_moved_purchase_keeps_its_slots_and_loses_its_values() {
        assert_eq!(kinds(&event(EventType::Purchase, Map::new())), [None; 2]);
    }

    #[test]
    fn other_items_carry_none() {
        for kind in EventType::ALL {
            let is_order = matches!(kind, EventType::Purchase | EventType::Return);
            let find = event(
                kind,
                data(&[("email", "a@b.example"), ("order_number", "1")]),
            );
            assert_eq!(find.slots().count(), if is_order { 2 } else { 0 }, "{kind}");
        }
        let note = SortKey::Note(uuid::Uuid::nil());
        let note = item(note, LINK, data(&[("email", "a@b.example")]));
        assert_eq!(found(&note), Find::default());
    }

    /// Pinned: with other values, a search would not find stored items.
    #[test]
    fn values_are_stable() {
        let find = record(
            LINK,
            &[("first_name", "Jane"), ("email", "jane@example.com")],
        );
        let texts: Vec<_> = find
            .slots()
            .map(|(_, key)| key.map(FindKey::to_string))
            .collect();
        let stored = ["name#v5x7en4pc33srmbr#3", "email#cktnn645tdosnbzx#3"]
            .map(|text| Some(text.to_owned()));
        assert_eq!(texts, [&stored[..], &[None, None]].concat());
    }

    #[test]
    fn a_search_reads_every_shard() {
        let shards: HashSet<String> = (0..200)
            .map(|n| {
                let find = record(
                    ("mobile", &format!("6149157{n:04}")),
                    &[("first_name", "Jane")],
                );
                find.slots().next().unwrap().1.unwrap().to_string()
            })
            .collect();
        let term = Term::name(&key(), "Jane").unwrap();
        let keys: HashSet<_> = term.keys().map(|key| key.to_string()).collect();
        assert_eq!(keys.len(), usize::from(SHARDS));
        assert_eq!(shards, keys);
    }

    proptest! {
        #[test]
        fn every_carried_value_is_in_an_index_of_its_kind(
            name in "[a-z]{3,9} [a-z]{3,9}", number in "[0-9]{1,9}", id in "[a-z0-9]{1,9}",
        ) {
            let finds = [
                record(LINK, &[("first_name", &name), ("email", "a@b.example"), ("mobile", "61491570156"), ("customer_id", &id)]),
                purchase(&[("purchase_id", &id), ("order_number", &number)]),
            ];
            for find in finds {
                for (at, (index, value)) in find.slots().enumerate() {
                    prop_assert_eq!(index, INDEXES[at]);
                    if let Some(value) = value {
                        prop_assert!(value.term.kind.indexes().contains(&at));
                        prop_assert!(value.to_string().len() <= 27);
                    }
                }
            }
        }
    }
}
