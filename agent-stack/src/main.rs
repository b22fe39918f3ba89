//! The reference stack: one multi-call binary.

fn main() {}
