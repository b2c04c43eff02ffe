//! Joins products to the lines of purchases and returns when these are read: name, brand, image, URL.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    profile::{
        HistoryItem, Summary,
        product::{Product, ProductReference},
    },
    table::{Table, TableError},
};

/// How long a product in memory is used before it is read again.
const CACHE_TTL: Duration = Duration::from_secs(60);
/// The maximum number of keys in memory. Before it would be exceeded, all of them are removed.
const MAX_CACHED: usize = 4096;

/// A cache of the products that were read recently, by partition key. It also contains keys without a product.
#[derive(Debug, Default)]
pub struct Products {
    /// When each key was read, and its product.
    cache: Mutex<HashMap<String, (Instant, Option<Product>)>>,
}

impl Products {
    /// Adds a `product` to every line whose product is known, also in the summary's open orders, and names the summary's
    /// products, categories and brands.
    /// Products that are not in memory are read together, 100 per request.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn join(
        &self,
        table: &Table,
        items: &mut [HistoryItem],
        summary: Option<&mut Summary>,
    ) -> Result<(), TableError> {
        let open = summary.as_deref();
        let open = open.into_iter().flat_map(|summary| &summary.open_orders);
        let lines = items.iter().chain(open).flat_map(HistoryItem::references);
        let mut wanted: BTreeSet<_> = lines.map(ProductReference::partition).collect();
        if let Some(summary) = &summary {
            let top = summary.top_products.iter();
            wanted.extend(top.map(|top| top.reference.partition()));
        }
        let known = self.get(table, wanted).await?;
        let product_of = |reference: &ProductReference| known.get(&reference.partition());
        if let Some(summary) = summary {
            summary.rank(|top| product_of(&top.reference));
            for order in &mut summary.open_orders {
                order.add_products(product_of);
            }
        }
        for item in items {
            item.add_products(product_of);
        }
        Ok(())
    }

    /// Returns the products under these partition keys, from memory or else from the table.
    async fn get(
        &self,
        table: &Table,
        wanted: BTreeSet<String>,
    ) -> Result<HashMap<String, Product>, TableError> {
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for partition in wanted {
                match cache.get(&partition) {
                    Some((at, product)) if at.elapsed() < CACHE_TTL => {
                        known.extend(product.clone().map(|product| (partition, product)));
                    }
                    _ => missing.push(partition),
                }
            }
        }
        if missing.is_empty() {
            return Ok(known);
        }
        // Keys that the table left unprocessed are missing here and are requested again next time.
        let read = table.products(&missing).await?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() + missing.len() > MAX_CACHED {
            cache.clear();
        }
        for (partition, data) in read {
            let product = data.as_ref().map(Product::of);
            cache.insert(partition.clone(), (Instant::now(), product.clone()));
            known.extend(product.map(|product| (partition, product)));
        }
        Ok(known)
    }
}
