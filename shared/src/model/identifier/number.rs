//! Numbers as identifiers: JSON numbers in plain notation, and ids that spreadsheets and scripts have changed.

use std::borrow::Cow;

use super::{MAX_PART_BYTES, Refusal};

/// The maximum number of digits that every double keeps in an integer.
const DOUBLE_DIGITS: usize = 15;
/// The maximum number of digits that every single-precision float keeps in an integer.
const FLOAT_DIGITS: usize = 7;

pub(super) const ROUNDED: Refusal = Refusal::rounded(
    "is a rounded number such as 1.2E+11, so digits are missing. Format the column as text, or send a string.",
);
const TOO_LONG: Refusal = Refusal::invalid("must be a number of at most 256 digits.");

/// Writes a JSON number (RFC 8259) in plain notation, with the same digits: `1e3` and `1000.0` become `1000`, and
/// `1.10` stays. A number with an exponent is refused if digits may be missing.
pub(super) fn plain(number: &str) -> Result<Cow<'_, str>, Refusal> {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        return Ok(Cow::Borrowed(without_zero_fraction(number)));
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().map_err(|_| TOO_LONG)?;
    let point = i32::try_from(whole.len())
        .ok()
        .and_then(|whole| whole.checked_add(exponent))
        .filter(|point| point.unsigned_abs() as usize <= MAX_PART_BYTES)
        .ok_or(TOO_LONG)?;
    let digits = format!("{whole}{fraction}");
    let plain = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    };
    let plain = match plain.trim_start_matches('0') {
        rest if rest.is_empty() || rest.starts_with('.') => format!("0{rest}"),
        rest => rest.to_owned(),
    };
    let plain = without_zero_fraction(&plain);
    // The number of zeros that the exponent appends. In a rounded float, such zeros replace the lost digits.
    let appended = usize::try_from(point)
        .unwrap_or(0)
        .saturating_sub(digits.len());
    let is_rounded = plain.len() > DOUBLE_DIGITS
        || appended > 0
            && plain.len() > FLOAT_DIGITS
            && fraction.bytes().any(|digit| digit != b'0');
    if is_rounded && !plain.contains('.') {
        return Err(ROUNDED);
    }
    Ok(Cow::Owned(format!("{sign}{plain}")))
}

/// Removes a zero fraction: `1017.0` becomes `1017`, because scripts that read an id as a float write it like that.
/// Other strings stay unchanged.
pub(super) fn without_zero_fraction(text: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((whole, fraction)) = text.split_once('.') else {
        return text;
    };
    let integer = whole.strip_prefix('-').unwrap_or(whole);
    let has_leading_zero = integer.len() > 1 && integer.starts_with('0');
    let is_zero = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    if digits(integer) && is_zero && !has_leading_zero {
        whole
    } else {
        text
    }
}

/// Returns whether a string is a number in the notation with which spreadsheets round: `1.23457E+11`, `1,23457E+11`,
/// `6E+10`. A hexadecimal id such as `12e5` is not.
pub(super) fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let signed = exponent.strip_prefix(['-', '+']);
    digits(whole)
        && fraction.is_none_or(digits)
        && digits(signed.unwrap_or(exponent))
        && (fraction.is_some() || signed.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_out() {
        for (number, expected) in [
            ("7", "7"),
            ("1e3", "1000"),
            ("1E+3", "1000"),
            ("1000.0", "1000"),
            ("1000.00", "1000"),
            ("1.0e3", "1000"),
            ("1.5e3", "1500"),
            ("1.10", "1.10"),
            ("1.10e0", "1.10"),
            ("1.234e1", "12.34"),
            ("12e-1", "1.2"),
            ("10e-1", "1"),
            ("1e-3", "0.001"),
            ("0", "0"),
            ("0.0", "0"),
            ("0e5", "0"),
            ("-7", "-7"),
            ("-1e2", "-100"),
            ("1.23457123456E11", "123457123456"),
            ("6.1491570156E10", "61491570156"),
        ] {
            assert_eq!(plain(number).unwrap(), expected, "{number}");
        }
        let long = "1234567890".repeat(5);
        assert_eq!(plain(&long).unwrap(), long);
    }

    #[test]
    fn rounded_numbers_are_refused() {
        for number in ["1.23457E+11", "1.2345678901234568e+16", "6.1e10", "1e20"] {
            assert_eq!(plain(number), Err(ROUNDED), "{number}");
        }
        for number in ["1e999999999", "1e-999999999", "1e99999999999999999999"] {
            assert!(plain(number).is_err(), "{number}");
        }
    }

    #[test]
    fn only_the_notation_of_spreadsheets_is_rounded() {
        for text in [
            "1.23457E+11",
            "1,23457E+11",
            "6.1E+10",
            "6E+10",
            "1.2e11",
            "-1.2E-5",
        ] {
            assert!(is_rounded(text), "{text}");
        }
        for text in [
            "1e3", "12e5", "E+11", "1.E+1", "1.2E+", "C1E+2", "1.2.3E+4", "7", "",
        ] {
            assert!(!is_rounded(text), "{text}");
        }
    }

    #[test]
    fn a_zero_fraction_is_removed() {
        for (text, expected) in [
            ("1017.0", "1017"),
            ("1017.00", "1017"),
            ("0.0", "0"),
            ("1017.10", "1017.10"),
            ("1017.", "1017."),
            ("007.0", "007.0"),
            ("1.0.0", "1.0.0"),
            (".0", ".0"),
            ("a.0", "a.0"),
        ] {
            assert_eq!(without_zero_fraction(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_keep_their_digits(number in "(0|[1-9][0-9]{0,60})") {
            for written in [number.clone(), format!("{number}.0")] {
                let plain = plain(&written).unwrap();
                prop_assert_eq!(plain, number.as_str());
            }
        }

        #[test]
        fn small_numbers_are_the_same_in_every_notation(number in 1..10_000_000_u64) {
            let plain = |text: &str| super::plain(text).unwrap().into_owned();
            prop_assert_eq!(plain(&format!("{number}e0")), number.to_string());
            prop_assert_eq!(plain(&format!("{number:e}")), number.to_string());
        }

        #[test]
        fn no_number_panics(number in "-?(0|[1-9][0-9]{0,9})([.][0-9]{1,9})?([eE][+-]?[0-9]{1,12})?") {
            if let Ok(plain) = plain(&number) {
                let again = super::plain(&plain).map(Cow::into_owned);
                prop_assert_eq!(again.as_deref(), Ok(plain.as_ref()));
            }
        }
    }
}
