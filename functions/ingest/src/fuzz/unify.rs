//! Maps `unify` records.

use std::collections::BTreeMap;

use shared::model::{
    identifier::Identifier,
    identity::IdentityKey,
    item::Item,
    keys::SortKey,
    value::{Map, Value},
    version::{ImportId, Version},
};

use super::{LAST_MODIFIED, context};
use crate::{import::drop_key::DropKey, record, rows::Fields};

/// Maps a record that links identifiers. The order of the identifiers must not matter, and each side of a link must name the other
/// one. Returns the number of links; `None` if the record is rejected.
pub fn unify(identifiers: &[Map]) -> Option<usize> {
    let sides = sides(identifiers.iter())?;
    assert_eq!(Some(&sides), self::sides(identifiers.iter().rev()).as_ref());
    for ((identity, other), link) in &sides {
        let opposite = &sides[&(other.clone(), identity.clone())];
        let identifier = link.link.as_ref().map(Identifier::to_item);
        assert_eq!(
            opposite.data.get("other").and_then(Value::as_map),
            identifier.as_ref()
        );
    }
    Some(sides.len() / 2)
}

/// Returns the sides of the links, by their identity and the other one.
fn sides<'a>(
    identifiers: impl Iterator<Item = &'a Map>,
) -> Option<BTreeMap<(String, String), Item>> {
    let records = identifiers.map(|identifier| Value::Map(identifier.clone()));
    let mut map = Map::new();
    map.insert("records", Value::List(records.collect()));
    let key = IdentityKey::new("key").expect("a key");
    let drop = DropKey::parse("drop/unify/a.json").expect("a key");
    let version = Version::new(LAST_MODIFIED, "01", ImportId([1; 8]), 0);
    let mapped = record::map_record(&context(&key, &drop), version, Fields::from(map)).ok()?;
    let links = mapped.links.into_iter().flatten();
    let sides = links.map(|item| {
        let SortKey::Link { other, .. } = &item.key else {
            panic!("{item:?} is not a link");
        };
        let sides = (item.identity.to_string(), other.to_string());
        (sides, item)
    });
    Some(sides.collect())
}
