//! Products, joined to the lines of purchases and returns when these are read: name, brand, image, url.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    keys,
    profile::{HistoryItem, Summary},
    table::{Table, TableError},
    value::{Map, Value},
};

/// How long a product is taken from memory.
const FRESH: Duration = Duration::from_secs(60);
/// The most products in memory; past that, memory is emptied.
const MAX_HELD: usize = 4096;

/// Names a product of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProductReference {
    /// `product_id`, `sku` or `upc`.
    pub id_type: String,
    /// The product's id.
    pub id: String,
}

impl ProductReference {
    /// The reference of an order's line; `None` if it has none.
    pub fn of(line: &Map) -> Option<Self> {
        let reference = line.map("product_reference")?;
        Some(Self {
            id_type: reference.text("id_type").unwrap_or("product_id").to_owned(),
            id: reference.text("id")?.to_owned(),
        })
    }

    /// The reference as a line has it.
    pub fn to_map(&self) -> Map {
        let mut map = Map::new();
        map.insert("id", self.id.as_str());
        map.insert("id_type", self.id_type.as_str());
        map
    }

    fn partition(&self) -> String {
        keys::product(&self.id_type, &self.id)
    }
}

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
        let lines = items.iter().flat_map(HistoryItem::references);
        let mut wanted: BTreeSet<_> = lines.map(ProductReference::partition).collect();
        if let Some(summary) = &summary {
            let top = summary.top_products.iter();
            wanted.extend(top.map(|top| top.reference.partition()));
        }
        let known = self.get(table, wanted).await?;
        let of = |reference: &ProductReference| known.get(&reference.partition());
        if let Some(summary) = summary {
            summary.rank(|top| of(&top.reference));
        }
        for item in items {
            item.add_products(of);
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
