//! The country of the stack, to which phone numbers without a country code belong.

use std::{fmt, str::FromStr};

/// A country calling code, and the length of national numbers if the stack specifies it: `61`, `1/10`, `47/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallingCode {
    code: u16,
    national_digits: Option<u8>,
}

/// The string is not a calling code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calling code must be like 61, or like 1/10 with the length of national numbers")]
pub struct CallingCodeError;

impl CallingCode {
    /// Returns whether a number that does not begin with `+`, `00` or `0` is a national one.
    pub(super) fn is_national(self, digits: &str) -> bool {
        self.national_digits
            .is_some_and(|length| usize::from(length) == digits.len())
    }

    /// Returns the number with the code in front.
    pub(super) fn with(self, national: &str) -> String {
        format!("{}{national}", self.code)
    }
}

impl FromStr for CallingCode {
    type Err = CallingCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = |text: &str, most: usize| {
            (1..=most).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.starts_with('0')
        };
        let (code, length) = match text.split_once('/') {
            Some((code, length)) => (code, Some(length)),
            None => (text, None),
        };
        if !is_number(code, 3) || !length.is_none_or(|length| is_number(length, 2)) {
            return Err(CallingCodeError);
        }
        let national_digits = length
            .map(str::parse)
            .transpose()
            .map_err(|_| CallingCodeError)?;
        if national_digits.is_some_and(|length| !(5..=14).contains(&length)) {
            return Err(CallingCodeError);
        }
        Ok(Self {
            code: code.parse().map_err(|_| CallingCodeError)?,
            national_digits,
        })
    }
}

impl fmt::Display for CallingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.national_digits {
            Some(length) => write!(f, "{}/{length}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for text in ["1", "61", "351", "1/10", "47/8", "61/9", "1/14", "1/5"] {
            assert_eq!(text.parse::<CallingCode>().unwrap().to_string(), text);
        }
        for text in [
            "", "0", "061", "+61", "1234", "61/", "/9", "61/09", "61/4", "61/15", "61/100", "6a",
            "61/9/9", " 61",
        ] {
            assert_eq!(text.parse::<CallingCode>(), Err(CallingCodeError), "{text}");
        }
    }
}
