//! Measures storage: items, bytes and index entries of a customer of the sample data.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{Failure, report::Report, services::Services};

/// The bytes that DynamoDB adds to each stored item and to each index entry. "DynamoDB item sizes and formats", Amazon DynamoDB
/// Developer Guide.
const OVERHEAD_BYTES: usize = 100;
/// The key attributes of an item. Index entries contain them too.
const KEYS: [&str; 2] = ["PK", "SK"];
/// The prefix of the names of the attributes that the search indexes contain.
const INDEXED: &str = "Find";

/// The totals of the items of one kind.
#[derive(Debug, Default)]
struct Stored {
    items: usize,
    bytes: usize,
    entries: usize,
    entry_bytes: usize,
}

impl Stored {
    fn add(&mut self, item: &HashMap<String, AttributeValue>) {
        let of_keys = KEYS
            .iter()
            .filter_map(|name| Some((*name, item.get(*name)?)));
        let keys: usize = of_keys
            .map(|(name, value)| attribute_bytes(name, value))
            .sum();
        self.items += 1;
        self.bytes += item_bytes(item);
        for (name, value) in item.iter().filter(|(name, _)| name.starts_with(INDEXED)) {
            self.entries += 1;
            self.entry_bytes += keys + attribute_bytes(name, value);
        }
    }

    /// Returns the billed bytes: those of items and index entries, and those that DynamoDB adds.
    const fn billed(&self) -> usize {
        self.bytes + self.entry_bytes + (self.items + self.entries) * OVERHEAD_BYTES
    }
}

/// Reads the whole table and reports the mean storage of a customer, by kind of item.
pub(crate) async fn report(
    services: &Services,
    customers: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    let client = services.stack.dynamodb_client();
    let mut kinds: BTreeMap<&str, Stored> = BTreeMap::new();
    let mut all = Stored::default();
    let mut start = None;
    loop {
        let scan = client.scan().table_name(services.stack.table());
        let page = scan.set_exclusive_start_key(start).send().await?;
        for item in page.items() {
            if let Some(kind) = kind(item) {
                kinds.entry(kind).or_default().add(item);
                all.add(item);
            }
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    kinds.insert("all items", all);
    for (kind, stored) in kinds {
        let each = |total: usize| total as f64 / customers as f64;
        report.add(
            format!("storage of a customer: {kind}"),
            format!(
                "{:.2} KB: {:.1} items with {:.2} KB, {:.1} index entries with {:.2} KB, 100 bytes for each item and entry",
                each(stored.billed()) / 1e3,
                each(stored.items),
                each(stored.bytes) / 1e3,
                each(stored.entries),
                each(stored.entry_bytes) / 1e3,
            ),
        );
    }
    Ok(())
}

/// Returns the kind of an item that belongs to a customer.
fn kind(item: &HashMap<String, AttributeValue>) -> Option<&'static str> {
    let sort = item.get("SK")?.as_s().ok()?;
    let kinds = [
        ("event#", "events"),
        ("profile#record#", "customer records"),
        ("profile#attributes#", "attributes"),
        ("profile#link#", "identity links"),
    ];
    kinds
        .into_iter()
        .find(|(beginning, _)| sort.starts_with(beginning))
        .map(|(_, kind)| kind)
}

/// Returns the size of an item as DynamoDB counts it.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub(crate) fn item_bytes(item: &HashMap<String, AttributeValue>) -> usize {
    let attributes = item.iter();
    attributes
        .map(|(name, value)| attribute_bytes(name, value))
        .sum()
}

/// Returns the size of an attribute: its name and its value.
fn attribute_bytes(name: &str, value: &AttributeValue) -> usize {
    name.len() + value_bytes(value)
}

/// Returns the size of a value.
fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(number) => {
            // Leading and trailing zeros are not counted. A minus sign is.
            let sign = usize::from(number.starts_with('-'));
            let digits = number.trim_start_matches('-').replace('.', "");
            1 + sign + digits.trim_matches('0').len().div_ceil(2)
        }
        AttributeValue::M(map) => 3 + map.len() + item_bytes(map),
        AttributeValue::L(list) => 3 + list.len() + list.iter().map(value_bytes).sum::<usize>(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bytes_as_dynamodb_does() {
        let number = |digits: &str| AttributeValue::N(digits.to_owned());
        for (value, bytes) in [
            (number("0"), 1),
            (number("7"), 2),
            (number("12.5"), 3),
            (number("1200"), 2),
            (number("0.0012"), 2),
            (number("-12.5"), 4),
            (AttributeValue::S("né".to_owned()), 3),
            (AttributeValue::Bool(true), 1),
            (AttributeValue::L(vec![number("7"), number("8")]), 9),
        ] {
            let item = HashMap::from([("name".to_owned(), value.clone())]);
            assert_eq!(item_bytes(&item), 4 + bytes, "{value:?}");
            let map = HashMap::from([("m".to_owned(), AttributeValue::M(item))]);
            assert_eq!(item_bytes(&map), 1 + 3 + 1 + 4 + bytes, "{value:?}");
        }
    }
}
