//! Checks of clusters, stack, deviations and expectations.

use super::super::file::{self, Cluster, Existing, Expect, FaultEntry};
use super::super::model::{ClusterSource, PlannedFault, Stack};
use super::super::place::{At, Place};
use super::{Context, Problems, upstream, value};
use crate::verify::{Role, catalogue};
use std::collections::BTreeMap;
use std::path::Path;

const DEFAULT_RUNTIME_CLASS: &str = "gvisor";

/// The clusters by role; without a source where it could not be read, so that steps may still name the role.
pub(super) fn clusters(
    given: &At<BTreeMap<String, At<Cluster>>>,
    directory: &Path,
    problems: &mut Problems,
) -> BTreeMap<Role, Option<ClusterSource>> {
    if given.value().is_empty() {
        problems.add(
            given.place(),
            "there is no cluster",
            "add one, for example `a: {lab: {gateway: traefik}}`",
        );
    }
    let mut clusters = BTreeMap::new();
    for (name, cluster) in given.value() {
        let source = source(name, cluster, directory, problems);
        match Role::new(name) {
            Ok(role) => drop(clusters.insert(role, source)),
            Err(error) => problems.add(
                cluster.place(),
                error.to_string(),
                "rename it, for example to `a` or `edge2`",
            ),
        }
    }
    clusters
}

fn source(
    name: &str,
    cluster: &At<Cluster>,
    directory: &Path,
    problems: &mut Problems,
) -> Option<ClusterSource> {
    match (&cluster.value().lab, &cluster.value().existing) {
        (Some(lab), None) => Some(ClusterSource::Lab {
            gateway: lab.gateway,
        }),
        (None, Some(existing)) => Some(existing_source(existing, directory, problems)),
        (None, None) => {
            problems.add(
                cluster.place(),
                format!("cluster `{name}` has no provider"),
                "add `lab` or `existing`",
            );
            None
        }
        (Some(_), Some(_)) => {
            problems.add(
                cluster.place(),
                format!("cluster `{name}` has two providers"),
                "keep either `lab` or `existing`",
            );
            None
        }
    }
}

fn existing_source(
    existing: &Existing,
    directory: &Path,
    problems: &mut Problems,
) -> ClusterSource {
    ClusterSource::Existing {
        kubeconfig: existing
            .kubeconfig
            .as_ref()
            .map(|path| value::path(path, directory, problems)),
        context: value::text(&existing.context, "the context", problems),
        gateway_class: value::text(&existing.gateway_class, "the GatewayClass", problems),
    }
}

pub(super) fn stack(given: &file::Stack, context: &Context<'_>, problems: &mut Problems) -> Stack {
    let runtime_class = given.sandbox.runtime_class.as_ref();
    let fixtures = given.tools.iter().chain(&given.documents);
    Stack {
        runtime_class: runtime_class.map_or_else(
            || DEFAULT_RUNTIME_CLASS.to_owned(),
            |class| value::text(class, "the RuntimeClass", problems),
        ),
        upstream: upstream::check(&given.model, context.directory, problems),
        fixtures: fixtures
            .map(|path| value::path(path, context.directory, problems))
            .collect(),
    }
}

pub(super) fn faults(
    given: &[At<FaultEntry>],
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<(PlannedFault, Place)> {
    let mut faults: Vec<(PlannedFault, Place)> = Vec::new();
    for entry in given {
        let FaultEntry { fault, on } = entry.value();
        let planned = PlannedFault {
            fault: *fault.value(),
            on: value::roles(on, context, problems),
        };
        if faults.iter().any(|(other, _)| other.fault == planned.fault) {
            let what = format!(
                "the deviation `{}` stands there twice",
                planned.fault.word()
            );
            problems.add(
                fault.place(),
                what,
                "name it once, with all its clusters under `on`",
            );
        }
        faults.push((planned, fault.place()));
    }
    faults
}

pub(super) fn expected(
    given: &Expect,
    faults: &[(PlannedFault, Place)],
    problems: &mut Problems,
) -> Vec<String> {
    let mut expected = Vec::new();
    for id in &given.failed {
        if catalogue::find(id.value()).is_none() {
            let ids: Vec<_> = catalogue::ALL.iter().map(|check| check.id).collect();
            problems.add(
                id.place(),
                format!("there is no check `{}`", id.value()),
                format!("the checks are {}", ids.join(", ")),
            );
        } else if expected.contains(id.value()) {
            problems.add(
                id.place(),
                format!("the check `{}` is named twice", id.value()),
                "name it once",
            );
        }
        expected.push(id.value().clone());
    }
    if let (Some(first), true) = (given.failed.first(), faults.is_empty()) {
        problems.add(
            first.place(),
            "a check is expected to fail and nothing is broken on purpose",
            "add the deviation under `spec.faults`",
        );
    }
    expected
}
