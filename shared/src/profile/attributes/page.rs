//! Pages of attributes. In: all attributes and a position. Out: the attributes after it.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Attribute, Categories, search::Search};
use crate::model::identity::base32;

/// The position after an attribute in a listing. It contains a hash instead of the name. A name can be long or personal, and a
/// cursor becomes part of URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of attributes of the listing before the position.
    index: usize,
    /// The hash of the last of these attributes.
    hash: String,
}

impl Position {
    /// Creates the position after the attribute `name` of `category`, which is the `index`th of its listing, counted from 1.
    pub fn after(index: usize, category: &str, name: &str) -> Self {
        Self {
            index,
            hash: position_hash(category, name),
        }
    }

    /// Parses `{index}.{hash}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (index, hash) = text.split_once('.')?;
        Some(Self {
            index: index.parse().ok()?,
            hash: hash.to_owned(),
        })
    }

    /// Returns the index where the next page starts. If the attribute no longer exists, the page starts at the stored index.
    fn start(&self, listed: &[Paged]) -> usize {
        let is_last =
            |paged: &Paged| position_hash(&paged.category, &paged.attribute.name) == self.hash;
        // Checked first because the attribute has usually not moved.
        let same = self.index.checked_sub(1).and_then(|at| listed.get(at));
        if same.is_some_and(is_last) {
            return self.index;
        }
        let found = listed.iter().position(is_last);
        found.map_or(self.index.saturating_sub(1), |at| at + 1)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.index, self.hash)
    }
}

/// Returns the hash of an attribute's category and name that a cursor contains.
fn position_hash(category: &str, name: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(category);
    digest.update([0x1f]);
    digest.update(name);
    base32(&digest.finalize()[..10])
}

/// The selection of a page of attributes.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Only attributes of this category.
    pub category: Option<&'a str>,
    /// Only attributes that this search finds.
    pub search: Option<&'a Search>,
    /// Only attributes after this position.
    pub after: Option<Position>,
    /// The maximum number of attributes.
    pub limit: usize,
}

/// An attribute on a page, with its category.
#[derive(Clone, Debug, Serialize)]
pub struct Paged {
    /// The category: a namespace of attributes records; `contact`, `address`, `customer`, `custom` or `other` of customer
    /// records; or `figures`.
    pub category: String,
    /// The attribute.
    #[serde(flatten)]
    pub attribute: Attribute,
}

/// A page of attributes.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The attributes, sorted by category, and strongest first in each.
    pub items: Vec<Paged>,
    /// The number of attributes of the listing before them.
    pub start: usize,
    /// Whether the listing continues after them.
    pub has_more: bool,
}

impl Selected {
    /// Returns the position after the attribute at index `at` of the page.
    pub fn position(&self, at: usize) -> Option<Position> {
        let last = self.items.get(at)?;
        Some(Position::after(
            self.start + at + 1,
            &last.category,
            &last.attribute.name,
        ))
    }
}

/// Selects a page of attributes.
pub fn select(categories: Categories, wanted: &Wanted<'_>) -> Selected {
    let all = categories.into_iter().flat_map(|(category, attributes)| {
        attributes.into_iter().map(move |attribute| Paged {
            category: category.clone(),
            attribute,
        })
    });
    let is_wanted = |paged: &Paged| {
        let is_listed = wanted
            .category
            .is_none_or(|category| paged.category == category);
        let search = wanted.search;
        is_listed && search.is_none_or(|search| search.finds(&paged.category, &paged.attribute))
    };
    let mut listed: Vec<_> = all.filter(is_wanted).collect();
    let start = wanted
        .after
        .as_ref()
        .map_or(0, |after| after.start(&listed))
        .min(listed.len());
    listed.drain(..start);
    let has_more = listed.len() > wanted.limit;
    listed.truncate(wanted.limit);
    Selected {
        items: listed,
        start,
        has_more,
    }
}
