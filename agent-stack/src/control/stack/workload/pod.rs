//! The pod of a part: one container that satisfies Pod Security `restricted`.

use super::super::metadata::matching;
use super::super::plan::Plan;
use super::upstream;
use crate::shutdown::{ANNOUNCE_ENV, Grace};
use crate::telemetry::FLUSH_LIMIT;
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    HTTPGetAction, ObjectFieldSelector, PodAffinity, PodAffinityTerm, PodDNSConfig,
    PodSecurityContext, PodSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use portproof_proto::names::{CANARY_PORT, HTTP_PORT, OTLP_PORT, Part};
use portproof_proto::telemetry::OTLP_ENDPOINT_ENV;
use portproof_proto::v1::Fault;
use std::time::Duration;

/// The multi-call binary in the image.
const BINARY: &str = "/usr/bin/agent-stack";
/// User and group of every process of the stack.
const USER: i64 = 65532;
/// How long a part still serves after SIGTERM. kube-proxy and the data planes of gateways learn within it that the pod's
/// address is gone: kube-proxy waits for up to 1 s between two updates, Traefik by default for up to 2 s.
const ANNOUNCE: Duration = Duration::from_secs(3);

/// CPU and memory of one part.
struct Size {
    cpu: &'static str,
    memory: &'static str,
    cpu_limit: &'static str,
    memory_limit: &'static str,
}

const SMALL: Size = Size {
    cpu: "10m",
    memory: "32Mi",
    cpu_limit: "1",
    memory_limit: "96Mi",
};
/// The interpreter: programs at their limits (the flags in `arguments`), and under gVisor also the sandbox's own kernel.
const SANDBOX: Size = Size {
    cpu: "50m",
    memory: "128Mi",
    cpu_limit: "1",
    memory_limit: "640Mi",
};
/// The same interpreter, idle but for probes.
const SANDBOX_CONTROL: Size = Size {
    cpu: SMALL.cpu,
    memory: SMALL.memory,
    ..SANDBOX
};

/// A pod that satisfies Pod Security `restricted`.
pub(super) fn pod(plan: &Plan, part: Part, arguments: Vec<String>) -> PodSpec {
    let talks_to_the_api = part == Part::ToolGateway;
    let sandboxed = part == Part::Interpreter && !plan.faults.has(Fault::RuntimeNotSandboxed);
    PodSpec {
        containers: vec![container(plan, part, arguments)],
        service_account_name: talks_to_the_api.then(|| part.name().to_owned()),
        automount_service_account_token: Some(talks_to_the_api),
        enable_service_links: Some(false),
        runtime_class_name: sandboxed.then(|| plan.runtime_class.clone()),
        affinity: (part == Part::ProbeControl).then(|| beside(plan, Part::Interpreter)),
        dns_policy: (part == Part::Interpreter).then(|| "None".to_owned()),
        dns_config: (part == Part::Interpreter).then(no_resolver),
        termination_grace_period_seconds: Some(termination_seconds()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        volumes: Some(volumes(plan, part)),
        ..PodSpec::default()
    }
}

fn volumes(plan: &Plan, part: Part) -> Vec<Volume> {
    let tmp = Volume {
        name: "tmp".into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(scratch(part).to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    };
    [Some(tmp), upstream::volume(plan, part)]
        .into_iter()
        .flatten()
        .collect()
}

fn mounts(plan: &Plan, part: Part) -> Vec<VolumeMount> {
    let tmp = VolumeMount {
        name: "tmp".into(),
        mount_path: "/tmp".into(),
        ..VolumeMount::default()
    };
    [Some(tmp), upstream::mount(plan, part)]
        .into_iter()
        .flatten()
        .collect()
}

/// Room for temporary files.
fn scratch(part: Part) -> &'static str {
    match part {
        Part::Interpreter | Part::ProbeControl => "128Mi",
        _ => "32Mi",
    }
}

/// The time a pod has between SIGTERM and SIGKILL: to announce its end, to finish what is open, to push its last spans and
/// metrics, and a little more.
fn termination_seconds() -> i64 {
    let needed = ANNOUNCE + Grace::FINISH + FLUSH_LIMIT + Duration::from_secs(2);
    i64::try_from(needed.as_secs()).unwrap_or(i64::MAX)
}

fn container(plan: &Plan, part: Part, arguments: Vec<String>) -> Container {
    let size = match part {
        Part::Interpreter => SANDBOX,
        Part::ProbeControl => SANDBOX_CONTROL,
        _ => SMALL,
    };
    Container {
        name: part.name().to_owned(),
        image: Some(plan.image.clone()),
        image_pull_policy: Some(plan.image_pull_policy.clone()),
        command: Some(vec![BINARY.to_owned()]),
        args: Some(arguments),
        env: Some(environment(plan)),
        ports: Some(container_ports(part)),
        readiness_probe: Some(probe("/readyz", 1, 3)),
        liveness_probe: Some(probe("/livez", 10, 6)),
        resources: Some(size.requirements()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".into()]),
                add: None,
            }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(plan, part)),
        ..Container::default()
    }
}

impl Size {
    fn requirements(&self) -> ResourceRequirements {
        let quantities = |cpu: &str, memory: &str| {
            let pair = [("cpu", cpu), ("memory", memory)];
            Some(
                pair.map(|(name, value)| (name.to_owned(), Quantity(value.to_owned())))
                    .into(),
            )
        };
        ResourceRequirements {
            requests: quantities(self.cpu, self.memory),
            limits: quantities(self.cpu_limit, self.memory_limit),
            ..ResourceRequirements::default()
        }
    }
}

/// Where telemetry goes, how the part leaves, and the resource attributes of what is sent (`portproof_proto::telemetry`).
fn environment(plan: &Plan) -> Vec<EnvVar> {
    let control = format!("http://{}:{OTLP_PORT}", Part::Control.name());
    vec![
        value(OTLP_ENDPOINT_ENV, &control),
        value(ANNOUNCE_ENV, &ANNOUNCE.as_millis().to_string()),
        value("CLUSTER_UID", &plan.home.cluster_uid),
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("NODE_NAME", "spec.nodeName"),
    ]
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

fn field(name: &str, path: &str) -> EnvVar {
    let selector = ObjectFieldSelector {
        field_path: path.to_owned(),
        api_version: None,
    };
    let source = EnvVarSource {
        field_ref: Some(selector),
        ..EnvVarSource::default()
    };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(source),
    }
}

fn container_ports(part: Part) -> Vec<ContainerPort> {
    let listening = |name: &str, protocol: &str, number: u16| ContainerPort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        container_port: i32::from(number),
        ..ContainerPort::default()
    };
    let mut ports = vec![listening("http", "TCP", HTTP_PORT)];
    if part == Part::Canary {
        ports.push(listening("canary-tcp", "TCP", CANARY_PORT));
        ports.push(listening("canary-udp", "UDP", CANARY_PORT));
    }
    ports
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(i32::from(HTTP_PORT)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(1),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}

/// The twin of the interpreter only proves something about the node the interpreter stands on.
fn beside(plan: &Plan, part: Part) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(matching(plan.part_selector(part))),
        topology_key: "kubernetes.io/hostname".into(),
        ..PodAffinityTerm::default()
    };
    let affinity = PodAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![term]),
        ..PodAffinity::default()
    };
    Affinity {
        pod_affinity: Some(affinity),
        ..Affinity::default()
    }
}

/// Untrusted code gets no resolver: names are a way out too.
fn no_resolver() -> PodDNSConfig {
    PodDNSConfig {
        nameservers: Some(vec!["127.0.0.1".into()]),
        ..PodDNSConfig::default()
    }
}
