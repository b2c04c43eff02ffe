//! Products of the catalog, as shown in the lines of orders and in the summary.

use std::collections::BTreeSet;

use crate::model::{
    keys,
    value::{Map, Value},
};

/// A reference to a product of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProductReference {
    /// The type of the id: `product_id`, `sku` or `upc`.
    pub id_type: String,
    /// The product's id.
    pub id: String,
}

impl ProductReference {
    /// Returns the reference in an order's line; `None` if the line has none.
    pub fn of(line: &Map) -> Option<Self> {
        let reference = line.map("product_reference")?;
        Some(Self {
            id_type: reference.text("id_type").unwrap_or("product_id").to_owned(),
            id: reference.text("id")?.to_owned(),
        })
    }

    /// Returns the reference in the form that a line contains.
    pub fn to_map(&self) -> Map {
        let mut map = Map::new();
        map.insert("id", self.id.as_str());
        map.insert("id_type", self.id_type.as_str());
        map
    }

    /// Returns the product's partition in the table.
    pub fn partition(&self) -> String {
        keys::product(&self.id_type, &self.id)
    }
}

/// The visible data of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// The product's name, brand, image and URL.
    pub shown: Map,
    /// The product's categories, sorted.
    pub categories: Vec<String>,
}

impl Product {
    /// Selects the visible data of a product record.
    pub fn of(data: &Map) -> Self {
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
}
