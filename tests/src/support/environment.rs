//! Environment variables that scale a test.

/// A number from the environment, for longer runs than the everyday's.
pub(crate) fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}
