//! Masks card numbers in strings that are not IDs, before they are stored.

use shared::model::{card, value::Value};

use super::{findings::Findings, path::Path};
use crate::rows::WarningCode;

/// The last words of names whose values are IDs, phone numbers or addresses.
const IDS: [&str; 40] = [
    "account",
    "barcode",
    "code",
    "ean",
    "ean13",
    "fax",
    "gtin",
    "hash",
    "iban",
    "id",
    "ids",
    "imei",
    "invoice",
    "isbn",
    "key",
    "link",
    "md5",
    "mobile",
    "no",
    "nr",
    "num",
    "number",
    "numbers",
    "order",
    "phone",
    "receipt",
    "ref",
    "reference",
    "serial",
    "sha256",
    "sku",
    "tel",
    "telephone",
    "token",
    "tracking",
    "upc",
    "uri",
    "url",
    "uuid",
    "whatsapp",
];
/// Words in the names of cards that do not pay.
const OTHER_CARDS: [&str; 8] = [
    "bonus", "club", "fidelity", "gift", "library", "loyalty", "member", "reward",
];

/// Masks card numbers in the text of a field.
pub(super) fn mask_text(text: &mut String, path: &Path<'_>, findings: &mut Findings) {
    let (masked, count) = card::mask(text);
    if count > 0 {
        *text = masked.into_owned();
        findings.warn(WarningCode::MaskedCard, path);
    }
}

/// Masks card numbers in a value whose field has no rule, and in the values that it contains. `name` is the name of the field.
pub(super) fn mask_value(value: &mut Value, name: &str, path: &Path<'_>, findings: &mut Findings) {
    match value {
        Value::Text(text) if text.len() > 12 && is_free(name, text) => {
            mask_text(text, path, findings);
        }
        Value::Number(number) if number.len() > 12 && is_card_name(name) => {
            mask_text(number, path, findings);
            if number.contains('*') {
                *value = Value::Text(std::mem::take(number));
            }
        }
        Value::List(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                mask_value(item, name, &Path::Index(path, index), findings);
            }
        }
        Value::Map(map) => {
            for (name, value) in map.iter_mut() {
                mask_value(value, name, &Path::Field(path, name), findings);
            }
        }
        _ => {}
    }
}

/// Returns whether a value is free text. IDs, such as order and tracking numbers, and URLs are not.
fn is_free(name: &str, text: &str) -> bool {
    let is_url = || {
        ["http://", "https://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    };
    is_card_name(name) || (!is_id_name(name) && !is_url())
}

/// Returns whether a field is named after a payment card.
fn is_card_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_card = name.contains("card") || words(&name).any(|word| matches!(word, "pan" | "cc"));
    is_card && !is_other_card(&name)
}

/// Returns whether a field is named after a card that does not pay.
fn is_other_card(name: &str) -> bool {
    name.contains("card") && OTHER_CARDS.iter().any(|word| name.contains(word))
}

/// Returns whether the last word of a name, or its end, says that the value is an ID.
fn is_id_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_id = |word: &str| IDS.contains(&word);
    // In `orderNo`, the last word begins with the last uppercase letter.
    let hump = name.rfind(|c: char| c.is_ascii_uppercase());
    words(&lower).next_back().is_some_and(is_id)
        || hump.is_some_and(|at| is_id(&lower[at..]))
        || ["number", "code", "id"]
            .iter()
            .any(|end| lower.ends_with(end))
        || lower.contains("tracking")
        || is_other_card(&lower)
}

fn words(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::json;

    fn masked(row: &str) -> (String, usize) {
        let mut value = Value::Map(json::object(row).unwrap());
        let mut findings = Findings::default();
        mask_value(&mut value, "", &Path::Record, &mut findings);
        let text = serde_json::to_string(&value).unwrap();
        (text, findings.warnings.len())
    }

    #[test]
    fn masks_free_text() {
        for (given, expected) in [
            (
                r#"{"note":"card 4111 1111 1111 1111"}"#,
                r#"{"note":"card **** **** **** 1111"}"#,
            ),
            (
                r#"{"a":[{"comment":"4111-1111-1111-1111"}]}"#,
                r#"{"a":[{"comment":"****-****-****-1111"}]}"#,
            ),
            (
                r#"{"card_number":"4111111111111111"}"#,
                r#"{"card_number":"************1111"}"#,
            ),
            (
                r#"{"creditCardNo":4111111111111111}"#,
                r#"{"creditCardNo":"************1111"}"#,
            ),
            (
                r#"{"pan":"5555555555554444"}"#,
                r#"{"pan":"************4444"}"#,
            ),
        ] {
            assert_eq!(masked(given), (expected.to_owned(), 1));
        }
    }

    #[test]
    fn keeps_ids() {
        for name in [
            "tracking_number",
            "tracking",
            "order_id",
            "orderNo",
            "OrderID",
            "receipt",
            "ean",
            "phone",
            "loyalty_card",
            "gift_card_number",
            "memberCardNumber",
            "voucher_code",
        ] {
            let row = format!(r#"{{"{name}":"4111111111111111"}}"#);
            assert_eq!(masked(&row), (row, 0));
        }
        for row in [
            r#"{"page":"https://shop.example.com/4111111111111111"}"#,
            r#"{"count":4111111111111111}"#,
            r#"{"card_number":9312345678901234567}"#,
            r#"{"note":"2026-01-02T03:04:05.000000Z"}"#,
        ] {
            assert_eq!(masked(row), (row.to_owned(), 0));
        }
    }
}
