//! Search: whether an attribute contains all words of a text.

use super::Attribute;
use crate::{
    model::{find::folded, value::Value},
    profile::Personal,
};

/// The words that an attribute must contain, without case and accents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(Vec<String>);

impl Search {
    /// Parses a text. If it has no word, for example only accents, the search finds nothing.
    pub fn new(text: &str) -> Self {
        let words = spaced(text);
        Self(words.split_whitespace().map(str::to_owned).collect())
    }

    /// Returns a string that is equal for searches with equal words.
    pub fn canonical(&self) -> String {
        self.0.join(" ")
    }

    /// Returns whether each word is in the category, the name or the visible value of an attribute. A word does not span two of
    /// them.
    pub(super) fn finds(&self, category: &str, attribute: &Attribute) -> bool {
        let mut text = spaced(category);
        text.push(' ');
        text.push_str(&spaced(&attribute.name));
        if let Personal::Shown(value) = &attribute.value {
            add_value(&mut text, value);
        }
        !self.0.is_empty() && self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

/// Returns a text without case and accents, with spaces for `_`.
fn spaced(text: &str) -> String {
    folded(&text.replace('_', " "))
}

/// Adds the strings, numbers, booleans and names of fields in a value, each after a space.
fn add_value(text: &mut String, value: &Value) {
    let mut add = |part: &str| {
        text.push(' ');
        text.push_str(&spaced(part));
    };
    match value {
        Value::Text(own) => add(own),
        Value::Number(own) => add(own),
        Value::Bool(flag) => add(if *flag { "true" } else { "false" }),
        Value::List(list) => list.iter().for_each(|value| add_value(text, value)),
        Value::Map(map) => {
            for (name, value) in map.iter() {
                text.push(' ');
                text.push_str(&spaced(name));
                add_value(text, value);
            }
        }
        Value::Null | Value::Bytes(_) => {}
    }
}
