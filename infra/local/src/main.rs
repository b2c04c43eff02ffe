//! Local.

fn main() {}
