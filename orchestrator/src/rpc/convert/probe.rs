//! Egress probes, their observations and kernel fingerprints.

use crate::rpc::error::RpcError;
use crate::rpc::request::{EgressProbePlan, PodKernels};
use crate::verify::evidence::{
    EgressObservation, KernelFingerprint, Origin, ProbeOutcome, Target, Transport, Via,
};
use portproof_proto::v1;
use std::collections::BTreeMap;

pub(in crate::rpc) fn probe_request(plans: &[EgressProbePlan]) -> v1::ProbeRequest {
    let probes = plans
        .iter()
        .enumerate()
        .map(|(index, plan)| v1::EgressProbe {
            id: index.to_string(),
            origin: origin(plan.origin) as i32,
            transport: transport(plan.transport) as i32,
            target: target(plan.target) as i32,
            via: via(plan.via) as i32,
            nonce: plan.nonce.clone(),
            timeout_ms: u32::try_from(plan.timeout.as_millis()).unwrap_or(u32::MAX),
        });
    v1::ProbeRequest {
        probes: probes.collect(),
        fingerprint: false,
    }
}

const fn origin(origin: Origin) -> v1::Origin {
    match origin {
        Origin::Sandbox => v1::Origin::Sandbox,
        Origin::Control => v1::Origin::Control,
    }
}

const fn transport(transport: Transport) -> v1::Transport {
    match transport {
        Transport::Tcp => v1::Transport::Tcp,
        Transport::Udp => v1::Transport::Udp,
        Transport::Http => v1::Transport::Http,
    }
}

const fn target(target: Target) -> v1::Target {
    match target {
        Target::Canary => v1::Target::Canary,
        Target::AllowedPeer => v1::Target::AllowedPeer,
    }
}

const fn via(via: Via) -> v1::ProbeVia {
    match via {
        Via::Native => v1::ProbeVia::Native,
        Via::Python => v1::ProbeVia::Python,
    }
}

/// Matches answers to plans; an answer that is missing is an error, never "blocked".
pub(in crate::rpc) fn observations(
    plans: &[EgressProbePlan],
    answers: Vec<v1::EgressObservation>,
) -> Result<Vec<EgressObservation>, RpcError> {
    let sent = answers.len();
    let mut answers: BTreeMap<_, _> = answers
        .into_iter()
        .map(|answer| (answer.id.clone(), answer))
        .collect();
    // The second observation of a probe would hide the first.
    if answers.len() != sent {
        return Err(RpcError::Protocol {
            call: "Probe",
            what: "two observations of one probe".to_owned(),
        });
    }
    let matched = plans.iter().enumerate().map(|(index, plan)| {
        let answer = answers.remove(&index.to_string());
        let missing = || RpcError::Protocol {
            call: "Probe",
            what: format!("no observation of probe {index}"),
        };
        answer
            .map(|answer| observation(plan, answer))
            .ok_or_else(missing)
    });
    matched.collect()
}

fn observation(plan: &EgressProbePlan, answer: v1::EgressObservation) -> EgressObservation {
    EgressObservation {
        origin: plan.origin,
        target: plan.target,
        transport: plan.transport,
        via: plan.via,
        phase: plan.phase,
        outcome: outcome(answer.outcome()),
        detail: answer.detail,
        received: answer.witness_answered.then_some(answer.received),
        address: answer.address,
    }
}

const fn outcome(outcome: v1::ProbeOutcome) -> ProbeOutcome {
    match outcome {
        v1::ProbeOutcome::Sent => ProbeOutcome::Sent,
        v1::ProbeOutcome::Refused => ProbeOutcome::Refused,
        v1::ProbeOutcome::Timeout => ProbeOutcome::Timeout,
        v1::ProbeOutcome::Unreachable => ProbeOutcome::Unreachable,
        v1::ProbeOutcome::NotRun | v1::ProbeOutcome::Unspecified => ProbeOutcome::NotRun,
    }
}

pub(in crate::rpc) fn pod_kernels(fingerprints: Vec<v1::KernelFingerprint>) -> PodKernels {
    let mut kernels = PodKernels {
        sandbox: unread(),
        control: unread(),
    };
    for print in fingerprints {
        match print.origin() {
            v1::Origin::Sandbox => kernels.sandbox = fingerprint(print),
            v1::Origin::Control => kernels.control = fingerprint(print),
            v1::Origin::Unspecified => {}
        }
    }
    kernels
}

fn unread() -> Result<KernelFingerprint, String> {
    Err("the agent sent no fingerprint".to_owned())
}

fn fingerprint(print: v1::KernelFingerprint) -> Result<KernelFingerprint, String> {
    if !print.error.is_empty() {
        return Err(print.error);
    }
    Ok(KernelFingerprint {
        pod: print.pod,
        node: print.node,
        release: print.release,
        version: print.version,
        boot_id: print.boot_id,
        proc_version: print.proc_version,
        sentry_meminfo: print.sentry_meminfo,
        kallsyms: print.kallsyms,
        kernel_log: print.kernel_log,
        runtime_class: print.runtime_class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::Phase;
    use std::time::Duration;

    fn plan() -> EgressProbePlan {
        EgressProbePlan {
            origin: Origin::Sandbox,
            target: Target::Canary,
            transport: Transport::Udp,
            via: Via::Native,
            phase: Phase::Attempt,
            nonce: "n".into(),
            timeout: Duration::from_secs(4),
        }
    }

    fn answer(id: &str) -> v1::EgressObservation {
        v1::EgressObservation {
            id: id.into(),
            outcome: v1::ProbeOutcome::Sent as i32,
            ..Default::default()
        }
    }

    #[test]
    fn a_probe_without_an_answer_is_an_error() {
        assert!(observations(&[plan(), plan()], vec![answer("0")]).is_err());
    }

    #[test]
    fn a_witness_that_could_not_be_asked_says_nothing() {
        let silent = observations(&[plan()], vec![answer("0")]).unwrap();
        assert_eq!(silent[0].received, None);
        let asked = v1::EgressObservation {
            witness_answered: true,
            ..answer("0")
        };
        assert_eq!(
            observations(&[plan()], vec![asked]).unwrap()[0].received,
            Some(false)
        );
    }

    #[test]
    fn a_side_without_a_fingerprint_says_so() {
        let kernels = pod_kernels(vec![v1::KernelFingerprint {
            origin: v1::Origin::Sandbox as i32,
            release: "4.19.0-gvisor".into(),
            ..Default::default()
        }]);
        assert_eq!(kernels.sandbox.unwrap().release, "4.19.0-gvisor");
        assert!(kernels.control.is_err());
    }
}
