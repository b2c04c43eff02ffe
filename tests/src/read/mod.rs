//! Tests that only read: they add their own customers to the shared stack and send requests that change nothing. They share a
//! folder because tests run in the order of their names, and the stack runs while one of them does.

mod attributes;
mod figures;
mod gateway;
mod history;
mod identifiers;
mod open_orders;
mod profile;
mod requests;
mod responses;
