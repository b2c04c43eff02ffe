//! Money: exact amounts, as decimal strings with the decimal places of their currency.

use rust_decimal::Decimal;
use serde::Serialize;

use super::View;
use crate::model::value::{Map, Value, decimal};

/// An exact amount in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Money {
    /// The ISO 4217 code, in uppercase.
    pub currency: String,
    /// The amount, serialized as a decimal string.
    pub amount: Decimal,
}

impl Money {
    /// Creates an amount with at least the decimal places of its currency.
    pub fn new(currency: String, amount: Decimal) -> Self {
        Self {
            amount: scaled(&currency, amount),
            currency,
        }
    }
}

/// Fields of purchases and returns that contain amounts.
const AMOUNTS: [&str; 5] = [
    "discount",
    "full_price",
    "price_adjustment",
    "price_paid",
    "total",
];

/// Pads an amount to the decimal places of its currency (the minor unit in ISO 4217). More places are kept. Needed because the
/// table stores numbers without trailing zeros.
pub(super) fn scaled(currency: &str, amount: Decimal) -> Decimal {
    let places = match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let mut amount = amount.normalize();
    if amount.scale() < places {
        amount.rescale(places);
    }
    amount
}

/// Returns the total of `price_paid` in the lines of a purchase or return.
pub(super) fn paid(data: &Map) -> Decimal {
    let lines = data.list("products").iter().filter_map(Value::as_map);
    let prices = lines.filter_map(|line| line.decimal("price_paid"));
    prices.fold(Decimal::ZERO, Decimal::saturating_add)
}

/// Returns the currency of a purchase or return.
pub(super) fn currency(data: &Map, view: &View<'_>) -> String {
    data.text("currency").unwrap_or(view.currency).to_owned()
}

/// Returns the value with every amount in it as a decimal string.
pub(super) fn with_amounts(value: &Value, currency: &str) -> Value {
    match value {
        Value::List(list) => Value::List(
            list.iter()
                .map(|item| with_amounts(item, currency))
                .collect(),
        ),
        Value::Map(map) => {
            let entries = map.iter().map(|(name, value)| {
                let value = match value {
                    Value::Number(text) if AMOUNTS.contains(&name) => match decimal(text) {
                        Some(amount) => Value::Text(scaled(currency, amount).to_string()),
                        None => value.clone(),
                    },
                    value => with_amounts(value, currency),
                };
                (name.to_owned(), value)
            });
            Value::Map(entries.collect())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_places_of_their_currency() {
        let amount = |currency, text| scaled(currency, decimal(text).unwrap()).to_string();
        assert_eq!(amount("AUD", "12.5"), "12.50");
        assert_eq!(amount("AUD", "12.345"), "12.345");
        assert_eq!(amount("JPY", "1200.00"), "1200");
        assert_eq!(amount("KWD", "1"), "1.000");
        assert_eq!(amount("EUR", "-100"), "-100.00");
    }
}
