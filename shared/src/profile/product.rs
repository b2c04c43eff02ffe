//! Products, as shown in the lines of orders and in the summary: those of the catalog, completed with the name, URL and image of a line.

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
        for name in ["name", "brand"] {
            if let Some(text) = data.text(name) {
                shown.insert(name, text);
            }
        }
        let mut images = data.list("images").iter().filter_map(Value::as_text);
        insert_address(&mut shown, "url", data.text("url"));
        insert_address(&mut shown, "image", images.find(|url| is_web_address(url)));
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

    /// Returns the visible data, completed with the name, URL and image of a line.
    pub fn completed(&self, own: Option<&Map>) -> Map {
        let mut shown = self.shown.clone();
        for (name, value) in own.into_iter().flat_map(Map::iter) {
            if shown.get(name).is_none() {
                shown.insert(name, value.clone());
            }
        }
        shown
    }
}

/// Returns the name, URL and image of a line. `None` if it has none of them.
pub fn of_line(line: &Map) -> Option<Map> {
    let mut shown = Map::new();
    if let Some(name) = line.text("name").filter(|name| !name.trim().is_empty()) {
        shown.insert("name", name);
    }
    insert_address(&mut shown, "url", line.text("url"));
    insert_address(&mut shown, "image", line.text("image"));
    (!shown.is_empty()).then_some(shown)
}

/// Inserts a URL that clients render as a link or a picture. Any other text is left out.
fn insert_address(shown: &mut Map, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| is_web_address(text)) {
        shown.insert(name, text);
    }
}

/// Returns whether a URL is absolute and has the scheme HTTP or HTTPS. Others, such as `javascript:`, must not become links.
pub fn is_web_address(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_only_web_addresses() {
        let product = |url: &str, images: &[&str]| {
            let mut data = Map::new();
            data.insert("url", url);
            let images = images.iter().map(|image| Value::from(*image)).collect();
            data.insert("images", Value::List(images));
            Product::of(&data).shown
        };
        let shown = product(
            "/products/lamp",
            &[
                "//cdn.example.com/a.jpg",
                "javascript:alert(1)",
                "HTTPS://cdn.example.com/b.jpg",
            ],
        );
        assert_eq!(shown.text("url"), None);
        assert_eq!(shown.text("image"), Some("HTTPS://cdn.example.com/b.jpg"));
        let shown = product("http://a.example", &["data:image/png;base64,AA", "cid:1"]);
        assert_eq!(shown.text("url"), Some("http://a.example"));
        assert_eq!(shown.text("image"), None);
    }
    fn map(entries: &[(&str, Value)]) -> Map {
        let mut map = Map::new();
        for (name, value) in entries {
            map.insert(*name, value.clone());
        }
        map
    }

    #[test]
    fn only_web_addresses_are_shown() {
        for url in ["https://a.example/x", "HTTP://a.example", "http://a"] {
            let line = map(&[("url", url.into()), ("image", url.into())]);
            assert_eq!(of_line(&line), Some(line), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "javascript://a.example/%0aalert(1)",
            "data:text/html,x",
            "//cdn.example/x.jpg",
            "/x.jpg",
            "mailto:a@b.example",
            "",
        ] {
            let line = map(&[("url", url.into()), ("image", url.into())]);
            assert_eq!(of_line(&line), None, "{url}");
            let images = Value::List(vec![url.into()]);
            let product = map(&[
                ("name", "Scarf".into()),
                ("url", url.into()),
                ("images", images),
            ]);
            assert_eq!(
                Product::of(&product).shown,
                map(&[("name", "Scarf".into())])
            );
        }
    }

    #[test]
    fn a_line_completes_the_catalog() {
        let image = "https://a.example/own.jpg";
        let own = map(&[("name", "Own".into()), ("image", image.into())]);
        let product = Product {
            shown: map(&[("name", "Scarf".into())]),
            categories: Vec::new(),
        };
        let both = map(&[("name", "Scarf".into()), ("image", image.into())]);
        assert_eq!(product.completed(Some(&own)), both);
        assert_eq!(product.completed(None), product.shown);
    }
}
