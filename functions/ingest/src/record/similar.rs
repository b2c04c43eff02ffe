//! Finds the known field that an unknown one probably means.

/// The minimum number of letters of a known name that may differ by one letter. Short names differ by one from many words.
const MIN_LETTERS: usize = 4;

/// Returns the known name that differs from `name` only by case, separators, or one letter: one more, one less, another one, or
/// two that are swapped.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MAX_CHARS: usize = 64;
    if name.len() > MAX_CHARS {
        return None;
    }
    let normal: Vec<char> = letters(name).collect();
    let mut close = None;
    for known in known {
        if letters(known).eq(normal.iter().copied()) {
            return Some(known);
        }
        if close.is_none() && differs_by_one(&normal, known) {
            close = Some(known);
        }
    }
    close
}

/// Returns the letters and digits of a name, in lowercase.
fn letters(name: &str) -> impl DoubleEndedIterator<Item = char> {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
}

/// Returns whether two names differ by one letter. Names that differ by a digit, such as `address_3`, are counted fields.
fn differs_by_one(name: &[char], known: &str) -> bool {
    let length = letters(known).count();
    if length < MIN_LETTERS || name.len().abs_diff(length) > 1 {
        return false;
    }
    let known: Vec<char> = letters(known).collect();
    let start = name.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (name, known) = (&name[start..], &known[start..]);
    let pairs = name.iter().rev().zip(known.iter().rev());
    let end = pairs.take_while(|(a, b)| a == b).count();
    match (&name[..name.len() - end], &known[..known.len() - end]) {
        ([a], [b]) => a.is_alphabetic() && b.is_alphabetic(),
        ([c], []) | ([], [c]) => c.is_alphabetic(),
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 9] = [
        "currency",
        "first_name",
        "email",
        "products",
        "address_1",
        "zip",
        "purchase_id",
        "sms_id",
        "to",
    ];

    #[test]
    fn finds_misspelled_names() {
        for (name, like) in [
            ("Currency", "currency"),
            ("CURRENCY ", "currency"),
            ("curency", "currency"),
            ("currrency", "currency"),
            ("corrency", "currency"),
            ("firstname", "first_name"),
            ("First Name", "first_name"),
            ("first-name", "first_name"),
            ("firstName", "first_name"),
            ("emial", "email"),
            ("e_mail", "email"),
            ("emails", "email"),
            ("mail", "email"),
            ("Zip", "zip"),
            ("purchaseId", "purchase_id"),
            ("product", "products"),
            ("TO", "to"),
        ] {
            assert_eq!(similar(name, KNOWN.into_iter()), Some(like), "{name}");
        }
        for name in [
            "",
            "nickname",
            "address_3",
            "address",
            "zap",
            "zips",
            "too",
            "liame",
            "currency_code",
            "ürrency!",
        ] {
            assert_eq!(similar(name, KNOWN.into_iter()), None, "{name}");
        }
        assert_eq!(similar(&"a".repeat(1_000), KNOWN.into_iter()), None);
    }
}
