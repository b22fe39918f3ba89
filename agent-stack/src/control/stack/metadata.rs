//! Names and labels that every object of the stack carries.

use super::plan::Plan;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use portproof_proto::names::{
    FIELD_MANAGER, MANAGED_BY_LABEL, PART_LABEL, Part, ROLE_LABEL, RUN_LABEL,
};
use std::collections::BTreeMap;

/// Label that tells what `Provision` made from what the orchestrator made for the agent itself.
pub(crate) const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Value of [`COMPONENT_LABEL`].
pub(crate) const COMPONENT: &str = "stack";

impl Plan {
    /// Metadata of an object that belongs to no single part.
    pub(super) fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.home.namespace.clone()),
            labels: Some(self.labels()),
            ..ObjectMeta::default()
        }
    }

    /// Metadata of an object of one part.
    pub(super) fn part_metadata(&self, part: Part) -> ObjectMeta {
        ObjectMeta {
            labels: Some(self.part_labels(part)),
            ..self.metadata(part.name())
        }
    }

    /// Labels of everything.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let labels = [
            (RUN_LABEL, self.home.run_id.as_str()),
            (ROLE_LABEL, self.home.role.as_str()),
            (MANAGED_BY_LABEL, FIELD_MANAGER),
            (COMPONENT_LABEL, COMPONENT),
        ];
        labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    /// Labels of one part.
    pub(super) fn part_labels(&self, part: Part) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert(PART_LABEL.to_owned(), part.name().to_owned());
        labels
    }

    /// What selects the pods of one part.
    pub(super) fn part_selector(&self, part: Part) -> BTreeMap<String, String> {
        let labels = [
            (RUN_LABEL, self.home.run_id.as_str()),
            (PART_LABEL, part.name()),
        ];
        labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }
}

/// A selector of pods by their labels.
pub(super) fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    }
}
