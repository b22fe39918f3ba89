//! Tests on the two clusters of the lab. They are ignored unless asked for: `portproof lab up`, then
//! `cargo test --test lab -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod cleanup;
mod control_agent;
mod driven;
mod granted;
mod hostile;
mod killed;
mod labels;
mod operations;
mod outside_model;
mod own_lab;
mod rights;
mod rollout;
mod scenarios;
mod signals;
mod tool_watch;

use portproof::lab::image::agent_stack;
use portproof::lab::load_image;
use portproof::lab::paths::LabPaths;
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// Makes the image of the stack that was built with the program under test and loads it into every node, once; gives back its name.
async fn stack_image() -> String {
    static IMAGE: OnceCell<String> = OnceCell::const_new();
    IMAGE.get_or_init(load_stack).await.clone()
}

async fn load_stack() -> String {
    let directory = tempfile::tempdir().unwrap();
    let program = scenarios::program().with_file_name("agent-stack");
    let tar = directory.path().join("agent-stack.tar");
    let image = agent_stack(&program, &tar, &cache()).unwrap();
    load_image(&image.tar, &LabPaths::from_environment())
        .await
        .unwrap();
    image.name
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    let root = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    root.join("portproof")
}
