//! Defines the kinds of fields. `schema` defines the fields of each record type, and `check` the meaning of each kind.

/// A field and its rule.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// The rule of a value.
pub(crate) enum Kind {
    /// A string. A number is accepted as it is written.
    Text,
    /// A string that can be a part of a key: 1 to 256 bytes, no control characters.
    Id,
    /// A boolean, also as a string: `true` or `false`.
    Flag,
    /// An exact number, also as a string.
    Amount(Number),
    /// Degrees from -90 to under 90.
    Latitude,
    /// Degrees from -180 to under 180.
    Longitude,
    /// A calendar date.
    Date,
    /// An instant.
    Time,
    /// An HTTP or HTTPS URL.
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
    /// An object with any names and values.
    Open,
}

/// The inclusive bounds of an amount, and whether it is an integer.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) integer: bool,
    pub(crate) low: Option<i64>,
    pub(crate) high: Option<i64>,
}
