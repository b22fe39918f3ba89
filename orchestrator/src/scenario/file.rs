//! What may be written in a scenario file. The doc comments here are the descriptions in the JSON Schema.

use super::model::{Fault, LabGateway};
use super::place::At;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The `apiVersion` of scenario files.
pub(super) const API_VERSION: &str = "portproof.dev/v1alpha1";
/// The `kind` of scenario files.
pub(super) const KIND: &str = "Scenario";

/// A scenario: which clusters, which stack, which steps, and what they must show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub(super) struct File {
    /// Always `portproof.dev/v1alpha1`.
    pub api_version: At<String>,
    /// Always `Scenario`.
    pub kind: At<String>,
    /// Name and purpose.
    pub metadata: Metadata,
    /// What is run.
    pub spec: Spec,
}

/// Name and purpose of a scenario.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Metadata {
    /// Lower-case letters, digits and dashes, at most 50.
    pub name: At<String>,
    /// What the scenario proves, one sentence; it stands in the report.
    pub description: At<String>,
}

/// What is run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    /// Clusters by role (`a`, `b`, ...).
    pub clusters: At<BTreeMap<String, At<Cluster>>>,
    /// Whether two roles may be the same cluster. Default: no.
    #[serde(default)]
    pub allow_same_cluster: bool,
    /// The reference stack that is provisioned on each cluster.
    #[serde(default)]
    pub stack: Stack,
    /// Deviations put in on purpose, to prove that the checks notice them.
    #[serde(default)]
    pub faults: Vec<At<FaultEntry>>,
    /// What the run must find.
    #[serde(default)]
    pub expect: Expect,
    /// The steps, in order.
    pub steps: At<Vec<At<StepEntry>>>,
}

/// Where a cluster comes from; exactly one member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Cluster {
    /// A cluster of the embedded lab, started when it is not up.
    pub lab: Option<Lab>,
    /// A cluster that is there already.
    pub existing: Option<Existing>,
}

/// A cluster of the embedded lab.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Lab {
    /// Its Gateway implementation. Default: `traefik`.
    #[serde(default)]
    pub gateway: LabGateway,
}

/// A cluster that is there already.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Existing {
    /// Path of the kubeconfig, relative to this file. Default: `KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<At<String>>,
    /// Context in it; never the current one by default.
    pub context: At<String>,
    /// GatewayClass of the stack's Gateway.
    pub gateway_class: At<String>,
}

/// The reference stack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Stack {
    /// The sandbox of the code interpreter.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// The model server.
    #[serde(default)]
    pub model: Model,
    /// Directory of `Tool` objects, relative to this file.
    pub tools: Option<At<String>>,
    /// Directory of the ConfigMaps that the tools refer to, relative to this file.
    pub documents: Option<At<String>>,
}

/// The sandbox of the code interpreter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sandbox {
    /// RuntimeClass of the interpreter's pod. Default: `gvisor`.
    pub runtime_class: Option<At<String>>,
}

/// The model server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Model {
    /// URL of an OpenAI-compatible server. Default: the deterministic reference planner.
    pub upstream: Option<At<String>>,
    /// Model to ask that server for, for example `qwen3-8b`.
    pub name: Option<At<String>>,
    /// Where the key of that server is; it never stands in this file.
    pub key: Option<At<Key>>,
    /// PEM file of the authorities that may vouch for that server, relative to this file. Default: the public ones.
    pub authorities: Option<At<String>>,
}

/// Where a key is; exactly one member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Key {
    /// Environment variable of `portproof`.
    pub env: Option<At<String>>,
    /// File, relative to this one.
    pub file: Option<At<String>>,
}

/// One deviation put in on purpose.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FaultEntry {
    /// Which deviation.
    pub fault: At<Fault>,
    /// Roles of the clusters that get it.
    pub on: At<Vec<At<String>>>,
}

/// What the run must find.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expect {
    /// Ids of the checks that must fail; the exit code does not change.
    #[serde(default)]
    pub failed: Vec<At<String>>,
}

/// One step: an id, where it runs, and exactly one action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StepEntry {
    /// Lower-case letters, digits and dashes; unique in the file.
    pub id: At<String>,
    /// Roles it runs on; every action but `carry` needs it.
    pub on: Option<At<Vec<At<String>>>>,
    /// Role that `carry` exports from.
    pub from: Option<At<String>>,
    /// Role that `carry` imports to.
    pub to: Option<At<String>>,
    /// Provisions the reference stack.
    pub deploy: Option<At<Deploy>>,
    /// Imports the fixtures of `stack.tools` and `stack.documents`.
    pub seed: Option<At<Nothing>>,
    /// Exports the tools from one cluster and imports them into another.
    pub carry: Option<At<Nothing>>,
    /// Hands tasks to the agent.
    pub tasks: Option<At<Tasks>>,
    /// Collects the traces of the tasks.
    pub traces: Option<At<Traces>>,
    /// Splits model traffic and measures the split.
    pub canary: Option<At<Canary>>,
    /// Takes the canary back under load.
    pub rollback: Option<At<Rollback>>,
    /// Reads on which kernel the interpreter runs.
    pub sandbox: Option<At<Nothing>>,
    /// Tries to get out of the sandbox.
    pub egress: Option<At<Nothing>>,
}

/// An action without settings: `{}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Provisions the reference stack.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Deploy {
    /// Time for every part to answer. Default: `120s`.
    pub deadline: Option<At<String>>,
}

/// Hands tasks to the agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tasks {
    /// Time for each task. Default: `60s`.
    pub deadline: Option<At<String>>,
    /// The tasks, in order.
    pub items: At<Vec<At<TaskEntry>>>,
}

/// One task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TaskEntry {
    /// Lower-case letters, digits and dashes; unique in the step.
    pub id: At<String>,
    /// What the user asks.
    pub prompt: At<String>,
}

/// Collects the traces of the tasks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Traces {
    /// How long to wait for missing spans. Default: `30s`.
    pub deadline: Option<At<String>>,
}

/// Splits model traffic and measures the split.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Canary {
    /// Weights of the route.
    pub weights: At<Weights>,
    /// Number of requests. Default: 4000.
    pub requests: Option<At<u32>>,
    /// Requests a second. Default: 800.
    pub rate: Option<At<u32>>,
    /// How far the measured share may be from the weight, in percentage points. Default: 2.
    pub tolerance: Option<At<f64>>,
    /// Connections the requests are spread over. Default: 100.
    pub connections: Option<At<u32>>,
}

/// Weights of a route, as in Gateway API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Weights {
    /// Weight of the stable version.
    pub stable: u32,
    /// Weight of the canary.
    pub canary: u32,
}

/// Takes the canary back under load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rollback {
    /// Number of requests. Default: 4000.
    pub requests: Option<At<u32>>,
    /// Requests a second. Default: 800.
    pub rate: Option<At<u32>>,
    /// Connections the requests are spread over. Default: 100.
    pub connections: Option<At<u32>>,
    /// Time from the API server's answer to the last request that may reach the canary. Default: `3s`.
    pub budget: Option<At<String>>,
    /// Time after which the agent restores the route itself if the orchestrator is gone. Default: `60s`.
    pub dead_man: Option<At<String>>,
}
