//! `portproof lab kubectl`: the lab's own kubectl, so that a look into a cluster needs nothing installed.

use super::lab::kubeconfig;
use crate::lab::build::{self, BuildOptions, cache_directory};
use crate::lab::paths::LabPaths;
use crate::lab::{LabError, RaiseError};
use crate::verify::Role;
use clap::Args;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The component and its program.
const KUBECTL: &str = "kubectl";

/// Options of `lab kubectl`.
#[derive(Debug, Args)]
pub(super) struct Kubectl {
    /// Role of the cluster.
    #[arg(value_parser = Role::new)]
    role: Role,
    /// What kubectl is called with.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<OsString>,
}

impl Kubectl {
    /// Becomes kubectl; returns only when it cannot.
    pub(super) fn run(self, paths: &LabPaths) -> Result<(), RaiseError> {
        let kubeconfig = kubeconfig(paths, &self.role)?;
        let options = BuildOptions {
            only: vec![KUBECTL.to_owned()],
            ..BuildOptions::new(cache_directory())
        };
        let program = build::find(&options)?.program(KUBECTL)?;
        let source = Command::new(&program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(self.arguments)
            .exec();
        Err(LabError::Io {
            action: "cannot run",
            path: program,
            source,
        }
        .into())
    }
}
