//! What a lab remembers between commands: what it is and which inits it started.

use super::error::LabError;
use super::files;
use super::paths::LabPaths;
use super::process::ProcessIdentity;
use super::spec::{ClusterSpec, LabSpec, NodeSpec};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;

/// The saved state of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabState {
    /// What the lab is: every cluster that was started and not taken down.
    pub spec: LabSpec,
    /// Per node the word that only this start of its init has among its arguments. It is saved before the init
    /// starts, so that an init whose starter was killed is still found.
    pub launches: BTreeMap<String, String>,
}

impl LabState {
    /// A lab with nothing started.
    pub fn new(spec: LabSpec) -> Self {
        Self {
            spec,
            launches: BTreeMap::new(),
        }
    }

    /// The saved state, if there is one.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn load(paths: &LabPaths) -> Result<Option<Self>, LabError> {
        files::read_json(&paths.state())
    }

    /// Saves the state in one step.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, paths: &LabPaths) -> Result<(), LabError> {
        files::replace_json(&paths.state(), self)
    }

    /// The node's init, if it runs.
    ///
    /// # Errors
    /// The file the init wrote about itself is damaged.
    pub fn init(
        &self,
        paths: &LabPaths,
        node: &NodeSpec,
    ) -> Result<Option<ProcessIdentity>, LabError> {
        let written: Option<ProcessIdentity> = files::read_json(&paths.node(node).identity())?;
        Ok(written.filter(ProcessIdentity::is_alive))
    }

    /// Whether every node of a cluster has a running init.
    ///
    /// # Errors
    /// As [`LabState::init`].
    pub fn runs(&self, paths: &LabPaths, cluster: &ClusterSpec) -> Result<bool, LabError> {
        for node in cluster.nodes() {
            if self.init(paths, &node)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fixes the words by which the inits of a cluster will be known.
    pub fn announce(&mut self, cluster: &ClusterSpec) {
        for node in cluster.nodes() {
            let word = format!("--launch={}", uuid::Uuid::new_v4());
            self.launches.insert(node.name, word);
        }
    }

    /// The lab with the clusters of another spec added.
    ///
    /// # Errors
    /// [`LabError::SpecDiffers`] when a cluster of both is not the same in both.
    pub fn joined(mut self, asked: &LabSpec) -> Result<Self, LabError> {
        for cluster in &asked.clusters {
            let same_lab = (&self.spec.name, self.spec.subnet) == (&asked.name, asked.subnet);
            match self.spec.cluster(&cluster.role) {
                Some(running) if same_lab && running == cluster => {}
                None if same_lab => self.spec.clusters.push(cluster.clone()),
                running => return Err(differs(&self.spec, running, asked, cluster)),
            }
        }
        Ok(self)
    }
}

fn differs(
    running_lab: &LabSpec,
    running: Option<&ClusterSpec>,
    asked_lab: &LabSpec,
    asked: &ClusterSpec,
) -> LabError {
    LabError::SpecDiffers {
        role: asked.role.clone(),
        running: describe(running_lab, running.unwrap_or(asked)),
        asked: describe(asked_lab, asked),
    }
}

fn describe(lab: &LabSpec, cluster: &ClusterSpec) -> String {
    format!(
        "gateway {}, {} node(s), lab `{}`, subnet {}",
        cluster.gateway, cluster.nodes, lab.name, lab.subnet
    )
}

/// Keeps other commands from working on the same lab while it lives.
#[derive(Debug)]
pub struct LabLock {
    _file: File,
}

impl LabLock {
    /// Takes the lab for this command. The state directory must exist.
    ///
    /// # Errors
    /// [`LabError::Busy`] when another command has it.
    pub fn take(paths: &LabPaths) -> Result<Self, LabError> {
        let path = paths.lock();
        let file = File::create(&path).map_err(LabError::io("cannot write", &path))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            LabError::Busy {
                path: paths.root().to_owned(),
            }
        })?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::spec::LabRequest;
    use crate::verify::Role;

    fn spec_of(roles: &[&str], nodes: u8) -> LabSpec {
        LabSpec::new(&LabRequest {
            name: "test".to_owned(),
            subnet: LabSpec::DEFAULT_SUBNET.parse().unwrap(),
            clusters: roles.iter().map(|role| Role::new(role).unwrap()).collect(),
            gateways: Vec::new(),
            nodes,
        })
        .unwrap()
    }

    fn spec() -> LabSpec {
        spec_of(&["a"], 1)
    }

    #[test]
    fn a_further_cluster_joins_and_a_different_one_is_refused() {
        let both = LabState::new(spec())
            .joined(&spec_of(&["b", "a"], 1))
            .unwrap();
        assert_eq!(both.spec.clusters.len(), 2);
        let other = LabState::new(spec()).joined(&spec_of(&["a"], 2));
        assert!(matches!(other, Err(LabError::SpecDiffers { .. })));
    }

    #[test]
    fn a_saved_state_is_loaded_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let paths = LabPaths::new(dir.path());
        assert_eq!(LabState::load(&paths).unwrap(), None);
        let mut state = LabState::new(spec());
        state.launches.insert("a-1".to_owned(), "word".to_owned());
        state.save(&paths).unwrap();
        assert_eq!(LabState::load(&paths).unwrap(), Some(state));
    }

    #[test]
    fn a_second_command_on_the_same_lab_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let paths = LabPaths::new(dir.path());
        let first = LabLock::take(&paths).unwrap();
        assert!(matches!(LabLock::take(&paths), Err(LabError::Busy { .. })));
        drop(first);
        LabLock::take(&paths).unwrap();
    }
}
