//! The `portproof` binary.

fn main() {}
