//! The `portproof` binary.

use clap::Parser;
use portproof::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    cli::run(Cli::parse()).into()
}
