//! Writes items. In go the items of rows; out comes what each write did. The newest version of an item wins, and requests keep to the rate that
//! the table takes.

pub(crate) mod pace;
pub(crate) mod write;
