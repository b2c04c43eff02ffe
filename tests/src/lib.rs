//! Shared with benchmarks and with the tests of functions: a proxy that injects faults, a model of the result of
//! dropped files, and the list of sample exports.

pub mod exports;
pub mod faults;
pub mod model;
