//! Attributes: what the sources say about a customer. Per attribute the newest word wins, across identities
//! and sources: by the source's own time, then by version.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Personal, State, Summary, View, money::Money};
use crate::{
    item::Item,
    keys::SortKey,
    time::Instant,
    value::{Map, Value, decimal},
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
    /// Who says so: a source of files, or `system` for what is counted here.
    pub source: String,
    /// As of when: the source's own time, or the file's.
    pub as_of: Option<Instant>,
    /// What others say who disagree, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// Another value of an attribute, by a source that is older or less sure of its time.
#[derive(Clone, Debug, Serialize)]
pub struct Also {
    /// What it is there.
    pub value: Personal<Value>,
    /// Who says so.
    pub source: String,
    /// As of when.
    pub as_of: Option<Instant>,
}

/// The source of figures that are counted here.
pub const SYSTEM: &str = "system";
/// The category of figures that are counted here.
pub const FIGURES: &str = "figures";

/// The categories of the system's own attributes. No attributes record may write to them.
pub const RESERVED: [&str; 6] = ["address", "contact", "custom", "customer", FIGURES, "other"];

/// Whether a namespace is one of the system's own categories, in any case.
pub fn is_reserved(namespace: &str) -> bool {
    let namespace = namespace.trim();
    RESERVED
        .iter()
        .any(|name| name.eq_ignore_ascii_case(namespace))
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

/// Attributes by category, each in the order of their names.
pub type Categories = BTreeMap<String, Vec<Attribute>>;

/// Every attribute that a file gave.
pub(super) fn fold(state: &State, view: &View<'_>) -> Categories {
    let mut said: BTreeMap<(&str, &str), Vec<Claim<'_>>> = BTreeMap::new();
    for claim in state.items().flat_map(claims) {
        said.entry((claim.category, claim.name))
            .or_default()
            .push(claim);
    }
    let mut categories = Categories::new();
    for ((category, _), mut claims) in said {
        claims.sort_by_key(|claim| std::cmp::Reverse(rank(claim.item)));
        if let Some((newest, older)) = claims.split_first() {
            categories
                .entry(category.to_owned())
                .or_default()
                .push(attribute(newest, older, view));
        }
    }
    categories
}

fn attribute(newest: &Claim<'_>, older: &[Claim<'_>], view: &View<'_>) -> Attribute {
    let show = |claim: &Claim<'_>| {
        let value = claim.value.clone();
        if claim.personal {
            view.show(value)
        } else {
            Personal::Shown(value)
        }
    };
    let mut also: Vec<&Claim<'_>> = Vec::new();
    for claim in older {
        let known = |held: &&Claim<'_>| held.source == claim.source && held.value == claim.value;
        if claim.value != newest.value && !also.iter().any(known) {
            also.push(claim);
        }
    }
    Attribute {
        name: newest.name.to_owned(),
        kind: kind(newest.name, newest.value),
        value: show(newest),
        confidence: newest.confidence.cloned(),
        source: newest.source.to_owned(),
        as_of: own_time(newest.item),
        also: also
            .into_iter()
            .map(|claim| Also {
                value: show(claim),
                source: claim.source.to_owned(),
                as_of: own_time(claim.item),
            })
            .collect(),
    }
}

/// Figures of the summary as attributes, so that whoever shows attributes needs no second way to show these.
pub(super) fn figures(summary: &Summary, now: Instant) -> Vec<Attribute> {
    let figure = |name: String, kind, value| Attribute {
        name,
        value: Personal::Shown(value),
        kind,
        confidence: None,
        source: SYSTEM.to_owned(),
        as_of: summary.as_of,
        also: Vec::new(),
    };
    let number =
        |name: &str, value: String| figure(name.to_owned(), "number", Value::Number(value));
    let mut figures = vec![
        number("items", summary.items.to_string()),
        number("orders", summary.orders.to_string()),
        number("returns", summary.returns.to_string()),
    ];
    // Amounts are decimal strings here as everywhere.
    let money = |name: &str, money: &Money| {
        let name = format!("{name}_{}", money.currency.to_lowercase());
        figure(name, "number", Value::Text(money.amount.to_string()))
    };
    let averages = summary.average_order_value.iter();
    figures.extend(averages.map(|value| money("average_order_value", value)));
    let totals = summary.total_spend.iter();
    figures.extend(totals.map(|value| money("total_spend", value)));
    for (name, at) in [
        ("first_order_at", summary.first_order_at),
        ("last_event_at", summary.last_event_at),
        ("last_order_at", summary.last_order_at),
    ] {
        let at = at.map(|at| Value::Text(at.to_string()));
        figures.extend(at.map(|at| figure(name.to_owned(), "date", at)));
    }
    if let Some(last) = summary.last_order_at {
        // An order may lie a little ahead.
        let days = (now.seconds() - last.seconds()).max(0) / 86_400;
        figures.push(number("days_since_last_order", days.to_string()));
    }
    for (name, rate) in [
        ("email_click_rate", summary.email.click_rate),
        ("email_open_rate", summary.email.open_rate),
        ("sms_click_rate", summary.sms.click_rate),
    ] {
        figures.extend(rate.map(|rate| number(name, rate.to_string())));
    }
    figures.sort_by(|a, b| a.name.cmp(&b.name));
    figures
}

/// Whether the customer works for the company, as the newest record that says so has it.
pub(super) fn is_employee(categories: &Categories) -> bool {
    let attributes = categories.get("customer").into_iter().flatten();
    attributes
        .filter(|attribute| attribute.name == "employee_flag")
        .any(|attribute| attribute.value == Personal::Shown(Value::Bool(true)))
}

/// The names of attributes in the namespace `segments`, without those that are denied.
pub(super) fn segments(categories: &Categories) -> impl Iterator<Item = &str> {
    let attributes = categories.get("segments").into_iter().flatten();
    let set = attributes.filter(|attribute| match &attribute.value {
        Personal::Shown(value) => !is_denied(value),
        Personal::Redacted => true,
    });
    set.map(|attribute| attribute.name.as_str())
}

/// Whether a value denies a segment: false, 0, `no`, `n`, `f`, `off`, or nothing at all. A cell of CSV is a string.
fn is_denied(value: &Value) -> bool {
    let is_zero = |text: &str| decimal(text).is_some_and(|number| number.is_zero());
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(text) => is_zero(text),
        Value::Text(text) => {
            let text = text.trim().to_lowercase();
            matches!(text.as_str(), "" | "false" | "no" | "n" | "f" | "off") || is_zero(&text)
        }
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Bytes(_) => false,
    }
}

/// What page of attributes is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Only this category.
    pub category: Option<&'a str>,
    /// After this category and name.
    pub after: Option<(String, String)>,
    /// How many at most.
    pub limit: usize,
}

/// An attribute on a page, with its category.
#[derive(Clone, Debug, Serialize)]
pub struct Paged {
    /// What it is about: a namespace of attributes records, or `contact`, `address`, `customer`, `custom`, `other` of
    /// customer records, or `figures`.
    pub category: String,
    /// The attribute.
    #[serde(flatten)]
    pub attribute: Attribute,
}

/// A page of attributes, by category and name; `next` is the place of the last where there are more.
pub fn page(categories: Categories, wanted: &Wanted<'_>) -> (Vec<Paged>, Option<(String, String)>) {
    let all = categories.into_iter().flat_map(|(category, attributes)| {
        attributes.into_iter().map(move |attribute| Paged {
            category: category.clone(),
            attribute,
        })
    });
    let mut asked = all.filter(|paged| {
        let place = (&paged.category, &paged.attribute.name);
        wanted
            .category
            .is_none_or(|category| paged.category == category)
            && wanted
                .after
                .as_ref()
                .is_none_or(|(category, name)| place > (category, name))
    });
    let items: Vec<_> = asked.by_ref().take(wanted.limit).collect();
    let last = items.last().filter(|_| asked.next().is_some());
    let next = last.map(|paged| (paged.category.clone(), paged.attribute.name.clone()));
    (items, next)
}

/// First and last name: of the newest customer record that has both, else the newest of each.
pub(super) fn name(state: &State) -> Option<String> {
    let mut records: Vec<&Item> = state
        .items()
        .filter(|item| matches!(item.key, SortKey::Record(_)))
        .collect();
    records.sort_by_key(|item| std::cmp::Reverse(rank(item)));
    let part = |item: &&Item, name: &str| {
        let part = item.data.text(name)?.trim();
        (!part.is_empty()).then(|| part.to_owned())
    };
    let names: Vec<_> = records
        .iter()
        .map(|item| (part(item, "first_name"), part(item, "last_name")))
        .collect();
    let both = names
        .iter()
        .find_map(|(first, last)| Some([first.clone()?, last.clone()?]));
    if let Some(both) = both {
        return Some(both.join(" "));
    }
    let first = names.iter().find_map(|(first, _)| first.clone());
    let last = names.iter().find_map(|(_, last)| last.clone());
    let parts: Vec<_> = first.into_iter().chain(last).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn claims<'a>(item: &'a Item) -> Vec<Claim<'a>> {
    match &item.key {
        SortKey::Record(source) => record(item, source),
        SortKey::Attributes { source, namespace } if !is_reserved(namespace) => {
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
