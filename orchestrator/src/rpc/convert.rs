//! Between the generated messages and the records the rest of the orchestrator knows.

mod probe;
mod task;
mod traffic;

use super::request::{
    AgentDescription, Fault, GatewayAddress, ProvisionProgress, StackPlan, TeardownReport,
    UpstreamPlan,
};
use crate::verify::evidence::{ImportOutcome, ImportedObject, PartPod, SplitChange};
use portproof_proto::canonical::Digest;
use portproof_proto::v1;
pub(super) use probe::{observations, pod_kernels, probe_request};
use std::time::Duration;
pub(super) use task::{task_event, task_request, transcript};
pub(super) use traffic::{Traffic, traffic_event, traffic_request};

pub(super) fn description(response: v1::DescribeResponse) -> AgentDescription {
    AgentDescription {
        run_id: response.run_id,
        role: response.role,
        cluster_uid: response.cluster_uid,
        kubernetes_version: response.kubernetes_version,
        agent_version: response.agent_version,
        gateway_classes: response.gateway_classes,
        runtime_classes: response.runtime_classes,
        gateway_api_version: response.gateway_api_version,
        pods: response.pods.into_iter().map(part_pod).collect(),
    }
}

fn part_pod(pod: v1::PartPod) -> PartPod {
    PartPod {
        part: pod.part,
        uid: pod.uid,
        restarts: pod.restarts,
    }
}

pub(super) fn provision_request(plan: &StackPlan) -> v1::ProvisionRequest {
    let stack = v1::StackSpec {
        image: plan.image.clone(),
        gateway: Some(v1::GatewaySpec {
            class_name: plan.gateway_class.clone(),
            port: plan.gateway_port.into(),
            hostname: plan.hostname.clone(),
        }),
        sandbox: Some(v1::SandboxSpec {
            runtime_class: plan.runtime_class.clone(),
        }),
        model: Some(v1::ModelSpec {
            upstream: plan.upstream.clone().map(upstream),
            split: Some(split(plan.split)),
        }),
        faults: plan
            .faults
            .iter()
            .map(|&planned| fault(planned) as i32)
            .collect(),
        image_pull_policy: plan.image_pull_policy.clone(),
    };
    v1::ProvisionRequest {
        stack: Some(stack),
        deadline_s: seconds(plan.deadline),
    }
}

const fn split((stable, canary): (u32, u32)) -> v1::TrafficSplit {
    v1::TrafficSplit { stable, canary }
}

fn upstream(plan: UpstreamPlan) -> v1::Upstream {
    v1::Upstream {
        url: plan.url,
        model: plan.model.unwrap_or_default(),
        key_secret: plan.key_secret.unwrap_or_default(),
        authorities_config_map: plan.authorities_config_map.unwrap_or_default(),
    }
}

const fn fault(fault: Fault) -> v1::Fault {
    match fault {
        Fault::RouteWeightsSkewed => v1::Fault::RouteWeightsSkewed,
        Fault::EgressPolicyMissing => v1::Fault::EgressPolicyMissing,
        Fault::RuntimeNotSandboxed => v1::Fault::RuntimeNotSandboxed,
        Fault::TraceContextDropped => v1::Fault::TraceContextDropped,
        Fault::ToolHidden => v1::Fault::ToolHidden,
        Fault::CatalogChanged => v1::Fault::CatalogChanged,
        Fault::RollbackIncomplete => v1::Fault::RollbackIncomplete,
        Fault::CanaryNotServed => v1::Fault::CanaryNotServed,
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

pub(super) enum Provisioned {
    Progress(ProvisionProgress),
    Ready(GatewayAddress),
}

pub(super) fn provision_event(event: v1::ProvisionEvent) -> Option<Provisioned> {
    use v1::provision_event::Event;
    Some(match event.event? {
        Event::Applied(object) => Provisioned::Progress(ProvisionProgress::Applied(named(&object))),
        Event::Ready(part) => {
            let elapsed = Duration::from_millis(part.elapsed_ms.into());
            Provisioned::Progress(ProvisionProgress::Ready(part.part, elapsed))
        }
        Event::Stack(stack) => Provisioned::Ready(GatewayAddress {
            address: stack.gateway_address,
            port: stack.gateway_port,
        }),
    })
}

fn named(object: &v1::ObjectRef) -> String {
    format!("{}/{}", object.kind, object.name)
}

pub(super) fn teardown_event(event: v1::TeardownEvent, report: &mut TeardownReport) {
    use v1::teardown_event::Outcome;
    match event.outcome() {
        Outcome::Deleted => report.removed += 1,
        Outcome::Kept => {
            let object = named(&event.object.unwrap_or_default());
            report.kept.push(format!("{object}: {}", event.reason));
        }
        Outcome::Absent | Outcome::Unspecified => {}
    }
}

pub(super) fn import_requests(bytes: &[u8], chunk: usize, dry_run: bool) -> Vec<v1::ImportRequest> {
    use v1::import_request::Part;
    let options = Part::Options(v1::ImportOptions { dry_run });
    let chunks = bytes.chunks(chunk).map(|data| {
        Part::Chunk(v1::BundleChunk {
            data: data.to_vec(),
        })
    });
    std::iter::once(options)
        .chain(chunks)
        .map(|part| v1::ImportRequest { part: Some(part) })
        .collect()
}

/// Adds an event to the report; true for the last one.
pub(super) fn import_event(event: v1::ImportEvent, report: &mut Vec<ImportedObject>) -> bool {
    use v1::import_event::Event;
    match event.event {
        Some(Event::Object(result)) => {
            report.push(imported(result));
            false
        }
        Some(Event::Summary(_)) => true,
        None => false,
    }
}

fn imported(result: v1::ImportResult) -> ImportedObject {
    let digest = |text: String| (!text.is_empty()).then(|| Digest::from(text));
    let outcome = import_outcome(result.outcome());
    ImportedObject {
        object: named(&result.object.unwrap_or_default()),
        outcome,
        reason: result.reason,
        source: digest(result.source_digest),
        request: digest(result.request_digest),
        admitted: digest(result.admitted_digest),
    }
}

/// An outcome that the contract does not name says nothing: neither that the object was created nor that it was refused.
const fn import_outcome(outcome: v1::import_result::Outcome) -> ImportOutcome {
    use v1::import_result::Outcome;
    match outcome {
        Outcome::Created => ImportOutcome::Created,
        Outcome::Present => ImportOutcome::Present,
        Outcome::Conflict => ImportOutcome::Conflict,
        Outcome::Refused => ImportOutcome::Refused,
        Outcome::NotTried => ImportOutcome::NotTried,
        Outcome::Unspecified => ImportOutcome::Unknown,
    }
}

pub(super) fn split_request(weights: (u32, u32), dead_man: Duration) -> v1::SetTrafficSplitRequest {
    v1::SetTrafficSplitRequest {
        split: Some(split(weights)),
        dead_man_s: seconds(dead_man),
    }
}

pub(super) const fn split_change(
    asked: (u32, u32),
    response: &v1::SetTrafficSplitResponse,
) -> SplitChange {
    SplitChange {
        asked,
        sent_ns: response.sent_ns,
        acknowledged_ns: response.acknowledged_ns,
    }
}
