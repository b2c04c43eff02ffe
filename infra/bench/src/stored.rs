//! What the table stores of the sample data: items, bytes and index entries of a customer.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{Failure, report::Report, services::Services};

/// The bytes that DynamoDB adds to each stored item and to each index entry. "DynamoDB item sizes and formats", Amazon DynamoDB
/// Developer Guide.
const OVERHEAD_BYTES: usize = 100;
/// The key attributes of an item. Index entries contain them too.
const KEYS: [&str; 2] = ["PK", "SK"];
/// The beginning of the names of the attributes that the search indexes contain.
const INDEXED: &str = "Find";

/// Items of one kind.
#[derive(Debug, Default)]
struct Stored {
    items: usize,
    bytes: usize,
    entries: usize,
    entry_bytes: usize,
}

impl Stored {
    fn add(&mut self, item: &HashMap<String, AttributeValue>) {
        let size = |name: &str, value| name.len() + value_bytes(value);
        let of_keys = KEYS
            .iter()
            .filter_map(|name| Some((*name, item.get(*name)?)));
        let keys: usize = of_keys.map(|(name, value)| size(name, value)).sum();
        self.items += 1;
        self.bytes += item
            .iter()
            .map(|(name, value)| size(name, value))
            .sum::<usize>();
        for (name, value) in item.iter().filter(|(name, _)| name.starts_with(INDEXED)) {
            self.entries += 1;
            self.entry_bytes += keys + size(name, value);
        }
    }

    /// Returns the billed bytes, with those that DynamoDB adds.
    const fn billed(&self) -> usize {
        self.bytes + self.entry_bytes + (self.items + self.entries) * OVERHEAD_BYTES
    }
}

/// Reads the whole table and reports what is stored of each of `customers`, by kind of item.
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
    kinds.insert("all", all);
    for (kind, stored) in kinds {
        let each = |total: usize| total as f64 / customers as f64;
        report.say(
            format!("stored of a customer: {kind}"),
            format!(
                "{:.2} KB: {:.1} items with {:.2} KB, {:.1} index entries with {:.2} KB, 100 bytes for each",
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

/// Returns the size of a value as DynamoDB counts it.
fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(digits) => {
            let significant = digits.trim_start_matches('-').replace('.', "");
            1 + significant.trim_matches('0').len().div_ceil(2)
        }
        AttributeValue::M(map) => {
            let values = map
                .iter()
                .map(|(name, value)| name.len() + value_bytes(value) + 1);
            3 + values.sum::<usize>()
        }
        AttributeValue::L(list) => {
            3 + list
                .iter()
                .map(|value| value_bytes(value) + 1)
                .sum::<usize>()
        }
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        _ => 1,
    }
}
