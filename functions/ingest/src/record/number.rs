//! Reads exact numbers: amounts and quantities. In: the text of a number. Out: its stored form, or the problem and its fix.

use rust_decimal::{Decimal, RoundingStrategy};
use shared::model::value::decimal;

use super::kind::Number;
use crate::rows::json;

/// The maximum number of digits before the decimal point of an amount, so that every sum in a profile is exact.
const MAX_DIGITS: u32 = 15;
/// Amounts must be below this.
const MAX_AMOUNT: i64 = 10_i64.pow(MAX_DIGITS);
/// The maximum number of decimal places of a stored amount. More are rounded.
const MAX_PLACES: u32 = 9;
/// The maximum number of digits that can be read.
const MAX_READ_DIGITS: usize = 28;

/// The start of the text that a mapping makes if it cannot compute a number. A cell follows.
pub(crate) const NOT_COMPUTED: &str = "not computed: ";
/// The end of such a text, if the cell is a number with a decimal comma, but the mapping reads a point.
pub(crate) const DECIMAL_COMMA: &str = " (has a decimal comma)";
/// The end of such a text, if the cell is a number with a decimal point, but the mapping reads a comma.
pub(crate) const DECIMAL_POINT: &str = " (has a decimal point)";

const COMMA: &str = "has a decimal comma. Write a point, such as 12.50.";
const COMMA_AND_THOUSANDS: &str =
    "has a decimal comma and thousands separators. Write it without them, such as 1234.56.";

/// A number that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exact {
    /// The stored form; `None` if it is the given text.
    pub(super) stored: Option<String>,
    /// Whether digits were rounded.
    pub(super) rounded: bool,
}

/// Reads a number and checks its bounds.
///
/// # Errors
/// The text is not a number, or not one within the bounds. The error states the problem and its fix.
pub(super) fn exact(bounds: Number, text: &str) -> Result<Exact, String> {
    let read = json::number(text).and_then(read).or_else(|| {
        // Databases and spreadsheets omit the zero of `.5`.
        let padded = padded(text)?;
        read(json::number(&padded)?)
    });
    let Some((number, rounded)) = read else {
        return Err(match text.strip_prefix(NOT_COMPUTED) {
            Some(cell) => uncomputed(cell).to_owned(),
            None => problem(bounds, text) + mapping_hint(text),
        });
    };
    let fits = (!bounds.integer || number.fract().is_zero())
        && bounds.low.is_none_or(|low| number >= Decimal::from(low))
        && bounds.high.is_none_or(|high| number <= Decimal::from(high));
    if number.abs() >= Decimal::from(MAX_AMOUNT) {
        return Err(format!(
            "has more than {MAX_DIGITS} digits before the point, the limit. Correct the number."
        ));
    }
    if !fits {
        return Err(format!("must be {}.", expectation(bounds)));
    }
    Ok(Exact {
        stored: (rounded || !is_plain(text)).then(|| stored(number)),
        rounded,
    })
}

/// Describes the numbers within the bounds.
pub(super) fn expectation(bounds: Number) -> String {
    let (what, digits) = if bounds.integer {
        ("an integer", format!("with at most {MAX_DIGITS} digits"))
    } else {
        let digits = format!("with at most {MAX_DIGITS} digits before the point");
        ("a decimal", digits)
    };
    match (bounds.low, bounds.high) {
        (Some(low), _) => format!("{what} of at least {low}, {digits}"),
        (_, Some(high)) => format!("{what} of at most {high}, {digits}"),
        _ => format!("{what} {digits}"),
    }
}

/// Parses a number, and rounds it half to even to [`MAX_PLACES`] decimal places. Also returns whether that changed it.
fn read(text: &str) -> Option<(Decimal, bool)> {
    let Some(number) = decimal(text) else {
        return tiny(text);
    };
    if number.scale() <= MAX_PLACES {
        return Some((number, false));
    }
    let strategy = RoundingStrategy::MidpointNearestEven;
    let rounded = number.round_dp_with_strategy(MAX_PLACES, strategy);
    Some((rounded, rounded != number))
}

/// Rounds a number with more decimal places than [`Decimal`] has, such as `2.8421709430404007e-14`.
fn tiny(text: &str) -> Option<(Decimal, bool)> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let mantissa = decimal(mantissa)?;
    let shift = exponent.parse::<i32>().ok()?.checked_neg()?;
    let places = u32::try_from(shift).ok()?.checked_add(mantissa.scale())?;
    let mantissa = mantissa.mantissa();
    let (whole, rest, half) = match places
        .checked_sub(MAX_PLACES)
        .map(|places| 10_i128.checked_pow(places))
    {
        Some(Some(unit)) => (mantissa / unit, mantissa % unit, unit / 2),
        // A mantissa is shorter than that: the number is nearer to 0 than to any other.
        Some(None) => (0, mantissa, i128::MAX),
        None => return None,
    };
    let is_up = rest.abs() > half || (rest.abs() == half && whole % 2 != 0);
    let whole = whole + if is_up { rest.signum() } else { 0 };
    let number = Decimal::try_from_i128_with_scale(whole, MAX_PLACES).ok()?;
    Some((number.normalize(), rest != 0))
}

/// Returns the number with the zero before or after its point; `None` if it has both already.
fn padded(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.')?;
    match (whole.is_empty(), fraction.is_empty()) {
        (true, false) => Some(format!("{sign}0.{fraction}")),
        (false, true) => Some(format!("{sign}{whole}")),
        _ => None,
    }
}

/// Returns whether a valid number is written in its stored form: without exponent, plus sign, leading zeros or missing digits.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_short = matches!(digits, [b'0'] | [b'0', b'.', ..]) && digits.len() == text.len();
    (is_short || matches!(digits, [b'1'..=b'9', ..]))
        && digits
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && digits.last() != Some(&b'.')
}

fn stored(number: Decimal) -> String {
    let number = if number.is_zero() {
        number.abs()
    } else {
        number
    };
    number.to_string()
}

/// Describes why a mapping cannot compute a number from a cell, and how to fix it.
fn uncomputed(cell: &str) -> &'static str {
    if cell.ends_with(DECIMAL_COMMA) {
        "is computed from a number with a decimal comma. Specify `\"decimal\": \",\"` in the mapping, or write a point, such as 12.50."
    } else if cell.ends_with(DECIMAL_POINT) {
        "is computed from a number with a decimal point. Specify `\"decimal\": \".\"` in the mapping, or write a comma, such as 12,50."
    } else {
        "is computed from a cell that is not a number of at most 28 digits. Correct the cell, or list it under `absent` in the mapping."
    }
}

/// Returns what follows the problem of a number with a decimal comma, also beside a currency: how a mapping reads it.
fn mapping_hint(text: &str) -> &'static str {
    let is_outside = |c: char| !c.is_ascii_digit();
    let has_currency_only = text.chars().filter(|c| c.is_alphabetic()).count() <= 3;
    match separators(text.trim_matches(is_outside)) {
        Some(COMMA | COMMA_AND_THOUSANDS) if has_currency_only => {
            " In a mapping, specify `\"decimal\": \",\"` instead."
        }
        _ => "",
    }
}

/// Describes why a text is not a number, and how to fix it.
fn problem(bounds: Number, text: &str) -> String {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digit {
        return format!("must be {}.", expectation(bounds));
    }
    if text.contains('%') {
        return "is a percentage. Write the number itself, such as 12.50.".to_owned();
    }
    if text.contains(is_currency_symbol) {
        return "has a currency symbol. Write the number alone, such as 12.50, and the code in `currency`."
            .to_owned();
    }
    let is_accounting = text.ends_with('-') || (text.starts_with('(') && text.ends_with(')'));
    if is_accounting {
        return "has its minus sign after the number, or parentheses. Write the sign first, such as -12.50.".to_owned();
    }
    let is_number = json::number(text).is_some();
    if !is_number && text.contains(char::is_alphabetic) {
        return "has letters. Write the number alone, such as 12.50. A currency code belongs in `currency`.".to_owned();
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if let Some(problem) = separators(text.trim_start_matches(['+', '-'])) {
        return problem.to_owned();
    }
    if digits > MAX_READ_DIGITS || is_number {
        return format!(
            "has more than {MAX_READ_DIGITS} digits, or more than {MAX_DIGITS} before the point, the limits. Round the number."
        );
    }
    format!("must be {}.", expectation(bounds))
}

/// Describes the separators in a number of digits and separators alone.
fn separators(text: &str) -> Option<&'static str> {
    const THOUSANDS: &str = "has a thousands separator. Write it without, such as 1234.56.";
    const EITHER: &str = "has a comma that is either a thousands separator or a decimal comma. Write 1234 for a thousand, or 1.234.";
    let is_group = |c: char| c.is_whitespace() || matches!(c, '\'' | '\u{2019}' | '_');
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ',' || is_group(c);
    if !text.chars().all(is_part) {
        return None;
    }
    let (points, commas) = (text.matches('.').count(), text.matches(',').count());
    let has_groups = text.contains(is_group);
    match text.rsplit_once(',') {
        Some((before, after)) if commas == 1 && !after.contains('.') => {
            if before.contains('.') || has_groups {
                Some(COMMA_AND_THOUSANDS)
            } else if after.len() == 3 && before != "0" {
                Some(EITHER)
            } else {
                Some(COMMA)
            }
        }
        Some(_) => Some(THOUSANDS),
        None if has_groups || points > 1 => Some(THOUSANDS),
        None => None,
    }
}

fn is_currency_symbol(c: char) -> bool {
    matches!(
        c,
        '$' | '\u{a2}'
            ..='\u{a5}' | '\u{58f}' | '\u{60b}' | '\u{9f2}' | '\u{9f3}' | '\u{e3f}' | '\u{17db}'
    ) || matches!(
        c,
        '\u{20a0}'
            ..='\u{20cf}'
                | '\u{fdfc}'
                | '\u{fe69}'
                | '\u{ff04}'
                | '\u{ffe0}'
                | '\u{ffe1}'
                | '\u{ffe5}'
                | '\u{ffe6}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY: Number = Number {
        integer: false,
        low: None,
        high: None,
    };

    /// Returns the stored form of a number, and whether it is rounded.
    fn stored_form(text: &str) -> (String, bool) {
        let exact = exact(ANY, text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        (
            exact.stored.unwrap_or_else(|| text.to_owned()),
            exact.rounded,
        )
    }

    #[test]
    fn stores_numbers_exactly() {
        for (text, expected) in [
            ("12.50", "12.50"),
            ("-12.50", "-12.50"),
            ("0", "0"),
            ("0.10", "0.10"),
            ("-0.5", "-0.5"),
            ("-0", "0"),
            ("+7", "7"),
            ("007.5", "7.5"),
            ("1e2", "100"),
            ("1.5E-2", "0.015"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("999999999999999.123456789", "999999999999999.123456789"),
        ] {
            assert_eq!(stored_form(text), (expected.to_owned(), false), "{text}");
        }
    }

    #[test]
    fn rounds_half_to_even() {
        for (text, expected) in [
            ("59.699999999999996", "59.700000000"),
            ("33.333333333333336", "33.333333333"),
            ("-0.30000000000000004", "-0.300000000"),
            ("2.8421709430404007e-14", "0"),
            ("-2.8421709430404007e-14", "0"),
            ("2.8421709430404007e-9", "0.000000003"),
            ("2.5e-9", "0.000000002"),
            ("0.0000000025", "0.000000002"),
            ("0.0000000035", "0.000000004"),
            ("0.00000000250000000001", "0.000000003"),
            ("1.7763568394002505e-15", "0"),
            ("5e-100", "0"),
            ("123456789012345.1234567890123", "123456789012345.123456789"),
        ] {
            assert_eq!(stored_form(text), (expected.to_owned(), true), "{text}");
        }
    }

    #[test]
    fn states_problem_and_fix() {
        for (text, expected) in [
            ("1,234.56", "has a thousands separator. "),
            ("1,234,567", "has a thousands separator. "),
            ("1 234.56", "has a thousands separator. "),
            ("1\u{a0}234", "has a thousands separator. "),
            ("1'234.50", "has a thousands separator. "),
            ("1.234.567", "has a thousands separator. "),
            ("-1,234.56", "has a thousands separator. "),
            ("12,50", "has a decimal comma. "),
            ("-0,5", "has a decimal comma. "),
            ("0,125", "has a decimal comma. "),
            ("1.234,56", "has a decimal comma and thousands separators. "),
            ("1 234,56", "has a decimal comma and thousands separators. "),
            ("1,234", "has a comma that is either "),
            ("$5.00", "has a currency symbol. "),
            ("-$5.00", "has a currency symbol. "),
            ("5,00 €", "has a currency symbol. "),
            ("£1,234.56", "has a currency symbol. "),
            ("AUD 5.00", "has letters. "),
            ("5.00 kr", "has letters. "),
            ("15%", "is a percentage. "),
            (
                "(5.00)",
                "has its minus sign after the number, or parentheses. ",
            ),
            (
                "5.00-",
                "has its minus sign after the number, or parentheses. ",
            ),
            ("1e15", "has more than 15 digits before the point"),
            ("1e40", "has more than 28 digits"),
            (
                "1000000000000000",
                "has more than 15 digits before the point",
            ),
            ("0.12345678901234567890123456789", "has more than 28 digits"),
            (
                "x",
                "must be a decimal with at most 15 digits before the point.",
            ),
            (
                "--5",
                "must be a decimal with at most 15 digits before the point.",
            ),
            (
                "5/2",
                "must be a decimal with at most 15 digits before the point.",
            ),
        ] {
            let problem = exact(ANY, text).unwrap_err();
            assert!(problem.starts_with(expected), "{text}: {problem}");
            assert!(
                problem.ends_with('.') && !problem.contains(text),
                "{problem}"
            );
        }
    }

    #[test]
    fn names_the_decimal_mark_of_mappings() {
        let comma = "In a mapping, specify `\"decimal\": \",\"` instead.";
        for text in [
            "12,50",
            "1.234,56",
            "-0,5",
            "5,00 €",
            "EUR 1.234,50",
            "(12,50)",
        ] {
            let problem = exact(ANY, text).unwrap_err();
            assert!(problem.ends_with(comma), "{text}: {problem}");
        }
        for text in [
            "1,234.56",
            "1,234",
            "$5.00",
            "12,50 apples",
            "1 234",
            "x",
            "",
        ] {
            let problem = exact(ANY, text).unwrap_err();
            assert!(!problem.contains("mapping"), "{text}: {problem}");
        }
        for (text, fix) in [
            (
                "not computed: 89,95 (has a decimal comma)",
                "`\"decimal\": \",\"`",
            ),
            (
                "not computed: 89.95 (has a decimal point)",
                "`\"decimal\": \".\"`",
            ),
            ("not computed: n/a", "`absent`"),
        ] {
            let problem = exact(ANY, text).unwrap_err();
            assert!(
                problem.starts_with("is computed from "),
                "{text}: {problem}"
            );
            assert!(problem.contains(fix), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn stores_the_same_number(cents in -10_i64.pow(16)..10_i64.pow(16)) {
            let number = Decimal::new(cents, 2);
            let (stored, rounded) = stored_form(&number.to_string());
            prop_assert_eq!((decimal(&stored), rounded), (Some(number), false));
        }

        /// The shortest form of a float that is a sum of cents has these cents.
        #[test]
        fn floats_are_their_cents(cents in 0_u32..10_000_000) {
            let float = f64::from(cents) * 0.01;
            let (stored, _) = stored_form(&float.to_string());
            prop_assert_eq!(decimal(&stored), Some(Decimal::new(cents.into(), 2)));
        }

        #[test]
        fn never_panics(text in "[0-9.,eE+' $%()a-]{0,40}") {
            let _ = exact(ANY, &text);
        }
    }
}
