//! Shared with benchmarks and with the tests of functions: a proxy that injects faults, and a model of the result of dropped
//! files.

pub mod faults;
pub mod model;
