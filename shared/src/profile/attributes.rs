//! Attributes: what the sources say about a customer. Per attribute the newest word wins, across identities
//! and sources: by the source's own time, then by version.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Personal, State, View};
use crate::{
    item::Item,
    keys::SortKey,
    time::Instant,
    value::{Map, Value},
};

/// One attribute as it is answered.
#[derive(Clone, Debug, Serialize)]
pub struct Attribute {
    /// The name, within its category.
    pub name: String,
    /// What it is.
    pub value: Personal<Value>,
    /// `flag`, `number`, `date`, `string` or `text` (a long or composed value).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How sure the source is, from 0 to 2, where it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Value>,
    /// Who says so.
    pub source: String,
    /// As of when: the source's own time, or the file's.
    pub as_of: Option<Instant>,
}

/// A string longer than this is a text.
const LONG: usize = 256;
/// Fields of a customer record that aren't personal.
const IMPERSONAL: [&str; 4] = ["country", "customer_type", "employee_flag", "gender"];

/// One thing that one source says.
struct Claim<'a> {
    category: &'a str,
    name: &'a str,
    value: &'a Value,
    personal: bool,
    confidence: Option<&'a Value>,
    source: &'a str,
    item: &'a Item,
}

/// Every attribute, by category, in the order of their names.
pub(super) fn fold(state: &State, view: &View<'_>) -> BTreeMap<String, Vec<Attribute>> {
    let mut newest: BTreeMap<(&str, &str), Claim<'_>> = BTreeMap::new();
    for claim in state.items().flat_map(claims) {
        match newest.get(&(claim.category, claim.name)) {
            Some(held) if rank(held.item) >= rank(claim.item) => {}
            _ => {
                newest.insert((claim.category, claim.name), claim);
            }
        }
    }
    let mut categories: BTreeMap<String, Vec<Attribute>> = BTreeMap::new();
    for claim in newest.into_values() {
        let value = claim.value.clone();
        categories
            .entry(claim.category.to_owned())
            .or_default()
            .push(Attribute {
                name: claim.name.to_owned(),
                kind: kind(claim.name, claim.value),
                value: if claim.personal {
                    view.show(value)
                } else {
                    Personal::Shown(value)
                },
                confidence: claim.confidence.cloned(),
                source: claim.source.to_owned(),
                as_of: own_time(claim.item),
            });
    }
    categories
}

/// The names of attributes in the namespace `segments` that are set.
pub(super) fn segments(state: &State, view: &View<'_>) -> Vec<String> {
    let mut categories = fold(
        state,
        &View {
            personal: true,
            ..view.clone()
        },
    );
    let attributes = categories.remove("segments").unwrap_or_default();
    let set = attributes.into_iter().filter(|attribute| {
        !matches!(
            &attribute.value,
            Personal::Shown(Value::Bool(false) | Value::Null)
        )
    });
    set.map(|attribute| attribute.name).collect()
}

/// First and last name, from the newest customer record that gives either.
pub(super) fn name(state: &State) -> Option<String> {
    let records = state
        .items()
        .filter(|item| matches!(item.key, SortKey::Record(_)));
    let named = records.filter(|item| {
        item.data
            .text("first_name")
            .or(item.data.text("last_name"))
            .is_some()
    });
    let newest = named.max_by(|a, b| rank(a).cmp(&rank(b)))?;
    let parts = [
        newest.data.text("first_name"),
        newest.data.text("last_name"),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn claims<'a>(item: &'a Item) -> Vec<Claim<'a>> {
    match &item.key {
        SortKey::Record(source) => record(item, source),
        SortKey::Attributes { source, namespace } => {
            let values = item.data.map("attributes").into_iter().flat_map(Map::iter);
            let claim = |(name, value): (&'a str, &'a Value)| {
                let (value, confidence) = match value {
                    Value::Map(map) => (map.get("value").unwrap_or(value), map.get("confidence")),
                    value => (value, None),
                };
                Claim {
                    category: namespace,
                    name,
                    value,
                    personal: false,
                    confidence,
                    source,
                    item,
                }
            };
            values.map(claim).collect()
        }
        _ => Vec::new(),
    }
}

fn record<'a>(item: &'a Item, source: &'a str) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    for (name, value) in item.data.iter() {
        if name == "updated_at" {
            continue;
        }
        if let ("custom_fields", Value::Map(custom)) = (name, value) {
            for (name, value) in custom.iter() {
                claims.push(Claim {
                    category: "custom",
                    name,
                    value,
                    personal: true,
                    confidence: None,
                    source,
                    item,
                });
            }
            continue;
        }
        let category = match name {
            "email" | "email_sha256" | "mobile" | "customer_id" => "contact",
            "country" | "state" | "city" | "postcode" | "zip" | "address_1" | "address_2" => {
                "address"
            }
            "first_name" | "last_name" | "gender" | "date_of_birth" | "employee_flag"
            | "customer_type" => "customer",
            _ => "other",
        };
        let personal = !IMPERSONAL.contains(&name);
        claims.push(Claim {
            category,
            name,
            value,
            personal,
            confidence: None,
            source,
            item,
        });
    }
    claims
}

/// When the source says that what the item holds was so; failing that, when its file was last modified.
fn own_time(item: &Item) -> Option<Instant> {
    let own = item.data.text("updated_at").and_then(Instant::parse);
    own.or_else(|| Instant::from_seconds(item.version?.last_modified()))
}

fn rank(item: &Item) -> impl Ord + use<> {
    (
        own_time(item),
        item.version,
        item.identity.clone(),
        item.key.clone(),
    )
}

fn kind(name: &str, value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::Text(text) if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() => {
            "date"
        }
        Value::Text(text) if name.ends_with("_at") && Instant::parse(text).is_some() => "date",
        Value::Text(text) if text.len() <= LONG => "string",
        _ => "text",
    }
}
