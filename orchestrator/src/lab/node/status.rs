//! What a node's init tells about its components: one file, always whole.

use crate::lab::error::LabError;
use crate::lab::files;
use crate::lab::paths::NodePaths;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentState {
    /// It waits for another component.
    Waiting,
    /// It runs.
    Running,
    /// It ended and is started again after a pause.
    Restarting,
}

/// One component of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Its process id inside the node.
    pub pid: Option<i32>,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last.
    pub last_exit: Option<String>,
}

/// All components of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The components, in order of starting.
    pub components: Vec<ComponentStatus>,
}

impl NodeStatus {
    /// What the node's init wrote last; `None` before it wrote anything.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn read(paths: &NodePaths) -> Result<Option<Self>, LabError> {
        files::read_json(&paths.status())
    }
}
