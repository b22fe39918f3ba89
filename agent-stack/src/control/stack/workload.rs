//! Deployments and Services of the parts.

mod arguments;
mod pod;
mod upstream;

pub(super) use arguments::{agent_arguments, arguments};

use super::metadata::matching;
use super::plan::Plan;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pod::pod;
use portproof_proto::names::{CANARY_PORT, HTTP_PORT, Part};

/// The Deployment of a part; `arguments` are those of the binary.
pub(super) fn deployment(plan: &Plan, part: Part, arguments: Vec<String>) -> Deployment {
    Deployment {
        metadata: plan.part_metadata(part),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            strategy: Some(never_fewer()),
            selector: matching(plan.part_selector(part)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(plan.part_labels(part)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(plan, part, arguments)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// A new pod is ready before an old one goes, so that a rollout loses no request.
fn never_fewer() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

/// The Service of a part.
pub(super) fn service(plan: &Plan, part: Part) -> Service {
    let mut ports = vec![service_port("http", "TCP", HTTP_PORT)];
    if part == Part::Canary {
        ports.push(service_port("canary-tcp", "TCP", CANARY_PORT));
        ports.push(service_port("canary-udp", "UDP", CANARY_PORT));
    }
    Service {
        metadata: plan.part_metadata(part),
        spec: Some(ServiceSpec {
            selector: Some(plan.part_selector(part)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn service_port(name: &str, protocol: &str, port: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        port: i32::from(port),
        target_port: Some(IntOrString::Int(i32::from(port))),
        ..ServicePort::default()
    }
}
