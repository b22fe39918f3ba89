//! Process 1 of a node.

use super::config::NodeConfig;
use super::{mounts, netns, supervisor};
use crate::lab::error::LabError;
use crate::lab::files;
use crate::lab::paths::NodePaths;
use crate::lab::process::ProcessIdentity;
use std::fs;
use std::path::Path;

/// Runs the node that the file `config` describes until a SIGTERM ends it.
///
/// # Errors
/// The node cannot be set up. What was set up ends with this process.
pub fn run(config: &Path) -> Result<(), LabError> {
    let config = read(config)?;
    let paths = NodePaths::new(&config.directory);
    // While the host's /proc is still the one to be seen: afterwards this is process 1 to itself.
    let identity = ProcessIdentity::of_this_process()?;
    enter_cgroups(&config)?;
    files::replace_json(&paths.identity(), &identity)?;
    let hostname = config.name.as_bytes();
    rustix::system::sethostname(hostname).map_err(|error| {
        LabError::io("cannot name the host", Path::new(&config.name))(error.into())
    })?;
    mounts::set_up(&paths)?;
    netns::set_up(&config.network)?;
    tracing::info!(node = config.name, "the node is set up");
    supervisor::run(&config, &paths)
}

fn read(path: &Path) -> Result<NodeConfig, LabError> {
    files::read_json(path)?
        .ok_or_else(|| LabError::io("cannot read", path)(std::io::ErrorKind::NotFound.into()))
}

/// A zero means the writing process.
fn enter_cgroups(config: &NodeConfig) -> Result<(), LabError> {
    for file in &config.cgroup_procs {
        fs::write(file, "0").map_err(LabError::io("cannot enter the cgroup", file))?;
    }
    Ok(())
}
