//! Masks payment card numbers in free text. Numbers are found by length, issuer prefix and check digit. Their last four
//! digits stay.
//!
//! Sources: ISO/IEC 7812-1 (lengths, and the Luhn check digit) and the issuers' published number ranges.

use std::borrow::Cow;

/// The lengths of card numbers, in digits.
const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;
/// The maximum number of consecutive separators between two digits of one number.
const MAX_SEPARATORS: usize = 3;
/// The number of digits that stay readable.
const READABLE: usize = 4;

/// The digit zero of each script in which digits are recognized.
const ZEROS: [char; 5] = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'];

/// A digit of a text: its value, and its position and size in bytes.
#[derive(Clone, Copy)]
struct Digit {
    value: u8,
    at: usize,
    bytes: usize,
}

/// Replaces all but the last four digits of each card number with `*`. Returns the text and the number of card numbers.
/// Separators stay. A text without card numbers is returned unchanged.
///
/// A card number has 13 to 19 digits, with up to three spaces, hyphens or dots between two of them. It is a whole
/// sequence of digits, or whole groups of one. Digits within a longer number, or next to a letter, are not a card
/// number.
pub fn mask(text: &str) -> (Cow<'_, str>, usize) {
    if !may_contain_card(text.as_bytes()) {
        return (Cow::Borrowed(text), 0);
    }
    let mut masked: Vec<Digit> = Vec::new();
    let mut count = 0;
    for run in runs(text) {
        let mut group = 0;
        while group < run.len() {
            // More digits than these are not a card number, so the search of a long run takes linear time.
            let mut length_so_far = 0;
            let fits = run[group..].iter().take_while(|digits| {
                length_so_far += digits.len();
                length_so_far <= *LENGTHS.end()
            });
            let end = group + fits.count();
            let length = (group..end).rev().find_map(|last| {
                let digits = run[group..=last].concat();
                is_card(&digits).then_some((last, digits))
            });
            let Some((last, digits)) = length else {
                group += 1;
                continue;
            };
            count += 1;
            masked.extend(&digits[..digits.len() - READABLE]);
            group = last + 1;
        }
    }
    if masked.is_empty() {
        return (Cow::Borrowed(text), 0);
    }
    let (mut kept, mut end) = (String::with_capacity(text.len()), 0);
    for digit in masked {
        kept.push_str(&text[end..digit.at]);
        kept.push('*');
        end = digit.at + digit.bytes;
    }
    kept.push_str(&text[end..]);
    (Cow::Owned(kept), count)
}

/// Returns `false` only for texts without card numbers. Takes a fraction of the time of the search itself, which allocates:
/// ingest looks for card numbers in every body.
///
/// A card number is a sequence of digits, separators and other non-ASCII characters. At least five of its digits and non-ASCII bytes are
/// in one of the chunks that the sequence touches: if it has few separators it touches three chunks at
/// most, and if it has many wide ones those count too.
fn may_contain_card(text: &[u8]) -> bool {
    const CHUNK_BYTES: usize = 64;
    const MIN_PER_CHUNK: u8 = 5;
    let counts = |byte: u8| byte.is_ascii_digit() || !byte.is_ascii();
    let is_dense = |chunk: &[u8]| {
        let counted = chunk.iter().map(|byte| u8::from(counts(*byte)));
        counted.sum::<u8>() >= MIN_PER_CHUNK
    };
    text.len() >= *LENGTHS.start() && text.chunks(CHUNK_BYTES).any(is_dense) && has_long_run(text)
}

/// Returns whether enough digits, or bytes of digits of other scripts, follow each other with at most [`MAX_SEPARATORS`]
/// separators between two of them.
fn has_long_run(text: &[u8]) -> bool {
    let (mut digits, mut separators) = (0, 0);
    text.iter().any(|byte| {
        match byte {
            b'0'..=b'9' | 0x80.. => (digits, separators) = (digits + 1, 0),
            b' ' | b'-' | b'.' | b'\t' if separators < MAX_SEPARATORS => separators += 1,
            _ => (digits, separators) = (0, 0),
        }
        digits >= *LENGTHS.start()
    })
}

/// Returns the sequences of digits in a text, each divided into groups by its separators. Sequences next to a letter
/// are left out.
fn runs(text: &str) -> Vec<Vec<Vec<Digit>>> {
    let (mut runs, mut run) = (Vec::new(), Vec::<Vec<Digit>>::new());
    // `is_part_of_word` says whether a letter precedes the current sequence.
    let (mut separators, mut after_letter, mut is_part_of_word) = (0, false, false);
    let mut finish = |run: &mut Vec<Vec<Digit>>, is_part_of_word: bool| {
        let run = std::mem::take(run);
        if !run.is_empty() && !is_part_of_word {
            runs.push(run);
        }
    };
    for (at, char) in text.char_indices() {
        if let Some(value) = digit(char) {
            let digit = Digit {
                value,
                at,
                bytes: char.len_utf8(),
            };
            if run.is_empty() {
                is_part_of_word = after_letter;
                run.push(vec![digit]);
            } else if separators > 0 {
                run.push(vec![digit]);
            } else if let Some(group) = run.last_mut() {
                group.push(digit);
            }
            (separators, after_letter) = (0, false);
        } else if is_separator(char) && separators < MAX_SEPARATORS && !run.is_empty() {
            separators += 1;
            after_letter = false;
        } else {
            after_letter = char.is_alphabetic() || char == '_';
            let is_within_word = is_part_of_word || (after_letter && separators == 0);
            finish(&mut run, is_within_word);
            separators = 0;
        }
    }
    finish(&mut run, is_part_of_word);
    runs
}

/// Returns the value of a digit in one of the recognized scripts.
fn digit(char: char) -> Option<u8> {
    let value = |zero: char| u32::from(char).checked_sub(u32::from(zero));
    let value = ZEROS
        .into_iter()
        .filter_map(value)
        .find(|value| *value < 10)?;
    u8::try_from(value).ok()
}

/// Returns whether a character may divide the digits of a number: a space, hyphen, dash, dot or invisible character.
fn is_separator(char: char) -> bool {
    matches!(
        char,
        ' ' | '-' | '.' | '\t' | '\u{a0}' | '\u{ad}' | '\u{2007}'..='\u{200d}' | '\u{2010}'..='\u{2015}' | '\u{202f}' | '\u{2060}' | '\u{2212}'
    )
}

fn is_card(digits: &[Digit]) -> bool {
    LENGTHS.contains(&digits.len()) && is_issued(digits) && has_check_digit(digits)
}

/// Returns whether a number has the prefix and length of a card network.
fn is_issued(digits: &[Digit]) -> bool {
    let prefix = |length: usize| {
        let first = digits.iter().take(length);
        first.fold(0_u32, |number, digit| number * 10 + u32::from(digit.value))
    };
    let (one, two, three, four) = (prefix(1), prefix(2), prefix(3), prefix(4));
    match digits.len() {
        // Visa
        13 | 16 | 19 if one == 4 => true,
        // American Express
        15 if matches!(two, 34 | 37) => true,
        // Diners Club
        14..=19 if matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39) => true,
        // Mastercard
        16 if matches!(two, 51..=55) || matches!(four, 2221..=2720) => true,
        // Discover, UnionPay, JCB
        16..=19 if four == 6011 || matches!(three, 644..=649) || matches!(two, 62 | 65 | 81) => {
            true
        }
        16..=19 if matches!(four, 3528..=3589) => true,
        // Maestro, RuPay, Mir, Troy
        13..=19 if matches!(two, 50 | 56..=58 | 60 | 63 | 67) => true,
        16..=19 if matches!(four, 2200..=2204 | 9792) => true,
        _ => false,
    }
}

/// Returns whether the last digit is the Luhn check digit of the others.
fn has_check_digit(digits: &[Digit]) -> bool {
    let doubled = |value: u8| {
        let twice = 2 * u32::from(value);
        twice / 10 + twice % 10
    };
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => u32::from(digit.value),
            _ => doubled(digit.value),
        });
    sum.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(text: &str) -> String {
        mask(text).0.into_owned()
    }

    #[test]
    fn masks_cards_of_every_network() {
        // Test numbers that the networks and payment providers publish.
        for number in [
            "4111111111111111",
            "4222222222222",
            "4000000000000000006",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6011111111111117",
            "6445644564456445",
            "3056930009020004",
            "36227206271667",
            "3566002020360505",
            "6200000000000005",
            "6759649826438453",
            "2200000000000004",
        ] {
            let (text, count) = mask(number);
            let stars = "*".repeat(number.len() - 4);
            assert_eq!(text, format!("{stars}{}", &number[number.len() - 4..]));
            assert_eq!(count, 1);
        }
    }

    #[test]
    fn masks_numbers_within_text() {
        for (text, expected) in [
            (
                "Card 4111 1111 1111 1111, exp 12/27",
                "Card **** **** **** 1111, exp 12/27",
            ),
            ("4111-1111-1111-1111 123", "****-****-****-1111 123"),
            ("(4111.1111.1111.1111)", "(****.****.****.1111)"),
            (
                "4111\u{a0}1111\u{202f}1111\u{200b}1111",
                "****\u{a0}****\u{202f}****\u{200b}1111",
            ),
            ("3782 822463 10005!", "**** ****** *0005!"),
            (
                "\u{ff14}\u{ff11}\u{ff11}\u{ff11}111111111111",
                "************1111",
            ),
            (
                "4111111111111111 and 5555555555554444",
                "************1111 and ************4444",
            ),
            (
                "ref 12 4111 1111 1111 1111 12 27",
                "ref 12 **** **** **** 1111 12 27",
            ),
            ("card:4111111111111111;", "card:************1111;"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn keeps_what_is_not_a_card() {
        for text in [
            "",
            "4111111111111112",
            "Order 4711 0815",
            "+61 491 570 156",
            "AB4111111111111111",
            "4111111111111111X",
            "DE89 3704 0044 0532 0130 00",
            "41111111111111114111111111111111",
            "9999999999999995",
            "2026-01-02T03:04:05.000000Z",
            "0197a0a0-4111-7111-8111-111111111111",
            "1Z999AA10123456784",
        ] {
            assert_eq!(mask(text), (Cow::Borrowed(text), 0));
        }
    }

    /// Every published number, with every number of separators and at every place in its chunk, passes the quick test.
    #[test]
    fn finds_cards_at_every_place() {
        for separator in ["", " ", "-  ", ".\t-", "\u{2009}\u{2009}\u{2009}", "\u{a0}"] {
            for card in ["4222222222222", "4111111111111111", "4000000000000000006"] {
                let digits: Vec<_> = card.chars().map(String::from).collect();
                let spaced = digits.join(separator);
                for place in 0..70 {
                    let text = format!("{}{spaced} and more words after it", " ".repeat(place));
                    assert_eq!(mask(&text).1, 1, "{text}");
                }
            }
        }
        let arabic: String = "4111111111111111"
            .chars()
            .filter_map(|c| char::from_u32(0x660 + c.to_digit(10)?))
            .collect();
        assert_eq!(mask(&arabic).1, 1);
    }

    #[test]
    fn takes_linear_time() {
        // Each test of all groups that follow would take hours.
        let text = "17 ".repeat(200_000);
        assert_eq!(mask(&text).1, 0);
    }

    proptest! {
        #[test]
        fn keeps_length_and_everything_but_digits(text in "[0-9 4.\\-a-é]{0,60}") {
            let (masked, count) = mask(&text);
            prop_assert_eq!(masked.chars().count(), text.chars().count());
            for (old, new) in text.chars().zip(masked.chars()) {
                prop_assert!(old == new || (new == '*' && digit(old).is_some()));
            }
            prop_assert_eq!(count == 0, masked == text);
            // Nothing is left to mask.
            prop_assert_eq!(mask(&masked).1, 0);
        }
    }
}
