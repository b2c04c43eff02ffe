//! What the system's tests and its benchmarks share: a proxy that plays the faults of the services behind it.

pub mod faults;
