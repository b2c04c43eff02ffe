//! Defines the kinds of fields. `schema` defines the fields of each record type, and `check` the meaning of each kind.

/// A field and its rule.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether each row has the field.
    pub(crate) required: bool,
    pub(crate) on_error: OnError,
}

/// What happens to a row whose field breaks its rule, or is required and missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    /// The row is rejected, because without the field it cannot be placed or counted.
    Reject,
    /// The row is stored with a warning. An invalid value is kept as a string in `invalid_fields`.
    LeaveOut,
}

/// The rule of a value.
pub(crate) enum Kind {
    /// A string. A number is accepted as it is written.
    Text,
    /// A string that people write, in which card numbers are masked. A number is accepted as it is written.
    Free,
    /// A string that can be a part of a key: 1 to 256 bytes, no control characters.
    Id,
    /// A boolean, also as a string: `true` or `false`.
    Flag,
    /// An exact number, also as a string. Responses contain it as a string.
    Amount(Number),
    /// An exact number, also as a string. Responses contain it as a number.
    Quantity,
    /// Degrees from -90 to under 90.
    Latitude,
    /// Degrees from -180 to under 180.
    Longitude,
    /// A date of birth: a calendar date from 1880 to the day of the file.
    BirthDate,
    /// An instant from 1971 on.
    Time,
    /// An instant from 1971 on, and at most 48 hours after the file was last modified.
    UpdateTime,
    /// A URL. Clients follow only HTTP and HTTPS URLs; others are kept as they are.
    Url,
    /// An ISO 4217 code in any case, stored in uppercase.
    Currency,
    /// One of these strings, in any case.
    OneOf(&'static [&'static str]),
    /// An array of at most this many values.
    List(&'static Kind, usize),
    /// An object with these fields. Other fields are kept unchanged.
    Object(&'static [Field]),
    /// An object with any names, and values of this kind.
    MapOf(&'static Kind),
    /// An object with any names and values, in whose free text card numbers are masked.
    Open,
    /// An object of attributes, which have rules of their own.
    Attributes,
}

/// The inclusive bounds of an amount, and whether it is an integer.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) integer: bool,
    pub(crate) low: Option<i64>,
    pub(crate) high: Option<i64>,
}
