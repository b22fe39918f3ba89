//! `egress`: tries to reach a listener outside the allow-list from inside the sandbox, between two rounds of controls.

use super::{Bench, StepError};
use crate::rpc::EgressProbePlan;
use crate::run::session::Session;
use crate::verify::Role;
use crate::verify::egress::egress_basic;
use crate::verify::evidence::{Origin, Phase, Target, Transport, Via};
use std::time::Duration;
use uuid::Uuid;

/// A dead neighbour answers after three seconds; below four it would be misread as a drop.
const TIMEOUT: Duration = Duration::from_secs(4);
const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Udp];
const MEANS: [Via; 2] = [Via::Native, Via::Python];

pub(super) async fn run(bench: &Bench<'_>, roles: &[Role]) -> Result<(), StepError> {
    bench
        .each(roles, |session| sandwich(bench, session))
        .await?;
    Ok(())
}

async fn sandwich(bench: &Bench<'_>, session: &Session) -> Result<(), StepError> {
    let mut observations = Vec::new();
    for round in [controls(Phase::Before), attempts(), controls(Phase::After)] {
        observations.extend(session.call(session.agent.probe(&round).await)?);
    }
    bench.verdict(egress_basic(&observations).on(&session.role));
    Ok(())
}

/// The control pod must reach the canary: else a silent canary would prove nothing.
fn controls(phase: Phase) -> Vec<EgressProbePlan> {
    let towards = |transport| {
        probe(
            Origin::Control,
            Target::Canary,
            transport,
            Via::Native,
            phase,
        )
    };
    TRANSPORTS.map(towards).into()
}

/// The sandbox tries both transports by both means, and its one allowed peer, which must answer.
fn attempts() -> Vec<EgressProbePlan> {
    let attempt =
        |target, transport, via| probe(Origin::Sandbox, target, transport, via, Phase::Attempt);
    let mut probes = Vec::new();
    for via in MEANS {
        probes.extend(TRANSPORTS.map(|transport| attempt(Target::Canary, transport, via)));
        probes.push(attempt(Target::AllowedPeer, Transport::Http, via));
    }
    probes
}

fn probe(
    origin: Origin,
    target: Target,
    transport: Transport,
    via: Via,
    phase: Phase,
) -> EgressProbePlan {
    let nonce = Uuid::new_v4().simple().to_string();
    EgressProbePlan {
        origin,
        target,
        transport,
        via,
        phase,
        nonce,
        timeout: TIMEOUT,
    }
}
