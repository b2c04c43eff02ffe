//! What the system's tests share with benchmarks and with those of functions: a proxy that plays the faults of the
//! services behind it, and a model of what dropped files come to.

pub mod faults;
pub mod model;
