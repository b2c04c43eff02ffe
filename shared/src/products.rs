//! Products, joined to the lines of purchases and returns when these are read: name, brand, image, url.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    keys,
    profile::{HistoryItem, Summary, summary::TopProduct},
    table::{Table, TableError},
    value::{Map, Value},
};

/// How long a product is taken from memory.
const FRESH: Duration = Duration::from_secs(60);
/// The most products in memory; past that, memory is emptied.
const MAX_HELD: usize = 4096;

/// What is shown of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// Name, brand, image and url.
    pub shown: Map,
    /// What it is filed under.
    pub categories: Vec<String>,
}

/// The products read lately, also those that there aren't.
#[derive(Debug, Default)]
pub struct Products {
    held: Mutex<HashMap<String, (Instant, Option<Product>)>>,
}

impl Products {
    /// Puts a `product` into every line whose product is known, and names the summary's products, categories and
    /// brands. What is not in memory is read together, 100 products to a request.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn join(
        &self,
        table: &Table,
        items: &mut [HistoryItem],
        summary: Option<&mut Summary>,
    ) -> Result<(), TableError> {
        let of_top = |top: &TopProduct| keys::product(&top.id_type, &top.id);
        let lines = items.iter().flat_map(HistoryItem::lines);
        let mut wanted: BTreeSet<_> = lines
            .filter_map(Value::as_map)
            .filter_map(partition)
            .collect();
        if let Some(summary) = &summary {
            wanted.extend(summary.top_products.iter().map(of_top));
        }
        let known = self.get(table, wanted).await?;
        if let Some(summary) = summary {
            summary.rank(|top| known.get(&of_top(top)));
        }
        for item in items {
            let lines = item.lines();
            if lines.is_empty() {
                continue;
            }
            let joined = lines.iter().map(|line| match line {
                Value::Map(line) => Value::Map(with_product(line, &known)),
                other => other.clone(),
            });
            item.set_lines(joined.collect());
        }
        Ok(())
    }

    async fn get(
        &self,
        table: &Table,
        wanted: BTreeSet<String>,
    ) -> Result<HashMap<String, Product>, TableError> {
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            for partition in wanted {
                match held.get(&partition) {
                    Some((at, product)) if at.elapsed() < FRESH => {
                        known.extend(product.clone().map(|product| (partition, product)));
                    }
                    _ => missing.push(partition),
                }
            }
        }
        if missing.is_empty() {
            return Ok(known);
        }
        // What a busy table left out is asked for again the next time.
        let read = table.products(&missing).await?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() + missing.len() > MAX_HELD {
            held.clear();
        }
        for (partition, data) in read {
            let product = data.as_ref().map(product);
            held.insert(partition.clone(), (Instant::now(), product.clone()));
            known.extend(product.map(|product| (partition, product)));
        }
        Ok(known)
    }
}

fn with_product(line: &Map, known: &HashMap<String, Product>) -> Map {
    let mut line = line.clone();
    if let Some(product) = partition(&line).and_then(|partition| known.get(&partition)) {
        line.insert("product", product.shown.clone());
    }
    line
}

/// The partition of the product that a line refers to.
fn partition(line: &Map) -> Option<String> {
    let reference = line.map("product_reference")?;
    Some(keys::product(
        reference.text("id_type").unwrap_or("product_id"),
        reference.text("id")?,
    ))
}

fn product(data: &Map) -> Product {
    let mut shown = Map::new();
    for name in ["name", "brand", "url"] {
        if let Some(text) = data.text(name) {
            shown.insert(name, text);
        }
    }
    if let Some(image) = data.list("images").first() {
        shown.insert("image", image.clone());
    }
    let options = data.map("options");
    let listed = options.map_or(&[][..], |options| options.list("category"));
    Product {
        shown,
        categories: listed
            .iter()
            .filter_map(Value::as_text)
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    }
}
