//! Tests that only read: they add customers of their own to the shared stack and send requests that change nothing. They are in
//! one folder because tests run in the order of their names, and the stack runs as long as one of them does.

mod attributes;
mod figures;
mod history;
mod identifiers;
mod profile;
mod requests;
mod responses;
