//! Attributes: the values that the sources provide about a customer. Across identities and sources, the last write of an
//! attribute wins: ordered by the source's own time, then by version.

use std::{cmp::Ordering, collections::BTreeMap};

use rust_decimal::Decimal;
use serde::Serialize;

mod kind;
pub mod page;
pub mod search;

use kind::kind;

use super::{
    Personal, State, Summary, View,
    money::Money,
    provenance::{Files, Origin},
    redact::{self, Rule},
};
use crate::model::{
    find::NamePart,
    item::Item,
    keys::SortKey,
    time::Instant,
    value::{Map, Value, decimal},
    version::Version,
};

/// An attribute as the API returns it.
#[derive(Clone, Debug, Serialize)]
pub struct Attribute {
    /// The name, within its category.
    pub name: String,
    /// The value.
    pub value: Personal<Value>,
    /// The type: `flag`, `number`, `date`, `string` or `text` (a long or composed value).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The confidence of the source, from 0 to 2, if the source provides one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Value>,
    /// The source of the value: a source of files, or `system` for computed figures.
    pub source: String,
    /// The time of the value: the source's own time, or else the time when the file was last modified.
    pub as_of: Option<Instant>,
    /// Different values from older claims, newest first. Each pair of value and source occurs once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
    /// The file of the value. Only pages of attributes contain it.
    #[serde(skip_serializing_if = "Origin::is_unread")]
    pub provenance: Origin,
}

impl Attribute {
    /// Returns the versions of the items that the values come from.
    pub fn versions(&self) -> impl Iterator<Item = Version> {
        let others = self.also.iter().map(|also| &also.provenance);
        let all = std::iter::once(&self.provenance).chain(others);
        all.filter_map(Origin::version)
    }

    /// Adds the file of each value. `files` contains the plans of the imports of [`Self::versions`].
    pub fn add_provenance(&mut self, files: &Files, view: &View<'_>) {
        self.provenance.read(files, view);
        for also in &mut self.also {
            also.provenance.read(files, view);
        }
    }
}

/// Another value of an attribute, from an older claim.
#[derive(Clone, Debug, Serialize)]
pub struct Also {
    /// The value.
    pub value: Personal<Value>,
    /// The source of the value.
    pub source: String,
    /// The time of the value, as in [`Attribute::as_of`].
    pub as_of: Option<Instant>,
    /// The file of the value, as in [`Attribute::provenance`].
    #[serde(skip_serializing_if = "Origin::is_unread")]
    pub provenance: Origin,
}

/// The source of the computed figures.
pub const SYSTEM: &str = "system";
/// The category of the computed figures.
pub const FIGURES: &str = "figures";

/// The categories of the system's own attributes. An attributes record cannot write to them.
pub const RESERVED: [&str; 6] = ["address", "contact", "custom", "customer", FIGURES, "other"];

/// Returns whether a namespace is one of the system's own categories. Ignores case and surrounding whitespace.
pub fn is_reserved(namespace: &str) -> bool {
    let namespace = namespace.trim();
    RESERVED
        .iter()
        .any(|name| name.eq_ignore_ascii_case(namespace))
}

/// The visibility of an attribute for a client without `pii:read`.
#[derive(Clone, Copy)]
enum Visibility {
    /// Name and value are visible: the namespace is open.
    Open,
    /// The name is visible. The rule of the field decides about the value.
    Field(Rule),
    /// Nothing is visible: the name may be personal too.
    Hidden,
}

/// One value of an attribute from one source.
struct Claim<'a> {
    category: &'a str,
    name: &'a str,
    value: &'a Value,
    visibility: Visibility,
    confidence: Option<&'a Value>,
    source: &'a str,
    item: &'a Item,
}

/// Attributes by category, strongest first: by confidence, then those without one, then by name.
pub type Categories = BTreeMap<String, Vec<Attribute>>;

/// The attributes that a client sees.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// The attributes.
    pub categories: Categories,
    /// The number of attributes that were left out because their names may be personal.
    pub redacted: usize,
}

/// Computes the attributes from the items that files contain.
pub(super) fn fold(state: &State, view: &View<'_>) -> Folded {
    let mut claimed: BTreeMap<(&str, &str), Vec<Claim<'_>>> = BTreeMap::new();
    for claim in state.items().flat_map(|item| claims(item, view)) {
        claimed
            .entry((claim.category, claim.name))
            .or_default()
            .push(claim);
    }
    let mut folded = Folded::default();
    for ((category, _), mut claims) in claimed {
        claims.sort_by_key(|claim| std::cmp::Reverse(rank(claim.item)));
        let Some((newest, older)) = claims.split_first() else {
            continue;
        };
        if !view.personal && matches!(newest.visibility, Visibility::Hidden) {
            folded.redacted += 1;
            continue;
        }
        folded
            .categories
            .entry(category.to_owned())
            .or_default()
            .push(attribute(newest, older, view));
    }
    for attributes in folded.categories.values_mut() {
        attributes.sort_by(strongest_first);
    }
    folded
}

/// Orders attributes of a category by confidence, highest first; those without a confidence follow. Equal ones are ordered by
/// name.
fn strongest_first(a: &Attribute, b: &Attribute) -> Ordering {
    let key = |attribute: &Attribute| attribute.confidence.as_ref().and_then(amount);
    key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
}

/// Returns an exact number; `None` if the value is not one.
fn amount(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(text) => decimal(text),
        _ => None,
    }
}

/// Builds an attribute from its newest claim and the older ones.
fn attribute(newest: &Claim<'_>, older: &[Claim<'_>], view: &View<'_>) -> Attribute {
    let show = |claim: &Claim<'_>| {
        let value = claim.value.clone();
        match claim.visibility {
            _ if view.personal => Personal::Shown(value),
            Visibility::Open => Personal::Shown(value),
            Visibility::Field(rule) => redact::visible(rule, value),
            Visibility::Hidden => Personal::Redacted,
        }
    };
    let mut also: Vec<&Claim<'_>> = Vec::new();
    for claim in older {
        let is_listed =
            |other: &&Claim<'_>| other.source == claim.source && other.value == claim.value;
        if claim.value != newest.value && !also.iter().any(is_listed) {
            also.push(claim);
        }
    }
    Attribute {
        name: newest.name.to_owned(),
        kind: kind(newest.name, newest.value),
        value: show(newest),
        confidence: newest.confidence.cloned(),
        source: newest.source.to_owned(),
        as_of: source_time(newest.item),
        also: also
            .into_iter()
            .map(|claim| Also {
                value: show(claim),
                source: claim.source.to_owned(),
                as_of: source_time(claim.item),
                provenance: Origin::Unread(claim.item.version),
            })
            .collect(),
        provenance: Origin::Unread(newest.item.version),
    }
}

/// Returns the figures of the summary as attributes, so that clients can show both in the same way.
pub(super) fn figures(summary: &Summary, now: Instant) -> Vec<Attribute> {
    let figure = |name: String, kind, value| Attribute {
        name,
        value: Personal::Shown(value),
        kind,
        confidence: None,
        source: SYSTEM.to_owned(),
        as_of: summary.as_of,
        also: Vec::new(),
        provenance: Origin::Unread(None),
    };
    let number =
        |name: &str, value: String| figure(name.to_owned(), "number", Value::Number(value));
    let mut figures = vec![
        number("items", summary.items.to_string()),
        number("orders", summary.orders.to_string()),
        number("returns", summary.returns.to_string()),
    ];
    // Amounts are decimal strings here, as everywhere in the API.
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
        // An order can be dated slightly in the future.
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

/// Returns whether the customer works for the company, according to the attribute `employee_flag`.
pub(super) fn is_employee(categories: &Categories) -> bool {
    let attributes = categories.get("customer").into_iter().flatten();
    attributes
        .filter(|attribute| attribute.name == "employee_flag")
        .any(|attribute| attribute.value == Personal::Shown(Value::Bool(true)))
}

/// Returns the names of the attributes in the namespace `segments`, without the denied ones.
pub(super) fn segments(categories: &Categories) -> impl Iterator<Item = &str> {
    let attributes = categories.get("segments").into_iter().flatten();
    let set = attributes.filter(|attribute| match &attribute.value {
        Personal::Shown(value) => !is_denied(value),
        Personal::Redacted => true,
    });
    set.map(|attribute| attribute.name.as_str())
}

/// Returns whether a value denies a segment: `false`, 0, `no`, `n`, `f`, `off`, or an empty value. The strings are needed because
/// a cell of CSV is a string.
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

/// Returns the first and last name of the newest customer record that has both. If none has both, combines the newest first name
/// and the newest last name. Placeholders count only if no record has a name. A placeholder that is also a surname, such as `Guest`
/// beside `Christopher`, counts if no record has another name in its place.
pub(super) fn name(state: &State) -> Option<String> {
    let mut records: Vec<&Item> = state
        .items()
        .filter(|item| matches!(item.key, SortKey::Record(_)))
        .collect();
    records.sort_by_key(|item| std::cmp::Reverse(rank(item)));
    let parts: Vec<_> = records.iter().map(|item| name_parts(item)).collect();
    let has_name = [0, 1].map(|place| {
        let mut kinds = parts.iter().map(|parts| parts[place].1);
        kinds.any(|kind| kind == NamePart::Name)
    });
    let is_name = |place: usize, kind| match kind {
        NamePart::Name => true,
        NamePart::Ambiguous => !has_name[place],
        NamePart::Placeholder => false,
    };
    newest_name(&parts, is_name).or_else(|| newest_name(&parts, |_, _| true))
}

/// Returns the newest name of the parts that count. `parts` are the names of records, newest first.
fn newest_name(
    parts: &[[(&str, NamePart); 2]],
    counts: impl Fn(usize, NamePart) -> bool,
) -> Option<String> {
    let counted = |parts: &[(&'_ str, NamePart); 2], place: usize| {
        let (part, kind) = parts[place];
        !part.is_empty() && counts(place, kind)
    };
    let mut newest_first = parts.iter();
    let both = newest_first.find(|parts| counted(parts, 0) && counted(parts, 1));
    let newest = |place| parts.iter().find(|parts| counted(parts, place));
    let [first, last] = match both {
        Some(both) => [Some(both); 2],
        None => [newest(0), newest(1)],
    };
    let names = first.map(|parts| parts[0].0).into_iter();
    let names: Vec<_> = names.chain(last.map(|parts| parts[1].0)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Returns the first and the last name of a customer record, and whether they name a person. An absent one is empty.
fn name_parts(record: &Item) -> [(&str, NamePart); 2] {
    let part = |name| record.data.text(name).unwrap_or_default().trim();
    let (first, last) = (part("first_name"), part("last_name"));
    let [first_kind, last_kind] = NamePart::of(first, last);
    [(first, first_kind), (last, last_kind)]
}

/// Returns the claims of an item of attributes or of a customer record; none for other items.
fn claims<'a>(item: &'a Item, view: &View<'_>) -> Vec<Claim<'a>> {
    match &item.key {
        SortKey::Record(source) => record(item, source),
        SortKey::Attributes { source, namespace } if !is_reserved(namespace) => {
            let visibility = if view.open_namespaces.contains(namespace) {
                Visibility::Open
            } else {
                Visibility::Hidden
            };
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
                    visibility,
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

/// Returns one claim for each field of a customer record.
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
                    visibility: Visibility::Hidden,
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
        let rule = redact::record_field(name);
        claims.push(Claim {
            category,
            name,
            value,
            visibility: rule.map_or(Visibility::Hidden, Visibility::Field),
            confidence: None,
            source,
            item,
        });
    }
    claims
}

/// Returns the source's own time for the item's data, or else the time when its file was last modified.
fn source_time(item: &Item) -> Option<Instant> {
    let updated_at = item.data.text("updated_at").and_then(Instant::parse);
    updated_at.or_else(|| Instant::from_seconds(item.version?.last_modified()))
}

/// Returns the order of claims, newest last. It is total, so the result does not depend on the order of the items.
fn rank(item: &Item) -> impl Ord + use<> {
    (
        source_time(item),
        item.version,
        item.identity.clone(),
        item.key.clone(),
    )
}
