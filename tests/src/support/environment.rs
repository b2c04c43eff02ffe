//! Environment variables that scale a test.

/// Returns a number from an environment variable, which scales a test beyond the everyday run.
pub(crate) fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}
