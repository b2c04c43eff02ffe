//! Phone numbers. The normal form has the country code and digits only, the same for every spelling.

use super::{CallingCode, IdentifierRules, Refusal, number, placeholder};

/// The bounds of a number with its country code, in digits. E.164 allows at most 15. A number with fewer than 7 is a short code.
const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;

const DIGITS: Refusal = Refusal::invalid(
    "may contain only digits, spaces, - . ( ) / and one + at the start, as in +61 491 570 156. Remove letters and extensions.",
);
const LENGTH: Refusal =
    Refusal::invalid("must have 7 to 15 digits with the country code, such as +61491570156.");
const LEADING_ZERO: Refusal = Refusal::invalid(
    "begins with 0 instead of a country code. Send a number such as +61491570156, or set the stack parameter \
     DefaultCallingCode.",
);
const PLACEHOLDER: Refusal = Refusal::placeholder(
    "is a placeholder: one repeated digit, or 1234567890. It would merge all customers who have it. Use another identifier of the \
     customer.",
);

/// Returns the normal form of a number that is already in NFC and trimmed.
pub(super) fn normal_form(value: &str, rules: IdentifierRules) -> Result<String, Refusal> {
    if number::is_rounded(value) || is_exponential(value) {
        return Err(number::ROUNDED);
    }
    let written = read(without_fraction(value))?;
    if placeholder::is_phone(&written.digits) {
        return Err(PLACEHOLDER);
    }
    let number = international(written, rules.calling_code)?;
    if number.starts_with('0') {
        return Err(LEADING_ZERO);
    }
    if !(MIN_DIGITS..=MAX_DIGITS).contains(&number.len()) {
        return Err(LENGTH);
    }
    if placeholder::is_phone(&number) {
        return Err(PLACEHOLDER);
    }
    Ok(one_variant(number))
}

/// Returns the normal form of a JSON number.
pub(super) fn of_number(number: &str, rules: IdentifierRules) -> Result<String, Refusal> {
    if number.contains(['e', 'E']) {
        return Err(number::ROUNDED);
    }
    let number = number::without_zero_fraction(number);
    if number.contains('.') {
        return Err(DIGITS);
    }
    normal_form(number, rules)
}

/// Returns whether a value is digits with an unsigned exponent. Phone numbers contain no letters, so it cannot be
/// anything else.
fn is_exponential(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    value
        .split_once(['e', 'E'])
        .is_some_and(|(whole, exponent)| digits(whole) && digits(exponent))
}

/// Removes the `.0` of `61491570156.0`, which a script writes that has read a column as floats.
fn without_fraction(value: &str) -> &str {
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    value.strip_suffix(".0").filter(digits).unwrap_or(value)
}

/// A number as it was written, without separators.
struct Written {
    digits: String,
    /// Whether a plus sign precedes the digits, so that they begin with the country code.
    has_plus: bool,
}

/// Reads digits between separators. `(0)` after a country code is left out.
fn read(value: &str) -> Result<Written, Refusal> {
    let mut digits = String::with_capacity(value.len().min(MAX_DIGITS * 2));
    let mut has_plus = false;
    let mut rest = value.chars();
    // A negative number is not a phone number.
    if value.starts_with(is_hyphen) {
        return Err(DIGITS);
    }
    while let Some(c) = rest.next() {
        match c {
            '0'..='9' if digits.len() < MAX_DIGITS * 2 => digits.push(c),
            '0'..='9' => return Err(LENGTH),
            '+' | '\u{ff0b}' if digits.is_empty() && !has_plus => has_plus = true,
            '(' if is_country_code(&digits) => {
                if let Some(after) = trunk_zero(rest.as_str()) {
                    rest = after.chars();
                }
            }
            '(' | ')' | '.' | '/' => {}
            c if c.is_whitespace() || is_hyphen(c) => {}
            _ => return Err(DIGITS),
        }
    }
    if digits.is_empty() {
        return Err(DIGITS);
    }
    Ok(Written { digits, has_plus })
}

/// Returns whether a character is a hyphen or one of the dashes with which word processors replace it.
fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Returns whether the digits so far can be a country code alone.
fn is_country_code(digits: &str) -> bool {
    let code = digits.strip_prefix("00").unwrap_or(digits);
    (1..=3).contains(&code.len()) && !code.starts_with('0')
}

/// Returns the text after `0)`, if the text begins with it.
fn trunk_zero(text: &str) -> Option<&str> {
    text.trim_start()
        .strip_prefix('0')?
        .trim_start()
        .strip_prefix(')')
}

/// Adds the country code to a number, if the code is known.
fn international(written: Written, calling_code: Option<CallingCode>) -> Result<String, Refusal> {
    let Written { digits, has_plus } = written;
    if has_plus {
        return Ok(digits);
    }
    if let Some(number) = digits.strip_prefix("00") {
        return Ok(number.to_owned());
    }
    match (digits.strip_prefix('0'), calling_code) {
        (Some(national), Some(code)) => Ok(code.with(national)),
        (Some(_), None) => Err(LEADING_ZERO),
        (None, Some(code)) if code.is_national(&digits) => Ok(code.with(&digits)),
        (None, _) => Ok(digits),
    }
}

/// Returns one form of the numbers that messengers write in two forms.
fn one_variant(mut number: String) -> String {
    let bytes = number.as_bytes();
    match (&bytes[..2], number.len()) {
        // Brazil: 55, an area code of two digits, and a mobile number of 8 digits, with a 9 in front since 2016.
        // Numbers that begin with 2 to 5 are landlines.
        (b"55", 12)
            if matches!(bytes[2], b'1'..=b'9')
                && matches!(bytes[3], b'1'..=b'9')
                && matches!(bytes[4], b'1' | b'6'..=b'9') =>
        {
            number.insert(4, '9');
        }
        // Mexico: until 2019, a 1 after the country code marked mobile numbers.
        (b"52", 13) if bytes[2] == b'1' => {
            number.remove(2);
        }
        // Argentina: a 9 after the country code marks mobile numbers that are called from abroad.
        (b"54", 13) if bytes[2] == b'9' => {
            number.remove(2);
        }
        _ => {}
    }
    number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::identifier::{Notation, text};

    fn parse(value: &str, code: &str) -> Result<String, Refusal> {
        let rules = IdentifierRules {
            calling_code: (!code.is_empty()).then(|| code.parse().unwrap()),
        };
        normal_form(&text::normal_form(value, Notation::Json)?, rules)
    }

    #[test]
    fn spellings_have_one_normal_form() {
        for (value, expected) in [
            ("61491570156", "61491570156"),
            ("+61491570156", "61491570156"),
            ("0061491570156", "61491570156"),
            ("+61 491 570 156", "61491570156"),
            ("+61-491.570/156", "61491570156"),
            ("(+61) 491 570 156", "61491570156"),
            ("+61 (0)491 570 156", "61491570156"),
            ("+61(0)491570156", "61491570156"),
            ("0061 ( 0 ) 491 570 156", "61491570156"),
            ("61 (0) 491570156", "61491570156"),
            ("\u{ff0b}61\u{a0}491\u{2011}570\u{2013}156", "61491570156"),
            ("\u{202a}+61491570156\u{202c}", "61491570156"),
            ("61491570156.0", "61491570156"),
            ("+1 (503) 555-0100", "15035550100"),
            ("1234567", "1234567"),
            ("123456789012345", "123456789012345"),
        ] {
            assert_eq!(parse(value, "").as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn national_numbers_take_the_calling_code() {
        for (code, value, expected) in [
            ("61", "0491570156", "61491570156"),
            ("61", "0491 570 156", "61491570156"),
            ("61", "(0)491 570 156", "61491570156"),
            ("61", "+44 7700 900123", "447700900123"),
            ("61", "491570156", "491570156"),
            ("61/9", "491570156", "61491570156"),
            ("61/9", "0491570156", "61491570156"),
            ("1/10", "(503) 555-0100", "15035550100"),
            ("1/10", "1 503 555 0100", "15035550100"),
            ("1/10", "+4791234567", "4791234567"),
            ("47/8", "912 34 567", "4791234567"),
            ("47/8", "004791234567", "4791234567"),
        ] {
            assert_eq!(
                parse(value, code).as_deref(),
                Ok(expected),
                "{code} {value}"
            );
        }
        assert_eq!(parse("0491570156", ""), Err(LEADING_ZERO));
        assert_eq!(parse("+0491570156", "61"), Err(LEADING_ZERO));
        assert_eq!(parse("0000491570156", "61"), Err(LEADING_ZERO));
    }

    #[test]
    fn messengers_variants_are_one_number() {
        for (value, expected) in [
            ("+55 11 98765-4321", "5511987654321"),
            ("551187654321", "5511987654321"),
            ("+55 (0) 21 6765 4321", "5521967654321"),
            ("5521967654321", "5521967654321"),
            ("+52 1 55 1234 5678", "525512345678"),
            ("525512345678", "525512345678"),
            ("5491123456789", "541123456789"),
            ("541123456789", "541123456789"),
        ] {
            assert_eq!(parse(value, "").as_deref(), Ok(expected), "{value}");
        }
        // A landline in the same area is another number.
        assert_eq!(parse("551134567890", "").as_deref(), Ok("551134567890"));
        assert_eq!(parse("011 8765-4321", "55").as_deref(), Ok("5511987654321"));
    }

    #[test]
    fn refuses_what_is_not_a_phone() {
        for (value, refusal) in [
            ("61491570156 ext 7", DIGITS),
            ("61491570156x7", DIGITS),
            ("61491570156#7", DIGITS),
            ("61491570156,,7", DIGITS),
            ("tel:+61491570156", DIGITS),
            ("++61491570156", DIGITS),
            ("61+491570156", DIGITS),
            ("-61491570156", DIGITS),
            ("\u{666}\u{661}\u{664}\u{669}\u{661}\u{665}\u{667}", DIGITS),
            ("+", DIGITS),
            ("()", DIGITS),
            ("1234567890123456789012345", LENGTH),
            ("1234567890123456", LENGTH),
            ("123456", LENGTH),
            ("000", PLACEHOLDER),
            ("1234567890", PLACEHOLDER),
            ("0000000000", PLACEHOLDER),
            ("+1 111 111 1111", PLACEHOLDER),
            ("0022222222", PLACEHOLDER),
            ("6.1E+10", number::ROUNDED),
            ("6.1491570156e10", number::ROUNDED),
            ("61E9", number::ROUNDED),
        ] {
            assert_eq!(parse(value, ""), Err(refusal), "{value}");
        }
        assert_eq!(parse(&"1 ".repeat(120), ""), Err(LENGTH));
    }

    proptest! {
        #[test]
        fn every_spelling_is_the_same(number in "[1-9][0-9]{6,14}", at in 1..6_usize, separator in "[ ./()-]{1,2}") {
            let expected = parse(&format!("+{number}"), "61/9");
            let split = format!("+{}{separator}{}", &number[..at], &number[at..]);
            prop_assert_eq!(&parse(&split, "61/9"), &expected);
            prop_assert_eq!(&parse(&format!("00{number}"), "61/9"), &expected);
            prop_assert_eq!(&parse(&number, ""), &expected);
            if let Ok(normal) = expected {
                prop_assert_eq!(parse(&normal, ""), Ok(normal.clone()));
                prop_assert_eq!(parse(&format!("+{normal}"), "61/9"), Ok(normal));
            }
        }

        #[test]
        fn no_text_panics(value in "([0-9+() ./-]|\\PC){0,40}") {
            for code in ["", "1/10"] {
                if let Ok(number) = parse(&value, code) {
                    prop_assert!((MIN_DIGITS..=MAX_DIGITS).contains(&number.len()) && !number.starts_with('0'));
                }
            }
        }
    }
}
