//! Tests on the two clusters of the lab. They are ignored unless asked for: `portproof lab up`, then
//! `cargo test --test lab -- --ignored`.

mod cleanup;
