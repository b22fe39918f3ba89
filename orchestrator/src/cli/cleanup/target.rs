//! The clusters that are cleaned without a ledger: named by the user, never guessed.

use crate::cli::printer::Printer;
use crate::cli::run::own_kubeconfig;
use crate::cli::scenario::{self, LoadError};
use crate::cluster::ClusterAccess;
use crate::exit::Exit;
use crate::lab::LabError;
use crate::lab::paths::LabPaths;
use crate::lab::state::LabState;
use crate::scenario::ClusterSource;
use crate::verify::Role;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options that name clusters.
#[derive(Debug, Args)]
pub(super) struct Clusters {
    /// Look for the run on the clusters of the lab, by label: no run directory is needed.
    #[arg(long, group = "clusters")]
    lab: bool,
    /// Look for the run on the clusters of a scenario, by label.
    #[arg(long, group = "clusters", value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Look for the run on the clusters of a kubeconfig, by label.
    #[arg(long, group = "clusters", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context in that kubeconfig; may be repeated, and left out where the file has only one.
    #[arg(long = "context", requires = "kubeconfig", value_name = "CONTEXT")]
    contexts: Vec<String>,
}

/// A cluster by the name the user knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) access: ClusterAccess,
}

/// Why the clusters are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error(transparent)]
    Scenario(#[from] LoadError),
    #[error("the state of the lab cannot be read")]
    Lab(#[from] LabError),
    #[error("the lab is not up")]
    LabDown,
    #[error("{count} contexts are more than one command looks at")]
    TooMany { count: usize },
}

/// How many clusters have a letter.
const LETTERS: usize = 26;

impl TargetError {
    /// Says what is wrong.
    pub(super) fn print(&self, printer: &Printer) -> Exit {
        match self {
            Self::Scenario(error) => return error.print(printer),
            Self::LabDown => printer.error(
                self,
                Some("what ran in it went with it: there is nothing to clean up"),
            ),
            error => printer.error(error, None),
        }
        match self {
            Self::Lab(error) => error.exit(),
            _ => Exit::Usage,
        }
    }
}

impl Clusters {
    /// The clusters, or `None` when the user named none.
    pub(super) fn targets(&self) -> Option<Result<Vec<Target>, TargetError>> {
        if self.lab {
            return Some(of_lab(&LabPaths::from_environment()));
        }
        if let Some(file) = &self.scenario {
            return Some(of_scenario(file));
        }
        let kubeconfig = self.kubeconfig.as_ref()?;
        Some(of_contexts(kubeconfig, &self.contexts))
    }
}

fn of_role(role: Role, kubeconfig: PathBuf, context: Option<String>) -> Target {
    Target {
        name: format!("cluster {role}"),
        role,
        access: ClusterAccess {
            kubeconfig,
            context,
        },
    }
}

fn of_lab(paths: &LabPaths) -> Result<Vec<Target>, TargetError> {
    let state = LabState::load(paths)?.ok_or(TargetError::LabDown)?;
    let roles = state.spec.clusters.into_iter().map(|cluster| cluster.role);
    Ok(roles
        .map(|role| {
            let kubeconfig = paths.kubeconfig(&role);
            of_role(role, kubeconfig, None)
        })
        .collect())
}

fn of_scenario(file: &Path) -> Result<Vec<Target>, TargetError> {
    let scenario = scenario::load(file)?;
    let lab = LabPaths::from_environment();
    let targets = scenario.clusters.into_iter();
    Ok(targets
        .map(|(role, source)| match source {
            ClusterSource::Lab { .. } => {
                let kubeconfig = lab.kubeconfig(&role);
                of_role(role, kubeconfig, None)
            }
            ClusterSource::Existing {
                kubeconfig,
                context,
                ..
            } => of_role(
                role,
                kubeconfig.unwrap_or_else(own_kubeconfig),
                Some(context),
            ),
        })
        .collect())
}

/// Contexts have no role; errors speak of them by a letter in the order they were named.
fn of_contexts(kubeconfig: &Path, contexts: &[String]) -> Result<Vec<Target>, TargetError> {
    if contexts.len() > LETTERS {
        return Err(TargetError::TooMany {
            count: contexts.len(),
        });
    }
    let named: Vec<Option<String>> = if contexts.is_empty() {
        vec![None]
    } else {
        contexts.iter().cloned().map(Some).collect()
    };
    let letters = ('a'..='z').filter_map(|letter| Role::new(&letter.to_string()).ok());
    Ok(letters
        .zip(named)
        .map(|(role, context)| Target {
            name: context.as_ref().map_or_else(
                || format!("kubeconfig {}", kubeconfig.display()),
                |context| format!("context {context}"),
            ),
            role,
            access: ClusterAccess {
                kubeconfig: kubeconfig.to_owned(),
                context,
            },
        })
        .collect())
}
