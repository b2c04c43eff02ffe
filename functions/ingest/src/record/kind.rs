//! The kinds of fields. `schema` has the fields of each record type, `check` the meaning of each kind.

/// A field and its rule.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// The rule of a value.
pub(crate) enum Kind {
    /// A text; a number is taken as it is written.
    Text,
    /// A text that may be a part of a key: 1 to 256 bytes, no control characters.
    Id,
    /// `true` or `false`, as a text too.
    Flag,
    /// An exact number, as a text too.
    Amount(Number),
    /// Degrees from -90 to under 90.
    Latitude,
    /// Degrees from -180 to under 180.
    Longitude,
    /// A calendar date.
    Date,
    /// An instant.
    Time,
    /// An http(s) URL.
    Url,
    /// An ISO 4217 code in any case, kept in capitals.
    Currency,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of at most so many values.
    List(&'static Kind, usize),
    /// An object with these fields; others are kept as they are.
    Object(&'static [Field]),
    /// An object with any names, its values of this kind.
    MapOf(&'static Kind),
    /// An object with any names and values.
    Open,
}

/// Bounds of an amount, taken in.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) integer: bool,
    pub(crate) low: Option<i64>,
    pub(crate) high: Option<i64>,
}
