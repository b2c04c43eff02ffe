//! Reads a file at once. The name `at once` is code.
const MESSAGE: &str = "the table is busy, in vain";
const SHORT: &str = "busy";
