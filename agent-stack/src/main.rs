//! The reference stack: one multi-call binary.

use agent_stack::cli::Cli;
use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    Cli::parse().run()
}
